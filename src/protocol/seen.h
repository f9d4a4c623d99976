/*
 * Inits that were opened before, known by their tags.  Under load a recording of one is dropped
 * after a comparison, instead of being opened and answered.
 *
 * Nobody without the PSK can add an entry.  An entry that another has replaced costs the opening
 * again, and nothing else.
 */
#ifndef SALTWAY_PROTOCOL_SEEN_H
#define SALTWAY_PROTOCOL_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/protocol.h"

#define SW_SEEN_PLACES \
  4096 /* a power of two; the key is renewed, and an init sent, 720 times a day */

struct sw_seen {
  uint64_t marks[SW_SEEN_PLACES]; /* 0: empty */
};

/** The mark of a datagram.  `known`: it came from an address of the peer's; a copy that comes from
 * elsewhere first does not count for it. */
uint64_t sw_seen_mark(const uint8_t tag[SW_TAG_BYTES], bool known);

bool sw_seen_find(const struct sw_seen *seen, uint64_t mark);

void sw_seen_add(struct sw_seen *seen, uint64_t mark);

#endif

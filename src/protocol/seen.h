/*
 * Tags of inits that were opened.  Under load a replayed init is dropped after one comparison,
 * instead of being opened and answered.
 *
 * Only a holder of the PSK can add an entry.  If an entry was replaced by another, the replayed
 * init is opened again; there is no other effect.
 */
#ifndef SALTWAY_PROTOCOL_SEEN_H
#define SALTWAY_PROTOCOL_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/protocol.h"

/* A power of two.  Rekeying sends 720 inits a day, so the table covers several days. */
#define SW_SEEN_PLACES 4096

struct sw_seen {
  uint64_t marks[SW_SEEN_PLACES]; /* 0: empty */
};

/** The mark of a datagram with this tag.  `known`: it came from a known address of the peer.  A
 * copy from another address has another mark, so that it does not hide the init itself. */
uint64_t sw_seen_mark(const uint8_t tag[SW_TAG_BYTES], bool known);

bool sw_seen_find(const struct sw_seen *seen, uint64_t mark);

void sw_seen_add(struct sw_seen *seen, uint64_t mark);

#endif

/*
 * Sessions that were answered and are not confirmed yet: a responder's handshakes in flight.
 *
 * An init may be a replay: only the first datagram of its session shows that it was not.  So
 * answers wait here for a few seconds.  They displace neither each other nor a live session.  The
 * owner wipes the table.
 */
#ifndef SALTWAY_PROTOCOL_PENDING_H
#define SALTWAY_PROTOCOL_PENDING_H

#include <stdbool.h>

#include "protocol/handshake.h"

struct sw_pending_entry {
  struct sw_agreement agreement;
  uint8_t hash[SW_HASH_BYTES]; /* of the init it answers */
  struct sw_path path;         /* by which that came, and the answer went */
  uint64_t created;
  uint8_t point[SW_POINT_BYTES]; /* E_r and the length of the answer, which may be sent again */
  size_t length;
};

struct sw_pending {
  unsigned count;
  uint32_t ids[SW_PENDING_MAX]; /* local ids: what is searched for every unknown session id */
  struct sw_pending_entry entries[SW_PENDING_MAX];
};

/** The entry of a session id, or NULL. */
struct sw_pending_entry *sw_pending_find(struct sw_pending *pending, uint32_t local);

/** The entry of the init of this hash, answered to this address, or NULL.  A copy from elsewhere
 * may have overtaken the init itself, and must not keep it from being answered. */
const struct sw_pending_entry *sw_pending_answered(const struct sw_pending *pending,
                                                   const uint8_t hash[SW_HASH_BYTES],
                                                   const struct sw_address *address);

/** Adds the entry of an answer with this plaintext.  `count` must be below SW_PENDING_MAX. */
void sw_pending_add(struct sw_pending *pending, const struct sw_agreement *agreement,
                    const uint8_t hash[SW_HASH_BYTES], const struct sw_path *path, uint64_t now,
                    const uint8_t *response, size_t length);

void sw_pending_remove(struct sw_pending *pending, struct sw_pending_entry *entry);

/** Removes what is past SW_PENDING_LIFETIME. */
void sw_pending_expire(struct sw_pending *pending, uint64_t now);

/** When the oldest entry expires; UINT64_MAX if there is none. */
uint64_t sw_pending_deadline(const struct sw_pending *pending);

#endif

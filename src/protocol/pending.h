/*
 * Pending sessions: those whose init we answered, and in which nothing was received yet.
 *
 * An init may be a replay; the first datagram of its session proves that it was not.  Until then
 * the session is kept here, for SW_PENDING_LIFETIME at most.  A new entry never replaces another
 * entry or a confirmed session.  The owner wipes the table.
 */
#ifndef SALTWAY_PROTOCOL_PENDING_H
#define SALTWAY_PROTOCOL_PENDING_H

#include <stdbool.h>

#include "protocol/handshake.h"

struct sw_pending_entry {
  struct sw_agreement agreement;
  uint8_t hash[SW_HASH_BYTES]; /* of the init */
  struct sw_path path;         /* of the init and the response */
  uint64_t created;
  uint8_t point[SW_POINT_BYTES]; /* E_r, and the length of the response: to compose it again */
  size_t length;
};

struct sw_pending {
  unsigned count;
  uint32_t ids[SW_PENDING_MAX]; /* our ids, apart from the entries to make the search fast */
  struct sw_pending_entry entries[SW_PENDING_MAX];
};

/** The entry of a session id, or NULL. */
struct sw_pending_entry *sw_pending_find(struct sw_pending *pending, uint32_t local);

/** The entry of the init that has this hash and came on this path, or NULL.  The path counts: a copy
 * from elsewhere may arrive first, and an init is sent to each address of ours. */
const struct sw_pending_entry *sw_pending_answered(const struct sw_pending *pending,
                                                   const uint8_t hash[SW_HASH_BYTES],
                                                   const struct sw_path *path);

/** Adds an entry for a response with this plaintext.  `count` must be below SW_PENDING_MAX. */
void sw_pending_add(struct sw_pending *pending, const struct sw_agreement *agreement,
                    const uint8_t hash[SW_HASH_BYTES], const struct sw_path *path, uint64_t now,
                    const uint8_t *response, size_t length);

void sw_pending_remove(struct sw_pending *pending, struct sw_pending_entry *entry);

/** Removes the entries that are past SW_PENDING_LIFETIME. */
void sw_pending_expire(struct sw_pending *pending, uint64_t now);

/** When the oldest entry expires; UINT64_MAX if there is none. */
uint64_t sw_pending_deadline(const struct sw_pending *pending);

#endif

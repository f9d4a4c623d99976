/*
 * The keys of a link, in the order of the key file: the first is sent with, all are accepted.
 *
 * A key stays at its place in memory as long as it is in the list, so that sessions point to the
 * key that they were made under.  The owner wipes the ring.
 */
#ifndef SALTWAY_PROTOCOL_KEYRING_H
#define SALTWAY_PROTOCOL_KEYRING_H

#include <stdbool.h>

#include "protocol/handshake.h"

struct sw_keyring {
  struct sw_keys places[SW_PSKS_MAX];
  unsigned first, count; /* the second key, if there is one, is at the place after the first */
};

/** The key number `n` of the list; after the last one follows the first. */
const struct sw_keys *sw_keyring_at(const struct sw_keyring *ring, unsigned n);

/** Of two keys the one that `keys` is not. */
const struct sw_keys *sw_keyring_other(const struct sw_keyring *ring, const struct sw_keys *keys);

/** Whether the ring holds exactly these keys, in this order. */
bool sw_keyring_equal(const struct sw_keyring *ring, const struct sw_psk *psks, unsigned count);

/** Whether `psk` is the key at `keys`. */
bool sw_keyring_is(const struct sw_keys *keys, const struct sw_psk *psk);

/** Makes these 1 to SW_PSKS_MAX different keys the list.  Keys that were in it keep their places;
 * those that are not in it any more are wiped. */
void sw_keyring_set(struct sw_keyring *ring, const struct sw_psk *psks, unsigned count);

#endif

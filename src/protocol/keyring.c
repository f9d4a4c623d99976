#include "protocol/keyring.h"

#include <assert.h>
#include <sodium.h>

_Static_assert(SW_PSKS_MAX == 2, "the first key and one more");

const struct sw_keys *sw_keyring_at(const struct sw_keyring *ring, unsigned n) {
  return &ring->places[(ring->first + n % ring->count) % SW_PSKS_MAX];
}

const struct sw_keys *sw_keyring_other(const struct sw_keyring *ring, const struct sw_keys *keys) {
  return &ring->places[keys == ring->places];
}

bool sw_keyring_is(const struct sw_keys *keys, const struct sw_psk *psk) {
  return sodium_memcmp(&keys->psk, psk, sizeof(*psk)) == 0;
}

bool sw_keyring_equal(const struct sw_keyring *ring, const struct sw_psk *psks, unsigned count) {
  bool equal = count == ring->count;
  for (unsigned i = 0; equal && i < count; i++)
    equal = sw_keyring_is(sw_keyring_at(ring, i), &psks[i]);
  return equal;
}

/* The place that the key has, or SW_PSKS_MAX. */
static unsigned place_of(const struct sw_keyring *ring, const struct sw_psk *psk) {
  for (unsigned i = 0; i < ring->count; i++) {
    const struct sw_keys *keys = sw_keyring_at(ring, i);
    if (sw_keyring_is(keys, psk)) return (unsigned)(keys - ring->places);
  }
  return SW_PSKS_MAX;
}

void sw_keyring_set(struct sw_keyring *ring, const struct sw_psk *psks, unsigned count) {
  assert(count >= 1 && count <= SW_PSKS_MAX);
  struct sw_keyring next = {.count = count};
  /* a key that stays decides where the list begins */
  for (unsigned i = 0; i < count; i++) {
    const unsigned place = place_of(ring, &psks[i]);
    if (place < SW_PSKS_MAX) next.first = (place + SW_PSKS_MAX - i) % SW_PSKS_MAX;
  }
  for (unsigned i = 0; i < count; i++)
    sw_keys_derive(&psks[i], &next.places[(next.first + i) % SW_PSKS_MAX]);
  *ring = next;
  sodium_memzero(&next, sizeof(next));
}

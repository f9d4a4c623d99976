#include "protocol/pending.h"

#include <assert.h>
#include <sodium.h>

struct sw_pending_entry *sw_pending_find(struct sw_pending *pending, uint32_t local) {
  for (unsigned i = 0; i < pending->count; i++)
    if (pending->ids[i] == local) return &pending->entries[i];
  return NULL;
}

const struct sw_pending_entry *sw_pending_answered(const struct sw_pending *pending,
                                                   const uint8_t hash[SW_HASH_BYTES],
                                                   const struct sw_path *path) {
  for (unsigned i = 0; i < pending->count; i++) {
    const struct sw_pending_entry *entry = &pending->entries[i];
    if (sodium_memcmp(entry->hash, hash, SW_HASH_BYTES) == 0 && sw_path_equal(&entry->path, path))
      return entry;
  }
  return NULL;
}

void sw_pending_add(struct sw_pending *pending, const struct sw_agreement *agreement,
                    const uint8_t hash[SW_HASH_BYTES], const struct sw_path *path, uint64_t now,
                    const uint8_t *response, size_t length) {
  assert(pending->count < SW_PENDING_MAX);
  struct sw_pending_entry *entry = &pending->entries[pending->count];
  pending->ids[pending->count] = agreement->local;
  pending->count++;
  entry->agreement = *agreement;
  entry->path = *path;
  entry->created = now;
  memcpy(entry->hash, hash, SW_HASH_BYTES);
  memcpy(entry->point, sw_response_point(response), SW_POINT_BYTES);
  entry->length = length;
}

void sw_pending_remove(struct sw_pending *pending, struct sw_pending_entry *entry) {
  const unsigned place = (unsigned)(entry - pending->entries);
  assert(place < pending->count);
  const unsigned last = pending->count - 1;
  pending->entries[place] = pending->entries[last];
  pending->ids[place] = pending->ids[last];
  sodium_memzero(&pending->entries[last], sizeof(pending->entries[last]));
  pending->ids[last] = 0;
  pending->count = last;
}

void sw_pending_expire(struct sw_pending *pending, uint64_t now) {
  for (unsigned i = pending->count; i-- > 0;)
    if (now - pending->entries[i].created >= SW_PENDING_LIFETIME)
      sw_pending_remove(pending, &pending->entries[i]);
}

uint64_t sw_pending_deadline(const struct sw_pending *pending) {
  uint64_t deadline = UINT64_MAX;
  for (unsigned i = 0; i < pending->count; i++) {
    const uint64_t expiry = pending->entries[i].created + SW_PENDING_LIFETIME;
    if (expiry < deadline) deadline = expiry;
  }
  return deadline;
}

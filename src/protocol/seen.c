#include "protocol/seen.h"

#include "protocol/wire.h"

/* Tags are uniformly distributed, so no further hash is needed. */
static unsigned place_of(uint64_t mark) {
  return (unsigned)(mark % SW_SEEN_PLACES);
}

uint64_t sw_seen_mark(const uint8_t tag[SW_TAG_BYTES], bool known) {
  return (sw_load64(tag) | 1) - !known;
}

bool sw_seen_find(const struct sw_seen *seen, uint64_t mark) {
  return seen->marks[place_of(mark)] == mark;
}

void sw_seen_add(struct sw_seen *seen, uint64_t mark) {
  seen->marks[place_of(mark)] = mark;
}

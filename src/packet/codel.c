#include "packet/codel.h"

/* The names follow the pseudocode of RFC 8289 §5.  That handles several packets in one call; here
 * the next drop is scheduled when the packet behind a drop is known not to end the dropping state. */

static uint64_t square_root(uint64_t number) {
  uint64_t root = 0;
  for (uint64_t bit = UINT64_C(1) << 26; bit > 0; bit >>= 1)
    if ((root + bit) * (root + bit) <= number) root += bit;
  return root;
}

/* INTERVAL / sqrt(count) */
static uint64_t control_law(uint64_t from, uint32_t count) {
  return from + square_root(SW_CODEL_INTERVAL * SW_CODEL_INTERVAL / count);
}

/* Whether packets have waited longer than the target for an interval. */
static bool above(struct sw_codel *codel, uint64_t now, uint64_t wait, bool few) {
  if (wait < (codel->target ? codel->target : SW_CODEL_TARGET) || few) {
    codel->first_above = 0;
    return false;
  }
  if (codel->first_above == 0) {
    codel->first_above = now + SW_CODEL_INTERVAL;
    return false;
  }
  return now >= codel->first_above;
}

/* Starts where the last dropping state ended if that was not long ago. */
static void begin(struct sw_codel *codel, uint64_t now) {
  const uint32_t delta = codel->count - codel->last_count;
  const bool recent = now < codel->drop_next + 16 * SW_CODEL_INTERVAL;
  codel->count = delta > 1 && recent ? delta : 1;
  codel->last_count = codel->count;
  codel->drop_next = control_law(now, codel->count);
  codel->dropping = true;
  codel->dropped = false;
}

bool sw_codel_drop(struct sw_codel *codel, uint64_t now, uint64_t wait, bool few) {
  const bool drop = above(codel, now, wait, few);
  if (!codel->dropping) {
    if (drop) begin(codel, now);
    return drop;
  }
  if (!drop) {
    codel->dropping = false;
    return false;
  }
  if (codel->dropped) codel->drop_next = control_law(codel->drop_next, codel->count);
  codel->dropped = now >= codel->drop_next;
  if (codel->dropped) codel->count++;
  return codel->dropped;
}

void sw_codel_empty(struct sw_codel *codel) {
  codel->first_above = 0; /* so that the next packet ends a dropping state */
}

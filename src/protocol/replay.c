#include "protocol/replay.h"

#include <assert.h>

static uint64_t block_of(uint64_t counter) {
  return counter / SW_REPLAY_BLOCK_BITS;
}

static uint64_t bit_of(uint64_t counter) {
  return UINT64_C(1) << (counter % SW_REPLAY_BLOCK_BITS);
}

enum sw_replay_verdict sw_replay_check(const struct sw_replay *replay, uint64_t counter) {
  if (counter >= replay->end) return SW_REPLAY_NEW;
  if (replay->end - counter > SW_REPLAY_WINDOW) return SW_REPLAY_OLD;
  const uint64_t block = replay->seen[block_of(counter) % SW_REPLAY_BLOCKS];
  return block & bit_of(counter) ? SW_REPLAY_SEEN : SW_REPLAY_NEW;
}

void sw_replay_commit(struct sw_replay *replay, uint64_t counter) {
  assert(sw_replay_check(replay, counter) == SW_REPLAY_NEW);
  if (counter >= replay->end) {
    /* clear the blocks that enter the window: they hold counters of an earlier turn of the ring */
    const uint64_t last = block_of(counter);
    uint64_t block = block_of(replay->end + SW_REPLAY_BLOCK_BITS - 1);
    if (last >= block + SW_REPLAY_BLOCKS) block = last - SW_REPLAY_BLOCKS + 1;
    for (; block <= last; block++) replay->seen[block % SW_REPLAY_BLOCKS] = 0;
    replay->end = counter + 1;
  }
  replay->seen[block_of(counter) % SW_REPLAY_BLOCKS] |= bit_of(counter);
}

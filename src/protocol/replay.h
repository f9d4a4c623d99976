/*
 * The replay window: which counters of a session were seen (RFC 6479, a ring of blocks that never
 * has to be shifted).  Looked at before a datagram is opened, which is cheap; changed only after
 * its tag verified, so that a forger can't move it.
 */
#ifndef SALTWAY_PROTOCOL_REPLAY_H
#define SALTWAY_PROTOCOL_REPLAY_H

#include <stdint.h>

#include "protocol/protocol.h"

#define SW_REPLAY_BLOCK_BITS 64
/* one block more than the window fills: its ends may lie within blocks */
#define SW_REPLAY_BLOCKS (SW_REPLAY_WINDOW / SW_REPLAY_BLOCK_BITS + 1)

/** All zero is a window that saw nothing. */
struct sw_replay {
  uint64_t end; /* one past the highest counter seen */
  uint64_t seen[SW_REPLAY_BLOCKS];
};

enum sw_replay_verdict {
  SW_REPLAY_NEW,
  SW_REPLAY_SEEN,
  SW_REPLAY_OLD, /* before the window: SW_REPLAY_WINDOW or more below the highest seen */
};

/** What is known of `counter` (below 2^56); changes nothing. */
enum sw_replay_verdict sw_replay_check(const struct sw_replay *replay, uint64_t counter);

/** Marks a counter for which sw_replay_check just said SW_REPLAY_NEW. */
void sw_replay_commit(struct sw_replay *replay, uint64_t counter);

#endif

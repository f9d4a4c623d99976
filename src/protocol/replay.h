/*
 * The replay window: which counters of a session were received (RFC 6479: a ring of blocks, so that
 * nothing is shifted).  It is checked before a datagram is decrypted, because that is cheap, and
 * changed only after the tag has verified, so that a forged datagram cannot move it.
 */
#ifndef SALTWAY_PROTOCOL_REPLAY_H
#define SALTWAY_PROTOCOL_REPLAY_H

#include <stdint.h>

#include "protocol/protocol.h"

#define SW_REPLAY_BLOCK_BITS 64
/* one block more than the window: both ends may lie within a block */
#define SW_REPLAY_BLOCKS (SW_REPLAY_WINDOW / SW_REPLAY_BLOCK_BITS + 1)

/** All zero: no counter was received. */
struct sw_replay {
  uint64_t end; /* one past the highest counter seen */
  uint64_t seen[SW_REPLAY_BLOCKS];
};

enum sw_replay_verdict {
  SW_REPLAY_NEW,
  SW_REPLAY_SEEN,
  SW_REPLAY_OLD, /* at least SW_REPLAY_WINDOW below the highest received */
};

/** Looks up `counter`, which is below 2^56. */
enum sw_replay_verdict sw_replay_check(const struct sw_replay *replay, uint64_t counter);

/** Marks a counter as received.  sw_replay_check must have returned SW_REPLAY_NEW for it. */
void sw_replay_commit(struct sw_replay *replay, uint64_t counter);

#endif

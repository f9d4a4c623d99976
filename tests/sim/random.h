/*
 * All randomness of a run comes from its seed: the dice that drive the world, and libsodium's
 * generator, which is replaced so that keys, ids and nonces repeat too.  A seed therefore replays a
 * run byte for byte.  Not fit for anything but a simulation.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* A generator.  Each consumer has its own, so that its draws do not shift those of others. */
struct dice {
  uint64_t state;
};

uint64_t dice_roll(struct dice *dice);

/* 0 to limit - 1 */
uint64_t dice_below(struct dice *dice, uint64_t limit);

/* least to most, both included */
uint64_t dice_between(struct dice *dice, uint64_t least, uint64_t most);

bool dice_chance(struct dice *dice, unsigned per_mille);

/* Replaces libsodium's generator by a seeded one.  Call it before sodium_init. */
void random_replace(void);

void random_seed(uint64_t seed);

#endif

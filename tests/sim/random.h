/*
 * All chance of a run comes from its seed: the dice that decide what the world does, and
 * libsodium's generator, which is replaced so that keys, ids and nonces repeat too.  A seed
 * therefore replays a run byte for byte.  Nothing here is fit for anything but a simulation.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* A generator of its own for whoever needs one: what one draws does not shift another's. */
struct dice {
  uint64_t state;
};

uint64_t dice_roll(struct dice *dice);

/* 0 to limit - 1 */
uint64_t dice_below(struct dice *dice, uint64_t limit);

/* least to most, both included */
uint64_t dice_between(struct dice *dice, uint64_t least, uint64_t most);

bool dice_chance(struct dice *dice, unsigned per_mille);

/* Puts a seeded generator in libsodium's place; to be called before sodium_init. */
void random_replace(void);

void random_seed(uint64_t seed);

#endif

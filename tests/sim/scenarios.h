/*
 * Named runs, each a statement about the link that it shows to be true.  All invariants of the
 * world hold in them too; what a scenario says itself is what the statement adds.
 */
#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include "world.h"

struct scenario {
  const char *statement;
  uint64_t runs; /* seeds 1 to this */
  void (*run)(struct world *world);
};

/* life.c: starts, restarts, rekeys, ends, clocks and addresses */
#define LIFE_SCENARIOS 23
extern const struct scenario life_scenarios[LIFE_SCENARIOS];

/* attacks.c: what somebody does who hears, repeats, alters and forges, and does not have the key */
#define ATTACK_SCENARIOS 12
extern const struct scenario attack_scenarios[ATTACK_SCENARIOS];

/* Runs the scenarios whose statement contains `part` (NULL: all), with this seed only unless it is
 * 0.  Returns how many there were. */
unsigned scenarios_run(const char *part, uint64_t seed, bool verbose);

enum { A, B };

void start_both(struct world *world);

/* Both sides send every `interval` on average from now on. */
void talk(struct world *world, uint64_t interval);

/* Both sides stop to send, and what is under way arrives. */
void fall_silent(struct world *world);

/* Fails if a packet that either side sent from `since` on was not delivered. */
void expect_nothing_lost(const struct world *world, uint64_t since);

/* A network that loses whatever is sent: for network->intercept. */
bool lose_all(void *context, size_t recording);

/* Runs until both agree; fails with `statement` if that takes longer than `bound`. */
void await_agreement(struct world *world, uint64_t bound, const char *statement);

/* Both hosts start, and the link comes up. */
void bring_up(struct world *world);

/* How much longer than asked a jittered retry takes at most. */
#define RETRY_SLACK (SW_RETRY_JITTER + 10 * SW_MILLISECOND)

/* From side to side and back. */
uint64_t round_trip(const struct world *world);

#endif

/*
 * Named runs.  Each shows that a statement about the link is true.  The invariants of the world are
 * checked in all of them; a scenario checks what its statement adds.
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
#define LIFE_SCENARIOS 34
extern const struct scenario life_scenarios[LIFE_SCENARIOS];

/* attacks.c: what an attacker on the network without the key does */
#define ATTACK_SCENARIOS 16
extern const struct scenario attack_scenarios[ATTACK_SCENARIOS];

/* Runs the scenarios whose statement contains `part` (NULL: all), with these seeds; `last` 0: as many
 * as each scenario has runs.  Returns how many scenarios matched. */
unsigned scenarios_run(const char *part, uint64_t first, uint64_t last, bool verbose);

enum { A, B };

void start_both(struct world *world);

/* Both sides send every `interval` on average from now on; 0: not at all. */
void start_traffic(struct world *world, uint64_t interval);

/* Both sides stop sending, and datagrams in flight arrive. */
void stop_traffic(struct world *world);

/* Fails if a packet that either side sent from `since` on was not delivered. */
void expect_nothing_lost(const struct world *world, uint64_t since);

/* For network->intercept: loses every datagram. */
bool lose_all(void *context, size_t recording);

/* Runs until both sides agree; fails with `statement` if that takes longer than `bound`. */
void await_agreement(struct world *world, uint64_t bound, const char *statement);

/* Starts both hosts and runs until the link is up. */
void bring_up(struct world *world);

/* How much later than asked for a jittered retry is at most. */
#define RETRY_SLACK (SW_RETRY_JITTER + 10 * SW_MILLISECOND)

/* The longest time from one side to the other and back. */
uint64_t round_trip(const struct world *world);

#endif

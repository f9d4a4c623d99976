/*
 * A random run: events on the hosts and on their network, drawn from the world's dice.
 */
#ifndef SIM_HOSTILITY_H
#define SIM_HOSTILITY_H

#include "world.h"

/* Runs the world of a seed: hostile phases, then a calm phase in which the link must recover.
 * Returns a digest of every datagram sent. */
uint64_t hostility_run(uint64_t seed, bool verbose);

#endif

/*
 * A random run: what befalls the hosts and their network, drawn from the world's dice.
 */
#ifndef SIM_HOSTILITY_H
#define SIM_HOSTILITY_H

#include "world.h"

/* Runs a whole life of the world of a seed: hostile phases, then a calm in which the link must
 * recover.  Returns a digest of every datagram that was sent. */
uint64_t hostility_run(uint64_t seed, bool verbose);

#endif

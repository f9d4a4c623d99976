/*
 * How many different states the pair of links came through in all runs.  A state is what decides
 * what a link does next, without times, addresses and keys: the more of them, the more the seeds
 * have tried.
 */
#ifndef SIM_STATES_H
#define SIM_STATES_H

#include "host.h"

/* Counts the present state of both hosts if it is new. */
void states_see(const struct host hosts[2]);

size_t states_count(void);

#endif

/*
 * How many different states the pair of links came through in all runs.  A state is a summary of
 * both sides (struct host): the link's state, its sessions, attempts, paths, endpoints and keys, as
 * small numbers, without times and addresses.  The more of them, the more the seeds have tried.
 */
#ifndef SIM_STATES_H
#define SIM_STATES_H

#include "host.h"

/* Counts the present state of both hosts if it is new. */
void states_see(const struct host hosts[2]);

size_t states_count(void);

#endif

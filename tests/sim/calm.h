/*
 * The invariants of a calm network, whatever happened before: the link comes up within a bound, and
 * from then on loses no packet, not even during a rekey.
 */
#ifndef SIM_CALM_H
#define SIM_CALM_H

#include "world.h"

/* Repairs the world (processes run, clocks advance, the network delivers, names resolve) and fails
 * unless the link recovers in time. With `with_traffic`, both sides send meanwhile. Without it, the
 * link is idle, and recovery may take until the last of the old sessions ends. */
void calm_verify(struct world *world, bool with_traffic);

/* The MTU that a side has to find: the largest packet of whole blocks that fits its path. */
uint32_t calm_mtu(const struct world *world, unsigned side);

#endif

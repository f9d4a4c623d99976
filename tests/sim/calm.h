/*
 * What has to be true once the network is calm, whatever happened before: the link comes up within
 * a bound, and from then on loses nothing, through a rekey at least.
 */
#ifndef SIM_CALM_H
#define SIM_CALM_H

#include "world.h"

/* Heals the world (processes run, clocks go, the network carries, names resolve) and fails unless
 * the link recovers as it should.  `talkative`: both sides send while it does; else the link is
 * left to itself, and may take until the last of the old sessions is over. */
void calm_verify(struct world *world, bool talkative);

#endif

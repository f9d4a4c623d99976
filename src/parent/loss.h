/*
 * What a link loses, measured over windows: the share of its probes, on the way there or back, and of the
 * peer's datagrams, whose counters tell which have not come.
 */
#ifndef SALTWAY_PARENT_LOSS_H
#define SALTWAY_PARENT_LOSS_H

#include "parent/facts.h"

/** A window takes at least SW_LOSS_WINDOW nanoseconds.  That of the probes lasts until there were so many.
 * With fewer datagrams nothing is said: of few, many may be probes that are meant to be lost, of paths
 * that do not work, and for the MTU.  (A call is 3000 a minute.) */
#define SW_LOSS_PROBES 25
#define SW_LOSS_DATAGRAMS 2000
#define SW_LOSS_WINDOW (60 * SW_SECOND)

/** Since the link came up, or since the last window was full. */
struct sw_loss_window {
  uint64_t start;      /* nanoseconds; 0: the link is not up */
  uint64_t sent, lost; /* what the link had counted at that time */
  int percent;         /* in the window before; negative if some of the one before that came late */
};

/** All zero before the link was up. */
struct sw_loss {
  struct sw_loss_window probes, datagrams;
};

/** Takes the link's counts.  Begins the next window of each once this one is full.  A link that is not up
 * has no windows. */
void sw_loss_count(struct sw_loss *loss, const struct sw_facts *facts);

#endif

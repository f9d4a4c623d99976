/*
 * The share of a link's probes that is lost, measured over windows.
 */
#ifndef SALTWAY_PARENT_LOSS_H
#define SALTWAY_PARENT_LOSS_H

#include "parent/facts.h"

/** A window has at least so many probes and takes at least this time, in nanoseconds. */
#define SW_LOSS_PROBES 25
#define SW_LOSS_WINDOW (60 * SW_SECOND)

/** The probes of a link since it came up, or since the last window was full.  All zero before that. */
struct sw_loss {
  uint64_t start;      /* nanoseconds; 0: the link is not up */
  uint64_t sent, lost; /* what the link had counted at that time */
  unsigned percent;    /* in the window before */
};

/** Takes the link's count of probes.  Begins the next window once this one is full.  A link that is not
 * up has no window. */
void sw_loss_count(struct sw_loss *loss, const struct sw_facts *facts);

#endif

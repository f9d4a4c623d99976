/*
 * What a link that is up suffers from: a standby in use, a path that needs fragments, loss.  Pure
 * functions; any thread.
 */
#ifndef SALTWAY_PARENT_DEGRADATION_H
#define SALTWAY_PARENT_DEGRADATION_H

#include "parent/report.h"

/** A link that loses this share of its probes or of the peer's datagrams, in percent, is degraded, until it
 * loses less of both than the second number. */
#define SW_DEGRADATION_LOSS 10
#define SW_DEGRADATION_LOSS_OVER 5

/** Adds to the report of a link that is up, and has its loss, what the link suffers from: the condition
 * becomes the most telling one, and the sentence has all of them.  `before` is the report before. */
void sw_degradation_add(struct sw_report *report, const struct sw_facts *facts,
                        const struct sw_report *before);

/** Of a link that is up: whether the report before tells of a degradation that still holds, although it
 * was not observed now. */
bool sw_degradation_lasts(const struct sw_facts *facts, const struct sw_report *before);

#endif

/*
 * The resolver: a process that looks up the peer's names for the parent (channel/names.h), and ends.
 *
 * It is another program image than the parent's: the parent executes saltway anew.  So it shares no
 * memory layout and no stack canary with a process that has privileges.
 */
#ifndef SALTWAY_RESOLVER_RESOLVER_H
#define SALTWAY_RESOLVER_RESOLVER_H

#include <stdbool.h>

/** Answers the questions on descriptor SW_NAMES_CHANNEL, after it has confined the process if
 * `confined`.  Returns the exit status: 0, or 1 if it could not confine itself or was not started
 * by a parent. */
int sw_resolver_run(bool confined);

#endif

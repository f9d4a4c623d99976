/*
 * The resolver: a process that looks up the peer's names for the parent (channel/names.h), and ends.
 *
 * The parent executes saltway again for it, as another program image.  So it shares neither memory
 * layout nor stack canary with a process that has privileges.
 */
#ifndef SALTWAY_RESOLVER_RESOLVER_H
#define SALTWAY_RESOLVER_RESOLVER_H

#include <stdbool.h>

/** Confines the process if `confined`, and answers the questions on descriptor SW_NAMES_CHANNEL.
 * Returns the exit status: 0, or 1 if it could not confine itself or was not started by a parent. */
int sw_resolver_run(bool confined);

#endif

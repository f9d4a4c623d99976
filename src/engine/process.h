/*
 * The engine's process: it holds the link's keys and reads what comes from the network.  It has no
 * privileges and no files; the parent does what needs them.  The two exchange messages over a
 * channel (channel.h), and when one of them ends so does the other.
 */
#ifndef SALTWAY_ENGINE_PROCESS_H
#define SALTWAY_ENGINE_PROCESS_H

#include "channel/setup.h"

/** Runs the engine until it ends, and returns the exit status.  To be called in the child right
 * after fork(2), before it has threads.  Frees setup->psks. */
int sw_engine_main(const struct sw_setup *setup);

#endif

/*
 * The engine's process: it holds the link's keys and reads what comes from the network.  It has no
 * privilege, no file and no name of anything.  What it cannot do is the parent's work; the two talk
 * over a channel (channel.h), and when one of them ends so does the other.
 */
#ifndef SALTWAY_ENGINE_PROCESS_H
#define SALTWAY_ENGINE_PROCESS_H

#include "channel/setup.h"

/** The whole life of the process.  To be called right after fork(2) in the child, before the child
 * has threads.  Frees setup->psk. */
int sw_engine_main(const struct sw_setup *setup);

#endif

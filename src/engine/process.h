/*
 * The process that carries: it holds the link's keys and touches what comes from the network, and
 * has nothing else: no file, no privilege, no name of anything.  What it can't do the parent does
 * (daemon.c); they speak over a channel, and when one ends so does the other.
 */
#ifndef SALTWAY_ENGINE_PROCESS_H
#define SALTWAY_ENGINE_PROCESS_H

#include <sys/types.h>

#include "base/error.h"
#include "config/config.h"
#include "parent/host.h"
#include "saltway/key.h"

/** Forks the process, from one that has no threads yet.  `psk` is from sodium_malloc; the process
 * frees its copy, the caller the original.  Returns the process's pid, with the parent's end of the
 * channel in `channel`, the caller's to close; or a negative errno with `error` filled. */
pid_t sw_engine_process_start(const struct sw_config *config, const struct sw_host *host,
                              struct sw_psk *psk, int *channel, struct sw_error *error);

#endif

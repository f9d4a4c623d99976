/*
 * The running link: what `saltway up` does once its configuration is good.
 */
#ifndef SALTWAY_PARENT_PARENT_H
#define SALTWAY_PARENT_PARENT_H

#include "base/error.h"
#include "config/config.h"

/** Runs the link until SIGINT, SIGTERM or SIGHUP, or until it is told to stop over its control
 * socket. Returns 0 after an orderly end; or a negative errno with `error` filled, and nothing left
 * behind. */
int sw_daemon_run(const struct sw_config *config, struct sw_error *error);

#endif

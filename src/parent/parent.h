/*
 * The running link: what `saltway up` does once its configuration is good.
 */
#ifndef SALTWAY_PARENT_PARENT_H
#define SALTWAY_PARENT_PARENT_H

#include "base/error.h"
#include "channel/setup.h"
#include "config/config.h"

/** Runs the link, with `engine` as the engine's program, until a signal ends it (SIGINT, SIGTERM,
 * and SIGHUP unless that was ignored) or `saltway down` does.  `psks` is from sodium_malloc; it is
 * wiped once the engine has it, and freed by the caller.  Returns 0 after an orderly end; or a
 * negative errno with `error` filled, and nothing left behind. */
int sw_parent_run(struct sw_config *config, struct sw_psks *psks, sw_setup_main *engine,
                  struct sw_error *error);

#endif

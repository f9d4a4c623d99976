/*
 * Reload: reads the configuration and the key file of a running link again, and applies all
 * differences, or none of them.
 */
#ifndef SALTWAY_PARENT_RELOAD_H
#define SALTWAY_PARENT_RELOAD_H

#include <stdio.h>

#include "parent/child.h"
#include "parent/host.h"
#include "parent/names.h"

/** The running link.  `config` is what the others point to; its contents are replaced. */
struct sw_reload {
  struct sw_config *config;
  struct sw_host *host;
  struct sw_child *child;
  struct sw_names *names;
  bool changed; /* set by sw_reload_run: something differs, and is applied */
  bool hooks;   /* set by sw_reload_run: PostUp or PreDown differ; the caller runs them */
};

/** Reloads the link.  Returns whether it did.  Writes one line about what has changed to `out`, or a
 * line for each reason why nothing was done. */
bool sw_reload_run(struct sw_reload *reload, FILE *out);

#endif

/*
 * The hooks of a run: its PostUp commands, and the PreDown commands that undo what they did.  A record
 * (undo.h) of the latter is kept while they are due, so that the next run can undo what a killed one
 * left.
 *
 * Each of these functions but sw_hooks_read runs the loop until its commands have ended.  The struct is
 * its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_PARENT_HOOKS_H
#define SALTWAY_PARENT_HOOKS_H

#include "config/config.h"
#include "parent/hook.h"

struct sw_hooks {
  /* set by the owner */
  uv_loop_t *loop;
  const struct sw_config *config;
  bool (*running)(const void *user); /* the link is: once it is not, PostUp ends, too */
  const void *user;

  struct sw_hook hook; /* the command that runs */
  char *undo;          /* the PreDown commands that are due, a line for each; NULL: none */
};

/** Reads what a killed run of this name was to undo, for sw_hooks_undo.  Returns whether there is
 * something; the log has why a record is not accepted. */
bool sw_hooks_read(struct sw_hooks *hooks);

/** Runs PostUp at the start of a link, until a command fails.  Returns 0, or a negative errno with
 * `error` filled; PreDown is due then, too, unless memory was too short to keep it. */
int sw_hooks_start(struct sw_hooks *hooks, struct sw_error *error);

/** Takes over the hooks of a reload: runs the PreDown that was due, and the PostUp of the configuration
 * as it is now.  A command that fails is logged.  Returns 0, or a negative errno with `error` filled if
 * memory is short. */
int sw_hooks_change(struct sw_hooks *hooks, struct sw_error *error);

/** Runs the PreDown commands that are due, each to its end, and removes their record.  A command that
 * fails is logged. */
void sw_hooks_undo(struct sw_hooks *hooks);

#endif

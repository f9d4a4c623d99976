/*
 * One hook of the configuration (PostUp, PreDown): a shell command that runs beside the loop, in a
 * process group of its own, for a limited time.  Its output goes where the log goes.
 *
 * The struct is its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_PARENT_HOOK_H
#define SALTWAY_PARENT_HOOK_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "config/config.h"

#define SW_HOOK_SECONDS 30 /* a hook may take this long */

struct sw_hook {
  uv_process_t process;
  uv_timer_t timer;
  unsigned open_handles; /* 0: it does not run (any more) */
  const char *command;
  char failure[SW_ERROR_TEXT]; /* of the latest; empty: it succeeded */
};

/** The hooks as a text from malloc: a line for each command, with every "%i" replaced by the
 * interface's name.  NULL: no memory. */
char *sw_hook_commands(char *const *hooks, size_t count, const char *interface);

/** Starts a command, which must stay valid until the hook has ended.  Run the loop until
 * sw_hook_running is false, then read `failure`, which also tells of a failed start. */
void sw_hook_start(struct sw_hook *hook, uv_loop_t *loop, const char *command);

bool sw_hook_running(const struct sw_hook *hook);

/** Ends a running hook before its time: its process group gets SIGTERM, and SIGKILL if the shell is
 * still there two seconds later. */
void sw_hook_stop(struct sw_hook *hook);

#endif

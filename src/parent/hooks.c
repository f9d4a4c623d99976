#include "parent/hooks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/runtime.h"
#include "parent/notify.h"
#include "parent/undo.h"

#define HOOK_TIME "EXTEND_TIMEOUT_USEC=40000000\n" /* longer than a hook may take, with its end */

/* Runs a command to its end; for PostUp until the link ends.  Returns whether it succeeded. */
static bool run(struct sw_hooks *hooks, const char *command, bool post_up) {
  sw_notify(HOOK_TIME);
  sw_hook_start(&hooks->hook, hooks->loop, command);
  while (sw_hook_running(&hooks->hook)) {
    uv_run(hooks->loop, UV_RUN_ONCE);
    if (post_up && !hooks->running(hooks->user)) sw_hook_stop(&hooks->hook);
  }
  return !hooks->hook.failure[0];
}

/* The PreDown commands of the configuration, from malloc; NULL with `error` filled. */
static char *pre_down(const struct sw_hooks *hooks, struct sw_error *error) {
  const struct sw_config *config = hooks->config;
  char *undo = sw_hook_commands(config->pre_down, config->pre_down_count, config->name);
  if (!undo) sw_error_set(error, 0, NULL, "no memory for PreDown");
  return undo;
}

/* A command that fails ends the start, but not a link that runs. */
static int post_up(struct sw_hooks *hooks, bool starting, struct sw_error *error) {
  const struct sw_config *config = hooks->config;
  char *commands = sw_hook_commands(config->post_up, config->post_up_count, config->name);
  if (!commands) return sw_error_set(error, 0, NULL, "no memory for PostUp");
  if (*hooks->undo && sw_undo_write(config->name, SW_RUNTIME_UNDO, hooks->undo, error) != 0)
    sw_log(SW_LOG_WARNING,
           "%s; going on, but the next start will not undo what hooks did if this "
           "run is killed",
           error->text);
  int failed = 0;
  char *rest;
  for (char *command = strtok_r(commands, "\n", &rest);
       command && !failed && hooks->running(hooks->user); command = strtok_r(NULL, "\n", &rest)) {
    if (run(hooks, command, true) || !hooks->running(hooks->user)) continue;
    if (starting)
      failed = sw_error_set(error, 0, NULL, "%s", hooks->hook.failure);
    else
      sw_log(SW_LOG_ERROR, "%s", hooks->hook.failure);
  }
  free(commands);
  return failed;
}

bool sw_hooks_read(struct sw_hooks *hooks) {
  struct sw_error error;
  if (sw_undo_read(hooks->config->name, SW_RUNTIME_UNDO, &hooks->undo, &error) != 0)
    sw_log(SW_LOG_WARNING, "%s", error.text);
  return hooks->undo != NULL;
}

int sw_hooks_start(struct sw_hooks *hooks, struct sw_error *error) {
  hooks->undo = pre_down(hooks, error);
  if (!hooks->undo) return -ENOMEM;
  return hooks->config->post_up_count ? post_up(hooks, true, error) : 0;
}

int sw_hooks_change(struct sw_hooks *hooks, struct sw_error *error) {
  char *next = pre_down(hooks, error);
  if (!next) return -ENOMEM;
  sw_hooks_undo(hooks);
  hooks->undo = next;
  if (!hooks->config->post_up_count || !hooks->running(hooks->user)) return 0;
  return post_up(hooks, false, error);
}

/* Goes on after a command that fails. */
void sw_hooks_undo(struct sw_hooks *hooks) {
  char *rest;
  if (!hooks->undo) return;
  for (char *command = strtok_r(hooks->undo, "\n", &rest); command;
       command = strtok_r(NULL, "\n", &rest))
    if (!run(hooks, command, false)) sw_log(SW_LOG_WARNING, "%s", hooks->hook.failure);
  free(hooks->undo);
  hooks->undo = NULL;
  sw_undo_remove(hooks->config->name, SW_RUNTIME_UNDO);
}

#include "parent/hook.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define GRACE_MS 2000  /* between SIGTERM and SIGKILL */
#define QUOTE_BYTES 80 /* of a command that a message names */

static void write_command(FILE *out, const char *hook, const char *interface) {
  for (const char *at; (at = strstr(hook, "%i")); hook = at + 2)
    fprintf(out, "%.*s%s", (int)(at - hook), hook, interface);
  fprintf(out, "%s\n", hook);
}

char *sw_hook_commands(char *const *hooks, size_t count, const char *interface) {
  char *text = NULL;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  if (!out) return NULL;
  for (size_t i = 0; i < count; i++) write_command(out, hooks[i], interface);
  const bool failed = ferror(out);
  if (fclose(out) == 0 && !failed) return text;
  free(text);
  return NULL;
}

static void set_failure(struct sw_hook *hook, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void set_failure(struct sw_hook *hook, const char *format, ...) {
  if (hook->failure[0]) return;
  char what[128];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof(what), format, arguments);
  va_end(arguments);
  snprintf(hook->failure, sizeof(hook->failure), "hook \"%.*s%s\" %s", QUOTE_BYTES, hook->command,
           strlen(hook->command) > QUOTE_BYTES ? "..." : "", what);
}

static void on_hook_closed(uv_handle_t *handle) {
  struct sw_hook *hook = handle->data;
  hook->open_handles--;
}

static void close_handles(struct sw_hook *hook) {
  uv_close((uv_handle_t *)&hook->process, on_hook_closed);
  uv_close((uv_handle_t *)&hook->timer, on_hook_closed);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signal) {
  struct sw_hook *hook = process->data;
  if (signal)
    set_failure(hook, "was ended by signal %d (%s)", signal, strsignal(signal));
  else if (status)
    set_failure(hook, "failed with status %d (run it by hand to see why)", (int)status);
  close_handles(hook);
}

/* The group is the shell's, which is not reaped yet: no other process can have its number. */
static void signal_group(const struct sw_hook *hook, int signal) {
  kill(-hook->process.pid, signal);
}

static void on_grace_over(uv_timer_t *timer) {
  signal_group(timer->data, SIGKILL);
}

static void end_group(struct sw_hook *hook) {
  signal_group(hook, SIGTERM);
  uv_timer_start(&hook->timer, on_grace_over, GRACE_MS, 0);
}

static void on_limit(uv_timer_t *timer) {
  struct sw_hook *hook = timer->data;
  set_failure(hook,
              "has not ended after %d s, and was ended (let it start what takes longer in the "
              "background)",
              SW_HOOK_SECONDS);
  end_group(hook);
}

void sw_hook_start(struct sw_hook *hook, uv_loop_t *loop, const char *command) {
  char *arguments[] = {"sh", "-c", (char *)command, NULL};
  uv_stdio_container_t standard[] = {
      {.flags = UV_INHERIT_FD, .data.fd = STDIN_FILENO},
      {.flags = UV_INHERIT_FD, .data.fd = STDOUT_FILENO},
      {.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
  };
  const uv_process_options_t options = {.file = "/bin/sh",
                                        .args = arguments,
                                        .flags = UV_PROCESS_DETACHED, /* a session of its own */
                                        .stdio = standard,
                                        .stdio_count = 3,
                                        .exit_cb = on_exit_of};
  sw_log(SW_LOG_INFO, "running: %s", command);
  hook->command = command;
  hook->failure[0] = '\0';
  hook->open_handles = 2;
  uv_timer_init(loop, &hook->timer);
  const int failed = uv_spawn(loop, &hook->process, &options);
  hook->process.data = hook->timer.data = hook;
  if (failed) {
    set_failure(hook, "cannot be run: %s (/bin/sh)", strerror(-failed));
    close_handles(hook);
    return;
  }
  uv_timer_start(&hook->timer, on_limit, SW_HOOK_SECONDS * UINT64_C(1000), 0);
}

bool sw_hook_running(const struct sw_hook *hook) {
  return hook->open_handles > 0;
}

void sw_hook_stop(struct sw_hook *hook) {
  if (!uv_is_active((uv_handle_t *)&hook->process) || hook->failure[0]) return;
  set_failure(hook, "was ended before its time");
  end_group(hook);
}

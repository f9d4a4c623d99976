#include "engine/process.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/last_words.h"
#include "base/log.h"
#include "base/runtime.h"
#include "base/stack.h"
#include "channel/channel.h"
#include "engine/pump.h"
#include "linux/sandbox.h"
#include "protocol/secretbox.h"

#define MESSAGES_MAX 16 /* handled in one wake-up */

struct process {
  uv_loop_t loop;
  struct sw_tun tun;
  struct sw_udp udp;
  struct sw_pump pump;
  struct sw_workers workers;
  int channel;
  uv_poll_t channel_poll;
  struct sw_channel_message *message;       /* from the parent; locked, as it may hold keys */
  struct sw_prefix sources[SW_SOURCES_MAX]; /* told by the parent, for the next settings */
  enum sw_link_state reported;              /* what the parent was told last: the state, */
  uint32_t reported_mtu;                    /* the path's MTU, */
  uint32_t reported_fragments;              /* and whether it needs fragments */
  bool stopping;
};

/* ---- to the parent ---- */

static void send_snapshot(struct process *process) {
  const struct sw_link_status *status = sw_link_status(process->pump.link);
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_SNAPSHOT;
  message.snapshot =
      (struct sw_snapshot){.link = *status, .queue = sw_pump_queue_status(&process->pump)};
  if (sw_channel_send(process->channel, &message) != 0) return;
  process->reported = status->state;
  process->reported_mtu = status->path_mtu;
  process->reported_fragments = status->fragments;
}

static void send_failure(int channel, const char *text) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_FAILED;
  snprintf(message.text, sizeof(message.text), "%s", text);
  sw_channel_send(channel, &message);
}

static int send_started(int channel, struct sw_error *error) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_STARTED;
  const int failed = sw_channel_send(channel, &message);
  return failed ? sw_error_set(error, -failed, NULL, "cannot tell the parent that the engine runs")
                : 0;
}

static void on_link_changed(void *user) {
  struct process *process = user;
  const struct sw_link_status *status = sw_link_status(process->pump.link);
  process->pump.mtu = status->path_mtu;
  sw_udp_fragment_set(&process->udp, sw_link_may_fragment(process->pump.link));
  if (status->state != process->reported || status->path_mtu != process->reported_mtu ||
      status->fragments != process->reported_fragments)
    send_snapshot(process);
}

/* ---- the end ---- */

static void stop(struct process *process) {
  if (process->stopping) return;
  process->stopping = true;
  sw_pump_stop(&process->pump);
  uv_close((uv_handle_t *)&process->channel_poll, NULL);
}

static void on_pump_failed(void *user, const char *what) {
  struct process *process = user;
  send_failure(process->channel, what);
  stop(process);
}

/* ---- from the parent ---- */

static void take_keys(struct process *process, const struct sw_channel_keys *keys) {
  sw_link_keys_set(process->pump.link, sw_clock_now(), keys->psks, keys->count);
  sw_pump_flush(&process->pump);
  on_link_changed(process);
  sw_stack_wipe();
}

static void take_settings(struct process *process, const struct sw_channel_settings *settings) {
  struct sw_pump *pump = &process->pump;
  sw_link_sources_set(pump->link, process->sources, settings->source_count, settings->own,
                      settings->own_count);
  sw_link_keepalive_set(pump->link, sw_clock_now(), settings->persistent_keepalive * SW_SECOND);
  sw_link_mtu_set(pump->link, sw_clock_now(), settings->mtu);
  pump->dscp = settings->dscp;
  sw_shaper_set(&pump->shaper, &settings->shaping);
  sw_pump_flush(pump);
  on_link_changed(process);
}

static void obey(struct process *process, const struct sw_channel_message *message) {
  switch (message->kind) {
  case SW_CHANNEL_KEYS:
    take_keys(process, &message->keys);
    break;
  case SW_CHANNEL_SOURCES:
    memcpy(process->sources + message->sources.first, message->sources.ranges,
           message->sources.count * sizeof(message->sources.ranges[0]));
    break;
  case SW_CHANNEL_SETTINGS:
    take_settings(process, &message->settings);
    break;
  case SW_CHANNEL_ENDPOINTS:
    sw_link_endpoints_set(process->pump.link, sw_clock_now(), message->endpoints.addresses,
                          message->endpoints.count);
    sw_pump_flush(&process->pump);
    on_link_changed(process);
    break;
  case SW_CHANNEL_ASK:
    /* after the machine has slept it is the first to say so: libuv's timers do not know */
    sw_pump_flush(&process->pump);
    send_snapshot(process);
    break;
  case SW_CHANNEL_STOP:
    stop(process);
    break;
  }
}

static void on_channel(uv_poll_t *poll, int status, int events) {
  struct process *process = poll->data;
  (void)events;
  if (status < 0)
    uv_poll_start(poll, UV_READABLE, on_channel); /* libuv has stopped it: the end comes */
  for (unsigned i = 0; i < MESSAGES_MAX && !process->stopping; i++) {
    struct sw_channel_message *message = process->message;
    const int kind = sw_channel_receive(process->channel, message);
    if (kind == -EAGAIN) return;
    if (kind <= 0 || !sw_channel_from_parent(message)) { /* the parent is gone */
      stop(process);
      return;
    }
    obey(process, message);
    if (kind == SW_CHANNEL_KEYS) sodium_memzero(message, sizeof(*message));
  }
}

/* ---- the beginning ---- */

/* The engine reads nothing from a terminal, and writes nothing into the output of a command. */
static int leave_terminal(struct sw_error *error) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
    return sw_error_set(error, errno, NULL, "cannot use /dev/null");
  close(null);
  return 0;
}

static int drop_privileges(pid_t parent, struct sw_error *error) {
  static const char *const users[] = {SW_SANDBOX_USER, NULL};
  const bool root = geteuid() == 0;
  const int directory = root ? sw_runtime_empty(error) : -1;
  if (root && directory < 0) return directory;
  const int failed = sw_sandbox_drop(users, directory, parent, error);
  if (!failed && root && geteuid() == SW_SANDBOX_NOBODY)
    sw_log(SW_LOG_INFO, "there is no user " SW_SANDBOX_USER ": the engine runs as nobody");
  return failed;
}

static int close_other_descriptors(const struct process *process, struct sw_error *error) {
  int keep[] = {process->tun.fd, process->udp.fd, process->channel};
  return sw_sandbox_close_others(keep, sizeof(keep) / sizeof(keep[0]), error);
}

static int start(struct process *process, const struct sw_setup *setup, struct sw_error *error) {
  prctl(PR_SET_NAME, "saltway-engine", 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sw_last_words(NULL);
  if (!sw_secretbox_self_test())
    sw_log(SW_LOG_WARNING,
           "the fast cipher gives other results than libsodium here; using libsodium's");
  process->pump.link = sw_link_new(&setup->link);
  if (!process->pump.link) return sw_error_set(error, errno, NULL, "cannot make the link");
  process->message = sodium_malloc(sizeof(*process->message));
  if (!process->message) return sw_error_set(error, errno, NULL, "no locked memory");
  int failed = leave_terminal(error);
  if (!failed && setup->confined) failed = drop_privileges(setup->parent, error);
  if (!failed) failed = close_other_descriptors(process, error);
  if (failed) return failed;
  failed = uv_loop_init(&process->loop);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot make the event loop");
  failed = sw_workers_start(&process->workers, sw_workers_default());
  if (failed)
    sw_log(SW_LOG_WARNING, "cannot start threads: %s; going on with one", strerror(-failed));
  failed = sw_pump_start(&process->pump);
  if (!failed) failed = uv_poll_init(&process->loop, &process->channel_poll, process->channel);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot start carrying packets");
  process->channel_poll.data = process;
  uv_poll_start(&process->channel_poll, UV_READABLE, on_channel);
  return setup->confined ? sw_sandbox_filter(error) : 0;
}

int sw_engine_main(const struct sw_setup *setup) {
  static struct process process;
  process.tun = *setup->tun;
  process.udp = *setup->udp;
  process.channel = setup->channel;
  process.reported = SW_LINK_CLOSED;
  process.pump = (struct sw_pump){.loop = &process.loop,
                                  .tun = &process.tun,
                                  .udp = &process.udp,
                                  .dscp = setup->dscp,
                                  .shaper = {.shaping = setup->shaping},
                                  .workers = &process.workers,
                                  .observe = on_link_changed,
                                  .failed = on_pump_failed,
                                  .user = &process};
  struct sw_error error;
  int failed = start(&process, setup, &error);
  sodium_free(setup->psks);
  if (!failed) failed = send_started(process.channel, &error);
  if (failed) {
    send_failure(process.channel, error.text);
  } else {
    uv_run(&process.loop, UV_RUN_DEFAULT);
    sw_pump_free(&process.pump);
    sw_workers_stop(&process.workers);
  }
  sw_link_free(process.pump.link);
  sodium_free(process.message);
  return failed ? 1 : 0;
}

#include "parent/parent.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/last_words.h"
#include "base/log.h"
#include "base/runtime.h"
#include "base/stack.h"
#include "channel/channel.h"
#include "config/key_file.h"
#include "base/clock.h"
#include "engine/process.h"
#include "linux/sandbox.h"
#include "parent/control.h"
#include "parent/host.h"
#include "parent/notify.h"
#include "parent/report.h"
#include "resolver/resolver.h"

#define OBSERVE_MS 1000               /* while the link is not up */
#define RESOLVE_AGAIN (5 * SW_SECOND) /* likewise */
#define START_MS 10000                /* the engine has for confining itself */
#define STOP_MS 3000                  /* it has for saying goodbye, before it is killed */
#define REAP_STEP_US 10000            /* between looks at whether it has ended ... */
#define REAP_STEPS 100                /* ... before it is killed */
#define HOST_STEP_US 50000            /* between tries to get what a killed link still holds */
#define HOST_STEPS 40
#define MESSAGES_MAX 16 /* of one wake-up */
#define DESCRIPTORS 32  /* the most a link has open at once, and some */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof(stop_signals) / sizeof(stop_signals[0]) };

struct daemon {
  const struct sw_config *config;
  uv_loop_t loop;
  struct sw_host host;
  pid_t engine; /* 0: ended */
  int channel;
  uv_poll_t channel_poll;
  struct sw_snapshot snapshot; /* the engine's latest */
  char fingerprint[SW_FINGERPRINT_TEXT];
  struct sw_control control;
  struct sw_resolver resolver;
  uv_signal_t signals[STOP_SIGNALS];
  uv_timer_t observer;
  uv_timer_t patience;
  enum sw_condition condition;
  uint64_t started;
  uint64_t resolved;
  bool covered; /* see covers */
  bool stopping;
  char failure[SW_ERROR_TEXT]; /* why the link ends; empty: it was told to */
};

static bool confined(const struct daemon *daemon) {
  return daemon->config->sandbox && sw_sandbox_possible();
}

static struct sw_report report_of(struct daemon *daemon) {
  return (struct sw_report){
      .config = daemon->config,
      .link = &daemon->snapshot.link,
      .now = sw_clock_now(),
      .started = daemon->started,
      .port = daemon->host.udp.port,
      .interface_mtu = daemon->host.mtu,
      .engine = daemon->engine,
      .confined = confined(daemon),
      .unreachable = daemon->snapshot.unreachable,
      .unreachable_time = daemon->snapshot.unreachable_time,
      .unresolved = daemon->resolver.failure,
      .covered = daemon->covered,
  };
}

/* ---- to the engine ---- */

static void tell(struct daemon *daemon, enum sw_channel_kind kind) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = kind;
  sw_channel_send(daemon->channel, &message); /* one that does not read is noticed otherwise */
}

/* Whether the link's own datagrams to one of the addresses could go into the link. */
static bool covers(const struct sw_config *config, const struct sw_address *addresses,
                   size_t count) {
  if (config->table_kind != SW_CONFIG_TABLE_AUTO || config->fwmark) return false;
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    for (size_t j = 0; j < count; j++)
      if (sw_prefix_contains(&config->allowed_ips[i], addresses[j].ip)) return true;
  return false;
}

static void on_resolved(void *user, const struct sw_address *addresses, size_t count) {
  struct daemon *daemon = user;
  if (daemon->stopping) return;
  daemon->covered = covers(daemon->config, addresses, count);
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_ENDPOINTS;
  message.endpoints.count = (uint32_t)count;
  memcpy(message.endpoints.addresses, addresses, count * sizeof(addresses[0]));
  sw_channel_send(daemon->channel, &message);
}

static void resolve_again(struct daemon *daemon) {
  const uint64_t now = sw_clock_now();
  if (now - daemon->resolved < RESOLVE_AGAIN || !daemon->config->endpoint_count) return;
  daemon->resolved = now;
  sw_resolver_start(&daemon->resolver);
}

static void on_observer(uv_timer_t *timer) {
  struct daemon *daemon = timer->data;
  tell(daemon, SW_CHANNEL_ASK);
  resolve_again(daemon);
}

/* Logs what the link is up to whenever that changes. */
static void observe(struct daemon *daemon) {
  if (daemon->stopping) return;
  const struct sw_report report = report_of(daemon);
  char text[SW_REPORT_TEXT];
  const enum sw_condition condition = sw_report_condition(&report, text);
  if (condition != daemon->condition)
    sw_log(condition > SW_CONDITION_WAITING ? SW_LOG_WARNING : SW_LOG_INFO, "%s", text);
  daemon->condition = condition;
  if (condition == SW_CONDITION_UP)
    uv_timer_stop(&daemon->observer);
  else if (!uv_is_active((uv_handle_t *)&daemon->observer))
    uv_timer_start(&daemon->observer, on_observer, OBSERVE_MS, OBSERVE_MS);
}

/* ---- the end ---- */

static void on_patience(uv_timer_t *timer) {
  const struct daemon *daemon = timer->data;
  sw_log(SW_LOG_WARNING, "the engine does not stop; killing it");
  kill(daemon->engine, SIGKILL);
}

static void stop(struct daemon *daemon) {
  if (daemon->stopping) return;
  daemon->stopping = true;
  sw_notify("STOPPING=1");
  tell(daemon, SW_CHANNEL_STOP);
  uv_timer_start(&daemon->patience, on_patience, STOP_MS, 0);
}

static void fail(struct daemon *daemon, const char *what) {
  if (!daemon->failure[0]) snprintf(daemon->failure, sizeof(daemon->failure), "%s", what);
}

/* Waits for the engine's end, which is near once its channel is closed, and brings it about if it
 * is not.  Returns how it ended. */
static int reap(struct daemon *daemon) {
  int status = 0;
  pid_t ended = 0;
  for (unsigned i = 0; i < REAP_STEPS && ended == 0; i++) {
    if (i > 0) usleep(REAP_STEP_US);
    ended = waitpid(daemon->engine, &status, WNOHANG);
  }
  if (ended == 0) {
    kill(daemon->engine, SIGKILL);
    waitpid(daemon->engine, &status, 0);
  }
  daemon->engine = 0;
  return status;
}

/* Says how the engine ended, unless it did as it was told. */
static void fail_by_status(struct daemon *daemon, int status) {
  char text[SW_ERROR_TEXT];
  if (WIFSIGNALED(status)) {
    snprintf(text, sizeof(text), "the engine was ended by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)),
             WTERMSIG(status) == SIGSYS
                 ? ": it made a system call that its sandbox forbids; please report this"
                 : "");
    fail(daemon, text);
  } else if (!daemon->stopping) {
    fail(daemon, "the engine has ended by itself");
  }
}

static void engine_gone(struct daemon *daemon) {
  fail_by_status(daemon, reap(daemon));
  daemon->stopping = true;
  uv_close((uv_handle_t *)&daemon->channel_poll, NULL);
  uv_close((uv_handle_t *)&daemon->observer, NULL);
  uv_close((uv_handle_t *)&daemon->patience, NULL);
  sw_resolver_stop(&daemon->resolver);
  uv_stop(&daemon->loop); /* the control socket closes when the interface is gone */
}

/* The last: until the interface is gone a signal does not hurry the end, and then none comes. */
static void close_signals(struct daemon *daemon) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  for (unsigned i = 0; i < STOP_SIGNALS; i++) uv_close((uv_handle_t *)&daemon->signals[i], NULL);
}

static void on_signal(uv_signal_t *signal, int number) {
  sw_log(SW_LOG_INFO, "%s: closing the link", strsignal(number));
  stop(signal->data);
}

/* ---- from the engine ---- */

static void answer_status(struct daemon *daemon) {
  const struct sw_report report = report_of(daemon);
  char *json = sw_report_json(&report);
  if (json) sw_control_answer(&daemon->control, json);
  free(json);
}

static void hear(struct daemon *daemon, struct sw_channel_message *message) {
  if (!sw_channel_from_engine(message)) {
    fail(daemon, "the engine sent what it can't have meant to send; please report this");
    kill(daemon->engine, SIGKILL);
  } else if (message->kind == SW_CHANNEL_SNAPSHOT) {
    daemon->snapshot = message->snapshot;
    memcpy(daemon->snapshot.link.fingerprint, daemon->fingerprint, sizeof(daemon->fingerprint));
    observe(daemon);
    if (sw_control_asked(&daemon->control)) answer_status(daemon);
  } else if (message->kind == SW_CHANNEL_FAILED) {
    fail(daemon, message->text);
  }
}

static void on_channel(uv_poll_t *poll, int status, int events) {
  struct daemon *daemon = poll->data;
  (void)status;
  (void)events;
  for (unsigned i = 0; i < MESSAGES_MAX; i++) {
    struct sw_channel_message message;
    const int kind = sw_channel_receive(daemon->channel, &message);
    if (kind == -EAGAIN) return;
    if (kind == 0) {
      engine_gone(daemon);
      return;
    }
    if (kind < 0) message.kind = 0;
    hear(daemon, &message);
  }
}

static bool on_command(void *user, const char *command, char **answer) {
  struct daemon *daemon = user;
  if (strcmp(command, "status") == 0) {
    tell(daemon, SW_CHANNEL_ASK); /* answered by answer_status */
    return true;
  }
  if (strcmp(command, "down") == 0) {
    sw_log(SW_LOG_INFO, "told to stop: closing the link");
    stop(daemon);
    *answer = strdup("stopping\n");
    return true;
  }
  return false;
}

/* ---- the beginning ---- */

/* A link that was killed holds its interface and port for a moment more, until its engine has
 * noticed. */
static int open_host(struct daemon *daemon, struct sw_error *error) {
  for (unsigned i = 0;; i++) {
    const int failed = sw_host_open(&daemon->host, daemon->config, error);
    if (!daemon->control.stale || i == HOST_STEPS || (failed != -EBUSY && failed != -EADDRINUSE))
      return failed;
    usleep(HOST_STEP_US);
  }
}

/* Waits until the engine is confined and carries. */
static int await_engine(struct daemon *daemon, struct sw_error *error) {
  struct pollfd channel = {.fd = daemon->channel, .events = POLLIN};
  struct sw_channel_message message;
  const int heard = poll(&channel, 1, START_MS);
  if (heard < 0)
    snprintf(daemon->failure, sizeof(daemon->failure), "cannot wait for the engine: %s",
             strerror(errno));
  else if (heard == 0)
    fail(daemon, "the engine does not start (does a name service hang? getent passwd saltway)");
  else if (sw_channel_receive(daemon->channel, &message) > 0 && sw_channel_from_engine(&message)) {
    if (message.kind == SW_CHANNEL_FAILED) fail(daemon, message.text);
    if (message.kind == SW_CHANNEL_STARTED && kill(daemon->engine, 0) == 0) return 0;
    if (message.kind == SW_CHANNEL_STARTED)
      fail(daemon, "sandbox: cannot end the engine: Operation not permitted (give it CAP_KILL; or "
                   "Sandbox = off does without)");
  }
  close(daemon->channel);
  daemon->channel = -1;
  fail_by_status(daemon, reap(daemon));
  return sw_error_set(error, 0, NULL, "%s", daemon->failure);
}

static int start_engine(struct daemon *daemon, struct sw_error *error) {
  struct sw_psk *psk = sodium_malloc(sizeof(*psk));
  if (!psk) return sw_error_set(error, ENOMEM, NULL, "no memory for the key");
  int failed = sw_keyfile_read(daemon->config->key_file, psk, error);
  if (!failed) {
    sw_psk_fingerprint(psk, daemon->fingerprint);
    daemon->engine =
        sw_engine_process_start(daemon->config, &daemon->host, psk, &daemon->channel, error);
    if (daemon->engine < 0) {
      failed = daemon->engine;
      daemon->engine = 0;
    }
  }
  sodium_free(psk);
  sw_stack_wipe();
  return failed ? failed : await_engine(daemon, error);
}

static int listen_to_all(struct daemon *daemon, struct sw_error *error) {
  uv_loop_t *loop = &daemon->loop;
  const int failed = uv_poll_init(loop, &daemon->channel_poll, daemon->channel);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot listen to the engine");
  daemon->channel_poll.data = daemon;
  uv_poll_start(&daemon->channel_poll, UV_READABLE, on_channel);
  for (unsigned i = 0; i < STOP_SIGNALS; i++) {
    uv_signal_init(loop, &daemon->signals[i]);
    daemon->signals[i].data = daemon;
    uv_signal_start(&daemon->signals[i], on_signal, stop_signals[i]);
  }
  uv_timer_init(loop, &daemon->observer);
  uv_timer_init(loop, &daemon->patience);
  daemon->observer.data = daemon->patience.data = daemon;
  sw_resolver_init(&daemon->resolver, loop, daemon->config, on_resolved, daemon);
  return 0;
}

static int start(struct daemon *daemon, struct sw_error *error) {
  const struct sw_config *config = daemon->config;
  int failed =
      sw_control_open(&daemon->control, &daemon->loop, config->name, on_command, daemon, error);
  if (failed == -EADDRINUSE) return failed;
  char socket[SW_RUNTIME_PATH];
  if (!failed && sw_runtime_socket(config->name, socket, error) == 0) sw_last_words(socket);
  if (failed) sw_log(SW_LOG_WARNING, "%s; going on without status and down", error->text);
  failed = open_host(daemon, error);
  if (!failed) failed = start_engine(daemon, error);
  if (!failed) failed = listen_to_all(daemon, error);
  return failed;
}

static void run(struct daemon *daemon) {
  const struct sw_config *config = daemon->config;
  struct sw_error error;
  if (sw_host_run_hooks(config->post_up, config->post_up_count, daemon->host.tun.name, &error)) {
    fail(daemon, error.text);
    stop(daemon);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    return;
  }
  sw_log(SW_LOG_INFO, "interface %s, UDP port %u, key fingerprint %s%s", daemon->host.tun.name,
         daemon->host.udp.port, daemon->fingerprint,
         confined(daemon)  ? ""
         : config->sandbox ? ", no sandbox: built with sanitizers"
                           : ", no sandbox: it is off");
  daemon->started = daemon->resolved = sw_clock_now();
  daemon->condition = SW_CONDITION_STARTING;
  sw_resolver_start(&daemon->resolver);
  tell(daemon, SW_CHANNEL_ASK);
  sw_notify("READY=1");
  uv_run(&daemon->loop, UV_RUN_DEFAULT);
  if (sw_host_run_hooks(config->pre_down, config->pre_down_count, config->name, &error) != 0)
    sw_log(SW_LOG_WARNING, "%s", error.text);
}

/* libuv aborts where it gets no descriptor.  Returns whether there are as many as a link takes. */
static bool descriptors_left(void) {
  int held[DESCRIPTORS];
  unsigned count = 0;
  while (count < DESCRIPTORS && (held[count] = dup(STDERR_FILENO)) >= 0) count++;
  for (unsigned i = 0; i < count; i++) close(held[i]);
  return count == DESCRIPTORS;
}

int sw_daemon_run(const struct sw_config *config, struct sw_error *error) {
  struct daemon *daemon = calloc(1, sizeof(*daemon));
  if (!daemon) return sw_error_set(error, ENOMEM, NULL, "cannot start");
  daemon->config = config;
  daemon->host = (struct sw_host){.tun.fd = -1, .udp.fd = -1};
  daemon->channel = daemon->control.lock = -1;
  signal(SIGPIPE, SIG_IGN);
  sw_last_words(NULL);
  if (!descriptors_left()) {
    free(daemon);
    return sw_error_set(error, EMFILE, "raise the limit: ulimit -n, or LimitNOFILE=",
                        "a link takes %d file descriptors", DESCRIPTORS);
  }
  int failed = uv_loop_init(&daemon->loop);
  if (failed) {
    free(daemon);
    return sw_error_set(error, -failed, NULL, "cannot make the event loop");
  }
  failed = start(daemon, error);
  const bool started = !failed;
  if (started) run(daemon);
  if (daemon->channel >= 0) close(daemon->channel);
  if (daemon->engine) reap(daemon);
  sw_host_close(&daemon->host);
  sw_control_close(&daemon->control);
  if (started) close_signals(daemon);
  if (!failed && daemon->failure[0]) failed = sw_error_set(error, 0, NULL, "%s", daemon->failure);
  while (uv_run(&daemon->loop, UV_RUN_NOWAIT)) continue;
  const int busy = uv_loop_close(&daemon->loop);
  assert(busy == 0);
  free(daemon);
  return failed;
}

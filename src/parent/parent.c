#include "parent/parent.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/last_words.h"
#include "base/log.h"
#include "base/runtime.h"
#include "parent/child.h"
#include "parent/control.h"
#include "parent/hooks.h"
#include "parent/host.h"
#include "parent/last_peer.h"
#include "parent/names.h"
#include "parent/notify.h"
#include "parent/observer.h"
#include "parent/reload.h"
#include "parent/signals.h"
#include "parent/watch.h"

#define SNAPSHOTS_MOST 20              /* in a second: more are only shown */
#define RESOLVE_FIRST (10 * SW_SECOND) /* routes and PostUp wait that long for an address */
#define REBIND_AFTER (30 * SW_SECOND)  /* nothing was received */
#define HOST_STEP_US 50000             /* between tries to get what a killed link still holds */
#define HOST_STEPS 40
#define NAMESPACE "SALTWAY_NETNS" /* the variable that tells hooks of the interface's namespace */
#define DESCRIPTORS 32            /* more than a link ever has open */

struct parent {
  struct sw_config *config;
  struct sw_psks *psks; /* wiped once the engine has them */
  uv_loop_t loop;
  struct sw_host host;
  struct sw_watch watch;
  struct sw_child child;
  struct sw_hooks hooks;
  struct sw_control control;
  struct sw_names names;
  struct sw_last_peer last_peer;
  struct sw_signals signals;
  struct sw_observer observer;
  uint64_t bound;              /* the port was chosen */
  uint64_t second;             /* when the present second of snapshots began, */
  unsigned snapshots;          /* and how many have come in it */
  bool untold;                 /* the engine has not got the newest endpoints */
  bool serving;                /* it can be reloaded */
  bool reload;                 /* as soon as it can be */
  bool ending;                 /* it was told to end, or has failed */
  char failure[SW_ERROR_TEXT]; /* why the link ends; empty: it was told to */
};

/* Waits for events, and handles them. */
static void turn(struct parent *parent) {
  uv_run(&parent->loop, UV_RUN_ONCE);
}

static bool running(const struct parent *parent) {
  return !parent->ending && parent->child.pid;
}

static bool still_running(const void *parent) {
  return running(parent);
}

static void end_with(struct parent *parent, const char *what) {
  if (!parent->failure[0]) snprintf(parent->failure, sizeof(parent->failure), "%s", what);
  parent->ending = true;
}

/* ---- where the peer is ---- */

/* Tells the engine, if there is one; if it does not read now, as soon as it answers. */
static void send_endpoints(void *user) {
  struct parent *parent = user;
  const struct sw_names *names = &parent->names;
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_ENDPOINTS;
  memcpy(message.endpoints.addresses, names->addresses, names->count * sizeof(names->addresses[0]));
  message.endpoints.count = (uint32_t)sw_last_peer_add(
      &parent->last_peer, message.endpoints.addresses, names->count, SW_ENDPOINTS_MAX);
  parent->untold = !sw_child_send(&parent->child, &message);
}

/* ---- the link's condition ---- */

static void answer_status(struct parent *parent) {
  char *json = sw_observer_status(&parent->observer);
  if (json) sw_control_answer(&parent->control, "status", json);
  free(json);
}

/* A NAT may keep a mapping to an address that is gone for as long as we send from the same port. */
static void rebind(struct parent *parent, const struct sw_link_status *link) {
  const uint64_t now = sw_clock_now();
  const uint64_t since = link->received_time > parent->bound ? link->received_time : parent->bound;
  struct sw_error error;
  if (parent->config->listen_port || !link->attempt_time || now - since < REBIND_AFTER ||
      now - parent->bound < REBIND_AFTER) /* whatever the engine says */
    return;
  if (link->state != SW_LINK_CONNECTING && link->state != SW_LINK_SILENT) return;
  parent->bound = now;
  if (sw_host_rebind(&parent->host, &error) != 0) sw_log(SW_LOG_WARNING, "%s", error.text);
}

/* What an engine says has consequences in the log, in files and in the kernel, but only so many a second. */
static bool says_too_much(struct parent *parent) {
  const uint64_t now = sw_clock_now();
  if (now - parent->second >= SW_SECOND) {
    parent->second = now;
    parent->snapshots = 0;
  }
  return ++parent->snapshots > SNAPSHOTS_MOST;
}

static void follow(struct parent *parent, const struct sw_link_status *link) {
  rebind(parent, link);
  sw_host_follow_path(&parent->host, link->path_mtu);
  if (link->state == SW_LINK_UP)
    sw_last_peer_note(&parent->last_peer, parent->config->name, &link->peer, link->fingerprint,
                      sw_clock_now());
  if (parent->ending) return;
  sw_observer_report(&parent->observer);
  sw_names_link(&parent->names, sw_observer_is_up(&parent->observer));
}

static void on_snapshot(void *user, const struct sw_snapshot *snapshot) {
  struct parent *parent = user;
  sw_observer_take(&parent->observer, snapshot);
  if (parent->untold) send_endpoints(parent);
  if (!says_too_much(parent))
    follow(parent, &snapshot->link);
  else
    sw_observer_again(&parent->observer);
  if (sw_control_asked(&parent->control, "status")) answer_status(parent);
}

static void on_interface(void *user) {
  struct parent *parent = user;
  sw_observer_ask(&parent->observer); /* on_snapshot reports */
}

/* ---- signals and commands ---- */

static void on_signal(void *user, int signal) {
  struct parent *parent = user;
  if (signal == SIGHUP && !sw_signals_terminal_lost(&parent->signals)) {
    parent->reload = true;
    return;
  }
  if (!parent->ending) sw_log(SW_LOG_INFO, "%s: closing the link", strsignal(signal));
  parent->ending = true;
}

static bool on_command(void *user, const char *command, char **answer) {
  struct parent *parent = user;
  if (strcmp(command, "status") == 0) {
    if (parent->child.pid)
      sw_observer_ask(&parent->observer); /* on_snapshot answers */
    else
      *answer = sw_observer_status(&parent->observer);
    return true;
  }
  if (strcmp(command, "reload") == 0) {
    if (parent->serving)
      parent->reload = true; /* reload() answers */
    else
      *answer =
          strdup("refused\nthe link is being started or stopped, or its hooks run: try again\n");
    return true;
  }
  if (strcmp(command, "down") == 0) {
    if (!parent->ending) sw_log(SW_LOG_INFO, "told to stop: closing the link");
    parent->ending = true;
    *answer = strdup("stopping\n");
    return true;
  }
  return false;
}

/* ---- start, run, end ---- */

/* Undoes what a killed run left behind. */
static void undo_killed_run(struct parent *parent) {
  if (!sw_hooks_read(&parent->hooks)) return;
  sw_log(SW_LOG_WARNING, "the last run of %s was killed: running its PreDown",
         parent->config->name);
  parent->observer.report = (struct sw_report){
      .since = sw_clock_now(), .text = "not started yet: undoing what a killed run left"};
  sw_hooks_undo(&parent->hooks);
}

/* Fails only if the link is up already. */
static int open_control(struct parent *parent, struct sw_error *error) {
  const char *name = parent->config->name;
  char socket[SW_RUNTIME_PATH];
  const int failed =
      sw_control_open(&parent->control, &parent->loop, name, on_command, parent, error);
  if (failed == -EADDRINUSE) return failed;
  if (failed)
    sw_log(SW_LOG_WARNING, "%s; going on without status and down", error->text);
  else if (sw_runtime_path(name, SW_RUNTIME_SOCKET, socket, error) == 0)
    sw_last_words(socket);
  return 0;
}

/* After a parent was killed its engine holds interface and port for a moment more. */
static int open_host(struct parent *parent, struct sw_error *error) {
  for (unsigned i = 0;; i++) {
    const int failed = sw_host_open(&parent->host, parent->config, error);
    if (!parent->control.stale || i == HOST_STEPS || (failed != -EBUSY && failed != -EADDRINUSE))
      return failed;
    usleep(HOST_STEP_US);
  }
}

/* Returns once the engine carries packets, or there is none. */
static int start_engine(struct parent *parent, sw_setup_main *engine, struct sw_error *error) {
  const int failed = sw_child_start(&parent->child, &parent->loop, engine, parent->config,
                                    &parent->host, parent->psks, error);
  if (failed) return failed;
  while (running(parent) && !parent->child.started) turn(parent);
  return 0;
}

/* Routes and hooks may lead the queries to name servers into the link: names are looked up before.
 * Goes on after a time, as there may be no DNS for long. */
static void resolve_first(struct parent *parent) {
  const uint64_t begin = sw_clock_now();
  const bool here = !parent->config->netns[0]; /* where the resolver's queries leave */
  sw_names_open(&parent->names, &parent->loop, parent->config, here ? parent->host.tun.index : 0,
                send_endpoints, parent);
  send_endpoints(parent);
  while (running(parent) && parent->config->endpoint_count && !parent->names.count &&
         !sw_observer_is_up(&parent->observer) && sw_clock_now() - begin < RESOLVE_FIRST)
    turn(parent);
}

static void say_started(const struct parent *parent) {
  const struct sw_child *child = &parent->child;
  sw_log(SW_LOG_INFO, "interface %s, UDP port %u, key fingerprint%s %s%s%s%s",
         parent->host.tun.name, parent->host.udp.port, child->psk_count > 1 ? "s" : "",
         child->fingerprints[0], child->psk_count > 1 ? ", " : "", child->fingerprints[1],
         sw_child_confined(parent->config) ? ""
         : parent->config->sandbox         ? ", no sandbox: built with sanitizers"
                                           : ", no sandbox: it is off");
}

static void carry(struct parent *parent) {
  say_started(parent);
  sw_observer_start(&parent->observer);
  parent->bound = parent->observer.started;
  sw_watch_start(&parent->watch, &parent->loop, &parent->host, on_interface, parent);
  sw_last_peer_read(&parent->last_peer, parent->config->name, parent->child.fingerprints,
                    parent->child.psk_count);
  resolve_first(parent);
  struct sw_error error;
  if (running(parent) && sw_host_route(&parent->host, &error) != 0) end_with(parent, error.text);
  sw_observer_ask(&parent->observer);
}

/* ---- reload ---- */

/* Logs each line of `text`, which it cuts up. */
static void log_lines(enum sw_log_level level, char *text) {
  char *rest;
  for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
    sw_log(level, "%s", line);
}

/* The first line of an answer is for the client.  From malloc; NULL if memory is short. */
static char *reload_answer(bool done, const char *text) {
  char *answer;
  return asprintf(&answer, "%s\n%s", done ? "ok" : "refused", text) < 0 ? NULL : answer;
}

static void reload(struct parent *parent) {
  struct sw_reload what = {.config = parent->config,
                           .host = &parent->host,
                           .child = &parent->child,
                           .names = &parent->names};
  struct sw_error error;
  char *text = NULL;
  size_t length;
  bool done = false;
  parent->reload = false;
  FILE *out = open_memstream(&text, &length);
  if (out) {
    done = sw_reload_run(&what, out);
    (void)fclose(out); /* memory may be short: then there is no text */
  }
  char *answer = reload_answer(done, text ? text : "no memory\n");
  sw_control_answer(&parent->control, "reload", answer ? answer : "refused\nno memory\n");
  log_lines(done ? SW_LOG_INFO : SW_LOG_ERROR, text ? text : (char[]){"no memory for a reload"});
  free(answer);
  free(text);
  if (what.changed) {
    parent->observer.report.observed = 0; /* what it says may be over now */
    sw_last_peer_hurry(&parent->last_peer);
  }
  parent->serving = false;
  if (done && what.hooks && sw_hooks_change(&parent->hooks, &error) != 0)
    end_with(parent, error.text);
  parent->serving = true;
  sw_observer_ask(&parent->observer);
}

/* From PostUp to PreDown. */
static void serve(struct parent *parent) {
  struct sw_error error;
  if (sw_hooks_start(&parent->hooks, &error) != 0) end_with(parent, error.text);
  if (!parent->hooks.undo) return;
  if (running(parent)) sw_notify("READY=1\n");
  parent->serving = true;
  while (running(parent)) {
    if (parent->reload)
      reload(parent);
    else
      turn(parent);
  }
  parent->serving = false;
  sw_notify("STOPPING=1\n");
  sw_hooks_undo(&parent->hooks);
}

static void stop_engine(struct parent *parent) {
  parent->ending = true; /* if it is not the engine that ended */
  sw_child_stop(&parent->child);
  while (parent->child.pid) turn(parent);
  sw_last_peer_flush(&parent->last_peer, parent->config->name);
  if (parent->child.failure[0]) end_with(parent, parent->child.failure);
}

static int run(struct parent *parent, sw_setup_main *engine, struct sw_error *error) {
  undo_killed_run(parent);
  sw_default_routes_undo(parent->config->name);
  if (parent->ending) return 0;
  int failed = open_host(parent, error);
  if (!failed) failed = start_engine(parent, engine, error);
  if (failed) return failed;
  if (running(parent)) carry(parent);
  if (running(parent)) serve(parent);
  stop_engine(parent);
  return 0;
}

static int run_on_loop(struct parent *parent, sw_setup_main *engine, struct sw_error *error) {
  int failed = open_control(parent, error);
  if (failed) {
    sw_control_close(&parent->control);
    return failed;
  }
  sw_signals_open(&parent->signals, &parent->loop, on_signal, parent);
  sw_observer_open(&parent->observer, &parent->loop);
  failed = run(parent, engine, error);
  if (parent->names.loop) sw_names_close(&parent->names);
  sw_observer_close(&parent->observer);
  sw_watch_stop(&parent->watch);
  sw_host_close(&parent->host);
  sw_control_close(&parent->control); /* last: then `saltway down` knows that the rest is gone */
  sw_signals_close(&parent->signals);
  if (!failed && parent->failure[0]) failed = sw_error_set(error, 0, NULL, "%s", parent->failure);
  return failed;
}

/* libuv aborts where it gets no descriptor.  Returns whether there are as many as a link takes. */
static bool descriptors_left(void) {
  int held[DESCRIPTORS];
  unsigned count = 0;
  while (count < DESCRIPTORS && (held[count] = dup(STDERR_FILENO)) >= 0) count++;
  for (unsigned i = 0; i < count; i++) close(held[i]);
  return count == DESCRIPTORS;
}

int sw_parent_run(struct sw_config *config, struct sw_psks *psks, sw_setup_main *engine,
                  struct sw_error *error) {
  struct parent *parent = calloc(1, sizeof(*parent));
  if (!parent) return sw_error_set(error, ENOMEM, NULL, "cannot start");
  parent->config = config;
  parent->psks = psks;
  parent->host = SW_HOST_CLOSED;
  parent->watch.fd = -1;
  parent->hooks = (struct sw_hooks){
      .loop = &parent->loop, .config = config, .running = still_running, .user = parent};
  parent->observer = (struct sw_observer){.config = config,
                                          .host = &parent->host,
                                          .watch = &parent->watch,
                                          .names = &parent->names,
                                          .child = &parent->child};
  parent->child.heard = on_snapshot;
  parent->child.user = parent;
  parent->control.lock = -1;
  unsetenv(NAMESPACE);
  if (config->netns[0]) setenv(NAMESPACE, config->netns, 1);
  signal(SIGPIPE, SIG_IGN);
  sw_last_words(NULL);
  if (!descriptors_left()) {
    free(parent);
    return sw_error_set(error, EMFILE, "raise the limit: ulimit -n, or LimitNOFILE=",
                        "a link takes %d file descriptors", DESCRIPTORS);
  }
  int failed = uv_loop_init(&parent->loop);
  if (failed) {
    free(parent);
    return sw_error_set(error, -failed, NULL, "cannot make the event loop");
  }
  failed = run_on_loop(parent, engine, error);
  while (uv_run(&parent->loop, UV_RUN_NOWAIT)) continue;
  const int busy = uv_loop_close(&parent->loop);
  assert(busy == 0);
  free(parent);
  return failed;
}

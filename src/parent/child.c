#include "parent/child.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/stack.h"
#include "linux/sandbox.h"

#define START_MS 10000     /* to confine itself */
#define STOP_MS 3000       /* to close the link */
#define REAP_STEP_US 10000 /* between checks of whether it has ended ... */
#define REAP_STEPS 100     /* ... before it is killed */
#define MESSAGES_MAX 16    /* handled in one wake-up */

bool sw_child_confined(const struct sw_config *config) {
  return config->sandbox && sw_sandbox_possible();
}

/* ---- the end ---- */

static void note_failure(struct sw_child *child, const char *what) {
  if (!child->failure[0]) snprintf(child->failure, sizeof(child->failure), "%s", what);
}

/* Waits for the end of an engine whose channel is closed, and kills it if it does not end soon.
 * Returns its status as wait(2) does. */
static int reap(pid_t pid) {
  int status = 0;
  for (unsigned i = 0; i < REAP_STEPS; i++) {
    if (waitpid(pid, &status, WNOHANG) != 0) return status;
    usleep(REAP_STEP_US);
  }
  kill(pid, SIGKILL);
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  return status;
}

static void note_exit(struct sw_child *child, int status) {
  char text[SW_ERROR_TEXT];
  if (WIFSIGNALED(status)) {
    snprintf(text, sizeof(text), "the engine was ended by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)),
             WTERMSIG(status) == SIGSYS
                 ? ": it made a system call that its sandbox forbids; please report this"
                 : "");
    note_failure(child, text);
  } else if (!child->stopping) {
    note_failure(child, "the engine has ended by itself");
  }
}

static void end(struct sw_child *child) {
  uv_close((uv_handle_t *)&child->poll, NULL);
  uv_close((uv_handle_t *)&child->patience, NULL);
  close(child->channel);
  note_exit(child, reap(child->pid));
  child->pid = 0;
}

static void on_engine_late(uv_timer_t *timer) {
  struct sw_child *child = timer->data;
  if (child->stopping)
    sw_log(SW_LOG_WARNING, "the engine does not stop; killing it");
  else
    note_failure(child, "the engine does not start (is the machine overloaded?)");
  kill(child->pid, SIGKILL);
}

void sw_child_stop(struct sw_child *child) {
  if (!child->pid || child->stopping) return;
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_STOP;
  child->stopping = true;
  if (!sw_child_send(child, &message))
    shutdown(child->channel, SHUT_WR); /* the engine also stops at the end of the channel */
  uv_timer_start(&child->patience, on_engine_late, STOP_MS, 0);
}

/* ---- messages ---- */

bool sw_child_send(struct sw_child *child, const struct sw_channel_message *message) {
  return !child->pid || sw_channel_send(child->channel, message) == 0;
}

static void on_started(struct sw_child *child) {
  if (child->started) return;
  if (kill(child->pid, 0) < 0) { /* it runs as another user now */
    note_failure(child, "sandbox: cannot end the engine: Operation not permitted (give it "
                        "CAP_KILL; or write Sandbox = off)");
    end(child);
    return;
  }
  child->started = true;
  if (!child->stopping) uv_timer_stop(&child->patience);
}

/* People compare the fingerprint: the engine only chooses which of the link's keys it names. */
static void check_fingerprint(const struct sw_child *child, char text[SW_FINGERPRINT_TEXT]) {
  for (unsigned i = 0; i < child->psk_count; i++)
    if (memcmp(text, child->fingerprints[i], SW_FINGERPRINT_TEXT) == 0) return;
  memcpy(text, child->fingerprints[0], SW_FINGERPRINT_TEXT);
}

static void hear(struct sw_child *child, struct sw_channel_message *message) {
  if (!sw_channel_from_engine(message)) {
    note_failure(child, "the engine sent an invalid message; please report this");
    kill(child->pid, SIGKILL);
    return;
  }
  switch (message->kind) {
  case SW_CHANNEL_STARTED:
    on_started(child);
    break;
  case SW_CHANNEL_SNAPSHOT:
    check_fingerprint(child, message->snapshot.link.fingerprint);
    child->heard(child->user, &message->snapshot);
    break;
  case SW_CHANNEL_FAILED:
    note_failure(child, message->text);
    break;
  }
}

static void on_channel(uv_poll_t *poll, int status, int events) {
  struct sw_child *child = poll->data;
  (void)events;
  /* the engine has ended without reading all messages: the end comes, and libuv has stopped the handle */
  if (status < 0) uv_poll_start(poll, UV_READABLE, on_channel);
  for (unsigned i = 0; i < MESSAGES_MAX && child->pid; i++) {
    struct sw_channel_message message;
    const int kind = sw_channel_receive(child->channel, &message);
    if (kind == -EAGAIN) return;
    if (kind == 0) {
      end(child);
      return;
    }
    if (kind < 0) message.kind = 0;
    hear(child, &message);
  }
}

/* ---- the beginning ---- */

/* A terminal sends its signals to both processes, and only the parent handles them. */
static _Noreturn void run_engine(sw_setup_main *engine, const struct sw_setup *setup,
                                 const sigset_t *mask) {
  signal(SIGINT, SIG_IGN);
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  pthread_sigmask(SIG_SETMASK, mask, NULL);
  exit(engine(setup));
}

/* Signals stay blocked until the child has replaced libuv's handlers, which write into the parent's
 * pipe. */
static pid_t fork_engine(sw_setup_main *engine, const struct sw_setup *setup) {
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const pid_t pid = fork();
  if (pid == 0) run_engine(engine, setup, &mask);
  const int code = errno;
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return pid < 0 ? -code : pid;
}

static int start_process(struct sw_child *child, uv_loop_t *loop, sw_setup_main *engine,
                         struct sw_setup *setup, struct sw_error *error) {
  int ends[2];
  int failed = sw_channel_open(ends);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot make the engine's channel");
  setup->parent = getpid();
  setup->channel = ends[1];
  const pid_t pid = fork_engine(engine, setup);
  close(ends[1]);
  failed = pid < 0 ? pid : uv_poll_init(loop, &child->poll, ends[0]);
  if (failed) {
    close(ends[0]);
    if (pid > 0) reap(pid);
    return sw_error_set(error, -failed, NULL, "cannot start the engine's process");
  }
  child->pid = pid;
  child->channel = ends[0];
  uv_timer_init(loop, &child->patience);
  child->poll.data = child->patience.data = child;
  uv_poll_start(&child->poll, UV_READABLE, on_channel);
  uv_timer_start(&child->patience, on_engine_late, START_MS, 0);
  return 0;
}

/* The ranges that packets of the peer may come from.  The caller frees them. */
static struct sw_prefix *sources_of(const struct sw_config *config, size_t *count) {
  const size_t room = config->allowed_ip_count + config->address_count + 1;
  struct sw_prefix *sources = calloc(room, sizeof(*sources));
  if (!sources) return NULL;
  *count = 0;
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    sources[(*count)++] = config->allowed_ips[i];
  for (size_t i = 0; i < config->address_count; i++) /* the peer's own address is beside ours */
    sources[(*count)++] = config->addresses[i];
  /* routing protocols on the link use link-local addresses, which nobody forwards */
  const int parsed = sw_prefix_parse("fe80::/10", &sources[(*count)++]);
  assert(parsed == 0);
  return sources;
}

static struct sw_shaping shaping_of(const struct sw_config *config) {
  return (struct sw_shaping){.bandwidth = config->bandwidth, .overhead = config->overhead};
}

static size_t own_of(const struct sw_config *config,
                     struct sw_prefix own[SW_CONFIG_ADDRESSES_MAX]) {
  for (size_t i = 0; i < config->address_count; i++) {
    own[i] = config->addresses[i];
    own[i].length = 128;
  }
  return config->address_count;
}

static void note_fingerprints(struct sw_child *child, const struct sw_psks *psks) {
  memset(child->fingerprints, 0, sizeof(child->fingerprints));
  child->psk_count = psks->count;
  for (unsigned i = 0; i < psks->count; i++)
    sw_psk_fingerprint(&psks->keys[i], child->fingerprints[i]);
}

int sw_child_start(struct sw_child *child, uv_loop_t *loop, sw_setup_main *engine,
                   const struct sw_config *config, const struct sw_host *host, struct sw_psks *psks,
                   struct sw_error *error) {
  struct sw_prefix own[SW_CONFIG_ADDRESSES_MAX];
  const size_t own_count = own_of(config, own);
  note_fingerprints(child, psks);
  size_t source_count;
  struct sw_prefix *sources = sources_of(config, &source_count);
  if (!sources) return sw_error_set(error, ENOMEM, NULL, "no memory for AllowedIPs");
  struct sw_setup setup = {
      .tun = &host->tun,
      .udp = &host->udp,
      .dscp = config->dscp,
      .shaping = shaping_of(config),
      .confined = sw_child_confined(config),
      .psks = psks,
      .link = {.psks = psks->keys,
               .psk_count = psks->count,
               .mtu = sw_host_link_mtu(host, config),
               .persistent_keepalive = config->persistent_keepalive * SW_SECOND,
               .sources = sources,
               .source_count = source_count,
               .own = own,
               .own_count = own_count},
  };
  const int failed = start_process(child, loop, engine, &setup, error);
  free(sources);
  sodium_memzero(psks, sizeof(*psks));
  sw_stack_wipe();
  return failed;
}

/* ---- reload ---- */

bool sw_child_has_keys(const struct sw_child *child, const struct sw_psks *psks) {
  bool has = child->psk_count == psks->count;
  for (unsigned i = 0; has && i < psks->count; i++) {
    char fingerprint[SW_FINGERPRINT_TEXT];
    sw_psk_fingerprint(&psks->keys[i], fingerprint);
    has = strcmp(fingerprint, child->fingerprints[i]) == 0;
  }
  return has;
}

/* The engine applies them with the settings that follow. */
static int send_sources(struct sw_child *child, const struct sw_prefix *sources, size_t count,
                        struct sw_channel_message *message) {
  int failed = 0;
  for (size_t first = 0; first < count && !failed; first += SW_CHANNEL_SOURCES_MAX) {
    const size_t left = count - first;
    struct sw_channel_sources *part = &message->sources;
    message->kind = SW_CHANNEL_SOURCES;
    part->first = (uint32_t)first;
    part->count = (uint32_t)(left < SW_CHANNEL_SOURCES_MAX ? left : SW_CHANNEL_SOURCES_MAX);
    memcpy(part->ranges, sources + first, part->count * sizeof(sources[0]));
    failed = sw_channel_send_waiting(child->channel, message);
  }
  return failed;
}

static int send_settings(struct sw_child *child, const struct sw_config *config, unsigned mtu,
                         struct sw_channel_message *message) {
  size_t count;
  struct sw_prefix *sources = sources_of(config, &count);
  if (!sources) return -ENOMEM;
  int failed = send_sources(child, sources, count, message);
  free(sources);
  memset(message, 0, sizeof(*message));
  message->kind = SW_CHANNEL_SETTINGS;
  message->settings.source_count = (uint32_t)count;
  message->settings.own_count = (uint32_t)own_of(config, message->settings.own);
  message->settings.persistent_keepalive = config->persistent_keepalive;
  message->settings.mtu = mtu;
  message->settings.dscp = config->dscp;
  message->settings.shaping = shaping_of(config);
  return failed ? failed : sw_channel_send_waiting(child->channel, message);
}

static int send_keys(struct sw_child *child, const struct sw_psks *psks,
                     struct sw_channel_message *message) {
  memset(message, 0, sizeof(*message));
  message->kind = SW_CHANNEL_KEYS;
  message->keys.count = psks->count;
  memcpy(message->keys.psks, psks->keys, sizeof(psks->keys));
  return sw_channel_send_waiting(child->channel, message);
}

bool sw_child_change(struct sw_child *child, const struct sw_config *config, unsigned mtu,
                     const struct sw_psks *psks) {
  struct sw_channel_message *message = sodium_malloc(sizeof(*message)); /* locked: it holds keys */
  int failed = message ? 0 : -ENOMEM;
  if (message) memset(message, 0, sizeof(*message));
  if (!failed) failed = send_settings(child, config, mtu, message);
  if (!failed) failed = send_keys(child, psks, message);
  sodium_free(message); /* wipes */
  note_fingerprints(child, psks);
  sw_stack_wipe();
  if (!failed) return true;
  char text[SW_ERROR_TEXT];
  snprintf(text, sizeof(text), "cannot tell the engine what has changed: %s", strerror(-failed));
  note_failure(child, text);
  kill(child->pid, SIGKILL);
  return false;
}

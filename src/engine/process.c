#include "engine/process.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
#include "channel/channel.h"
#include "engine/pump.h"
#include "linux/sandbox.h"
#include "protocol/secretbox.h"

#define MESSAGES_MAX 16 /* of one wake-up */

struct engine_process {
  pid_t parent;
  uv_loop_t loop;
  struct sw_host host;
  struct sw_pump pump;
  struct sw_workers workers;
  int channel;
  uv_poll_t channel_poll;
  enum sw_link_state told; /* to the parent */
  bool stopping;
};

/* ---- to the parent ---- */

static void tell_state(struct engine_process *process) {
  const struct sw_link_status *status = sw_link_status(process->pump.link);
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_SNAPSHOT;
  message.snapshot = (struct sw_snapshot){.link = *status,
                                          .unreachable = process->pump.unreachable,
                                          .unreachable_time = process->pump.unreachable_time};
  if (sw_channel_send(process->channel, &message) == 0) process->told = status->state;
}

static void tell_failure(int channel, const char *text) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_FAILED;
  snprintf(message.text, sizeof(message.text), "%s", text);
  sw_channel_send(channel, &message);
}

static int tell_started(int channel, struct sw_error *error) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_STARTED;
  const int failed = sw_channel_send(channel, &message);
  return failed ? sw_error_set(error, -failed, NULL, "cannot tell that the engine runs") : 0;
}

static void observe(void *user) {
  struct engine_process *process = user;
  if (sw_link_status(process->pump.link)->state != process->told) tell_state(process);
}

/* ---- the end ---- */

static void stop(struct engine_process *process) {
  if (process->stopping) return;
  process->stopping = true;
  sw_pump_stop(&process->pump);
  uv_close((uv_handle_t *)&process->channel_poll, NULL);
}

static void on_failed(void *user, const char *what) {
  struct engine_process *process = user;
  tell_failure(process->channel, what);
  stop(process);
}

/* ---- from the parent ---- */

static void obey(struct engine_process *process, const struct sw_channel_message *message) {
  switch (message->kind) {
  case SW_CHANNEL_ENDPOINTS:
    sw_link_endpoints_set(process->pump.link, sw_clock_now(), message->endpoints.addresses,
                          message->endpoints.count);
    sw_pump_flush(&process->pump);
    observe(process);
    break;
  case SW_CHANNEL_ASK:
    tell_state(process);
    break;
  case SW_CHANNEL_STOP:
    stop(process);
    break;
  }
}

static void on_channel(uv_poll_t *poll, int status, int events) {
  struct engine_process *process = poll->data;
  (void)status;
  (void)events;
  for (unsigned i = 0; i < MESSAGES_MAX && !process->stopping; i++) {
    struct sw_channel_message message;
    const int kind = sw_channel_receive(process->channel, &message);
    if (kind == -EAGAIN) return;
    if (kind <= 0) { /* the parent is gone */
      stop(process);
      return;
    }
    obey(process, &message);
  }
}

/* ---- the beginning ---- */

static struct sw_link *link_of(const struct sw_config *config, const struct sw_psk *psk) {
  struct sw_prefix sources[SW_SOURCES_MAX];
  struct sw_prefix own[SW_CONFIG_ADDRESSES_MAX];
  size_t count = 0;
  _Static_assert(SW_CONFIG_ALLOWED_IPS_MAX + SW_CONFIG_ADDRESSES_MAX + 1 <= SW_SOURCES_MAX, "room");
  for (size_t i = 0; i < config->allowed_ip_count; i++) sources[count++] = config->allowed_ips[i];
  for (size_t i = 0; i < config->address_count; i++) { /* the peer's own address is beside ours */
    sources[count++] = config->addresses[i];
    own[i] = config->addresses[i];
    own[i].length = 128;
  }
  /* routing protocols on the link speak from link-local addresses, which nobody forwards */
  const int parsed = sw_prefix_parse("fe80::/10", &sources[count++]);
  assert(parsed == 0);
  return sw_link_new(&(struct sw_link_options){
      .psk = psk,
      .persistent_keepalive = config->persistent_keepalive * SW_SECOND,
      .sources = sources,
      .source_count = count,
      .own = own,
      .own_count = config->address_count,
  });
}

/* Is not the parent any more.  What ends that ends this process, by the channel or by a signal. */
static void become(void) {
  prctl(PR_SET_NAME, "saltway-engine", 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sw_last_words(NULL);
  signal(SIGINT, SIG_IGN); /* a terminal sends them to both */
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
}

/* Neither reads what is typed nor writes among a command's output. */
static int let_go_of_terminal(struct sw_error *error) {
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
    return sw_error_set(error, errno, NULL, "cannot use /dev/null");
  close(null);
  return 0;
}

static int drop(const struct engine_process *process, struct sw_error *error) {
  char directory[SW_RUNTIME_PATH] = "";
  const bool root = geteuid() == 0;
  int failed = root ? sw_runtime_empty(directory, error) : 0;
  if (!failed) failed = sw_sandbox_drop(directory, process->parent, error);
  if (!failed && root && geteuid() == SW_SANDBOX_NOBODY)
    sw_log(SW_LOG_INFO, "no user " SW_SANDBOX_USER ": the engine runs as nobody");
  return failed;
}

/* Last, as looking for a user may leave a connection to a name service. */
static int keep_few(const struct engine_process *process, struct sw_error *error) {
  int keep[] = {process->host.tun.fd, process->host.udp.fd, process->channel};
  return sw_sandbox_close_others(keep, sizeof(keep) / sizeof(keep[0]), error);
}

static int start(struct engine_process *process, const struct sw_config *config,
                 const struct sw_psk *psk, struct sw_error *error) {
  const bool confined = config->sandbox && sw_sandbox_possible();
  become();
  if (!sw_secretbox_self_test())
    sw_log(SW_LOG_WARNING, "the fast cipher calls differ from libsodium's own here; using those");
  process->pump.link = link_of(config, psk);
  if (!process->pump.link) return sw_error_set(error, errno, NULL, "cannot make the link");
  int failed = let_go_of_terminal(error);
  if (!failed && confined) failed = drop(process, error);
  if (!failed) failed = keep_few(process, error);
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
  return confined ? sw_sandbox_filter(error) : 0;
}

static _Noreturn void run(const struct sw_config *config, const struct sw_host *host,
                          struct sw_psk *psk, int channel, pid_t parent) {
  static struct engine_process process;
  process = (struct engine_process){
      .parent = parent, .host = *host, .channel = channel, .told = SW_LINK_CLOSED};
  process.pump = (struct sw_pump){.loop = &process.loop,
                                  .tun = &process.host.tun,
                                  .udp = &process.host.udp,
                                  .mtu = host->mtu,
                                  .workers = &process.workers,
                                  .observe = observe,
                                  .failed = on_failed,
                                  .user = &process};
  struct sw_error error;
  int failed = start(&process, config, psk, &error);
  sodium_free(psk);
  if (!failed) failed = tell_started(channel, &error);
  if (failed) {
    tell_failure(channel, error.text);
  } else {
    uv_run(&process.loop, UV_RUN_DEFAULT);
    sw_pump_free(&process.pump);
    sw_workers_stop(&process.workers);
  }
  sw_link_free(process.pump.link);
  exit(failed ? 1 : 0);
}

pid_t sw_engine_process_start(const struct sw_config *config, const struct sw_host *host,
                              struct sw_psk *psk, int *channel, struct sw_error *error) {
  int ends[2];
  const int failed = sw_channel_open(ends);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot make the engine's channel");
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0) run(config, host, psk, ends[1], parent);
  const int code = errno;
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return sw_error_set(error, code, NULL, "cannot start the engine's process");
  }
  *channel = ends[0];
  return pid;
}

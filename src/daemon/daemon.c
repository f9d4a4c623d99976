#include "daemon/daemon.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/secretbox.h"
#include "daemon/control.h"
#include "daemon/engine.h"
#include "daemon/host.h"
#include "daemon/notify.h"
#include "daemon/report.h"
#include "daemon/resolver.h"
#include "keyfile.h"
#include "log.h"

#define OBSERVE_MS 1000               /* while the link is not up */
#define RESOLVE_AGAIN (5 * SW_SECOND) /* likewise */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { STOP_SIGNALS = sizeof(stop_signals) / sizeof(stop_signals[0]) };

struct daemon {
  const struct sw_config *config;
  uv_loop_t loop;
  struct sw_link *link;
  struct sw_host host;
  struct sw_engine engine;
  struct sw_control control;
  struct sw_resolver resolver;
  uv_signal_t signals[STOP_SIGNALS];
  uv_timer_t observer;
  enum sw_condition condition;
  uint64_t started;
  uint64_t resolved;
  bool stopping;
  char failure[256]; /* why the link ends; empty: it was told to */
};

static struct sw_report report_of(struct daemon *daemon) {
  return (struct sw_report){
      .config = daemon->config,
      .link = sw_link_status(daemon->link),
      .now = sw_engine_now(),
      .started = daemon->started,
      .port = daemon->host.udp.port,
      .interface_mtu = daemon->host.mtu,
      .unreachable = daemon->engine.unreachable,
      .unreachable_time = daemon->engine.unreachable_time,
      .unresolved = daemon->resolver.failure,
  };
}

static void resolve_again(struct daemon *daemon) {
  const uint64_t now = sw_engine_now();
  if (now - daemon->resolved < RESOLVE_AGAIN || !daemon->config->endpoint_count) return;
  daemon->resolved = now;
  sw_resolver_start(&daemon->resolver);
}

static void on_observer(uv_timer_t *timer);

/* Logs what the link is up to whenever that changes. */
static void observe(void *user) {
  struct daemon *daemon = user;
  if (daemon->stopping) return;
  const bool up = sw_link_status(daemon->link)->state == SW_LINK_UP;
  if (up && daemon->condition == SW_CONDITION_UP) return;
  const struct sw_report report = report_of(daemon);
  char text[SW_REPORT_TEXT];
  const enum sw_condition condition = sw_report_condition(&report, text);
  if (condition != daemon->condition)
    sw_log(condition > SW_CONDITION_WAITING ? SW_LOG_WARNING : SW_LOG_INFO, "%s", text);
  daemon->condition = condition;
  if (up) {
    uv_timer_stop(&daemon->observer);
    return;
  }
  if (!uv_is_active((uv_handle_t *)&daemon->observer))
    uv_timer_start(&daemon->observer, on_observer, OBSERVE_MS, OBSERVE_MS);
}

static void on_observer(uv_timer_t *timer) {
  observe(timer->data);
  resolve_again(timer->data);
}

static void on_resolved(void *user, const struct sw_address *addresses, size_t count) {
  struct daemon *daemon = user;
  if (daemon->stopping) return;
  sw_link_endpoints_set(daemon->link, sw_engine_now(), addresses, count);
  sw_engine_flush(&daemon->engine);
  observe(daemon);
}

/* ---- the end ---- */

static void stop(struct daemon *daemon) {
  if (daemon->stopping) return;
  daemon->stopping = true;
  sw_notify("STOPPING=1");
  sw_engine_stop(&daemon->engine);
  for (unsigned i = 0; i < STOP_SIGNALS; i++) uv_close((uv_handle_t *)&daemon->signals[i], NULL);
  uv_close((uv_handle_t *)&daemon->observer, NULL);
  sw_resolver_stop(&daemon->resolver);
  uv_stop(&daemon->loop); /* the control socket closes when the interface is gone */
}

static void on_signal(uv_signal_t *signal, int number) {
  sw_log(SW_LOG_INFO, "%s: closing the link", strsignal(number));
  stop(signal->data);
}

static void on_failed(void *user, const char *what) {
  struct daemon *daemon = user;
  snprintf(daemon->failure, sizeof(daemon->failure), "%s", what);
  stop(daemon);
}

static char *on_command(void *user, const char *command) {
  struct daemon *daemon = user;
  if (strcmp(command, "status") == 0) {
    const struct sw_report report = report_of(daemon);
    return sw_report_json(&report);
  }
  if (strcmp(command, "down") == 0) {
    sw_log(SW_LOG_INFO, "told to stop: closing the link");
    stop(daemon);
    return strdup("stopping\n");
  }
  return NULL;
}

/* ---- the beginning ---- */

static struct sw_link *link_of(const struct sw_config *config, struct sw_error *error) {
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

  struct sw_psk *psk = sodium_malloc(sizeof(*psk));
  if (!psk) {
    sw_error_set(error, ENOMEM, NULL, "no memory for the key");
    return NULL;
  }
  struct sw_link *link = NULL;
  if (sw_keyfile_read(config->key_file, psk, error) == 0) {
    link = sw_link_new(&(struct sw_link_options){
        .psk = psk,
        .persistent_keepalive = config->persistent_keepalive * SW_SECOND,
        .sources = sources,
        .source_count = count,
        .own = own,
        .own_count = config->address_count,
    });
    if (!link) sw_error_set(error, errno, NULL, "cannot make the link");
  }
  sodium_free(psk);
  return link;
}

static int start(struct daemon *daemon, struct sw_error *error) {
  const struct sw_config *config = daemon->config;
  uv_loop_t *loop = &daemon->loop;
  int failed = sw_control_open(&daemon->control, loop, config->name, on_command, daemon, error);
  if (failed == -EADDRINUSE) return failed;
  if (failed) sw_log(SW_LOG_WARNING, "%s; going on without status and down", error->text);
  failed = sw_host_open(&daemon->host, config, error);
  if (failed) return failed;
  daemon->engine = (struct sw_engine){.loop = loop,
                                      .link = daemon->link,
                                      .tun = &daemon->host.tun,
                                      .udp = &daemon->host.udp,
                                      .observe = observe,
                                      .failed = on_failed,
                                      .user = daemon};
  failed = sw_engine_start(&daemon->engine);
  if (failed) return sw_error_set(error, -failed, NULL, "cannot start carrying packets");
  for (unsigned i = 0; i < STOP_SIGNALS; i++) {
    uv_signal_init(loop, &daemon->signals[i]);
    daemon->signals[i].data = daemon;
    uv_signal_start(&daemon->signals[i], on_signal, stop_signals[i]);
  }
  uv_timer_init(loop, &daemon->observer);
  daemon->observer.data = daemon;
  sw_resolver_init(&daemon->resolver, loop, config, on_resolved, daemon);
  failed = sw_host_run_hooks(config->post_up, config->post_up_count, daemon->host.tun.name, error);
  if (failed) stop(daemon);
  return failed;
}

static void run(struct daemon *daemon) {
  char fingerprint[SW_FINGERPRINT_TEXT];
  snprintf(fingerprint, sizeof(fingerprint), "%s", sw_link_status(daemon->link)->fingerprint);
  sw_log(SW_LOG_INFO, "interface %s, UDP port %u, key fingerprint %s", daemon->host.tun.name,
         daemon->host.udp.port, fingerprint);
  daemon->started = daemon->resolved = sw_engine_now();
  daemon->condition = SW_CONDITION_STARTING;
  sw_resolver_start(&daemon->resolver);
  observe(daemon);
  sw_notify("READY=1");
  uv_run(&daemon->loop, UV_RUN_DEFAULT);
  struct sw_error error;
  const struct sw_config *config = daemon->config;
  if (sw_host_run_hooks(config->pre_down, config->pre_down_count, config->name, &error) != 0)
    sw_log(SW_LOG_WARNING, "%s", error.text);
}

int sw_daemon_run(const struct sw_config *config, struct sw_error *error) {
  struct daemon *daemon = calloc(1, sizeof(*daemon));
  if (!daemon) return sw_error_set(error, ENOMEM, NULL, "cannot start");
  daemon->config = config;
  daemon->host = (struct sw_host){.tun.fd = -1, .udp.fd = -1};
  signal(SIGPIPE, SIG_IGN);
  int failed = uv_loop_init(&daemon->loop);
  if (failed) {
    free(daemon);
    return sw_error_set(error, -failed, NULL, "cannot make the event loop");
  }
  if (!sw_secretbox_self_test())
    sw_log(SW_LOG_WARNING, "the fast cipher calls differ from libsodium's own here; using those");
  daemon->link = link_of(config, error);
  failed = daemon->link ? start(daemon, error) : -EINVAL;
  if (!failed) run(daemon);
  sw_host_close(&daemon->host);
  sw_control_close(&daemon->control);
  sw_link_free(daemon->link);
  if (!failed && daemon->failure[0]) failed = sw_error_set(error, 0, NULL, "%s", daemon->failure);
  while (uv_run(&daemon->loop, UV_RUN_NOWAIT) && !daemon->resolver.running) continue;
  if (daemon->resolver
          .running) { /* a thread still asks DNS, and an orderly exit would wait for it */
    if (failed) sw_log(SW_LOG_ERROR, "%s", error->text);
    _exit(failed ? 1 : 0);
  }
  sw_engine_free(&daemon->engine);
  const int busy = uv_loop_close(&daemon->loop);
  assert(busy == 0);
  free(daemon);
  return failed;
}

#include "parent/observer.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "parent/notify.h"
#include "parent/status_json.h"

static struct sw_facts facts_of(const struct sw_observer *observer) {
  return (struct sw_facts){
      .config = observer->config,
      .link = &observer->snapshot.link,
      .queue = &observer->snapshot.queue,
      .now = sw_clock_now(),
      .port = observer->host->udp.port,
      .mark = observer->host->mark,
      .unresolved = observer->names->failure,
      .interface_down = observer->watch->down,
      .server = observer->names->server,
      .place = sw_names_place(observer->names, &observer->snapshot.link.peer),
  };
}

static void on_timer(uv_timer_t *timer) {
  sw_observer_ask(timer->data);
}

static void ask_every(struct sw_observer *observer, uint64_t ms) {
  if (observer->watchdog && observer->watchdog < ms) ms = observer->watchdog;
  if (uv_timer_get_repeat(&observer->timer) != ms)
    uv_timer_start(&observer->timer, on_timer, ms, ms);
}

void sw_observer_open(struct sw_observer *observer, uv_loop_t *loop) {
  observer->watchdog = sw_notify_watchdog();
  uv_timer_init(loop, &observer->timer);
  observer->timer.data = observer;
}

void sw_observer_start(struct sw_observer *observer) {
  observer->started = sw_clock_now();
  observer->report = (struct sw_report){.since = observer->started};
  ask_every(observer, SW_OBSERVER_MS);
}

void sw_observer_ask(struct sw_observer *observer) {
  struct sw_channel_message message;
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_ASK;
  sw_child_send(observer->child, &message);
}

void sw_observer_take(struct sw_observer *observer, const struct sw_snapshot *snapshot) {
  observer->snapshot = *snapshot;
  if (observer->watchdog) sw_notify("WATCHDOG=1\n");
  sw_rates_count(&observer->rates, sw_clock_now(), snapshot->link.bytes_in,
                 snapshot->link.bytes_out);
}

void sw_observer_again(struct sw_observer *observer) {
  ask_every(observer, SW_OBSERVER_MS);
}

void sw_observer_report(struct sw_observer *observer) {
  const struct sw_facts facts = facts_of(observer);
  const struct sw_report report = sw_report_make(&facts, &observer->report);
  if (report.since != observer->report.since)
    sw_log(report.condition > SW_CONDITION_UP ? SW_LOG_WARNING : SW_LOG_INFO, "%s", report.text);
  if (strcmp(report.text, observer->report.text) != 0) sw_notify_status(report.text);
  observer->report = report;
  ask_every(observer, sw_observer_is_up(observer) ? SW_OBSERVER_UP_MS : SW_OBSERVER_MS);
}

bool sw_observer_is_up(const struct sw_observer *observer) {
  return observer->report.state == SW_STATE_UP || observer->report.state == SW_STATE_DEGRADED;
}

char *sw_observer_status(const struct sw_observer *observer) {
  const struct sw_facts facts = facts_of(observer);
  struct sw_running running = {.started = observer->started,
                               .mtu = observer->host->mtu,
                               .engine = observer->child->pid,
                               .confined = sw_child_confined(observer->config),
                               .rates = observer->rates};
  memcpy(running.fingerprints, observer->child->fingerprints, sizeof(running.fingerprints));
  return sw_status_json(&facts, &observer->report, &running);
}

void sw_observer_close(struct sw_observer *observer) {
  uv_close((uv_handle_t *)&observer->timer, NULL);
}

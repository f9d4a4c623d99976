/*
 * The observer of a link: asks the engine again and again how the link is, and makes the report from
 * its answers, what the log, systemd and `saltway status` say.
 *
 * The struct is its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_PARENT_OBSERVER_H
#define SALTWAY_PARENT_OBSERVER_H

#include "parent/child.h"
#include "parent/host.h"
#include "parent/names.h"
#include "parent/rates.h"
#include "parent/report.h"
#include "parent/watch.h"

/** Between questions, in milliseconds. */
#define SW_OBSERVER_MS 1000     /* while no packet passes */
#define SW_OBSERVER_UP_MS 10000 /* while packets do */

struct sw_observer {
  /* the parts of the link, set by the owner and not owned */
  const struct sw_config *config;
  const struct sw_host *host;
  const struct sw_watch *watch;
  const struct sw_names *names;
  struct sw_child *child;

  struct sw_snapshot snapshot; /* the engine's latest */
  struct sw_report report;     /* the owner may set one before the link is started */
  struct sw_rates rates;
  uv_timer_t timer;
  uint64_t watchdog; /* between signs of life for systemd, milliseconds; 0: it does not watch */
  uint64_t started;  /* nanoseconds; 0: the link is not yet */
};

void sw_observer_open(struct sw_observer *observer, uv_loop_t *loop);

/** The link is started: begins to ask. */
void sw_observer_start(struct sw_observer *observer);

/** Asks the engine, if there is one, for a snapshot. */
void sw_observer_ask(struct sw_observer *observer);

/** Takes over a snapshot, and shows systemd that parent and engine are alive. */
void sw_observer_take(struct sw_observer *observer, const struct sw_snapshot *snapshot);

/** Asks again within a second: what has come was not reported. */
void sw_observer_again(struct sw_observer *observer);

/** Makes the report from what is known now.  Logs the link's condition whenever it changes, and tells
 * systemd. */
void sw_observer_report(struct sw_observer *observer);

/** Whether the link was up at the latest report. */
bool sw_observer_is_up(const struct sw_observer *observer);

/** The text of `saltway status --json`, from malloc; NULL if memory is short. */
char *sw_observer_status(const struct sw_observer *observer);

/** Asks no more.  The handle is closed as the loop runs. */
void sw_observer_close(struct sw_observer *observer);

#endif

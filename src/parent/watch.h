/*
 * The watch over what is ours on the host: addresses, routes and rules that another program removes
 * are made again a second later, and the log says so; so are those that the kernel removes when
 * somebody sets the interface down, once it is up again.
 *
 * The struct is its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_PARENT_WATCH_H
#define SALTWAY_PARENT_WATCH_H

#include <stdbool.h>
#include <uv.h>

#include "parent/host.h"

#define SW_WATCH_DELAY_MS 1000  /* what is removed together is made again together */
#define SW_WATCH_AGAIN_MS 10000 /* after a repair that failed: its reason may go unreported */

/* Another program may remove it each time: after so many repairs in a window they have to wait. */
#define SW_WATCH_REPAIRS 8
#define SW_WATCH_WINDOW_MS 60000

struct sw_watch {
  struct sw_host *host;
  void (*changed)(void *user);
  void *user;
  int fd; /* of the kernel's reports; -1: none */
  uv_poll_t poll;
  uv_timer_t timer;
  bool down;        /* somebody has set the interface down */
  bool in_vain;     /* the latest repair failed, and the log has the reason */
  bool again;       /* the timer runs because of that */
  uint64_t window;  /* when it began, on the loop's clock */
  unsigned repairs; /* in it */
};

/** Starts watching.  `changed` is called whenever `down` has changed.  If it cannot watch, the log
 * says so. */
void sw_watch_start(struct sw_watch *watch, uv_loop_t *loop, struct sw_host *host,
                    void (*changed)(void *user), void *user);

/** Stops watching, before the host is closed.  Handles are closed as the loop runs. */
void sw_watch_stop(struct sw_watch *watch);

#endif

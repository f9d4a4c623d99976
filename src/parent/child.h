/*
 * The engine as the parent's child: its start, its channel, its end.
 *
 * The struct is its owner's and must outlive the loop's run.  Messages of the engine are validated
 * before the owner sees them; an engine that sends an invalid one is killed.
 */
#ifndef SALTWAY_PARENT_CHILD_H
#define SALTWAY_PARENT_CHILD_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "base/error.h"
#include "channel/channel.h"
#include "channel/setup.h"
#include "config/config.h"
#include "parent/host.h"

struct sw_child {
  pid_t pid;                                           /* 0: there is none (any more) */
  bool started;                                        /* it is confined and carries packets */
  char failure[SW_ERROR_TEXT];                         /* why it ended; empty: it was told to */
  char fingerprints[SW_PSKS_MAX][SW_FINGERPRINT_TEXT]; /* of the link's keys; else empty */
  unsigned psk_count;
  void (*heard)(void *user, const struct sw_snapshot *snapshot);
  void *user;

  int channel; /* the parent's end */
  uv_poll_t poll;
  uv_timer_t patience;
  bool stopping;
};

/** Whether the engine gives up its privileges: as configured, if this build can. */
bool sw_child_confined(const struct sw_config *config);

/** Forks the engine, which runs `engine`.  `psks` is from sodium_malloc; it is wiped once the
 * engine has its copy.  The owner has set `heard` and `user`.  Returns 0, or a negative errno with `error`
 * filled.  Then run the loop until `started` is true or `pid` is 0. */
int sw_child_start(struct sw_child *child, uv_loop_t *loop, sw_setup_main *engine,
                   const struct sw_config *config, const struct sw_host *host, struct sw_psks *psks,
                   struct sw_error *error);

/** Sends a message; does nothing without an engine.  Returns whether none is missing: the channel may
 * be full, because the engine does not read it now. */
bool sw_child_send(struct sw_child *child, const struct sw_channel_message *message);

/** Whether the link's keys have these fingerprints, in this order. */
bool sw_child_has_keys(const struct sw_child *child, const struct sw_psks *psks);

/** Tells the engine what another configuration and other keys say, once it has started.  An engine
 * that does not read its messages is killed.  Returns whether it was told. */
bool sw_child_change(struct sw_child *child, const struct sw_config *config, unsigned mtu,
                     const struct sw_psks *psks);

/** Tells the engine to close the link and end, and kills it if it does not.  Run the loop until
 * `pid` is 0. */
void sw_child_stop(struct sw_child *child);

#endif

/*
 * The addresses of the peer's endpoints.  Names are looked up by a resolver process at start, and
 * again while the link is not up, as the addresses may have changed.
 *
 * The resolver is another image of saltway (resolver/resolver.h) without a terminal, without a
 * descriptor but its channel, and without privileges.  A lookup that fails keeps the addresses that
 * were found before.  The struct belongs to its owner and must outlive the loop's run; only the
 * loop's thread may use it.
 */
#ifndef SALTWAY_PARENT_NAMES_H
#define SALTWAY_PARENT_NAMES_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "channel/names.h"
#include "config/config.h"

#define SW_NAMES_TEXT 640
#define SW_NAMES_SECONDS 120 /* a resolver that does not answer for so long is ended */

struct sw_names {
  uv_loop_t *loop;
  const struct sw_config *config;
  void (*done)(void *user, const struct sw_address *addresses, size_t count);
  void *user;
  pid_t resolver; /* 0: none */
  int channel;    /* to it */
  uv_poll_t poll;
  uv_timer_t patience;
  unsigned open_handles;       /* of the two above; 0: the next lookup may start */
  uint32_t answered;           /* endpoints the resolver has answered for, in their order */
  char failure[SW_NAMES_TEXT]; /* what failed in the latest lookup; empty: nothing */
  char failing[SW_NAMES_TEXT]; /* in the lookup under way */
  struct sw_names_answer found[SW_CONFIG_ENDPOINTS_MAX];
};

/** `done` gets all addresses known after a lookup, in the order of the configuration file. */
void sw_names_init(struct sw_names *names, uv_loop_t *loop, const struct sw_config *config,
                   void (*done)(void *user, const struct sw_address *addresses, size_t count),
                   void *user);

/** Looks up all endpoints, then calls `done`; at once where all of them are addresses.  Does nothing
 * while a lookup is under way. */
void sw_names_start(struct sw_names *names);

/** Ends the lookup under way without calling `done`. */
void sw_names_stop(struct sw_names *names);

#endif

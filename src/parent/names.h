/*
 * The addresses of the peer's endpoints.  Names are looked up by a resolver process: at the start,
 * again and again while the link is not up, and every five minutes while it is, as the addresses may
 * change.  All addresses of every name are used.
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

/* Pauses between lookups, in seconds.  After failures they double from 1 s. */
#define SW_NAMES_AGAIN 5 /* while the link is not up */
#define SW_NAMES_FAILED_MOST 30
#define SW_NAMES_UP 300 /* while it is */

/* Seconds between two lines of the log about a name whose addresses change. */
#define SW_NAMES_TELL 300

struct sw_name {
  struct sw_names_answer found;
  struct sw_names_answer told; /* the one that the log is about */
  uint64_t quiet_until;        /* nothing is logged about it before that time */
};

struct sw_names {
  /* what the owner may read */
  struct sw_address addresses[SW_ENDPOINTS_MAX]; /* all that are known, in order of preference */
  size_t count;
  char failure[SW_NAMES_TEXT]; /* what failed in the latest lookup; empty: nothing */
  struct sw_address server;    /* a name server that is reached through the link; port 0: none */

  uv_loop_t *loop;
  const struct sw_config *config;
  unsigned interface; /* the link's */
  void (*changed)(void *user);
  void *user;
  bool up;           /* the link */
  unsigned failures; /* lookups in a row that failed */
  uint64_t started;  /* when the latest lookup was */
  pid_t resolver;    /* 0: none */
  int channel;       /* to it */
  uv_poll_t poll;
  bool polling;                /* the handle is open */
  bool named;                  /* an endpoint is a name */
  bool due;                    /* the next lookup begins as soon as the handle is closed */
  uv_timer_t timer;            /* the resolver's patience, or the next lookup */
  uint32_t answered;           /* endpoints the resolver has answered for, in their order */
  char failing[SW_NAMES_TEXT]; /* in the lookup under way */
  struct sw_address failing_server;
  struct sw_name names[SW_CONFIG_ENDPOINTS_MAX];
};

/** Starts a resolver that answers on `channel`, one end of a SOCK_SEQPACKET pair.  Returns its pid, for
 * which the caller waits, or a negative errno. */
pid_t sw_names_start_resolver(const struct sw_config *config, int channel);

/** Takes the endpoints that are addresses, and begins to look up the others.  `interface` is the index
 * of the link's.  `changed` is called
 * from the loop whenever other addresses are known than before.  If no endpoint is a name, all is
 * known on return. */
void sw_names_open(struct sw_names *names, uv_loop_t *loop, const struct sw_config *config,
                   unsigned interface, void (*changed)(void *user), void *user);

/** Takes over the endpoints of a reload: the configuration was `before` and is another one now.  What
 * is known of a host that stays is kept; the names are looked up at once.  Calls `changed`. */
void sw_names_change(struct sw_names *names, const struct sw_config *before);

/** The place in the configuration of the first endpoint that has this address, from 0; 0, too, if none
 * has it. */
unsigned sw_names_place(const struct sw_names *names, const struct sw_address *address);

/** Tells whether the link is up, which decides when names are looked up next. */
void sw_names_link(struct sw_names *names, bool up);

/** Ends the lookup under way, and looks up nothing more.  Run the loop once afterwards. */
void sw_names_close(struct sw_names *names);

#endif

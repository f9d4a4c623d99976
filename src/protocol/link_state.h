/*
 * The state of a link, shared by the files that implement it: link.c (init, sealing, close,
 * status), receive.c (received datagrams), schedule.c (timers), paths.c (paths), control.c (control
 * datagrams).
 */
#ifndef SALTWAY_PROTOCOL_LINK_STATE_H
#define SALTWAY_PROTOCOL_LINK_STATE_H

#include "protocol/cookie.h"
#include "protocol/endpoints.h"
#include "protocol/filter.h"
#include "protocol/keyring.h"
#include "protocol/pathmtu.h"
#include "protocol/paths.h"
#include "protocol/seen.h"
#include "protocol/sessions.h"
#include "saltway/link.h"

#define SW_NEVER UINT64_MAX

/* Datagrams that answer the one received last. */
#define SW_REPLIES 2

struct sw_reply {
  struct sw_path path;
  size_t length; /* 0: none */
  uint8_t bytes[SW_REPLY_MAX];
};

/* The inits since a session was confirmed or closed by the peer.  All zero: none was sent. */
struct sw_retry {
  uint64_t at;    /* earliest time of the next init */
  uint64_t renew; /* before this time the same init is repeated */
  uint64_t delay; /* from the latest new init to the next one; doubles each time */
  unsigned inits; /* new ones */
  unsigned place; /* of the endpoint that is next, */
  unsigned sends; /* and how often the latest init was sent */
};

struct sw_link {
  struct sw_link_status status; /* never read, except to count in it */
  uint64_t now;                 /* the latest time passed to the link */
  struct sw_cookies cookies;
  struct sw_seen seen;
  struct sw_move move;

  uint64_t persistent_keepalive;
  bool closing;
  bool silent; /* no path to the peer works, or its host refused */

  struct sw_keyring keyring;
  uint8_t me[SW_ME_BYTES];
  struct sw_sessions sessions;
  struct sw_initiation initiation;
  struct sw_retry retry;
  struct sw_paths paths;
  struct sw_pathmtu pathmtu;
  struct sw_endpoints endpoints;
  struct sw_reply replies[SW_REPLIES];

  struct sw_filter filter;
};

/* link.c */
void sw_link_advance(struct sw_link *link, uint64_t now);

/* schedule.c: a random time below `limit`, and events that change timers */
uint64_t sw_jitter(uint64_t limit);
void sw_schedule_responded(struct sw_link *link);
void sw_schedule_confirmed(struct sw_link *link);
void sw_schedule_peer_closed(struct sw_link *link);
void sw_schedule_keys_changed(struct sw_link *link);

#endif

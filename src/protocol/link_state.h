/*
 * The state of a link, shared by the files that implement it: link.c (init, sealing, close,
 * status), receive.c (received datagrams), schedule.c (timers), control.c (control datagrams).
 */
#ifndef SALTWAY_PROTOCOL_LINK_STATE_H
#define SALTWAY_PROTOCOL_LINK_STATE_H

#include "protocol/cookie.h"
#include "protocol/endpoints.h"
#include "protocol/filter.h"
#include "protocol/keyring.h"
#include "protocol/seen.h"
#include "protocol/sessions.h"
#include "saltway/link.h"

#define SW_NEVER UINT64_MAX

#define SW_PROBES 4

/* A probe that we sent. */
struct sw_probe {
  uint64_t token;
  uint64_t sent; /* 0: none, or acknowledged */
  bool periodic; /* lost if it is not acknowledged before the next periodic one */
};

/* When each timer is due, or SW_NEVER: see schedule.c. */
struct sw_schedule {
  uint64_t answer;
  uint64_t keepalive;
  uint64_t probe;
};

/* The inits since a session was confirmed or closed by the peer.  All zero: none was sent. */
struct sw_retry {
  uint64_t at;    /* earliest time of the next init */
  uint64_t renew; /* before this time the same init is repeated */
  uint64_t delay; /* from the latest new init to the next one; doubles each time */
  unsigned inits; /* new ones, and with repeats: */
  unsigned sends;
};

struct sw_link {
  struct sw_link_status status; /* never read, except to count in it */
  uint64_t now;                 /* the latest time passed to the link */
  struct sw_cookies cookies;
  struct sw_seen seen;

  uint64_t persistent_keepalive;
  uint64_t keepalive_after, answer_within; /* random; renewed when the timer fires */
  bool closing;
  bool silent; /* the peer did not answer, or its host refused */

  struct sw_keyring keyring;
  uint8_t me[SW_ME_BYTES];
  struct sw_sessions sessions;
  struct sw_initiation initiation;
  struct sw_retry retry;
  struct sw_schedule timers;
  struct sw_probe probes[SW_PROBES];
  unsigned probe_next;

  struct sw_endpoints endpoints;

  uint8_t reply[SW_CONTROL_MAX]; /* to the datagram received last */
  size_t reply_length;           /* 0: none */
  struct sw_path reply_path;

  struct sw_filter filter;
};

/* link.c */
void sw_link_advance(struct sw_link *link, uint64_t now);

/* schedule.c: events that change timers */
void sw_schedule_start(struct sw_link *link);
void sw_schedule_received(struct sw_link *link);
void sw_schedule_received_packet(struct sw_link *link);
void sw_schedule_sent(struct sw_link *link, bool answer_expected);
void sw_schedule_responded(struct sw_link *link);
void sw_schedule_confirmed(struct sw_link *link);
void sw_schedule_peer_closed(struct sw_link *link);
void sw_schedule_keys_changed(struct sw_link *link);
void sw_schedule_keepalive_changed(struct sw_link *link);

#endif

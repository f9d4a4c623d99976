/*
 * The state of a link, for the files that make it up: link.c (make, ask, seal, close), receive.c
 * (what arrives), schedule.c (what is due), control.c (the link's own datagrams in a session).
 */
#ifndef SALTWAY_PROTOCOL_LINK_STATE_H
#define SALTWAY_PROTOCOL_LINK_STATE_H

#include "protocol/cookie.h"
#include "protocol/endpoints.h"
#include "protocol/filter.h"
#include "protocol/handshake.h"
#include "protocol/pending.h"
#include "protocol/seen.h"
#include "protocol/session.h"
#include "saltway/link.h"

#define SW_NEVER UINT64_MAX

/*
 * Room for current, previous, one begun by us and not confirmed, and the twin that arises when both
 * ends begin at once: so that no session is wiped that the peer may still send on.
 */
#define SW_SESSIONS 4

#define SW_PROBES 4

/* A probe whose ack would tell the round-trip time. */
struct sw_probe {
  uint64_t token;
  uint64_t sent; /* 0: not waited for */
  bool periodic; /* counts as lost if it is not answered before the next */
};

/* Each is a time at which something is due, or SW_NEVER: see schedule.c. */
struct sw_schedule {
  uint64_t answer;
  uint64_t keepalive;
  uint64_t probe;
};

/* The handshake under way, since the latest session was confirmed.  All zero: none was tried. */
struct sw_retry {
  uint64_t at;    /* the next init is not sent before */
  uint64_t renew; /* until then the same init is sent */
  uint64_t delay; /* from the latest new init to the next, doubled each time */
  unsigned sends;
};

struct sw_link {
  struct sw_link_status status; /* written only, but for what it counts */
  uint64_t now;                 /* the latest time seen */
  struct sw_cookies cookies;    /* these two are load, and what is done against it */
  struct sw_seen seen;

  uint64_t persistent_keepalive;
  uint64_t keepalive_after, answer_within; /* random; drawn anew when over, not for each packet */
  bool closing;
  bool silent;     /* what was sent is not answered */
  bool keys_wiped; /* of a session, since it was asked */

  struct sw_keys keys;
  uint8_t me[SW_ME_BYTES];
  struct sw_session sessions[SW_SESSIONS];
  struct sw_session *current; /* the youngest confirmed, or NULL: packets are sent in it */
  struct sw_initiation initiation;
  struct sw_retry retry;
  struct sw_pending pending;
  struct sw_schedule timers;
  struct sw_probe probes[SW_PROBES];
  unsigned probe_next;

  struct sw_endpoints endpoints;

  uint8_t reply[SW_CONTROL_MAX]; /* to what was just received */
  size_t reply_length;           /* 0: none */
  struct sw_path reply_path;

  struct sw_filter filter;
};

/* link.c */
void sw_link_advance(struct sw_link *link, uint64_t now);
void sw_link_session_wipe(struct sw_link *link, struct sw_session *session);
struct sw_session *sw_link_session_place(struct sw_link *link);
struct sw_session *sw_link_begun_session(struct sw_link *link);
struct sw_session *sw_link_sending_session(struct sw_link *link);
uint32_t sw_link_session_id(struct sw_link *link);

/* schedule.c: events that timers depend on */
void sw_schedule_start(struct sw_link *link);
void sw_schedule_received(struct sw_link *link);
void sw_schedule_received_packet(struct sw_link *link);
void sw_schedule_sent(struct sw_link *link, bool answer_expected);
void sw_schedule_responded(struct sw_link *link);
void sw_schedule_confirmed(struct sw_link *link);
void sw_schedule_peer_closed(struct sw_link *link);

#endif

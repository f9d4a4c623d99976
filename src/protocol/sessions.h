/*
 * The sessions of a link, and the state of each.
 *
 * A session that we answered waits as a pending entry (pending.h): an init can be replayed, so many
 * of these may exist, and an entry is small.  With the first datagram from the peer it becomes a
 * row here.  A session that we began is a row from the response on.  The link owns and wipes both.
 */
#ifndef SALTWAY_PROTOCOL_SESSIONS_H
#define SALTWAY_PROTOCOL_SESSIONS_H

#include "protocol/pending.h"
#include "protocol/session.h"

/* Room for the current session, the previous one, an unconfirmed one, and a second one if both ends
 * begin at the same time.  So no session is wiped in which the peer may still send. */
#define SW_SESSIONS 4

struct sw_sessions {
  struct sw_session rows[SW_SESSIONS]; /* one is unconfirmed at most */
  struct sw_session *current;          /* the confirmed one to send packets in, or NULL */
  struct sw_pending pending;
  bool wiped; /* a row or an entry was wiped since sw_link_keys_wiped */
};

/** The row with this id of ours, or NULL.  `id` is not 0. */
struct sw_session *sw_sessions_find(struct sw_sessions *sessions, uint32_t id);

/** The unconfirmed session, or NULL. */
struct sw_session *sw_sessions_unconfirmed(const struct sw_sessions *sessions);

/** The session to send in: the current one, else the unconfirmed one, else NULL. */
struct sw_session *sw_sessions_sending(const struct sw_sessions *sessions);

/** Any row that is not empty, or NULL. */
struct sw_session *sw_sessions_any(const struct sw_sessions *sessions);

/** A row for a new session: an empty one, or that of the oldest session that is not current, which
 * is wiped. */
struct sw_session *sw_sessions_place(struct sw_sessions *sessions);

/** A random id that no session has, and that is neither 0 nor `reserved`. */
uint32_t sw_sessions_id(struct sw_sessions *sessions, uint32_t reserved);

/** Confirms a session.  It becomes the current one unless that is younger.  Returns whether it
 * did. */
bool sw_sessions_confirm(struct sw_sessions *sessions, struct sw_session *session);

void sw_sessions_wipe(struct sw_sessions *sessions, struct sw_session *session);

/** Wipes all rows and pending entries that were made under `keys`. */
void sw_sessions_wipe_key(struct sw_sessions *sessions, const struct sw_keys *keys);

/** Wipes the rows and pending entries whose time is over. */
void sw_sessions_expire(struct sw_sessions *sessions, uint64_t now);

/** When sw_sessions_expire has to be called next; UINT64_MAX: not before there is another session.
 * */
uint64_t sw_sessions_deadline(const struct sw_sessions *sessions);

#endif

/*
 * The timers of a link.
 *
 * - expiry: sessions, pending entries and the ephemeral key of an init expire.
 * - reply: the reply to the datagram received last is sent at once.
 * - farewell: when the link is closed, a farewell is sent in each session.
 * - init: an init is sent, repeated and renewed while there is no current session, no path works,
 *   or the session is old.  After a response the next init waits until the peer's pending entry has
 *   expired.  With two keys, inits take them in turn, beginning with the first.
 * - confirmation: a probe is repeated in an unconfirmed session.
 * - probe: see paths.h and pathmtu.h.
 *
 * The delays have a random part, so that links cannot be recognized by their timing.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "protocol/control.h"
#include "protocol/link_state.h"

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

uint64_t sw_jitter(uint64_t limit) {
  return randombytes_uniform((uint32_t)(limit / SW_MILLISECOND)) * SW_MILLISECOND;
}

static uint64_t refused_delay(void) {
  return SW_REFUSED_RETRY - sw_jitter(SW_REFUSED_JITTER);
}

/* ---- events ---- */

void sw_schedule_responded(struct sw_link *link) {
  link->retry.at = link->now + SW_PENDING_LIFETIME + sw_jitter(SW_RETRY_JITTER);
}

void sw_schedule_confirmed(struct sw_link *link) {
  link->status.attempts = 0;
  link->retry = (struct sw_retry){0};
  sodium_memzero(&link->initiation, sizeof(link->initiation));
}

void sw_schedule_peer_closed(struct sw_link *link) {
  link->status.closed_time = link->now;
  link->retry = (struct sw_retry){.at = link->now + SW_RETRY_FIRST + sw_jitter(SW_RETRY_JITTER)};
}

void sw_link_error(struct sw_link *link, uint64_t now, const struct sw_address *peer, int error) {
  sw_link_advance(link, now);
  struct sw_endpoint *endpoint = sw_endpoints_find(&link->endpoints, peer);
  if (!endpoint || link->closing) return;
  if (error == EMSGSIZE) {
    if (link->sessions.current) sw_pathmtu_reported(link);
    return;
  }
  endpoint->error = error;
  endpoint->error_time = link->now;
  const struct sw_paths *paths = &link->paths;
  const struct sw_session *current = link->sessions.current;
  const bool active = current && sw_address_equal(&paths->active->path.peer, peer);
  if (active) sw_paths_failed(link);
  if (link->initiation.local && error == ECONNREFUSED)
    link->retry.at = earlier(link->retry.at, link->now + refused_delay());
  else if (link->initiation.local && link->retry.sends < link->endpoints.count)
    link->retry.at = link->now; /* the next endpoint */
  else if (active && error == ECONNREFUSED && link->now - current->created >= SW_REFUSED_MEMORY)
    link->silent = true; /* the report may be forged: an ack or a handshake shows the truth */
}

/* An init in progress may be sealed with a key that is gone, or that is not the first any more.  A
 * session that waits for its confirmation gets the time for it: the peer may send in it already. */
void sw_schedule_keys_changed(struct sw_link *link) {
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions.rows[i];
    if (session->state == SW_SESSION_EMPTY || session->keys == sw_keyring_at(&link->keyring, 0))
      continue;
    const bool confirmed = session->state == SW_SESSION_CONFIRMED;
    session->rekey_at = confirmed ? link->now : sw_session_end(session);
  }
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  if (!sw_sessions_unconfirmed(&link->sessions)) link->retry = (struct sw_retry){0};
}

/* ---- timers ---- */

static uint64_t expiry_due(const struct sw_link *link) {
  const uint64_t due = sw_sessions_deadline(&link->sessions);
  return link->initiation.local ? earlier(due, link->retry.renew) : due;
}

static void expire(struct sw_link *link) {
  sw_sessions_expire(&link->sessions, link->now);
  if (link->now >= link->retry.renew) sodium_memzero(&link->initiation, sizeof(link->initiation));
}

static size_t run_expiry(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  (void)datagram, (void)path;
  expire(link);
  return 0;
}

static uint64_t reply_due(const struct sw_link *link) {
  for (unsigned i = 0; i < SW_REPLIES; i++)
    if (link->replies[i].length) return 0;
  return SW_NEVER;
}

static size_t send_reply(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_reply *reply = link->replies;
  while (!reply->length) reply++;
  const size_t length = reply->length;
  memcpy(datagram, reply->bytes, length);
  *path = reply->path;
  reply->length = 0;
  return length;
}

static uint64_t farewell_due(const struct sw_link *link) {
  return link->closing && sw_sessions_any(&link->sessions) ? 0 : SW_NEVER;
}

static size_t send_farewell(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_session *session;
  size_t length = 0;
  while (!length && (session = sw_sessions_any(&link->sessions))) {
    const bool confirmed = session->state == SW_SESSION_CONFIRMED && link->paths.active;
    *path = confirmed ? link->paths.active->path : session->path;
    length = sw_control_farewell(link, session, datagram);
    sw_sessions_wipe(&link->sessions, session);
  }
  return length;
}

static uint64_t init_due(const struct sw_link *link) {
  if (!link->endpoints.count) return SW_NEVER;
  const struct sw_session *current = link->sessions.current;
  const bool needed = !current || link->silent;
  return later(needed ? 0 : sw_session_rekey_time(current), link->retry.at);
}

/* The place of the endpoint that an init is sent to first: that of the active path, if it works. */
static unsigned first_place(const struct sw_link *link) {
  const struct sw_endpoints *endpoints = &link->endpoints;
  for (unsigned i = 0; link->sessions.current && !link->silent && i < endpoints->count; i++)
    if (sw_address_equal(&endpoints->known[i].address, &link->paths.active->path.peer)) return i;
  return 0;
}

static void begin_init(struct sw_link *link) {
  struct sw_retry *retry = &link->retry;
  const struct sw_keys *keys = sw_keyring_at(&link->keyring, retry->inits++);
  sw_initiation_begin(&link->initiation, keys, link->me, sw_sessions_id(&link->sessions, 0));
  retry->delay = retry->delay ? earlier(2 * retry->delay, SW_RETRY_LAST) : SW_RETRY_FIRST;
  retry->renew = link->now + later(retry->delay, link->endpoints.count * SW_RETRY_STAGGER) +
                 sw_jitter(SW_RETRY_JITTER);
  retry->place = first_place(link);
  retry->sends = 0;
}

/* After a report that nothing listens at the peer's address the same init is repeated, instead of a
 * new one: the report may be forged, and the response be on its way. */
static size_t send_init(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_retry *retry = &link->retry;
  struct sw_initiation *initiation = &link->initiation;
  struct sw_endpoints *endpoints = &link->endpoints;
  if (!initiation->local) begin_init(link);
  assert(endpoints->count > 0); /* see init_due */
  struct sw_endpoint *endpoint = &endpoints->known[retry->place++ % endpoints->count];
  retry->sends++;
  retry->at = retry->renew;
  if (retry->sends < endpoints->count)
    retry->at = earlier(retry->at, link->now + SW_RETRY_STAGGER - sw_jitter(SW_RETRY_STAGGER / 5));
  if (sw_endpoints_refused(endpoints, link->now))
    retry->at = earlier(retry->at, link->now + refused_delay());
  initiation->to = endpoint->address;
  endpoint->init = initiation->local;
  endpoint->attempt_time = link->now;
  link->status.attempt_time = link->now;
  link->status.attempts++;
  *path = (struct sw_path){.peer = endpoint->address};
  return sw_message_seal(initiation->keys, initiation->plain, initiation->length, datagram);
}

static uint64_t confirmation_due(const struct sw_link *link) {
  const struct sw_session *session = sw_sessions_unconfirmed(&link->sessions);
  return session ? session->probe_at : SW_NEVER;
}

static size_t send_confirmation(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_session *session = sw_sessions_unconfirmed(&link->sessions);
  session->probe_at =
      link->now + session->probe_interval + sw_jitter(session->probe_interval / SW_CONFIRM_SPREAD);
  session->probe_interval = earlier(2 * session->probe_interval, SW_CONFIRM_LAST);
  *path = session->path;
  uint32_t token;
  randombytes_buf(&token, sizeof(token)); /* of no path */
  return sw_control_probe(link, session, SW_KIND_PROBE, token, SW_PROBE_BYTES, SW_PROBE_MAX,
                          datagram);
}

/* A timer: when it is due, and the action, after which it is due later.  An action returns the
 * length of the datagram it made, or 0. */
static const struct {
  uint64_t (*due)(const struct sw_link *link);
  size_t (*act)(struct sw_link *link, uint8_t *datagram, struct sw_path *path);
  bool whole; /* see sw_link_transmit */
} timers[] = {
    {expiry_due, run_expiry, false},
    {reply_due, send_reply, false},
    {farewell_due, send_farewell, false},
    {init_due, send_init, false},
    {confirmation_due, send_confirmation, false},
    {sw_paths_due, sw_paths_probe, false},
    {sw_pathmtu_due, sw_pathmtu_probe, true},
};
enum {
  TIMERS_OF_CLOSED = 3, /* the first three, when the link is closed */
  TIMERS = sizeof(timers) / sizeof(timers[0]),
};

static unsigned timers_of(const struct sw_link *link) {
  return link->closing ? TIMERS_OF_CLOSED : TIMERS;
}

void sw_link_expire(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  expire(link);
}

size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_path *path, bool *whole) {
  sw_link_advance(link, now);
  for (unsigned i = 0; i < timers_of(link); i++) {
    if (link->now < timers[i].due(link)) continue;
    *whole = timers[i].whole;
    const size_t length = timers[i].act(link, datagram, path);
    if (length) return length;
  }
  return 0;
}

uint64_t sw_link_deadline(const struct sw_link *link) {
  uint64_t deadline = SW_NEVER;
  for (unsigned i = 0; i < timers_of(link); i++) deadline = earlier(deadline, timers[i].due(link));
  return later(deadline, link->now);
}

/*
 * What a link does by itself, and when.
 *
 * - Pending answers and sessions expire by their age.
 * - A reply to what was just received is sent at once; so are farewells when the link is closed.
 * - answer: something that asks for an answer was sent, and nothing authentic was received since.
 *   Then the link is silent, until a session is confirmed: the peer may be in a session that we
 *   have wiped, so what it sends in it proves nothing.
 * - handshake: an init is sent, repeated and renewed while there is no session, the link is silent,
 *   or the session is to be renewed.  After a response the next init waits until the peer has
 *   wiped its pending answer.
 * - confirmation: a probe is repeated in a session that we began until it is confirmed.
 * - probe: the periodic one (PersistentKeepalive at most) keeps NAT mappings open, measures the
 *   round-trip time, and finds a dead peer on an idle link.
 * - keepalive: a packet was received and nothing was sent since.
 *
 * Each has a random part, so that no time between two datagrams is the same for all links.
 */
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

static uint64_t jitter(uint64_t limit) {
  return randombytes_uniform((uint32_t)(limit / SW_MILLISECOND)) * SW_MILLISECOND;
}

static uint64_t probe_delay(const struct sw_link *link) {
  return link->persistent_keepalive - jitter(link->persistent_keepalive / SW_PROBE_SPREAD);
}

static uint64_t keepalive_delay(void) {
  return SW_KEEPALIVE_AFTER - jitter(SW_KEEPALIVE_JITTER);
}

static uint64_t answer_delay(void) {
  return SW_ANSWER_WITHIN - jitter(SW_ANSWER_JITTER);
}

static uint64_t refused_delay(void) {
  return SW_REFUSED_RETRY - jitter(SW_REFUSED_JITTER);
}

/* ---- events ---- */

void sw_schedule_start(struct sw_link *link) {
  link->answer_within = answer_delay();
  link->keepalive_after = keepalive_delay();
  link->timers = (struct sw_schedule){SW_NEVER, SW_NEVER, SW_NEVER};
}

void sw_schedule_received(struct sw_link *link) {
  link->timers.answer = SW_NEVER;
  link->status.received_time = link->now;
}

void sw_schedule_received_packet(struct sw_link *link) {
  if (link->timers.keepalive == SW_NEVER)
    link->timers.keepalive = link->now + link->keepalive_after;
}

void sw_schedule_sent(struct sw_link *link, bool answer_expected) {
  link->timers.keepalive = SW_NEVER;
  link->status.sent_time = link->now;
  if (answer_expected && link->timers.answer == SW_NEVER)
    link->timers.answer = link->now + link->answer_within;
}

void sw_schedule_responded(struct sw_link *link) {
  link->retry.at = link->now + SW_PENDING_LIFETIME + jitter(SW_RETRY_JITTER);
}

void sw_schedule_confirmed(struct sw_link *link) {
  link->silent = false;
  link->status.attempts = 0;
  link->retry = (struct sw_retry){0};
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  if (link->persistent_keepalive) link->timers.probe = link->now + probe_delay(link);
}

void sw_schedule_peer_closed(struct sw_link *link) {
  link->status.closed_time = link->now;
  link->retry = (struct sw_retry){.at = link->now + SW_RETRY_FIRST + jitter(SW_RETRY_JITTER)};
}

void sw_link_error(struct sw_link *link, uint64_t now, const struct sw_address *peer, int error) {
  sw_link_advance(link, now);
  struct sw_endpoint *endpoint = sw_endpoints_find(&link->endpoints, peer);
  if (!endpoint || link->closing) return;
  endpoint->error = error;
  endpoint->error_time = link->now;
  if (error != ECONNREFUSED) return;
  if (link->initiation.local)
    link->retry.at = earlier(link->retry.at, link->now + refused_delay());
  else if (link->current && link->timers.answer != SW_NEVER &&
           link->now - link->current->created >= SW_REFUSED_MEMORY)
    link->silent = true; /* a handshake will show whether the report was forged */
}

/* ---- timers ---- */

static uint64_t pending_due(const struct sw_link *link) {
  return sw_pending_deadline(&link->pending);
}

static size_t expire_pending(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  (void)datagram, (void)path;
  sw_pending_expire(&link->pending, link->now);
  return 0;
}

static uint64_t sessions_due(const struct sw_link *link) {
  uint64_t due = SW_NEVER;
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (link->sessions[i].local) due = earlier(due, sw_session_end(&link->sessions[i]));
  return due;
}

static size_t expire_sessions(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  (void)datagram, (void)path;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && link->now >= sw_session_end(session)) sw_link_session_wipe(link, session);
  }
  return 0;
}

static uint64_t reply_due(const struct sw_link *link) {
  return link->reply_length ? 0 : SW_NEVER;
}

static size_t send_reply(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  const size_t length = link->reply_length;
  memcpy(datagram, link->reply, length);
  *path = link->reply_path;
  link->reply_length = 0;
  return length;
}

static uint64_t farewell_due(const struct sw_link *link) {
  return link->closing && sessions_due(link) != SW_NEVER ? 0 : SW_NEVER;
}

static size_t send_farewell(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  size_t length = 0;
  for (unsigned i = 0; i < SW_SESSIONS && !length; i++) {
    struct sw_session *session = &link->sessions[i];
    if (!session->local) continue;
    length = sw_control_farewell(link, session, datagram, path);
    sw_link_session_wipe(link, session);
  }
  return length;
}

static uint64_t answer_due(const struct sw_link *link) {
  return link->timers.answer;
}

static size_t fall_silent(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  (void)datagram, (void)path;
  link->timers.answer = SW_NEVER;
  link->answer_within = answer_delay();
  link->silent = true;
  return 0;
}

static uint64_t handshake_due(const struct sw_link *link) {
  if (!link->endpoints.count) return SW_NEVER;
  const bool needed = !link->current || link->silent;
  return later(needed ? 0 : sw_session_rekey_time(link->current), link->retry.at);
}

/* While the peer's host reports that nobody listens, the same init is repeated: the report may be
 * forged, and the answer under way. */
static size_t initiate(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_retry *retry = &link->retry;
  struct sw_initiation *initiation = &link->initiation;
  struct sw_endpoints *endpoints = &link->endpoints;
  struct sw_endpoint *endpoint = &endpoints->known[retry->sends++ % endpoints->count];
  if (!initiation->local || link->now >= retry->renew) {
    sw_initiation_begin(initiation, link->me, sw_link_session_id(link));
    retry->delay = retry->delay ? earlier(2 * retry->delay, SW_RETRY_LAST) : SW_RETRY_FIRST;
    retry->renew = link->now + retry->delay + jitter(SW_RETRY_JITTER);
  }
  retry->at = retry->renew;
  if (sw_endpoints_refused(endpoints, link->now))
    retry->at = earlier(retry->at, link->now + refused_delay());
  initiation->to = endpoint->address;
  endpoint->init = initiation->local;
  endpoint->attempt_time = link->now;
  link->status.attempt_time = link->now;
  link->status.attempts++;
  *path = (struct sw_path){.peer = endpoint->address};
  return sw_message_seal(&link->keys, initiation->plain, initiation->length, datagram);
}

static uint64_t confirmation_due(const struct sw_link *link) {
  const struct sw_session *begun = sw_link_begun_session((struct sw_link *)link);
  return begun ? begun->probe_at : SW_NEVER;
}

static size_t confirm(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_session *session = sw_link_begun_session(link);
  session->probe_at =
      link->now + session->probe_interval + jitter(session->probe_interval / SW_CONFIRM_SPREAD);
  session->probe_interval = earlier(2 * session->probe_interval, SW_CONFIRM_LAST);
  return sw_control_probe(link, session, false, datagram, path);
}

static bool can_send(const struct sw_link *link) {
  return sw_link_sending_session((struct sw_link *)link) != NULL;
}

static uint64_t probe_due(const struct sw_link *link) {
  return can_send(link) ? link->timers.probe : SW_NEVER;
}

static size_t probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  link->timers.probe = link->now + probe_delay(link);
  return sw_control_probe(link, sw_link_sending_session(link), true, datagram, path);
}

static uint64_t keepalive_due(const struct sw_link *link) {
  return can_send(link) ? link->timers.keepalive : SW_NEVER;
}

static size_t keepalive(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  link->timers.keepalive = SW_NEVER;
  link->keepalive_after = keepalive_delay();
  return sw_control_keepalive(link, sw_link_sending_session(link), datagram, path);
}

/* A timer: when it is due, and what is done then, which makes it due later.  That returns the
 * length of a datagram, or 0 if it made none. */
static const struct {
  uint64_t (*due)(const struct sw_link *link);
  size_t (*act)(struct sw_link *link, uint8_t *datagram, struct sw_path *path);
} timers[] = {
    {pending_due, expire_pending}, {sessions_due, expire_sessions},
    {reply_due, send_reply},       {farewell_due, send_farewell},
    {answer_due, fall_silent},     {handshake_due, initiate},
    {confirmation_due, confirm},   {probe_due, probe},
    {keepalive_due, keepalive},
};
enum {
  TIMERS_OF_EXPIRY = 2, /* the first ones: they make no datagram */
  TIMERS_OF_CLOSED = 4,
  TIMERS = sizeof(timers) / sizeof(timers[0]),
};

static unsigned timers_of(const struct sw_link *link) {
  return link->closing ? TIMERS_OF_CLOSED : TIMERS;
}

static size_t run(struct sw_link *link, unsigned count, uint8_t *datagram, struct sw_path *path) {
  for (unsigned i = 0; i < count; i++) {
    if (link->now < timers[i].due(link)) continue;
    const size_t length = timers[i].act(link, datagram, path);
    if (length) return length;
  }
  return 0;
}

void sw_link_expire(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  run(link, TIMERS_OF_EXPIRY, NULL, NULL);
}

size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_path *path) {
  sw_link_advance(link, now);
  return run(link, timers_of(link), datagram, path);
}

uint64_t sw_link_deadline(const struct sw_link *link) {
  uint64_t deadline = SW_NEVER;
  for (unsigned i = 0; i < timers_of(link); i++) deadline = earlier(deadline, timers[i].due(link));
  return later(deadline, link->now);
}

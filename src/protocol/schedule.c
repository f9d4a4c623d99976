/*
 * What a link does by itself, and when.
 *
 * - handshake: the next init is due.  Set while a session is needed: there is none, the current one
 * is to be renewed, or the peer does not answer.  After an init it is set for the next try; after a
 *   response, for the time at which the peer has forgotten its answer; confirming a session unsets
 * it.
 * - a session begun by us and not confirmed: a probe is repeated in it until anything of it comes
 * back.
 * - answer: something that asks for an answer was sent, and nothing authentic came since.  Set by
 *   the first such send, unset by anything authentic received; when it is reached the link is
 *   silent, and a handshake is needed.  It is pursued until a session is confirmed, whatever comes
 *   meanwhile: the peer may have confirmed one of ours, and send in it, after we forgot it.
 * - keepalive: a packet was received and nothing was sent since.  When it is reached an ack of no
 *   probe is sent, which asks for no answer.
 * - probe: the periodic probe (PersistentKeepalive at most), which keeps NAT mappings open,
 *   measures the round-trip time, and makes a peer's death known on an idle link.
 * - sessions and pending answers expire by their age.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "protocol/link_state.h"

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* No time that passes between two datagrams is the same for all links: each has a random part. */
static uint64_t jitter(uint64_t limit) {
  return randombytes_uniform((uint32_t)(limit / SW_MILLISECOND)) * SW_MILLISECOND;
}

static uint64_t probe_delay(const struct sw_link *link) {
  return link->persistent_keepalive - jitter(link->persistent_keepalive / SW_PROBE_JITTER);
}

static uint64_t keepalive_delay(void) {
  return SW_KEEPALIVE_AFTER - jitter(SW_KEEPALIVE_JITTER);
}

static uint64_t answer_delay(void) {
  return SW_ANSWER_WITHIN - jitter(SW_ANSWER_JITTER);
}

void sw_schedule_start(struct sw_link *link) {
  link->answer_within = answer_delay();
  link->keepalive_after = keepalive_delay();
  link->timers = (struct sw_schedule){SW_NEVER, SW_NEVER, SW_NEVER, SW_NEVER};
}

/* ---- what changed ---- */

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
  link->timers.handshake = link->now + SW_PENDING_LIFETIME + jitter(SW_RETRY_JITTER);
}

void sw_schedule_confirmed(struct sw_link *link) {
  link->silent = false;
  link->attempt = 0;
  link->status.attempts = 0;
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  link->timers.handshake = SW_NEVER;
  if (link->persistent_keepalive) link->timers.probe = link->now + probe_delay(link);
}

void sw_schedule_peer_closed(struct sw_link *link) {
  link->status.closed_time = link->now;
  link->silent = false;
  link->timers = (struct sw_schedule){SW_NEVER, SW_NEVER, SW_NEVER, SW_NEVER};
  link->timers.handshake = link->now + SW_RETRY_FIRST + jitter(SW_RETRY_JITTER);
}

/* ---- handshakes ---- */

static bool session_needed(const struct sw_link *link) {
  return !link->current || link->silent || sw_session_rekey_due(link->current, link->now);
}

static uint64_t refused_delay(void) {
  return SW_REFUSED_RETRY * 3 / 4 + jitter(SW_REFUSED_RETRY / 2);
}

static uint64_t retry_delay(const struct sw_link *link) {
  uint64_t delay = SW_RETRY_FIRST;
  for (unsigned i = 1; i < link->attempt && delay < SW_RETRY_LAST; i++) delay *= 2;
  return earlier(delay, SW_RETRY_LAST) + jitter(SW_RETRY_JITTER);
}

void sw_schedule_endpoints_changed(struct sw_link *link) {
  if (link->current || link->closing) return;
  if (!link->endpoints.count) {
    link->timers.handshake = SW_NEVER;
  } else if (link->timers.handshake == SW_NEVER) {
    link->timers.handshake = link->now;
  }
}

void sw_link_error(struct sw_link *link, uint64_t now, const struct sw_address *peer, int error) {
  sw_link_advance(link, now);
  struct sw_endpoint *endpoint = sw_endpoints_find(&link->endpoints, peer);
  if (!endpoint || link->closing) return;
  endpoint->error = error;
  endpoint->error_time = link->now;
  if (error != ECONNREFUSED) return;
  if (link->timers.handshake != SW_NEVER) {
    if (link->initiation.active)
      link->timers.handshake = earlier(link->timers.handshake, link->now + refused_delay());
  } else if (link->current && link->timers.answer != SW_NEVER &&
             link->now - link->status.handshake_time >= SW_REFUSED_MEMORY) {
    link->silent = true; /* not believed more than this: a new handshake shows what is true */
  }
}

static size_t initiate(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  if (!link->endpoints.count) {
    link->timers.handshake = SW_NEVER;
    return 0;
  }
  struct sw_endpoint *endpoint = &link->endpoints.known[link->attempt % link->endpoints.count];
  link->attempt++;
  link->status.attempts++;
  link->status.attempt_time = link->now;
  /* While the peer is said to refuse, the same init is repeated: that may be a forger's word, and
   * the answer under way. */
  if (link->now >= link->initiation.renewal) {
    sw_initiation_begin(&link->initiation, link->me, sw_link_session_id(link));
    link->initiation.renewal = link->now + retry_delay(link);
  }
  endpoint->init = link->initiation.local;
  endpoint->attempt_time = link->now;
  *path = (struct sw_path){.peer = endpoint->address};
  link->initiation.to = endpoint->address;
  link->timers.handshake = link->initiation.renewal;
  if (sw_endpoints_refused(&link->endpoints, link->now))
    link->timers.handshake = earlier(link->timers.handshake, link->now + refused_delay());
  return sw_message_seal(&link->keys, link->initiation.plain, link->initiation.length, datagram);
}

/* ---- what is due ---- */

void sw_link_expire(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  sw_pending_expire(&link->pending, link->now);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && link->now >= sw_session_end(session)) sw_link_session_wipe(link, session);
  }
}

static void tick(struct sw_link *link) {
  sw_link_expire(link, link->now);
  if (link->now >= link->timers.answer) {
    link->timers.answer = SW_NEVER;
    link->answer_within = answer_delay();
    link->silent = link->current != NULL;
  }
  if (!session_needed(link)) {
    link->timers.handshake = SW_NEVER;
    link->attempt = 0;
    sodium_memzero(&link->initiation, sizeof(link->initiation));
  } else if (link->timers.handshake == SW_NEVER && link->endpoints.count) {
    link->timers.handshake = link->now;
  }
}

/* All have the lengths of probes, so that no link shows by the sizes of its idle traffic, nor by
 * those of its end. */
size_t sw_schedule_seal(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                        uint64_t token, size_t most, uint8_t *datagram, struct sw_path *path) {
  assert(most >= SW_PROBE_BYTES);
  uint8_t plain[SW_PROBE_MAX] = {0};
  sw_store64(plain, token);
  if (most > SW_PROBE_MAX) most = SW_PROBE_MAX;
  const size_t length = SW_PROBE_BYTES + randombytes_uniform((uint32_t)(most - SW_PROBE_BYTES + 1));
  const int64_t sealed =
      sw_session_seal(session, link->keys.mask, link->now, kind, plain, length, datagram);
  if (sealed < 0) return 0;
  *path = session->path;
  sw_schedule_sent(link, kind == SW_KIND_PROBE);
  return (size_t)sealed;
}

static size_t probe(struct sw_link *link, struct sw_session *session, bool periodic,
                    uint8_t *datagram, struct sw_path *path) {
  struct sw_probe *const probe = &link->probes[link->probe_next++ % SW_PROBES];
  if (probe->sent && probe->periodic) link->status.probes_lost++;
  *probe = (struct sw_probe){.sent = link->now, .periodic = periodic};
  randombytes_buf(&probe->token, sizeof(probe->token));
  link->status.probes_sent += periodic;
  return sw_schedule_seal(link, session, SW_KIND_PROBE, probe->token, SW_PROBE_MAX, datagram, path);
}

/* An ack of no probe: its receiver takes it for a sign of life, and for nothing else. */
static size_t keepalive(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                        struct sw_path *path) {
  uint64_t token;
  link->timers.keepalive = SW_NEVER;
  link->keepalive_after = keepalive_delay();
  randombytes_buf(&token, sizeof(token));
  return sw_schedule_seal(link, session, SW_KIND_PROBE_ACK, token, SW_PROBE_MAX, datagram, path);
}

static size_t confirm(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                      struct sw_path *path) {
  session->probe_at =
      link->now + session->probe_interval + jitter(session->probe_interval / SW_CONFIRM_JITTER);
  session->probe_interval = earlier(2 * session->probe_interval, SW_CONFIRM_LAST);
  return probe(link, session, false, datagram, path);
}

static size_t farewell(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (!session->local) continue;
    const size_t length =
        sw_schedule_seal(link, session, SW_KIND_CLOSE, 0, SW_PROBE_MAX, datagram, path);
    sw_link_session_wipe(link, session);
    if (length) return length;
  }
  return 0;
}

size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_path *path) {
  sw_link_advance(link, now);
  if (link->reply_length) {
    const size_t length = link->reply_length;
    memcpy(datagram, link->reply, length);
    *path = link->reply_path;
    link->reply_length = 0;
    return length;
  }
  if (link->closing) return farewell(link, datagram, path);
  tick(link);
  size_t length = 0;
  if (link->now >= link->timers.handshake) length = initiate(link, datagram, path);
  for (unsigned i = 0; i < SW_SESSIONS && !length; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && !session->confirmed && link->now >= session->probe_at)
      length = confirm(link, session, datagram, path);
  }
  struct sw_session *session = sw_link_sending_session(link);
  if (!session) return length;
  if (!length && link->now >= link->timers.probe) {
    link->timers.probe = link->now + probe_delay(link);
    length = probe(link, session, true, datagram, path);
  }
  if (!length && link->now >= link->timers.keepalive)
    length = keepalive(link, session, datagram, path);
  return length;
}

uint64_t sw_link_deadline(const struct sw_link *link) {
  if (link->reply_length) return link->now;
  uint64_t deadline = sw_pending_deadline(&link->pending);
  const struct sw_schedule *timers = &link->timers;
  bool sessions = false, sending = link->current != NULL;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &link->sessions[i];
    if (!session->local) continue;
    sessions = true;
    deadline = earlier(deadline, sw_session_end(session));
    if (session->confirmed) continue;
    sending = true;
    deadline = earlier(deadline, session->probe_at);
  }
  if (link->closing) return sessions ? link->now : SW_NEVER;
  deadline = earlier(deadline, earlier(timers->handshake, timers->answer));
  if (sending) deadline = earlier(deadline, earlier(timers->keepalive, timers->probe));
  if (link->current && timers->handshake == SW_NEVER && link->endpoints.count) {
    deadline = earlier(deadline, link->current->rekey_at);
    if (session_needed(link)) deadline = link->now;
  }
  return deadline;
}

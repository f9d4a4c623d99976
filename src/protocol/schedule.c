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

/* Where the next init goes: the peer's last address and the configured ones in turn.  Returns
 * whether there is any. */
static bool next_endpoint(const struct sw_link *link, struct sw_address *endpoint) {
  const struct sw_address *candidates[SW_ENDPOINTS_MAX + 1];
  unsigned count = 0;
  if (link->status.peer.port) candidates[count++] = &link->status.peer;
  for (size_t i = 0; i < link->endpoint_count; i++)
    if (!sw_address_equal(&link->endpoints[i], &link->status.peer))
      candidates[count++] = &link->endpoints[i];
  if (count) *endpoint = *candidates[link->attempt % count];
  return count > 0;
}

bool sw_schedule_address_known(const struct sw_link *link, const struct sw_address *address) {
  if (sw_address_equal(address, &link->status.peer)) return true;
  for (size_t i = 0; i < link->endpoint_count; i++)
    if (sw_address_equal(address, &link->endpoints[i])) return true;
  return false;
}

static bool refused_lately(const struct sw_link *link) {
  return link->status.refused_time && link->now - link->status.refused_time < SW_REFUSED_MEMORY;
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
  struct sw_address endpoint;
  if (link->current || link->closing) return;
  if (!next_endpoint(link, &endpoint)) {
    link->timers.handshake = SW_NEVER;
  } else if (link->timers.handshake == SW_NEVER) {
    link->timers.handshake = link->now;
  }
}

void sw_link_refused(struct sw_link *link, uint64_t now, const struct sw_address *peer) {
  sw_link_advance(link, now);
  if (!sw_schedule_address_known(link, peer) || link->closing) return;
  link->status.refused_time = link->now;
  if (link->timers.handshake != SW_NEVER) {
    if (link->initiation.active)
      link->timers.handshake = earlier(link->timers.handshake, link->now + refused_delay());
  } else if (link->current && link->timers.answer != SW_NEVER &&
             link->now - link->status.handshake_time >= SW_REFUSED_MEMORY) {
    link->silent = true; /* not believed more than this: a new handshake shows what is true */
  }
}

static size_t initiate(struct sw_link *link, uint8_t *datagram, struct sw_address *to) {
  if (!next_endpoint(link, to)) {
    link->timers.handshake = SW_NEVER;
    return 0;
  }
  link->attempt++;
  link->status.attempts++;
  link->status.attempt_time = link->now;
  /* While the peer is said to refuse, the same init is repeated: that may be a forger's word, and
   * the answer under way. */
  if (link->now >= link->initiation.renewal) {
    sw_initiation_begin(&link->initiation, link->me, sw_link_session_id(link));
    link->initiation.renewal = link->now + retry_delay(link);
  }
  link->initiation.to = *to;
  link->timers.handshake = link->initiation.renewal;
  if (refused_lately(link))
    link->timers.handshake = earlier(link->timers.handshake, link->now + refused_delay());
  return sw_message_seal(&link->keys, link->initiation.plain, link->initiation.length, datagram);
}

/* ---- what is due ---- */

static void expire(struct sw_link *link) {
  sw_pending_expire(&link->pending, link->now);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && link->now >= sw_session_end(session)) sw_link_session_wipe(link, session);
  }
}

static void tick(struct sw_link *link) {
  expire(link);
  if (link->now >= link->timers.answer) {
    link->timers.answer = SW_NEVER;
    link->answer_within = answer_delay();
    link->silent = link->current != NULL;
  }
  struct sw_address endpoint;
  if (!session_needed(link)) {
    link->timers.handshake = SW_NEVER;
    link->attempt = 0;
    sodium_memzero(&link->initiation, sizeof(link->initiation));
  } else if (link->timers.handshake == SW_NEVER && next_endpoint(link, &endpoint)) {
    link->timers.handshake = link->now;
  }
}

/* All have the lengths of probes, so that no link shows by the sizes of its idle traffic, nor by
 * those of its end. */
size_t sw_schedule_seal(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                        uint64_t token, size_t most, uint8_t *datagram, struct sw_address *to) {
  assert(most >= SW_PROBE_BYTES);
  uint8_t plain[SW_PROBE_MAX] = {0};
  sw_store64(plain, token);
  if (most > SW_PROBE_MAX) most = SW_PROBE_MAX;
  const size_t length = SW_PROBE_BYTES + randombytes_uniform((uint32_t)(most - SW_PROBE_BYTES + 1));
  const int64_t sealed =
      sw_session_seal(session, link->keys.mask, link->now, kind, plain, length, datagram);
  if (sealed < 0) return 0;
  *to = session->address;
  sw_schedule_sent(link, kind == SW_KIND_PROBE);
  return (size_t)sealed;
}

static size_t probe(struct sw_link *link, struct sw_session *session, bool periodic,
                    uint8_t *datagram, struct sw_address *to) {
  struct sw_probe *const probe = &link->probes[link->probe_next++ % SW_PROBES];
  if (probe->sent && probe->periodic) link->status.probes_lost++;
  *probe = (struct sw_probe){.sent = link->now, .periodic = periodic};
  randombytes_buf(&probe->token, sizeof(probe->token));
  link->status.probes_sent += periodic;
  return sw_schedule_seal(link, session, SW_KIND_PROBE, probe->token, SW_PROBE_MAX, datagram, to);
}

/* An ack of no probe: its receiver takes it for a sign of life, and for nothing else. */
static size_t keepalive(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                        struct sw_address *to) {
  uint64_t token;
  link->timers.keepalive = SW_NEVER;
  link->keepalive_after = keepalive_delay();
  randombytes_buf(&token, sizeof(token));
  return sw_schedule_seal(link, session, SW_KIND_PROBE_ACK, token, SW_PROBE_MAX, datagram, to);
}

static size_t confirm(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                      struct sw_address *to) {
  session->probe_at =
      link->now + session->probe_interval + jitter(session->probe_interval / SW_CONFIRM_JITTER);
  session->probe_interval = earlier(2 * session->probe_interval, SW_CONFIRM_LAST);
  return probe(link, session, false, datagram, to);
}

static size_t farewell(struct sw_link *link, uint8_t *datagram, struct sw_address *to) {
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (!session->local) continue;
    const size_t length =
        sw_schedule_seal(link, session, SW_KIND_CLOSE, 0, SW_PROBE_MAX, datagram, to);
    sw_link_session_wipe(link, session);
    if (length) return length;
  }
  return 0;
}

size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_address *to) {
  sw_link_advance(link, now);
  if (link->reply_length) {
    const size_t length = link->reply_length;
    memcpy(datagram, link->reply, length);
    *to = link->reply_to;
    link->reply_length = 0;
    return length;
  }
  if (link->closing) return farewell(link, datagram, to);
  tick(link);
  size_t length = 0;
  if (link->now >= link->timers.handshake) length = initiate(link, datagram, to);
  for (unsigned i = 0; i < SW_SESSIONS && !length; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && !session->confirmed && link->now >= session->probe_at)
      length = confirm(link, session, datagram, to);
  }
  struct sw_session *session = sw_link_sending_session(link);
  if (!session) return length;
  if (!length && link->now >= link->timers.probe) {
    link->timers.probe = link->now + probe_delay(link);
    length = probe(link, session, true, datagram, to);
  }
  if (!length && link->now >= link->timers.keepalive)
    length = keepalive(link, session, datagram, to);
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
  struct sw_address endpoint;
  if (link->current && timers->handshake == SW_NEVER && next_endpoint(link, &endpoint)) {
    deadline = earlier(deadline, link->current->rekey_at);
    if (session_needed(link)) deadline = link->now;
  }
  return deadline;
}

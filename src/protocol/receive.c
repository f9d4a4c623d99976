/*
 * Received datagrams.  Nothing in a datagram is used before its tag has verified.  A datagram of a
 * stranger costs one SipHash, and mostly the check of one tag; a replayed one costs at most an
 * answer.  No answer is longer than the datagram it answers.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "packet/checksum.h"
#include "protocol/control.h"
#include "protocol/link_state.h"

static enum sw_received drop(struct sw_link *link, enum sw_drop reason) {
  sw_link_drop(link, reason, 1);
  return SW_RECEIVED_DROPPED;
}

/* Drops a datagram that none of our keys opens, and notes its source. */
static enum sw_received drop_foreign(struct sw_link *link, enum sw_drop reason,
                                     const struct sw_address *from) {
  struct sw_link_status *status = &link->status;
  const bool known = sw_endpoints_find(&link->endpoints, from);
  *(known ? &status->foreign_time : &status->stranger_time) = link->now;
  *(known ? &status->foreign : &status->stranger) = *from;
  return drop(link, reason);
}

/* Room for a reply on this path.  Replies that were not sent yet are lost. */
static struct sw_reply *reply_begin(struct sw_link *link, const struct sw_path *path) {
  for (unsigned i = 0; i < SW_REPLIES; i++) {
    if (link->replies[i].length) sw_link_drop(link, SW_DROP_REPLY_LOST, 1);
    link->replies[i].length = 0;
  }
  link->replies[0].path = *path;
  return &link->replies[0];
}

/* ---- handshake ---- */

static enum sw_received respond(struct sw_link *link, const struct sw_keys *keys,
                                const struct sw_path *path, const uint8_t *answer, size_t length) {
  link->status.init_time = link->now;
  link->status.init_from = path->peer;
  struct sw_reply *reply = reply_begin(link, path);
  reply->length = sw_message_seal(keys, answer, length, reply->bytes);
  return SW_RECEIVED_CONTROL;
}

/* `seen`: the same datagram was opened before.  `load`: more than SW_LOAD_INITS per second. */
static enum sw_received receive_init(struct sw_link *link, const struct sw_keys *keys,
                                     const struct sw_path *path,
                                     const struct sw_handshake_message *init, const uint8_t *plain,
                                     size_t length, bool seen, bool load) {
  const struct sw_address *from = &path->peer;
  uint8_t hash[SW_HASH_BYTES], answer[SW_INIT_MAX];
  sw_message_hash(plain, length, hash);
  const struct sw_pending_entry *entry = sw_pending_answered(&link->sessions.pending, hash, path);
  if (entry && seen) return drop(link, SW_DROP_REPEATED_INIT);
  if (entry) { /* sealed anew by the peer, so the response was lost */
    sw_response_compose(link->me, &entry->agreement, hash, entry->point, entry->length, answer);
    return respond(link, keys, &entry->path, answer, entry->length);
  }
  if ((load || link->sessions.pending.count >= SW_LOAD_PENDING) &&
      !sw_cookies_verify(&link->cookies, link->now, from, init->point, init->cookie)) {
    uint8_t cookie[SW_COOKIE_BYTES];
    sw_cookies_make(&link->cookies, link->now, from, init->point, cookie);
    const size_t made = sw_cookie_message_make(link->me, hash, cookie, length, answer);
    struct sw_reply *reply = reply_begin(link, path);
    reply->length = sw_message_seal(keys, answer, made, reply->bytes);
    link->status.cookies_sent++;
    return SW_RECEIVED_CONTROL;
  }
  if (link->sessions.pending.count >= SW_PENDING_MAX) return drop(link, SW_DROP_PENDING_FULL);

  struct sw_agreement agreement;
  const uint32_t id = sw_sessions_id(&link->sessions, link->initiation.local);
  const int made = sw_response_make(keys, link->me, id, init, plain, length, answer, &agreement);
  if (made < 0) return drop(link, SW_DROP_WEAK_KEY);
  sw_pending_add(&link->sessions.pending, &agreement, hash, path, link->now, answer, (size_t)made);
  sodium_memzero(&agreement, sizeof(agreement));
  return respond(link, keys, path, answer, (size_t)made);
}

static bool answers_our_init(const struct sw_link *link, const struct sw_keys *keys,
                             const struct sw_handshake_message *message) {
  return link->initiation.local && link->initiation.keys == keys &&
         sodium_memcmp(message->hash, link->initiation.hash, SW_HASH_BYTES) == 0;
}

/* The session's path goes to an address that this init was sent to: to the source of the response
 * if it is one of these, else to the latest of them.  So a copy of the response from another
 * address does not redirect the link. */
static enum sw_received receive_response(struct sw_link *link, const struct sw_keys *keys,
                                         const struct sw_path *received,
                                         const struct sw_handshake_message *response,
                                         const uint8_t *plain, size_t length) {
  if (!answers_our_init(link, keys, response) || response->receiver != link->initiation.local)
    return drop(link, SW_DROP_UNEXPECTED);
  struct sw_agreement agreement;
  if (sw_initiation_finish(&link->initiation, response, plain, length, &agreement))
    return drop(link, SW_DROP_WEAK_KEY);
  struct sw_path path = {.peer = link->initiation.to};
  struct sw_endpoint *endpoint = sw_endpoints_find(&link->endpoints, &received->peer);
  if (endpoint && endpoint->init == link->initiation.local) {
    endpoint->answer_time = link->now;
    path = *received;
  }
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  struct sw_session *unconfirmed = sw_sessions_unconfirmed(&link->sessions);
  if (unconfirmed) sw_sessions_wipe(&link->sessions, unconfirmed);
  sw_session_start(sw_sessions_place(&link->sessions), &agreement, true, &path, link->now);
  sodium_memzero(&agreement, sizeof(agreement));
  sw_schedule_responded(link);
  return SW_RECEIVED_CONTROL;
}

static enum sw_received receive_cookie(struct sw_link *link, const struct sw_keys *keys,
                                       const struct sw_handshake_message *message) {
  if (!answers_our_init(link, keys, message) || link->initiation.cookie_used)
    return drop(link, SW_DROP_UNEXPECTED);
  sw_initiation_cookie(&link->initiation, message->cookie);
  struct sw_reply *reply = reply_begin(link, &(struct sw_path){.peer = link->initiation.to});
  reply->length =
      sw_message_seal(keys, link->initiation.plain, link->initiation.length, reply->bytes);
  return SW_RECEIVED_CONTROL;
}

static enum sw_received receive_handshake(struct sw_link *link, const struct sw_opening *opening) {
  const struct sw_keys *keys = opening->keys;
  const struct sw_path *path = opening->path;
  const struct sw_address *from = &path->peer;
  const uint8_t *datagram = opening->datagram;
  const struct sw_header header = {opening->session, opening->word};
  const uint64_t mark =
      sw_seen_mark(datagram + SW_TAG_OFFSET, sw_endpoints_find(&link->endpoints, from));
  const bool seen = sw_seen_find(&link->seen, mark);
  bool load = false;
  if (seen) load = sw_cookies_count(&link->cookies, link->now);
  if (load) return drop(link, SW_DROP_REPEATED_INIT);
  uint8_t plain[SW_INIT_MAX];
  const int opened = sw_message_open(keys, header, datagram, opening->length, plain);
  if (opened < 0) return drop_foreign(link, SW_DROP_HANDSHAKE_TAG, from);
  const size_t length = (size_t)opened;
  struct sw_handshake_message message;
  const int parsed = sw_message_parse(plain, length, &message);
  if (parsed == -EPROTONOSUPPORT) {
    link->status.version = message.version;
    link->status.version_time = link->now;
    return drop(link, SW_DROP_VERSION);
  }
  if (parsed < 0) return drop(link, SW_DROP_MALFORMED);
  if (sodium_memcmp(message.me, link->me, SW_ME_BYTES) == 0) return drop(link, SW_DROP_REFLECTED);
  if (message.type == SW_MESSAGE_RESPONSE)
    return receive_response(link, keys, path, &message, plain, length);
  if (message.type == SW_MESSAGE_COOKIE) return receive_cookie(link, keys, &message);
  if (!seen) load = sw_cookies_count(&link->cookies, link->now);
  sw_seen_add(&link->seen, mark);
  return receive_init(link, keys, path, &message, plain, length, seen, load);
}

/* ---- sessions ---- */

static enum sw_received receive_packet(struct sw_link *link, const uint8_t *packet, size_t length,
                                       struct sw_opened *opened) {
  struct sw_view *view = &opened->view;
  if (!sw_view_parse(view, packet, length) || !sw_view_is_whole(view, packet))
    return drop(link, SW_DROP_NOT_IP);
  if (opened->partial && !sw_view_may_be_partial(view)) return drop(link, SW_DROP_MALFORMED);
  if (!sw_filter_allows(&link->filter, packet, view)) return drop(link, SW_DROP_SOURCE);
  link->status.packets_in++;
  link->status.bytes_in += length;
  return SW_RECEIVED_PACKET;
}

static enum sw_received receive_probe(struct sw_link *link, struct sw_session *session,
                                      const struct sw_path *path, const uint8_t *plain,
                                      size_t length) {
  const struct sw_path *to[SW_REPLIES];
  if (length < SW_PROBE_BYTES) return drop(link, SW_DROP_MALFORMED);
  const unsigned count = sw_paths_reply(link, path, to);
  reply_begin(link, path);
  for (unsigned i = 0; i < count; i++) {
    struct sw_reply *reply = &link->replies[i];
    reply->path = *to[i];
    reply->length = sw_control_ack(link, session, sw_load64(plain), length, reply->bytes);
    if (!reply->length) return drop(link, SW_DROP_NO_SESSION);
  }
  return SW_RECEIVED_CONTROL;
}

static enum sw_received receive_probe_ack(struct sw_link *link, const struct sw_path *path,
                                          const uint8_t *plain, size_t length) {
  if (length < SW_PROBE_BYTES) return drop(link, SW_DROP_MALFORMED);
  sw_paths_acknowledged(link, sw_load64(plain), path);
  sw_pathmtu_acknowledged(link, sw_load64(plain));
  return SW_RECEIVED_CONTROL;
}

static enum sw_received receive_close(struct sw_link *link, struct sw_session *session) {
  const bool current = session == link->sessions.current;
  sw_sessions_wipe(&link->sessions, session);
  if (current) sw_schedule_peer_closed(link);
  return SW_RECEIVED_CONTROL;
}

/* Handles the first datagram of a session.  If it was delayed, and a younger session is current,
 * packets stay in the younger one: the peer may have wiped the older one. */
static void confirm(struct sw_link *link, struct sw_session *session) {
  const bool first = !link->sessions.current;
  link->status.handshakes++;
  if (!sw_sessions_confirm(&link->sessions, session)) return;
  sw_paths_confirmed(link, &session->path, first);
  link->status.handshake_time = link->now;
  sw_schedule_confirmed(link);
}

/* Opens the first datagram of a pending session, which becomes a row if the datagram comes from the
 * address that the response was sent to.  If it comes from a known address of the peer instead, the
 * peer has the response from an attacker who relays the handshake over an address of his own. */
static struct sw_session *open_pending(struct sw_link *link, struct sw_pending_entry *entry,
                                       struct sw_opening *opening, enum sw_drop *reason) {
  const struct sw_address *from = &opening->path->peer;
  *reason = SW_DROP_EXPIRED; /* the timer is late, as after suspend */
  if (link->now - entry->created >= SW_PENDING_LIFETIME) return NULL;
  *reason = SW_DROP_COUNTER;
  if ((opening->word & SW_COUNTER_MASK) >= SW_REJECT_AFTER_COUNTER) return NULL;
  opening->box = &entry->agreement.open;
  sw_opening_run(opening);
  if (!opening->verified) {
    *reason = SW_DROP_TAG;
    return NULL;
  }
  if (!sw_address_equal(from, &entry->path.peer)) {
    *reason = SW_DROP_PATH;
    if (sw_endpoints_find(&link->endpoints, from) &&
        !sw_endpoints_find(&link->endpoints, &entry->path.peer)) {
      sw_pending_remove(&link->sessions.pending, entry);
      link->sessions.wiped = true;
    }
    return NULL;
  }
  struct sw_session *session = sw_sessions_place(&link->sessions);
  sw_session_start(session, &entry->agreement, false, &entry->path, entry->created);
  sw_pending_remove(&link->sessions.pending, entry);
  opening->box = &session->open; /* of the same key: it is verified */
  const int failed = sw_session_open(session, link->now, opening, reason);
  assert(failed == 0);
  return session;
}

static void unmask(struct sw_opening *opening, const struct sw_keys *keys) {
  const struct sw_header header = sw_header_read(keys->mask, opening->datagram);
  opening->keys = keys;
  opening->session = header.session;
  opening->word = header.word;
}

/* Whether the header names a handshake, or a session made under the key it was unmasked with. */
static bool is_named(struct sw_link *link, const struct sw_opening *opening) {
  if (opening->session == SW_SESSION_HANDSHAKE) return true;
  const struct sw_session *session = sw_sessions_find(&link->sessions, opening->session);
  if (session) return session->keys == opening->keys;
  const struct sw_pending_entry *entry = sw_pending_find(&link->sessions.pending, opening->session);
  return entry && entry->agreement.keys == opening->keys;
}

static void read_header(struct sw_link *link, uint64_t now, struct sw_opening *opening,
                        bool exact) {
  sw_link_advance(link, now);
  opening->exact = exact;
  opening->box = NULL;
  opening->verified = false;
  if (opening->length < SW_OVERHEAD) return;
  const struct sw_keyring *ring = &link->keyring;
  const struct sw_session *current = link->sessions.current;
  unmask(opening, current ? current->keys : sw_keyring_at(ring, 0));
  if (ring->count > 1 && !is_named(link, opening))
    unmask(opening, sw_keyring_other(ring, opening->keys));
}

/* Counts an authentic datagram, and those that the peer has sent before it.  `end`: one past the
 * highest counter that had come.  A lower one had been counted as lost. */
static void count_datagram(struct sw_link_status *status, uint64_t counter, uint64_t end) {
  status->datagrams_in++;
  if (counter >= end)
    status->datagrams_lost += counter - end;
  else
    status->datagrams_lost--;
}

void sw_link_open_begin(struct sw_link *link, uint64_t now, struct sw_opening *opening) {
  read_header(link, now, opening, false);
  if (opening->length < SW_OVERHEAD || opening->session == SW_SESSION_HANDSHAKE) return;
  const struct sw_session *session = sw_sessions_find(&link->sessions, opening->session);
  enum sw_drop reason;
  if (session && sw_session_open_check(session, link->now, opening->word, &reason) == 0)
    opening->box = &session->open;
}

enum sw_received sw_link_open_finish(struct sw_link *link, struct sw_opening *opening,
                                     struct sw_opened *opened) {
  const struct sw_address *from = &opening->path->peer;
  if (opening->length < SW_OVERHEAD) return drop_foreign(link, SW_DROP_SHORT, from);
  if (from->port == 0) return drop(link, SW_DROP_PATH); /* nothing can be sent there */
  if (link->closing) return drop(link, SW_DROP_SESSION);
  if (opening->session == SW_SESSION_HANDSHAKE) return receive_handshake(link, opening);

  enum sw_drop reason = SW_DROP_SESSION;
  struct sw_session *session = sw_sessions_find(&link->sessions, opening->session);
  struct sw_pending_entry *entry =
      session ? NULL : sw_pending_find(&link->sessions.pending, opening->session);
  const uint64_t counter = opening->word & SW_COUNTER_MASK, end = session ? session->replay.end : 0;
  if (entry)
    session = open_pending(link, entry, opening, &reason);
  else if (session && sw_session_open(session, link->now, opening, &reason) != 0)
    session = NULL;
  if (!session && reason == SW_DROP_REPLAYED) sw_paths_repeated(link, opening);
  if (!session && reason == SW_DROP_SESSION) return drop_foreign(link, reason, from);
  if (!session) return drop(link, reason);

  link->status.received_time = link->now;
  count_datagram(&link->status, counter, end);
  if (session->state == SW_SESSION_UNCONFIRMED) confirm(link, session);
  if (session == link->sessions.current && counter >= end) sw_paths_received(link, opening);
  const uint64_t kind = opening->word >> SW_COUNTER_BITS;
  const uint8_t *packet = opening->packet;
  const size_t length = opening->length - SW_OVERHEAD;
  opened->partial = kind == SW_KIND_PACKET_PARTIAL;
  switch (kind) {
  case SW_KIND_PACKET:
  case SW_KIND_PACKET_PARTIAL:
    return receive_packet(link, packet, length, opened);
  case SW_KIND_PROBE:
  case SW_KIND_CHECK:
  case SW_KIND_MOVE:
    return receive_probe(link, session, opening->path, packet, length);
  case SW_KIND_PROBE_ACK:
    return receive_probe_ack(link, opening->path, packet, length);
  case SW_KIND_CLOSE:
    return receive_close(link, session);
  }
  return drop(link, SW_DROP_KIND);
}

enum sw_received sw_link_open(struct sw_link *link, uint64_t now, const struct sw_path *path,
                              const uint8_t *datagram, size_t length, uint8_t *packet,
                              struct sw_opened *opened) {
  struct sw_opening opening = {path, datagram, length, .packet = packet};
  read_header(link, now, &opening, false);
  return sw_link_open_finish(link, &opening, opened);
}

enum sw_received sw_link_receive(struct sw_link *link, uint64_t now, const struct sw_path *path,
                                 const uint8_t *datagram, size_t length, uint8_t *packet,
                                 size_t *packet_length) {
  struct sw_opening opening = {path, datagram, length, .packet = packet};
  struct sw_opened opened = {.partial = false};
  read_header(link, now, &opening, true);
  const enum sw_received received = sw_link_open_finish(link, &opening, &opened);
  if (received != SW_RECEIVED_PACKET) return received;
  if (opened.partial) sw_checksum_partial_complete(packet, &opened.view);
  *packet_length = opened.view.length;
  return received;
}

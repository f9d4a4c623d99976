#include "saltway/link.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "core/link_state.h"

struct sw_link *sw_link_new(const struct sw_link_options *options) {
  if (options->source_count > SW_SOURCES_MAX || options->own_count > SW_SOURCES_MAX) {
    errno = EINVAL;
    return NULL;
  }
  struct sw_link *link = sodium_malloc(sizeof(*link));
  if (!link) return NULL;
  sodium_memzero(link, sizeof(*link));
  sw_keys_derive(options->psk, &link->keys);
  sw_psk_fingerprint(options->psk, link->status.fingerprint);
  randombytes_buf(link->me, sizeof(link->me));
  link->persistent_keepalive = options->persistent_keepalive;
  link->source_count = options->source_count;
  link->own_count = options->own_count;
  for (size_t i = 0; i < options->source_count; i++) link->sources[i] = options->sources[i];
  for (size_t i = 0; i < options->own_count; i++) link->own[i] = options->own[i];
  sw_cookies_start(&link->cookies, 0);
  sw_timers_start(link);
  return link;
}

void sw_link_free(struct sw_link *link) {
  sodium_free(link); /* wipes; NULL is fine */
}

void sw_link_advance(struct sw_link *link, uint64_t now) {
  if (now > link->now) link->now = now;
}

void sw_link_endpoints_set(struct sw_link *link, uint64_t now, const struct sw_address *endpoints,
                           size_t count) {
  sw_link_advance(link, now);
  link->endpoint_count = count < SW_ENDPOINTS_MAX ? count : SW_ENDPOINTS_MAX;
  for (size_t i = 0; i < link->endpoint_count; i++) link->endpoints[i] = endpoints[i];
  sw_timers_endpoints_changed(link);
}

void sw_link_drop(struct sw_link *link, enum sw_drop reason, uint64_t count) {
  assert(reason < SW_DROP_COUNT);
  link->status.drops[reason] += count;
}

void sw_link_session_wipe(struct sw_link *link, struct sw_session *session) {
  if (link->current == session) link->current = NULL;
  sw_session_wipe(session);
}

/* A place for one more session: an empty one, or that of the oldest which is not sent on. */
struct sw_session *sw_link_session_place(struct sw_link *link) {
  struct sw_session *place = NULL;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (!session->local) return session;
    if (session == link->current) continue;
    if (!place || session->created < place->created) place = session;
  }
  sw_link_session_wipe(link, place);
  return place;
}

/* The session that packets are sent in: the current one, else the latest we began, which the peer
 * confirms by whatever it sends; NULL if there is none. */
struct sw_session *sw_link_sending_session(struct sw_link *link) {
  if (link->current) return link->current;
  struct sw_session *latest = NULL;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &link->sessions[i];
    if (session->local && !session->confirmed && (!latest || session->created > latest->created))
      latest = session;
  }
  return latest;
}

/* A session id of ours that is not in use. */
uint32_t sw_link_session_id(struct sw_link *link) {
  for (;;) {
    uint32_t id;
    randombytes_buf(&id, sizeof(id));
    bool used = id == SW_SESSION_HANDSHAKE || sw_pending_find(&link->pending, id) ||
                (link->initiation.active && link->initiation.local == id);
    for (unsigned i = 0; i < SW_SESSIONS; i++) used |= link->sessions[i].local == id;
    if (!used) return id;
  }
}

static bool any_contains(const struct sw_prefix *prefixes, size_t count, const uint8_t *ip) {
  for (size_t i = 0; i < count; i++)
    if (sw_prefix_contains(&prefixes[i], ip)) return true;
  return false;
}

/* Whether a whole IP packet comes from where the peer's packets may come from. */
bool sw_link_source_allowed(const struct sw_link *link, const uint8_t *packet) {
  uint8_t ip[SW_IP_BYTES] = {[10] = 0xff, [11] = 0xff};
  if (packet[0] >> 4 == 4)
    memcpy(ip + 12, packet + 12, 4);
  else
    memcpy(ip, packet + 8, SW_IP_BYTES);
  return any_contains(link->sources, link->source_count, ip) &&
         !any_contains(link->own, link->own_count, ip);
}

/* The session to send a packet of this length in, or NULL after counting the drop in `error`. */
static struct sw_session *session_to_send(struct sw_link *link, uint64_t now, size_t length,
                                          int64_t *error) {
  sw_link_advance(link, now);
  if (length < 1 || length > SW_PACKET_MAX) {
    sw_link_drop(link, SW_DROP_TOO_BIG, 1);
    *error = -EMSGSIZE;
    return NULL;
  }
  struct sw_session *session = link->closing ? NULL : sw_link_sending_session(link);
  if (!session) {
    sw_link_drop(link, SW_DROP_NO_SESSION, 1);
    *error = -ENOTCONN;
  }
  return session;
}

static int64_t sent(struct sw_link *link, int64_t sealed, size_t length) {
  if (sealed < 0) {
    sw_link_drop(link, SW_DROP_NO_SESSION, 1);
    return -ENOTCONN;
  }
  link->status.packets_out++;
  link->status.bytes_out += length;
  sw_timers_sent(link, true);
  return sealed;
}

int64_t sw_link_send(struct sw_link *link, uint64_t now, const uint8_t *packet, size_t length,
                     uint8_t *datagram) {
  int64_t error = 0;
  struct sw_session *session = session_to_send(link, now, length, &error);
  if (!session) return error;
  return sent(link,
              sw_session_seal(session, link->keys.mask, link->now, SW_KIND_PACKET, packet, length,
                              datagram),
              length);
}

int64_t sw_link_seal(struct sw_link *link, uint64_t now, uint8_t *packet, size_t length,
                     bool partial, uint8_t *datagram) {
  int64_t error = 0;
  struct sw_session *session = session_to_send(link, now, length, &error);
  if (!session) return error;
  return sent(link,
              sw_session_seal_fast(session, link->keys.mask, link->now,
                                   partial ? SW_KIND_PACKET_PARTIAL : SW_KIND_PACKET, packet,
                                   length, datagram),
              length);
}

const struct sw_address *sw_link_peer(struct sw_link *link) {
  const struct sw_session *session = sw_link_sending_session(link);
  return session ? &session->address : &link->status.peer;
}

void sw_link_close(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  link->closing = true;
  link->reply_length = 0;
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  sodium_memzero(&link->pending, sizeof(link->pending));
}

static enum sw_link_state state_of(const struct sw_link *link) {
  if (link->closing) return SW_LINK_CLOSED;
  if (link->current) return link->silent ? SW_LINK_SILENT : SW_LINK_UP;
  return link->timers.handshake == SW_NEVER ? SW_LINK_WAITING : SW_LINK_CONNECTING;
}

const struct sw_link_status *sw_link_status(struct sw_link *link) {
  link->status.state = state_of(link);
  return &link->status;
}

#include "saltway/link.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "protocol/link_state.h"

struct sw_link *sw_link_new(const struct sw_link_options *options) {
  if (options->source_count > SW_SOURCES_MAX || options->own_count > SW_SOURCES_MAX) {
    errno = EINVAL;
    return NULL;
  }
  struct sw_link *link = sodium_malloc(sizeof(*link));
  if (!link) return NULL;
  sodium_memzero(link, sizeof(*link));
  if (sw_filter_init(&link->filter) != 0) {
    sodium_free(link);
    errno = ENOMEM;
    return NULL;
  }
  sw_filter_set(&link->filter, options->sources, options->source_count, options->own,
                options->own_count);
  sw_keyring_set(&link->keyring, options->psks, options->psk_count);
  randombytes_buf(link->me, sizeof(link->me));
  link->persistent_keepalive = options->persistent_keepalive;
  sw_cookies_start(&link->cookies, 0);
  sw_pathmtu_set(link, options->mtu);
  return link;
}

void sw_link_free(struct sw_link *link) {
  if (link) sw_filter_free(&link->filter);
  sodium_free(link); /* wipes */
}

void sw_link_advance(struct sw_link *link, uint64_t now) {
  if (now > link->now) link->now = now;
}

void sw_link_endpoints_set(struct sw_link *link, uint64_t now, const struct sw_address *endpoints,
                           size_t count) {
  sw_link_advance(link, now);
  sw_endpoints_set(&link->endpoints, endpoints, count);
  sw_paths_configure(link, endpoints, count);
}

static void drop_replies(struct sw_link *link) {
  for (unsigned i = 0; i < SW_REPLIES; i++) link->replies[i].length = 0;
}

void sw_link_sources_set(struct sw_link *link, const struct sw_prefix *sources, size_t source_count,
                         const struct sw_prefix *own, size_t own_count) {
  sw_filter_set(&link->filter, sources, source_count, own, own_count);
}

void sw_link_keepalive_set(struct sw_link *link, uint64_t now, uint64_t persistent_keepalive) {
  sw_link_advance(link, now);
  if (link->persistent_keepalive == persistent_keepalive) return;
  link->persistent_keepalive = persistent_keepalive;
  sw_paths_keepalive_changed(link);
}

void sw_link_mtu_set(struct sw_link *link, uint64_t now, uint32_t mtu) {
  sw_link_advance(link, now);
  sw_pathmtu_set(link, mtu);
}

static bool is_listed(const struct sw_keys *keys, const struct sw_psk *psks, unsigned count) {
  bool listed = false;
  for (unsigned i = 0; i < count; i++) listed |= sw_keyring_is(keys, &psks[i]);
  return listed;
}

void sw_link_keys_set(struct sw_link *link, uint64_t now, const struct sw_psk *psks,
                      unsigned count) {
  sw_link_advance(link, now);
  if (sw_keyring_equal(&link->keyring, psks, count)) return;
  for (unsigned i = 0; i < link->keyring.count; i++) {
    const struct sw_keys *keys = sw_keyring_at(&link->keyring, i);
    if (!is_listed(keys, psks, count)) sw_sessions_wipe_key(&link->sessions, keys);
  }
  sw_keyring_set(&link->keyring, psks, count);
  drop_replies(link); /* they may be sealed with a key that is gone */
  sw_schedule_keys_changed(link);
}

void sw_link_drop(struct sw_link *link, enum sw_drop reason, uint64_t count) {
  assert(reason < SW_DROP_COUNT);
  link->status.drops[reason] += count;
}

bool sw_link_keys_wiped(struct sw_link *link) {
  const bool wiped = link->sessions.wiped;
  link->sessions.wiped = false;
  return wiped;
}

static bool check_length(struct sw_link *link, size_t length) {
  if (length >= 1 && length <= SW_PACKET_MAX) return true;
  sw_link_drop(link, SW_DROP_TOO_BIG, 1);
  return false;
}

/* The session to send packets in, or NULL. */
static struct sw_session *sending_session(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  return link->closing ? NULL : sw_sessions_sending(&link->sessions);
}

static int drop_unsent(struct sw_link *link, unsigned count) {
  sw_link_drop(link, SW_DROP_NO_SESSION, count);
  return -ENOTCONN;
}

/* Packets of `bytes` in all; only the last one may be shorter than the others. */
static void count_sent(struct sw_link *link, unsigned count, size_t bytes) {
  link->status.packets_out += count;
  link->status.bytes_out += bytes;
  link->status.sent_time = link->now;
  sw_paths_used(link, (bytes + count - 1) / count);
}

int64_t sw_link_send(struct sw_link *link, uint64_t now, const uint8_t *packet, size_t length,
                     uint8_t *datagram) {
  if (!check_length(link, length)) return -EMSGSIZE;
  struct sw_session *session = sending_session(link, now);
  const int64_t sealed =
      session ? sw_session_seal(session, link->now, SW_KIND_PACKET, packet, length, datagram)
              : -ENOTCONN;
  if (sealed < 0) return drop_unsent(link, 1);
  count_sent(link, 1, length);
  return sealed;
}

int sw_link_seal_begin(struct sw_link *link, uint64_t now, unsigned count, size_t bytes,
                       bool partial, struct sw_sealing *sealing) {
  struct sw_session *session = sending_session(link, now);
  const enum sw_kind kind = partial ? SW_KIND_PACKET_PARTIAL : SW_KIND_PACKET;
  if (!session || sw_session_seal_begin(session, link->now, kind, count, sealing) < 0)
    return drop_unsent(link, count);
  count_sent(link, count, bytes);
  return 0;
}

int64_t sw_link_seal(struct sw_link *link, uint64_t now, uint8_t *packet, size_t length,
                     bool partial, uint8_t *datagram) {
  struct sw_sealing sealing;
  if (!check_length(link, length)) return -EMSGSIZE;
  const int refused = sw_link_seal_begin(link, now, 1, length, partial, &sealing);
  return refused ? refused : (int64_t)sw_sealing_run(&sealing, 0, packet, length, datagram);
}

const struct sw_path *sw_link_path(struct sw_link *link) {
  static const struct sw_path none;
  if (link->sessions.current) return &link->paths.active->path;
  const struct sw_session *session = sw_sessions_unconfirmed(&link->sessions);
  return session ? &session->path : &none;
}

bool sw_link_may_fragment(const struct sw_link *link) {
  return link->pathmtu.limit || link->pathmtu.fragment;
}

bool sw_link_too_long(struct sw_link *link, uint64_t now, size_t length) {
  sw_link_advance(link, now);
  return link->sessions.current && length > SW_OVERHEAD &&
         sw_pathmtu_refused(link, (uint32_t)(length - SW_OVERHEAD));
}

void sw_link_close(struct sw_link *link, uint64_t now) {
  sw_link_advance(link, now);
  link->closing = true;
  drop_replies(link);
  sodium_memzero(&link->initiation, sizeof(link->initiation));
  sodium_memzero(&link->sessions.pending, sizeof(link->sessions.pending));
}

static enum sw_link_state state_of(const struct sw_link *link) {
  if (link->closing) return SW_LINK_CLOSED;
  if (link->sessions.current) return link->silent ? SW_LINK_SILENT : SW_LINK_UP;
  return link->endpoints.count ? SW_LINK_CONNECTING : SW_LINK_WAITING;
}

const struct sw_link_status *sw_link_status(struct sw_link *link) {
  const struct sw_session *current = link->sessions.current;
  const struct sw_keys *keys = current ? current->keys : sw_keyring_at(&link->keyring, 0);
  memcpy(link->status.fingerprint, keys->fingerprint, sizeof(keys->fingerprint));
  link->status.state = state_of(link);
  link->status.path_mtu = link->pathmtu.found;
  link->status.fragments = link->pathmtu.fragment;
  link->status.rtt = link->paths.active ? link->paths.active->rtt : 0;
  sw_endpoints_report(&link->endpoints, &link->status);
  sw_paths_report(link, &link->status);
  return &link->status;
}

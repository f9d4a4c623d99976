#include "host.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "keys.h"
#include "traffic.h"
#include "verdict.h"

/* The longest time between two attempts of a link that looks for its peer. */
#define RETRY_MOST (SW_RETRY_LAST + SW_RETRY_JITTER)

/* The state of a link without what precedes it in the struct: its statistics, its latest time and
 * its measure of load. */
#define STATE_OFFSET offsetof(struct sw_link, persistent_keepalive)
#define STATE_BYTES (sizeof(struct sw_link) - STATE_OFFSET)

char host_name(const struct host *host) {
  return host->side ? 'B' : 'A';
}

/* ---- clock ---- */

static uint64_t reading(const struct host *host, uint64_t now) {
  return host->stopped ? host->reading : now + (uint64_t)host->offset;
}

uint64_t host_time(const struct host *host, uint64_t now) {
  const uint64_t clock = reading(host, now);
  return clock > host->latest ? clock : host->latest;
}

void host_clock_jump(struct host *host, int64_t by) {
  host->offset += by;
}

void host_clock_stop(struct host *host, uint64_t now) {
  host->reading = reading(host, now);
  host->stopped = true;
}

void host_clock_resume(struct host *host, uint64_t now) {
  host->stopped = false;
  host->offset = (int64_t)(host->reading - now);
}

/* Returns the time to pass to the link with a call. */
static uint64_t link_time(struct host *host, uint64_t now) {
  host->latest = host_time(host, now);
  return reading(host, now);
}

/* ---- process ---- */

bool host_has(const struct host *host, unsigned number) {
  bool has = false;
  for (unsigned i = 0; i < host->key_count; i++) has |= host->keys[i] == number;
  return has;
}

static void psks_of(const struct host *host, struct sw_psk psks[SW_PSKS_MAX]) {
  for (unsigned i = 0; i < host->key_count; i++) psks[i] = key_psk(host->keys[i]);
}

void host_start(struct host *host, uint64_t now) {
  assert(!host->link);
  struct sw_psk psks[SW_PSKS_MAX];
  psks_of(host, psks);
  struct sw_prefix sources[2 * TRAFFIC_NETWORKS], own[TRAFFIC_NETWORKS];
  traffic_networks(0, sources);
  traffic_networks(1, sources + TRAFFIC_NETWORKS);
  traffic_networks(host->side, own);
  const struct sw_link_options options = {
      .psks = psks,
      .psk_count = host->key_count,
      .persistent_keepalive = host->persistent_keepalive,
      .mtu = host->mtu,
      .sources = sources,
      .source_count = 2 * TRAFFIC_NETWORKS,
      .own = own,
      .own_count = TRAFFIC_NETWORKS,
  };
  host->link = sw_link_new(&options);
  assert(host->link);
  host->life++;
  host->packets_in = host->packets_out = 0;
  host->latest = 0;
  expect(sw_link_deadline(host->link) == UINT64_MAX, "a new link starts nothing by itself");
  host_endpoints_set(host, now);
}

static void check_numbers(const struct host *host) {
  const struct sw_link_status *status = sw_link_status(host->link);
  expect(status->packets_out == host->packets_out, "packets sent are counted");
  expect(status->packets_in == host->packets_in, "packets delivered are counted");
  expect(status->datagrams_in >= status->packets_in, "their datagrams are, too");
  expect((int64_t)status->datagrams_lost >= 0,
         "no datagram comes late that was not counted as lost");
}

void host_kill(struct host *host) {
  assert(host->link);
  check_numbers(host);
  if (host->remembers) host->remembered = sw_link_status(host->link)->peer;
  sw_link_free(host->link);
  host->link = NULL;
}

void host_keys_set(struct host *host, uint64_t now) {
  struct sw_psk psks[SW_PSKS_MAX];
  psks_of(host, psks);
  sw_link_keys_set(host->link, link_time(host, now), psks, host->key_count);
}

void host_endpoints_set(struct host *host, uint64_t now) {
  struct sw_address endpoints[HOST_ENDPOINTS + 1];
  size_t count = 0;
  for (; count < host->endpoint_count; count++) endpoints[count] = host->endpoints[count];
  if (host->remembered.port) endpoints[count++] = host->remembered;
  sw_link_endpoints_set(host->link, link_time(host, now), endpoints, count);
}

/* ---- calls ---- */

uint64_t host_wake(const struct host *host, uint64_t now) {
  if (!host->link || host->stopped) return UINT64_MAX;
  const uint64_t deadline = sw_link_deadline(host->link);
  if (deadline == UINT64_MAX) return UINT64_MAX;
  const uint64_t clock = reading(host, now) - host->late;
  return deadline > clock ? now + (deadline - clock) : now;
}

/* Compares the drop counters with earlier ones. Returns how many drops were counted since, and the
 * reason of one of them. */
static uint64_t drops_since(const struct host *host, const uint64_t before[SW_DROP_COUNT],
                            enum sw_drop *reason) {
  const uint64_t *after = host->link->status.drops;
  uint64_t total = 0;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    if (after[i] == before[i]) continue;
    total += after[i] - before[i];
    *reason = (enum sw_drop)i;
  }
  return total;
}

/* Buffers with the room around them that the fast calls may overwrite. */
#define IN_FRONT 4 /* before a datagram */
struct room {
  uint8_t *start;  /* to be freed */
  uint8_t *middle; /* the usable part, of this many bytes: */
  size_t length;
};

static struct room room_make(size_t before, const uint8_t *bytes, size_t length, size_t behind) {
  struct room room = {.start = malloc(before + length + behind), .length = length};
  assert(room.start);
  memset(room.start, 0x5a, before + length + behind);
  room.middle = room.start + before;
  if (bytes && length) memcpy(room.middle, bytes, length);
  return room;
}

static enum sw_received open_batch(struct host *host, uint64_t clock, struct sw_opening *first,
                                   struct sw_opened *opened) {
  struct sw_opening copy = *first;
  const struct room out = room_make(SW_HEADROOM, NULL, first->length, SW_SLACK);
  copy.packet = out.middle;
  sw_link_open_begin(host->link, clock, first);
  sw_link_open_begin(host->link, clock, &copy);
  sw_opening_run(&copy); /* in any order */
  sw_opening_run(first);
  const enum sw_received received = sw_link_open_finish(host->link, first, opened);
  if (received == SW_RECEIVED_PACKET) {
    struct sw_opened again;
    const uint64_t replayed = host->link->status.drops[SW_DROP_REPLAYED];
    expect(sw_link_open_finish(host->link, &copy, &again) == SW_RECEIVED_DROPPED &&
               host->link->status.drops[SW_DROP_REPLAYED] == replayed + 1,
           "a copy in the same batch is dropped as replayed");
    host->link->status.drops[SW_DROP_REPLAYED] = replayed; /* the world does not count the copy */
  }
  free(out.start);
  return received;
}

static enum sw_received open_fast(struct host *host, uint64_t clock, const struct sw_path *path,
                                  const uint8_t *datagram, size_t length, bool batch,
                                  uint8_t *packet, size_t *packet_length) {
  struct sw_opened opened = {0};
  const struct room in = room_make(IN_FRONT, datagram, length, SW_SLACK);
  const struct room out = room_make(SW_HEADROOM, NULL, length, SW_SLACK);
  struct sw_opening opening = {path, in.middle, length, .packet = out.middle};
  const enum sw_received received =
      batch ? open_batch(host, clock, &opening, &opened)
            : sw_link_open(host->link, clock, path, in.middle, length, out.middle, &opened);
  if (received == SW_RECEIVED_PACKET) {
    expect(!opened.partial, "a packet with its checksum keeps it");
    expect(opened.view.length <= length, "a packet is not longer than its datagram");
    memcpy(packet, out.middle, opened.view.length);
    *packet_length = opened.view.length;
  }
  free(in.start);
  free(out.start);
  return received;
}

static int64_t seal_fast(struct host *host, uint64_t clock, const uint8_t *packet, size_t length,
                         uint8_t *datagram) {
  const struct room in = room_make(SW_HEADROOM, packet, length, SW_SLACK);
  const struct room out = room_make(IN_FRONT, NULL, length + SW_OVERHEAD, SW_SLACK);
  const int64_t sealed = sw_link_seal(host->link, clock, in.middle, length, false, out.middle);
  if (sealed > 0) memcpy(datagram, out.middle, out.length);
  free(in.start);
  free(out.start);
  return sealed;
}

enum sw_received host_receive(struct host *host, uint64_t now, const struct sw_path *path,
                              const uint8_t *datagram, size_t length, enum host_opens by,
                              bool must_drop, enum sw_drop *reason, uint8_t *packet,
                              size_t *packet_length) {
  static uint8_t state[STATE_BYTES];
  uint64_t drops[SW_DROP_COUNT];
  memcpy(drops, host->link->status.drops, sizeof(drops));
  if (must_drop) memcpy(state, (uint8_t *)host->link + STATE_OFFSET, STATE_BYTES);
  const uint64_t clock = link_time(host, now);
  const enum sw_received received =
      by == HOST_OPENS_EXACTLY
          ? sw_link_receive(host->link, clock, path, datagram, length, packet, packet_length)
          : open_fast(host, clock, path, datagram, length, by == HOST_OPENS_BATCH, packet,
                      packet_length);
  const uint64_t dropped = drops_since(host, drops, reason);
  expect(dropped == (received == SW_RECEIVED_DROPPED),
         "a dropped datagram is counted once, any other is not counted");
  if (received == SW_RECEIVED_PACKET) host->packets_in++;
  if (must_drop) {
    expect(received == SW_RECEIVED_DROPPED, "a forged or replayed datagram is dropped");
    expect(memcmp(state, (uint8_t *)host->link + STATE_OFFSET, STATE_BYTES) == 0,
           "a forged or replayed datagram changes nothing but counters");
    sodium_memzero(state, sizeof(state));
  }
  return received;
}

/* What tells a session's datagrams: the peer's id, and the key that masks it. */
struct marks {
  uint32_t remote[SW_SESSIONS];
  const struct sw_keys *keys[SW_SESSIONS];
};

static struct marks marks_of(const struct host *host) {
  struct marks marks;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    marks.remote[i] = host->link->sessions.rows[i].remote;
    marks.keys[i] = host->link->sessions.rows[i].keys;
  }
  return marks;
}

/* The number of the key that masks a datagram of the link, in a session that it had. */
static unsigned key_of(const struct host *host, const struct marks *marks,
                       const uint8_t *datagram) {
  for (unsigned i = 0; i < host->key_count; i++) {
    const struct sw_keys *keys = sw_keyring_at(&host->link->keyring, i);
    const uint32_t session = sw_header_read(keys->mask, datagram).session;
    if (session == SW_SESSION_HANDSHAKE) return host->keys[i];
    for (unsigned j = 0; j < SW_SESSIONS; j++)
      if (marks->keys[j] == keys && marks->remote[j] == session) return host->keys[i];
  }
  verdict_fail("%c sends a datagram under none of its keys", host_name(host));
}

int64_t host_send(struct host *host, uint64_t now, const uint8_t *packet, size_t length, bool fast,
                  uint8_t *datagram, unsigned *key) {
  uint64_t drops[SW_DROP_COUNT];
  memcpy(drops, host->link->status.drops, sizeof(drops));
  const uint64_t clock = link_time(host, now);
  const int64_t sent = fast ? seal_fast(host, clock, packet, length, datagram)
                            : sw_link_send(host->link, clock, packet, length, datagram);
  enum sw_drop reason = SW_DROP_COUNT;
  const uint64_t dropped = drops_since(host, drops, &reason);
  if (sent < 0) {
    expect(sent == -ENOTCONN, "a packet is refused only while the link is down");
    expect(dropped == 1 && reason == SW_DROP_NO_SESSION, "a refused packet is counted");
  } else {
    expect(dropped == 0, "a packet that is sent is not counted as a drop");
    expect(sent == (int64_t)(length + SW_OVERHEAD),
           "a datagram is as long as its packet and the overhead");
    host->packets_out++;
    const struct marks marks = marks_of(host);
    *key = key_of(host, &marks, datagram);
  }
  return sent;
}

size_t host_transmit(struct host *host, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                     struct sw_path *path, bool *whole, unsigned *key) {
  const struct marks marks = marks_of(host); /* a close wipes its session */
  const size_t length = sw_link_transmit(host->link, link_time(host, now), datagram, path, whole);
  if (length) *key = key_of(host, &marks, datagram);
  expect(length <= SW_CONTROL_MAX, "a link's control datagrams are bounded");
  return length;
}

void host_refused(struct host *host, uint64_t now, const struct sw_address *peer) {
  sw_link_error(host->link, link_time(host, now), peer, ECONNREFUSED);
}

void host_close(struct host *host, uint64_t now) {
  sw_link_close(host->link, link_time(host, now));
}

/* ---- checks ---- */

enum sw_link_state host_state(const struct host *host) {
  return sw_link_status(host->link)->state;
}

void host_check(const struct host *host) {
  const uint64_t deadline = sw_link_deadline(host->link);
  expect(deadline > host->latest,
         "after its datagrams are drained a link's deadline is in the future");
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &host->link->sessions.rows[i];
    if (!session->local) continue;
    expect(memcmp(&session->seal, &session->open, sizeof(session->seal)) != 0,
           "a session has a key for each direction");
    expect(session->keys == sw_keyring_at(&host->link->keyring, 0) ||
               session->keys == sw_keyring_at(&host->link->keyring, 1),
           "no session outlives its key");
  }
  const bool peer_known = host->link->endpoints.count > 0;
  switch (host_state(host)) {
  case SW_LINK_WAITING:
    expect(!peer_known, "a waiting link knows no address of its peer");
    break;
  case SW_LINK_CONNECTING:
  case SW_LINK_SILENT:
    expect(peer_known, "a connecting link knows an address of its peer");
    expect(deadline - host->latest <= RETRY_MOST, "a link that is down retries within seconds");
    break;
  case SW_LINK_UP:
    expect(deadline - host->latest <= SW_REKEY_OTHER_AFTER + SW_REKEY_JITTER,
           "a link that is up will rekey");
    break;
  case SW_LINK_CLOSED:
    expect(deadline == UINT64_MAX, "a closed link has no deadline");
    break;
  }
}

bool host_knows(const struct host *host, const struct sw_address *address) {
  const struct sw_endpoints *endpoints = &host->link->endpoints;
  for (unsigned i = 0; i < endpoints->count; i++)
    if (sw_address_equal(&endpoints->known[i].address, address)) return true;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &host->link->sessions.rows[i];
    if (session->local && sw_address_equal(&session->path.peer, address)) return true;
  }
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_candidate *row = &host->link->paths.rows[i];
    if (row->id && row->answer_time && sw_address_equal(&row->path.peer, address)) return true;
  }
  return false;
}

bool host_sends_to(const struct host *host, const struct sw_address *address) {
  return host->link && address->port && sw_address_equal(&sw_link_path(host->link)->peer, address);
}

bool host_reaches(const struct host *host, const struct host *peer) {
  const struct sw_session *sending = host->link->sessions.current;
  if (!sending) return false;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &peer->link->sessions.rows[i];
    if (session->local == sending->remote && session->remote == sending->local &&
        memcmp(&session->open, &sending->seal, sizeof(session->open)) == 0)
      return true;
  }
  return false;
}

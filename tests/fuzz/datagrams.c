/*
 * Datagrams for a live link, in each of its states.
 *
 * The first byte of the input chooses the state of two links.  The rest is a list of operations:
 * datagrams of arbitrary bytes; handshake messages and session datagrams sealed with the right
 * keys, so that the code behind the tag is reached; passing time; datagrams of the links that are
 * delivered, lost or duplicated.  The invariants:
 *
 *   - a datagram is dropped and counted once, or it is not dropped;
 *   - a datagram whose tag does not verify changes nothing but that counter and the statistics of
 *     unauthenticated datagrams;
 *   - the fast calls and batches do the same as the plain calls, byte for byte;
 *   - no datagram of a session is accepted twice, and no two datagrams have the same contents;
 *   - an answer is never longer than what it answers, and an init gets one at most;
 *   - a link that is left undisturbed for a while is up again, whatever was done to it before.
 */
#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../sim/random.h"
#include "packet/checksum.h"
#include "protocol/link_state.h"
#include "saltway/batch.h"

#define ROOM SW_CONTROL_MAX
#define CALLS_AT_ONCE (SW_REPLIES + 2 + SW_CANDIDATES + SW_MTU_SIZES + SW_SESSIONS)
#define KEPT 8
#define PEACE (300 * SW_SECOND)

enum state {
  WAITING,
  INIT_SENT,
  RESPONSE_UNDER_WAY,
  UNCONFIRMED,
  CONNECTED,
  REKEYING,
  SILENT,
  EXPIRING,
  COUNTERS_USED,
  CLOSED,
  PEER_CLOSED,
  LOADED,
  COOKIE_RECEIVED,
  STATES
};

struct datagram {
  unsigned to; /* the receiving link */
  size_t length;
  uint8_t bytes[ROOM];
};

static struct sw_link *links[2];
static uint64_t now;
static uint64_t seed;
static bool briefly;               /* compare nothing but the outcome */
static bool beside;                /* datagrams go to the second address of a host */
static struct datagram kept[KEPT]; /* the latest on the wire, to be replayed */
static unsigned kept_next;

static struct {
  struct sw_link links[2];
  struct datagram kept[KEPT];
  unsigned kept_next;
  uint64_t now;
} snapshots[STATES];

static struct sw_address address(unsigned host) {
  return (struct sw_address){
      .ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = (uint8_t)(1 + host)},
      .port = 51900};
}

static struct sw_address second_address(unsigned host) {
  return address(10 + host);
}

/* ---- invariants of a link ---- */

static void check_paths(const struct sw_link *link) {
  const struct sw_paths *paths = &link->paths;
  assert(paths->active ? paths->active->id && paths->active->answer_time : !link->sessions.current);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_candidate *row = &paths->rows[i];
    if (!row->id) continue;
    assert(row->path.peer.port && row->credit <= ROOM);
    assert(row->rank == SW_RANK_NONE || row->rank < SW_ENDPOINTS_MAX);
    for (unsigned j = 0; j < i; j++) {
      const struct sw_candidate *other = &paths->rows[j];
      assert(row->id != other->id);
      assert(!other->id || row->rank == SW_RANK_NONE || row->rank != other->rank);
    }
  }
}

static void check_pathmtu(const struct sw_link *link) {
  const struct sw_pathmtu *search = &link->pathmtu;
  if (search->limit)
    assert(search->found > 0 && search->found <= search->limit);
  else
    assert(search->found >= SW_MTU_LEAST && search->found <= SW_MTU_MOST);
  if (!search->id) return;
  assert(search->count > 0 && search->count <= SW_MTU_SIZES && search->next <= search->count);
  for (unsigned i = 0; i < search->count; i++) {
    assert(search->sizes[i] > search->passed && search->sizes[i] < search->failed);
    assert(i == 0 || search->sizes[i] > search->sizes[i - 1]);
  }
}

static void check(struct sw_link *link) {
  assert(sw_link_status(link)->state <= SW_LINK_CLOSED);
  assert(link->sessions.pending.count <= SW_PENDING_MAX);
  for (unsigned i = 0; i < link->sessions.pending.count; i++)
    assert(link->sessions.pending.ids[i] &&
           link->sessions.pending.ids[i] == link->sessions.pending.entries[i].agreement.local);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &link->sessions.rows[i];
    assert(session->state == SW_SESSION_EMPTY ? !session->local : session->local);
    assert(session->counter <= SW_REJECT_AFTER_COUNTER);
    assert(session->replay.end <= SW_REJECT_AFTER_COUNTER);
    for (unsigned j = 0; j < i; j++)
      assert(!session->local || session->local != link->sessions.rows[j].local);
  }
  check_paths(link);
  check_pathmtu(link);
}

static void assert_same_session(const struct sw_session *a, const struct sw_session *b) {
  assert(a->local == b->local && a->remote == b->remote && a->initiator == b->initiator);
  assert(a->state == b->state && a->counter == b->counter && a->created == b->created);
  assert(a->rekey_at == b->rekey_at && a->probe_at == b->probe_at);
  assert(sw_path_equal(&a->path, &b->path));
  assert(memcmp(&a->seal, &b->seal, sizeof(a->seal)) == 0);
  assert(memcmp(&a->open, &b->open, sizeof(a->open)) == 0);
  assert(memcmp(&a->replay, &b->replay, sizeof(a->replay)) == 0);
}

/* Compares all but the statistics of drops and unauthenticated datagrams and the count of inits: a
 * copy of an init that was seen counts even if its ciphertext was changed. */
static void assert_same(const struct sw_link *a, const struct sw_link *b) {
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_same_session(&a->sessions.rows[i], &b->sessions.rows[i]);
  assert(a->silent == b->silent && a->closing == b->closing);
  assert(memcmp(&a->paths, &b->paths, sizeof(a->paths)) == 0);
  assert(memcmp(&a->pathmtu, &b->pathmtu, sizeof(a->pathmtu)) == 0);
  assert(memcmp(&a->retry, &b->retry, sizeof(a->retry)) == 0);
  assert(a->initiation.local == b->initiation.local);
  assert(memcmp(a->initiation.plain, b->initiation.plain, sizeof(a->initiation.plain)) == 0);
  assert(a->sessions.pending.count == b->sessions.pending.count);
  assert(memcmp(a->sessions.pending.ids, b->sessions.pending.ids,
                sizeof(a->sessions.pending.ids)) == 0);
  assert(memcmp(&a->seen, &b->seen, sizeof(a->seen)) == 0);
  assert(memcmp(a->cookies.secret, b->cookies.secret, sizeof(a->cookies.secret)) == 0);
  for (unsigned i = 0; i < SW_REPLIES; i++) {
    assert(a->replies[i].length == b->replies[i].length);
    assert(memcmp(a->replies[i].bytes, b->replies[i].bytes, a->replies[i].length) == 0);
    if (a->replies[i].length) assert(sw_path_equal(&a->replies[i].path, &b->replies[i].path));
  }
  assert(memcmp(&a->endpoints, &b->endpoints, sizeof(a->endpoints)) == 0);
  assert(a->status.received_time == b->status.received_time);
  assert(a->status.sent_time == b->status.sent_time);
  assert(a->status.handshakes == b->status.handshakes);
  assert(a->status.packets_in == b->status.packets_in);
  assert(a->status.bytes_in == b->status.bytes_in);
}

static bool unverified(enum sw_drop reason) {
  return reason <= SW_DROP_HANDSHAKE_TAG;
}

/* Checks the state `after`, reached from `before` by receiving one datagram. */
static void check_received(const struct sw_link *before, const struct sw_link *after,
                           enum sw_received received) {
  uint64_t drops = 0;
  bool changeless = false;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const uint64_t more = after->status.drops[i] - before->status.drops[i];
    if (i != SW_DROP_REPLY_LOST) drops += more;
    if (more && unverified((enum sw_drop)i)) changeless = true;
  }
  assert(drops == (received == SW_RECEIVED_DROPPED));
  if (changeless) assert_same(before, after);
}

/* ---- keys ---- */

static const struct sw_psk psks[] = {{{1, 2, 3}}, {{4, 5, 6}}, {{1, 2, 3}}};

/* Gives the link one of both keys, or both in an order. */
static void set_keys(struct sw_link *link, unsigned which) {
  sw_link_keys_set(link, now, psks + which % 2, which & 2 ? 1 : 2);
}

static bool is_named(const struct sw_link *link, const struct sw_keys *keys, uint32_t id) {
  const struct sw_pending *pending = &link->sessions.pending;
  if (id == SW_SESSION_HANDSHAKE) return true;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &link->sessions.rows[i];
    if (session->local == id)
      return memcmp(session->keys->mask, keys->mask, SW_MASK_KEY_BYTES) == 0;
  }
  for (unsigned i = 0; i < pending->count; i++)
    if (pending->ids[i] == id)
      return memcmp(pending->entries[i].agreement.keys->mask, keys->mask, SW_MASK_KEY_BYTES) == 0;
  return false;
}

/* The key under which the header of a datagram means something to the link, or the first. */
static const struct sw_keys *keys_of(const struct sw_link *link, const uint8_t *datagram) {
  for (unsigned i = 0; i < link->keyring.count; i++) {
    const struct sw_keys *keys = sw_keyring_at(&link->keyring, i);
    if (is_named(link, keys, sw_header_read(keys->mask, datagram).session)) return keys;
  }
  return sw_keyring_at(&link->keyring, 0);
}

/* ---- operations ---- */

/* Returns a buffer that ends where its memory mapping does. libsodium is not built with sanitizers,
 * which would not see it read or write past the end. */
static uint8_t *room_of(size_t length, bool output) {
  static uint8_t *ends[2];
  const size_t page = 65536; /* a multiple of the page size */
  uint8_t **end = &ends[output];
  assert(length <= page);
  if (!*end) {
    uint8_t *pages =
        mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(pages != MAP_FAILED && mprotect(pages + page, page, PROT_NONE) == 0);
    *end = pages + page;
  }
  return *end - length;
}

/* The fast call must have the same outcome from the same state.  So must a batch, in which a copy
 * that is opened along with the first is refused. */
static void receive_fast(struct sw_link *link, const struct sw_path *path, const uint8_t *bytes,
                         size_t length, enum sw_received received, const uint8_t *packet,
                         const struct sw_link *after, bool batch) {
  static uint8_t datagram[SW_HEADROOM + ROOM + SW_SLACK], rooms[2][SW_HEADROOM + ROOM + SW_SLACK];
  const bool session =
      length >= SW_OVERHEAD &&
      sw_header_read(keys_of(link, bytes)->mask, bytes).session != SW_SESSION_HANDSHAKE;
  struct sw_opening openings[2];
  struct sw_opened opened, copy;
  memcpy(datagram + SW_HEADROOM, bytes, length);
  for (unsigned i = 0; i < 2 && batch; i++) {
    openings[i] =
        (struct sw_opening){path, datagram + SW_HEADROOM, length, .packet = rooms[i] + SW_HEADROOM};
    sw_link_open_begin(link, now, &openings[i]);
  }
  for (unsigned i = 0; i < 2 && batch; i++) sw_opening_run(&openings[!i]);
  assert((batch ? sw_link_open_finish(link, &openings[0], &opened)
                : sw_link_open(link, now, path, datagram + SW_HEADROOM, length,
                               rooms[0] + SW_HEADROOM, &opened)) == received);
  assert_same(link, after);
  assert(memcmp(&link->move, &after->move, sizeof(after->move)) == 0);
  assert(link->cookies.inits == after->cookies.inits && link->cookies.busy == after->cookies.busy);
  assert(memcmp(link->status.drops, after->status.drops, sizeof(after->status.drops)) == 0);
  if (batch && session)
    assert(sw_link_open_finish(link, &openings[1], &copy) == SW_RECEIVED_DROPPED);
  if (received != SW_RECEIVED_PACKET) return;
  assert(opened.view.length == length - SW_OVERHEAD);
  if (opened.partial) sw_checksum_partial_complete(rooms[0] + SW_HEADROOM, &opened.view);
  assert(memcmp(rooms[0] + SW_HEADROOM, packet, opened.view.length) == 0);
}

/* A datagram of a session is not accepted twice. */
static void receive_again(struct sw_link *link, const struct sw_path *path, const uint8_t *datagram,
                          size_t length, uint8_t *packet) {
  static struct sw_link before;
  size_t packet_length;
  if (sw_header_read(keys_of(link, datagram)->mask, datagram).session == SW_SESSION_HANDSHAKE)
    return;
  before = *link;
  assert(sw_link_receive(link, now, path, datagram, length, packet, &packet_length) ==
         SW_RECEIVED_DROPPED);
  check_received(&before, link, SW_RECEIVED_DROPPED);
}

/* An accepted datagram, opened and sealed again, is the same datagram: its encoding is unique. */
static void assert_only_encoding(struct sw_link *before, const uint8_t *datagram, size_t length) {
  static uint8_t plain[ROOM], again[ROOM];
  const struct sw_keys *keys = keys_of(before, datagram);
  const struct sw_header header = sw_header_read(keys->mask, datagram);
  const struct sw_secretbox *box = NULL;
  if (header.session == SW_SESSION_HANDSHAKE) return;
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (before->sessions.rows[i].local == header.session) box = &before->sessions.rows[i].open;
  if (!box) box = &sw_pending_find(&before->sessions.pending, header.session)->agreement.open;
  assert(sw_secretbox_open(box, header.word, datagram + SW_BODY_OFFSET, length - SW_OVERHEAD,
                           datagram + SW_TAG_OFFSET, plain));
  sw_secretbox_seal(box, header.word, plain, length - SW_OVERHEAD, again + SW_TAG_OFFSET,
                    again + SW_BODY_OFFSET);
  sw_header_write(keys->mask, header, again);
  assert(memcmp(again, datagram, length) == 0);
}

static void receive(unsigned to, const struct sw_address *from, const uint8_t *bytes,
                    size_t length) {
  static struct sw_link before, after;
  struct sw_link *link = links[to];
  assert(length <= ROOM);
  struct sw_path path = {.peer = *from};
  const struct sw_address destination = beside ? second_address(to) : address(to);
  memcpy(path.local, destination.ip, SW_IP_BYTES);
  if (!briefly) before = *link;
  uint8_t *datagram = room_of(length, false), *packet = room_of(length, true);
  size_t packet_length = SIZE_MAX;
  memcpy(datagram, bytes, length);
  random_seed(++seed);
  const enum sw_received received =
      sw_link_receive(link, now, &path, datagram, length, packet, &packet_length);
  check(link);
  if (received == SW_RECEIVED_PACKET) assert(packet_length == length - SW_OVERHEAD);
  if (!briefly) {
    check_received(&before, link, received);
    if (received != SW_RECEIVED_DROPPED) assert_only_encoding(&before, datagram, length);
    after = *link;
    *link = before;
    random_seed(seed);
    receive_fast(link, &path, bytes, length, received, packet, &after, seed % 2);
    *link = after;
    if (received != SW_RECEIVED_DROPPED) receive_again(link, &path, datagram, length, packet);
    *link = after;
  }
}

static void keep(unsigned to, const uint8_t *bytes, size_t length) {
  struct datagram *place = &kept[kept_next++ % KEPT];
  place->to = to;
  place->length = length;
  memcpy(place->bytes, bytes, length);
}

/* The other link receives a datagram that was sent on this path, if it has the address. */
static void travel(unsigned from, const struct sw_path *path, const uint8_t *datagram,
                   size_t length) {
  static const uint8_t any[SW_IP_BYTES];
  struct sw_address source = address(from);
  const struct sw_address first = address(!from), second = second_address(!from);
  const bool before = beside;
  if (memcmp(path->local, any, SW_IP_BYTES) != 0) memcpy(source.ip, path->local, SW_IP_BYTES);
  beside = sw_address_equal(&path->peer, &second);
  if (beside || sw_address_equal(&path->peer, &first)) receive(!from, &source, datagram, length);
  beside = before;
}

/* Transmits all datagrams of a link; returns whether there was one. */
static bool transmit(unsigned from, bool heard) {
  unsigned calls = 0;
  for (;; calls++) {
    static uint8_t datagram[SW_CONTROL_MAX];
    struct sw_path path;
    bool whole;
    const size_t length = sw_link_transmit(links[from], now, datagram, &path, &whole);
    check(links[from]);
    if (!length) break;
    assert(calls < CALLS_AT_ONCE && length <= SW_CONTROL_MAX && path.peer.port != 0);
    keep(!from, datagram, length);
    if (heard) travel(from, &path, datagram, length);
  }
  assert(sw_link_deadline(links[from]) > now);
  return calls > 0;
}

static void transmit_all(void) {
  for (unsigned i = 0; i < CALLS_AT_ONCE; i++) {
    const bool left = transmit(0, true), right = transmit(1, true);
    if (!left && !right) return;
  }
  assert(false); /* the links never stop transmitting */
}

/* Seals twice from the same state, with the plain call and with the fast one. */
static void send_packet(unsigned from, const uint8_t *packet, size_t length, bool partial,
                        bool heard) {
  static struct sw_link before;
  static uint8_t room[SW_HEADROOM + ROOM + SW_SLACK], sealed[SW_HEADROOM + ROOM + SW_SLACK];
  struct sw_link *link = links[from];
  uint8_t *datagram = room_of(length + SW_OVERHEAD, true);
  before = *link;
  const int64_t plain = sw_link_send(link, now, packet, length, datagram);
  if (!partial) *link = before;
  memcpy(room + SW_HEADROOM, packet, length);
  const int64_t fast =
      sw_link_seal(link, now, room + SW_HEADROOM, length, partial, sealed + SW_HEADROOM);
  check(link);
  if (!partial) {
    assert(plain == fast);
    if (plain > 0) assert(memcmp(datagram, sealed + SW_HEADROOM, (size_t)plain) == 0);
  }
  if (fast > 0) {
    keep(!from, sealed + SW_HEADROOM, (size_t)fast);
    const struct sw_path path = *sw_link_path(link);
    if (heard) travel(from, &path, sealed + SW_HEADROOM, (size_t)fast);
  }
}

/* Makes a handshake message as the other end would. */
static size_t make_message(struct sw_link *link, unsigned type, uint32_t id,
                           uint8_t plain[SW_INIT_MAX]) {
  const uint8_t *me = links[link == links[0]]->me;
  static struct sw_initiation initiation;
  random_seed(++seed);
  if (type == SW_MESSAGE_INIT || !link->initiation.local) {
    sw_initiation_begin(&initiation, sw_keyring_at(&link->keyring, 0), me, id);
    memcpy(plain, initiation.plain, initiation.length);
    return initiation.length;
  }
  struct sw_handshake_message init;
  assert(sw_message_parse(link->initiation.plain, link->initiation.length, &init) == 0);
  if (type == SW_MESSAGE_COOKIE)
    return sw_cookie_message_make(me, link->initiation.hash, me, link->initiation.length, plain);
  struct sw_agreement agreement;
  const int length = sw_response_make(link->initiation.keys, me, id, &init, link->initiation.plain,
                                      link->initiation.length, plain, &agreement);
  assert(length > 0);
  return (size_t)length;
}

static bool has_reply(const struct sw_link *link) {
  return link->replies[0].length || link->replies[1].length;
}

static void receive_message(unsigned to, const struct sw_address *from, const uint8_t *plain,
                            size_t length) {
  uint8_t datagram[SW_HANDSHAKE_OVERHEAD + SW_INIT_MAX];
  random_seed(++seed);
  const struct sw_link *link = links[to];
  const bool reply = length > 0 && plain[0] != SW_MESSAGE_INIT && link->initiation.local;
  const struct sw_keys *keys =
      reply ? link->initiation.keys : sw_keyring_at(&link->keyring, (unsigned)(seed % 2));
  const size_t sealed = sw_message_seal(keys, plain, length, datagram);
  const bool quiet = !has_reply(links[to]);
  receive(to, from, datagram, sealed);
  if (quiet && length > 0 && plain[0] == SW_MESSAGE_INIT)
    assert(links[to]->replies[0].length <= sealed && !links[to]->replies[1].length);
}

static void flood(unsigned to, unsigned count) {
  uint8_t plain[SW_INIT_MAX];
  const size_t length = make_message(links[to], SW_MESSAGE_INIT, 1, plain);
  briefly = true;
  for (unsigned i = 0; i < count; i++) {
    const struct sw_address source = address(3 + i);
    sw_store32(plain + 18, i + 1); /* another init */
    receive_message(to, &source, plain, length);
  }
  briefly = false;
}

/* Seals with the receiving keys of one of the link's sessions or pending answers, and delivers the
 * datagram. */
static void receive_sealed(unsigned to, const struct sw_address *from, unsigned which,
                           uint64_t word, const uint8_t *plain, size_t length) {
  struct sw_link *link = links[to];
  const struct sw_secretbox *box;
  const struct sw_keys *keys;
  uint32_t local;
  if (which < SW_SESSIONS) {
    const struct sw_session *session = &link->sessions.rows[which];
    box = &session->open;
    keys = session->keys;
    local = session->local;
    if (word & 1U << 7) word += session->replay.end; /* otherwise the counter is absolute */
  } else {
    if (!link->sessions.pending.count) return;
    const struct sw_agreement *agreement =
        &link->sessions.pending.entries[which % link->sessions.pending.count].agreement;
    box = &agreement->open;
    keys = agreement->keys;
    local = agreement->local;
  }
  if (!local) return;
  static uint8_t datagram[ROOM];
  assert(length <= ROOM - SW_OVERHEAD);
  sw_secretbox_seal(box, word, plain, length, datagram + SW_TAG_OFFSET, datagram + SW_BODY_OFFSET);
  sw_header_write(keys->mask, (struct sw_header){local, word}, datagram);
  const bool quiet = !has_reply(link);
  receive(to, from, datagram, SW_OVERHEAD + length);
  for (unsigned i = 0; i < SW_REPLIES && quiet; i++)
    assert(link->replies[i].length <= SW_OVERHEAD + length);
}

/* ---- the states ---- */

static void introduce(void) {
  const struct sw_address peer = address(1);
  sw_link_endpoints_set(links[0], now, &peer, 1);
}

static void reach(enum state state) {
  static const uint8_t packet[20] = {0x45, [3] = 20};
  if (state == WAITING) return;
  if (state == COOKIE_RECEIVED) flood(1, SW_LOAD_INITS + 5);
  introduce();
  if (state == INIT_SENT) {
    transmit(0, false);
  } else if (state == RESPONSE_UNDER_WAY) {
    transmit(0, true);
    transmit(1, false);
  } else if (state == UNCONFIRMED) {
    transmit(0, true);
    transmit(1, true);
    transmit(0, false);
  } else if (state == COOKIE_RECEIVED) {
    transmit(0, true);
    transmit(1, true);
    assert(links[0]->initiation.cookie_used);
  } else {
    transmit_all();
    assert(sw_link_status(links[0])->state == SW_LINK_UP);
    assert(sw_link_status(links[1])->state == SW_LINK_UP);
  }
  switch (state) {
  case REKEYING:
    now += 121 * SW_SECOND;
    transmit(0, true);
    transmit(1, false);
    assert(links[0]->initiation.local && links[1]->sessions.pending.count);
    break;
  case SILENT:
    send_packet(0, packet, sizeof(packet), false, false);
    while (sw_link_status(links[0])->state != SW_LINK_SILENT) {
      now = sw_link_deadline(links[0]);
      transmit(0, false);
    }
    transmit(0, false);
    break;
  case EXPIRING:
    now += SW_REJECT_AFTER - 100 * SW_MILLISECOND;
    break;
  case COUNTERS_USED:
    for (unsigned i = 0; i < 2; i++) {
      links[i]->sessions.current->counter = SW_REJECT_AFTER_COUNTER - 3;
      sw_replay_commit(&links[i]->sessions.current->replay, SW_REJECT_AFTER_COUNTER - 4);
    }
    break;
  case CLOSED:
    sw_link_close(links[0], now);
    break;
  case PEER_CLOSED:
    sw_link_close(links[0], now);
    transmit(0, true);
    assert(sw_link_status(links[1])->state != SW_LINK_UP);
    break;
  case LOADED:
    flood(1, SW_LOAD_INITS + 5);
    assert(sw_link_status(links[1])->cookies_sent);
    break;
  default:
    break;
  }
}

static void prepare(void) {
  static const struct sw_prefix any[] = {{.ip = {[10] = 0xff, [11] = 0xff}, .length = 96},
                                         {.length = 0}};
  static const struct sw_prefix own[] = {
      {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, .length = 128}};
  for (enum state state = 0; state < STATES; state++) {
    random_seed(seed = state * 1000);
    now = SW_SECOND;
    for (unsigned i = 0; i < 2; i++) {
      struct sw_link *fresh = sw_link_new(&(struct sw_link_options){
          .psks = psks,
          .psk_count = 2,
          .persistent_keepalive = 25 * SW_SECOND,
          .sources = any,
          .source_count = 2,
          .own = own,
          .own_count = 1,
      });
      assert(fresh);
      if (!links[i]) {
        links[i] = fresh;
        continue;
      }
      const struct sw_filter filter = links[i]->filter; /* both have the same ranges: one is kept */
      *links[i] = *fresh;
      links[i]->filter = filter;
      sw_link_free(fresh);
    }
    memset(kept, 0, sizeof(kept));
    kept_next = 0;
    reach(state);
    for (unsigned i = 0; i < 2; i++) snapshots[state].links[i] = *links[i];
    memcpy(snapshots[state].kept, kept, sizeof(kept));
    snapshots[state].kept_next = kept_next;
    snapshots[state].now = now;
  }
}

static void restore(enum state state) {
  for (unsigned i = 0; i < 2; i++) *links[i] = snapshots[state].links[i];
  memcpy(kept, snapshots[state].kept, sizeof(kept));
  kept_next = snapshots[state].kept_next;
  now = snapshots[state].now;
  seed = 0;
  random_seed(0);
}

/* ---- the input ---- */

struct input {
  const uint8_t *data;
  size_t size;
};

static uint64_t take(struct input *input, unsigned bytes) {
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes && input->size; i++, input->data++, input->size--)
    value |= (uint64_t)input->data[0] << 8 * i;
  return value;
}

static const uint8_t *take_bytes(struct input *input, size_t most, size_t *length) {
  const uint8_t *bytes = input->data;
  *length = take(input, 2) % (most + 1);
  bytes = input->data;
  if (*length > input->size) *length = input->size;
  input->data += *length;
  input->size -= *length;
  return bytes;
}

/* Copies bytes as a packet; with `make_ip`, its lengths are those of an IP packet. */
static void copy_packet(uint8_t *packet, const uint8_t *bytes, size_t length, bool make_ip) {
  if (length) memcpy(packet, bytes, length);
  if (!make_ip || length < SW_OVERHEAD) return;
  if (packet[0] >> 4 == 6 && length >= 40) {
    packet[4] = (uint8_t)((length - 40) >> 8);
    packet[5] = (uint8_t)(length - 40);
  } else {
    packet[0] = (uint8_t)(0x45 + packet[0] % 2);
    packet[2] = (uint8_t)(length >> 8);
    packet[3] = (uint8_t)length;
  }
}

static void mutated_message(struct input *input, unsigned to, const struct sw_address *from) {
  uint8_t plain[SW_INIT_MAX] = {0};
  const unsigned how = (unsigned)take(input, 1);
  size_t length = make_message(links[to], how % 4, (uint32_t)take(input, 1) + 1, plain);
  for (unsigned i = how >> 2 & 3; i > 0; i--) {
    const size_t at = take(input, 1);
    plain[at] = (uint8_t)take(input, 1);
  }
  if (how & 0x10) length = take(input, 2) % (SW_INIT_MAX + 1);
  if (how & 0x20) /* a point of low order */
    memset(plain + (plain[0] == SW_MESSAGE_RESPONSE ? 29 : 26), (int)take(input, 1) % 2,
           SW_POINT_BYTES);
  receive_message(to, from, plain, length);
}

/* The token of a probe that was sent on this path: the latest, or one of those before. */
static uint64_t token_of(const struct sw_candidate *row, uint64_t before) {
  return (uint64_t)row->id << 32 | (uint32_t)(row->next - 1 - before);
}

/* The token of a probe of the MTU: one that has no answer yet, or another size. */
static uint64_t token_of_size(const struct sw_pathmtu *search, uint64_t which) {
  const uint64_t size = which < search->count ? search->sizes[which] : which * which;
  return (uint64_t)search->id << 32 | (uint32_t)size;
}

static void sealed_in_session(struct input *input, unsigned to, const struct sw_address *from) {
  static uint8_t plain[ROOM];
  const unsigned how = (unsigned)take(input, 1);
  const uint64_t kind = take(input, 1);
  const uint64_t counter = how & 0x40 ? take(input, 7) : take(input, 1);
  size_t length;
  const uint8_t *bytes = take_bytes(input, 512, &length);
  copy_packet(plain, bytes, length, how & 0x10);
  if (how & 0x20 && length >= SW_PROBE_BYTES)
    sw_store64(plain, kind / 8 < SW_CANDIDATES
                          ? token_of(&links[to]->paths.rows[kind / 8 % SW_CANDIDATES], counter % 4)
                          : token_of_size(&links[to]->pathmtu, counter & 0xff));
  receive_sealed(to, from, how % 8, (counter & SW_COUNTER_MASK) | kind % 8 << SW_COUNTER_BITS,
                 plain, length);
}

static void operate(struct input *input) {
  static const uint64_t units[] = {SW_MILLISECOND, 100 * SW_MILLISECOND, SW_SECOND};
  const unsigned what = (unsigned)take(input, 1), to = what >> 7, host = what >> 5 & 3;
  const struct sw_address from = address(host > 1 ? 1 + host : !to);
  beside = what & 0x10;
  size_t length;
  const uint8_t *bytes;
  switch (what & 0x0f) {
  case 0:
    bytes = take_bytes(input, 1024, &length);
    if (host == 3 && length >= SW_OVERHEAD)
      length = SW_OVERHEAD - length % 2; /* the shortest datagram, or one byte less */
    receive(to, &from, bytes, length);
    break;
  case 1:
    bytes = take_bytes(input, SW_INIT_MAX, &length);
    receive_message(to, &from, bytes, length);
    break;
  case 2:
  case 3:
    mutated_message(input, to, &from);
    break;
  case 4:
  case 5:
    sealed_in_session(input, to, &from);
    break;
  case 6:
    now += take(input, 1) * units[host % 3];
    break;
  case 7:
    transmit(to, host & 1);
    break;
  case 8:
    transmit_all();
    break;
  case 9: {
    static uint8_t packet[ROOM];
    bytes = take_bytes(input, 512, &length);
    copy_packet(packet, bytes, length, host & 2);
    send_packet(to, packet, length, false, host & 1);
    break;
  }
  case 10: {
    static uint8_t packet[ROOM];
    bytes = take_bytes(input, 512, &length);
    copy_packet(packet, bytes, length, host & 2);
    send_packet(to, packet, length, true, host & 1);
    break;
  }
  case 11: {
    struct datagram again = kept[take(input, 1) % KEPT];
    const size_t flip = take(input, 2);
    if (flip < again.length) again.bytes[flip] ^= 1;
    receive(again.to, &from, again.bytes, again.length);
    break;
  }
  case 12:
    sw_link_error(links[to], now, &from, beside ? EMSGSIZE : ECONNREFUSED);
    break;
  case 13:
    sw_link_endpoints_set(links[to], now, &from, host & 1);
    break;
  case 14:
    flood(to, (unsigned)take(input, 1) % 8);
    break;
  case 15:
    if (host == 0) set_keys(links[to], (unsigned)take(input, 1));
    if (host == 1) sw_link_too_long(links[to], now, take(input, 2));
    if (host == 2) sw_link_mtu_set(links[to], now, (uint32_t)take(input, 2) % 4 * 3000);
    if (host == 3) sw_link_close(links[to], now);
    break;
  }
  check(links[0]);
  check(links[1]);
}

/* No more interference from here on. */
static void recover(void) {
  beside = false;
  if (links[0]->closing || links[1]->closing) return;
  const uint64_t end = now + PEACE;
  briefly = true;
  set_keys(links[0], 0);
  set_keys(links[1], 0);
  introduce();
  transmit_all();
  while (now < end) {
    const uint64_t left = sw_link_deadline(links[0]), right = sw_link_deadline(links[1]);
    now = left < right ? left : right;
    transmit_all();
  }
  static uint8_t packet[20] = {0x45, [3] = 20};
  for (unsigned i = 0; i < 2; i++) {
    const uint64_t before = links[!i]->status.packets_in;
    assert(sw_link_status(links[i])->state == SW_LINK_UP);
    send_packet(i, packet, sizeof(packet), false, true);
    assert(links[!i]->status.packets_in == before + 1);
  }
  briefly = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!links[0]) {
    random_replace();
    if (sodium_init() < 0) abort();
    prepare();
  }
  struct input input = {data, size};
  const unsigned start = (unsigned)take(&input, 1);
  restore((start & 0x1f) % STATES);
  while (input.size) operate(&input);
  if (start >= 0xe0) recover();
  return 0;
}

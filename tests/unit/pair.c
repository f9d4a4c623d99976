#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

/* calls of sw_link_transmit in a row: replies, an init, a confirmation, probes of paths and of the MTU, farewells */
#define CALLS_AT_ONCE (SW_REPLIES + 2 + SW_CANDIDATES + SW_MTU_SIZES + SW_SESSIONS)
#define TURNS_AT_ONCE 100000 /* turns of a run; more is a busy loop */

static bool seen[SW_DROP_COUNT];

struct sw_address pair_address(uint8_t last) {
  return (struct sw_address){.ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = last},
                             .port = 51900};
}

static struct sw_prefix network4(uint8_t second, uint8_t last, uint8_t length) {
  return (struct sw_prefix){.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = second, [15] = last},
                            .length = length};
}

static struct sw_prefix network6(uint8_t second, uint8_t last, uint8_t length) {
  return (struct sw_prefix){.ip = {[0] = 0xfd, [1] = second, [15] = last}, .length = length};
}

static struct sw_link *make(bool left, uint64_t persistent_keepalive) {
  struct sw_psk psk;
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) psk.bytes[i] = (uint8_t)(0x40 + i);
  const uint8_t mine = left ? 1 : 2, other = left ? 2 : 1;
  /* 10.0.0.0/24 is a network of both sides */
  const struct sw_prefix sources[] = {network4(other, 0, 96 + 16), network6(other, 0, 16),
                                      network4(0, 0, 96 + 24)};
  const struct sw_prefix own[] = {network4(mine, 1, 128), network6(mine, 1, 128),
                                  network4(0, mine, 128)};
  struct sw_link *link = sw_link_new(&(struct sw_link_options){
      .psks = &psk,
      .psk_count = 1,
      .persistent_keepalive = persistent_keepalive,
      .mtu = PAIR_MTU,
      .sources = sources,
      .source_count = sizeof(sources) / sizeof(*sources),
      .own = own,
      .own_count = sizeof(own) / sizeof(*own),
  });
  assert_non_null(link);
  return link;
}

void pair_restart(struct pair_side *side, uint64_t persistent_keepalive) {
  sw_link_free(side->link);
  side->link = make(side == &side->pair->left, persistent_keepalive);
  memset(side->drops, 0, sizeof(side->drops));
  sw_link_endpoints_set(side->link, side->pair->now, NULL, 0);
}

void pair_introduce(struct pair_side *side) {
  sw_link_endpoints_set(side->link, side->pair->now, &side->other->address, 1);
}

void pair_start(struct pair *pair, uint64_t persistent_keepalive) {
  memset(pair, 0, sizeof(*pair));
  pair->now = PAIR_START;
  pair->left = (struct pair_side){.pair = pair, .other = &pair->right, .address = pair_address(1)};
  pair->right = (struct pair_side){.pair = pair, .other = &pair->left, .address = pair_address(2)};
  pair_restart(&pair->left, persistent_keepalive);
  pair_restart(&pair->right, persistent_keepalive);
  pair_introduce(&pair->left);
}

void pair_stop(struct pair *pair) {
  sw_link_free(pair->left.link);
  sw_link_free(pair->right.link);
}

static void set_path(struct pair_side *side, const struct sw_path *path,
                     struct pair_datagram *datagram) {
  datagram->to = path->peer;
  datagram->from = side->address;
  if (!sodium_is_zero(path->local, SW_IP_BYTES))
    memcpy(datagram->from.ip, path->local, SW_IP_BYTES);
}

bool pair_take(struct pair_side *side, struct pair_datagram *datagram) {
  struct sw_path path;
  bool whole;
  for (;;) {
    datagram->length =
        sw_link_transmit(side->link, side->pair->now, datagram->bytes, &path, &whole);
    if (!datagram->length || !whole || side->pair->searches) break;
    const uint64_t search = side->link->pathmtu.id;
    sw_pathmtu_acknowledged(side->link, search << 32 | (datagram->length - SW_OVERHEAD));
  }
  if (datagram->length) set_path(side, &path, datagram);
  assert_true(datagram->length <= SW_CONTROL_MAX);
  return datagram->length > 0;
}

void pair_take_letter(struct pair_side *side, char letter, struct pair_datagram *datagram) {
  assert_true(pair_take(side, datagram));
  assert_int_equal(pair_letter(side, datagram), letter);
}

enum sw_received pair_give(struct pair_side *side, const struct pair_datagram *datagram) {
  uint8_t packet[PAIR_ROOM];
  size_t length = SIZE_MAX;
  struct sw_path path = {.peer = datagram->from};
  memcpy(path.local, datagram->to.ip, SW_IP_BYTES);
  const enum sw_received received = sw_link_receive(
      side->link, side->pair->now, &path, datagram->bytes, datagram->length, packet, &length);
  if (received == SW_RECEIVED_PACKET) assert_int_equal(length, datagram->length - SW_OVERHEAD);
  return received;
}

void pair_packet4(uint8_t *packet, size_t length, const uint8_t source[4]) {
  memset(packet, 0, length);
  packet[0] = 0x45;
  packet[2] = (uint8_t)(length >> 8);
  packet[3] = (uint8_t)length;
  memcpy(packet + 12, source, 4);
}

void pair_seal(struct pair_side *side, size_t length, struct pair_datagram *datagram) {
  uint8_t packet[PAIR_ROOM];
  pair_packet4(packet, length,
               side == &side->pair->left ? (uint8_t[]){10, 1, 0, 1} : (uint8_t[]){10, 2, 0, 1});
  const int64_t sealed = sw_link_send(side->link, side->pair->now, packet, length, datagram->bytes);
  assert_int_equal(sealed, length + SW_OVERHEAD);
  datagram->length = (size_t)sealed;
  set_path(side, sw_link_path(side->link), datagram);
}

void pair_seal_kind(struct pair_side *side, enum sw_kind kind, const uint8_t *plain, size_t length,
                    struct pair_datagram *datagram) {
  struct sw_session *session = sw_sessions_sending(&side->link->sessions);
  assert_non_null(session);
  const int64_t sealed =
      sw_session_seal(session, side->pair->now, kind, plain, length, datagram->bytes);
  assert_true(sealed > 0);
  datagram->length = (size_t)sealed;
  datagram->from = side->address;
  datagram->to = side->other->address;
}

void pair_seal_message(struct pair_side *side, const uint8_t *plain, size_t length,
                       struct pair_datagram *datagram) {
  datagram->length =
      sw_message_seal(&side->link->keyring.places[0], plain, length, datagram->bytes);
  datagram->from = side->address;
  datagram->to = side->other->address;
}

/* Whether a header that was unmasked with `keys` is one of the side's. */
static bool is_header_of(const struct pair_side *side, const struct sw_keys *keys,
                         struct sw_header header) {
  bool found = header.session == SW_SESSION_HANDSHAKE;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &side->link->sessions.rows[i];
    found |= session->keys == keys && session->remote == header.session;
  }
  return found;
}

char pair_letter(const struct pair_side *side, const struct pair_datagram *datagram) {
  const struct sw_keyring *ring = &side->link->keyring;
  const struct sw_keys *keys = sw_keyring_at(ring, 0);
  struct sw_header header = sw_header_read(keys->mask, datagram->bytes);
  if (ring->count > 1 && !is_header_of(side, keys, header)) {
    keys = sw_keyring_at(ring, 1);
    header = sw_header_read(keys->mask, datagram->bytes);
  }
  if (header.session == SW_SESSION_HANDSHAKE) {
    uint8_t plain[SW_INIT_MAX];
    const int length = sw_message_open(keys, header, datagram->bytes, datagram->length, plain);
    if (length <= 0 || plain[0] > 3) return '?';
    return "?irc"[plain[0]];
  }
  const uint64_t kind = header.word >> SW_COUNTER_BITS;
  return kind > SW_KIND_MOVE ? '?' : "d?paxkm"[kind];
}

void pair_fly(struct pair_side *receiver, const struct pair_datagram *datagram) {
  struct pair *pair = receiver->pair;
  assert_true(pair->flying < PAIR_FLIGHT);
  struct pair_datagram *flight = &pair->flight[pair->flying++];
  *flight = *datagram;
  flight->receiver = receiver;
  flight->due = pair->now + pair->latency;
}

static struct pair_side *receiver_of(struct pair_side *sender, struct pair_datagram *datagram) {
  struct pair_side *receiver = sender->other;
  if (sender->pair->route)
    receiver = sender->pair->route(sender, datagram);
  else if (!sw_address_equal(&datagram->to, &receiver->address))
    return NULL;
  return receiver && receiver->deaf ? NULL : receiver;
}

static void put_on_wire(struct pair_side *side, struct pair_datagram *datagram) {
  struct pair *pair = side->pair;
  if (side->sent_count < PAIR_SENT_MAX - 1) {
    side->sent[side->sent_count] = pair_letter(side, datagram);
    side->sent_at[side->sent_count] = pair->now;
    side->sent_to[side->sent_count] = datagram->to;
    side->sent[++side->sent_count] = '\0';
  }
  struct pair_side *receiver = receiver_of(side, datagram);
  if (receiver) pair_fly(receiver, datagram);
}

static bool transmit_all(struct pair_side *side) {
  struct pair_datagram datagram;
  unsigned calls = 0;
  for (; pair_take(side, &datagram); calls++) {
    assert_true(calls < CALLS_AT_ONCE);
    put_on_wire(side, &datagram);
  }
  return calls > 0;
}

/* Delivers the first datagram that is due. Its receiver answers. */
static bool deliver_one(struct pair *pair) {
  for (unsigned i = 0; i < pair->flying; i++) {
    if (pair->flight[i].due > pair->now) continue;
    const struct pair_datagram datagram = pair->flight[i];
    memmove(&pair->flight[i], &pair->flight[i + 1], (--pair->flying - i) * sizeof(datagram));
    struct pair_side *side = datagram.receiver;
    const enum sw_received received = pair_give(side, &datagram);
    if (received == SW_RECEIVED_PACKET) side->packets++;
    if (received == SW_RECEIVED_CONTROL) transmit_all(side);
    return true;
  }
  return false;
}

void pair_flush(struct pair *pair) {
  unsigned turns = 0;
  while (transmit_all(&pair->left) || transmit_all(&pair->right) || deliver_one(pair))
    assert_true(turns++ < TURNS_AT_ONCE);
  assert_true(sw_link_deadline(pair->left.link) > pair->now);
  assert_true(sw_link_deadline(pair->right.link) > pair->now);
}

/* No deadline may be later than the next event either. */
static void assert_nothing_due_before(struct pair *pair, uint64_t next) {
  struct pair_datagram datagram;
  pair->now = next - 1;
  assert_false(pair_take(&pair->left, &datagram));
  assert_false(pair_take(&pair->right, &datagram));
}

void pair_run(struct pair *pair, uint64_t duration) {
  const uint64_t end = pair->now + duration;
  for (unsigned turns = 0;; turns++) {
    assert_true(turns < TURNS_AT_ONCE);
    pair_flush(pair);
    uint64_t next = sw_link_deadline(pair->left.link);
    const uint64_t right = sw_link_deadline(pair->right.link);
    if (right < next) next = right;
    for (unsigned i = 0; i < pair->flying; i++)
      if (pair->flight[i].due < next) next = pair->flight[i].due;
    if (next > end) break;
    assert_nothing_due_before(pair, next);
    pair->now = next;
  }
  pair->now = end;
}

void pair_send(struct pair_side *side) {
  struct pair_datagram datagram;
  pair_seal(side, 100, &datagram);
  put_on_wire(side, &datagram);
}

enum sw_link_state pair_state(struct pair_side *side) {
  return sw_link_status(side->link)->state;
}

void pair_connect(struct pair *pair) {
  for (unsigned i = 0; i < 100; i++) {
    pair_flush(pair);
    if (pair_state(&pair->left) == SW_LINK_UP && pair_state(&pair->right) == SW_LINK_UP) return;
    pair_run(pair, 100 * SW_MILLISECOND);
  }
  fail_msg("the links do not come up");
}

void pair_clear_sent(struct pair_side *side) {
  side->sent_count = 0;
  side->sent[0] = '\0';
}

unsigned pair_sent(const struct pair_side *side, char letter) {
  unsigned count = 0;
  for (unsigned i = 0; i < side->sent_count; i++) count += side->sent[i] == letter;
  return count;
}

static void assert_drops(struct pair_side *side, enum sw_drop expected) {
  const struct sw_link_status *status = sw_link_status(side->link);
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const uint64_t more = status->drops[i] - side->drops[i];
    if (more != (i == expected))
      fail_msg("%s: counted %u times", sw_drop_name((enum sw_drop)i), (unsigned)more);
  }
  memcpy(side->drops, status->drops, sizeof(side->drops));
}

void pair_assert_drop(struct pair_side *side, enum sw_drop reason) {
  assert_drops(side, reason);
  seen[reason] = true;
}

void pair_assert_no_drops(struct pair_side *side) {
  assert_drops(side, SW_DROP_COUNT);
}

bool pair_drop_was_seen(enum sw_drop reason) {
  return seen[reason];
}

/* Every reason for which the core of a link drops a datagram or packet: each occurs and is counted
 * once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "pair.h"

#define LENGTHS 1501 /* 0 to 1500 */

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;
static struct pair_datagram datagram;

static int start(void **state) {
  (void)state;
  pair_start(&pair, 0);
  return 0;
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

static void assert_dropped(enum sw_drop reason) {
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, reason);
}

static void assert_silence(struct pair_side *side) {
  struct pair_datagram sent;
  assert_false(pair_take(side, &sent));
}

/* ---- without the key ---- */

static void short_datagram_is_dropped(void **state) {
  (void)state;
  pair_seal_kind(left, SW_KIND_PACKET, NULL, 0, &datagram);
  for (datagram.length = 0; datagram.length < SW_OVERHEAD; datagram.length++)
    assert_dropped(SW_DROP_SHORT);
  assert_dropped(SW_DROP_NOT_IP); /* long enough, but not a packet */
}

static void datagram_of_no_session_is_dropped_and_reported(void **state) {
  (void)state;
  pair_seal(left, 100, &datagram);
  sw_sessions_wipe(&right->link->sessions, right->link->sessions.current);
  assert_dropped(SW_DROP_SESSION);
  const struct sw_link_status *status = sw_link_status(right->link);
  assert_int_equal(status->foreign_time, pair.now);
  assert_int_equal(status->stranger_time, 0);
  assert_true(sw_address_equal(&status->foreign, &left->address));
  const uint64_t foreign_time = pair.now++;
  datagram.from = pair_address(77);
  assert_dropped(SW_DROP_SESSION);
  assert_int_equal(status->foreign_time, foreign_time);
  assert_int_equal(status->stranger_time, pair.now);
  assert_true(sw_address_equal(&status->foreign, &left->address));
  assert_true(sw_address_equal(&status->stranger, &datagram.from));
}

static void handshake_of_another_key_is_dropped_and_reported(void **state) {
  (void)state;
  pair_take_letter(left, 'i', &datagram);
  datagram.bytes[datagram.length - 1] ^= 1;
  assert_dropped(SW_DROP_HANDSHAKE_TAG);
  assert_int_equal(sw_link_status(right->link)->stranger_time, pair.now);
}

static void random_datagrams_are_not_answered(void **state) {
  (void)state;
  datagram.from = left->address;
  for (unsigned round = 0; round < 3; round++) {
    for (datagram.length = 0; datagram.length < LENGTHS; datagram.length++) {
      randombytes_buf(datagram.bytes, datagram.length);
      assert_dropped(datagram.length < SW_OVERHEAD ? SW_DROP_SHORT : SW_DROP_SESSION);
      assert_silence(right);
    }
  }
  pair_flush(&pair);
}

static void truncated_or_flipped_captures_are_not_answered(void **state) {
  (void)state;
  struct pair_datagram captured;
  pair_take_letter(left, 'i', &captured);
  for (size_t length = 0; length < captured.length; length++) {
    datagram = captured;
    datagram.length = length;
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
    assert_silence(right);
  }
  for (size_t bit = 0; bit < 8 * captured.length; bit++) {
    datagram = captured;
    datagram.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
    assert_silence(right);
  }
  assert_int_equal(pair_give(right, &captured), SW_RECEIVED_CONTROL);
  assert_int_equal(right->link->sessions.pending.count, 1);
}

static void truncated_or_flipped_data_is_dropped_and_the_original_accepted(void **state) {
  (void)state;
  struct pair_datagram captured;
  pair_seal(left, 100, &captured);
  for (size_t length = 0; length < captured.length; length++) {
    datagram = captured;
    datagram.length = length;
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  }
  for (size_t bit = 0; bit < 8 * captured.length; bit++) {
    datagram = captured;
    datagram.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  }
  assert_silence(right);
  assert_int_equal(pair_give(right, &captured), SW_RECEIVED_PACKET);
}

/* ---- in a session ---- */

static void flipped_datagram_is_dropped_by_its_tag(void **state) {
  (void)state;
  pair_seal(left, 100, &datagram);
  datagram.bytes[datagram.length - 1] ^= 1;
  assert_dropped(SW_DROP_TAG);
  assert_int_equal(sw_link_status(right->link)->foreign_time, 0);
}

static void replayed_datagram_is_dropped(void **state) {
  (void)state;
  pair_seal(left, 100, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  assert_dropped(SW_DROP_REPLAYED);
}

static void datagram_before_the_window_is_dropped(void **state) {
  (void)state;
  struct pair_datagram late, last;
  pair_seal(left, 100, &late);
  left->link->sessions.current->counter += SW_REPLAY_WINDOW - 1;
  pair_seal(left, 100, &last);
  assert_int_equal(pair_give(right, &last), SW_RECEIVED_PACKET);
  datagram = late;
  assert_dropped(SW_DROP_OLD);
}

static void datagram_past_the_counters_limit_is_dropped(void **state) {
  (void)state;
  struct sw_session *session = left->link->sessions.current;
  const uint64_t word = SW_REJECT_AFTER_COUNTER;
  uint8_t packet[20];
  pair_packet4(packet, sizeof(packet), (uint8_t[]){10, 1, 0, 1});
  sw_secretbox_seal(&session->seal, word, packet, sizeof(packet), datagram.bytes + SW_TAG_OFFSET,
                    datagram.bytes + SW_BODY_OFFSET);
  sw_header_write(left->link->keyring.places[0].mask,
                  (struct sw_header){.session = session->remote, .word = word}, datagram.bytes);
  datagram.length = SW_OVERHEAD + sizeof(packet);
  assert_dropped(SW_DROP_COUNTER);

  session->counter = SW_REJECT_AFTER_COUNTER - 1;
  pair_seal(left, 100, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
}

static void datagram_of_a_session_past_its_lifetime_is_dropped(void **state) {
  (void)state;
  struct pair_datagram early;
  pair_seal(left, 100, &early);
  pair_seal(left, 100, &datagram);
  pair.now = right->link->sessions.current->created + SW_REJECT_AFTER - 1;
  assert_int_equal(pair_give(right, &early), SW_RECEIVED_PACKET);
  pair.now++;
  assert_dropped(SW_DROP_EXPIRED);
}

static void datagram_of_an_unknown_kind_is_dropped_but_a_sign_of_life(void **state) {
  (void)state;
  for (unsigned kind = SW_KIND_MOVE + 1; kind < 256; kind++) {
    pair.now++;
    pair_seal_kind(left, (enum sw_kind)kind, (const uint8_t *)"12345678", 8, &datagram);
    assert_dropped(SW_DROP_KIND);
    assert_int_equal(sw_link_status(right->link)->received_time, pair.now);
  }
  assert_silence(right);
}

static void probe_and_ack_without_a_token_are_malformed(void **state) {
  (void)state;
  for (unsigned length = 0; length < SW_PROBE_BYTES; length++) {
    pair_seal_kind(left, SW_KIND_PROBE, (const uint8_t *)"12345678", length, &datagram);
    assert_dropped(SW_DROP_MALFORMED);
    pair_seal_kind(left, SW_KIND_PROBE_ACK, (const uint8_t *)"12345678", length, &datagram);
    assert_dropped(SW_DROP_MALFORMED);
  }
  assert_silence(right);
}

/* ---- handshake messages sealed with the key ---- */

static void message_of_no_known_type_is_malformed(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MIN] = {4};
  pair_seal_message(left, plain, sizeof(plain), &datagram);
  assert_dropped(SW_DROP_MALFORMED);
  plain[0] = SW_MESSAGE_INIT;
  plain[1] = SW_VERSION;
  pair_seal_message(left, plain, sizeof(plain), &datagram); /* session id 0 */
  assert_dropped(SW_DROP_MALFORMED);
  assert_silence(right);
}

static void init_of_another_version_is_dropped_and_reported_by_its_number(void **state) {
  (void)state;
  pair_seal_message(left, (const uint8_t[]){SW_MESSAGE_INIT, 42}, 2, &datagram);
  assert_dropped(SW_DROP_VERSION);
  assert_int_equal(sw_link_status(right->link)->version, 42);
  assert_int_equal(sw_link_status(right->link)->version_time, pair.now);
  assert_silence(right);
}

static void reflected_messages_are_dropped(void **state) {
  (void)state;
  struct pair_datagram init, response;
  pair_take_letter(left, 'i', &init);
  init.from = right->address;
  assert_int_equal(pair_give(left, &init), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_REFLECTED);
  assert_silence(left);

  assert_int_equal(pair_give(right, &init), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &response);
  datagram = response;
  assert_dropped(SW_DROP_REFLECTED);
}

static void init_is_answered_once(void **state) {
  (void)state;
  struct pair_datagram response;
  pair_take_letter(left, 'i', &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &response);
  assert_dropped(SW_DROP_REPEATED_INIT);
  assert_silence(right);
}

static void repeat_of_an_answered_init_gets_the_same_answer(void **state) {
  (void)state;
  struct pair_datagram init, first, again;
  uint8_t plain[2][SW_INIT_MAX];
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &first);
  const uint32_t session = right->link->sessions.pending.ids[0];
  const struct sw_initiation *initiation = &left->link->initiation;
  pair_seal_message(left, initiation->plain, initiation->length, &init);
  memset(right->link->replies, 0, sizeof(right->link->replies));
  assert_int_equal(pair_give(right, &init), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &again);
  assert_int_equal(right->link->sessions.pending.count, 1);
  assert_int_equal(right->link->sessions.pending.ids[0], session);
  assert_int_equal(again.length, first.length);
  assert_memory_not_equal(again.bytes, first.bytes, first.length);
  const struct pair_datagram *const responses[] = {&first, &again};
  for (unsigned i = 0; i < 2; i++) {
    const struct sw_header header =
        sw_header_read(left->link->keyring.places[0].mask, responses[i]->bytes);
    assert_int_equal(sw_message_open(&left->link->keyring.places[0], header, responses[i]->bytes,
                                     first.length, plain[i]),
                     first.length - SW_HANDSHAKE_OVERHEAD);
  }
  assert_memory_equal(plain[0], plain[1], first.length - SW_HANDSHAKE_OVERHEAD);
  pair_give(left, &again);
  pair_connect(&pair);
}

static void first_datagram_of_a_session_from_elsewhere_is_dropped(void **state) {
  (void)state;
  struct pair_datagram ack;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', &datagram);
  for (unsigned i = 0; i < 3; i++) {
    datagram.from = left->address;
    if (i == 0) datagram.from.ip[15]++;
    if (i == 1) datagram.from.port++;
    if (i == 2) datagram.from.scope++;
    assert_dropped(SW_DROP_PATH);
    assert_silence(right);
    assert_int_equal(right->link->sessions.pending.count, 1);
  }
  assert_int_equal(sw_link_status(right->link)->received_time, 0);
  datagram.from = left->address;
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'a', &ack);
  assert_true(sw_address_equal(&ack.to, &left->address));
}

/* The timer that expires the row has not run yet, as after suspend. */
static void first_datagram_after_five_seconds_confirms_nothing(void **state) {
  (void)state;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', &datagram);
  pair.now += SW_PENDING_LIFETIME;
  assert_dropped(SW_DROP_EXPIRED);
  assert_null(right->link->sessions.current);
}

static void first_datagram_past_the_counter_limit_changes_nothing(void **state) {
  (void)state;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  const struct sw_agreement *agreement = &right->link->sessions.pending.entries[0].agreement;
  const uint8_t plain[SW_PROBE_BYTES] = {0};
  const uint64_t word = SW_REJECT_AFTER_COUNTER | (uint64_t)SW_KIND_PROBE << SW_COUNTER_BITS;
  sw_secretbox_seal(&agreement->open, word, plain, sizeof(plain), datagram.bytes + SW_TAG_OFFSET,
                    datagram.bytes + SW_BODY_OFFSET);
  sw_header_write(right->link->keyring.places[0].mask, (struct sw_header){agreement->local, word},
                  datagram.bytes);
  datagram.length = SW_OVERHEAD + sizeof(plain);
  assert_dropped(SW_DROP_COUNTER);
  assert_int_equal(right->link->sessions.pending.count, 1);
}

static void reply_that_answers_no_init_is_dropped(void **state) {
  (void)state;
  struct pair_datagram init;
  pair_take_letter(left, 'i', &init);
  assert_int_equal(pair_give(right, &init), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &datagram);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_CONTROL);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_DROPPED); /* a second time */
  pair_assert_drop(left, SW_DROP_UNEXPECTED);

  uint8_t plain[SW_INIT_MAX];
  const uint8_t me[SW_ME_BYTES] = {1}, cookie[SW_COOKIE_BYTES] = {1}, hash[SW_HASH_BYTES] = {0};
  pair_seal_message(left, plain, sw_cookie_message_make(me, hash, cookie, SW_INIT_MIN, plain),
                    &datagram);
  assert_dropped(SW_DROP_UNEXPECTED); /* right sent no init: an all-zero hash matches none */
}

static void response_of_another_init_or_receiver_is_dropped(void **state) {
  (void)state;
  struct pair_datagram response;
  uint8_t plain[SW_INIT_MAX];
  pair_take_letter(left, 'i', &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &response);
  const int length =
      sw_message_open(&left->link->keyring.places[0],
                      sw_header_read(left->link->keyring.places[0].mask, response.bytes),
                      response.bytes, response.length, plain);
  assert_true(length > 0);
  const unsigned receiver = 21, hash = 61;
  for (unsigned i = 0; i < 2; i++) {
    plain[i ? receiver : hash] ^= 1;
    pair_seal_message(right, plain, (size_t)length, &datagram);
    assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_DROPPED);
    pair_assert_drop(left, SW_DROP_UNEXPECTED);
    plain[i ? receiver : hash] ^= 1;
  }
  assert_int_equal(pair_give(left, &response), SW_RECEIVED_CONTROL);
}

static void points_of_low_order_are_dropped_on_both_sides(void **state) {
  (void)state;
  struct pair_datagram init, response;
  uint8_t plain[SW_INIT_MAX];
  pair_take_letter(left, 'i', &init);
  memcpy(plain, left->link->initiation.plain, sizeof(plain));
  memset(plain + 26, 0, SW_POINT_BYTES);
  pair_seal_message(left, plain, left->link->initiation.length, &datagram);
  assert_dropped(SW_DROP_WEAK_KEY);
  assert_int_equal(right->link->sessions.pending.count, 0);
  assert_silence(right);

  assert_int_equal(pair_give(right, &init), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'r', &response);
  const int length =
      sw_message_open(&left->link->keyring.places[0],
                      sw_header_read(left->link->keyring.places[0].mask, response.bytes),
                      response.bytes, response.length, plain);
  assert_true(length > 0);
  memset(plain + 29, 0, SW_POINT_BYTES);
  pair_seal_message(right, plain, (size_t)length, &datagram);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_WEAK_KEY);
  assert_true(left->link->initiation.local);
}

/* Makes an init of the left side for this attempt, bypassing its timers. */
static void next_init(struct sw_initiation *initiation) {
  sw_initiation_begin(initiation, left->link->keyring.places, left->link->me,
                      1 + right->link->sessions.pending.count);
  pair_seal_message(left, initiation->plain, initiation->length, &datagram);
}

static void no_more_than_128_answers_wait_for_their_confirmation(void **state) {
  (void)state;
  struct sw_initiation initiation;
  struct pair_datagram sent;
  for (unsigned i = 0; i <= SW_PENDING_MAX; i++) {
    if (i % 10 == 0) pair.now += 200 * SW_MILLISECOND; /* all within 5 s, but no more than 20/s */
    next_init(&initiation);
    if (i >= SW_LOAD_PENDING || right->link->cookies.busy ||
        right->link->cookies.inits >= SW_LOAD_INITS) {
      uint8_t cookie[SW_COOKIE_BYTES];
      sw_cookies_make(&right->link->cookies, pair.now, &left->address, initiation.plain + 26,
                      cookie);
      sw_initiation_cookie(&initiation, cookie);
      pair_seal_message(left, initiation.plain, initiation.length, &datagram);
    }
    assert_int_equal(right->link->sessions.pending.count, i);
    if (i == SW_PENDING_MAX) break;
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
    pair_take_letter(right, 'r', &sent);
  }
  pair_assert_no_drops(right);
  assert_dropped(SW_DROP_PENDING_FULL);
  assert_silence(right);

  pair.now += SW_PENDING_LIFETIME;
  assert_silence(right);
  assert_int_equal(right->link->sessions.pending.count, 0);
  assert_int_equal(sw_link_deadline(right->link), SW_NEVER);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
}

static void pending_answers_expire_after_five_seconds(void **state) {
  (void)state;
  struct sw_initiation initiation;
  struct pair_datagram sent;
  for (unsigned i = 0; i < 5; i++) {
    next_init(&initiation);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
    pair_take_letter(right, 'r', &sent);
    pair.now += SW_SECOND;
  }
  const uint64_t first = PAIR_START + SW_PENDING_LIFETIME;
  for (unsigned i = 0; i < 5; i++) {
    assert_int_equal(sw_link_deadline(right->link), first + i * SW_SECOND);
    pair.now = first + i * SW_SECOND - 1;
    assert_silence(right);
    assert_int_equal(right->link->sessions.pending.count, 5 - i);
    pair.now++;
    assert_silence(right);
    assert_int_equal(right->link->sessions.pending.count, 4 - i);
  }
}

/* ---- sending ---- */

static void packet_without_a_session_is_refused(void **state) {
  (void)state;
  uint8_t packet[20] = {0x45}, sealed[48];
  assert_int_equal(sw_link_send(right->link, pair.now, packet, sizeof(packet), sealed), -ENOTCONN);
  pair_assert_drop(right, SW_DROP_NO_SESSION);
  assert_int_equal(sw_link_seal(right->link, pair.now, packet, sizeof(packet), false, sealed),
                   -ENOTCONN);
  pair_assert_drop(right, SW_DROP_NO_SESSION);
  assert_int_equal(sw_link_status(right->link)->packets_out, 0);
}

static void packet_is_refused_when_the_counters_are_used_up(void **state) {
  (void)state;
  uint8_t packet[20] = {0x45}, sealed[48];
  right->link->sessions.current->counter = SW_REJECT_AFTER_COUNTER;
  assert_int_equal(sw_link_send(right->link, pair.now, packet, sizeof(packet), sealed), -ENOTCONN);
  pair_assert_drop(right, SW_DROP_NO_SESSION);
  assert_int_equal(sw_link_status(right->link)->packets_out, 0);

  pair_seal_kind(left, SW_KIND_PROBE, (const uint8_t *)"12345678", 8, &datagram);
  assert_dropped(SW_DROP_NO_SESSION); /* and no ack is sent */
}

static void packet_of_invalid_length_is_refused(void **state) {
  (void)state;
  static uint8_t packet[SW_PACKET_MAX + 1], sealed[SW_PACKET_MAX + 1 + SW_OVERHEAD];
  assert_int_equal(sw_link_send(left->link, pair.now, packet, 0, sealed), -EMSGSIZE);
  pair_assert_drop(left, SW_DROP_TOO_BIG);
  assert_int_equal(sw_link_send(left->link, pair.now, packet, sizeof(packet), sealed), -EMSGSIZE);
  pair_assert_drop(left, SW_DROP_TOO_BIG);
  assert_int_equal(sw_link_send(left->link, pair.now, packet, SW_PACKET_MAX, sealed),
                   SW_PACKET_MAX + SW_OVERHEAD);
  assert_int_equal(sw_link_send(left->link, pair.now, packet, 1, sealed), 1 + SW_OVERHEAD);
  pair_assert_no_drops(left);
}

static void reply_overtaken_by_the_next_is_counted(void **state) {
  (void)state;
  pair_seal_kind(left, SW_KIND_PROBE, (const uint8_t *)"12345678", 8, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_assert_no_drops(right);
  pair_seal_kind(left, SW_KIND_PROBE, (const uint8_t *)"abcdefgh", 8, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_assert_drop(right, SW_DROP_REPLY_LOST);
  pair_take_letter(right, 'a', &datagram);
  assert_silence(right);
}

/* ---- inner packets: more of them in test_link_packets.c ---- */

static void packet_that_is_not_ip_is_dropped(void **state) {
  (void)state;
  pair_seal_kind(left, SW_KIND_PACKET, (const uint8_t *)"not a packet at all", 19, &datagram);
  assert_dropped(SW_DROP_NOT_IP);
}

static void packet_from_outside_allowed_ips_is_dropped(void **state) {
  (void)state;
  uint8_t packet[64];
  pair_packet4(packet, sizeof(packet), (uint8_t[]){10, 9, 0, 1});
  pair_seal_kind(left, SW_KIND_PACKET, packet, sizeof(packet), &datagram);
  assert_dropped(SW_DROP_SOURCE);
}

/* Must run last. */
static void every_reason_of_the_core_was_reached(void **state) {
  (void)state;
  for (unsigned reason = 0; reason < SW_DROP_COUNT; reason++) {
    /* counted by the caller */
    if (reason == SW_DROP_ECN || reason == SW_DROP_OFFLOAD || reason >= SW_DROP_TRUNCATED) continue;
    if (!pair_drop_was_seen((enum sw_drop)reason))
      fail_msg("%s: no test", sw_drop_name((enum sw_drop)reason));
  }
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

static void each_reason_has_a_name_and_a_meaning_of_its_own(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const char *name = sw_drop_name((enum sw_drop)i), *meaning = sw_drop_meaning((enum sw_drop)i);
    assert_non_null(name);
    assert_non_null(meaning);
    assert_true(name[0] && strlen(meaning) > strlen("short"));
    for (unsigned j = 0; j < i; j++) {
      assert_string_not_equal(name, sw_drop_name((enum sw_drop)j));
      assert_string_not_equal(meaning, sw_drop_meaning((enum sw_drop)j));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONNECTED(short_datagram_is_dropped),
      CONNECTED(datagram_of_no_session_is_dropped_and_reported),
      APART(handshake_of_another_key_is_dropped_and_reported),
      CONNECTED(random_datagrams_are_not_answered),
      APART(truncated_or_flipped_captures_are_not_answered),
      CONNECTED(truncated_or_flipped_data_is_dropped_and_the_original_accepted),
      CONNECTED(flipped_datagram_is_dropped_by_its_tag),
      CONNECTED(replayed_datagram_is_dropped),
      CONNECTED(datagram_before_the_window_is_dropped),
      CONNECTED(datagram_past_the_counters_limit_is_dropped),
      CONNECTED(datagram_of_a_session_past_its_lifetime_is_dropped),
      CONNECTED(datagram_of_an_unknown_kind_is_dropped_but_a_sign_of_life),
      CONNECTED(probe_and_ack_without_a_token_are_malformed),
      APART(message_of_no_known_type_is_malformed),
      APART(init_of_another_version_is_dropped_and_reported_by_its_number),
      APART(reflected_messages_are_dropped),
      APART(init_is_answered_once),
      APART(repeat_of_an_answered_init_gets_the_same_answer),
      APART(first_datagram_of_a_session_from_elsewhere_is_dropped),
      APART(first_datagram_after_five_seconds_confirms_nothing),
      APART(first_datagram_past_the_counter_limit_changes_nothing),
      APART(reply_that_answers_no_init_is_dropped),
      APART(response_of_another_init_or_receiver_is_dropped),
      APART(points_of_low_order_are_dropped_on_both_sides),
      APART(no_more_than_128_answers_wait_for_their_confirmation),
      APART(pending_answers_expire_after_five_seconds),
      APART(packet_without_a_session_is_refused),
      CONNECTED(packet_is_refused_when_the_counters_are_used_up),
      CONNECTED(packet_of_invalid_length_is_refused),
      CONNECTED(reply_overtaken_by_the_next_is_counted),
      CONNECTED(packet_that_is_not_ip_is_dropped),
      CONNECTED(packet_from_outside_allowed_ips_is_dropped),
      cmocka_unit_test(each_reason_has_a_name_and_a_meaning_of_its_own),
      cmocka_unit_test(every_reason_of_the_core_was_reached),
  };
  return cmocka_run_group_tests_name("link: drops", tests, start_sodium, NULL);
}

/* What a link sends without being asked, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "pair.h"

#define MS SW_MILLISECOND

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;

static int start(void **state) {
  (void)state;
  pair_start(&pair, 0);
  return 0;
}

/* The range of observed random values. */
struct span {
  uint64_t least, most;
};
#define NO_SPAN \
  { UINT64_MAX, 0 }

static void widen(struct span *span, uint64_t value) {
  if (value < span->least) span->least = value;
  if (value > span->most) span->most = value;
}

static void clear_sent(void) {
  pair_clear_sent(left);
  pair_clear_sent(right);
}

/* Keeps the sessions from being renewed and from expiring. */
static void stay_young(void) {
  left->link->sessions.current->created = right->link->sessions.current->created = pair.now;
  left->link->sessions.current->rekey_at = right->link->sessions.current->rekey_at = SW_NEVER;
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  clear_sent();
  return 0;
}

static int start_probing(void **state) {
  (void)state;
  pair_start(&pair, 25 * SW_SECOND);
  pair.latency = 20 * MS;
  pair_connect(&pair);
  pair_run(&pair, 100 * MS);
  clear_sent();
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* ---- keepalives and silence ---- */

static void keepalive_is_sent_8_to_10_s_after_an_unanswered_packet(void **state) {
  (void)state;
  struct span delays = NO_SPAN;
  for (unsigned i = 0; i < 100; i++) {
    stay_young();
    clear_sent();
    const uint64_t sent = pair.now;
    pair_send(left);
    pair_run(&pair, 5 * SW_SECOND);
    pair_send(left);                 /* does not delay it */
    pair_run(&pair, 60 * SW_SECOND); /* nothing is answered */
    assert_string_equal(right->sent, "a");
    assert_string_equal(left->sent, "dd");
    widen(&delays, right->sent_at[0] - sent);
  }
  assert_in_range(delays.least, 8 * SW_SECOND, 8 * SW_SECOND + 400 * MS);
  assert_in_range(delays.most, 10 * SW_SECOND - 400 * MS, 10 * SW_SECOND);
  pair_assert_no_drops(left);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void no_keepalive_is_sent_after_another_datagram(void **state) {
  (void)state;
  pair_send(left);
  pair_run(&pair, 7 * SW_SECOND);
  pair_send(right);
  pair_run(&pair, 7 * SW_SECOND);
  assert_string_equal(right->sent, "d");
  assert_string_equal(left->sent, "d");
  pair_run(&pair, 3 * SW_SECOND);
  assert_string_equal(left->sent, "da");
}

static void ack_replaces_a_keepalive(void **state) {
  (void)state;
  struct pair_datagram probe;
  pair_send(left);
  pair_run(&pair, 7 * SW_SECOND);
  pair_seal_kind(left, SW_KIND_PROBE, (const uint8_t *)"12345678", 8, &probe);
  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_CONTROL);
  pair_run(&pair, 30 * SW_SECOND);
  assert_string_equal(right->sent, "a");
}

static void idle_link_sends_nothing_until_its_renewal(void **state) {
  (void)state;
  pair_run(&pair, 114 * SW_SECOND);
  assert_string_equal(left->sent, "");
  assert_string_equal(right->sent, "");
}

static void link_is_silent_14_to_15_s_after_an_unanswered_packet(void **state) {
  (void)state;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 10 * SW_SECOND);
  pair_send(left); /* does not delay it */
  pair_run(&pair, 4 * SW_SECOND);
  assert_string_equal(left->sent, "dd");
  assert_int_equal(pair_state(left), SW_LINK_UP);
  pair_run(&pair, SW_SECOND);
  assert_string_equal(left->sent, "ddi");
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  pair_run(&pair, 20 * SW_SECOND);
  assert_true(pair_sent(left, 'i') >= 5);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  pair_send(left); /* keeps the session */

  right->deaf = false;
  pair_run(&pair, 6 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(sw_link_status(left->link)->attempts, 0);
  clear_sent();
  pair_run(&pair, 60 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'i'), 0);
}

static void link_is_silent_after_a_random_time(void **state) {
  (void)state;
  struct span delays = NO_SPAN;
  for (unsigned i = 0; i < 100; i++) {
    stay_young();
    clear_sent();
    right->deaf = true;
    const uint64_t sent = pair.now;
    pair_send(left);
    pair_run(&pair, 15 * SW_SECOND);
    assert_string_equal(left->sent, "di");
    widen(&delays, left->sent_at[1] - sent);
    right->deaf = false;
    pair_run(&pair, 20 * SW_SECOND);
    assert_int_equal(pair_state(left), SW_LINK_UP);
  }
  assert_in_range(delays.least, 14 * SW_SECOND, 14 * SW_SECOND + 200 * MS);
  assert_in_range(delays.most, 15 * SW_SECOND - 200 * MS, 15 * SW_SECOND);
}

static void anything_authentic_is_an_answer(void **state) {
  (void)state;
  pair_send(left);
  pair_run(&pair, 14 * SW_SECOND); /* the keepalive arrived within 10 s */
  pair_run(&pair, 20 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'i'), 0);
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 14 * SW_SECOND);
  pair_send(right);
  pair_run(&pair, 25 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'i'), 0);
}

static void forgery_is_no_sign_of_life(void **state) {
  (void)state;
  struct pair_datagram forged;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 14 * SW_SECOND);
  pair_seal(right, 100, &forged);
  forged.bytes[50] ^= 1;
  pair_give(left, &forged);
  pair_run(&pair, SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
}

static void lost_keepalive_makes_neither_side_silent(void **state) {
  (void)state;
  pair_send(left);
  pair_run(&pair, 7 * SW_SECOND);
  left->deaf = true;
  pair_run(&pair, 3 * SW_SECOND);
  assert_string_equal(right->sent, "a");
  pair_run(&pair, 30 * SW_SECOND);
  assert_int_equal(pair_state(right), SW_LINK_UP); /* an answer was not required */
}

/* ---- probes ---- */

static void probe_is_sent_every_20_to_25_s_and_acked(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  uint64_t last = 0;
  unsigned probes = 0, acks = 0;
  for (unsigned i = 0; i < 50; i++) {
    stay_young();
    clear_sent();
    pair_run(&pair, 100 * SW_SECOND);
    acks += pair_sent(right, 'a');
    for (unsigned j = 0; j < left->sent_count; j++) {
      if (left->sent[j] != 'p') continue;
      if (last) widen(&intervals, left->sent_at[j] - last);
      last = left->sent_at[j];
      probes++;
    }
  }
  assert_in_range(intervals.least, 20 * SW_SECOND, 21 * SW_SECOND);
  /* NATs must not see longer intervals */
  assert_in_range(intervals.most, 24 * SW_SECOND, 25 * SW_SECOND);
  assert_int_equal(sw_link_status(left->link)->probes_sent, probes);
  assert_int_equal(sw_link_status(left->link)->probes_lost, 0);
  assert_in_range(acks, probes - 1, probes);
  pair_assert_no_drops(left);
  pair_assert_no_drops(right);
}

static void keepalive_changes_in_flight(void **state) {
  (void)state;
  stay_young();
  clear_sent();
  sw_link_keepalive_set(left->link, pair.now, 5 * SW_SECOND);
  pair_run(&pair, 50 * SW_SECOND);
  assert_in_range(pair_sent(left, 'p'), 9, 13);
  clear_sent();
  sw_link_keepalive_set(left->link, pair.now, 0);
  stay_young();
  pair_run(&pair, 100 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'p'), 0);
  sw_link_keepalive_set(left->link, pair.now, 25 * SW_SECOND);
  stay_young();
  pair_run(&pair, 26 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'p'), 1);
}

/* A reload that changes something else does not delay the next probe. */
static void same_keepalive_changes_nothing(void **state) {
  (void)state;
  const uint64_t probe = left->link->timers.probe;
  pair_run(&pair, SW_SECOND);
  sw_link_keepalive_set(left->link, pair.now, 25 * SW_SECOND);
  assert_int_equal(left->link->timers.probe, probe);
}

static void probe_finds_a_dead_peer_on_an_idle_link(void **state) {
  (void)state;
  right->deaf = left->deaf = true;
  pair_run(&pair, 33 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  pair_run(&pair, 7 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  assert_int_equal(pair_state(right), SW_LINK_SILENT);
  pair_run(&pair, 120 * SW_SECOND);
  assert_in_range(sw_link_status(left->link)->probes_lost, 5, 7);
}

static void round_trip_time_is_measured_and_smoothed(void **state) {
  (void)state;
  assert_int_equal(sw_link_status(left->link)->rtt, 40 * MS);
  pair.latency = 60 * MS;
  pair_run(&pair, 26 * SW_SECOND);
  assert_int_equal(sw_link_status(left->link)->rtt, (7 * 40 + 120) * MS / 8);
}

static void ack_of_no_probe_of_ours_is_not_measured(void **state) {
  (void)state;
  struct pair_datagram datagram, ack;
  const uint64_t token = left->link->probes[0].token;
  pair.now += SW_SECOND;
  pair_seal_kind(right, SW_KIND_PROBE_ACK, (const uint8_t *)"whatever", 8, &datagram);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_CONTROL);
  uint8_t plain[8];
  memcpy(plain, &token, 8); /* already acked */
  pair_seal_kind(right, SW_KIND_PROBE_ACK, plain, 8, &ack);
  assert_int_equal(pair_give(left, &ack), SW_RECEIVED_CONTROL);
  assert_int_equal(sw_link_status(left->link)->rtt, 40 * MS);
}

/* ---- sizes ---- */

/* Returns the token of a datagram from left; asserts that the rest is zeros. */
static uint64_t token_of(const struct pair_datagram *datagram) {
  uint8_t plain[PAIR_ROOM];
  size_t length;
  assert_int_equal(sw_link_receive(right->link, pair.now, &(struct sw_path){.peer = datagram->from},
                                   datagram->bytes, datagram->length, plain, &length),
                   SW_RECEIVED_CONTROL);
  right->link->reply_length = 0;
  assert_true(
      sodium_is_zero(plain + SW_PROBE_BYTES, datagram->length - SW_OVERHEAD - SW_PROBE_BYTES));
  return sw_load64(plain);
}

static void probe_is_due(void) {
  left->link->timers.probe = pair.now;
}

static void keepalive_is_due(void) {
  left->link->timers.keepalive = pair.now;
}

static void assert_sizes_vary(void (*make_due)(void), char letter) {
  struct span lengths = NO_SPAN;
  struct pair_datagram datagram;
  uint64_t token = 0;
  for (unsigned i = 0; i < 2000; i++) {
    make_due();
    pair_take_letter(left, letter, &datagram);
    widen(&lengths, datagram.length);
    const uint64_t former = token;
    token = token_of(&datagram);
    assert_true(token != former);
  }
  assert_int_equal(lengths.least, SW_OVERHEAD + SW_PROBE_BYTES);
  assert_int_equal(lengths.most, SW_OVERHEAD + SW_PROBE_MAX);
}

static void probes_and_keepalives_are_of_varying_size(void **state) {
  (void)state;
  assert_sizes_vary(keepalive_is_due, 'a');
  assert_sizes_vary(probe_is_due, 'p');
}

static void acks_are_of_varying_size_and_no_longer_than_their_probes(void **state) {
  (void)state;
  const uint8_t plain[1000] = "a token!padding";
  const size_t sizes[] = {SW_PROBE_BYTES, SW_PROBE_BYTES + 1, 30,
                          SW_PROBE_MAX,   SW_PROBE_MAX + 1,   sizeof(plain)};
  struct pair_datagram probe, ack;
  for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
    struct span lengths = NO_SPAN;
    for (unsigned j = 0; j < 2000; j++) {
      pair_seal_kind(right, SW_KIND_PROBE, plain, sizes[i], &probe);
      assert_int_equal(pair_give(left, &probe), SW_RECEIVED_CONTROL);
      pair_take_letter(left, 'a', &ack);
      widen(&lengths, ack.length);
      assert_true(token_of(&ack) == sw_load64(plain));
    }
    assert_int_equal(lengths.least, SW_OVERHEAD + SW_PROBE_BYTES);
    assert_int_equal(lengths.most,
                     SW_OVERHEAD + (sizes[i] < SW_PROBE_MAX ? sizes[i] : SW_PROBE_MAX));
  }
}

static void closes_are_of_varying_size(void **state) {
  (void)state;
  struct span lengths = NO_SPAN;
  struct pair_datagram datagram;
  struct sw_session sessions[SW_SESSIONS];
  memcpy(sessions, left->link->sessions.rows, sizeof(sessions));
  sw_link_close(left->link, pair.now);
  for (unsigned i = 0; i < 2000; i++) {
    memcpy(left->link->sessions.rows, sessions, sizeof(sessions));
    pair_take_letter(left, 'x', &datagram);
    widen(&lengths, datagram.length);
  }
  assert_int_equal(lengths.least, SW_OVERHEAD + SW_PROBE_BYTES);
  assert_int_equal(lengths.most, SW_OVERHEAD + SW_PROBE_MAX);
}

static void close_is_valid_at_any_size(void **state) {
  (void)state;
  const uint8_t plain[100] = {0};
  struct pair_datagram close;
  for (size_t length = 0; length <= sizeof(plain); length++) {
    pair_seal_kind(left, SW_KIND_CLOSE, plain, length, &close);
    assert_int_equal(pair_give(right, &close), SW_RECEIVED_CONTROL);
    assert_null(right->link->sessions.current);
    pair_stop(&pair);
    start_connected(state);
  }
}

/* ---- handshakes ---- */

static void inits_are_retried_after_1_2_4_and_then_every_5_s(void **state) {
  (void)state;
  right->deaf = true;
  pair_run(&pair, 100 * SW_SECOND);
  const uint64_t delays[] = {1, 2, 4, 5};
  uint64_t least = UINT64_MAX, most = 0;
  assert_true(left->sent_count > 10);
  for (unsigned i = 0; i + 1 < left->sent_count; i++) {
    assert_int_equal(left->sent[i], 'i');
    const uint64_t extra =
        left->sent_at[i + 1] - left->sent_at[i] - delays[i < 3 ? i : 3] * SW_SECOND;
    assert_in_range(extra, 0, 334 * MS);
    if (extra < least) least = extra;
    if (extra > most) most = extra;
  }
  assert_true(most > least);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->attempts, left->sent_count);
  assert_int_equal(status->attempt_time, left->sent_at[left->sent_count - 1]);
  assert_int_equal(status->state, SW_LINK_CONNECTING);
}

static void every_init_has_new_keys(void **state) {
  (void)state;
  uint8_t secret[SW_KEY_BYTES];
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  memcpy(secret, left->link->initiation.secret, sizeof(secret));
  pair.now = sw_link_deadline(left->link);
  pair_take_letter(left, 'i', &datagram);
  assert_memory_not_equal(secret, left->link->initiation.secret, sizeof(secret));
}

static void endpoints_are_tried_in_order_of_preference(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), right->address, pair_address(9)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 3);
  pair_connect(&pair);
  assert_true(pair_sent(left, 'i') == 2);
  assert_true(sw_address_equal(&left->sent_to[0], &endpoints[0]));
  assert_true(sw_address_equal(&left->sent_to[1], &endpoints[1]));
  assert_true(sw_address_equal(&sw_link_status(left->link)->peer, &right->address));

  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 15 * SW_SECOND);
  clear_sent();
  pair_run(&pair, 20 * SW_SECOND);
  const unsigned turns[] = {1, 2, 0, 1}; /* the first endpoint was tried at 15 s */
  assert_true(left->sent_count >= 4);
  for (unsigned i = 0; i < 4; i++)
    assert_true(sw_address_equal(&left->sent_to[i], &endpoints[turns[i]]));
}

static void lost_init_at_renewal_moves_a_link_for_one_session_only(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {right->address, pair_address(7)};
  struct pair_datagram datagram;
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_connect(&pair);
  for (unsigned renewal = 0; renewal < 3; renewal++) {
    pair.now = left->link->sessions.current->rekey_at;
    pair_take_letter(left, 'i', &datagram);
    assert_true(sw_address_equal(&datagram.to, &endpoints[0]));
    if (renewal == 1) { /* lost */
      pair.now = sw_link_deadline(left->link);
      pair_take_letter(left, 'i', &datagram);
      assert_true(sw_address_equal(&datagram.to, &endpoints[1]));
    }
    const struct sw_address reached = datagram.to;
    pair_give(right, &datagram);
    pair_take_letter(right, 'r', &datagram);
    datagram.from = reached;
    pair_give(left, &datagram);
    pair_take_letter(left, 'p', &datagram);
    pair_give(right, &datagram);
    pair_take_letter(right, 'a', &datagram);
    pair_give(left, &datagram);
    assert_int_equal(left->link->sessions.current->created, pair.now);
    assert_true(
        sw_address_equal(&left->link->sessions.current->path.peer, &endpoints[renewal == 1]));
  }
}

static void keys_expire_while_nothing_can_be_sent(void **state) {
  (void)state;
  pair_connect(&pair);
  struct pair_datagram datagram;
  left->link->sessions.current->rekey_at = pair.now;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  sw_link_expire(left->link, pair.now + SW_RETRY_FIRST - 1);
  assert_true(left->link->initiation.local);
  sw_link_expire(left->link, pair.now + SW_RETRY_FIRST + SW_RETRY_JITTER);
  assert_true(
      sodium_is_zero((const uint8_t *)&left->link->initiation, sizeof(left->link->initiation)));
  pair.now += SW_PENDING_LIFETIME;
  sw_link_expire(right->link, pair.now);
  assert_int_equal(right->link->sessions.pending.count, 0);
  pair.now = PAIR_START + SW_REJECT_AFTER - 1;
  sw_link_expire(right->link, pair.now);
  assert_non_null(right->link->sessions.current);
  pair.now++;
  sw_link_expire(right->link, pair.now);
  assert_null(right->link->sessions.current);
  assert_true(sw_link_keys_wiped(right->link));
}

static void init_expires_though_no_address_is_left(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  sw_link_endpoints_set(left->link, pair.now, NULL, 0);
  pair_run(&pair, SW_RETRY_FIRST + SW_RETRY_JITTER);
  assert_true(
      sodium_is_zero((const uint8_t *)&left->link->initiation, sizeof(left->link->initiation)));
  assert_true(sw_link_deadline(left->link) == UINT64_MAX);
}

static void endpoints_have_their_own_times_and_errors(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), right->address};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_flush(&pair);
  sw_link_error(left->link, pair.now, &endpoints[0], EHOSTUNREACH);
  pair_connect(&pair);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->endpoint_count, 2);
  assert_true(sw_address_equal(&status->endpoints[0].address, &endpoints[0]));
  assert_int_equal(status->endpoints[0].attempt_time, PAIR_START);
  assert_int_equal(status->endpoints[0].answer_time, 0);
  assert_int_equal(status->endpoints[0].error, EHOSTUNREACH);
  assert_int_equal(status->endpoints[0].error_time, PAIR_START);
  assert_true(status->endpoints[1].attempt_time > PAIR_START);
  assert_int_equal(status->endpoints[1].answer_time, status->endpoints[1].attempt_time);
  assert_int_equal(status->endpoints[1].error, 0);

  /* the last endpoint stays, with its state */
  sw_link_endpoints_set(left->link, pair.now, endpoints, 1);
  status = sw_link_status(left->link);
  assert_int_equal(status->endpoint_count, 2);
  assert_true(sw_address_equal(&status->endpoints[1].address, &right->address));
  assert_int_not_equal(status->endpoints[1].answer_time, 0);
  assert_int_equal(status->endpoints[0].error, EHOSTUNREACH);

  status = sw_link_status(right->link);
  assert_int_equal(status->endpoint_count, 1);
  assert_true(sw_address_equal(&status->endpoints[0].address, &left->address));
  assert_int_equal(status->init_time, sw_link_status(left->link)->endpoints[1].attempt_time);
  assert_true(sw_address_equal(&status->init_from, &left->address));
}

static void probe_is_lost_when_the_next_is_sent(void **state) {
  (void)state;
  pair_stop(&pair);
  pair_start(&pair, 25 * SW_SECOND);
  pair_connect(&pair);
  right->deaf = true;
  const struct sw_link_status *status = sw_link_status(left->link);
  while (status->probes_sent < 1) pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_lost, 0);
  while (status->probes_sent < 2) pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_lost, 1);
  right->deaf = false;
  while (status->probes_sent < 3) pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_lost, 2);
  while (status->probes_sent < 5) pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_lost, 2);
}

static void no_more_than_16_endpoints_are_kept(void **state) {
  (void)state;
  struct sw_address endpoints[SW_ENDPOINTS_MAX + 4];
  for (uint8_t i = 0; i < SW_ENDPOINTS_MAX + 4; i++) endpoints[i] = pair_address(100 + i);
  sw_link_endpoints_set(left->link, pair.now, endpoints, SW_ENDPOINTS_MAX + 4);
  pair_run(&pair, 200 * SW_SECOND);
  assert_true(left->sent_count > SW_ENDPOINTS_MAX + 4);
  for (unsigned i = 0; i < left->sent_count; i++)
    assert_true(sw_address_equal(&left->sent_to[i], &endpoints[i % SW_ENDPOINTS_MAX]));
}

static void unconfirmed_session_is_probed_and_wiped_after_5_s(void **state) {
  (void)state;
  struct pair_datagram init, response;
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  right->deaf = true;
  pair_run(&pair, 5 * SW_SECOND - 1);
  const uint64_t gaps[] = {250, 500, 1000}; /* each longer by up to a quarter */
  assert_in_range(pair_sent(left, 'p'), 6, 7);
  assert_int_equal(left->sent_count, pair_sent(left, 'p'));
  assert_int_equal(left->sent_at[0], PAIR_START);
  for (unsigned i = 0; i + 1 < left->sent_count; i++) {
    const uint64_t least = gaps[i < 2 ? i : 2] * MS;
    assert_in_range(left->sent_at[i + 1] - left->sent_at[i], least, least + least / 4);
  }
  assert_int_equal(pair_state(left), SW_LINK_CONNECTING);
  assert_non_null(sw_sessions_sending(&left->link->sessions));
  pair_run(&pair, 1);
  assert_null(sw_sessions_sending(&left->link->sessions));
  assert_int_equal(pair_sent(left, 'i'), 0);
  pair_run(&pair, SW_RETRY_JITTER);
  assert_int_equal(left->sent[left->sent_count - 1], 'i');
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_true(
        sodium_is_zero((const uint8_t *)&left->link->sessions.rows[i], sizeof(struct sw_session)));
}

static void unconfirmed_session_is_probed_and_given_up_at_random_times(void **state) {
  struct span first = NO_SPAN, last = NO_SPAN, next = NO_SPAN;
  for (unsigned i = 0; i < 100; i++) {
    struct pair_datagram init, response;
    pair_take_letter(left, 'i', &init);
    pair_give(right, &init);
    pair_take_letter(right, 'r', &response);
    pair_give(left, &response);
    right->deaf = true;
    pair_run(&pair, 6 * SW_SECOND);
    assert_int_equal(left->sent[left->sent_count - 1], 'i');
    widen(&next, left->sent_at[left->sent_count - 1] - PAIR_START);
    widen(&first, left->sent_at[1] - left->sent_at[0]);
    widen(&last, left->sent_at[4] - left->sent_at[3]);
    pair_stop(&pair);
    start(state);
  }
  assert_in_range(first.least, 250 * MS, 260 * MS);
  assert_in_range(first.most, 302 * MS, 312 * MS);
  assert_in_range(last.least, 1000 * MS, 1050 * MS);
  assert_in_range(last.most, 1200 * MS, 1250 * MS);
  assert_in_range(next.least, 5000 * MS, 5066 * MS);
  assert_in_range(next.most, 5267 * MS, 5333 * MS);
}

static void closed_link_is_restarted_after_a_random_time(void **state) {
  struct span delays = NO_SPAN;
  for (unsigned i = 0; i < 100; i++) {
    sw_link_close(right->link, pair.now);
    const uint64_t closed = pair.now;
    pair_run(&pair, 2 * SW_SECOND);
    assert_int_equal(left->sent[0], 'i');
    widen(&delays, left->sent_at[0] - closed);
    pair_stop(&pair);
    start_connected(state);
  }
  assert_in_range(delays.least, 1000 * MS, 1066 * MS);
  assert_in_range(delays.most, 1267 * MS, 1333 * MS);
}

static void initiator_renews_the_session_after_115_to_120_s(void **state) {
  (void)state;
  uint64_t least = UINT64_MAX, most = 0;
  for (unsigned i = 0; i < 20; i++) {
    const uint64_t created = left->link->sessions.current->created;
    clear_sent();
    while (!pair_sent(left, 'i')) pair_run(&pair, 10 * MS);
    const uint64_t age = left->sent_at[0] - created;
    assert_in_range(age, 115 * SW_SECOND, 120 * SW_SECOND);
    if (age < least) least = age;
    if (age > most) most = age;
    pair_run(&pair, SW_SECOND);
    assert_string_equal(left->sent, "ip");
    assert_string_equal(right->sent, "ra");
  }
  assert_true(most - least > SW_SECOND);
}

static void responder_renews_the_session_after_130_to_135_s_if_the_initiator_did_not(void **state) {
  (void)state;
  left->link->sessions.current->rekey_at = SW_NEVER;
  const uint64_t created = right->link->sessions.current->created;
  pair_run(&pair, created + 130 * SW_SECOND - 1 - pair.now);
  assert_string_equal(right->sent, "");
  pair_run(&pair, 5 * SW_SECOND);
  assert_string_equal(right->sent, "ip");
  assert_true(right->link->sessions.current->initiator);
}

static void session_is_renewed_when_half_its_counters_are_used(void **state) {
  (void)state;
  left->link->sessions.current->counter = SW_REKEY_AFTER_COUNTER - 1;
  pair_flush(&pair);
  assert_string_equal(left->sent, "");
  pair_send(left);
  assert_int_equal(sw_link_deadline(left->link), pair.now);
  pair_flush(&pair);
  assert_string_equal(left->sent, "dip");
  pair_flush(&pair);
  assert_true(left->link->sessions.current->counter < 10);
}

static void session_ends_after_180_s(void **state) {
  (void)state;
  right->deaf = left->deaf = true;
  const uint64_t created = left->link->sessions.current->created;
  pair_run(&pair, created + 180 * SW_SECOND - 1 - pair.now);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  pair_run(&pair, 1);
  assert_int_equal(pair_state(left), SW_LINK_CONNECTING);
  assert_int_equal(pair_state(right), SW_LINK_CONNECTING); /* it knows the peer's address */
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_true(
        sodium_is_zero((const uint8_t *)&left->link->sessions.rows[i], sizeof(struct sw_session)));
}

/* ---- clock and deadline ---- */

static void time_never_goes_backwards(void **state) {
  (void)state;
  pair_send(left);
  pair_flush(&pair);
  const uint64_t deadline = sw_link_deadline(right->link), now = pair.now;
  pair.now -= 500 * SW_SECOND;
  struct pair_datagram datagram;
  assert_false(pair_take(left, &datagram));
  assert_false(pair_take(right, &datagram));
  pair_seal(left, 100, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  assert_int_equal(sw_link_deadline(right->link), deadline);
  assert_int_equal(sw_link_status(right->link)->received_time, now);
  assert_int_equal(sw_link_status(left->link)->sent_time, now);
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].error_time, now);
  sw_link_endpoints_set(left->link, pair.now, &right->address, 1);
  sw_link_close(left->link, pair.now);
  assert_int_equal(left->link->now, now);
}

static void link_that_may_not_start_has_no_deadline(void **state) {
  (void)state;
  assert_int_equal(sw_link_deadline(right->link), SW_NEVER);
  assert_int_equal(sw_link_deadline(left->link), pair.now);
  sw_link_endpoints_set(left->link, pair.now, NULL, 0);
  assert_int_equal(sw_link_deadline(left->link), SW_NEVER);
}

static void peer_at_port_0_makes_no_busy_loop(void **state) {
  (void)state;
  struct pair_datagram init, response, probe;
  pair_take_letter(left, 'i', &init);
  /* RFC 768 allows for port 0, and an attacker on the path can set it */
  init.from.port = 0;
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  probe.from.port = 0;
  pair_give(right, &probe);
  right->deaf = true;
  pair_run(&pair, 300 * SW_SECOND); /* asserts that there is no busy loop */
}

/* Random losses, packets, refusals and restarts. pair_run asserts that something is due at every
 * deadline, and that nothing is due before it. */
static void deadline_is_when_something_is_due_and_never_past(void **state) {
  (void)state;
  pair_introduce(right);
  for (unsigned i = 0; i < 2000; i++) {
    struct pair_side *side = randombytes_uniform(2) ? left : right;
    switch (randombytes_uniform(8)) {
    case 0:
      side->deaf = !side->deaf;
      break;
    case 1:
      if (randombytes_uniform(10) == 0) {
        pair_restart(side, randombytes_uniform(2) * 25 * SW_SECOND);
        if (side == left) pair_introduce(side);
      }
      break;
    case 2:
      sw_link_error(side->link, pair.now, &side->other->address, ECONNREFUSED);
      break;
    case 3:
      pair.latency = randombytes_uniform(2000) * MS;
      break;
    default:
      if (sw_sessions_sending(&side->link->sessions)) pair_send(side);
    }
    pair_run(&pair, randombytes_uniform(i % 10 ? 2000 : 100000) * MS);
  }
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)
#define PROBING(test) cmocka_unit_test_setup_teardown(test, start_probing, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      CONNECTED(keepalive_is_sent_8_to_10_s_after_an_unanswered_packet),
      CONNECTED(no_keepalive_is_sent_after_another_datagram),
      CONNECTED(ack_replaces_a_keepalive),
      CONNECTED(idle_link_sends_nothing_until_its_renewal),
      CONNECTED(link_is_silent_14_to_15_s_after_an_unanswered_packet),
      CONNECTED(link_is_silent_after_a_random_time),
      CONNECTED(anything_authentic_is_an_answer),
      CONNECTED(forgery_is_no_sign_of_life),
      CONNECTED(lost_keepalive_makes_neither_side_silent),
      PROBING(probe_is_sent_every_20_to_25_s_and_acked),
      PROBING(probe_finds_a_dead_peer_on_an_idle_link),
      PROBING(keepalive_changes_in_flight),
      PROBING(same_keepalive_changes_nothing),
      PROBING(round_trip_time_is_measured_and_smoothed),
      PROBING(ack_of_no_probe_of_ours_is_not_measured),
      CONNECTED(probes_and_keepalives_are_of_varying_size),
      CONNECTED(acks_are_of_varying_size_and_no_longer_than_their_probes),
      CONNECTED(closes_are_of_varying_size),
      CONNECTED(close_is_valid_at_any_size),
      APART(inits_are_retried_after_1_2_4_and_then_every_5_s),
      APART(every_init_has_new_keys),
      APART(endpoints_are_tried_in_order_of_preference),
      APART(lost_init_at_renewal_moves_a_link_for_one_session_only),
      APART(keys_expire_while_nothing_can_be_sent),
      APART(init_expires_though_no_address_is_left),
      APART(endpoints_have_their_own_times_and_errors),
      APART(probe_is_lost_when_the_next_is_sent),
      APART(no_more_than_16_endpoints_are_kept),
      APART(unconfirmed_session_is_probed_and_wiped_after_5_s),
      APART(unconfirmed_session_is_probed_and_given_up_at_random_times),
      CONNECTED(closed_link_is_restarted_after_a_random_time),
      CONNECTED(initiator_renews_the_session_after_115_to_120_s),
      CONNECTED(responder_renews_the_session_after_130_to_135_s_if_the_initiator_did_not),
      CONNECTED(session_is_renewed_when_half_its_counters_are_used),
      CONNECTED(session_ends_after_180_s),
      CONNECTED(time_never_goes_backwards),
      APART(link_that_may_not_start_has_no_deadline),
      APART(peer_at_port_0_makes_no_busy_loop),
      CONNECTED(deadline_is_when_something_is_due_and_never_past),
  };
  return cmocka_run_group_tests_name("link: timers", tests, start_sodium, NULL);
}

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

/* ---- probes and silence ---- */

/* Sends a packet every 10 ms. */
static void send_steadily(struct pair_side *side, uint64_t duration) {
  for (const uint64_t end = pair.now + duration; pair.now < end;) {
    pair_send(side);
    pair_run(&pair, 10 * MS);
  }
}

static void path_is_probed_every_800_to_1000_ms_while_packets_are_sent(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  unsigned probes = 0;
  for (unsigned i = 0; i < 50; i++) {
    stay_young();
    send_steadily(left, 5 * SW_SECOND);
    assert_string_equal(right->sent + strspn(right->sent, "a"), "");
    uint64_t last = 0;
    for (unsigned j = 0; j < left->sent_count; j++) {
      if (left->sent[j] != 'p') continue;
      if (last) widen(&intervals, left->sent_at[j] - last);
      last = left->sent_at[j];
      probes++;
    }
    clear_sent();
  }
  /* from the first packet after the last probe */
  assert_in_range(intervals.least, 800 * MS, 830 * MS);
  assert_in_range(intervals.most, 980 * MS, 1020 * MS);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_in_range(status->probes_sent, probes, probes + 2); /* with those of the start */
  assert_int_equal(status->probes_lost, 0);
  pair_assert_no_drops(left);
  pair_assert_no_drops(right);
}

static void packet_is_followed_by_one_probe(void **state) {
  (void)state;
  pair_send(left);
  pair_run(&pair, 800 * MS);
  pair_send(left); /* does not delay it */
  pair_run(&pair, 200 * MS);
  assert_string_equal(left->sent, "ddp");
  pair_run(&pair, 100 * SW_SECOND);
  assert_string_equal(left->sent, "ddp");
  assert_string_equal(right->sent, "a");
}

static void idle_link_sends_nothing_until_its_renewal(void **state) {
  (void)state;
  pair_run(&pair, 114 * SW_SECOND);
  assert_string_equal(left->sent, "");
  assert_string_equal(right->sent, "");
}

/* A probe within 1 s, its ack within 0.3 s, 8 more probes or more in 1 s to 1.125 s. */
static void link_is_silent_2100_to_2500_ms_after_an_unanswered_packet(void **state) {
  (void)state;
  struct span delays = NO_SPAN;
  pair.latency = MS;
  for (unsigned i = 0; i < 100; i++) {
    stay_young();
    clear_sent();
    right->deaf = true;
    const uint64_t sent = pair.now;
    send_steadily(left, 2 * SW_SECOND);
    assert_int_equal(pair_state(left), SW_LINK_UP);
    assert_int_equal(pair_sent(left, 'i'), 0);
    pair_run(&pair, 500 * MS);
    assert_int_equal(pair_state(left), SW_LINK_SILENT);
    const char *const init = strchr(left->sent, 'i');
    assert_non_null(init);
    widen(&delays, left->sent_at[init - left->sent] - sent);
    unsigned probes = 0;
    for (const char *letter = left->sent; letter < init; letter++) probes += *letter == 'p';
    assert_in_range(probes, 1 + SW_DOUBT_PROBES + 1, 1 + 11);
    right->deaf = false;
    pair_run(&pair, 6 * SW_SECOND);
    assert_int_equal(pair_state(left), SW_LINK_UP);
  }
  assert_in_range(delays.least, 2100 * MS, 2200 * MS);
  assert_in_range(delays.most, 2300 * MS, 2430 * MS);
}

static void silent_link_is_up_again_with_the_first_ack(void **state) {
  (void)state;
  struct pair_datagram probe, ack;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 20 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  assert_true(pair_sent(left, 'i') >= 5);
  const uint32_t session = left->link->sessions.current->local;
  while (!pair_take(left, &probe) || pair_letter(left, &probe) != 'p')
    pair.now = sw_link_deadline(left->link);
  pair_give(right, &probe);
  pair_take_letter(right, 'a', &ack);
  pair_give(left, &ack);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(left->link->sessions.current->local, session);
  clear_sent();
  right->deaf = false;
  pair_run(&pair, 60 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'i'), 0);
}

static void silent_link_is_up_again_within_2_s_of_the_end_of_the_outage(void **state) {
  (void)state;
  for (unsigned i = 0; i < 20; i++) {
    stay_young();
    right->deaf = true;
    pair_send(left);
    pair_run(&pair, (20 + i) * SW_SECOND + i * 77 * MS);
    assert_int_equal(pair_state(left), SW_LINK_SILENT);
    right->deaf = false;
    pair_run(&pair, 2 * SW_SECOND);
    assert_int_equal(pair_state(left), SW_LINK_UP);
  }
}

static void only_an_ack_shows_that_a_path_works(void **state) {
  (void)state;
  right->deaf = true;
  pair_send(left);
  for (unsigned i = 0; i < 30; i++) {
    pair_send(right);
    pair_run(&pair, 100 * MS);
  }
  assert_true(left->packets >= 30);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
}

static void forged_ack_is_no_sign_of_life(void **state) {
  (void)state;
  struct pair_datagram probe, ack;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, SW_SECOND - 200 * MS - 1);
  while (!pair_take(left, &probe)) pair.now = sw_link_deadline(left->link);
  pair_give(right, &probe);
  pair_take_letter(right, 'a', &ack);
  ack.bytes[ack.length - 1] ^= 1;
  pair_give(left, &ack);
  pair_run(&pair, 1500 * MS);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
}

static void side_that_sends_nothing_does_not_become_silent(void **state) {
  (void)state;
  left->deaf = true; /* but its datagrams arrive */
  for (unsigned i = 0; i < 100; i++) {
    pair_send(left);
    pair_run(&pair, 100 * MS);
    assert_int_equal(pair_state(right), SW_LINK_UP);
  }
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
}

static void idle_path_is_probed_every_20_to_25_s(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  uint64_t last = 0;
  unsigned probes = 0, acks = 0;
  pair.latency = 0;
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
  assert_in_range(intervals.least, 20 * SW_SECOND, 20 * SW_SECOND + 200 * SW_MILLISECOND);
  /* NATs must not see longer intervals */
  assert_in_range(intervals.most, 24800 * SW_MILLISECOND, 25 * SW_SECOND);
  /* searches of the path MTU do not count as sent here: one may have been the last */
  assert_in_range(sw_link_status(left->link)->sent_time, left->sent_at[left->sent_count - 1],
                  pair.now);
  assert_int_equal(sw_link_status(left->link)->probes_sent,
                   probes + 1); /* with that of the start */
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
  pair_run(&pair, 26 * SW_SECOND); /* one at once, as the last was longer ago, and the next */
  assert_int_equal(pair_sent(left, 'p'), 2);
}

/* A reload that changes something else does not delay the next probe. */
static void same_keepalive_changes_nothing(void **state) {
  (void)state;
  const uint64_t probe = left->link->paths.active->probe_at;
  pair_run(&pair, SW_SECOND);
  sw_link_keepalive_set(left->link, pair.now, 25 * SW_SECOND);
  assert_int_equal(left->link->paths.active->probe_at, probe);
}

static void probe_finds_a_dead_peer_on_an_idle_link(void **state) {
  (void)state;
  right->deaf = left->deaf = true;
  pair_run(&pair, 20 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  pair_run(&pair, 5 * SW_SECOND + 1500 * MS);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  assert_int_equal(pair_state(right), SW_LINK_SILENT);
}

static void silent_path_is_probed_every_1600_to_2000_ms(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 3 * SW_SECOND);
  clear_sent();
  pair_run(&pair, 160 * SW_SECOND);
  uint64_t last = 0;
  for (unsigned i = 0; i < left->sent_count; i++) {
    if (left->sent[i] != 'p') continue;
    if (last) widen(&intervals, left->sent_at[i] - last);
    last = left->sent_at[i];
  }
  assert_in_range(intervals.least, 1600 * MS, 1700 * MS);
  assert_in_range(intervals.most, 1900 * MS, 2000 * MS);
}

static void lost_probe_is_counted_once_for_all_that_are_lost_after_it(void **state) {
  (void)state;
  const struct sw_link_status *status = sw_link_status(left->link);
  const uint64_t sent = status->probes_sent;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_sent, sent + 1);
  assert_int_equal(status->probes_lost, 0);
  pair_run(&pair, 300 * MS);
  assert_int_equal(status->probes_sent, sent + 1);
  assert_int_equal(status->probes_lost, 1);
  pair_run(&pair, 30 * SW_SECOND);
  assert_int_equal(status->probes_sent, sent + 1);
  assert_int_equal(status->probes_lost, 1);
  right->deaf = false;
  pair_run(&pair, 2 * SW_SECOND);
  pair_send(left);
  pair_run(&pair, SW_SECOND);
  assert_int_equal(status->probes_sent, sent + 2);
  assert_int_equal(status->probes_lost, 1);
}

static void round_trip_time_is_measured_and_smoothed(void **state) {
  (void)state;
  assert_int_equal(sw_link_status(left->link)->rtt, 40 * MS);
  pair.latency = 60 * MS;
  pair_run(&pair, 26 * SW_SECOND);
  assert_int_equal(sw_link_status(left->link)->rtt, (7 * 40 + 120) * MS / 8);
}

static void give_ack(uint64_t token) {
  struct pair_datagram ack;
  uint8_t plain[SW_PROBE_BYTES];
  sw_store64(plain, token);
  pair_seal_kind(right, SW_KIND_PROBE_ACK, plain, sizeof(plain), &ack);
  assert_int_equal(pair_give(left, &ack), SW_RECEIVED_CONTROL);
}

static void ack_of_no_probe_of_ours_is_not_measured(void **state) {
  (void)state;
  const struct sw_candidate *active = left->link->paths.active;
  const uint64_t path = (uint64_t)active->id << 32;
  pair.now += SW_SECOND;
  give_ack(0x6576657274616877);
  give_ack(0);                         /* of an empty row */
  give_ack(path | (active->next - 1)); /* acked already */
  give_ack(path | active->next);       /* not sent yet */
  give_ack(path | (active->next + 1000));
  give_ack((path ^ 1ULL << 32) | (active->next - 1));
  assert_int_equal(sw_link_status(left->link)->rtt, 40 * MS);
}

static void only_the_latest_16_probes_of_a_path_can_be_acked(void **state) {
  (void)state;
  struct sw_candidate *active = left->link->paths.active;
  struct pair_datagram probe;
  const uint64_t path = (uint64_t)active->id << 32;
  const uint32_t first = active->next;
  pair.now += SW_SECOND;
  for (unsigned i = 0; i < 17; i++) {
    active->probe_at = pair.now;
    pair_take_letter(left, 'p', &probe);
  }
  pair.now += 120 * MS;
  give_ack(path | first);
  assert_int_equal(sw_link_status(left->link)->rtt, 40 * MS);
  give_ack(path | (first + 1));
  assert_int_equal(sw_link_status(left->link)->rtt, (7 * 40 + 120) * MS / 8);
}

/* ---- sizes ---- */

/* Returns the token of a datagram from left; asserts that the rest is zeros. */
static uint64_t token_of(const struct pair_datagram *datagram) {
  uint8_t plain[PAIR_ROOM];
  size_t length = 77;
  assert_int_equal(sw_link_receive(right->link, pair.now, &(struct sw_path){.peer = datagram->from},
                                   datagram->bytes, datagram->length, plain, &length),
                   SW_RECEIVED_CONTROL);
  assert_int_equal(length, 77); /* there is no packet */
  for (unsigned i = 0; i < SW_REPLIES; i++) right->link->replies[i].length = 0;
  assert_true(
      sodium_is_zero(plain + SW_PROBE_BYTES, datagram->length - SW_OVERHEAD - SW_PROBE_BYTES));
  return sw_load64(plain);
}

static void probe_is_due(void) {
  left->link->paths.active->probe_at = pair.now;
  left->link->paths.active->unanswered = 0;
}

static void move_is_due(void) {
  probe_is_due();
  left->link->paths.announcements = 1;
}

static void check_is_due(void) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (left->link->paths.rows[i].rank == 1) left->link->paths.rows[i].probe_at = pair.now;
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

static void probes_are_of_varying_size(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {right->address, pair_address(7)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_flush(&pair);
  assert_sizes_vary(probe_is_due, 'p');
  assert_sizes_vary(move_is_due, 'm');
  assert_sizes_vary(check_is_due, 'k');
}

static void acks_are_of_varying_size_and_no_longer_than_their_probes(void **state) {
  (void)state;
  const uint8_t plain[1000] = "a token!padding";
  const size_t sizes[] = {SW_PROBE_BYTES, SW_PROBE_BYTES + 1, 30,           SW_PROBE_MAX - 1,
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
  assert_true(token_of(&datagram) == 0); /* padding, too */
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

static uint32_t session_of_init(const struct pair_datagram *datagram) {
  uint8_t plain[SW_INIT_MAX];
  struct sw_handshake_message message;
  const struct sw_keys *keys = &left->link->keyring.places[0];
  const struct sw_header header = sw_header_read(keys->mask, datagram->bytes);
  const int length = sw_message_open(keys, header, datagram->bytes, datagram->length, plain);
  assert_true(length > 0);
  assert_int_equal(sw_message_parse(plain, (size_t)length, &message), 0);
  assert_int_equal(message.type, SW_MESSAGE_INIT);
  return message.sender;
}

static void one_init_goes_to_all_endpoints_in_order_200_to_250_ms_apart(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), pair_address(8), pair_address(9)};
  struct span delays = NO_SPAN;
  uint32_t session = 0;
  sw_link_endpoints_set(left->link, pair.now, endpoints, 3);
  for (unsigned i = 0; i < 100; i++) {
    uint64_t sent = 0;
    const uint32_t former = session;
    for (unsigned place = 0; place < 3; place++) {
      struct pair_datagram init;
      pair.now = sw_link_deadline(left->link);
      while (!pair_take(left, &init)) pair.now = sw_link_deadline(left->link);
      assert_true(sw_address_equal(&init.to, &endpoints[place]));
      if (place) widen(&delays, pair.now - sent);
      if (!place) session = session_of_init(&init);
      assert_int_equal(session_of_init(&init), session);
      sent = pair.now;
    }
    assert_int_not_equal(session, former);
  }
  assert_in_range(delays.least, 200 * MS, 205 * MS);
  assert_in_range(delays.most, 245 * MS, 250 * MS);
  assert_int_equal(sw_link_status(left->link)->attempts, 300);
}

static void link_is_up_with_the_second_endpoint_within_250_ms(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), right->address, pair_address(9)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 3);
  pair_run(&pair, 250 * MS);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(pair_sent(left, 'i'), 2);
  assert_true(sw_address_equal(&left->sent_to[0], &endpoints[0]));
  assert_true(sw_address_equal(&left->sent_to[1], &endpoints[1]));
  assert_true(sw_address_equal(&sw_link_status(left->link)->peer, &right->address));
}

static void inits_of_a_silent_link_go_to_the_endpoints_in_order(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), right->address, pair_address(9)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 3);
  pair_connect(&pair);
  right->deaf = true;
  pair_send(left);
  clear_sent();
  pair_run(&pair, 20 * SW_SECOND);
  unsigned inits = 0;
  for (unsigned i = 0; i < left->sent_count; i++)
    if (left->sent[i] == 'i')
      assert_true(sw_address_equal(&left->sent_to[i], &endpoints[inits++ % 3]));
  assert_true(inits >= 12);
}

static void init_of_a_renewal_goes_to_the_active_path_first(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), right->address, pair_address(9)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 3);
  pair_connect(&pair);
  pair_run(&pair, 20 * SW_SECOND);
  for (unsigned renewal = 0; renewal < 3; renewal++) {
    pair.now = left->link->sessions.current->rekey_at - 1;
    pair_flush(&pair);
    clear_sent();
    pair_run(&pair, 1);
    assert_int_equal(left->link->sessions.current->created, pair.now);
    assert_int_equal(pair_sent(left, 'i'), 1);
    assert_true(sw_address_equal(&left->sent_to[0], &right->address));
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
  pair_run(&pair, MS);
  sw_link_error(left->link, pair.now, &endpoints[0], EHOSTUNREACH);
  pair_connect(&pair);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->endpoint_count, 2);
  assert_true(sw_address_equal(&status->endpoints[0].address, &endpoints[0]));
  assert_int_equal(status->endpoints[0].attempt_time, PAIR_START);
  assert_int_equal(status->endpoints[0].answer_time, 0);
  assert_int_equal(status->endpoints[0].error, EHOSTUNREACH);
  assert_int_equal(status->endpoints[0].error_time, PAIR_START + MS);
  assert_int_equal(status->endpoints[1].attempt_time, PAIR_START + MS);
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
  assert_in_range(pair_sent(left, 'i'), 0, 1); /* after a random wait, which may be 0 */
  pair_run(&pair, SW_RETRY_JITTER);
  assert_int_equal(left->sent[left->sent_count - 1], 'i');
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_true(
        sodium_is_zero((const uint8_t *)&left->link->sessions.rows[i], sizeof(struct sw_session)));
}

static void probes_of_an_unconfirmed_session_have_random_tokens(void **state) {
  (void)state;
  struct pair_datagram datagram;
  uint64_t tokens[3];
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  pair_give(left, &datagram);
  for (unsigned i = 0; i < 3; i++) {
    sw_sessions_unconfirmed(&left->link->sessions)->probe_at = pair.now;
    pair_take_letter(left, 'p', &datagram);
    tokens[i] = token_of(&datagram);
  }
  assert_true(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
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

static void every_call_tells_the_time(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair.now += 7 * MS;
  pair_seal(left, 100, &datagram);
  assert_int_equal(sw_link_status(left->link)->sent_time, pair.now);
  pair.now += 7 * MS;
  sw_link_mtu_set(left->link, pair.now, 1400);
  assert_int_equal(left->link->now, pair.now);
  pair.now += 7 * MS;
  sw_link_too_long(left->link, pair.now, 1400);
  assert_int_equal(left->link->now, pair.now);
  pair.now += 7 * MS;
  sw_link_close(left->link, pair.now);
  assert_int_equal(left->link->now, pair.now);
}

static void packet_of_no_or_too_many_bytes_is_not_sealed(void **state) {
  (void)state;
  static uint8_t packet[SW_PACKET_MAX + 1], datagram[SW_PACKET_MAX + SW_OVERHEAD + 1];
  assert_int_equal(sw_link_seal(left->link, pair.now, packet, 0, false, datagram), -EMSGSIZE);
  pair_assert_drop(left, SW_DROP_TOO_BIG);
  assert_int_equal(sw_link_seal(left->link, pair.now, packet, SW_PACKET_MAX + 1, false, datagram),
                   -EMSGSIZE);
  pair_assert_drop(left, SW_DROP_TOO_BIG);
}

static void longest_packet_of_a_batch_is_noted(void **state) {
  (void)state;
  struct sw_sealing sealing;
  left->link->paths.longest = 0;
  assert_int_equal(sw_link_seal_begin(left->link, pair.now, 3, 1001 + 1001 + 999, false, &sealing),
                   0);
  assert_int_equal(left->link->paths.longest, 1001);
}

static void link_that_may_not_start_has_no_deadline(void **state) {
  (void)state;
  assert_int_equal(sw_link_deadline(right->link), SW_NEVER);
  assert_int_equal(sw_link_deadline(left->link), pair.now);
  sw_link_endpoints_set(left->link, pair.now, NULL, 0);
  assert_int_equal(sw_link_deadline(left->link), SW_NEVER);
}

/* RFC 768 allows for port 0, and an attacker on the path can set it. */
static void peer_at_port_0_makes_no_busy_loop(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  datagram.from.port = 0;
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, SW_DROP_PATH);
  assert_int_equal(right->link->sessions.pending.count, 0);
  pair_run(&pair, 10 * SW_SECOND);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  pair_seal(left, 100, &datagram);
  datagram.from.port = 0;
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, SW_DROP_PATH);
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
      CONNECTED(path_is_probed_every_800_to_1000_ms_while_packets_are_sent),
      CONNECTED(packet_is_followed_by_one_probe),
      CONNECTED(idle_link_sends_nothing_until_its_renewal),
      CONNECTED(link_is_silent_2100_to_2500_ms_after_an_unanswered_packet),
      CONNECTED(silent_link_is_up_again_with_the_first_ack),
      CONNECTED(silent_link_is_up_again_within_2_s_of_the_end_of_the_outage),
      CONNECTED(only_an_ack_shows_that_a_path_works),
      CONNECTED(forged_ack_is_no_sign_of_life),
      CONNECTED(side_that_sends_nothing_does_not_become_silent),
      PROBING(idle_path_is_probed_every_20_to_25_s),
      PROBING(probe_finds_a_dead_peer_on_an_idle_link),
      PROBING(keepalive_changes_in_flight),
      PROBING(same_keepalive_changes_nothing),
      CONNECTED(silent_path_is_probed_every_1600_to_2000_ms),
      CONNECTED(lost_probe_is_counted_once_for_all_that_are_lost_after_it),
      PROBING(round_trip_time_is_measured_and_smoothed),
      PROBING(ack_of_no_probe_of_ours_is_not_measured),
      PROBING(only_the_latest_16_probes_of_a_path_can_be_acked),
      CONNECTED(probes_are_of_varying_size),
      CONNECTED(acks_are_of_varying_size_and_no_longer_than_their_probes),
      CONNECTED(closes_are_of_varying_size),
      CONNECTED(close_is_valid_at_any_size),
      APART(inits_are_retried_after_1_2_4_and_then_every_5_s),
      APART(every_init_has_new_keys),
      APART(one_init_goes_to_all_endpoints_in_order_200_to_250_ms_apart),
      APART(link_is_up_with_the_second_endpoint_within_250_ms),
      APART(inits_of_a_silent_link_go_to_the_endpoints_in_order),
      APART(init_of_a_renewal_goes_to_the_active_path_first),
      APART(keys_expire_while_nothing_can_be_sent),
      APART(init_expires_though_no_address_is_left),
      APART(endpoints_have_their_own_times_and_errors),
      APART(no_more_than_16_endpoints_are_kept),
      APART(unconfirmed_session_is_probed_and_wiped_after_5_s),
      APART(probes_of_an_unconfirmed_session_have_random_tokens),
      APART(unconfirmed_session_is_probed_and_given_up_at_random_times),
      CONNECTED(closed_link_is_restarted_after_a_random_time),
      CONNECTED(initiator_renews_the_session_after_115_to_120_s),
      CONNECTED(responder_renews_the_session_after_130_to_135_s_if_the_initiator_did_not),
      CONNECTED(session_is_renewed_when_half_its_counters_are_used),
      CONNECTED(session_ends_after_180_s),
      CONNECTED(time_never_goes_backwards),
      CONNECTED(every_call_tells_the_time),
      CONNECTED(packet_of_no_or_too_many_bytes_is_not_sealed),
      CONNECTED(longest_packet_of_a_batch_is_noted),
      APART(link_that_may_not_start_has_no_deadline),
      APART(peer_at_port_0_makes_no_busy_loop),
      CONNECTED(deadline_is_when_something_is_due_and_never_past),
  };
  return cmocka_run_group_tests_name("link: timers", tests, start_sodium, NULL);
}

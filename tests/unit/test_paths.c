/* On which paths a link probes its peer, and which of them it takes. */
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

/* The last bytes of addresses.  Each side has more than one: */
enum { LEFT = 1, RIGHT = 2, LEFT_B = 11, RIGHT_B = 12, RIGHT_C = 22 };
/* and others belong to neither: */
enum { ATTACKER = 66, NAT = 77, STRANGER = 99 };

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;

/* ---- the wire ---- */

static bool cut[256];    /* what comes from this address or goes there is lost */
static uint8_t nat;      /* if not 0, the left side's datagrams come from this address */
static bool copies;      /* an attacker copies what the left side sends, and is faster */
static bool relays;      /* and brings the left side what is sent to him */
static uint64_t counted; /* bytes to the attacker's address */

static uint8_t last_of(const struct sw_address *address) {
  return address->ip[15];
}

static struct pair_side *route(struct pair_side *sender, struct pair_datagram *datagram) {
  if (last_of(&datagram->to) == ATTACKER) counted += datagram->length;
  if (cut[last_of(&datagram->from)] || cut[last_of(&datagram->to)]) return NULL;
  const uint8_t to = last_of(&datagram->to);
  if (sender == left) {
    if (to != RIGHT && to != RIGHT_B && to != RIGHT_C) return NULL;
    if (nat) datagram->from = pair_address(nat);
    if (copies) {
      struct pair_datagram copy = *datagram;
      copy.from = pair_address(ATTACKER);
      pair_fly(right, &copy);
    }
    return right;
  }
  if (to == ATTACKER && relays) datagram->from = right->address;
  if (to == nat || (to == ATTACKER && relays))
    datagram->to = left->address;
  else if (nat || (to != LEFT && to != LEFT_B))
    return NULL;
  return left;
}

/* ---- set-ups ---- */

static void clear_sent(void) {
  pair_clear_sent(left);
  pair_clear_sent(right);
}

/* Keeps the sessions from being renewed and from expiring. */
static void stay_young(void) {
  left->link->sessions.current->created = right->link->sessions.current->created = pair.now;
  left->link->sessions.current->rekey_at = right->link->sessions.current->rekey_at = SW_NEVER;
}

static void give_endpoints(struct pair_side *side, const uint8_t *last, size_t count) {
  struct sw_address endpoints[SW_CANDIDATES];
  for (size_t i = 0; i < count; i++) endpoints[i] = pair_address(last[i]);
  sw_link_endpoints_set(side->link, pair.now, endpoints, count);
}

/* The left side has `count` endpoints, the first of them is active, and nothing is under way. */
static void begin(size_t count, uint64_t persistent_keepalive) {
  memset(cut, 0, sizeof(cut));
  nat = 0;
  copies = relays = false;
  counted = 0;
  pair_start(&pair, persistent_keepalive);
  pair.latency = 10 * MS;
  pair.route = route;
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_B, RIGHT_C}, count);
  pair_connect(&pair);
  pair_run(&pair, 8 * SW_SECOND);
  stay_young();
  clear_sent();
}

static int start_one(void **state) {
  (void)state;
  begin(1, 0);
  return 0;
}

static int start_two(void **state) {
  (void)state;
  begin(2, 0);
  return 0;
}

static int start_three(void **state) {
  (void)state;
  begin(3, 0);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* ---- what is known ---- */

static bool is_on(struct pair_side *side, uint8_t peer) {
  return last_of(&sw_link_path(side->link)->peer) == peer;
}

static struct sw_candidate *row_of(struct pair_side *side, uint8_t peer) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &side->link->paths.rows[i];
    if (row->id && last_of(&row->path.peer) == peer) return row;
  }
  return NULL;
}

static unsigned rows_of(struct pair_side *side) {
  unsigned count = 0;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) count += side->link->paths.rows[i].id != 0;
  return count;
}

static bool is_in_doubt(struct pair_side *side) {
  return side->link->paths.doubt_since != 0;
}

/* Counts the datagrams of this letter to this address in the log of a side. */
static unsigned sent_to(struct pair_side *side, char letter, uint8_t to) {
  unsigned count = 0;
  for (unsigned i = 0; i < side->sent_count; i++)
    count += side->sent[i] == letter && last_of(&side->sent_to[i]) == to;
  return count;
}

struct span {
  uint64_t least, most;
};
#define NO_SPAN \
  { UINT64_MAX, 0 }

static void widen(struct span *span, uint64_t value) {
  if (value < span->least) span->least = value;
  if (value > span->most) span->most = value;
}

/* Widens `span` by the intervals between datagrams of this letter to this address. */
static void widen_by_intervals(struct span *span, struct pair_side *side, char letter, uint8_t to) {
  uint64_t last = 0;
  for (unsigned i = 0; i < side->sent_count; i++) {
    if (side->sent[i] != letter || last_of(&side->sent_to[i]) != to) continue;
    if (last) widen(span, side->sent_at[i] - last);
    last = side->sent_at[i];
  }
}

/* Asserts that random intervals fill the range from 4/5 of `most` to `most`, but for a tenth. */
static void assert_random(const struct span *span, uint64_t most) {
  assert_in_range(span->least, most * 8 / 10, most * 82 / 100 + MS);
  assert_in_range(span->most, most * 98 / 100 - MS, most);
}

/* ---- what happens ---- */

/* A datagram of the other side arrives from `from` at the side's own address. */
static enum sw_received give_from(struct pair_side *side, uint8_t from,
                                  const struct pair_datagram *datagram) {
  struct pair_datagram given = *datagram;
  given.from = pair_address(from);
  given.to = side->address;
  return pair_give(side, &given);
}

/* The other side sends a packet, which arrives from `from`. */
static void hear_from(struct pair_side *side, uint8_t from) {
  struct pair_datagram packet;
  pair_seal(side->other, 100, &packet);
  assert_int_equal(give_from(side, from, &packet), SW_RECEIVED_PACKET);
}

static void hear_kind_from(struct pair_side *side, uint8_t from, enum sw_kind kind) {
  struct pair_datagram datagram;
  pair_seal_kind(side->other, kind, (const uint8_t *)"12345678", 8, &datagram);
  assert_int_equal(give_from(side, from, &datagram), SW_RECEIVED_CONTROL);
}

/* The latest probe of a path is acknowledged. */
static void acknowledge(struct pair_side *side, uint8_t peer, uint8_t from) {
  const struct sw_candidate *row = row_of(side, peer);
  struct pair_datagram ack;
  uint8_t token[SW_PROBE_BYTES];
  assert_non_null(row);
  sw_store64(token, (uint64_t)row->id << 32 | (row->next - 1));
  pair_seal_kind(side->other, SW_KIND_PROBE_ACK, token, sizeof(token), &ack);
  assert_int_equal(give_from(side, from, &ack), SW_RECEIVED_CONTROL);
}

/* Takes what a side sends now; returns how many of it are of this letter and go to `to`. */
static unsigned take_all(struct pair_side *side, char letter, uint8_t to) {
  struct pair_datagram datagram;
  unsigned count = 0;
  while (pair_take(side, &datagram))
    count += pair_letter(side, &datagram) == letter && last_of(&datagram.to) == to;
  return count;
}

/* Sends a packet every 10 ms. */
static void send_steadily(struct pair_side *side, uint64_t duration) {
  for (const uint64_t end = pair.now + duration; pair.now < end;) {
    pair_send(side);
    pair_run(&pair, 10 * MS);
  }
}

/* Sends a packet every 10 ms until the side sends to `peer`; returns how long that took. */
static uint64_t time_to_move(struct pair_side *sender, struct pair_side *side, uint8_t peer) {
  const uint64_t begun = pair.now;
  while (!is_on(side, peer)) {
    assert_true(pair.now - begun < 60 * SW_SECOND);
    pair_send(sender);
    pair_run(&pair, 10 * MS);
  }
  return pair.now - begun;
}

/* ---- validation ---- */

static void observed_path_is_checked_at_once(void **state) {
  (void)state;
  hear_from(right, NAT);
  assert_int_equal(sw_link_deadline(right->link), pair.now);
  assert_int_equal(take_all(right, 'k', NAT), 1);
}

static void observed_path_gets_no_more_bytes_than_came_from_it(void **state) {
  (void)state;
  static const enum sw_kind kinds[] = {SW_KIND_PACKET, SW_KIND_PROBE, SW_KIND_CHECK, SW_KIND_MOVE};
  const uint8_t plain[200] = {0x45, [3] = 60};
  uint64_t answered = 0;
  for (unsigned i = 0; i < 400; i++) {
    struct pair_datagram datagram;
    const size_t length = i % 100;
    pair_seal_kind(left, kinds[i / 100], plain, length, &datagram);
    datagram.from = pair_address(ATTACKER);
    counted = 0;
    pair_give(right, &datagram);
    pair_run(&pair, 300 * MS);
    assert_true(counted <= datagram.length);
    if (length < SW_PROBE_BYTES) assert_int_equal(counted, 0);
    answered += counted != 0;
    assert_true(is_on(right, LEFT));
  }
  assert_true(answered >= 4 * (100 - SW_PROBE_BYTES));
  assert_int_equal(row_of(right, ATTACKER)->answer_time, 0);
}

static void observed_path_is_checked_several_times_for_a_long_packet(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_seal(left, 1400, &datagram);
  assert_int_equal(give_from(right, NAT, &datagram), SW_RECEIVED_PACKET);
  const size_t most = datagram.length;
  size_t sent = 0;
  for (unsigned i = 0; i < 100; i++) {
    row_of(right, NAT)->probe_at = pair.now;
    while (pair_take(right, &datagram)) {
      if (last_of(&datagram.to) != NAT) continue;
      assert_true(datagram.length <= SW_OVERHEAD + SW_PROBE_MAX);
      sent += datagram.length;
    }
  }
  assert_in_range(sent, most - (SW_OVERHEAD + SW_PROBE_BYTES) + 1, most);
}

static void path_is_validated_by_an_ack_from_there(void **state) {
  (void)state;
  hear_from(right, NAT);
  take_all(right, 'k', NAT);
  assert_int_equal(row_of(right, NAT)->answer_time, 0);
  pair.now += MS;
  acknowledge(right, NAT, NAT);
  assert_int_equal(row_of(right, NAT)->answer_time, pair.now);
}

/* Packets arrive from `from`; returns whether the address is checked. */
static bool is_checked_when_heard(struct pair_side *side, uint8_t from) {
  hear_from(side, from);
  return take_all(side, 'k', from) > 0;
}

static void ack_from_elsewhere_stops_checks_of_a_path_that_is_not_validated_for_10_s(void **state) {
  (void)state;
  assert_true(is_checked_when_heard(right, ATTACKER));
  pair.now += MS;
  acknowledge(right, ATTACKER, LEFT); /* the attacker has passed the probe on */
  assert_int_equal(row_of(right, ATTACKER)->answer_time, 0);
  assert_true(is_on(right, LEFT));
  assert_int_equal(row_of(right, ATTACKER)->probe_at, SW_NEVER);
  assert_int_equal(row_of(right, ATTACKER)->credit, 0); /* also for a doubt */
  const uint64_t stopped = pair.now;
  for (; pair.now < stopped + SW_CONTEST_LOST; pair.now += 100 * MS)
    assert_false(is_checked_when_heard(right, ATTACKER));
  assert_true(is_checked_when_heard(right, ATTACKER));
}

static void path_that_is_not_validated_is_checked_at_most_every_200_ms(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  for (uint64_t i = 0, last = 0; i < 20000; i++) {
    pair.now += MS;
    if (!is_checked_when_heard(right, ATTACKER)) continue;
    if (last) widen(&intervals, pair.now - last);
    last = pair.now;
  }
  assert_random(&intervals, SW_CANDIDATE_PROBE + MS);
}

static void paths_that_neither_side_has_validated_are_not_checked_endlessly(void **state) {
  (void)state;
  struct pair_datagram packet;
  pair_seal(right, 100, &packet);
  packet.from = pair_address(RIGHT_B); /* once */
  assert_int_equal(pair_give(left, &packet), SW_RECEIVED_PACKET);
  pair_run(&pair, 10 * SW_SECOND);
  assert_in_range(pair_sent(left, 'k') + pair_sent(right, 'k'), 1, 100);
}

static void ack_from_anywhere_counts_for_a_validated_path(void **state) {
  (void)state;
  hear_from(right, NAT);
  take_all(right, 'k', NAT);
  acknowledge(right, NAT, NAT);
  for (unsigned i = 0; i < 5; i++) {
    pair.now += 200 * MS;
    row_of(right, NAT)->probe_at = pair.now;
    take_all(right, 'k', NAT);
    acknowledge(right, NAT, STRANGER);
    assert_int_equal(row_of(right, NAT)->answer_time, pair.now);
    assert_int_equal(row_of(right, NAT)->unanswered, 0);
  }
}

static void ack_from_anywhere_counts_for_a_configured_path(void **state) {
  (void)state;
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_B}, 2);
  assert_int_equal(take_all(left, 'k', RIGHT_B), 1);
  acknowledge(left, RIGHT_B, STRANGER);
  assert_int_equal(row_of(left, RIGHT_B)->answer_time, pair.now);
  assert_true(sodium_is_zero(row_of(left, RIGHT_B)->path.local, SW_IP_BYTES));
  assert_null(row_of(left, STRANGER));
}

static void ack_counts_once(void **state) {
  (void)state;
  hear_from(right, NAT);
  take_all(right, 'k', NAT);
  acknowledge(right, NAT, NAT);
  const uint64_t answered = pair.now;
  pair.now += MS;
  acknowledge(right, NAT, NAT);
  assert_int_equal(row_of(right, NAT)->answer_time, answered);
}

static void acks_and_closes_from_elsewhere_make_no_candidate(void **state) {
  (void)state;
  hear_kind_from(right, NAT, SW_KIND_PROBE_ACK);
  assert_null(row_of(right, NAT));
  hear_kind_from(right, NAT, SW_KIND_CLOSE);
  assert_null(row_of(right, NAT));
}

static void datagram_that_was_overtaken_makes_no_candidate(void **state) {
  (void)state;
  struct pair_datagram overtaken;
  pair_seal(left, 100, &overtaken);
  hear_from(right, LEFT);
  assert_int_equal(give_from(right, NAT, &overtaken), SW_RECEIVED_PACKET);
  assert_null(row_of(right, NAT));
  assert_false(is_in_doubt(right));
}

static void datagram_of_a_former_session_makes_no_candidate(void **state) {
  (void)state;
  struct pair_datagram former;
  pair_seal(left, 100, &former);
  left->link->sessions.current->rekey_at = pair.now;
  pair_run(&pair, SW_SECOND);
  assert_int_equal(give_from(right, NAT, &former), SW_RECEIVED_PACKET);
  assert_null(row_of(right, NAT));
}

/* ---- acks ---- */

static void assert_acks(struct pair_side *side, uint8_t first, uint8_t second) {
  const struct sw_reply *replies = side->link->replies;
  assert_true(replies[0].length != 0);
  assert_int_equal(last_of(&replies[0].path.peer), first);
  assert_int_equal(replies[1].length != 0, second != 0);
  if (second) assert_int_equal(last_of(&replies[1].path.peer), second);
}

static void probe_on_the_active_path_is_acked_there(void **state) {
  (void)state;
  hear_kind_from(right, LEFT, SW_KIND_PROBE);
  assert_acks(right, LEFT, 0);
  assert_true(sw_path_equal(&right->link->replies[0].path, sw_link_path(right->link)));
}

static void probe_from_an_unknown_address_is_acked_on_the_active_path_only(void **state) {
  (void)state;
  hear_kind_from(right, ATTACKER, SW_KIND_PROBE);
  assert_acks(right, LEFT, 0);
  hear_kind_from(right, ATTACKER, SW_KIND_CHECK);
  assert_acks(right, LEFT, 0);
}

static void probe_on_a_validated_path_is_acked_there_and_on_the_active_one(void **state) {
  (void)state;
  hear_from(right, NAT);
  take_all(right, 'k', NAT);
  acknowledge(right, NAT, NAT);
  hear_kind_from(right, NAT, SW_KIND_CHECK);
  assert_acks(right, NAT, LEFT);
}

static void probe_from_a_configured_address_is_acked_there_and_on_the_active_path(void **state) {
  (void)state;
  cut[LEFT_B] = true;
  give_endpoints(right, (const uint8_t[]){LEFT, LEFT_B}, 2);
  assert_int_equal(row_of(right, LEFT_B)->answer_time, 0);
  hear_kind_from(right, LEFT_B, SW_KIND_CHECK);
  assert_acks(right, LEFT_B, LEFT);

  /* also if it arrived at another address of ours */
  struct pair_datagram probe;
  pair_seal_kind(left, SW_KIND_CHECK, (const uint8_t *)"12345678", 8, &probe);
  probe.to = pair_address(RIGHT_B);
  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_CONTROL);
  assert_acks(right, LEFT, LEFT);
  assert_int_equal(right->link->replies[0].path.local[15], RIGHT_B);
  assert_int_equal(right->link->replies[1].path.local[15], RIGHT);
}

/* ---- contest ---- */

static void copies_from_elsewhere_do_not_move_a_link_whose_path_answers(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    copies = true;
    relays = i == 1;
    right->packets = 0;
    clear_sent();
    unsigned sent = 0;
    for (; sent < 1000; sent++) {
      pair_send(left);
      if (sent % 2) pair_send(right);
      pair_run(&pair, 10 * MS);
      assert_true(is_on(right, LEFT));
      assert_true(is_on(left, RIGHT));
    }
    assert_in_range(right->packets, sent - 1, sent);
    assert_int_equal(sw_link_status(right->link)->probes_lost, 0);
    assert_int_equal(pair_state(left), SW_LINK_UP);
    assert_int_equal(pair_state(right), SW_LINK_UP);
    assert_in_range(sent_to(right, 'p', LEFT), 10, 20);
  }
}

static void packets_from_elsewhere_begin_a_contest_once_a_second(void **state) {
  (void)state;
  hear_from(right, ATTACKER);
  assert_true(is_in_doubt(right));
  assert_int_equal(take_all(right, 'p', LEFT), 1);
  pair.now += 20 * MS;
  acknowledge(right, LEFT, LEFT);
  assert_false(is_in_doubt(right));
  const uint64_t over = pair.now;
  pair.now = over + SW_CONTEST_AGAIN - 1;
  hear_from(right, STRANGER);
  assert_false(is_in_doubt(right));
  pair.now = over + SW_CONTEST_AGAIN;
  hear_from(right, STRANGER);
  assert_true(is_in_doubt(right));
}

static void ack_without_a_doubt_does_not_defer_contests(void **state) {
  (void)state;
  pair.now += 10 * SW_SECOND;
  right->link->paths.active->probe_at = pair.now;
  assert_int_equal(take_all(right, 'p', LEFT), 1);
  acknowledge(right, LEFT, LEFT);
  hear_from(right, STRANGER);
  assert_true(is_in_doubt(right));
}

static void address_that_lost_a_contest_begins_another_after_10_s(void **state) {
  (void)state;
  hear_from(right, ATTACKER);
  take_all(right, 'p', LEFT);
  acknowledge(right, LEFT, LEFT);
  const uint64_t over = pair.now;
  pair.now = over + SW_CONTEST_LOST - 1;
  hear_from(right, ATTACKER);
  assert_false(is_in_doubt(right));
  pair.now++;
  hear_from(right, STRANGER);
  assert_true(is_in_doubt(right));
  take_all(right, 'p', LEFT);
  acknowledge(right, LEFT, LEFT);
  pair.now += SW_CONTEST_AGAIN; /* 10 s after the first are over, too */
  hear_from(right, ATTACKER);
  assert_true(is_in_doubt(right));
}

static void address_that_lost_a_contest_waits_to_the_nanosecond(void **state) {
  (void)state;
  hear_from(right, ATTACKER);
  take_all(right, 'p', LEFT);
  acknowledge(right, LEFT, LEFT);
  for (unsigned i = 0; i < 2; i++) {
    pair.now += i ? 1 : SW_CONTEST_LOST - 1;
    hear_from(right, ATTACKER);
    assert_int_equal(is_in_doubt(right), i == 1);
  }
}

static void kinds_that_are_sent_on_the_active_path_begin_a_contest(void **state) {
  (void)state;
  static const struct {
    enum sw_kind kind;
    bool contest;
  } kinds[] = {{SW_KIND_PACKET_PARTIAL, true},
               {SW_KIND_PROBE, true},
               {SW_KIND_MOVE, true},
               {SW_KIND_CHECK, false}};
  for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
    struct pair_datagram datagram;
    pair.now += 2 * SW_SECOND;
    pair_seal_kind(left, kinds[i].kind, (const uint8_t *)"12345678", 8, &datagram);
    give_from(right, (uint8_t)(100 + i), &datagram);
    assert_int_equal(is_in_doubt(right), kinds[i].contest);
    take_all(right, 'p', LEFT);
    acknowledge(right, LEFT, LEFT);
    assert_false(is_in_doubt(right));
  }
}

/* The active path is dead after as long as an ack may take, 0.3 s at least, and 8 probes. */
static void peer_whose_address_changes_is_followed_within_half_a_second(void **state) {
  (void)state;
  for (unsigned i = 0; i < 20; i++) {
    nat = (uint8_t)(NAT + i);
    clear_sent();
    const uint64_t taken = time_to_move(left, right, nat);
    assert_in_range(taken, 300 * MS, 500 * MS);
    assert_int_equal(pair_state(left), SW_LINK_UP);
    assert_in_range(sent_to(right, 'p', i ? nat - 1 : LEFT), SW_DOUBT_PROBES, 14);
    assert_int_equal(sent_to(right, 'i', LEFT), 0);
    pair_run(&pair, 100 * MS);
    left->packets = 0;
    for (unsigned j = 0; j < 10; j++) pair_send(right);
    pair_run(&pair, 6 * SW_SECOND);
    assert_int_equal(left->packets, 10);
    assert_int_equal(last_of(&sw_link_status(right->link)->peer), nat);
    stay_young();
  }
}

static void idle_peer_whose_address_changes_is_followed_with_its_next_probe(void **state) {
  (void)state;
  pair_stop(&pair);
  begin(1, 25 * SW_SECOND);
  nat = NAT;
  pair_run(&pair, 26 * SW_SECOND);
  assert_true(is_on(right, NAT));
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(pair_state(right), SW_LINK_UP);
}

static void address_that_does_not_answer_is_not_followed(void **state) {
  (void)state;
  cut[LEFT] = true;
  for (unsigned i = 0; i < 200; i++) {
    hear_from(right, ATTACKER);
    pair_run(&pair, 10 * MS);
    assert_true(is_on(right, LEFT));
  }
  assert_int_equal(pair_state(right), SW_LINK_SILENT);
}

/* ---- the death of a path ---- */

/* The link is called late, so that time alone does not decide. */
static void path_is_dead_after_8_unanswered_probes_and_not_before(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_seal(left, 100, &datagram);
  pair.now += SW_SECOND;
  pair_take_letter(left, 'p', &datagram);
  assert_false(is_in_doubt(left));
  for (unsigned i = 0; i < SW_DOUBT_PROBES; i++) {
    pair.now += 5 * SW_SECOND;
    pair_take_letter(left, 'p', &datagram);
    assert_true(is_in_doubt(left));
    assert_int_equal(pair_state(left), SW_LINK_UP);
  }
  pair.now += 5 * SW_SECOND;
  pair_take_letter(left, 'p', &datagram);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
}

static void ack_of_any_probe_keeps_a_path(void **state) {
  (void)state;
  for (unsigned lost = 0; lost <= SW_DOUBT_PROBES; lost++) {
    struct pair_datagram datagram;
    pair_seal(left, 100, &datagram);
    pair.now += SW_SECOND;
    pair_take_letter(left, 'p', &datagram);
    for (unsigned i = 0; i < lost; i++) {
      pair.now += SW_SECOND;
      pair_take_letter(left, 'p', &datagram);
    }
    acknowledge(left, RIGHT, RIGHT);
    assert_false(is_in_doubt(left));
    assert_int_equal(pair_state(left), SW_LINK_UP);
    left->link->paths.active->rtt = 20 * MS;
    left->link->paths.active->deviation = 0;
    stay_young();
  }
}

/* A path on which an ack takes up to 4 s is not dead before that. */
static void acks_have_as_long_as_they_are_known_to_take(void **state) {
  (void)state;
  static const struct {
    uint64_t rtt, deviation, most;
  } times[] = {{20 * MS, 5 * MS, 40 * MS},
               {2 * SW_SECOND, 500 * MS, 4 * SW_SECOND},
               {4 * SW_SECOND, 2 * SW_SECOND, SW_PENDING_LIFETIME}};
  for (unsigned i = 0; i < 3; i++) {
    struct sw_candidate *active = left->link->paths.active;
    active->rtt = times[i].rtt;
    active->deviation = times[i].deviation;
    right->deaf = true;
    pair_send(left);
    while (!is_in_doubt(left)) pair_run(&pair, MS);
    pair_run(&pair, left->link->paths.doubt_since + SW_DOUBT_TIME + times[i].most - 1 - pair.now);
    assert_int_equal(pair_state(left), SW_LINK_UP);
    pair_run(&pair, SW_DOUBT_TIME / SW_DOUBT_PROBES + 1);
    assert_int_equal(pair_state(left), SW_LINK_SILENT);
    right->deaf = false;
    pair_run(&pair, 8 * SW_SECOND);
    assert_int_equal(pair_state(left), SW_LINK_UP);
    stay_young();
  }
}

static void probe_is_lost_after_300_ms_to_1_s_as_acks_are_known_to_take(void **state) {
  (void)state;
  static const struct {
    uint64_t rtt, deviation, wait;
  } times[] = {{1, 0, 300 * MS},
               {20 * MS, 5 * MS, 300 * MS},
               {100 * MS, 75 * MS, 400 * MS},
               {100 * MS, 224 * MS, 996 * MS},
               {3 * SW_SECOND, 0, SW_SECOND},
               {0, 0, SW_SECOND}}; /* not known */
  for (unsigned i = 0; i < sizeof(times) / sizeof(*times); i++) {
    struct sw_candidate *active = left->link->paths.active;
    struct pair_datagram probe;
    active->rtt = times[i].rtt;
    active->deviation = times[i].deviation;
    active->probe_at = pair.now;
    pair_take_letter(left, 'p', &probe);
    assert_int_equal(sw_link_deadline(left->link), pair.now + times[i].wait);
    pair.now += times[i].wait;
    assert_false(is_in_doubt(left));
    pair_take_letter(left, 'p', &probe);
    assert_true(is_in_doubt(left));
    assert_int_equal(left->link->paths.doubt_since, pair.now);
    acknowledge(left, RIGHT, RIGHT);
  }
}

static void round_trip_time_and_its_deviation_follow_rfc_6298(void **state) {
  (void)state;
  static const struct {
    uint64_t sample, rtt, deviation;
  } samples[] = {{40, 40, 20}, {120, 50, 35}, {10, 45, 36}, {45, 45, 27}};
  struct sw_candidate *active = left->link->paths.active;
  active->rtt = active->deviation = 0;
  for (unsigned i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    struct pair_datagram probe;
    active->probe_at = pair.now;
    pair_take_letter(left, 'p', &probe);
    pair.now += samples[i].sample;
    acknowledge(left, RIGHT, RIGHT);
    assert_int_equal(active->rtt, samples[i].rtt);
    assert_int_equal(active->deviation, samples[i].deviation);
  }
}

static void probes_in_doubt_are_101_to_125_ms_apart(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  for (unsigned i = 0; i < 30; i++) {
    right->deaf = true;
    sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
    clear_sent();
    pair_run(&pair, 800 * MS); /* it does not die */
    widen_by_intervals(&intervals, left, 'p', RIGHT);
    right->deaf = false;
    pair_run(&pair, 5 * SW_SECOND);
    stay_young();
  }
  assert_random(&intervals, 125 * MS);
}

static void reported_error_puts_the_active_path_in_doubt_once_a_second(void **state) {
  (void)state;
  for (unsigned i = 0; i < 300; i++) {
    sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
    pair_run(&pair, 10 * MS);
    assert_int_equal(pair_state(left), SW_LINK_UP);
  }
  assert_in_range(pair_sent(left, 'p'), 3, 4);
  assert_int_equal(sw_link_status(left->link)->probes_lost, 0);
}

static void error_of_another_address_is_no_doubt(void **state) {
  (void)state;
  const struct sw_address other = pair_address(RIGHT_B);
  sw_link_error(left->link, pair.now, &other, EHOSTUNREACH);
  assert_false(is_in_doubt(left));
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  assert_true(is_in_doubt(left));
}

/* ---- failover ---- */

static void two_paths_that_work_are_not_taken_in_turn(void **state) {
  (void)state;
  cut[RIGHT] = true;
  time_to_move(left, left, RIGHT_B);
  pair_run(&pair, SW_SECOND);
  assert_int_equal(sw_link_path(right->link)->local[15], RIGHT_B);
  cut[RIGHT] = false;
  clear_sent();
  pair_run(&pair, 10 * SW_SECOND);
  assert_in_range(right->sent_count, 0, 200);
}

static void link_fails_over_to_the_second_endpoint_within_3_s_without_a_handshake(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++) {
    cut[RIGHT] = true;
    clear_sent();
    const uint64_t taken = time_to_move(left, left, RIGHT_B);
    assert_in_range(taken, 2 * SW_SECOND, 2600 * MS);
    assert_int_equal(pair_sent(left, 'i'), 0);
    pair_run(&pair, SW_SECOND); /* the other side follows */
    left->packets = right->packets = 0;
    for (unsigned j = 0; j < 10; j++) {
      pair_send(left);
      pair_send(right);
      pair_run(&pair, 20 * MS);
    }
    assert_int_equal(left->packets, 10);
    assert_int_equal(right->packets, 10);
    assert_int_equal(sw_link_status(left->link)->handshakes, 1);
    pair_stop(&pair);
    start_two(state);
  }
}

static void nothing_but_the_active_path_is_used_while_it_answers(void **state) {
  (void)state;
  send_steadily(left, 20 * SW_SECOND);
  assert_int_equal(sent_to(left, 'd', RIGHT_B), 0);
  assert_int_equal(sent_to(left, 'k', RIGHT_B), 0);
  assert_true(is_on(left, RIGHT));
}

static void candidates_are_probed_every_200_to_250_ms_in_doubt(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  for (unsigned i = 0; i < 60; i++) {
    right->deaf = true;
    sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
    clear_sent();
    pair_run(&pair, 800 * MS); /* it does not die */
    assert_int_equal(left->sent_at[0], pair.now - 800 * MS);
    assert_in_range(sent_to(left, 'k', RIGHT_B), 4, 5);
    widen_by_intervals(&intervals, left, 'k', RIGHT_B);
    right->deaf = false;
    pair_run(&pair, 5 * SW_SECOND);
    stay_young();
  }
  assert_random(&intervals, SW_CANDIDATE_PROBE);
}

static void candidate_that_answers_in_doubt_is_probed_again(void **state) {
  (void)state;
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  assert_int_equal(take_all(left, 'k', RIGHT_B), 1);
  acknowledge(left, RIGHT_B, RIGHT_B);
  assert_in_range(row_of(left, RIGHT_B)->probe_at - pair.now, 200 * MS, 250 * MS);
}

/* The active path of the left side is lost, and what else `lost` names. */
static void lose(uint8_t lost) {
  cut[RIGHT] = cut[lost] = true;
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
}

static void successor_has_the_lowest_rank(void **state) {
  (void)state;
  lose(RIGHT);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_B));

  /* whatever the order in the table */
  pair_stop(&pair);
  start_three(state);
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_C, RIGHT_B}, 3);
  pair_run(&pair, SW_SECOND);
  lose(RIGHT);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_C));
}

static void successor_answers(void **state) {
  (void)state;
  lose(RIGHT_B);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_C));
}

static void successor_is_one_that_the_peer_sends_on_rather_than_one_of_lower_rank(void **state) {
  (void)state;
  lose(RIGHT);
  pair_run(&pair, 100 * MS);
  hear_from(left, RIGHT_C);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_C));
}

static void packet_that_begins_a_contest_counts_in_it(void **state) {
  static const uint8_t heard[] = {RIGHT_C, RIGHT_B}; /* in both orders in the table */
  for (unsigned i = 0; i < 2; i++) {
    cut[RIGHT] = true;
    hear_from(left, heard[i]);
    assert_true(is_in_doubt(left));
    pair_run(&pair, 2 * SW_SECOND);
    assert_true(is_on(left, heard[i]));
    pair_stop(&pair);
    start_three(state);
  }
}

static void what_was_heard_before_the_doubt_does_not_count(void **state) {
  (void)state;
  hear_from(left, RIGHT_C);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT));
  lose(RIGHT);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_B));
}

static void configured_successor_is_better_than_an_observed_one(void **state) {
  (void)state;
  struct pair_datagram check;
  pair_seal_kind(right, SW_KIND_CHECK, (const uint8_t *)"12345678", 8, &check);
  give_from(left, NAT, &check);
  take_all(left, 'k', NAT);
  acknowledge(left, NAT, NAT);
  lose(RIGHT);
  take_all(left, 'k', NAT);
  acknowledge(left, NAT, NAT);
  assert_int_equal(row_of(left, NAT)->answer_time, pair.now);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_B));
}

static void candidates_are_probed_at_the_interval_of_keepalives(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  pair_stop(&pair);
  begin(2, 5 * SW_SECOND);
  for (unsigned i = 0; i < 20; i++) {
    clear_sent();
    pair_run(&pair, 100 * SW_SECOND);
    widen_by_intervals(&intervals, left, 'k', RIGHT_B);
    stay_young();
  }
  assert_in_range(intervals.least, 4 * SW_SECOND, 4200 * MS);
  assert_in_range(intervals.most, 4900 * MS, 5 * SW_SECOND);
}

static void observed_path_is_not_probed_at_the_interval_of_keepalives(void **state) {
  (void)state;
  pair_stop(&pair);
  begin(1, 5 * SW_SECOND);
  hear_from(right, LEFT_B);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(row_of(right, LEFT_B)->answer_time != 0);
  assert_true(is_on(right, LEFT));
  clear_sent();
  pair_run(&pair, 60 * SW_SECOND);
  assert_true(sent_to(right, 'p', LEFT) >= 12);
  assert_int_equal(sent_to(right, 'k', LEFT_B), 0);
  assert_int_equal(row_of(right, LEFT_B)->probe_at, SW_NEVER);
}

static void idle_link_without_keepalives_never_probes(void **state) {
  (void)state;
  assert_int_equal(row_of(left, RIGHT)->probe_at, SW_NEVER);
  assert_int_equal(row_of(left, RIGHT_B)->probe_at, SW_NEVER);
  assert_int_equal(row_of(right, LEFT)->probe_at, SW_NEVER);
}

/* Otherwise a dead path would stay. */
static void keepalives_that_end_do_not_end_a_doubt(void **state) {
  (void)state;
  pair_stop(&pair);
  begin(2, 5 * SW_SECOND);
  cut[RIGHT] = true;
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  sw_link_keepalive_set(left->link, pair.now, 0);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(is_on(left, RIGHT_B));
}

static void keepalives_begin_with_the_first_path(void **state) {
  (void)state;
  pair_stop(&pair);
  pair_start(&pair, 0);
  sw_link_keepalive_set(left->link, pair.now, 5 * SW_SECOND);
  pair_connect(&pair);
  clear_sent();
  pair_run(&pair, 60 * SW_SECOND);
  assert_in_range(pair_sent(left, 'p'), 12, 16);
}

static void keepalive_interval_is_not_longer_than_asked_for_on_a_long_path(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  pair_stop(&pair);
  begin(1, 5 * SW_SECOND);
  pair.latency = 400 * MS;
  for (unsigned i = 0; i < 10; i++) {
    clear_sent();
    pair_run(&pair, 100 * SW_SECOND);
    widen_by_intervals(&intervals, left, 'p', RIGHT);
    stay_young();
  }
  assert_in_range(intervals.most, 4800 * MS, 5 * SW_SECOND);
}

static void candidate_that_does_not_answer_at_first_is_tried_3_times(void **state) {
  (void)state;
  cut[RIGHT_B] = true;
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_B}, 2);
  pair_run(&pair, 60 * SW_SECOND);
  assert_int_equal(sent_to(left, 'k', RIGHT_B), SW_TRIES);
}

/* A doubt probes it faster: that does not use up its tries. */
static void candidate_that_did_not_answer_is_tried_3_times_after_a_doubt_too(void **state) {
  (void)state;
  struct sw_candidate *row = row_of(left, RIGHT_B);
  const struct {
    bool validated;
    uint32_t unanswered;
    bool again;
  } cases[] = {{false, 0, true},  {false, SW_TRIES - 1, true}, {false, SW_TRIES, false},
               {true, 0, false},  {true, SW_TRIES - 1, false}, {true, SW_TRIES, false},
               {false, 20, false}};
  for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    pair.now += 2 * SW_SECOND;
    sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
    assert_true(is_in_doubt(left));
    take_all(left, 'p', RIGHT);
    row->answer_time = cases[i].validated ? pair.now : 0;
    row->unanswered = cases[i].unanswered;
    acknowledge(left, RIGHT, RIGHT);
    assert_false(is_in_doubt(left));
    if (cases[i].again)
      assert_in_range(row->probe_at - pair.now, 200 * MS, 250 * MS);
    else
      assert_int_equal(row->probe_at, SW_NEVER);
  }
}

static void silent_link_takes_the_first_path_that_answers(void **state) {
  (void)state;
  cut[RIGHT] = cut[RIGHT_B] = true;
  send_steadily(left, 5 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  clear_sent();
  pair_run(&pair, 10 * SW_SECOND);
  assert_in_range(sent_to(left, 'k', RIGHT_B), 5, 7);
  for (unsigned i = 0; i < left->sent_count; i++) assert_int_not_equal(left->sent[i], 'd');
  const uint32_t session = left->link->sessions.current->local;
  left->link->retry.at = SW_NEVER; /* no handshake comes first */
  cut[RIGHT_B] = false;
  pair_run(&pair, 2 * SW_SECOND + 2 * pair.latency);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_true(is_on(left, RIGHT_B));
  assert_int_equal(left->link->sessions.current->local, session);
  assert_int_equal(left->link->retry.at, 0);
}

static void silent_link_is_up_with_the_ack_of_a_candidate(void **state) {
  (void)state;
  left->link->silent = true;
  row_of(left, RIGHT_B)->probe_at = pair.now;
  assert_int_equal(take_all(left, 'k', RIGHT_B), 1);
  acknowledge(left, RIGHT_B, RIGHT_B);
  assert_true(is_on(left, RIGHT_B));
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

/* ---- return ---- */

/* The first path is lost until the link is on the second one. */
static void fail_over(void) {
  cut[RIGHT] = true;
  time_to_move(left, left, RIGHT_B);
  pair_run(&pair, 2 * SW_WATCHED); /* the other side follows, and watches no more */
  clear_sent();
}

/* Sends a packet each second; asserts that the left side stays on the second path. */
static void assert_stays_on_second(uint64_t seconds) {
  for (uint64_t i = 0; i < seconds; i++) {
    pair_send(left);
    pair_run(&pair, SW_SECOND);
    assert_true(is_on(left, RIGHT_B));
    stay_young();
  }
}

static void link_returns_to_a_better_path_after_it_answered_for_30_s(void **state) {
  (void)state;
  fail_over();
  assert_stays_on_second(30);
  cut[RIGHT] = false;
  assert_stays_on_second(30);
  assert_in_range(time_to_move(left, left, RIGHT), 0, 10 * SW_SECOND);
  clear_sent();
  time_to_move(left, right, LEFT); /* the other side follows */
  pair_run(&pair, SW_SECOND);
  assert_int_equal(sw_link_path(right->link)->local[15], RIGHT);
  assert_int_equal(sw_link_status(left->link)->handshakes, 1);
  assert_int_equal(sw_link_status(left->link)->probes_lost, 1); /* of the failover */
}

static void better_path_that_loses_a_probe_has_to_answer_for_another_30_s(void **state) {
  (void)state;
  fail_over();
  cut[RIGHT] = false;
  assert_stays_on_second(25);
  cut[RIGHT] = true;
  assert_stays_on_second(6);
  cut[RIGHT] = false;
  assert_stays_on_second(30);
  assert_in_range(time_to_move(left, left, RIGHT), 0, 10 * SW_SECOND);
}

static void better_path_is_taken_when_it_has_answered_for_30_s_to_the_nanosecond(void **state) {
  (void)state;
  fail_over();
  struct sw_candidate *better = row_of(left, RIGHT);
  for (uint64_t i = 0; i < 2; i++) {
    better->probe_at = pair.now;
    take_all(left, 'k', RIGHT);
    better->steady_since = pair.now - SW_RETURN_AFTER + 1 - i;
    acknowledge(left, RIGHT, RIGHT);
    assert_int_equal(is_on(left, RIGHT), i == 1);
  }
  struct pair_datagram datagram;
  pair_take_letter(left, 'm', &datagram); /* the peer is asked at once */
  assert_int_equal(last_of(&datagram.to), RIGHT);
}

static void better_path_is_probed_every_1600_to_2000_ms(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  fail_over();
  cut[RIGHT] = false;
  for (unsigned i = 0; i < 10; i++) {
    clear_sent();
    for (unsigned j = 0; j < 5; j++) {
      pair_run(&pair, 20 * SW_SECOND);
      row_of(left, RIGHT)->steady_since = pair.now;
      stay_young();
    }
    widen_by_intervals(&intervals, left, 'k', RIGHT);
  }
  assert_in_range(intervals.least, 1600 * MS, 1620 * MS);
  assert_in_range(intervals.most, 1980 * MS, 2000 * MS);
}

static void better_path_that_does_not_answer_is_probed_every_1600_to_2000_ms(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  fail_over();
  for (unsigned i = 0; i < 10; i++) {
    clear_sent();
    for (unsigned j = 0; j < 5; j++) {
      pair_run(&pair, 20 * SW_SECOND);
      stay_young();
    }
    widen_by_intervals(&intervals, left, 'k', RIGHT);
  }
  assert_in_range(intervals.least, 1600 * MS, 1620 * MS);
  assert_in_range(intervals.most, 1980 * MS, 2000 * MS);
}

static void worse_path_is_not_taken_however_long_it_answers(void **state) {
  (void)state;
  pair_stop(&pair);
  begin(2, 5 * SW_SECOND);
  for (unsigned i = 0; i < 100; i++) {
    pair_run(&pair, SW_SECOND);
    assert_true(is_on(left, RIGHT));
    stay_young();
  }
  assert_true(row_of(left, RIGHT_B)->steady_since + 60 * SW_SECOND < pair.now);
}

/* ---- requests to move ---- */

/* The other side asks to send to `from`, as long as it takes. */
static void ask_from(struct pair_side *side, uint8_t from) {
  hear_kind_from(side, from, SW_KIND_MOVE);
}

/* As it does: several times. */
static void ask_for_2_s(struct pair_side *side, uint8_t from) {
  for (unsigned i = 0; i < SW_ANNOUNCEMENTS; i++) {
    ask_from(side, from);
    pair_run(&pair, 250 * MS);
  }
}

static void ask_3_times(struct pair_side *side, uint8_t from) {
  for (unsigned i = 0; i < SW_MOVE_REQUESTS; i++) ask_from(side, from);
}

static void request_to_move_is_followed_after_half_a_second(void **state) {
  (void)state;
  ask_from(right, LEFT_B);
  pair_run(&pair, 200 * MS);
  ask_from(right, LEFT_B);
  pair_run(&pair, 200 * MS);
  ask_from(right, LEFT_B);
  pair_run(&pair, 100 * MS - 1);
  assert_true(is_on(right, LEFT));
  pair_run(&pair, 300 * MS);
  assert_true(is_on(right, LEFT_B));
  assert_int_equal(sw_link_status(right->link)->probes_lost, 0);
  assert_int_equal(right->link->move.id, 0); /* it is not followed again */
}

static void request_waits_to_the_nanosecond(void **state) {
  (void)state;
  struct pair_datagram datagram;
  const uint64_t asked = pair.now;
  ask_3_times(right, LEFT_B);
  struct sw_candidate *row = row_of(right, LEFT_B);
  take_all(right, 'k', LEFT_B);
  acknowledge(right, LEFT_B, LEFT_B);
  acknowledge(right, LEFT, LEFT);
  for (unsigned i = 0; i < 2; i++) {
    pair.now = asked + SW_MOVE_WAIT - 1 + i;
    row->probe_at = pair.now;
    pair_take_letter(right, i ? 'p' : 'k', &datagram);
    assert_int_equal(last_of(&datagram.to), LEFT_B);
    assert_int_equal(is_on(right, LEFT_B), i == 1);
  }
}

static void request_is_forgotten_after_2_s_when_its_path_does_not_answer(void **state) {
  (void)state;
  const uint64_t asked = pair.now;
  ask_3_times(right, LEFT_B);
  struct sw_candidate *row = row_of(right, LEFT_B);
  for (unsigned i = 0; i < 2; i++) {
    pair.now = asked + SW_MOVE_MEMORY - 1 + i;
    row->probe_at = pair.now;
    row->credit = 1000;
    assert_int_equal(take_all(right, 'k', LEFT_B), 1);
    assert_int_equal(right->link->move.id, i ? 0 : row->id);
  }
  acknowledge(right, LEFT_B, LEFT_B); /* too late */
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(right, LEFT));
}

static void three_requests_to_move_are_needed(void **state) {
  (void)state;
  for (unsigned i = 1; i < SW_MOVE_REQUESTS; i++) ask_from(right, LEFT_B);
  pair_run(&pair, 1900 * MS);
  assert_true(is_on(right, LEFT));
  ask_from(right, LEFT_B);
  pair_run(&pair, 500 * MS);
  assert_true(is_on(right, LEFT_B));
}

static void copy_of_any_of_the_requests_prevents_a_move(void **state) {
  (void)state;
  for (unsigned copied = 0; copied < SW_MOVE_REQUESTS; copied++) {
    struct pair_datagram moves[SW_MOVE_REQUESTS];
    for (unsigned i = 0; i < SW_MOVE_REQUESTS; i++) {
      pair_seal_kind(left, SW_KIND_MOVE, (const uint8_t *)"12345678", 8, &moves[i]);
      give_from(right, LEFT_B, &moves[i]);
    }
    assert_int_equal(give_from(right, LEFT, &moves[copied]), SW_RECEIVED_DROPPED);
    pair_run(&pair, 3 * SW_SECOND);
    assert_true(is_on(right, LEFT));
  }
}

static void packet_from_elsewhere_is_no_request_to_move(void **state) {
  (void)state;
  for (unsigned i = 0; i < 8; i++) {
    hear_from(right, LEFT_B);
    pair_run(&pair, 250 * MS);
  }
  assert_true(row_of(right, LEFT_B)->answer_time != 0);
  assert_true(is_on(right, LEFT));
}

static void request_that_arrives_from_two_addresses_is_not_followed(void **state) {
  (void)state;
  static const uint8_t orders[][2] = {{LEFT_B, LEFT}, {LEFT, LEFT_B}, {LEFT_B, ATTACKER}};
  for (unsigned order = 0; order < 3; order++) {
    for (unsigned i = 0; i < SW_ANNOUNCEMENTS; i++) {
      struct pair_datagram move;
      pair_seal_kind(left, SW_KIND_MOVE, (const uint8_t *)"12345678", 8, &move);
      give_from(right, orders[order][0], &move);
      pair_run(&pair, 50 * MS);
      assert_int_equal(give_from(right, orders[order][1], &move), SW_RECEIVED_DROPPED);
      pair_run(&pair, 200 * MS);
      assert_true(is_on(right, LEFT));
    }
    pair_run(&pair, 3 * SW_SECOND);
    assert_true(is_on(right, LEFT));
  }
}

static void repeats_of_other_datagrams_do_not_prevent_a_move(void **state) {
  (void)state;
  struct pair_datagram packet, move;
  pair_seal(left, 100, &packet);
  give_from(right, LEFT, &packet);
  ask_3_times(right, LEFT_B);
  pair_seal_kind(left, SW_KIND_MOVE, (const uint8_t *)"12345678", 8, &move);
  give_from(right, LEFT_B, &move);
  give_from(right, ATTACKER, &packet);
  give_from(right, LEFT_B, &move); /* the network has duplicated it */
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(right, LEFT_B));
}

static void request_of_another_session_with_the_same_word_does_not_prevent_a_move(void **state) {
  (void)state;
  ask_from(right, LEFT_B);
  const uint32_t session = right->link->move.session;
  right->link->move.session++;
  struct pair_datagram move;
  left->link->sessions.current->counter--;
  pair_seal_kind(left, SW_KIND_MOVE, (const uint8_t *)"12345678", 8, &move);
  give_from(right, ATTACKER, &move);
  assert_int_not_equal(right->link->move.id, 0);
  right->link->move.session = session;
  give_from(right, ATTACKER, &move);
  assert_int_equal(right->link->move.id, 0);
}

static void request_is_not_followed_to_an_address_that_does_not_answer(void **state) {
  (void)state;
  cut[LEFT_B] = true;
  ask_for_2_s(right, LEFT_B);
  pair_run(&pair, 3 * SW_SECOND);
  assert_true(is_on(right, LEFT));
}

/* It has to answer after the request. */
static void request_is_not_followed_to_an_address_that_answers_no_more(void **state) {
  (void)state;
  hear_from(right, LEFT_B);
  pair_run(&pair, 2 * SW_SECOND);
  assert_true(row_of(right, LEFT_B)->answer_time != 0);
  cut[LEFT_B] = true;
  ask_for_2_s(right, LEFT_B);
  pair_run(&pair, 3 * SW_SECOND);
  assert_true(is_on(right, LEFT));
}

static void side_that_has_endpoints_is_not_asked_to_another_address(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_ANNOUNCEMENTS; i++) {
    ask_from(left, RIGHT_B);
    assert_int_equal(left->link->move.id, 0);
    take_all(left, 'k', RIGHT_B);
    acknowledge(left, RIGHT_B, RIGHT_B);
    assert_true(row_of(left, RIGHT_B)->answer_time != 0);
    pair_run(&pair, 250 * MS);
  }
  pair_run(&pair, 3 * SW_SECOND);
  assert_true(is_on(left, RIGHT));
}

static void side_that_has_endpoints_is_asked_to_one_of_them(void **state) {
  (void)state;
  ask_for_2_s(left, RIGHT_B);
  assert_true(is_on(left, RIGHT_B));
}

static void link_that_was_asked_to_move_does_not_return_by_itself(void **state) {
  (void)state;
  ask_for_2_s(left, RIGHT_B);
  for (unsigned i = 0; i < 100; i++) {
    pair_run(&pair, SW_SECOND);
    assert_true(is_on(left, RIGHT_B));
    stay_young();
  }
}

static void first_request_within_2_s_counts(void **state) {
  (void)state;
  cut[RIGHT_B] = true;
  ask_from(left, RIGHT_B);
  pair_run(&pair, 2 * SW_SECOND - 1);
  ask_from(left, RIGHT_C);
  assert_int_equal(left->link->move.id, row_of(left, RIGHT_B)->id);
  pair_run(&pair, 1);
  ask_3_times(left, RIGHT_C);
  assert_int_equal(left->link->move.id, row_of(left, RIGHT_C)->id);
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(left, RIGHT_C));
}

/* Though no contest begins, but not more often than a path may be that is not validated. */
static void path_of_a_request_is_checked_at_once_if_it_is_validated(void **state) {
  (void)state;
  hear_from(right, LEFT_B);
  struct sw_candidate *row = row_of(right, LEFT_B);
  for (unsigned i = 0; i < 2; i++) {
    pair.now += SW_SECOND;
    right->link->paths.contest_at = row->probe_at = SW_NEVER;
    right->link->paths.doubt_since = 0;
    row->answer_time = i;
    row->check_at = pair.now + 1;
    ask_from(right, LEFT_B);
    assert_int_equal(row->probe_at, i ? pair.now : row->check_at);
  }
}

static void eight_requests_are_remembered(void **state) {
  (void)state;
  struct pair_datagram moves[SW_ANNOUNCEMENTS + 4];
  for (unsigned i = 0; i < SW_ANNOUNCEMENTS + 4; i++) {
    pair_seal_kind(left, SW_KIND_MOVE, (const uint8_t *)"12345678", 8, &moves[i]);
    give_from(right, LEFT_B, &moves[i]);
  }
  assert_int_equal(right->link->move.count, SW_ANNOUNCEMENTS);
  assert_int_equal(right->link->move.time, pair.now);
  give_from(right, ATTACKER, &moves[SW_ANNOUNCEMENTS]);
  assert_int_not_equal(right->link->move.id, 0);
  give_from(right, ATTACKER, &moves[SW_ANNOUNCEMENTS - 1]);
  assert_int_equal(right->link->move.id, 0);
}

/* Somebody who passes on one request has not carried the others. */
static void requests_from_other_addresses_do_not_count(void **state) {
  (void)state;
  ask_from(right, LEFT_B);
  for (unsigned i = 0; i < SW_ANNOUNCEMENTS; i++) ask_from(right, (uint8_t)(100 + i));
  assert_int_equal(right->link->move.count, 1);
  right->link->move.session++;
  ask_from(right, LEFT_B); /* in another session than the first */
  assert_int_equal(right->link->move.count, 1);
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(right, LEFT));
  assert_true(row_of(right, LEFT_B)->answer_time != 0);
}

static void request_is_followed_though_its_path_answers_before_the_active_one(void **state) {
  (void)state;
  ask_3_times(right, LEFT_B);
  take_all(right, 'k', LEFT_B);
  pair.now += 10 * MS;
  acknowledge(right, LEFT_B, LEFT_B);
  pair.now += 20 * MS;
  acknowledge(right, LEFT, LEFT);
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(right, LEFT_B));
}

/* ---- announcements ---- */

static void
move_is_announced_8_times_200_to_250_ms_apart_to_a_peer_that_sends_nothing(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  for (unsigned i = 0; i < 40; i++) {
    clear_sent();
    left->link->paths.announcements = SW_ANNOUNCEMENTS;
    left->link->paths.active->probe_at = pair.now;
    stay_young();
    pair_run(&pair, 10 * SW_SECOND);
    assert_string_equal(left->sent, "mmmmmmmm");
    assert_string_equal(right->sent, "aaaaaaaa");
    widen_by_intervals(&intervals, left, 'm', RIGHT);
  }
  assert_in_range(intervals.least, 200 * MS, 205 * MS + 2 * pair.latency);
  assert_in_range(intervals.most, 245 * MS, 250 * MS + 2 * pair.latency);
}

static void announcements_stop_when_the_peer_sends_on_the_path(void **state) {
  (void)state;
  static const enum sw_kind kinds[] = {SW_KIND_PACKET, SW_KIND_PACKET_PARTIAL, SW_KIND_PROBE,
                                       SW_KIND_MOVE};
  for (unsigned i = 0; i < 4; i++) {
    struct pair_datagram datagram;
    clear_sent();
    left->link->paths.announcements = SW_ANNOUNCEMENTS;
    left->link->paths.active->probe_at = pair.now;
    pair_run(&pair, 300 * MS);
    assert_string_equal(left->sent, "mm");
    hear_kind_from(left, RIGHT, SW_KIND_CHECK);
    assert_int_equal(left->link->paths.announcements, SW_ANNOUNCEMENTS - 2);
    pair_seal_kind(right, kinds[i], (const uint8_t *)"12345678", 8, &datagram);
    give_from(left, RIGHT, &datagram);
    assert_int_equal(left->link->paths.announcements, 0);
    pair_run(&pair, 10 * SW_SECOND);
    assert_int_equal(pair_sent(left, 'm'), 2);
  }
}

static void peer_that_sends_on_a_worse_path_is_asked_to_move(void **state) {
  (void)state;
  struct sw_paths *paths = &left->link->paths;
  struct sw_candidate *active = paths->active, *worse = row_of(left, RIGHT_B);
  enum { ASKED, BETTER, SAME, NOT_VALIDATED, LED, TOO_EARLY, NOT_STEADY, CASES };
  for (unsigned i = 0; i < CASES; i++) {
    pair.now += 10 * SW_SECOND;
    active->rank = i == BETTER ? 2 : i == SAME ? SW_RANK_NONE : 0;
    worse->rank = i == SAME ? SW_RANK_NONE : 1;
    worse->answer_time = i == NOT_VALIDATED ? 0 : pair.now;
    active->steady_since = pair.now - SW_RETURN_AFTER + (i == NOT_STEADY);
    active->probe_at = SW_NEVER;
    paths->contest_at = SW_NEVER;
    paths->led = i == LED;
    paths->announcements = 0;
    paths->announce_at = pair.now + (i == TOO_EARLY);
    hear_from(left, RIGHT_B);
    assert_int_equal(paths->announcements, i == ASKED ? SW_ANNOUNCEMENTS : 0);
    assert_int_equal(active->probe_at, i == ASKED ? pair.now : SW_NEVER);
    if (i == ASKED) assert_int_equal(paths->announce_at, pair.now + SW_RETURN_AFTER);
  }
}

static void announcements_end_with_their_path(void **state) {
  (void)state;
  left->link->paths.announcements = SW_ANNOUNCEMENTS;
  left->link->paths.active->probe_at = pair.now;
  ask_3_times(left, RIGHT_B);
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(left, RIGHT_B));
  assert_in_range(sent_to(left, 'm', RIGHT), 1, 5);
  assert_int_equal(sent_to(left, 'm', RIGHT_B), 0);
}

static void return_is_announced_and_failover_is_not(void **state) {
  (void)state;
  cut[RIGHT] = true;
  time_to_move(left, left, RIGHT_B);
  pair_run(&pair, 2 * SW_WATCHED);
  assert_int_equal(pair_sent(left, 'm'), 0);
  cut[RIGHT] = false;
  time_to_move(left, left, RIGHT);
  pair_run(&pair, 5 * SW_SECOND);
  assert_in_range(pair_sent(left, 'm'), 1, SW_ANNOUNCEMENTS);
}

/* ---- back to the former path ---- */

/* An attacker has cut the direct path and relays instead, until the right side has followed. */
static void follow_to_relay(void) {
  cut[LEFT] = true;
  nat = 0;
  struct pair_datagram packet;
  for (unsigned i = 0; i < 100 && !is_on(right, ATTACKER); i++) {
    hear_from(right, ATTACKER);
    pair.now += 10 * MS;
    while (pair_take(right, &packet))
      if (last_of(&packet.to) == ATTACKER) acknowledge(right, ATTACKER, ATTACKER);
  }
  assert_true(is_on(right, ATTACKER));
}

static void former_path_is_taken_again_if_it_answers_within_5_s(void **state) {
  (void)state;
  follow_to_relay();
  const uint64_t followed = pair.now;
  pair.now = followed + 4 * SW_SECOND;
  assert_true(take_all(right, 'k', LEFT) >= 1);
  acknowledge(right, LEFT, LEFT);
  assert_true(is_on(right, LEFT));
}

static void former_path_is_not_taken_again_after_5_s(void **state) {
  (void)state;
  follow_to_relay();
  pair.now = right->link->paths.watched_until - 10 * MS;
  take_all(right, 'k', LEFT);
  pair.now = right->link->paths.watched_until;
  acknowledge(right, LEFT, LEFT);
  assert_true(is_on(right, ATTACKER));
}

static void former_path_is_probed_at_once_and_every_200_to_250_ms_for_5_s(void **state) {
  (void)state;
  struct span intervals = NO_SPAN;
  follow_to_relay();
  const uint64_t until = right->link->paths.watched_until;
  assert_in_range(until - pair.now, SW_WATCHED - 10 * MS, SW_WATCHED);
  uint64_t last = 0;
  unsigned checks = 0;
  for (; pair.now < until + 10 * SW_SECOND; pair.now += MS) {
    struct pair_datagram datagram;
    while (pair_take(right, &datagram)) {
      const char letter = pair_letter(right, &datagram);
      if (last_of(&datagram.to) == ATTACKER) acknowledge(right, ATTACKER, ATTACKER);
      if (letter != 'k' || last_of(&datagram.to) != LEFT) continue;
      if (last && pair.now < until) widen(&intervals, pair.now - last);
      last = pair.now;
      checks++;
    }
  }
  assert_in_range(intervals.least, 200 * MS, 250 * MS);
  assert_in_range(intervals.most, 200 * MS, 250 * MS);
  assert_in_range(checks, 20, 28);
  assert_in_range(last, until - 250 * MS, until + 2 * SW_SECOND);
}

static void former_path_is_watched_though_a_probe_of_the_new_one_is_lost(void **state) {
  (void)state;
  follow_to_relay();
  pair.now = right->link->paths.contest_at;
  sw_link_error(right->link, pair.now, &right->link->paths.active->path.peer, EHOSTUNREACH);
  assert_true(is_in_doubt(right));
  take_all(right, 'p', ATTACKER);
  acknowledge(right, ATTACKER, ATTACKER);
  assert_false(is_in_doubt(right));
  pair.now += SW_CANDIDATE_PROBE;
  assert_true(pair.now < right->link->paths.watched_until);
  assert_int_equal(take_all(right, 'k', LEFT), 1);
}

static void former_path_is_not_watched_after_a_move_to_a_configured_one(void **state) {
  (void)state;
  fail_over();
  assert_int_equal(left->link->paths.watched_until, 0);
  cut[RIGHT] = false;
  pair_run(&pair, 10 * SW_SECOND);
  assert_true(row_of(left, RIGHT)->answer_time + 5 * SW_SECOND >= pair.now);
  assert_true(is_on(left, RIGHT_B));
}

/* The first session was made through a relay: an endpoint, whatever its row, is better if it answers. */
static void endpoint_is_checked_at_once_after_a_session_from_elsewhere(void **state) {
  (void)state;
  static const unsigned places[] = {0, 1, SW_CANDIDATES - 1};
  for (unsigned i = 0; i < 3; i++) {
    pair_stop(&pair);
    pair_start(&pair, 0);
    pair.route = route;
    give_endpoints(right, (const uint8_t[]){LEFT}, 1);
    struct sw_candidate *rows = right->link->paths.rows, endpoint = rows[0];
    rows[0] = (struct sw_candidate){0};
    rows[places[i]] = endpoint;
    nat = NAT;
    pair_flush(&pair);
    assert_true(is_on(right, NAT));
    assert_int_equal(sent_to(right, 'k', LEFT), 1);
    nat = 0;
    acknowledge(right, LEFT, LEFT);
    assert_true(is_on(right, LEFT));
  }
}

/* ---- our own address ---- */

/* A probe of the second path is answered on it. */
static void answer_on_second(void) {
  row_of(left, RIGHT_B)->probe_at = pair.now;
  assert_int_equal(take_all(left, 'k', RIGHT_B), 1);
  acknowledge(left, RIGHT_B, RIGHT_B);
}

static void our_address_is_that_at_which_an_ack_arrives(void **state) {
  (void)state;
  assert_int_equal(sw_link_path(left->link)->local[15], LEFT);
  struct sw_candidate *row = row_of(left, RIGHT_B);
  answer_on_second();
  assert_int_equal(row->path.local[15], LEFT);
  row->probe_at = pair.now;
  take_all(left, 'k', RIGHT_B);
  left->address = pair_address(LEFT_B);
  acknowledge(left, RIGHT_B, RIGHT_B);
  assert_int_equal(row->path.local[15], LEFT_B);
  assert_int_equal(last_of(&row->path.peer), RIGHT_B);
}

static void our_address_is_not_taken_from_an_ack_that_came_from_elsewhere(void **state) {
  (void)state;
  struct sw_candidate *row = row_of(left, RIGHT_B);
  answer_on_second();
  row->probe_at = pair.now;
  take_all(left, 'k', RIGHT_B);
  left->address = pair_address(LEFT_B);
  acknowledge(left, RIGHT_B, STRANGER);
  assert_int_equal(row->path.local[15], LEFT);
}

static void kernel_chooses_our_address_for_every_other_probe_in_doubt(void **state) {
  (void)state;
  struct pair_datagram probe;
  left->address = pair_address(LEFT_B); /* which the kernel chooses now */
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  for (unsigned i = 0; i < SW_DOUBT_PROBES; i++) {
    pair_take_letter(left, 'p', &probe);
    assert_int_equal(last_of(&probe.from), i % 2 ? LEFT_B : LEFT);
    pair.now += SW_SECOND;
  }
}

static void link_stays_up_when_our_address_changes(void **state) {
  (void)state;
  cut[LEFT] = true;
  left->address = pair_address(LEFT_B);
  send_steadily(left, 3 * SW_SECOND);
  assert_int_equal(sw_link_path(left->link)->local[15], LEFT_B);
  assert_int_equal(sw_link_status(left->link)->handshakes, 1);
  assert_true(is_on(right, LEFT_B));
  left->packets = right->packets = 0;
  for (unsigned i = 0; i < 10; i++) {
    pair_send(left);
    pair_send(right);
    pair_run(&pair, 20 * MS);
  }
  assert_int_equal(left->packets, 10);
  assert_int_equal(right->packets, 10);
}

static void same_path_is_not_kept_twice(void **state) {
  (void)state;
  struct pair_datagram packet;
  answer_on_second();
  pair_seal(right, 100, &packet);
  packet.to = pair_address(LEFT_B);
  packet.from = pair_address(RIGHT_B);
  assert_int_equal(pair_give(left, &packet), SW_RECEIVED_PACKET);
  assert_int_equal(rows_of(left), 3); /* observed at another address of ours */
  struct sw_candidate *row = row_of(left, RIGHT_B);
  const uint32_t id = row->id;
  row->probe_at = pair.now;
  take_all(left, 'k', RIGHT_B);
  left->address = pair_address(LEFT_B);
  acknowledge(left, RIGHT_B, RIGHT_B);
  assert_int_equal(rows_of(left), 2);
  assert_int_equal(row_of(left, RIGHT_B)->id, id);
  assert_int_equal(row_of(left, RIGHT_B)->rank, 1);
}

/* ---- the table ---- */

static void full_table_gives_up_the_observed_path_that_was_heard_least_lately(void **state) {
  (void)state;
  for (unsigned i = 1; i < SW_CANDIDATES; i++) { /* one is active */
    pair.now += MS;
    hear_from(right, (uint8_t)(100 + i));
  }
  assert_int_equal(rows_of(right), SW_CANDIDATES);
  pair.now += MS;
  hear_from(right, 101); /* again */
  for (unsigned i = 0; i < 5; i++) {
    pair.now += MS;
    assert_non_null(row_of(right, (uint8_t)(102 + i)));
    hear_from(right, (uint8_t)(200 + i));
    assert_null(row_of(right, (uint8_t)(102 + i)));
    assert_non_null(row_of(right, (uint8_t)(200 + i)));
  }
  assert_non_null(row_of(right, 101));
  assert_non_null(row_of(right, LEFT));
  assert_true(is_on(right, LEFT));
  assert_int_equal(rows_of(right), SW_CANDIDATES);
}

static void full_table_keeps_all_configured_paths_and_the_active_one(void **state) {
  (void)state;
  uint8_t endpoints[SW_ENDPOINTS_MAX];
  for (uint8_t i = 0; i < SW_ENDPOINTS_MAX; i++) endpoints[i] = (uint8_t)(120 + i);
  give_endpoints(left, endpoints, SW_ENDPOINTS_MAX);
  for (unsigned i = 0; i < 3 * SW_CANDIDATES; i++) {
    pair.now += MS;
    hear_from(left, (uint8_t)(180 + i));
    assert_non_null(row_of(left, (uint8_t)(180 + i)));
  }
  for (uint8_t i = 0; i < SW_ENDPOINTS_MAX; i++) {
    assert_non_null(row_of(left, endpoints[i]));
    assert_int_equal(row_of(left, endpoints[i])->rank, i);
  }
  assert_true(is_on(left, RIGHT));
  assert_int_equal(rows_of(left), SW_CANDIDATES);
}

static void ids_of_paths_are_random_and_differ(void **state) {
  (void)state;
  for (unsigned i = 1; i < SW_CANDIDATES; i++) hear_from(right, (uint8_t)(100 + i));
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    for (unsigned j = 0; j < i; j++)
      assert_int_not_equal(right->link->paths.rows[i].id, right->link->paths.rows[j].id);
}

static void former_path_that_is_given_up_is_not_watched(void **state) {
  (void)state;
  follow_to_relay();
  assert_non_null(sw_candidates_find_id(right->link->paths.rows, right->link->paths.former));
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    pair.now += MS;
    hear_from(right, (uint8_t)(100 + i));
  }
  assert_null(row_of(right, LEFT));
  assert_null(sw_candidates_find_id(right->link->paths.rows, right->link->paths.former));
}

/* All rows are candidates, and the active one is in the middle. */
static void fill_table(struct pair_side *side) {
  struct sw_paths *paths = &side->link->paths;
  for (unsigned i = 0; rows_of(side) < SW_CANDIDATES; i++)
    hear_kind_from(side, (uint8_t)(100 + i), SW_KIND_CHECK);
  struct sw_candidate *middle = &paths->rows[SW_CANDIDATES / 2];
  const struct sw_candidate active = *paths->active;
  *paths->active = *middle;
  *middle = active;
  paths->active = middle;
}

static void every_row_takes_part_in_a_doubt(void **state) {
  (void)state;
  fill_table(right);
  struct sw_paths *paths = &right->link->paths;
  take_all(right, 'k', 0);
  pair.now += 2 * SW_SECOND;
  struct pair_datagram packet;
  pair_seal(left, 100, &packet);
  assert_int_equal(give_from(right, 100, &packet), SW_RECEIVED_PACKET); /* a contest */
  assert_true(is_in_doubt(right));
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    assert_int_equal(paths->rows[i].probe_at, pair.now);
    if (&paths->rows[i] != paths->active) paths->rows[i].heard_time = pair.now;
  }
  take_all(right, 'p', LEFT);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) paths->rows[i].probe_at = pair.now;
  acknowledge(right, LEFT, LEFT);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_candidate *row = &paths->rows[i];
    assert_int_equal(row->probe_at, SW_NEVER);
    assert_int_equal(row->contest_at, row == paths->active ? 0 : pair.now + SW_CONTEST_LOST);
  }
}

/* The former path is checked then, but not the others, and what is known of long probes is of it. */
static void every_row_can_be_the_successor(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct pair_datagram datagram;
    if (i == SW_CANDIDATES / 2) continue; /* it is active */
    pair_stop(&pair);
    begin(1, 0);
    fill_table(right);
    struct sw_paths *paths = &right->link->paths;
    struct sw_candidate *row = &paths->rows[i];
    for (unsigned j = 0; j < SW_CANDIDATES; j++) {
      paths->rows[j].probe_at = SW_NEVER;
      paths->rows[j].answer_time = 1;
    }
    row->probe_at = pair.now; /* only it is due */
    assert_int_equal(sw_link_deadline(right->link), pair.now);
    assert_int_equal(take_all(right, 'k', last_of(&row->path.peer)), 1);
    paths->doubt_since = 2;
    paths->doubt_probes = SW_DOUBT_PROBES;
    paths->longest = 5000;
    paths->long_sent = true;
    paths->long_lost = 1;
    paths->doubt_time = pair.now - paths->doubt_since - sw_candidate_ack_time(paths->active);
    row->answer_time = 2; /* the others answered before the doubt */
    paths->active->probe_at = pair.now;
    while (pair_take(right, &datagram)) {
      const bool check = pair_letter(right, &datagram) == 'k';
      assert_int_equal(last_of(&datagram.to), check ? LEFT : last_of(&row->path.peer));
    }
    assert_ptr_equal(paths->active, row);
    assert_false(is_in_doubt(right)); /* because of the probe that was not answered yet */
    assert_true(paths->longest == 0 && !paths->long_sent && paths->long_lost == 0);
  }
}

/* ---- configuration ---- */

static void new_endpoints_keep_what_is_known_of_a_path(void **state) {
  (void)state;
  const struct sw_candidate first = *row_of(left, RIGHT), second = *row_of(left, RIGHT_B);
  assert_int_equal(first.rank, 0);
  assert_int_equal(second.rank, 1);
  give_endpoints(left, (const uint8_t[]){RIGHT_C, RIGHT_B, RIGHT}, 3);
  assert_int_equal(row_of(left, RIGHT_C)->rank, 0);
  assert_int_equal(row_of(left, RIGHT_B)->rank, 1);
  assert_int_equal(row_of(left, RIGHT)->rank, 2);
  assert_int_equal(row_of(left, RIGHT_B)->id, second.id);
  assert_int_equal(row_of(left, RIGHT_B)->answer_time, second.answer_time);
  assert_int_equal(row_of(left, RIGHT)->id, first.id);
  assert_int_equal(row_of(left, RIGHT)->rtt, first.rtt);
  assert_true(is_on(left, RIGHT));
  assert_int_equal(rows_of(left), 3);
}

static void new_endpoints_keep_what_is_known_of_a_path_though_the_table_is_full(void **state) {
  (void)state;
  static const uint8_t endpoints[] = {RIGHT_C, RIGHT_B, RIGHT};
  give_endpoints(left, endpoints + 1, 2);
  take_all(left, 'k', RIGHT_B);
  acknowledge(left, RIGHT_B, RIGHT_B);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    pair.now += MS;
    hear_from(left, (uint8_t)(100 + i));
  }
  assert_int_equal(rows_of(left), SW_CANDIDATES);
  const uint32_t id = row_of(left, RIGHT_B)->id;
  give_endpoints(left, endpoints, 3);
  assert_int_equal(row_of(left, RIGHT_B)->id, id);
}

static void new_endpoints_are_checked_at_once(void **state) {
  (void)state;
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_B, RIGHT_C}, 3);
  pair_flush(&pair);
  assert_int_equal(sent_to(left, 'k', RIGHT_B), 1);
  assert_int_equal(sent_to(left, 'k', RIGHT_C), 1);
  assert_int_equal(left->sent_count, 2);
  pair_run(&pair, 2 * pair.latency);
  assert_int_equal(row_of(left, RIGHT_C)->answer_time, pair.now);
}

static void every_row_can_be_configured(void **state) {
  (void)state;
  fill_table(right);
  struct sw_candidate *rows = right->link->paths.rows, *last = &rows[SW_CANDIDATES - 1];
  const uint8_t endpoints[] = {last_of(&rows[0].path.peer), last_of(&last->path.peer)};
  rows[0].probe_at = last->probe_at = SW_NEVER;
  give_endpoints(right, endpoints, 2);
  assert_int_equal(rows[0].rank, 0);
  assert_int_equal(last->rank, 1);
  assert_int_equal(rows[0].probe_at, pair.now);
  assert_int_equal(last->probe_at, pair.now);
}

static void path_that_is_not_configured_any_more_stays_if_it_is_validated(void **state) {
  (void)state;
  cut[RIGHT_C] = true;
  give_endpoints(left, (const uint8_t[]){RIGHT, RIGHT_B, RIGHT_C}, 3);
  pair_run(&pair, SW_SECOND);
  assert_non_null(row_of(left, RIGHT_C));
  give_endpoints(left, NULL, 0);
  assert_null(row_of(left, RIGHT_C));
  assert_int_equal(row_of(left, RIGHT_B)->rank, SW_RANK_NONE);
  assert_int_equal(row_of(left, RIGHT)->rank, SW_RANK_NONE);
  assert_true(is_on(left, RIGHT));
}

static void endpoint_that_is_given_twice_has_one_path(void **state) {
  (void)state;
  give_endpoints(left, (const uint8_t[]){RIGHT_B, RIGHT, RIGHT_B, RIGHT_C}, 4);
  assert_int_equal(rows_of(left), 3);
  assert_int_equal(row_of(left, RIGHT_B)->rank, 0);
  assert_int_equal(row_of(left, RIGHT)->rank, 1);
  assert_int_equal(row_of(left, RIGHT_C)->rank, 3);
}

static void no_more_than_16_paths_are_configured(void **state) {
  (void)state;
  uint8_t endpoints[SW_ENDPOINTS_MAX + 1];
  for (uint8_t i = 0; i < sizeof(endpoints); i++) endpoints[i] = (uint8_t)(120 + i);
  give_endpoints(left, endpoints, sizeof(endpoints));
  assert_non_null(row_of(left, endpoints[SW_ENDPOINTS_MAX - 1]));
  assert_null(row_of(left, endpoints[SW_ENDPOINTS_MAX]));
}

/* ---- sessions ---- */

/* A new session of the left side is confirmed by datagrams to and from the second address. */
static void confirm_on_second(void) {
  struct pair_datagram init, datagram;
  pair.now = left->link->sessions.current->rekey_at = pair.now + MS;
  pair_take_letter(left, 'i', &init); /* lost */
  do pair.now = sw_link_deadline(left->link);
  while (!pair_take(left, &init) || pair_letter(left, &init) != 'i');
  assert_int_equal(last_of(&init.to), RIGHT_B);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &datagram);
  datagram.from = pair_address(RIGHT_B);
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', &datagram);
  assert_int_equal(last_of(&datagram.to), RIGHT_B);
  pair_give(right, &datagram);
  while (pair_take(right, &datagram)) {
    datagram.from = pair_address(RIGHT_B);
    pair_give(left, &datagram);
  }
}

static void
session_that_is_confirmed_elsewhere_does_not_move_a_link_whose_path_answers(void **state) {
  (void)state;
  confirm_on_second();
  assert_int_equal(sw_link_status(left->link)->handshakes, 2);
  assert_true(is_on(left, RIGHT));
  assert_true(is_in_doubt(left));
  pair_run(&pair, 5 * SW_SECOND);
  assert_true(is_on(left, RIGHT));
  assert_false(is_in_doubt(left));
}

static void session_that_is_confirmed_elsewhere_moves_a_link_whose_path_is_dead(void **state) {
  (void)state;
  cut[RIGHT] = true;
  confirm_on_second();
  pair_run(&pair, SW_SECOND);
  assert_true(is_on(left, RIGHT_B));
}

static void session_that_is_confirmed_elsewhere_moves_a_silent_link_at_once(void **state) {
  (void)state;
  left->link->silent = true;
  confirm_on_second();
  assert_true(is_on(left, RIGHT_B));
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void session_that_is_confirmed_elsewhere_shows_that_its_path_works(void **state) {
  (void)state;
  struct sw_candidate *row = row_of(left, RIGHT_B);
  struct sw_path path = row->path;
  assert_true(sodium_is_zero(path.local, SW_IP_BYTES));
  memcpy(path.local, left->address.ip, SW_IP_BYTES);
  pair.now += 5 * SW_SECOND;
  sw_link_expire(left->link, pair.now); /* tells it the time */
  sw_paths_confirmed(left->link, &path, false);
  assert_int_equal(row->answer_time, pair.now);
  assert_int_equal(row->heard_time, pair.now);
  assert_memory_equal(row->path.local, path.local, SW_IP_BYTES);
  assert_true(is_on(left, RIGHT));
  assert_true(is_in_doubt(left));
  assert_int_equal(left->link->paths.doubt_time, 300 * MS);
}

static void session_that_is_confirmed_on_the_active_path_ends_a_doubt(void **state) {
  (void)state;
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  assert_true(is_in_doubt(left));
  left->link->silent = true;
  const struct sw_path path = left->link->paths.active->path;
  sw_paths_confirmed(left->link, &path, false);
  assert_false(is_in_doubt(left));
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void response_from_elsewhere_makes_no_second_path_to_the_same_address(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair.now = left->link->sessions.current->rekey_at = pair.now + MS;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  assert_int_equal(give_from(left, STRANGER, &datagram), SW_RECEIVED_CONTROL);
  pair_run(&pair, SW_SECOND);
  assert_int_equal(sw_link_status(left->link)->handshakes, 2);
  assert_int_equal(rows_of(left), 1);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, start_one, stop)
#define TWO(test) cmocka_unit_test_setup_teardown(test, start_two, stop)
#define THREE(test) cmocka_unit_test_setup_teardown(test, start_three, stop)

/* ---- what is reported ---- */

static const struct sw_path_status *reported(struct pair_side *side, uint8_t last) {
  const struct sw_link_status *status = sw_link_status(side->link);
  for (unsigned i = 0; i < status->path_count; i++)
    if (last_of(&status->paths[i].path.peer) == last) return &status->paths[i];
  return NULL;
}

static void every_path_is_reported_with_what_its_probes_have_shown(void **state) {
  (void)state;
  const struct sw_path_status *first = reported(left, RIGHT), *second = reported(left, RIGHT_B);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->path_count, 2);
  assert_non_null(first);
  assert_non_null(second);
  assert_true(first->active && first->configured && !second->active && second->configured);
  assert_int_equal(first->rtt, status->rtt);
  assert_int_equal(first->rtt / MS, 20);
  assert_int_equal(first->mtu, status->path_mtu);
  assert_int_equal(second->mtu, 0);
  assert_true(first->probes_sent > 0 && first->probes_lost == 0 && first->answer_time > 0);
  assert_int_equal(sw_link_status(right->link)->paths[0].configured, 0);
  cut[RIGHT] = true;
  pair_send(left);
  pair_run(&pair, 60 * SW_SECOND);
  first = reported(left, RIGHT);
  second = reported(left, RIGHT_B);
  assert_true(!first->active && first->probes_lost > 0);
  assert_true(second->active);
  assert_true(second->probes_lost < first->probes_lost);
  assert_int_equal(second->rtt / MS, 20);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      ONE(observed_path_is_checked_at_once),
      ONE(observed_path_gets_no_more_bytes_than_came_from_it),
      ONE(observed_path_is_checked_several_times_for_a_long_packet),
      ONE(path_is_validated_by_an_ack_from_there),
      ONE(ack_from_elsewhere_stops_checks_of_a_path_that_is_not_validated_for_10_s),
      ONE(path_that_is_not_validated_is_checked_at_most_every_200_ms),
      ONE(paths_that_neither_side_has_validated_are_not_checked_endlessly),
      ONE(ack_from_anywhere_counts_for_a_validated_path),
      ONE(ack_from_anywhere_counts_for_a_configured_path),
      ONE(ack_counts_once),
      ONE(acks_and_closes_from_elsewhere_make_no_candidate),
      ONE(datagram_that_was_overtaken_makes_no_candidate),
      ONE(datagram_of_a_former_session_makes_no_candidate),
      ONE(probe_on_the_active_path_is_acked_there),
      ONE(probe_from_an_unknown_address_is_acked_on_the_active_path_only),
      ONE(probe_on_a_validated_path_is_acked_there_and_on_the_active_one),
      ONE(probe_from_a_configured_address_is_acked_there_and_on_the_active_path),
      ONE(copies_from_elsewhere_do_not_move_a_link_whose_path_answers),
      ONE(packets_from_elsewhere_begin_a_contest_once_a_second),
      ONE(ack_without_a_doubt_does_not_defer_contests),
      ONE(address_that_lost_a_contest_begins_another_after_10_s),
      ONE(address_that_lost_a_contest_waits_to_the_nanosecond),
      ONE(kinds_that_are_sent_on_the_active_path_begin_a_contest),
      ONE(peer_whose_address_changes_is_followed_within_half_a_second),
      ONE(idle_peer_whose_address_changes_is_followed_with_its_next_probe),
      ONE(address_that_does_not_answer_is_not_followed),
      ONE(path_is_dead_after_8_unanswered_probes_and_not_before),
      ONE(ack_of_any_probe_keeps_a_path),
      ONE(acks_have_as_long_as_they_are_known_to_take),
      ONE(probe_is_lost_after_300_ms_to_1_s_as_acks_are_known_to_take),
      ONE(round_trip_time_and_its_deviation_follow_rfc_6298),
      ONE(probes_in_doubt_are_101_to_125_ms_apart),
      ONE(reported_error_puts_the_active_path_in_doubt_once_a_second),
      ONE(error_of_another_address_is_no_doubt),
      TWO(link_fails_over_to_the_second_endpoint_within_3_s_without_a_handshake),
      TWO(two_paths_that_work_are_not_taken_in_turn),
      TWO(nothing_but_the_active_path_is_used_while_it_answers),
      TWO(candidates_are_probed_every_200_to_250_ms_in_doubt),
      TWO(candidate_that_answers_in_doubt_is_probed_again),
      THREE(successor_has_the_lowest_rank),
      THREE(successor_answers),
      THREE(successor_is_one_that_the_peer_sends_on_rather_than_one_of_lower_rank),
      THREE(packet_that_begins_a_contest_counts_in_it),
      THREE(what_was_heard_before_the_doubt_does_not_count),
      TWO(configured_successor_is_better_than_an_observed_one),
      TWO(candidates_are_probed_at_the_interval_of_keepalives),
      ONE(observed_path_is_not_probed_at_the_interval_of_keepalives),
      TWO(idle_link_without_keepalives_never_probes),
      TWO(keepalives_that_end_do_not_end_a_doubt),
      ONE(keepalives_begin_with_the_first_path),
      ONE(keepalive_interval_is_not_longer_than_asked_for_on_a_long_path),
      ONE(candidate_that_does_not_answer_at_first_is_tried_3_times),
      TWO(candidate_that_did_not_answer_is_tried_3_times_after_a_doubt_too),
      TWO(silent_link_is_up_with_the_ack_of_a_candidate),
      TWO(silent_link_takes_the_first_path_that_answers),
      TWO(link_returns_to_a_better_path_after_it_answered_for_30_s),
      TWO(better_path_that_loses_a_probe_has_to_answer_for_another_30_s),
      TWO(better_path_is_taken_when_it_has_answered_for_30_s_to_the_nanosecond),
      TWO(better_path_is_probed_every_1600_to_2000_ms),
      TWO(better_path_that_does_not_answer_is_probed_every_1600_to_2000_ms),
      TWO(worse_path_is_not_taken_however_long_it_answers),
      ONE(request_to_move_is_followed_after_half_a_second),
      ONE(request_waits_to_the_nanosecond),
      ONE(request_is_forgotten_after_2_s_when_its_path_does_not_answer),
      ONE(three_requests_to_move_are_needed),
      ONE(copy_of_any_of_the_requests_prevents_a_move),
      ONE(packet_from_elsewhere_is_no_request_to_move),
      ONE(request_that_arrives_from_two_addresses_is_not_followed),
      ONE(repeats_of_other_datagrams_do_not_prevent_a_move),
      ONE(request_of_another_session_with_the_same_word_does_not_prevent_a_move),
      ONE(request_is_not_followed_to_an_address_that_does_not_answer),
      ONE(request_is_not_followed_to_an_address_that_answers_no_more),
      ONE(side_that_has_endpoints_is_not_asked_to_another_address),
      TWO(side_that_has_endpoints_is_asked_to_one_of_them),
      TWO(link_that_was_asked_to_move_does_not_return_by_itself),
      THREE(first_request_within_2_s_counts),
      ONE(path_of_a_request_is_checked_at_once_if_it_is_validated),
      ONE(eight_requests_are_remembered),
      ONE(requests_from_other_addresses_do_not_count),
      ONE(request_is_followed_though_its_path_answers_before_the_active_one),
      ONE(move_is_announced_8_times_200_to_250_ms_apart_to_a_peer_that_sends_nothing),
      ONE(announcements_stop_when_the_peer_sends_on_the_path),
      TWO(peer_that_sends_on_a_worse_path_is_asked_to_move),
      TWO(announcements_end_with_their_path),
      TWO(return_is_announced_and_failover_is_not),
      ONE(former_path_is_taken_again_if_it_answers_within_5_s),
      ONE(former_path_is_not_taken_again_after_5_s),
      ONE(former_path_is_probed_at_once_and_every_200_to_250_ms_for_5_s),
      ONE(former_path_is_watched_though_a_probe_of_the_new_one_is_lost),
      ONE(endpoint_is_checked_at_once_after_a_session_from_elsewhere),
      TWO(former_path_is_not_watched_after_a_move_to_a_configured_one),
      TWO(our_address_is_that_at_which_an_ack_arrives),
      TWO(our_address_is_not_taken_from_an_ack_that_came_from_elsewhere),
      ONE(kernel_chooses_our_address_for_every_other_probe_in_doubt),
      ONE(link_stays_up_when_our_address_changes),
      TWO(same_path_is_not_kept_twice),
      ONE(full_table_gives_up_the_observed_path_that_was_heard_least_lately),
      ONE(full_table_keeps_all_configured_paths_and_the_active_one),
      ONE(ids_of_paths_are_random_and_differ),
      ONE(former_path_that_is_given_up_is_not_watched),
      ONE(every_row_takes_part_in_a_doubt),
      ONE(every_row_can_be_the_successor),
      TWO(new_endpoints_keep_what_is_known_of_a_path),
      ONE(new_endpoints_keep_what_is_known_of_a_path_though_the_table_is_full),
      ONE(new_endpoints_are_checked_at_once),
      ONE(every_row_can_be_configured),
      ONE(path_that_is_not_configured_any_more_stays_if_it_is_validated),
      ONE(endpoint_that_is_given_twice_has_one_path),
      ONE(no_more_than_16_paths_are_configured),
      TWO(session_that_is_confirmed_elsewhere_does_not_move_a_link_whose_path_answers),
      TWO(session_that_is_confirmed_elsewhere_moves_a_link_whose_path_is_dead),
      TWO(session_that_is_confirmed_elsewhere_moves_a_silent_link_at_once),
      TWO(session_that_is_confirmed_elsewhere_shows_that_its_path_works),
      TWO(session_that_is_confirmed_on_the_active_path_ends_a_doubt),
      ONE(response_from_elsewhere_makes_no_second_path_to_the_same_address),
      TWO(every_path_is_reported_with_what_its_probes_have_shown),
  };
  return cmocka_run_group_tests_name("paths", tests, start_sodium, NULL);
}

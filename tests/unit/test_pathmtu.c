/* How a link finds the longest packet that its path carries. */
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
#define PROBES_MAX 64

/* The last bytes of addresses. */
enum { RIGHT = 2, RIGHT_B = 12, STRANGER = 99 };

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;

/* ---- the wire ---- */

static uint32_t limit;   /* longer packets of the left side are lost */
static uint32_t limit_b; /* also on the way to the second address */
static bool once;        /* the first probe of each size is lost */
static bool cut; /* so is all that comes from the right side's first address or goes there */

static struct {
  uint32_t size;
  uint64_t at;
} probes[PROBES_MAX]; /* that the left side has sent */
static unsigned probe_count;

static unsigned probes_of(uint32_t size) {
  unsigned count = 0;
  for (unsigned i = 0; i < probe_count; i++) count += probes[i].size == size;
  return count;
}

static struct pair_side *route(struct pair_side *sender, struct pair_datagram *datagram) {
  const uint32_t size = (uint32_t)datagram->length - SW_OVERHEAD;
  if (cut && (datagram->to.ip[15] == RIGHT || datagram->from.ip[15] == RIGHT)) return NULL;
  if (sender == right) return left;
  const bool probe = size >= SW_MTU_LEAST && pair_letter(left, datagram) == 'k';
  if (probe) {
    assert_true(probe_count < PROBES_MAX);
    probes[probe_count].size = size;
    probes[probe_count++].at = pair.now;
  }
  if (size > (datagram->to.ip[15] == RIGHT_B ? limit_b : limit)) return NULL;
  return probe && once && probes_of(size) == 1 ? NULL : right;
}

/* ---- set-ups ---- */

static struct sw_pathmtu *search(void) {
  return &left->link->pathmtu;
}

static uint32_t path_mtu(void) {
  return sw_link_status(left->link)->path_mtu;
}

static bool fragments(void) {
  return sw_link_status(left->link)->fragments;
}

static void clear_probes(void) {
  probe_count = 0;
}

/* Keeps the sessions from being renewed and from expiring. */
static void stay_young(void) {
  left->link->sessions.current->created = right->link->sessions.current->created = pair.now;
  left->link->sessions.current->rekey_at = right->link->sessions.current->rekey_at = SW_NEVER;
}

static void run_for_long(uint64_t duration) {
  for (const uint64_t end = pair.now + duration; pair.now < end;) {
    stay_young();
    pair_run(&pair, end - pair.now < 10 * SW_SECOND ? end - pair.now : 10 * SW_SECOND);
  }
}

/* Runs until the search has ended. */
static void finish(void) {
  const uint64_t begun = pair.now;
  while (search()->id) {
    assert_true(pair.now - begun < 60 * SW_SECOND);
    pair_run(&pair, 10 * MS);
  }
}

/* The left side begins a search, as on a path that becomes active. */
static void begin(uint32_t known) {
  sw_link_expire(left->link, pair.now); /* tells it the time */
  sw_pathmtu_begin(left->link, known);
}

/* A router reports that datagrams are too long. */
static void hint(void) {
  sw_link_error(left->link, pair.now, &right->address, EMSGSIZE);
}

/* It searches, and the result is there. */
static void find(uint32_t most) {
  limit = most;
  clear_probes();
  stay_young();
  begin(0);
  finish();
}

static int start(void **state) {
  (void)state;
  limit = limit_b = SW_MTU_MOST;
  once = cut = false;
  pair_start(&pair, 0);
  pair.latency = 10 * MS;
  pair.searches = true;
  pair.route = route;
  const struct sw_address endpoints[] = {pair_address(RIGHT), pair_address(RIGHT_B)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  sw_link_mtu_set(left->link, pair.now, 0);
  pair_connect(&pair);
  pair_run(&pair, 8 * SW_SECOND);
  stay_young();
  clear_probes();
  assert_int_equal(search()->id, 0);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* ---- by hand: instead of the wire and the kernel ---- */

/* The next probe of the left side; 0: there is none now. */
static uint32_t take(void) {
  struct pair_datagram datagram;
  if (!pair_take(left, &datagram)) return 0;
  assert_int_equal(pair_letter(left, &datagram), 'k');
  return (uint32_t)datagram.length - SW_OVERHEAD;
}

static void assert_taken(const uint32_t *sizes) {
  for (; *sizes; sizes++) assert_int_equal(take(), *sizes);
  assert_int_equal(take(), 0);
}
#define ASSERT_TAKEN(...) assert_taken((const uint32_t[]){__VA_ARGS__ __VA_OPT__(, ) 0})

static void acknowledge_token(uint64_t token) {
  struct pair_datagram ack;
  uint8_t plain[SW_PROBE_BYTES];
  sw_store64(plain, token);
  pair_seal_kind(right, SW_KIND_PROBE_ACK, plain, sizeof(plain), &ack);
  assert_int_equal(pair_give(left, &ack), SW_RECEIVED_CONTROL);
}

static void acknowledge(uint32_t size) {
  acknowledge_token((uint64_t)search()->id << 32 | size);
}

/* The kernel refuses a datagram; returns whether it was a probe. */
static bool refuse(uint32_t size) {
  return sw_link_too_long(left->link, pair.now, size + SW_OVERHEAD);
}

static void begin_by_hand(void) {
  begin(0);
  ASSERT_TAKEN(1280, 1376, 1440, 4064, 8928);
}

/* ---- results ---- */

static uint32_t expected(uint32_t most) {
  if (most >= SW_MTU_MOST) return SW_MTU_MOST;
  const uint32_t whole = most - (most - 32) % 64;
  return whole > 1280 ? whole : 1280;
}

/* All near the sizes of whole blocks, and some others. */
static bool is_tried(uint32_t most) {
  const uint32_t beyond = (most - 32 + 1) % 64;
  return beyond <= 2 || most % 13 == 0;
}

static void result_is_the_largest_size_of_whole_blocks_that_passes(void **state) {
  (void)state;
  for (uint32_t most = 1308; most <= 9100; most++) {
    if (!is_tried(most)) continue;
    find(most);
    if (path_mtu() != expected(most)) fail_msg("limit %u: found %u", most, path_mtu());
    assert_false(fragments());
  }
}

static void least_result_is_1280(void **state) {
  (void)state;
  for (uint32_t most = 1280; most < 1312; most++) {
    find(most);
    assert_int_equal(path_mtu(), 1280);
    assert_false(fragments());
  }
}

static void result_of_a_path_without_a_limit_is_there_after_one_round_trip(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(path_mtu(), 1280);
  pair_run(&pair, 2 * pair.latency);
  assert_int_equal(path_mtu(), 8928);
  assert_int_equal(search()->id, 0);
  assert_int_equal(probe_count, 5);
  for (unsigned i = 0; i < 5; i++) assert_int_equal(probes[i].at, probes[0].at);
}

static void search_begins_when_the_link_comes_up(void **state) {
  stop(state);
  pair_start(&pair, 0);
  pair.searches = true;
  sw_link_mtu_set(left->link, pair.now, 0);
  assert_int_equal(path_mtu(), 1280);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(path_mtu(), 8928);
  assert_int_equal(sw_link_status(right->link)->path_mtu, PAIR_MTU);
}

static void largest_answer_counts_at_once(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1376);
  assert_int_equal(path_mtu(), 1376);
  acknowledge(1280);
  assert_int_equal(path_mtu(), 1376);
  acknowledge(4064);
  assert_int_equal(path_mtu(), 4064);
  acknowledge(1440);
  assert_int_equal(path_mtu(), 4064);
  assert_int_not_equal(search()->id, 0);
}

static void former_result_counts_until_a_round_has_ended(void **state) {
  (void)state;
  begin(8928);
  ASSERT_TAKEN(1280, 1376, 1440, 4064, 8928);
  acknowledge(1440);
  assert_int_equal(path_mtu(), 8928);
  refuse(4064);
  assert_int_equal(path_mtu(), 1440);
  assert_int_not_equal(search()->id, 0);
}

/* ---- rounds ---- */

static void lost_probe_is_repeated_once(void **state) {
  (void)state;
  once = true;
  find(SW_MTU_MOST);
  assert_int_equal(path_mtu(), 8928);
  assert_int_equal(probe_count, 10);
  for (unsigned i = 0; i < 5; i++) {
    assert_int_equal(probes[5 + i].size, probes[i].size);
    assert_int_equal(probes[5 + i].at - probes[i].at, 300 * MS); /* the least time for an ack */
  }
}

static void size_is_too_large_when_two_probes_of_it_are_lost(void **state) {
  (void)state;
  find(1444);
  assert_int_equal(path_mtu(), 1440);
  for (unsigned i = 0; i < probe_count; i++)
    assert_int_equal(probes_of(probes[i].size), probes[i].size > 1444 ? 2 : 1);
  /* a round without an answer takes 600 ms */
  for (unsigned i = 1; i < probe_count; i++)
    assert_in_range(probes[i].at - probes[i - 1].at, 0, 300 * MS);
}

static void answer_to_the_repeated_probe_counts(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(4064);
  pair.now += 300 * MS;
  ASSERT_TAKEN(8928);
  pair.now += 300 * MS - 1;
  ASSERT_TAKEN();
  acknowledge(8928);
  assert_int_equal(path_mtu(), 8928);
  assert_int_equal(search()->id, 0);
}

static void late_answer_of_an_earlier_round_counts(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1440);
  pair.now += 300 * MS;
  ASSERT_TAKEN(4064, 8928);
  pair.now += 300 * MS;
  ASSERT_TAKEN(2080, 2720, 3360);
  acknowledge(8928);
  assert_int_equal(path_mtu(), 8928);
  assert_int_equal(search()->id, 0);
  ASSERT_TAKEN();
}

static void next_round_begins_when_all_sizes_have_a_result(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1440);
  assert_true(refuse(4064));
  ASSERT_TAKEN(2080, 2720, 3360);
  acknowledge(2720);
  pair.now += 300 * MS;
  ASSERT_TAKEN(3360);
  acknowledge(3360);
  ASSERT_TAKEN(3488, 3680, 3872);
}

static void sizes_below_a_late_answer_are_not_sent_again(void **state) {
  (void)state;
  begin_by_hand();
  pair.now += 300 * MS;
  assert_int_equal(take(), 1280);
  acknowledge(1440);
  ASSERT_TAKEN(4064, 8928);
}

static void refused_size_and_those_above_it_are_not_sent_again(void **state) {
  (void)state;
  begin_by_hand();
  assert_true(refuse(4064));
  pair.now += 300 * MS;
  ASSERT_TAKEN(1280, 1376, 1440);
}

static void sizes_below_a_refused_one_are_still_sent(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(take(), 1280);
  assert_false(refuse(4064)); /* data */
  ASSERT_TAKEN(1376, 1440);
}

/* The peer chooses what an ack says. */
static void ack_of_a_size_that_was_not_sent_means_nothing(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(0);
  acknowledge(1);
  acknowledge(1279);
  acknowledge(8000);
  assert_int_equal(search()->passed, 0);
  assert_int_equal(path_mtu(), 1280);
  acknowledge(1440);
  assert_int_equal(path_mtu(), 1440);
  acknowledge(1500);
  assert_int_equal(path_mtu(), 1440);
}

/* Between its limits no quarter is one of whole blocks. */
static void last_size_below_the_upper_limit_is_tried(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1440);
  refuse(4064);
  ASSERT_TAKEN(2080, 2720, 3360);
  acknowledge(2080);
  refuse(2145); /* data */
  ASSERT_TAKEN(2144);
  acknowledge(2144);
  assert_int_equal(search()->id, 0);
  assert_int_equal(path_mtu(), 2144);
}

/* Runs the search that has begun: the kernel refuses datagrams longer than the limit, and the others
 * are acknowledged. */
static void search_on_interface(uint32_t most) {
  uint32_t taken[8];
  const uint32_t id = search()->id;
  for (unsigned round = 0; search()->id; round++) {
    unsigned count = 0;
    assert_true(round < 10);
    while ((taken[count] = take())) assert_true(++count < 8);
    if (!count) fail_msg("limit %u: waits", most);
    for (unsigned i = 0; i < count; i++) {
      if (taken[i] <= most) continue;
      if (!refuse(taken[i])) fail_msg("limit %u: a probe of %u is no probe", most, taken[i]);
    }
    for (unsigned i = 0; i < count; i++)
      if (taken[i] <= most) acknowledge_token((uint64_t)id << 32 | taken[i]);
    if (search()->id && search()->id != id) fail_msg("limit %u: a second search", most);
  }
}

static void limit_of_the_interface_is_found_without_waiting(void **state) {
  (void)state;
  for (uint32_t most = 1280; most <= 9100; most++) {
    if (!is_tried(most)) continue;
    stay_young();
    begin(0);
    search_on_interface(most);
    if (path_mtu() != expected(most)) fail_msg("limit %u: found %u", most, path_mtu());
    assert_false(fragments());
  }
}

static void limit_of_the_interface_that_became_smaller_is_found_without_waiting(void **state) {
  (void)state;
  for (uint32_t most = 1280; most < SW_MTU_MOST; most++) {
    if (!is_tried(most)) continue;
    pair.now += SW_MTU_HINTS;
    stay_young();
    find(SW_MTU_MOST);
    assert_false(refuse(SW_MTU_MOST)); /* it is data */
    search_on_interface(most);
    if (path_mtu() != expected(most)) fail_msg("limit %u: found %u", most, path_mtu());
  }
}

static void interface_that_takes_nothing_needs_fragments(void **state) {
  (void)state;
  begin(0);
  search_on_interface(1279);
  assert_int_equal(path_mtu(), 1280);
  assert_true(fragments());
}

/* ---- fragments ---- */

static void fragments_are_needed_when_1280_does_not_pass(void **state) {
  (void)state;
  find(1279);
  assert_true(fragments());
  assert_int_equal(path_mtu(), 1280);
  assert_int_equal(probe_count, 20); /* once more after a short probe was answered */
  limit = SW_MTU_MOST;
  run_for_long(SW_MTU_AGAIN + SW_SECOND);
  assert_false(fragments());
  assert_int_equal(path_mtu(), 8928);
}

static void data_that_is_refused_below_what_passed_is_an_upper_limit_too(void **state) {
  (void)state;
  begin(0);
  pair_run(&pair, 2 * pair.latency);
  assert_true(path_mtu() > 1400);
  search()->id = 1; /* a search upwards is under way */
  search()->passed = path_mtu();
  assert_false(sw_link_too_long(left->link, pair.now, 1400 + SW_OVERHEAD));
  assert_in_range(search()->failed, 1, 1400);
  limit = 1399;
  finish();
  assert_int_equal(path_mtu(), 1376);
}

static void outage_during_a_search_is_no_result(void **state) {
  (void)state;
  cut = true;
  begin(0);
  pair_run(&pair, 3 * SW_SECOND);
  cut = false;
  finish();
  assert_false(fragments());
  assert_int_equal(path_mtu(), 8928);
}

static void round_is_repeated_a_second_later_while_nothing_passes(void **state) {
  (void)state;
  limit = limit_b = 0;
  begin(0);
  pair_run(&pair, 3 * SW_SECOND);
  assert_int_equal(probes_of(SW_MTU_MOST), 4); /* two in each round, 300 ms apart */
}

static void answer_as_the_search_begins_shows_that_the_path_works(void **state) {
  (void)state;
  limit = SW_MTU_LEAST - 1;
  begin(0);
  left->link->paths.active->answer_time = pair.now;
  pair_run(&pair, 2 * SW_PROBE_WAIT_LEAST);
  assert_true(fragments());
}

static void fragments_are_needed_until_a_probe_has_passed(void **state) {
  (void)state;
  find(1279);
  limit = SW_MTU_MOST;
  pair.now += SW_MTU_HINTS;
  hint();
  pair_run(&pair, pair.latency);
  assert_true(fragments());
  pair_run(&pair, pair.latency);
  assert_false(fragments());
}

static void new_path_needs_no_fragments_at_first(void **state) {
  (void)state;
  find(1279);
  assert_true(fragments());
  begin(0);
  assert_false(fragments());
}

/* ---- again ---- */

static void search_is_repeated_after_8_to_10_minutes(void **state) {
  (void)state;
  uint64_t least = UINT64_MAX, most = 0;
  for (unsigned i = 0; i < 300; i++) {
    stay_young();
    find(SW_MTU_MOST);
    const uint64_t wait = search()->at - pair.now;
    if (wait < least) least = wait;
    if (wait > most) most = wait;
  }
  assert_in_range(least, 479 * SW_SECOND, 485 * SW_SECOND);
  assert_in_range(most, 595 * SW_SECOND, 600 * SW_SECOND);
}

static void search_that_is_repeated_goes_upwards_only(void **state) {
  (void)state;
  find(1500);
  assert_int_equal(path_mtu(), 1440);
  clear_probes();
  run_for_long(8 * 60 * SW_SECOND - 2 * SW_SECOND);
  assert_int_equal(probe_count, 0);
  limit = 1300; /* which long probes notice, if there are packets */
  run_for_long(2 * 60 * SW_SECOND + 10 * SW_SECOND);
  assert_true(probe_count > 0);
  for (unsigned i = 0; i < probe_count; i++) assert_true(probes[i].size > 1440);
  assert_int_equal(path_mtu(), 1440);
  limit = 5000;
  clear_probes();
  run_for_long(SW_MTU_AGAIN + 10 * SW_SECOND);
  assert_int_equal(path_mtu(), expected(5000));
  for (unsigned i = 0; i < probe_count; i++) assert_true(probes[i].size > 1440);
}

static void largest_result_is_not_searched_again(void **state) {
  (void)state;
  find(SW_MTU_MOST);
  clear_probes();
  run_for_long(3 * SW_MTU_AGAIN);
  assert_int_equal(probe_count, 0);
  assert_int_equal(path_mtu(), 8928);
  assert_in_range(search()->at, pair.now, pair.now + SW_MTU_AGAIN);
}

/* ---- hints ---- */

static void report_of_icmp_starts_a_search_downwards(void **state) {
  (void)state;
  find(SW_MTU_MOST);
  clear_probes();
  limit = 1500;
  hint();
  assert_int_equal(path_mtu(), 8928); /* it may be forged */
  finish();
  assert_int_equal(path_mtu(), 1440);
  assert_int_equal(probes[0].size, 1280);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].error, 0);
  assert_int_equal(left->link->paths.doubt_since, 0);
}

static void report_about_another_address_starts_no_search(void **state) {
  (void)state;
  const struct sw_address stranger = pair_address(STRANGER);
  sw_link_error(left->link, pair.now, &stranger, EMSGSIZE);
  assert_int_equal(search()->id, 0);
}

static void hints_start_a_search_a_second_at_most(void **state) {
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    hint();
    assert_int_not_equal(search()->id, 0);
    const uint64_t begun = pair.now;
    finish();
    pair_run(&pair, begun + SW_MTU_HINTS - 1 - pair.now);
    const uint64_t probe_at = left->link->paths.active->probe_at;
    hint();
    assert_int_equal(search()->id, 0);
    assert_int_equal(left->link->paths.active->probe_at, probe_at);
    pair_run(&pair, 1);
  }
}

/* Although packets are long, so that the first probe is lost, the path has answered by then. */
static void one_round_after_a_report_tells_that_fragments_are_needed(void **state) {
  (void)state;
  find(SW_MTU_MOST);
  pair_run(&pair, 3 * SW_SECOND);
  sw_link_expire(left->link, pair.now); /* tells it the time */
  sw_paths_used(left->link, 1440);
  limit = SW_MTU_LEAST - 1;
  const uint64_t begun = pair.now;
  hint();
  finish();
  assert_true(fragments());
  assert_in_range(pair.now - begun, 2 * SW_PROBE_WAIT_LEAST, 2 * SW_PROBE_WAIT_LEAST + 20 * MS);
}

static void probe_under_way_is_not_taken_for_lost_because_of_a_report(void **state) {
  (void)state;
  const uint64_t lost = sw_link_status(left->link)->probes_lost;
  sw_paths_used(left->link, 1440);
  while (!left->link->paths.active->unanswered) pair_run(&pair, MS);
  hint();
  finish();
  assert_int_equal(sw_link_status(left->link)->probes_lost, lost);
}

static void hint_does_not_restart_a_search(void **state) {
  (void)state;
  begin_by_hand();
  const uint32_t id = search()->id;
  pair.now += 2 * SW_MTU_HINTS;
  hint();
  assert_int_equal(search()->id, id);
  acknowledge(8928);
  assert_int_equal(path_mtu(), 8928);
  hint(); /* it was ignored, and is not counted */
  assert_int_not_equal(search()->id, 0);
}

static void report_to_a_link_that_is_down_starts_no_search(void **state) {
  stop(state);
  pair_start(&pair, 0);
  sw_link_mtu_set(left->link, pair.now, 0);
  hint();
  assert_false(refuse(1400));
  assert_int_equal(search()->id, 0);
}

/* ---- refused data ---- */

static void refused_data_starts_a_search_for_something_shorter(void **state) {
  (void)state;
  assert_false(refuse(1445));
  ASSERT_TAKEN(1280, 1376, 1440);
  acknowledge(1440);
  assert_int_equal(search()->id, 0);
  assert_int_equal(path_mtu(), 1440);
}

/* Also if it is as long as one of the sizes: the interface has the MTU that was found. */
static void refused_data_is_no_probe(void **state) {
  (void)state;
  static const uint32_t sizes[] = {1280, 1376, 1440, 4064, 8928};
  for (unsigned i = 0; i < 5; i++) {
    pair.now += SW_MTU_HINTS;
    find(SW_MTU_MOST);
    assert_false(refuse(sizes[i]));
    for (uint32_t size; (size = take());) acknowledge(size);
    finish();
  }
}

static void data_that_is_refused_during_a_search_is_an_upper_limit(void **state) {
  (void)state;
  begin_by_hand();
  refuse(5000);
  assert_true(search()->id != 0);
  acknowledge(4064);
  ASSERT_TAKEN(4256, 4512, 4704);
  assert_false(refuse(5000));
  assert_false(refuse(9500));
  acknowledge(4704);
  assert_int_equal(path_mtu(), 4704);
  ASSERT_TAKEN(4768, 4832, 4896);
}

static void refused_data_above_all_sizes_of_a_round_leaves_them(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(4064);
  refuse(8928);
  refuse(8000);
  ASSERT_TAKEN(5280, 6496, 7712);
}

static void size_that_is_refused_after_it_passed_begins_the_search_anew(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1440);
  assert_false(refuse(1440)); /* data */
  ASSERT_TAKEN(1280, 1376);
  refuse(1280);
  assert_int_equal(search()->id, 0);
  assert_true(fragments());
}

static void datagram_without_data_is_not_too_long(void **state) {
  (void)state;
  for (size_t length = 0; length <= SW_OVERHEAD; length++)
    assert_false(sw_link_too_long(left->link, pair.now, length));
  assert_int_equal(search()->id, 0);
  assert_false(refuse(1));
  assert_int_equal(search()->failed, 1);
}

/* ---- paths ---- */

static void move_to(uint8_t last) {
  for (unsigned i = 0; left->link->paths.active->path.peer.ip[15] != last; i++) {
    assert_true(i < 10000);
    pair_send(left);
    pair_run(&pair, 10 * MS);
    stay_young();
  }
}

static void each_path_has_its_own_result(void **state) {
  (void)state;
  limit_b = 1400;
  find(5000);
  assert_int_equal(path_mtu(), expected(5000));
  clear_probes();
  cut = true;
  move_to(RIGHT_B);
  assert_int_equal(path_mtu(), 1280);
  finish();
  assert_int_equal(path_mtu(), 1376);
  cut = false;
  limit = 3000;
  clear_probes();
  move_to(RIGHT);
  assert_int_equal(path_mtu(), expected(5000)); /* as far as is known */
  assert_int_not_equal(search()->id, 0);
  finish();
  assert_int_equal(path_mtu(), expected(3000));
  assert_int_equal(left->link->paths.active->path.peer.ip[15], RIGHT);
}

static void answer_to_a_probe_of_the_former_path_does_not_count(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1440); /* nor do results */
  const uint32_t former = search()->id;
  begin(0);
  assert_int_not_equal(search()->id, former);
  ASSERT_TAKEN(1280, 1376, 1440, 4064, 8928);
  acknowledge_token((uint64_t)former << 32 | 8928);
  assert_int_equal(path_mtu(), 1280);
}

/* ---- long probes ---- */

/* Sends a packet of `length` bytes over the wire, and what is due in the second after it. */
static void send_long(size_t length) {
  struct pair_datagram datagram;
  pair_seal(left, length, &datagram);
  if (length <= limit) pair_fly(right, &datagram);
  pair_run(&pair, SW_SECOND);
}

static void probes_are_as_long_as_the_longest_packet_since(void **state) {
  (void)state;
  struct pair_datagram datagram;
  static const size_t lengths[] = {SW_PROBE_MAX, SW_PROBE_MAX + 1, 1000, 1440, 8928};
  for (unsigned i = 0; i < 5; i++) {
    pair_seal(left, 60, &datagram);
    pair_seal(left, lengths[i], &datagram);
    pair_seal(left, lengths[i] - 1, &datagram);
    pair.now += SW_SECOND;
    pair_take_letter(left, 'p', &datagram);
    assert_int_equal(left->link->paths.long_sent, i > 0);
    if (i > 0) assert_int_equal(datagram.length, lengths[i] + SW_OVERHEAD);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
    pair_take_letter(right, 'a', &datagram);
    assert_true(datagram.length <= SW_PROBE_MAX + SW_OVERHEAD);
    pair_give(left, &datagram);
    /* then they are short again */
    left->link->paths.active->probe_at = pair.now;
    pair_take_letter(left, 'p', &datagram);
    assert_true(datagram.length <= SW_PROBE_MAX + SW_OVERHEAD);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
    pair_take_letter(right, 'a', &datagram);
    pair_give(left, &datagram);
    assert_int_equal(left->link->paths.long_lost, 0); /* the long one is not lost */
  }
}

static void path_that_stops_carrying_long_packets_is_searched(void **state) {
  (void)state;
  find(SW_MTU_MOST);
  clear_probes();
  limit = 1500;
  for (unsigned i = 0; i < 5 && path_mtu() == 8928; i++) send_long(8000);
  finish();
  assert_int_equal(path_mtu(), 1440);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

/* Of the left side, which is long; it is lost, and the next, short one is answered. */
static void lose_long_probe(void) {
  struct pair_datagram datagram;
  pair_take_letter(left, 'p', &datagram);
  assert_int_equal(datagram.length, 5000 + SW_OVERHEAD);
  pair.now += 300 * MS;
  pair_take_letter(left, 'p', &datagram);
  assert_true(datagram.length <= SW_PROBE_MAX + SW_OVERHEAD);
  while (pair_take(left, &datagram)) continue; /* checks of the other path */
  const struct sw_candidate *row = left->link->paths.active;
  acknowledge_token((uint64_t)row->id << 32 | (row->next - 1));
  assert_int_equal(left->link->paths.doubt_since, 0);
}

static void send_5000(void) {
  struct pair_datagram datagram;
  pair_seal(left, 5000, &datagram);
  pair.now += SW_SECOND;
}

static void two_long_probes_that_are_lost_in_a_row_start_a_search(void **state) {
  (void)state;
  send_5000();
  lose_long_probe();
  assert_int_equal(search()->id, 0);
  lose_long_probe(); /* at once */
  assert_int_not_equal(search()->id, 0);
  assert_int_equal(left->link->paths.longest, 0);
  assert_int_equal(left->link->paths.long_lost, 0);
  assert_true(left->link->paths.active->probe_at > pair.now);
}

static void long_probe_that_is_lost_alone_starts_no_search(void **state) {
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    struct pair_datagram datagram;
    send_5000();
    lose_long_probe();
    pair_take_letter(left, 'p', &datagram);
    assert_int_equal(datagram.length, 5000 + SW_OVERHEAD);
    const struct sw_candidate *row = left->link->paths.active;
    acknowledge_token((uint64_t)row->id << 32 | (row->next - 1));
    assert_int_equal(search()->id, 0);
    pair.now += 2 * SW_SECOND;
    while (pair_take(left, &datagram)) continue;
  }
}

static void answer_to_a_probe_before_a_long_one_says_nothing_about_it(void **state) {
  (void)state;
  struct pair_datagram datagram;
  left->link->paths.active->probe_at = pair.now;
  pair_take_letter(left, 'p', &datagram);
  left->link->paths.active->unanswered = 0;
  for (unsigned i = 0; i < 2; i++) {
    send_5000();
    pair_take_letter(left, 'p', &datagram);
    assert_int_equal(datagram.length, 5000 + SW_OVERHEAD);
    const struct sw_candidate *row = left->link->paths.active;
    acknowledge_token((uint64_t)row->id << 32 | (row->next - 2));
    assert_int_equal(left->link->paths.long_lost, 0);
    acknowledge_token((uint64_t)row->id << 32 | (row->next - 1));
  }
  assert_int_equal(search()->id, 0);
}

static void take_path_probe(void) {
  struct pair_datagram datagram;
  left->link->paths.active->probe_at = pair.now;
  pair_take_letter(left, 'p', &datagram);
}

static void long_probe_is_lost_once(void **state) {
  (void)state;
  struct sw_paths *paths = &left->link->paths;
  for (unsigned i = 0; i < 2; i++) {
    take_path_probe();
    paths->active->unanswered = 0;
  }
  const uint64_t token = (uint64_t)paths->active->id << 32 | (paths->active->next - 2);
  paths->long_sent = true;
  paths->long_number = (uint32_t)token - 1;
  for (unsigned i = 0; i < 2; i++) {
    acknowledge_token(token + i); /* no long one is sent in between */
    assert_int_equal(paths->long_lost, 1);
  }
}

/* The path did not carry these either. */
static void answer_after_16_probes_says_nothing_about_a_long_one(void **state) {
  (void)state;
  struct sw_paths *paths = &left->link->paths;
  for (unsigned i = 0; i < 2; i++) {
    take_path_probe();
    const uint32_t number = paths->active->next - 1;
    paths->long_sent = true;
    paths->long_number = number - SW_PROBES_KEPT - i;
    paths->long_lost = 0;
    acknowledge_token((uint64_t)paths->active->id << 32 | number);
    assert_int_equal(paths->long_lost, i == 0);
  }
}

/* A fixed MTU may be larger than a control datagram. */
static void longest_packet_makes_no_probe_that_is_too_long(void **state) {
  (void)state;
  static uint8_t packet[SW_PACKET_MAX], sealed[SW_PACKET_MAX + SW_OVERHEAD];
  static const size_t lengths[] = {SW_MTU_MOST - 1, SW_MTU_MOST, SW_MTU_MOST + 1, SW_PACKET_MAX};
  sw_link_mtu_set(left->link, pair.now, SW_PACKET_MAX);
  for (unsigned i = 0; i < 4; i++) {
    pair_packet4(packet, lengths[i], (uint8_t[]){10, 1, 0, 1});
    assert_int_equal(sw_link_send(left->link, pair.now, packet, lengths[i], sealed),
                     lengths[i] + SW_OVERHEAD);
    pair.now += SW_SECOND;
    struct pair_datagram datagram;
    pair_take_letter(left, 'p', &datagram);
    assert_int_equal(datagram.length, SW_OVERHEAD + SW_MTU_MOST - (i == 0));
    const struct sw_candidate *row = left->link->paths.active;
    acknowledge_token((uint64_t)row->id << 32 | (row->next - 1));
  }
}

/* ---- a configured MTU ---- */

/* The MTU is configured, and the search on the active path has its result. */
static void find_for(uint32_t mtu, uint32_t most) {
  limit = most;
  clear_probes();
  stay_young();
  sw_link_mtu_set(left->link, pair.now, mtu);
  finish();
}

static void configured_mtu_that_passes_is_the_result(void **state) {
  (void)state;
  static const uint32_t mtus[] = {576,  1000, 1280, 1300, 1375, 1376,
                                  1420, 1439, 4000, 4063, 8927, 8928};
  for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
    find_for(mtus[i], mtus[i]);
    assert_int_equal(path_mtu(), mtus[i]);
    assert_false(fragments());
    assert_true(probes_of(mtus[i]) >= (mtus[i] >= SW_MTU_LEAST));
    for (unsigned j = 0; j < probe_count; j++) assert_true(probes[j].size <= mtus[i]);
    assert_true(sw_link_may_fragment(left->link));
  }
}

static void configured_mtu_above_the_longest_probe_is_not_proved(void **state) {
  (void)state;
  find_for(SW_PACKET_MAX, SW_MTU_MOST);
  assert_int_equal(path_mtu(), SW_PACKET_MAX);
  assert_false(fragments());
  find_for(8929, SW_MTU_MOST - 1);
  assert_int_equal(path_mtu(), SW_MTU_MOST - 64);
  assert_true(fragments());
}

static void path_that_carries_less_than_the_configured_mtu_needs_fragments(void **state) {
  (void)state;
  find_for(1420, 1419);
  assert_int_equal(path_mtu(), 1376);
  assert_true(fragments());
  find_for(1421, 1279);
  assert_int_equal(path_mtu(), 1280);
  assert_true(fragments());
  for (uint32_t mtu = 1000; mtu <= 1279; mtu += 279) {
    find_for(mtu, 999);
    assert_int_equal(path_mtu(), mtu);
    assert_true(fragments());
  }
}

/* Until the end: the interface's MTU does not depend on it. */
static void result_for_a_configured_mtu_comes_at_the_end(void **state) {
  (void)state;
  sw_link_mtu_set(left->link, pair.now, 1500);
  ASSERT_TAKEN(1280, 1376, 1440, 1500);
  acknowledge(1280);
  assert_int_equal(path_mtu(), 1500);
  refuse(1500);
  refuse(1440);
  assert_false(fragments());
  acknowledge(1376);
  assert_int_equal(search()->id, 0);
  assert_int_equal(path_mtu(), 1376);
  assert_true(fragments());
}

static void round_is_no_result_for_a_configured_mtu(void **state) {
  (void)state;
  sw_link_mtu_set(left->link, pair.now, 5000);
  ASSERT_TAKEN(1280, 1376, 1440, 4064, 5000);
  acknowledge(1440);
  refuse(4064);
  assert_int_not_equal(search()->id, 0);
  assert_int_equal(path_mtu(), 5000);
  assert_false(fragments());
}

static void first_probe_after_the_mtu_was_configured_can_be_refused(void **state) {
  (void)state;
  sw_link_mtu_set(left->link, pair.now, 1440);
  ASSERT_TAKEN(1280, 1376, 1440);
  assert_true(refuse(1280));
}

/* Nothing else would tell: datagrams of data are fragmented. */
static void configured_mtu_is_searched_again(void **state) {
  (void)state;
  find_for(1420, 1420);
  limit = 1300;
  clear_probes();
  run_for_long(SW_MTU_AGAIN + 10 * SW_SECOND);
  assert_int_equal(path_mtu(), 1280);
  assert_true(fragments());
  limit = 1420;
  run_for_long(SW_MTU_AGAIN + 10 * SW_SECOND);
  assert_int_equal(path_mtu(), 1420);
  assert_false(fragments());
}

static void configured_mtu_is_assumed_on_a_new_path(void **state) {
  (void)state;
  find_for(1420, 1300);
  assert_true(fragments());
  limit_b = 1420;
  cut = true;
  move_to(RIGHT_B);
  assert_int_equal(path_mtu(), 1420);
  assert_false(fragments());
}

static void configured_mtu_ends_a_search(void **state) {
  (void)state;
  begin_by_hand();
  const uint32_t id = search()->id;
  sw_link_mtu_set(left->link, pair.now, 1300);
  acknowledge_token((uint64_t)id << 32 | 4064);
  assert_int_equal(path_mtu(), 1300);
  ASSERT_TAKEN(1280, 1300);
}

static void search_begins_when_no_mtu_is_configured_any_more(void **state) {
  (void)state;
  sw_link_mtu_set(left->link, pair.now, 9000);
  assert_int_equal(path_mtu(), 9000);
  limit = 1400;
  sw_link_mtu_set(left->link, pair.now, 0);
  assert_int_equal(path_mtu(), 1280);
  assert_false(sw_link_may_fragment(left->link));
  finish();
  assert_int_equal(path_mtu(), 1376);
}

static void same_mtu_changes_nothing(void **state) {
  (void)state;
  find(1500);
  const struct sw_pathmtu before = *search();
  sw_link_mtu_set(left->link, pair.now, 0);
  assert_memory_equal(search(), &before, sizeof(before));
  begin_by_hand();
  const uint32_t id = search()->id;
  sw_link_mtu_set(left->link, pair.now, 0);
  assert_int_equal(search()->id, id);
  sw_link_mtu_set(left->link, pair.now, 1400);
  const uint32_t other = search()->id;
  sw_link_mtu_set(left->link, pair.now, 1400);
  assert_int_equal(search()->id, other);
  sw_link_mtu_set(left->link, pair.now, 1401);
  assert_int_equal(path_mtu(), 1401);
  assert_int_not_equal(search()->id, other);
}

/* The same number as was found is kept, too. */
static void mtu_that_was_found_can_be_configured(void **state) {
  (void)state;
  find(1500);
  sw_link_mtu_set(left->link, pair.now, 1440);
  assert_true(sw_link_may_fragment(left->link));
}

static void configured_mtu_is_no_result_of_a_path(void **state) {
  (void)state;
  sw_link_mtu_set(left->link, pair.now, 9000);
  cut = true;
  move_to(RIGHT_B);
  sw_link_mtu_set(left->link, pair.now, 0);
  finish();
  cut = false;
  move_to(RIGHT);
  assert_true(path_mtu() <= SW_MTU_MOST);
}

/* ---- acks and sessions ---- */

static void acks_of_other_probes_change_nothing(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(1376);
  const struct sw_pathmtu before = *search();
  const uint64_t id = search()->id;
  acknowledge_token((id + 1) << 32 | 8928);
  acknowledge_token((id ^ 0x80000000) << 32 | 8928);
  acknowledge_token(8928);
  acknowledge_token(id << 32);
  assert_memory_equal(search(), &before, sizeof(before));
  acknowledge_token(id << 32 | 1280); /* shorter than what has passed */
  acknowledge_token(id << 32 | 1376); /* again */
  assert_int_equal(path_mtu(), 1376);
  assert_int_equal(search()->passed, 1376);
  assert_int_equal(search()->count, 3);
}

/* The peer may be wrong. */
static void ack_of_a_size_that_is_never_probed_changes_nothing(void **state) {
  (void)state;
  begin_by_hand();
  acknowledge(SW_MTU_MOST + 1);
  acknowledge(UINT32_MAX);
  assert_int_equal(path_mtu(), 1280);
}

static void ack_after_the_search_changes_nothing(void **state) {
  (void)state;
  find(1500);
  const struct sw_pathmtu before = *search();
  acknowledge_token(8928);
  assert_memory_equal(search(), &before, sizeof(before));
}

static void session_that_seals_no_more_ends_the_search(void **state) {
  (void)state;
  begin(0);
  left->link->sessions.current->counter = SW_REJECT_AFTER_COUNTER;
  struct pair_datagram datagram;
  while (pair_take(left, &datagram)) assert_int_equal(pair_letter(left, &datagram), 'i');
  assert_int_equal(search()->id, 0);
  assert_in_range(sw_pathmtu_due(left->link), pair.now + 8 * 60 * SW_SECOND,
                  pair.now + SW_MTU_AGAIN);
}

static void nothing_is_due_without_a_session(void **state) {
  (void)state;
  begin(0);
  assert_int_equal(sw_pathmtu_due(left->link), pair.now);
  left->link->sessions.current->created = 0;
  sw_link_expire(left->link, pair.now);
  assert_null(left->link->sessions.current);
  assert_int_equal(sw_pathmtu_due(left->link), SW_NEVER);
}

/* An ack may take longer than two probes wait. */
static void long_path_is_searched_too(void **state) {
  (void)state;
  pair.latency = 1200 * MS;
  left->link->paths.active->rtt = 2 * pair.latency;
  left->link->paths.active->deviation = 50 * MS;
  find(1500);
  assert_false(fragments());
  assert_int_equal(path_mtu(), 1440);
}

static void probes_go_to_the_active_path(void **state) {
  (void)state;
  struct pair_datagram datagram;
  begin(0);
  assert_true(pair_take(left, &datagram));
  const struct sw_address active = sw_link_path(left->link)->peer;
  assert_true(sw_address_equal(&datagram.to, &active));
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  pair_take_letter(right, 'a', &datagram);
  pair_give(left, &datagram);
  assert_int_equal(search()->passed, 1280);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
  const struct CMUnitTest tests[] = {
      TEST(result_is_the_largest_size_of_whole_blocks_that_passes),
      TEST(least_result_is_1280),
      TEST(result_of_a_path_without_a_limit_is_there_after_one_round_trip),
      TEST(search_begins_when_the_link_comes_up),
      TEST(largest_answer_counts_at_once),
      TEST(lost_probe_is_repeated_once),
      TEST(size_is_too_large_when_two_probes_of_it_are_lost),
      TEST(answer_to_the_repeated_probe_counts),
      TEST(late_answer_of_an_earlier_round_counts),
      TEST(next_round_begins_when_all_sizes_have_a_result),
      TEST(sizes_below_a_late_answer_are_not_sent_again),
      TEST(refused_size_and_those_above_it_are_not_sent_again),
      TEST(sizes_below_a_refused_one_are_still_sent),
      TEST(ack_of_a_size_that_was_not_sent_means_nothing),
      TEST(last_size_below_the_upper_limit_is_tried),
      TEST(limit_of_the_interface_is_found_without_waiting),
      TEST(limit_of_the_interface_that_became_smaller_is_found_without_waiting),
      TEST(interface_that_takes_nothing_needs_fragments),
      TEST(fragments_are_needed_when_1280_does_not_pass),
      TEST(data_that_is_refused_below_what_passed_is_an_upper_limit_too),
      TEST(outage_during_a_search_is_no_result),
      TEST(round_is_repeated_a_second_later_while_nothing_passes),
      TEST(answer_as_the_search_begins_shows_that_the_path_works),
      TEST(fragments_are_needed_until_a_probe_has_passed),
      TEST(new_path_needs_no_fragments_at_first),
      TEST(search_is_repeated_after_8_to_10_minutes),
      TEST(search_that_is_repeated_goes_upwards_only),
      TEST(largest_result_is_not_searched_again),
      TEST(report_of_icmp_starts_a_search_downwards),
      TEST(report_about_another_address_starts_no_search),
      TEST(hints_start_a_search_a_second_at_most),
      TEST(one_round_after_a_report_tells_that_fragments_are_needed),
      TEST(probe_under_way_is_not_taken_for_lost_because_of_a_report),
      TEST(hint_does_not_restart_a_search),
      TEST(report_to_a_link_that_is_down_starts_no_search),
      TEST(refused_data_starts_a_search_for_something_shorter),
      TEST(refused_data_is_no_probe),
      TEST(data_that_is_refused_during_a_search_is_an_upper_limit),
      TEST(refused_data_above_all_sizes_of_a_round_leaves_them),
      TEST(size_that_is_refused_after_it_passed_begins_the_search_anew),
      TEST(datagram_without_data_is_not_too_long),
      TEST(each_path_has_its_own_result),
      TEST(answer_to_a_probe_of_the_former_path_does_not_count),
      TEST(probes_are_as_long_as_the_longest_packet_since),
      TEST(path_that_stops_carrying_long_packets_is_searched),
      TEST(two_long_probes_that_are_lost_in_a_row_start_a_search),
      TEST(long_probe_that_is_lost_alone_starts_no_search),
      TEST(answer_to_a_probe_before_a_long_one_says_nothing_about_it),
      TEST(long_probe_is_lost_once),
      TEST(answer_after_16_probes_says_nothing_about_a_long_one),
      TEST(longest_packet_makes_no_probe_that_is_too_long),
      TEST(configured_mtu_that_passes_is_the_result),
      TEST(configured_mtu_above_the_longest_probe_is_not_proved),
      TEST(path_that_carries_less_than_the_configured_mtu_needs_fragments),
      TEST(former_result_counts_until_a_round_has_ended),
      TEST(result_for_a_configured_mtu_comes_at_the_end),
      TEST(round_is_no_result_for_a_configured_mtu),
      TEST(first_probe_after_the_mtu_was_configured_can_be_refused),
      TEST(configured_mtu_is_searched_again),
      TEST(configured_mtu_is_assumed_on_a_new_path),
      TEST(configured_mtu_ends_a_search),
      TEST(search_begins_when_no_mtu_is_configured_any_more),
      TEST(same_mtu_changes_nothing),
      TEST(mtu_that_was_found_can_be_configured),
      TEST(configured_mtu_is_no_result_of_a_path),
      TEST(acks_of_other_probes_change_nothing),
      TEST(ack_of_a_size_that_is_never_probed_changes_nothing),
      TEST(ack_after_the_search_changes_nothing),
      TEST(session_that_seals_no_more_ends_the_search),
      TEST(nothing_is_due_without_a_session),
      TEST(long_path_is_searched_too),
      TEST(probes_go_to_the_active_path),
  };
  return cmocka_run_group_tests_name("path MTU", tests, start_sodium, NULL);
}

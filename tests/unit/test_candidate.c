/* What probes show of a candidate, and the table of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/candidate.h"

#define NOW (1000 * SW_SECOND)

/* The table, and behind it what is no row of it. */
static struct sw_candidate rows[SW_CANDIDATES + 1], *const behind = &rows[SW_CANDIDATES];

static struct sw_address peer(uint8_t last) {
  return (struct sw_address){.ip = {[0] = 0xfd, [15] = last}, .port = 9};
}

/* Our own address ends with `local`; 0: it is not known. */
static struct sw_path path(uint8_t last, uint8_t local) {
  return (struct sw_path){.peer = peer(last), .local = {[0] = local ? 0xfd : 0, [15] = local}};
}

static struct sw_candidate *add(uint8_t last, uint8_t local, uint32_t rank) {
  const struct sw_path added = path(last, local);
  return sw_candidates_add(rows, NULL, &added, rank);
}

static struct sw_candidate *find(uint8_t last, uint8_t local) {
  const struct sw_path wanted = path(last, local);
  return sw_candidates_find(rows, &wanted);
}

static unsigned count_rows(void) {
  unsigned count = 0;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) count += rows[i].id != 0;
  return count;
}

static int start(void **state) {
  (void)state;
  memset(rows, 0, sizeof(rows));
  *behind = (struct sw_candidate){.id = 99, .path = path(99, 3), .rank = SW_RANK_NONE};
  return 0;
}

/* ---- probes ---- */

static void ack_takes_as_long_as_rfc_6298_says_but_no_longer_than_a_pending_session(void **state) {
  (void)state;
  static const struct {
    uint64_t rtt, deviation, time;
  } times[] = {{0, 7, SW_PROBE_WAIT_MOST},
               {1, 0, 1},
               {100, 7, 128},
               {SW_PENDING_LIFETIME - 1, 0, SW_PENDING_LIFETIME - 1},
               {SW_PENDING_LIFETIME - 4, 1, SW_PENDING_LIFETIME},
               {SW_PENDING_LIFETIME - 4, 2, SW_PENDING_LIFETIME}};
  for (unsigned i = 0; i < sizeof(times) / sizeof(*times); i++) {
    const struct sw_candidate row = {.rtt = times[i].rtt, .deviation = times[i].deviation};
    assert_int_equal(sw_candidate_ack_time(&row), times[i].time);
  }
}

static void each_probe_has_a_token_of_its_own(void **state) {
  (void)state;
  struct sw_candidate row = {.id = 0x80000001};
  for (uint32_t i = 0; i < 3 * SW_PROBES_KEPT; i++) {
    assert_int_equal(sw_candidate_probed(&row, NOW + i), UINT64_C(0x80000001) << 32 | i);
    assert_int_equal(row.unanswered, i + 1);
    assert_int_equal(row.probe_time, NOW + i);
    assert_int_equal(sw_candidate_sent(&row, i), NOW + i);
  }
}

static void latest_16_probes_are_kept(void **state) {
  (void)state;
  for (uint32_t first = UINT32_MAX - 40; first != 40; first++) { /* numbers begin again at 0 */
    struct sw_candidate row = {.id = 1, .next = first};
    for (unsigned i = 0; i < SW_PROBES_KEPT + 2; i++) sw_candidate_probed(&row, NOW + i);
    assert_int_equal(sw_candidate_sent(&row, first + 1), 0);
    for (unsigned i = 2; i < SW_PROBES_KEPT + 2; i++)
      assert_int_equal(sw_candidate_sent(&row, first + i), NOW + i);
    assert_int_equal(sw_candidate_sent(&row, first + SW_PROBES_KEPT + 2), 0);
  }
}

static void probe_that_was_never_sent_has_no_answer(void **state) {
  (void)state;
  struct sw_candidate row = {.id = 1};
  for (uint32_t i = 0; i < 2 * SW_PROBES_KEPT; i++) assert_int_equal(sw_candidate_sent(&row, i), 0);
  sw_candidate_probed(&row, NOW);
  assert_int_equal(sw_candidate_sent(&row, 1), 0);
  assert_int_equal(sw_candidate_sent(&row, UINT32_MAX), 0);
}

static void answer_validates_and_begins_to_be_steady(void **state) {
  (void)state;
  struct sw_candidate row = {.id = 1};
  assert_false(sw_candidate_is_validated(&row));
  for (unsigned i = 0; i < 3; i++) sw_candidate_probed(&row, NOW);
  sw_candidate_answered(&row, 1, true, NOW + 5);
  assert_true(sw_candidate_is_validated(&row));
  assert_int_equal(row.answer_time, NOW + 5);
  assert_int_equal(row.unanswered, 0);
  assert_int_equal(row.steady_since, NOW + 5);
  assert_int_equal(sw_candidate_sent(&row, 0), NOW);
  assert_int_equal(sw_candidate_sent(&row, 1), 0);
  assert_int_equal(sw_candidate_sent(&row, 2), NOW);
  sw_candidate_answered(&row, 2, true, NOW + 6);
  assert_int_equal(row.answer_time, NOW + 6);
  assert_int_equal(row.steady_since, NOW + 5);
}

/* We can send there, but the peer perhaps cannot. */
static void answer_from_elsewhere_does_not_make_a_path_steady(void **state) {
  (void)state;
  struct sw_candidate row = {.id = 1};
  sw_candidate_probed(&row, NOW);
  sw_candidate_answered(&row, 0, false, NOW + 5);
  assert_int_equal(row.answer_time, NOW + 5);
  assert_int_equal(row.unanswered, 0);
  assert_int_equal(row.steady_since, 0);
  assert_int_equal(sw_candidate_sent(&row, 0), NOW);
}

static void round_trip_time_is_measured(void **state) {
  (void)state;
  static const struct {
    uint64_t sample, rtt, deviation;
  } samples[] = {{40, 40, 20}, {120, 50, 35}, {10, 45, 36}, {45, 45, 27}, {46, 45, 20}};
  struct sw_candidate row = {.id = 1};
  for (unsigned i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
    sw_candidate_probed(&row, NOW);
    sw_candidate_answered(&row, i, true, NOW + samples[i].sample);
    assert_int_equal(row.rtt, samples[i].rtt);
    assert_int_equal(row.deviation, samples[i].deviation);
  }
}

/* 0 would mean that it is not measured. */
static void round_trip_time_is_1_ns_at_least(void **state) {
  (void)state;
  struct sw_candidate row = {.id = 1};
  for (uint32_t i = 0; i < 3; i++) {
    sw_candidate_probed(&row, NOW);
    sw_candidate_answered(&row, i, true, NOW);
    assert_int_equal(row.rtt, 1);
  }
  assert_int_equal(row.deviation, 0);
}

static void probe_is_lost_when_an_ack_has_had_time_and_a_second_at_least(void **state) {
  (void)state;
  static const struct {
    uint64_t rtt, lost;
  } times[] = {{20, SW_PROBE_WAIT_MOST},
               {SW_PROBE_WAIT_MOST + 1, SW_PROBE_WAIT_MOST + 1},
               {2 * SW_SECOND, 2 * SW_SECOND}};
  for (unsigned i = 0; i < 3; i++) {
    struct sw_candidate row = {.id = 1, .rtt = times[i].rtt, .steady_since = 1};
    for (unsigned j = 0; j < SW_PROBES_KEPT; j++) sw_candidate_probed(&row, NOW + j);
    sw_candidate_note_lost(&row, NOW + times[i].lost - 1);
    assert_int_equal(row.steady_since, 1);
    assert_int_equal(sw_candidate_sent(&row, 0), NOW);
    for (unsigned j = 0; j < SW_PROBES_KEPT; j++) {
      row.steady_since = 1;
      sw_candidate_note_lost(&row, NOW + j + times[i].lost);
      assert_int_equal(row.steady_since, 0);
      assert_int_equal(sw_candidate_sent(&row, j), 0);
      if (j + 1 < SW_PROBES_KEPT) assert_int_equal(sw_candidate_sent(&row, j + 1), NOW + j + 1);
    }
    row.steady_since = 1;
    sw_candidate_note_lost(&row, NOW + SW_SECOND * 100); /* none is left */
    assert_int_equal(row.steady_since, 1);
    assert_int_equal(row.lost, SW_PROBES_KEPT);
  }
}

/* ---- the table ---- */

static void datagram_is_on_a_candidate_whose_addresses_are_the_same_or_unknown(void **state) {
  (void)state;
  struct sw_candidate *row = add(1, 2, 0);
  assert_ptr_equal(find(1, 2), row);
  assert_ptr_equal(find(1, 0), row);
  assert_null(find(1, 3));
  assert_null(find(2, 2));
  row = add(4, 0, 0);
  assert_ptr_equal(find(4, 7), row);
  assert_ptr_equal(find(4, 0), row);
  struct sw_path unlike = path(1, 2);
  unlike.local[0] ^= 1; /* the first byte counts, too, */
  assert_null(sw_candidates_find(rows, &unlike));
  unlike = path(1, 2);
  unlike.peer.port++; /* and the port */
  assert_null(sw_candidates_find(rows, &unlike));
}

static void nothing_behind_the_table_is_found_or_changed(void **state) {
  (void)state;
  const struct sw_address address = peer(99);
  struct sw_candidate before = *behind;
  assert_null(find(99, 3));
  assert_null(sw_candidates_find_id(rows, behind->id));
  for (uint8_t i = 0; i < SW_CANDIDATES; i++) add(i, 1, SW_RANK_NONE)->heard_time = NOW;
  const struct sw_path third = path(99, 3);
  assert_ptr_equal(add(50, 1, SW_RANK_NONE), &rows[0]); /* not the row behind, heard never */
  rows[0].path.peer = behind[-1].path.peer = address;
  sw_candidates_adopt(rows, NULL, &rows[0], path(99, 1).local);
  assert_int_equal(behind[-1].id, 0); /* it was on the same path */
  sw_candidates_adopt(rows, NULL, &rows[0], third.local);
  sw_candidates_configure(rows, NULL, NULL, 0);
  assert_memory_equal(behind, &before, sizeof(before));
  before.rank = behind->rank = 5;
  assert_false(sw_candidates_configured(rows, NULL));
  assert_false(sw_candidates_configured(rows, &address));
  sw_candidates_configure(rows, NULL, &address, 1);
  assert_int_equal(find(99, 0)->rank, 0);
  assert_memory_equal(behind, &before, sizeof(before));
}

/* An empty row is full of zeroes. */
static void empty_row_is_no_candidate(void **state) {
  (void)state;
  const struct sw_path none = {.peer = {.port = 0}};
  assert_null(sw_candidates_find(rows, &none));
  assert_null(sw_candidates_find_id(rows, 0));
  assert_false(sw_candidates_configured(rows, NULL));
  assert_false(sw_candidates_configured(rows, &none.peer));
  assert_false(sw_candidates_configured(rows, &(struct sw_address){.port = 9}));
}

static void every_row_is_found(void **state) {
  (void)state;
  for (uint8_t i = 0; i < SW_CANDIDATES; i++) assert_ptr_equal(add(i, 1, i), &rows[i]);
  for (uint8_t i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_address address = peer(i);
    assert_ptr_equal(find(i, 1), &rows[i]);
    assert_ptr_equal(sw_candidates_find_id(rows, rows[i].id), &rows[i]);
    assert_true(sw_candidates_configured(rows, &address));
    rows[i].rank = SW_RANK_NONE;
    assert_false(sw_candidates_configured(rows, &address));
    assert_int_equal(sw_candidates_configured(rows, NULL), i + 1 < SW_CANDIDATES);
  }
}

static const uint32_t *drawn; /* the next random number */

static const char *name(void) {
  return "drawn";
}

static uint32_t draw(void) {
  return *drawn++;
}

static void fill(void *const buffer, const size_t size) {
  assert_int_equal(size, sizeof(*drawn));
  memcpy(buffer, drawn++, sizeof(*drawn));
}

static void id_is_not_0_and_not_that_of_another_candidate(void **state) {
  (void)state;
  static struct randombytes_implementation implementation = {
      .implementation_name = name, .random = draw, .buf = fill};
  static const uint32_t numbers[] = {0, 0, 1, 1, 0, UINT32_MAX, 1, UINT32_MAX, 7, 8};
  drawn = numbers;
  randombytes_set_implementation(&implementation);
  assert_int_equal(add(1, 1, 0)->id, 1);
  assert_int_equal(add(2, 1, 0)->id, UINT32_MAX);
  assert_int_equal(add(3, 1, 0)->id, 7);
  randombytes_set_implementation(&randombytes_sysrandom_implementation);
  assert_int_equal(drawn - numbers, 9);
}

static void new_candidate_is_due_when_somebody_says_so(void **state) {
  (void)state;
  const struct sw_candidate *row = add(1, 2, 3);
  assert_int_not_equal(row->id, 0);
  assert_int_equal(row->rank, 3);
  assert_int_equal(row->probe_at, UINT64_MAX);
  assert_int_equal(row->path.local[15], 2);
  assert_true(sw_candidate_is_configured(row));
  assert_false(sw_candidate_is_configured(add(2, 2, SW_RANK_NONE)));
}

static void nothing_is_sent_to_port_0(void **state) {
  (void)state;
  struct sw_path no_port = path(1, 2);
  no_port.peer.port = 0;
  assert_null(sw_candidates_add(rows, NULL, &no_port, 0));
  assert_int_equal(count_rows(), 0);
}

static void full_table_gives_up_what_was_heard_least_lately(void **state) {
  (void)state;
  for (uint8_t i = 0; i < SW_CANDIDATES; i++)
    add(i, 1, SW_RANK_NONE)->heard_time = NOW + (i + 5U) % SW_CANDIDATES;
  struct sw_candidate *const least = &rows[SW_CANDIDATES - 5], *const keep = least;
  const struct sw_path added = path(100, 1);
  rows[SW_CANDIDATES - 4].rank = 0; /* configured */
  assert_ptr_equal(sw_candidates_add(rows, keep, &added, SW_RANK_NONE), &rows[SW_CANDIDATES - 3]);
  rows[SW_CANDIDATES - 3].heard_time = NOW + 100;
  assert_ptr_equal(sw_candidates_add(rows, NULL, &added, SW_RANK_NONE), least);
  for (uint8_t i = 0; i < SW_CANDIDATES; i++) rows[i].rank = i;
  assert_null(sw_candidates_add(rows, NULL, &added, SW_RANK_NONE));
}

static void adopted_address_removes_what_became_the_same_path(void **state) {
  (void)state;
  struct sw_candidate *same = add(1, 3, SW_RANK_NONE), *row = add(1, 2, SW_RANK_NONE);
  struct sw_candidate *other = add(2, 3, SW_RANK_NONE), *configured = add(1, 3, 0);
  struct sw_candidate *keep = add(1, 3, SW_RANK_NONE);
  const struct sw_path before = path(1, 2), after = path(1, 3);
  sw_candidates_adopt(rows, keep, row, before.local);
  assert_int_equal(count_rows(), 5);
  sw_candidates_adopt(rows, keep, row, after.local);
  assert_memory_equal(row->path.local, after.local, SW_IP_BYTES);
  assert_int_equal(same->id, 0);
  assert_true(row->id && other->id && configured->id && keep->id);
}

/* ---- configuration ---- */

static void configure(const struct sw_candidate *keep, const uint8_t *last, size_t count) {
  struct sw_address addresses[SW_ENDPOINTS_MAX + 1];
  for (size_t i = 0; i < count; i++) addresses[i] = peer(last[i]);
  sw_candidates_configure(rows, (struct sw_candidate *)keep, addresses, count);
}

static void rank_is_the_first_place_of_an_address(void **state) {
  (void)state;
  configure(NULL, (const uint8_t[]){7, 8, 7}, 3);
  assert_int_equal(count_rows(), 2);
  assert_int_equal(find(7, 0)->rank, 0);
  assert_int_equal(find(8, 0)->rank, 1);
  configure(NULL, (const uint8_t[]){8, 7, 8}, 3);
  assert_int_equal(count_rows(), 2);
  assert_int_equal(find(8, 0)->rank, 0);
  assert_int_equal(find(7, 0)->rank, 1);
}

/* The peer's address is known twice, at two of ours. */
static void rank_goes_to_the_active_path_first(void **state) {
  (void)state;
  struct sw_candidate *one = add(7, 1, SW_RANK_NONE), *two = add(7, 2, SW_RANK_NONE);
  one->answer_time = two->answer_time = NOW;
  configure(two, (const uint8_t[]){7}, 1);
  assert_int_equal(one->rank, SW_RANK_NONE);
  assert_int_equal(two->rank, 0);
  configure(NULL, (const uint8_t[]){7}, 1);
  assert_int_equal(one->rank, 0);
  assert_int_equal(two->rank, SW_RANK_NONE);
  configure(two, (const uint8_t[]){9}, 1); /* keep has another address */
  assert_int_equal(find(9, 0)->rank, 0);
  assert_int_equal(two->rank, SW_RANK_NONE);
}

static void what_is_neither_configured_nor_validated_nor_active_goes(void **state) {
  (void)state;
  struct sw_candidate *observed = add(1, 1, SW_RANK_NONE), *validated = add(2, 1, SW_RANK_NONE);
  struct sw_candidate *active = add(3, 1, SW_RANK_NONE), *former = add(4, 1, 0);
  validated->answer_time = NOW;
  configure(active, (const uint8_t[]){5}, 1);
  assert_int_equal(observed->id, 0);
  assert_int_equal(former->id, 0);
  assert_true(validated->id && active->id && find(5, 0));
}

static void every_row_is_configured_anew(void **state) {
  (void)state;
  for (uint8_t i = 0; i < SW_CANDIDATES; i++) add(i, 1, 3)->answer_time = NOW;
  configure(NULL, (const uint8_t[]){SW_CANDIDATES - 1, 0}, 2);
  for (uint32_t i = 1; i < SW_CANDIDATES - 1; i++) assert_int_equal(rows[i].rank, SW_RANK_NONE);
  assert_int_equal(behind[-1].rank, 0);
  assert_int_equal(rows[0].rank, 1);
  rows[0].answer_time = behind[-1].answer_time = 0;
  configure(NULL, NULL, 0);
  assert_true(rows[0].id == 0 && behind[-1].id == 0);
  assert_int_equal(count_rows(), SW_CANDIDATES - 2);
}

static void first_16_addresses_are_configured(void **state) {
  (void)state;
  uint8_t last[SW_ENDPOINTS_MAX + 1];
  for (uint8_t i = 0; i <= SW_ENDPOINTS_MAX; i++) last[i] = (uint8_t)(i + 1);
  configure(NULL, last, SW_ENDPOINTS_MAX + 1);
  assert_int_equal(count_rows(), SW_ENDPOINTS_MAX);
  assert_null(find(SW_ENDPOINTS_MAX + 1, 0));
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, start)
  const struct CMUnitTest tests[] = {
      TEST(ack_takes_as_long_as_rfc_6298_says_but_no_longer_than_a_pending_session),
      TEST(each_probe_has_a_token_of_its_own),
      TEST(latest_16_probes_are_kept),
      TEST(probe_that_was_never_sent_has_no_answer),
      TEST(answer_validates_and_begins_to_be_steady),
      TEST(answer_from_elsewhere_does_not_make_a_path_steady),
      TEST(round_trip_time_is_measured),
      TEST(round_trip_time_is_1_ns_at_least),
      TEST(probe_is_lost_when_an_ack_has_had_time_and_a_second_at_least),
      TEST(datagram_is_on_a_candidate_whose_addresses_are_the_same_or_unknown),
      TEST(nothing_behind_the_table_is_found_or_changed),
      TEST(empty_row_is_no_candidate),
      TEST(every_row_is_found),
      TEST(id_is_not_0_and_not_that_of_another_candidate),
      TEST(new_candidate_is_due_when_somebody_says_so),
      TEST(nothing_is_sent_to_port_0),
      TEST(full_table_gives_up_what_was_heard_least_lately),
      TEST(adopted_address_removes_what_became_the_same_path),
      TEST(rank_is_the_first_place_of_an_address),
      TEST(rank_goes_to_the_active_path_first),
      TEST(what_is_neither_configured_nor_validated_nor_active_goes),
      TEST(every_row_is_configured_anew),
      TEST(first_16_addresses_are_configured),
  };
  return cmocka_run_group_tests_name("candidate", tests, start_sodium, NULL);
}

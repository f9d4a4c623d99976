/* How a link handles reports that nothing listens at the peer's port. */
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

static void clear_sent(void) {
  pair_clear_sent(left);
  pair_clear_sent(right);
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  clear_sent();
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* ---- refused ---- */

/* Counts the new inits, by their keys, that the left side sends within `duration` under forged
 * reports. */
static unsigned new_inits_under_refusals(uint64_t duration) {
  unsigned count = 0;
  uint8_t secret[SW_KEY_BYTES] = {0};
  for (const uint64_t end = pair.now + duration; pair.now < end;) {
    sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
    pair_run(&pair, 50 * MS);
    if (sodium_memcmp(secret, left->link->initiation.secret, sizeof(secret)) == 0) continue;
    memcpy(secret, left->link->initiation.secret, sizeof(secret));
    count++;
  }
  return count;
}

static void refusals_do_not_delay_new_inits(void **state) {
  (void)state;
  right->deaf = true;
  assert_in_range(new_inits_under_refusals(9 * SW_SECOND), 4, 4); /* at 0, 1, 3 and 7 s */
}

static void repeated_init_replaces_a_lost_response(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram); /* lost */
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  pair_run(&pair, 125 * MS);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void other_errors_are_noted_and_change_nothing(void **state) {
  (void)state;
  right->deaf = true;
  pair_flush(&pair);
  const uint64_t deadline = sw_link_deadline(left->link);
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  assert_int_equal(sw_link_deadline(left->link), deadline);
  const struct sw_endpoint_status *endpoint = &sw_link_status(left->link)->endpoints[0];
  assert_int_equal(endpoint->error, EHOSTUNREACH);
  assert_int_equal(endpoint->error_time, pair.now);
}

static void refused_link_retries_within_125_ms_for_3_s(void **state) {
  (void)state;
  right->deaf = true;
  pair_run(&pair, 20 * SW_SECOND);
  clear_sent();
  const uint64_t refused = pair.now;
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].error_time, refused);
  pair_run(&pair, 10 * SW_SECOND);
  assert_in_range(left->sent_at[0] - refused, 0, 125 * MS);
  unsigned i = 0;
  for (; left->sent_at[i] - refused < 3 * SW_SECOND; i++)
    assert_in_range(left->sent_at[i + 1] - left->sent_at[i], 0, 125 * MS);
  assert_in_range(i, 23, 43);
  assert_true(left->sent_at[i] - refused >= 3 * SW_SECOND);
  assert_in_range(left->sent_count - i, 1, 3); /* at intervals of 5 s again */
}

static void forged_refusals_do_not_prevent_a_slow_handshake(void **state) {
  (void)state;
  pair.latency = 300 * MS;
  for (unsigned i = 0; i < 30 && pair_state(left) != SW_LINK_UP; i++) {
    sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
    pair_run(&pair, 100 * MS);
  }
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void refusals_do_not_delay_a_retry(void **state) {
  (void)state;
  right->deaf = true;
  pair_run(&pair, 100 * MS);
  for (unsigned i = 0; i < 200; i++) {
    sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
    pair_run(&pair, 10 * MS);
  }
  assert_in_range(left->sent_count, 15, 30);
}

static void refusal_by_an_unknown_address_is_ignored(void **state) {
  (void)state;
  right->deaf = true;
  pair_flush(&pair);
  const uint64_t deadline = sw_link_deadline(left->link);
  struct sw_address other = right->address;
  other.port++;
  sw_link_error(left->link, pair.now, &other, ECONNREFUSED);
  assert_int_equal(sw_link_deadline(left->link), deadline);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].error_time, 0);
}

static void refusal_within_3_s_of_a_handshake_begins_no_other(void **state) {
  (void)state;
  pair_run(&pair, 3 * SW_SECOND - 1);
  right->deaf = true;
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_string_equal(left->sent, "p");
  pair_run(&pair, 1);
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  assert_int_equal(sw_link_deadline(left->link), pair.now);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  assert_string_equal(left->sent, "pi");
}

static void forged_refusal_is_disproved_by_a_probe(void **state) {
  (void)state;
  pair_run(&pair, 10 * SW_SECOND);
  clear_sent();
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  struct pair_datagram init, probe, ack;
  pair_take_letter(left, 'i', &init); /* lost */
  pair_take_letter(left, 'p', &probe);
  pair_give(right, &probe);
  pair_take_letter(right, 'a', &ack);
  pair_give(left, &ack);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  pair_run(&pair, 60 * SW_SECOND);
  assert_string_equal(left->sent, "");
}

static void error_of_another_kind_makes_no_link_silent(void **state) {
  (void)state;
  pair_run(&pair, 10 * SW_SECOND);
  sw_link_error(left->link, pair.now, &right->address, EHOSTUNREACH);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_string_equal(left->sent, "p");
}

static void refusal_by_another_endpoint_makes_no_link_silent(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {right->address, pair_address(7)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_run(&pair, 10 * SW_SECOND);
  clear_sent();
  sw_link_error(left->link, pair.now, &endpoints[1], ECONNREFUSED);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_string_equal(left->sent, "");
}

static void error_of_an_endpoint_makes_an_init_go_on_to_the_next_at_once(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(7), pair_address(8)};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_flush(&pair);
  assert_string_equal(left->sent, "i");
  sw_link_error(left->link, pair.now, &endpoints[0], EHOSTUNREACH);
  pair_flush(&pair);
  assert_string_equal(left->sent, "ii");
  assert_true(sw_address_equal(&left->sent_to[1], &endpoints[1]));
  sw_link_error(left->link, pair.now, &endpoints[1], EHOSTUNREACH);
  pair_flush(&pair); /* there is no other */
  assert_string_equal(left->sent, "ii");
}

static void refused_responder_begins_a_handshake_to_the_peers_last_address(void **state) {
  (void)state;
  pair_run(&pair, 4 * SW_SECOND);
  left->deaf = true;
  sw_link_error(right->link, pair.now, &left->address, ECONNREFUSED);
  pair_flush(&pair);
  assert_string_equal(right->sent, "ip");
  assert_true(sw_address_equal(&right->sent_to[0], &left->address));
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      APART(refusals_do_not_delay_new_inits),
      APART(repeated_init_replaces_a_lost_response),
      APART(other_errors_are_noted_and_change_nothing),
      APART(refused_link_retries_within_125_ms_for_3_s),
      APART(forged_refusals_do_not_prevent_a_slow_handshake),
      APART(refusals_do_not_delay_a_retry),
      APART(refusal_by_an_unknown_address_is_ignored),
      CONNECTED(refusal_within_3_s_of_a_handshake_begins_no_other),
      CONNECTED(forged_refusal_is_disproved_by_a_probe),
      CONNECTED(error_of_another_kind_makes_no_link_silent),
      CONNECTED(refusal_by_another_endpoint_makes_no_link_silent),
      APART(error_of_an_endpoint_makes_an_init_go_on_to_the_next_at_once),
      CONNECTED(refused_responder_begins_a_handshake_to_the_peers_last_address),
  };
  return cmocka_run_group_tests_name("link: refused", tests, start_sodium, NULL);
}

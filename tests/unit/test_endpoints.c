#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/endpoints.h"

#define NOW (50 * SW_SECOND)

static struct sw_endpoints endpoints;
static const struct sw_address one = {.port = 1}, two = {.port = 2}, three = {.port = 3};

static int clear(void **state) {
  (void)state;
  memset(&endpoints, 0, sizeof(endpoints));
  return 0;
}

static void set(const struct sw_address *first, const struct sw_address *second) {
  const struct sw_address addresses[] = {*first, *second};
  sw_endpoints_set(&endpoints, addresses, 2);
}

static void assert_known(unsigned place, const struct sw_address *address) {
  assert_true(place < endpoints.count);
  assert_true(sw_address_equal(&endpoints.known[place].address, address));
  assert_ptr_equal(sw_endpoints_find(&endpoints, address), &endpoints.known[place]);
}

static void addresses_are_kept_in_their_order(void **state) {
  (void)state;
  set(&two, &one);
  assert_int_equal(endpoints.count, 2);
  assert_int_equal(endpoints.configured, 2);
  assert_known(0, &two);
  assert_known(1, &one);
  assert_null(sw_endpoints_find(&endpoints, &three));
}

static void same_address_is_kept_once(void **state) {
  (void)state;
  set(&two, &two);
  assert_int_equal(endpoints.count, 1);
  assert_int_equal(endpoints.configured, 1);
  assert_known(0, &two);
}

static void sixteen_addresses_and_the_last_are_kept(void **state) {
  (void)state;
  struct sw_address addresses[SW_ENDPOINTS_MAX + 3];
  const unsigned count = sizeof(addresses) / sizeof(addresses[0]);
  for (unsigned i = 0; i < count; i++) addresses[i] = (struct sw_address){.port = 100 + i};
  sw_endpoints_set(&endpoints, addresses, count);
  sw_endpoints_confirmed(&endpoints, &one, 5);
  sw_endpoints_set(&endpoints, addresses, count);
  assert_int_equal(endpoints.configured, 16);
  assert_int_equal(endpoints.count, 17);
  assert_known(15, &addresses[15]);
  assert_known(16, &one);
  assert_null(sw_endpoints_find(&endpoints, &addresses[16]));
}

static void address_that_is_set_again_keeps_its_state(void **state) {
  (void)state;
  set(&one, &two);
  sw_endpoints_find(&endpoints, &one)->attempt_time = 5;
  sw_endpoints_find(&endpoints, &two)->attempt_time = 7;
  set(&two, &three);
  assert_int_equal(sw_endpoints_find(&endpoints, &two)->attempt_time, 7);
  assert_int_equal(sw_endpoints_find(&endpoints, &three)->attempt_time, 0);
  set(&one, &two);
  assert_int_equal(sw_endpoints_find(&endpoints, &one)->attempt_time, 0);
}

static void last_address_follows_the_configured_ones(void **state) {
  (void)state;
  set(&one, &one);
  sw_endpoints_confirmed(&endpoints, &two, 5);
  assert_int_equal(endpoints.count, 2);
  assert_int_equal(endpoints.configured, 1);
  assert_known(1, &two);
  sw_endpoints_find(&endpoints, &two)->attempt_time = 7;
  sw_endpoints_confirmed(&endpoints, &two, 5);
  assert_int_equal(endpoints.count, 2);
  assert_int_equal(sw_endpoints_find(&endpoints, &two)->attempt_time, 7);
  set(&three, &three);
  assert_int_equal(endpoints.count, 2);
  assert_known(1, &two);
  assert_int_equal(sw_endpoints_find(&endpoints, &two)->attempt_time, 7);
}

static void last_address_replaces_the_one_before(void **state) {
  (void)state;
  set(&one, &one);
  sw_endpoints_confirmed(&endpoints, &two, 5);
  sw_endpoints_confirmed(&endpoints, &three, 5);
  assert_int_equal(endpoints.count, 2);
  assert_known(1, &three);
  sw_endpoints_confirmed(&endpoints, &one, 5); /* a configured one */
  assert_int_equal(endpoints.count, 1);
  assert_known(0, &one);
  assert_int_equal(endpoints.last.port, 1);
}

static void confirmed_session_is_an_answer(void **state) {
  (void)state;
  set(&one, &two);
  sw_endpoints_confirmed(&endpoints, &two, 5);
  assert_int_equal(sw_endpoints_find(&endpoints, &one)->answer_time, 0);
  assert_int_equal(sw_endpoints_find(&endpoints, &two)->answer_time, 5);
  sw_endpoints_confirmed(&endpoints, &three, 6);
  assert_int_equal(sw_endpoints_find(&endpoints, &three)->answer_time, 6);
}

static void port_zero_is_no_last_address(void **state) {
  (void)state;
  const struct sw_address nowhere = {.ip = {1}};
  set(&one, &one);
  sw_endpoints_confirmed(&endpoints, &two, 5);
  sw_endpoints_confirmed(&endpoints, &nowhere, 5);
  assert_int_equal(endpoints.count, 2);
  assert_known(1, &two);
  assert_int_equal(endpoints.last.port, 2);
}

static void without_a_last_address_only_the_configured_ones_are_known(void **state) {
  (void)state;
  set(&one, &two);
  set(&one, &one);
  assert_int_equal(endpoints.count, 1);
}

static void refusal_of_any_address_counts_for_three_seconds(void **state) {
  (void)state;
  set(&one, &two);
  for (unsigned i = 0; i < 2; i++) {
    assert_false(sw_endpoints_refused(&endpoints, NOW));
    endpoints.known[i].error = ECONNREFUSED;
    endpoints.known[i].error_time = NOW;
    assert_true(sw_endpoints_refused(&endpoints, NOW));
    assert_true(sw_endpoints_refused(&endpoints, NOW + 3 * SW_SECOND - 1));
    assert_false(sw_endpoints_refused(&endpoints, NOW + 3 * SW_SECOND));
    endpoints.known[i].error = EHOSTUNREACH;
    assert_false(sw_endpoints_refused(&endpoints, NOW));
  }
}

static void refusal_of_an_address_no_longer_known_is_ignored(void **state) {
  (void)state;
  set(&one, &two);
  endpoints.known[1].error = ECONNREFUSED;
  endpoints.known[1].error_time = NOW;
  assert_true(sw_endpoints_refused(&endpoints, NOW));
  set(&one, &one);
  assert_false(sw_endpoints_refused(&endpoints, NOW));
}

static void report_holds_every_known_address(void **state) {
  (void)state;
  static struct sw_link_status status;
  set(&one, &two);
  sw_endpoints_confirmed(&endpoints, &three, 5); /* leaves a third place behind */
  set(&one, &one);
  sw_endpoints_confirmed(&endpoints, &two, 5);
  for (unsigned i = 0; i < 2; i++) {
    endpoints.known[i].attempt_time = 10 + i;
    endpoints.known[i].answer_time = 20 + i;
    endpoints.known[i].error_time = 30 + i;
    endpoints.known[i].error = 40 + (int)i;
  }
  sw_endpoints_report(&endpoints, &status);
  assert_true(sw_address_equal(&status.peer, &two));
  assert_int_equal(status.endpoint_count, 2);
  for (unsigned i = 0; i < 2; i++) {
    assert_true(sw_address_equal(&status.endpoints[i].address, i == 0 ? &one : &two));
    assert_int_equal(status.endpoints[i].attempt_time, 10 + i);
    assert_int_equal(status.endpoints[i].answer_time, 20 + i);
    assert_int_equal(status.endpoints[i].error_time, 30 + i);
    assert_int_equal(status.endpoints[i].error, 40 + i);
  }
  assert_int_equal(status.endpoints[2].address.port, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(addresses_are_kept_in_their_order, clear),
      cmocka_unit_test_setup(same_address_is_kept_once, clear),
      cmocka_unit_test_setup(sixteen_addresses_and_the_last_are_kept, clear),
      cmocka_unit_test_setup(address_that_is_set_again_keeps_its_state, clear),
      cmocka_unit_test_setup(last_address_follows_the_configured_ones, clear),
      cmocka_unit_test_setup(confirmed_session_is_an_answer, clear),
      cmocka_unit_test_setup(last_address_replaces_the_one_before, clear),
      cmocka_unit_test_setup(port_zero_is_no_last_address, clear),
      cmocka_unit_test_setup(without_a_last_address_only_the_configured_ones_are_known, clear),
      cmocka_unit_test_setup(refusal_of_any_address_counts_for_three_seconds, clear),
      cmocka_unit_test_setup(refusal_of_an_address_no_longer_known_is_ignored, clear),
      cmocka_unit_test_setup(report_holds_every_known_address, clear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

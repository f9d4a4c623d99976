#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/cookie.h"

#define START (50 * SW_SECOND)

static struct sw_cookies cookies;
static struct sw_address source = {.ip = {1, 2, 3}, .port = 77, .scope = 5};
static uint8_t point[SW_POINT_BYTES], cookie[SW_COOKIE_BYTES];

static int begin(void **state) {
  (void)state;
  sw_cookies_start(&cookies, START);
  randombytes_buf(point, sizeof(point));
  sw_cookies_make(&cookies, START, &source, point, cookie);
  return 0;
}

static bool good(uint64_t now) {
  return sw_cookies_verify(&cookies, now, &source, point, cookie);
}

static void cookie_is_good_for_its_source_and_key_only(void **state) {
  (void)state;
  assert_true(good(START));
  for (unsigned i = 0; i < SW_IP_BYTES; i++) {
    source.ip[i] ^= 1;
    assert_false(good(START));
    source.ip[i] ^= 1;
  }
  source.port ^= 1;
  assert_false(good(START));
  source.port ^= 1;
  source.scope ^= 1;
  assert_false(good(START));
  source.scope ^= 1;
  for (unsigned i = 0; i < SW_POINT_BYTES; i++) {
    point[i] ^= 1;
    assert_false(good(START));
    point[i] ^= 1;
  }
  for (unsigned bit = 0; bit < SW_COOKIE_BYTES * 8; bit++) {
    cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_false(good(START));
    cookie[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_true(good(START));
}

static void cookie_of_another_responder_is_refused(void **state) {
  (void)state;
  sw_cookies_start(&cookies, START);
  assert_false(good(START));
}

static void cookie_outlives_one_change_of_the_secret(void **state) {
  (void)state;
  const uint8_t first = cookies.secret[0][0];
  assert_true(good(START + 120 * SW_SECOND - 1));
  assert_memory_equal(&cookies.secret[0][0], &first, 1);
  assert_true(good(START + 120 * SW_SECOND)); /* now by the previous secret */
  assert_true(cookies.drawn == START + 120 * SW_SECOND);
  assert_true(good(START + 240 * SW_SECOND - 1));
  assert_false(good(START + 240 * SW_SECOND));
}

static void cookie_is_dead_after_a_long_pause(void **state) {
  (void)state;
  assert_false(good(START + 240 * SW_SECOND));
  begin(NULL);
  assert_true(good(START + 240 * SW_SECOND - 1)); /* one change */
  begin(NULL);
  assert_false(good(START + 100000 * SW_SECOND));
}

/* Counts inits at one time; returns whether the last was over the limit. */
static bool inits(unsigned count, uint64_t now) {
  bool load = false;
  while (count--) load = sw_cookies_load(&cookies, now);
  return load;
}

static void load_begins_with_the_21st_init_of_a_second(void **state) {
  (void)state;
  assert_false(inits(20, START));
  assert_true(inits(1, START));
  assert_true(inits(1, START + SW_SECOND - 1));
}

static void load_lasts_through_the_next_second(void **state) {
  (void)state;
  inits(21, START);
  assert_true(inits(1, START + SW_SECOND));
  assert_true(inits(1, START + 2 * SW_SECOND - 1));
  assert_false(inits(1, START + 2 * SW_SECOND)); /* the second before had few */
}

static void load_is_over_after_a_quiet_second(void **state) {
  (void)state;
  inits(100, START);
  assert_false(inits(20, START + 2 * SW_SECOND));
  assert_true(inits(1, START + 2 * SW_SECOND));
}

static void few_inits_a_second_are_never_load(void **state) {
  (void)state;
  for (uint64_t second = 0; second < 100; second++)
    assert_false(inits(20, START + second * SW_SECOND));
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(cookie_is_good_for_its_source_and_key_only, begin),
      cmocka_unit_test_setup(cookie_of_another_responder_is_refused, begin),
      cmocka_unit_test_setup(cookie_outlives_one_change_of_the_secret, begin),
      cmocka_unit_test_setup(cookie_is_dead_after_a_long_pause, begin),
      cmocka_unit_test_setup(load_begins_with_the_21st_init_of_a_second, begin),
      cmocka_unit_test_setup(load_lasts_through_the_next_second, begin),
      cmocka_unit_test_setup(load_is_over_after_a_quiet_second, begin),
      cmocka_unit_test_setup(few_inits_a_second_are_never_load, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/cookie.h"

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

static void cookie_is_valid_for_its_source_and_key_only(void **state) {
  (void)state;
  assert_true(good(START));
  for (unsigned i = 0; i < SW_IP_BYTES; i++) {
    source.ip[i] ^= 1;
    assert_false(good(START));
    source.ip[i] ^= 1;
  }
  for (unsigned bit = 0; bit < 32; bit++) {
    source.port ^= UINT32_C(1) << bit;
    assert_false(good(START));
    source.port ^= UINT32_C(1) << bit;
  }
  for (unsigned bit = 0; bit < 32; bit++) {
    source.scope ^= UINT32_C(1) << bit;
    assert_false(good(START));
    source.scope ^= UINT32_C(1) << bit;
  }
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
  assert_true(good(START + 120 * SW_SECOND)); /* now with the previous secret */
  assert_true(cookies.drawn == START + 120 * SW_SECOND);
  assert_true(good(START + 240 * SW_SECOND - 1));
  assert_false(good(START + 240 * SW_SECOND));
}

static void every_byte_of_the_secrets_is_redrawn(void **state) {
  (void)state;
  struct sw_cookies all = cookies, any = {0};
  memset(any.secret, 0, sizeof(any.secret));
  for (unsigned round = 1; round <= 64; round++) {
    struct sw_cookies before = all;
    if (round % 2) all.drawn = 0; /* long ago: both are redrawn */
    sw_cookies_make(&all, 1000 * SW_SECOND * round, &source, point, cookie);
    for (size_t i = 0; i < sizeof(all.secret); i++)
      ((uint8_t *)any.secret)[i] |= ((uint8_t *)all.secret)[i] ^ ((uint8_t *)before.secret)[i];
  }
  for (size_t i = 0; i < sizeof(any.secret); i++)
    assert_int_not_equal(((uint8_t *)any.secret)[i], 0);
}

static void bytes_behind_the_secrets_are_not_used(void **state) {
  (void)state;
  struct {
    struct sw_cookies cookies;
    uint8_t behind[SW_KEY_BYTES];
  } all = {.behind = {1}};
  struct sw_cookies forged = {.drawn = START};
  sw_cookies_start(&all.cookies, START);
  memcpy(forged.secret[0], (uint8_t *)&all + sizeof(forged.secret), SW_KEY_BYTES);
  sw_cookies_make(&forged, START, &source, point, cookie);
  assert_false(sw_cookies_verify(&all.cookies, START, &source, point, cookie));
}

static void cookie_is_invalid_after_a_long_pause(void **state) {
  (void)state;
  assert_false(good(START + 240 * SW_SECOND));
  begin(NULL);
  assert_true(good(START + 240 * SW_SECOND - 1)); /* one change */
  begin(NULL);
  assert_false(good(START + 100000 * SW_SECOND));
}

static void secret_is_replaced_when_used_after_its_time(void **state) {
  (void)state;
  sw_cookies_make(&cookies, START + 120 * SW_SECOND, &source, point, cookie);
  assert_true(good(START + 360 * SW_SECOND - 1));
  begin(NULL);
  sw_cookies_make(&cookies, START + 120 * SW_SECOND, &source, point, cookie);
  assert_false(good(START + 360 * SW_SECOND));
}

/* A secret is replaced when it is next used. The former secret stays valid from then on. */
static void cookie_never_lives_for_360_seconds(void **state) {
  (void)state;
  assert_true(good(START + 240 * SW_SECOND - 1));
  assert_true(good(START + 360 * SW_SECOND - 2));
  assert_false(good(START + 360 * SW_SECOND - 1));
}

static void pause_invalidates_the_previous_secret_too(void **state) {
  (void)state;
  assert_true(good(START + 120 * SW_SECOND));
  assert_false(good(START + 360 * SW_SECOND));
}

/* Returns whether no 8 bytes of the two are equal: each secret is redrawn completely. */
static bool apart(const uint8_t *one, const uint8_t *other) {
  for (unsigned i = 0; i < SW_KEY_BYTES; i += 8)
    if (memcmp(one + i, other + i, 8) == 0) return false;
  return true;
}

static void secrets_are_redrawn_completely(void **state) {
  (void)state;
  static const uint8_t zero[SW_KEY_BYTES];
  const struct sw_cookies before = cookies;
  assert_true(apart(before.secret[0], zero));
  assert_true(apart(before.secret[1], zero));
  assert_true(apart(before.secret[0], before.secret[1]));
  good(START + 120 * SW_SECOND);
  assert_memory_equal(cookies.secret[1], before.secret[0], SW_KEY_BYTES);
  assert_true(apart(cookies.secret[0], before.secret[0]));
  const struct sw_cookies changed = cookies;
  good(START + 1000 * SW_SECOND);
  for (unsigned i = 0; i < 2; i++) {
    assert_true(apart(cookies.secret[i], changed.secret[0]));
    assert_true(apart(cookies.secret[i], changed.secret[1]));
  }
}

static void every_byte_of_the_secret_is_in_the_cookie(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_KEY_BYTES; i++) {
    cookies.secret[0][i] ^= 1;
    assert_false(good(START));
    cookies.secret[0][i] ^= 1;
  }
  assert_true(good(START));
}

/* Counts inits at one time; returns whether the last one exceeded the limit. */
static bool inits(unsigned count, uint64_t now) {
  bool load = false;
  while (count--) load = sw_cookies_count(&cookies, now);
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
  assert_false(inits(1, START + 2 * SW_SECOND)); /* the second before had few inits */
}

static void load_lasts_to_the_end_of_the_next_second(void **state) {
  (void)state;
  inits(21, START);
  assert_true(inits(1, START + 2 * SW_SECOND - 1));
}

static void load_is_over_after_a_quiet_second(void **state) {
  (void)state;
  inits(100, START);
  assert_false(inits(20, START + 2 * SW_SECOND));
  assert_true(inits(1, START + 2 * SW_SECOND));
}

static void few_inits_a_second_cause_no_load(void **state) {
  (void)state;
  for (uint64_t second = 0; second < 100; second++)
    assert_false(inits(20, START + second * SW_SECOND));
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(cookie_is_valid_for_its_source_and_key_only, begin),
      cmocka_unit_test_setup(cookie_of_another_responder_is_refused, begin),
      cmocka_unit_test_setup(cookie_outlives_one_change_of_the_secret, begin),
      cmocka_unit_test_setup(bytes_behind_the_secrets_are_not_used, begin),
      cmocka_unit_test_setup(every_byte_of_the_secrets_is_redrawn, begin),
      cmocka_unit_test_setup(cookie_is_invalid_after_a_long_pause, begin),
      cmocka_unit_test_setup(secret_is_replaced_when_used_after_its_time, begin),
      cmocka_unit_test_setup(cookie_never_lives_for_360_seconds, begin),
      cmocka_unit_test_setup(pause_invalidates_the_previous_secret_too, begin),
      cmocka_unit_test_setup(secrets_are_redrawn_completely, begin),
      cmocka_unit_test_setup(every_byte_of_the_secret_is_in_the_cookie, begin),
      cmocka_unit_test_setup(load_begins_with_the_21st_init_of_a_second, begin),
      cmocka_unit_test_setup(load_lasts_through_the_next_second, begin),
      cmocka_unit_test_setup(load_lasts_to_the_end_of_the_next_second, begin),
      cmocka_unit_test_setup(load_is_over_after_a_quiet_second, begin),
      cmocka_unit_test_setup(few_inits_a_second_cause_no_load, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

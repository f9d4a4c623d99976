/*
 * When packets of the TUN device are queued, because the processor is slower than what arrives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/backlog.h"

#define MS UINT64_C(1000000)
#define SLOW 200000000 /* bytes a second, from here on a processor is not slow */

static struct sw_backlog backlog;
static uint64_t now;

static void begin(void) {
  now = 1000 * MS;
  backlog = (struct sw_backlog){0};
}

/* Seals at `rate` for `time`, a wake-up each millisecond. */
static void carry(uint64_t rate, uint64_t time) {
  for (const uint64_t end = now + time; now < end; now += MS)
    sw_backlog_left(&backlog, now, rate / 1000);
}

static void slow_processor_with_a_backlog_limits_after_10_ms(void **state) {
  (void)state;
  static const uint64_t rates[] = {1000, 5000000, 80000000, SLOW - 1000};
  for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
    begin();
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
    carry(rates[i], 10 * MS);
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
    carry(rates[i], MS);
    assert_true(sw_backlog_limits(&backlog));
    assert_int_equal(backlog.rate, rates[i]);
    assert_int_equal(sw_backlog_run(&backlog), rates[i] / 1000);
    sw_backlog_end(&backlog);
    assert_false(sw_backlog_limits(&backlog));
  }
}

static void fast_processor_never_limits(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 1000; i++) {
    carry(SLOW, 100 * MS);
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
  }
  carry(50 * (uint64_t)SLOW, 1000 * MS);
  assert_false(sw_backlog_limits(&backlog));
}

static void device_that_is_empty_now_and_then_does_not_limit(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 1000; i++) {
    carry(80000000, 10 * MS);
    sw_backlog_end(&backlog);
    assert_false(sw_backlog_limits(&backlog));
  }
}

static void slowest_rate_limits_too(void **state) {
  (void)state;
  begin();
  sw_backlog_left(&backlog, now, 1);
  sw_backlog_left(&backlog, now + 1000 * MS, 1);
  assert_int_equal(backlog.rate, 1);
  assert_true(sw_backlog_limits(&backlog));
  sw_backlog_end(&backlog);
  assert_int_equal(backlog.since, 0);
  assert_int_equal(backlog.rate, 0);
}

static void processor_is_measured_anew_every_10_ms(void **state) {
  (void)state;
  begin();
  carry(2 * (uint64_t)SLOW, 1001 * MS);
  assert_false(sw_backlog_limits(&backlog));
  carry(SLOW / 2, 20 * MS);
  assert_true(sw_backlog_limits(&backlog));
  assert_int_equal(backlog.rate, SLOW / 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slow_processor_with_a_backlog_limits_after_10_ms),
      cmocka_unit_test(fast_processor_never_limits),
      cmocka_unit_test(device_that_is_empty_now_and_then_does_not_limit),
      cmocka_unit_test(slowest_rate_limits_too),
      cmocka_unit_test(processor_is_measured_anew_every_10_ms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

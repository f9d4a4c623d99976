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

static void begin(void) {
  backlog = (struct sw_backlog){.rate = 0};
}

/* Works at `rate` for some milliseconds, a wake-up each. */
static void work(uint64_t rate, unsigned milliseconds) {
  for (unsigned i = 0; i < milliseconds; i++) sw_backlog_left(&backlog, MS, (size_t)(rate / 1000));
}

static void slow_processor_with_a_backlog_limits_after_10_ms(void **state) {
  (void)state;
  static const uint64_t rates[] = {2000000, 5000000, 80000000, SLOW - 1000};
  for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
    begin();
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
    work(rates[i], 9);
    sw_backlog_left(&backlog, MS - 1, (size_t)(rates[i] / 1000));
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
    sw_backlog_left(&backlog, 1, 0);
    assert_true(sw_backlog_limits(&backlog));
    assert_int_equal(backlog.rate, rates[i]);
    assert_int_equal(sw_backlog_run(&backlog), rates[i] / 1000);
    sw_backlog_end(&backlog);
    assert_int_equal(backlog.rate, 0);
  }
}

static void fast_processor_never_limits(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 1000; i++) {
    work(SLOW, 100);
    assert_false(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), SIZE_MAX);
  }
  work(50 * (uint64_t)SLOW, 1000);
  assert_false(sw_backlog_limits(&backlog));
}

static void device_that_is_empty_now_and_then_does_not_limit(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 1000; i++) {
    work(80000000, 9);
    sw_backlog_end(&backlog);
    assert_false(sw_backlog_limits(&backlog));
  }
}

/* As after another process has had the processor for a while. */
static void processor_is_measured_anew_every_10_ms(void **state) {
  (void)state;
  begin();
  work(2 * (uint64_t)SLOW, 1001);
  sw_backlog_left(&backlog, 1000 * MS, SLOW / 1000);
  assert_true(sw_backlog_limits(&backlog));
  work(SLOW, 10);
  assert_false(sw_backlog_limits(&backlog));
  work(SLOW / 2, 10);
  assert_true(sw_backlog_limits(&backlog));
  assert_int_equal(backlog.rate, SLOW / 2);
}

/* Something is always sent. */
static void slowest_processor_seals_a_packet_in_each_wake_up(void **state) {
  (void)state;
  static const size_t bytes[] = {1, 1513, 1514, 1515};
  for (unsigned i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
    begin();
    sw_backlog_left(&backlog, 1000 * MS, bytes[i] * 1000);
    assert_true(sw_backlog_limits(&backlog));
    assert_int_equal(sw_backlog_run(&backlog), bytes[i] < 1515 ? 1514 : bytes[i]);
  }
  sw_backlog_left(&backlog, 1000 * MS, 1);
  assert_true(sw_backlog_limits(&backlog));
  sw_backlog_left(&backlog, 1000 * MS, 0); /* nothing was sealed at all: that is no rate */
  assert_false(sw_backlog_limits(&backlog));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slow_processor_with_a_backlog_limits_after_10_ms),
      cmocka_unit_test(fast_processor_never_limits),
      cmocka_unit_test(device_that_is_empty_now_and_then_does_not_limit),
      cmocka_unit_test(processor_is_measured_anew_every_10_ms),
      cmocka_unit_test(slowest_processor_seals_a_packet_in_each_wake_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

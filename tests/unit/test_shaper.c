/*
 * The shaper: what is sent in a time is what the line carries in it, with all headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/shaper.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

static const uint64_t rates[] = {64000, 1000000, 50000000, 1000000000, 100000000000};
enum { RATES = sizeof(rates) / sizeof(rates[0]) };

static void without_a_rate_nothing_is_limited(void **state) {
  (void)state;
  struct sw_shaper shaper = {.next = 0};
  assert_false(sw_shaper_limits(&shaper));
  assert_int_equal(sw_shaper_run(&shaper), SIZE_MAX);
  sw_shaper_sent(&shaper, SECOND, 1000000, 1000, true);
  assert_int_equal(shaper.next, 0);
}

/* Sends as soon as it may for a second, with timers that are up to `late` late; returns the bytes of
 * the line. */
static uint64_t send_for_a_second(uint64_t rate, uint64_t late, unsigned overhead, bool v4) {
  struct sw_shaper shaper;
  sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = rate, .overhead = overhead});
  assert_true(sw_shaper_limits(&shaper));
  const uint64_t begin = 5 * SECOND;
  uint64_t now = begin, wire = 0;
  while (now < begin + SECOND) {
    if (shaper.next > now) {
      now = shaper.next + (late ? (uint64_t)rand() % late : 0);
      continue;
    }
    const unsigned count = 1 + (unsigned)rand() % 20;
    const size_t bytes = count * (40 + (size_t)rand() % 1400);
    sw_shaper_sent(&shaper, now, bytes, count, v4);
    wire += bytes + count * ((v4 ? 28 : 48) + overhead);
  }
  return wire;
}

static void line_is_used_and_not_overrun(void **state) {
  (void)state;
  srand(1);
  for (unsigned i = 0; i < RATES; i++)
    for (unsigned late = 0; late < 2; late++)
      for (unsigned v4 = 0; v4 < 2; v4++)
        for (unsigned overhead = 0; overhead < 100; overhead += 44) {
          const uint64_t wire = send_for_a_second(rates[i], late * MS, overhead, v4);
          const uint64_t carried = rates[i] / 8;
          /* the credit of 2 ms, parts of nanoseconds, and the last datagrams, which may be 20 */
          assert_true(wire <= carried + carried / 500 + carried / 1000 + UINT64_C(20) * 1600);
          assert_true(wire >= carried - carried / 100);
        }
}

static void nothing_is_saved_up_but_2_ms(void **state) {
  (void)state;
  struct sw_shaper shaper;
  sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = 8000000}); /* a byte is 1 microsecond */
  sw_shaper_sent(&shaper, 9 * SECOND, 972, 1, true);
  assert_int_equal(shaper.next, 9 * SECOND - 2 * MS + 1 * MS);
  sw_shaper_sent(&shaper, 9 * SECOND, 972, 1, true);
  sw_shaper_sent(&shaper, 9 * SECOND, 1952, 1, false);
  assert_int_equal(shaper.next, 9 * SECOND + 2 * MS);
  /* from here on the time until the next call counts */
  sw_shaper_sent(&shaper, 9 * SECOND + 4 * MS, 972, 1, true);
  assert_int_equal(shaper.next, 9 * SECOND + 3 * MS);
  sw_shaper_sent(&shaper, 9 * SECOND + 5 * MS + 1, 972, 1, true);
  assert_int_equal(shaper.next, 9 * SECOND + 4 * MS + 1);
}

static void slowest_rate_is_a_limit(void **state) {
  (void)state;
  struct sw_shaper shaper;
  sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = 1});
  assert_true(sw_shaper_limits(&shaper));
}

static void change_forgets_what_was_sent(void **state) {
  (void)state;
  struct sw_shaper shaper;
  sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = 64000});
  sw_shaper_sent(&shaper, 9 * SECOND, 64000, 50, true);
  assert_true(shaper.next > 16 * SECOND);
  sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = 8000000, .overhead = 8});
  assert_int_equal(shaper.next, 0);
  assert_int_equal(shaper.shaping.overhead, 8);
}

static void run_is_a_millisecond(void **state) {
  (void)state;
  for (unsigned i = 0; i < RATES; i++) {
    struct sw_shaper shaper;
    sw_shaper_set(&shaper, &(struct sw_shaping){.bandwidth = rates[i]});
    assert_int_equal(sw_shaper_run(&shaper), rates[i] / 8000);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_rate_nothing_is_limited),
      cmocka_unit_test(line_is_used_and_not_overrun),
      cmocka_unit_test(nothing_is_saved_up_but_2_ms),
      cmocka_unit_test(slowest_rate_is_a_limit),
      cmocka_unit_test(change_forgets_what_was_sent),
      cmocka_unit_test(run_is_a_millisecond),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

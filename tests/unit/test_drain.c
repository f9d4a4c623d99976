/*
 * How much may wait in the socket: against a model of a line that drains it at a rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/drain.h"
#include "linux/udp.h"

#define MS UINT64_C(1000000)
#define DATAGRAM 2304 /* bytes of memory that one takes */

static struct sw_drain drain;
static uint64_t now, late; /* nanoseconds; how long a wake-up takes at most */

/* Fills the buffer, and wakes up when half of it has drained, some times. */
static void carry(uint64_t rate, unsigned times) {
  for (unsigned i = 0; i < times; i++) {
    const size_t full = drain.buffer + (size_t)rand() % DATAGRAM;
    sw_drain_full(&drain, now, full);
    const size_t most = full - drain.buffer / 2;
    uint64_t time = most * UINT64_C(1000000000) / rate + 1;
    if (late) time += (uint64_t)rand() % late;
    now += time;
    const uint64_t drained = rate * (time / 1000) / 1000000;
    sw_drain_left(&drain, now, drained < full ? (size_t)(full - drained) : 0);
  }
}

static void begin(void) {
  srand(1);
  now = 1000 * MS;
  late = 0;
  sw_drain_init(&drain);
}

static void nothing_is_limited_before_the_buffer_was_full(void **state) {
  (void)state;
  begin();
  assert_false(sw_drain_limits(&drain));
  assert_int_equal(drain.buffer, SW_UDP_BUFFER_SENT);
  assert_int_equal(sw_drain_run(&drain), SIZE_MAX);
  sw_drain_left(&drain, now, 0);
  assert_int_equal(drain.rate, 0);
}

static void buffer_holds_what_drains_in_2_ms(void **state) {
  (void)state;
  static const uint64_t rates[] = {5000000, 12500000, 62500000, 100000000};
  for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
    begin();
    carry(rates[i], 1); /* once is enough */
    assert_in_range(drain.rate, rates[i] * 98 / 100, rates[i] * 102 / 100);
    carry(rates[i], 200);
    assert_in_range(drain.rate, rates[i] * 98 / 100, rates[i] * 102 / 100);
    assert_in_range(drain.buffer, rates[i] / 500 * 98 / 100, rates[i] / 500 * 102 / 100);
    assert_in_range(sw_drain_run(&drain), rates[i] / 1000 * 98 / 100, rates[i] / 1000 * 102 / 100);
  }
}

static void buffer_has_limits(void **state) {
  (void)state;
  begin();
  carry(100000, 10); /* 0.8 Mbit/s */
  assert_in_range(drain.buffer, 3 * DATAGRAM, 4 * DATAGRAM);
  assert_true(sw_drain_run(&drain) < DATAGRAM);
  assert_true(sw_drain_limits(&drain));
  carry(312500000, 300); /* 2.5 Gbit/s */
  assert_int_equal(drain.buffer, 256 << 10);
  assert_true(sw_drain_limits(&drain));
  carry(UINT64_C(2000000000), 300);
  assert_int_equal(drain.buffer, 256 << 10);
  assert_false(sw_drain_limits(&drain));
}

static void rate_follows_the_line(void **state) {
  (void)state;
  begin();
  carry(12500000, 50);
  carry(2500000, 80);
  assert_in_range(drain.rate, 2400000, 2600000);
  carry(50000000, 120);
  assert_in_range(drain.rate, 48000000, 52000000);
}

/* Then the line would be idle. */
static void buffer_grows_while_wakeups_find_it_empty(void **state) {
  (void)state;
  begin();
  carry(12500000, 50);
  late = 4 * MS;
  carry(12500000, 300);
  assert_true(drain.buffer > 12500000 / 500 * 2);
  assert_true(drain.buffer <= 12500000 / 500 * 4 * 102 / 100);
  assert_in_range(drain.rate, 11000000, 13000000);
  late = 30 * MS; /* always empty */
  for (unsigned i = 0; i < 100; i++) {
    sw_drain_full(&drain, now, 40000);
    sw_drain_left(&drain, now += late, 0);
  }
  assert_in_range(drain.buffer, drain.rate / 500 * 4 - 8, drain.rate / 500 * 4);
  late = 0;
  carry(12500000, 300);
  assert_in_range(drain.buffer, 24500, 25500);
}

/* Exact figures of one measurement. */
static void one_measurement_is_exact(void **state) {
  (void)state;
  begin();
  sw_drain_full(&drain, now, 40000);
  sw_drain_left(&drain, now += 2 * MS, 10000);
  assert_int_equal(drain.rate, 15000000);
  assert_int_equal(drain.buffer, 30000);
  assert_int_equal(sw_drain_run(&drain), 15000);
  sw_drain_left(&drain, now += MS, 0); /* it is not full any more */
  assert_int_equal(drain.rate, 15000000);
  /* found empty at the same rate: only the buffer changes, by an eighth */
  sw_drain_full(&drain, now, 30000);
  sw_drain_left(&drain, now += 2 * MS, 0);
  assert_int_equal(drain.rate, 15000000);
  assert_int_equal(drain.buffer, 33750);
  /* slower than known: nothing is learned from an empty one */
  sw_drain_full(&drain, now, 30000);
  sw_drain_left(&drain, now += 20 * MS, 0);
  assert_int_equal(drain.rate, 15000000);
}

static void begin_at_15000000(void) {
  begin();
  sw_drain_sent(&drain, now, 5000); /* before it was full: that does not count */
  sw_drain_full(&drain, now, 40000);
  sw_drain_left(&drain, now += 2 * MS, 10000);
  assert_int_equal(drain.rate, 15000000);
}

static void empty_buffer_shows_a_lower_bound_only(void **state) {
  (void)state;
  begin_at_15000000();
  /* the same rate: it does not count */
  sw_drain_full(&drain, now, 30000);
  sw_drain_left(&drain, now += 2 * MS, 0);
  sw_drain_full(&drain, now, 30000);
  sw_drain_left(&drain, now += 3 * MS, 15000);
  assert_int_equal(drain.rate, UINT64_C(43125) * 1000000000 / 4875000);
  /* more */
  begin_at_15000000();
  sw_drain_full(&drain, now, 60000);
  sw_drain_left(&drain, now += MS, 0);
  assert_int_equal(drain.rate, UINT64_C(88125) * 1000000000 / 2875000);
  /* a byte is left */
  begin_at_15000000();
  sw_drain_full(&drain, now, 30001);
  sw_drain_left(&drain, now += 20 * MS, 1);
  assert_int_equal(drain.rate, UINT64_C(58125) * 1000000000 / 21875000);
}

static void limits_are_exact(void **state) {
  (void)state;
  drain.rate = 500000000;
  assert_false(sw_drain_limits(&drain));
  drain.rate--;
  assert_true(sw_drain_limits(&drain));
  begin_at_15000000();
  now = drain.full_time + MS;
  sw_drain_sent(&drain, now, (1 << 20) + 4 * 15000);
  assert_int_equal(drain.rate, 15000000);
  sw_drain_sent(&drain, now, 1);
  assert_int_equal(drain.rate, 0);
}

static void stalled_line_is_no_error(void **state) {
  (void)state;
  begin();
  sw_drain_full(&drain, now, 300000);
  sw_drain_left(&drain, now, 300000); /* no time has passed */
  assert_int_equal(drain.rate, 0);
  sw_drain_left(&drain, now += 3600 * UINT64_C(1000000000), 300000);
  assert_int_equal(drain.rate, 1);
  sw_drain_full(&drain, now, 300000);
  sw_drain_left(&drain, now += 1, 400000); /* control datagrams were sent */
  assert_int_equal(drain.rate, 1);
  begin();
  sw_drain_full(&drain, now, 1000);
  sw_drain_left(&drain, now += 100 * MS, 2000);
  assert_int_equal(drain.rate, 1);
}

static void limit_is_forgotten_when_more_passes(void **state) {
  (void)state;
  begin();
  carry(12500000, 50);
  sw_drain_full(&drain, now, 25000);
  sw_drain_left(&drain, now += MS, 12500);
  /* ten seconds at the rate, and a burst */
  for (unsigned i = 0; i < 10000; i++) sw_drain_sent(&drain, now += MS, 12500);
  sw_drain_sent(&drain, now, 1 << 20);
  assert_true(drain.rate > 0);
  now += 86400 * UINT64_C(1000000000);
  sw_drain_sent(&drain, now, 1 << 20);
  assert_true(drain.rate > 0);
  carry(12500000, 1);
  for (unsigned i = 0; i < 50; i++) sw_drain_sent(&drain, now += MS / 2, 70000);
  assert_int_equal(drain.rate, 0);
  assert_int_equal(drain.buffer, SW_UDP_BUFFER_SENT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_limited_before_the_buffer_was_full),
      cmocka_unit_test(buffer_holds_what_drains_in_2_ms),
      cmocka_unit_test(buffer_has_limits),
      cmocka_unit_test(rate_follows_the_line),
      cmocka_unit_test(buffer_grows_while_wakeups_find_it_empty),
      cmocka_unit_test(one_measurement_is_exact),
      cmocka_unit_test(empty_buffer_shows_a_lower_bound_only),
      cmocka_unit_test(limits_are_exact),
      cmocka_unit_test(stalled_line_is_no_error),
      cmocka_unit_test(limit_is_forgotten_when_more_passes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

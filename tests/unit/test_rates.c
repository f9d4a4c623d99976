/* Rates between counts. */
#include "parent/rates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void one_count_is_no_rate(void **state) {
  (void)state;
  struct sw_rates rates = {0};
  sw_rates_count(&rates, 5 * MS, 100, 200);
  assert_false(rates.measured);
}

static void rate_is_that_of_the_last_interval(void **state) {
  (void)state;
  struct sw_rates rates = {0};
  sw_rates_count(&rates, 1000 * MS, 100, 200);
  sw_rates_count(&rates, 1999 * MS, 500, 500); /* too early */
  assert_false(rates.measured);
  sw_rates_count(&rates, 2000 * MS, 1100, 2200);
  assert_true(rates.measured);
  assert_true(rates.in == 1000 && rates.out == 2000);
  sw_rates_count(&rates, 6000 * MS, 1100, 2300);
  assert_true(rates.in == 0 && rates.out == 25);
}

static void counters_of_another_engine_begin_anew(void **state) {
  (void)state;
  for (unsigned out = 0; out < 2; out++) {
    struct sw_rates rates = {0};
    sw_rates_count(&rates, 1000 * MS, 100, 100);
    sw_rates_count(&rates, 2000 * MS, 200, 200);
    assert_true(rates.measured);
    sw_rates_count(&rates, 3000 * MS, out ? 200 : 199, out ? 199 : 200);
    assert_false(rates.measured);
    sw_rates_count(&rates, 4000 * MS, 300, 300);
    assert_true(rates.measured);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_count_is_no_rate),
      cmocka_unit_test(rate_is_that_of_the_last_interval),
      cmocka_unit_test(counters_of_another_engine_begin_anew),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

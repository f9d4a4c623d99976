/* What systemd is told, and how often. */
#include "parent/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t watchdog(const char *usec, long pid) {
  char whom[32];
  snprintf(whom, sizeof(whom), "%ld", pid);
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  if (usec) setenv("WATCHDOG_USEC", usec, 1);
  if (pid) setenv("WATCHDOG_PID", whom, 1);
  return sw_notify_watchdog();
}

static void systemd_hears_twice_in_its_time(void **state) {
  (void)state;
  assert_int_equal(watchdog("60000000", getpid()), 30000);
  assert_int_equal(watchdog("60000000", 0), 30000);
  assert_int_equal(watchdog("3000", 0), 1);
}

static void without_a_watchdog_nothing_is_due(void **state) {
  (void)state;
  assert_int_equal(watchdog(NULL, 0), 0);
  assert_int_equal(watchdog("", 0), 0);
  assert_int_equal(watchdog("soon", 0), 0);
}

/* A hook, or a service started by one, has the variables, too. */
static void the_watchdog_of_another_process_is_not_ours(void **state) {
  (void)state;
  assert_int_equal(watchdog("60000000", getppid()), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(systemd_hears_twice_in_its_time),
      cmocka_unit_test(without_a_watchdog_nothing_is_due),
      cmocka_unit_test(the_watchdog_of_another_process_is_not_ours),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

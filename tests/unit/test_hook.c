/* Expansion of hooks to commands, and commands as child processes of a loop. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/hook.h"

static uv_loop_t loop;
static struct sw_hook hook;

static int set_up(void **state) {
  (void)state;
  memset(&hook, 0, sizeof(hook));
  return uv_loop_init(&loop);
}

static int tear_down(void **state) {
  (void)state;
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop);
}

static void wait_for_end(void) {
  while (sw_hook_running(&hook)) uv_run(&loop, UV_RUN_ONCE);
}

static const char *failure_of(const char *command) {
  sw_hook_start(&hook, &loop, command);
  assert_true(sw_hook_running(&hook));
  wait_for_end();
  return hook.failure;
}

static void assert_commands(char *const hooks[], size_t count, const char *wanted) {
  char *text = sw_hook_commands(hooks, count, "site-b");
  assert_string_equal(text, wanted);
  free(text);
}

static void each_hook_is_a_line_with_the_interfaces_name(void **state) {
  (void)state;
  char *hooks[] = {"ip link show %i", "%i", "a%i%ib", "100% %I", "%"};
  assert_commands(hooks, 5, "ip link show site-b\nsite-b\nasite-bsite-bb\n100% %I\n%\n");
  assert_commands(hooks, 0, "");
}

static void a_command_that_succeeds_has_no_failure(void **state) {
  (void)state;
  assert_string_equal(failure_of("exit 7"),
                      "hook \"exit 7\" failed with status 7 (run it by hand to see why)");
  assert_string_equal(failure_of("true"), "");
}

static void a_signal_that_ends_a_command_is_reported(void **state) {
  (void)state;
  assert_string_equal(failure_of("kill -KILL $$"),
                      "hook \"kill -KILL $$\" was ended by signal 9 (Killed)");
}

static void a_long_command_is_named_by_its_start(void **state) {
  (void)state;
  char command[4096];
  memset(command, 'x', sizeof(command));
  memcpy(command, "exit 7; ", 8);
  command[sizeof(command) - 1] = '\0';
  const char *failure = failure_of(command);
  assert_memory_equal(failure, "hook \"exit 7; xxx", 17);
  assert_non_null(strstr(failure, "xxx...\" failed with status 7"));
  assert_true(strlen(failure) < 160);
}

static void a_command_gets_sigpipe_though_we_ignore_it(void **state) {
  (void)state;
  signal(SIGPIPE, SIG_IGN);
  assert_non_null(strstr(failure_of("kill -PIPE $$"), "signal 13"));
}

static void a_command_is_stopped_with_all_that_it_started(void **state) {
  (void)state;
  int ends[2];
  char byte;
  assert_int_equal(pipe(ends), 0); /* the command and its children keep it open */
  sw_hook_start(&hook, &loop, "sleep 60 & sleep 60");
  close(ends[1]);
  sw_hook_stop(&hook);
  sw_hook_stop(&hook);
  wait_for_end();
  assert_string_equal(hook.failure, "hook \"sleep 60 & sleep 60\" was ended before its time");
  assert_int_equal(read(ends[0], &byte, 1), 0); /* no process has it open any more */
  close(ends[0]);
}

static void a_command_that_has_ended_is_not_stopped(void **state) {
  (void)state;
  assert_string_equal(failure_of("true"), "");
  sw_hook_stop(&hook);
  assert_string_equal(hook.failure, "");
}

static void a_command_that_ignores_sigterm_is_killed(void **state) {
  (void)state;
  sw_hook_start(&hook, &loop, "trap '' TERM; echo >&2; while :; do sleep 1; done");
  usleep(200000); /* until the trap is set */
  sw_hook_stop(&hook);
  wait_for_end();
  assert_non_null(strstr(hook.failure, "was ended before its time"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(each_hook_is_a_line_with_the_interfaces_name),
      TEST(a_command_that_succeeds_has_no_failure),
      TEST(a_signal_that_ends_a_command_is_reported),
      TEST(a_long_command_is_named_by_its_start),
      TEST(a_command_gets_sigpipe_though_we_ignore_it),
      TEST(a_command_is_stopped_with_all_that_it_started),
      TEST(a_command_that_has_ended_is_not_stopped),
      TEST(a_command_that_ignores_sigterm_is_killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The locations of a link's files, and which contents are trusted.  Each test has its own
 * directory. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/runtime.h"
#include "parent/undo.h"

static char directory[64];
static struct sw_error error;

static int set_up(void **state) {
  (void)state;
  strcpy(directory, "/tmp/saltway-test-XXXXXX");
  if (!mkdtemp(directory)) return -1;
  return setenv("RUNTIME_DIRECTORY", directory, 1);
}

static int tear_down(void **state) {
  (void)state;
  char command[96];
  snprintf(command, sizeof(command), "rm -rf %s", directory);
  return system(command);
}

static const char *record(void) {
  static char path[SW_RUNTIME_PATH];
  assert_int_equal(sw_runtime_path("l1", SW_RUNTIME_UNDO, path, &error), 0);
  return path;
}

static void write_record(const char *text) {
  const int fd = open(record(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void assert_read(const char *wanted) {
  char *commands;
  assert_int_equal(sw_undo_read("l1", SW_RUNTIME_UNDO, &commands, &error), 0);
  assert_string_equal(commands, wanted);
  free(commands);
}

static void assert_refused(const char *why) {
  char *commands;
  assert_int_equal(sw_undo_read("l1", SW_RUNTIME_UNDO, &commands, &error), -EPERM);
  assert_null(commands);
  if (!strstr(error.text, why)) fail_msg("\"%s\" is not in: %s", why, error.text);
}

/* ---- names ---- */

static void a_file_is_named_after_link_and_namespace(void **state) {
  (void)state;
  struct stat ours;
  char path[SW_RUNTIME_PATH], wanted[SW_RUNTIME_PATH];
  assert_int_equal(stat("/proc/self/ns/net", &ours), 0);
  assert_int_equal(sw_runtime_path("l1", SW_RUNTIME_SOCKET, path, &error), 0);
  snprintf(wanted, sizeof(wanted), "%s/l1@%ju.sock", directory, (uintmax_t)ours.st_ino);
  assert_string_equal(path, wanted);
}

static void a_path_that_is_too_long_is_refused(void **state) {
  (void)state;
  char longest[SW_RUNTIME_PATH + 1], path[SW_RUNTIME_PATH];
  memset(longest, 'x', sizeof(longest) - 1);
  longest[0] = '/';
  longest[sizeof(longest) - 1] = '\0';
  setenv("RUNTIME_DIRECTORY", longest, 1);
  assert_int_equal(sw_runtime_directory(path, &error), -ENAMETOOLONG);
  longest[sizeof(longest) - 2] = '\0';
  setenv("RUNTIME_DIRECTORY", longest, 1);
  assert_int_equal(sw_runtime_directory(path, &error), 0);
  assert_int_equal(sw_runtime_path("l1", SW_RUNTIME_SOCKET, path, &error), -ENAMETOOLONG);
}

static void the_first_of_systemds_directories_is_used(void **state) {
  (void)state;
  char path[SW_RUNTIME_PATH];
  setenv("RUNTIME_DIRECTORY", "/run/one:/run/two", 1);
  assert_int_equal(sw_runtime_directory(path, &error), 0);
  assert_string_equal(path, "/run/one");
}

static void only_sockets_of_this_namespace_are_links(void **state) {
  (void)state;
  char path[SW_RUNTIME_PATH], *file = path + strlen(directory) + 1;
  assert_int_equal(sw_runtime_path("l1", SW_RUNTIME_SOCKET, path, &error), 0);
  assert_true(sw_runtime_is_socket(file));
  assert_string_equal(file, "l1");
  assert_int_equal(sw_runtime_path("l1", SW_RUNTIME_LOCK, path, &error), 0);
  assert_false(sw_runtime_is_socket(file));
  assert_int_equal(sw_runtime_path("", SW_RUNTIME_SOCKET, path, &error), 0);
  assert_false(sw_runtime_is_socket(file));
  char others[][32] = {"l1@1.sock", "l1.sock", "empty", ".", "@"};
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
    assert_false(sw_runtime_is_socket(others[i]));
}

/* ---- the record of how to undo a run ---- */

static void record_is_read_as_written(void **state) {
  (void)state;
  struct stat status;
  assert_int_equal(sw_undo_write("l1", SW_RUNTIME_UNDO, "one\n", &error), 0);
  assert_int_equal(sw_undo_write("l1", SW_RUNTIME_UNDO, "first %i\nsecond\n", &error), 0);
  assert_read("first %i\nsecond");
  assert_int_equal(stat(record(), &status), 0);
  assert_int_equal(status.st_mode & 07777, 0600);
  sw_undo_remove("l1", SW_RUNTIME_UNDO);
  assert_int_equal(access(record(), F_OK), -1);
}

static void a_missing_record_is_no_error(void **state) {
  (void)state;
  char *commands;
  assert_int_equal(sw_undo_read("l1", SW_RUNTIME_UNDO, &commands, &error), 0);
  assert_null(commands);
  sw_undo_remove("l1", SW_RUNTIME_UNDO);
}

static void an_incomplete_command_is_ignored(void **state) {
  (void)state;
  write_record("rm -rf /tmp/x\nrm -rf /tm");
  assert_read("rm -rf /tmp/x");
  write_record("rm -rf /tm");
  assert_read("");
  write_record("");
  assert_read("");
}

static void a_record_that_others_can_write_is_refused(void **state) {
  (void)state;
  write_record("one\n");
  chmod(record(), 0620);
  assert_refused("others may have written");
  chmod(record(), 0602);
  assert_refused("others may have written");
  chmod(record(), 0600);
  assert_read("one");
}

static void a_record_of_another_user_is_refused(void **state) {
  (void)state;
  if (geteuid() != 0) skip();
  write_record("one\n");
  assert_int_equal(chown(record(), 65534, 65534), 0);
  assert_refused("others may have written");
}

static void a_record_with_a_second_name_is_refused(void **state) {
  (void)state;
  char other[SW_RUNTIME_PATH];
  write_record("one\n");
  snprintf(other, sizeof(other), "%s/other", directory);
  assert_int_equal(link(record(), other), 0);
  assert_refused("others may have written");
}

static void a_record_that_is_no_file_is_refused(void **state) {
  (void)state;
  char *commands;
  assert_int_equal(mkfifo(record(), 0600), 0);
  assert_refused("others may have written");
  unlink(record());
  assert_int_equal(symlink("/etc/passwd", record()), 0);
  assert_int_equal(sw_undo_read("l1", SW_RUNTIME_UNDO, &commands, &error), -ELOOP);
  assert_null(commands);
}

static void a_record_in_a_directory_that_others_can_write_is_refused(void **state) {
  (void)state;
  write_record("one\n");
  chmod(directory, 0777);
  assert_refused("others may write to");
  assert_int_equal(sw_undo_write("l1", SW_RUNTIME_UNDO, "one\n", &error), -EPERM);
  chmod(directory, 0700);
  if (geteuid() != 0) return;
  assert_int_equal(chown(directory, 65534, 65534), 0);
  assert_refused("others may write to");
}

/* A record of half the commands would be worse than no record. */
static void a_failed_write_leaves_no_record(void **state) {
  (void)state;
  struct rlimit before, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  small = (struct rlimit){.rlim_cur = 8, .rlim_max = before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  assert_int_equal(sw_undo_write("l1", SW_RUNTIME_UNDO, "the first\nthe second\n", &error),
                   -ENOSPC);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
  assert_int_equal(access(record(), F_OK), -1);
  setenv("RUNTIME_DIRECTORY", "/nowhere", 1);
  assert_int_equal(sw_undo_write("l1", SW_RUNTIME_UNDO, "one\n", &error), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_file_is_named_after_link_and_namespace),
      TEST(a_path_that_is_too_long_is_refused),
      TEST(the_first_of_systemds_directories_is_used),
      TEST(only_sockets_of_this_namespace_are_links),
      TEST(record_is_read_as_written),
      TEST(a_missing_record_is_no_error),
      TEST(an_incomplete_command_is_ignored),
      TEST(a_record_that_others_can_write_is_refused),
      TEST(a_record_of_another_user_is_refused),
      TEST(a_record_with_a_second_name_is_refused),
      TEST(a_record_that_is_no_file_is_refused),
      TEST(a_record_in_a_directory_that_others_can_write_is_refused),
      TEST(a_failed_write_leaves_no_record),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

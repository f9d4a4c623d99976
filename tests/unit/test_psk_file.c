#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "config/psk_file.h"

#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define OTHER_KEY "//////////////////////////////////////////4="

static char directory[] = "/tmp/saltway-psk-file-XXXXXX";
static char file[PATH_MAX];
static struct sw_error error;
static struct sw_psks psks;

static bool read_only; /* the file system of the key, as the kernel reports it */

int fstatvfs(int descriptor, struct statvfs *status) {
  (void)descriptor;
  *status = (struct statvfs){.f_flag = read_only ? ST_RDONLY : 0};
  return 0;
}

static int start(void **state) {
  (void)state;
  if (sodium_init() < 0 || !mkdtemp(directory)) return -1;
  snprintf(file, sizeof(file), "%s/site-b.key", directory);
  return 0;
}

static int finish(void **state) {
  (void)state;
  return rmdir(directory);
}

static int remove_file(void **state) {
  (void)state;
  read_only = false;
  return remove(file) != 0 && errno != ENOENT;
}

static void write_bytes(const char *bytes, size_t length, mode_t mode) {
  FILE *out = fopen(file, "w");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, length, out), length);
  assert_int_equal(fclose(out), 0);
  assert_int_equal(chmod(file, mode), 0);
}

static void write_key(const char *text) {
  write_bytes(text, strlen(text), 0600);
}

static int read_key(void) {
  memset(&psks, 0x5a, sizeof(psks));
  strcpy(error.text, "");
  return sw_psk_file_read(file, &psks, &error);
}

static void assert_good(void) {
  if (read_key() != 0) fail_msg("refused: %s", error.text);
  assert_int_equal(psks.count, 1);
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) assert_int_equal(psks.keys[0].bytes[i], i);
}

/* Asserts that the file is refused for this reason, that no byte of the key is kept, and that the
 * error shows none. */
static void assert_refused(const char *reason) {
  assert_true(read_key() < 0);
  if (!strstr(error.text, reason)) fail_msg("\"%s\" is not in: %s", reason, error.text);
  if (!strstr(error.text, file)) fail_msg("the file is not in: %s", error.text);
  assert_null(strstr(error.text, "AAECAwQF"));
  assert_null(strstr(error.text, "//////"));
  assert_null(strstr(error.text, "not permitted")); /* errno 1, which no mistake in a file is */
  assert_true(sodium_is_zero((const uint8_t *)&psks, sizeof(psks)));
}

static void key_is_read(void **state) {
  (void)state;
  write_key(KEY "\n");
  assert_good();
}

static void last_line_needs_no_end(void **state) {
  (void)state;
  write_key(KEY);
  assert_good();
}

static void comments_blanks_and_empty_lines_are_skipped(void **state) {
  (void)state;
  write_key("# site a to site b\n\n  \t\n  " KEY "\t \n# the end\n\n");
  assert_good();
}

static void windows_line_ends_are_accepted(void **state) {
  (void)state;
  write_key("\xef\xbb\xbf# site b\r\n\r\n" KEY "\r\n");
  assert_good();
}

static void missing_file_is_reported_with_how_to_make_one(void **state) {
  (void)state;
  assert_refused("No such file or directory");
  assert_non_null(strstr(error.text, "umask 077; saltway genkey > "));
}

static void directory_is_refused(void **state) {
  (void)state;
  assert_int_equal(mkdir(file, 0700), 0);
  assert_refused("is a directory");
}

static void pipe_is_refused_without_waiting_for_it(void **state) {
  (void)state;
  assert_int_equal(mkfifo(file, 0600), 0);
  assert_refused("is a pipe");
}

static void file_that_may_not_be_opened_is_refused(void **state) {
  (void)state;
  write_key(KEY "\n");
  const bool root = geteuid() == 0;
  assert_int_equal(chmod(file, 0), 0);
  assert_int_equal(chmod(directory, 0755), 0);
  if (root) assert_int_equal(seteuid(65534), 0);
  const int result = read_key();
  if (root) assert_int_equal(seteuid(0), 0);
  assert_int_equal(result, -EACCES);
  assert_non_null(strstr(error.text, "Permission denied"));
}

/* Whoever pastes the command makes this file, and no other one. */
/* As genkey >>file makes them if the file has no line end. */
static void two_keys_on_a_line_are_refused_as_such(void **state) {
  (void)state;
  write_bytes(KEY KEY "\n", sizeof(KEY KEY), 0600);
  assert_refused("line 1 has two keys (write a line end between them)");
}

static void commands_name_the_file_as_a_shell_reads_it(void **state) {
  (void)state;
  static const struct {
    const char *file, *word;
  } cases[] = {{"/nowhere/site-b.key", "genkey > /nowhere/site-b.key)"},
               {"/nowhere/b.key // of b", "genkey > '/nowhere/b.key // of b')"},
               {"/nowhere/b.key;x", "genkey > '/nowhere/b.key;x')"},
               {"/nowhere/$b's", "genkey > '/nowhere/$b'\\''s')"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(sw_psk_file_read(cases[i].file, &psks, &error), -ENOENT);
    assert_non_null(strstr(error.text, cases[i].word));
  }
  char longest[PATH_MAX];
  memset(longest, '\'', sizeof(longest));
  memcpy(longest, "/nowhere/", 9);
  memset(longest + 9, 'x', 191); /* cut, it would be another file, too */
  longest[200] = '\0';
  assert_int_equal(sw_psk_file_read(longest, &psks, &error), -ENOENT);
  assert_non_null(strstr(error.text, "genkey > FILE)"));
  memset(longest + 9, '\'', 191);
  assert_int_equal(sw_psk_file_read(longest, &psks, &error), -ENOENT);
  assert_non_null(strstr(error.text, "genkey > FILE)"));
}

static void key_that_others_can_read_is_refused(void **state) {
  (void)state;
  static const mode_t modes[] = {0644, 0640, 0604, 0440};
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    char reason[64];
    write_bytes(KEY "\n", sizeof(KEY), modes[i]);
    if (geteuid() == 0) assert_int_equal(chown(file, 0, 1), 0);
    snprintf(reason, sizeof(reason), "can be read by others (mode %04o)", modes[i]);
    assert_refused(reason);
    assert_non_null(strstr(error.text, "(fix: chmod 600 "));
    remove(file);
  }
}

static void key_that_others_can_write_is_refused(void **state) {
  (void)state;
  write_bytes(KEY "\n", sizeof(KEY), 0620);
  assert_refused("can be written by others (mode 0620)");
  assert_int_equal(chmod(file, 0602), 0);
  assert_refused("can be written by others (mode 0602)");
}

static void stricter_modes_are_accepted(void **state) {
  (void)state;
  write_bytes(KEY "\n", sizeof(KEY), 0400);
  assert_good();
}

static void group_of_root_may_read_the_key(void **state) {
  (void)state;
  if (geteuid() != 0) skip();
  write_bytes(KEY "\n", sizeof(KEY), 0440);
  assert_int_equal(chown(file, 0, 0), 0);
  assert_good();
  assert_string_equal(error.text, "");
  assert_int_equal(chmod(file, 0460), 0);
  assert_refused("can be written by others (mode 0460)");
  assert_int_equal(chmod(file, 0444), 0);
  assert_refused("can be read by others (mode 0444)");
}

static void key_on_a_read_only_file_system_is_accepted_with_a_notice(void **state) {
  (void)state;
  read_only = true;
  write_bytes(KEY "\n", sizeof(KEY), 0444);
  assert_good();
  assert_non_null(strstr(error.text, "can be read by others (mode 0444); it is used, as it is on a "
                                     "file system that is mounted read-only (mount it with mode "
                                     "0400)"));
  assert_int_equal(chmod(file, 0400), 0);
  assert_good();
  assert_string_equal(error.text, "");
  assert_int_equal(chmod(file, 0446), 0);
  assert_refused("can be read by others (mode 0446)");
}

static void key_of_another_user_is_refused(void **state) {
  (void)state;
  if (geteuid() != 0) skip();
  write_key(KEY "\n");
  assert_int_equal(chown(file, 12345, 0), 0);
  assert_refused("belongs to user 12345");
  assert_non_null(strstr(error.text, "(fix: chown 0 "));
}

static void empty_file_is_refused(void **state) {
  (void)state;
  write_key("");
  assert_refused("is empty");
}

static void file_without_a_key_is_refused(void **state) {
  (void)state;
  write_key("# the key comes here\n\n");
  assert_refused("holds no key");
}

static void long_file_is_refused(void **state) {
  (void)state;
  char text[5000];
  memset(text, '\n', sizeof(text));
  write_bytes(text, sizeof(text), 0600);
  assert_refused("is longer than 4096 bytes");
}

static void binary_file_is_refused(void **state) {
  (void)state;
  write_bytes(KEY "\n\0", sizeof(KEY) + 1, 0600);
  assert_refused("is not a text file");
}

static void key_of_wrong_length_is_reported_with_both_lengths(void **state) {
  (void)state;
  write_key("# one letter is missing\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n");
  assert_refused("line 2 has 43 characters, but a key has 44");
  write_key(KEY "x\n");
  assert_refused("line 1 has 45 characters, but a key has 44");
  write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n");
  assert_refused(
      "has 44 characters that decode to 31 bytes, but a key has 44 characters that decode to 32");
  write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n");
  assert_refused("decode to 33 bytes");
  write_key("AAECAwQFBgcICQoLDA0ODw==\n");
  assert_refused("has 24 characters that decode to 16 bytes");
}

static void key_that_is_not_base64_is_refused(void **state) {
  (void)state;
  write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH!8=\n");
  assert_refused("line 1 is not base64");
}

static void key_of_equal_bytes_is_refused(void **state) {
  (void)state;
  write_key("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
  assert_refused("line 1 is a key whose bytes are all the same");
}

static void two_keys_are_read_in_their_order(void **state) {
  (void)state;
  write_key("# sent with\n" OTHER_KEY "\n\n# accepted until the other side has the new one\n" KEY
            "\n");
  if (read_key() != 0) fail_msg("refused: %s", error.text);
  assert_int_equal(psks.count, 2);
  assert_int_equal(psks.keys[0].bytes[0], 0xff);
  assert_int_equal(psks.keys[0].bytes[31], 0xfe);
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) assert_int_equal(psks.keys[1].bytes[i], i);
}

static void mistake_in_the_second_key_is_reported_with_its_line(void **state) {
  (void)state;
  write_key(KEY "\n# next\n" KEY "x\n");
  assert_refused("line 3 has 45 characters, but a key has 44");
}

static void equal_keys_are_reported_with_both_lines(void **state) {
  (void)state;
  write_key("# old\n" KEY "\n# new\n\n" KEY "\n");
  assert_refused("lines 2 and 5 are the same key (remove one of them, or make a new key: saltway");
}

static void third_key_is_refused(void **state) {
  (void)state;
  write_key(KEY "\n" OTHER_KEY "\n# the next one\n" KEY "\n");
  assert_refused("line 4 follows the second key, but a link has two at most (remove the oldest");
}

static void text_behind_the_key_is_refused(void **state) {
  (void)state;
  write_key(KEY " # site b\n");
  assert_refused("line 1 holds more than a key");
  write_key(KEY "\n\nsite b\n");
  assert_refused("line 3 holds more than a key");
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_file)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(key_is_read),
      TEST(last_line_needs_no_end),
      TEST(comments_blanks_and_empty_lines_are_skipped),
      TEST(windows_line_ends_are_accepted),
      TEST(two_keys_on_a_line_are_refused_as_such),
      TEST(commands_name_the_file_as_a_shell_reads_it),
      TEST(missing_file_is_reported_with_how_to_make_one),
      TEST(directory_is_refused),
      TEST(pipe_is_refused_without_waiting_for_it),
      TEST(file_that_may_not_be_opened_is_refused),
      TEST(key_that_others_can_read_is_refused),
      TEST(key_that_others_can_write_is_refused),
      TEST(stricter_modes_are_accepted),
      TEST(group_of_root_may_read_the_key),
      TEST(key_on_a_read_only_file_system_is_accepted_with_a_notice),
      TEST(key_of_another_user_is_refused),
      TEST(empty_file_is_refused),
      TEST(file_without_a_key_is_refused),
      TEST(long_file_is_refused),
      TEST(binary_file_is_refused),
      TEST(key_of_wrong_length_is_reported_with_both_lengths),
      TEST(key_that_is_not_base64_is_refused),
      TEST(key_of_equal_bytes_is_refused),
      TEST(two_keys_are_read_in_their_order),
      TEST(mistake_in_the_second_key_is_reported_with_its_line),
      TEST(equal_keys_are_reported_with_both_lines),
      TEST(third_key_is_refused),
      TEST(text_behind_the_key_is_refused),
  };
  return cmocka_run_group_tests_name("psk file", tests, start, finish);
}

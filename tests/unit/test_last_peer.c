/* Each test has its own directory. */
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

#include "parent/last_peer.h"

#define SECOND UINT64_C(1000000000)
#define NOW (100000 * SECOND)
#define WRITES (SW_LAST_PEER_SECONDS * SECOND) /* the least time between two */

static char directory[64], path[100];
static const char keys[2][SW_FINGERPRINT_TEXT] = {"0123abcd", "89abcdef"};
static struct sw_last_peer peer;

static int set_up(void **state) {
  (void)state;
  strcpy(directory, "/tmp/saltway-test-XXXXXX");
  if (!mkdtemp(directory)) return -1;
  snprintf(path, sizeof(path), "%s/l1", directory);
  memset(&peer, 0, sizeof(peer));
  return setenv("STATE_DIRECTORY", directory, 1);
}

static int tear_down(void **state) {
  (void)state;
  char command[100];
  snprintf(command, sizeof(command), "rm -rf %s", directory);
  return system(command);
}

static struct sw_address v4(uint8_t last) {
  return (struct sw_address){
      .ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = last}, .port = 51900};
}

static void note(struct sw_address address, uint64_t now) {
  sw_last_peer_note(&peer, "l1", &address, keys[0], now);
}

static const char *stored(void) {
  static char text[200];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return "";
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  close(fd);
  text[length] = '\0';
  return text;
}

static void store_text(const char *text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
  close(fd);
}

static void read_again(void) {
  sw_last_peer_read(&peer, "l1", keys, 2);
}

static void address_is_read_as_noted(void **state) {
  (void)state;
  const struct sw_address addresses[] = {
      v4(1), {.ip = {0x20, 1, 0xd, 0xb8, [15] = 9}, .port = 65535}, {.ip = {[15] = 1}, .port = 1}};
  for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
    memset(&peer, 0, sizeof(peer));
    note(addresses[i], NOW);
    read_again();
    assert_true(sw_address_equal(&peer.address, &addresses[i]));
    assert_true(peer.stored);
  }
  struct stat status;
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0600);
}

static void file_is_a_line(void **state) {
  (void)state;
  note(v4(1), NOW);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
}

static void changes_are_written_once_a_minute_at_most(void **state) {
  (void)state;
  note(v4(1), NOW);
  note(v4(2), NOW + WRITES - 1);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
  note(v4(2), NOW + WRITES);
  assert_string_equal(stored(), "192.0.2.2:51900 0123abcd\n");
  unlink(path);
  note(v4(2), NOW + 3 * WRITES);
  assert_string_equal(stored(), ""); /* it has not changed */
}

static void change_is_written_at_the_end(void **state) {
  (void)state;
  sw_last_peer_flush(&peer, "l1");
  assert_string_equal(stored(), "");
  note(v4(1), NOW);
  note(v4(2), NOW + 1);
  sw_last_peer_flush(&peer, "l1");
  assert_string_equal(stored(), "192.0.2.2:51900 0123abcd\n");
  unlink(path);
  sw_last_peer_flush(&peer, "l1");
  assert_string_equal(stored(), "");
}

static void another_key_is_a_change(void **state) {
  (void)state;
  const struct sw_address address = v4(1);
  note(address, NOW);
  sw_last_peer_note(&peer, "l1", &address, keys[1], NOW + WRITES - 1);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
  sw_last_peer_note(&peer, "l1", &address, keys[1], NOW + WRITES);
  assert_string_equal(stored(), "192.0.2.1:51900 89abcdef\n");
}

static void change_after_a_reload_is_written_at_once(void **state) {
  (void)state;
  const struct sw_address address = v4(1);
  note(address, NOW);
  sw_last_peer_hurry(&peer);
  note(address, NOW + 1); /* nothing has changed */
  sw_last_peer_note(&peer, "l1", &address, keys[1], NOW + 2);
  assert_string_equal(stored(), "192.0.2.1:51900 89abcdef\n");
}

static void address_of_another_key_is_not_taken(void **state) {
  (void)state;
  store_text("192.0.2.1:51900 89abcdef\n");
  sw_last_peer_read(&peer, "l1", keys, 1);
  assert_int_equal(peer.address.port, 0);
  read_again();
  assert_int_equal(peer.address.port, 51900);
}

static void addresses_that_mean_nothing_later_are_not_kept(void **state) {
  (void)state;
  note((struct sw_address){.ip = {0xfe, 0x80, [15] = 1}, .scope = 3, .port = 1}, NOW);
  note((struct sw_address){.ip = {[15] = 1}, .port = 0}, NOW);
  sw_last_peer_flush(&peer, "l1");
  assert_string_equal(stored(), "");
  assert_int_equal(peer.address.port, 0);
}

static void damaged_file_is_ignored(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "\n",
      "192.0.2.1:51900 0123abcd",
      "192.0.2.1:51900 0123abcd\n\n",
      "192.0.2.1:51900 0123abcd\n192.0.2.2:51900 0123abcd\n",
      "192.0.2.1:51900  0123abcd\n",
      " 192.0.2.1:51900 0123abcd\n",
      "192.0.2.1:051900 0123abcd\n",
      "192.0.2.1:0 0123abcd\n",
      "192.0.2.1:65536 0123abcd\n",
      "192.0.2.1 0123abcd\n",
      "192.0.2.01:51900 0123abcd\n",
      "localhost:51900 0123abcd\n",
      "[::ffff:192.0.2.1]:51900 0123abcd\n",
      "192.0.2.1:51900 0123abc\n",
      "192.0.2.1:51900 0123abcde\n",
      "192.0.2.1:51900\n0123abcd\n",
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    store_text(texts[i]);
    read_again();
    if (peer.address.port) fail_msg("taken: %s", texts[i]);
  }
  static char longest[5000];
  memset(longest, '1', sizeof(longest) - 1);
  store_text(longest);
  read_again();
  assert_int_equal(peer.address.port, 0);
  unlink(path);
  assert_int_equal(mkdir(path, 0700), 0);
  read_again();
  assert_int_equal(peer.address.port, 0);
}

static void zero_byte_is_damage(void **state) {
  (void)state;
  static const char text[] = "192.0.2.1:51900 0123abcd\n\0";
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
  close(fd);
  read_again();
  assert_int_equal(peer.address.port, 0);
}

static void missing_directory_is_made_and_a_missing_file_is_no_error(void **state) {
  (void)state;
  struct stat status;
  assert_int_equal(rmdir(directory), 0);
  read_again();
  assert_int_equal(peer.address.port, 0);
  note(v4(1), NOW);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
  assert_int_equal(stat(directory, &status), 0);
  assert_int_equal(status.st_mode & 07777, 0700);
}

static void failed_write_keeps_the_old_file_and_is_tried_again(void **state) {
  (void)state;
  struct rlimit limit;
  note(v4(1), NOW);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const struct rlimit none = {.rlim_cur = 4, .rlim_max = limit.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
  note(v4(2), NOW + WRITES);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
  assert_true(peer.warned);
  note(v4(2), NOW + 2 * WRITES - 1);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
  note(v4(2), NOW + 2 * WRITES);
  assert_string_equal(stored(), "192.0.2.2:51900 0123abcd\n");
  assert_false(peer.warned);
  assert_int_equal(rmdir(directory), -1); /* nothing else is in it */
  unlink(path);
  assert_int_equal(rmdir(directory), 0);
  mkdir(directory, 0700);
}

static void first_of_systemds_directories_is_used(void **state) {
  (void)state;
  char several[100];
  snprintf(several, sizeof(several), "%s:/nonexistent", directory);
  setenv("STATE_DIRECTORY", several, 1);
  note(v4(1), NOW);
  assert_string_equal(stored(), "192.0.2.1:51900 0123abcd\n");
}

static void address_is_added_behind_the_configured_ones(void **state) {
  (void)state;
  struct sw_address list[3] = {v4(1), v4(2)};
  assert_int_equal(sw_last_peer_add(&peer, list, 2, 3), 2);
  peer.address = v4(2);
  assert_int_equal(sw_last_peer_add(&peer, list, 2, 3), 2);
  peer.address = v4(3);
  assert_int_equal(sw_last_peer_add(&peer, list, 2, 2), 2);
  assert_int_equal(sw_last_peer_add(&peer, list, 2, 3), 3);
  assert_true(sw_address_equal(&list[2], &peer.address));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(address_is_read_as_noted),
      TEST(file_is_a_line),
      TEST(changes_are_written_once_a_minute_at_most),
      TEST(change_is_written_at_the_end),
      TEST(another_key_is_a_change),
      TEST(change_after_a_reload_is_written_at_once),
      TEST(address_of_another_key_is_not_taken),
      TEST(addresses_that_mean_nothing_later_are_not_kept),
      TEST(damaged_file_is_ignored),
      TEST(zero_byte_is_damage),
      TEST(missing_directory_is_made_and_a_missing_file_is_no_error),
      TEST(failed_write_keeps_the_old_file_and_is_tried_again),
      TEST(first_of_systemds_directories_is_used),
      TEST(address_is_added_behind_the_configured_ones),
  };
  return cmocka_run_group_tests_name("last_peer", tests, NULL, NULL);
}

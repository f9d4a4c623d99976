#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config_file.h"

/* Returns all lists, each with `more` entries above its limit.  A line has 256 ranges. */
static char *lists_with_more_than_allowed(int more) {
  char *text;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  fputs(INTERFACE, out);
  for (int i = 0; i < 16 + more; i++) fprintf(out, "Address = 10.77.0.%d/24\n", i + 1);
  for (int i = 0; i < 64 + more; i++) fputs("PostUp = a\n", out);
  for (int i = 0; i < 64 + more; i++) fputs("PreDown = b\n", out);
  fputs("[Peer]\nPresharedKeyFile = site-b.key", out);
  for (int i = 0; i < 8192 + more; i++)
    fprintf(out, "%s100.%d.%d.0/24", i % 256 ? ", " : "\nAllowedIPs = ", i / 256, i % 256);
  fputs("\n", out);
  for (int i = 0; i < 8 + more; i++) fputs("Endpoint = b.example:1\n", out);
  assert_int_equal(fclose(out), 0);
  return text;
}

static void lists_may_be_filled_to_their_limits(void **state) {
  (void)state;
  char *text = lists_with_more_than_allowed(0);
  assert_good(text);
  free(text);
  assert_int_equal(config.address_count, 16);
  assert_int_equal(config.post_up_count, 64);
  assert_int_equal(config.pre_down_count, 64);
  assert_int_equal(config.endpoint_count, 8);
  assert_int_equal(config.allowed_ip_count, 8192);
  for (unsigned i = 0; i < 8192; i++) {
    const uint8_t expected[] = {100, (uint8_t)(i / 256), (uint8_t)i, 0};
    assert_memory_equal(config.allowed_ips[i].ip + 12, expected, 4);
    assert_int_equal(config.allowed_ips[i].length, 96 + 24);
  }
}

static void line_may_have_hundreds_of_ranges(void **state) {
  (void)state;
  char text[16384] = INTERFACE "[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16";
  for (int i = 0; i < 800; i++)
    sprintf(text + strlen(text), ", 100.%d.%d.0/24", 100 + i / 256, i % 256);
  assert_good(text);
  assert_int_equal(config.allowed_ip_count, 801);
}

static void too_many_entries_are_reported_once_with_the_limit(void **state) {
  (void)state;
  char *text = lists_with_more_than_allowed(2);
  assert_int_equal(load(text), 5);
  free(text);
  assert_complaint(2 + 16 + 1, "Address: too many; a link has at most 16 addresses\n");
  assert_complaint(2 + 18 + 64 + 1, "PostUp: too many; a link has at most 64 of these hooks");
  assert_complaint(2 + 18 + 66 + 64 + 1, "PreDown: too many; a link has at most 64 of these hooks");
  assert_complaint(2 + 18 + 132 + 2 + 33, "AllowedIPs: too many; a link has at most 8192 ranges");
  assert_complaint(2 + 18 + 132 + 2 + 33 + 8 + 1,
                   "Endpoint: too many; a link has at most 8 endpoints");
}

/* Returns a valid configuration of `length` bytes, padded with empty lines. */
static char *config_of_length(size_t length) {
  static const char text[] = INTERFACE PEER;
  char *bytes = malloc(length);
  assert_non_null(bytes);
  memset(bytes, '\n', length);
  memcpy(bytes, text, sizeof(text) - 1);
  return bytes;
}

static void file_of_a_mebibyte_is_read_and_a_longer_one_refused(void **state) {
  (void)state;
  char *text = config_of_length(1048577);
  assert_int_equal(load_bytes(text, 1048576, 0600), 0);
  assert_int_equal(load_bytes(text, 1048577, 0600), 1);
  assert_complaint(0, "longer than 1048576 bytes; is this the right file?");
  text[1048575] = 'x'; /* the last byte is read too */
  assert_int_equal(load_bytes(text, 1048576, 0600), 1);
  assert_complaint(1048576 - (sizeof(INTERFACE PEER) - 1) + 5, "a line without \"=\"");
  free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, config_file_make_key, config_file_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(lists_may_be_filled_to_their_limits),
      TEST(line_may_have_hundreds_of_ranges),
      TEST(too_many_entries_are_reported_once_with_the_limit),
      TEST(file_of_a_mebibyte_is_read_and_a_longer_one_refused),
  };
  return cmocka_run_group_tests_name("config limits", tests, config_file_start, config_file_finish);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/lines.h"

static void assert_lines(const char *text, size_t count, const char *const *expected) {
  char copy[256];
  strcpy(copy, text);
  char *rest = sw_lines_start(copy);
  for (size_t i = 0; i < count; i++) {
    assert_int_not_equal(*rest, '\0');
    assert_string_equal(sw_lines_next(&rest), expected[i]);
  }
  assert_int_equal(*rest, '\0');
}

static void text_is_split_at_line_ends(void **state) {
  (void)state;
  static const char *const lines[] = {"a", "", " b ", "c"};
  assert_lines("a\n\n b \nc", 4, lines);
  assert_lines("a\n\n b \nc\n", 4, lines);
  assert_lines("a\r\n\r\n b \r\nc\r\n", 4, lines);
  assert_lines("a\r\n\r\n b \r\nc\r", 4, lines);
  assert_lines("\xef\xbb\xbf"
               "a\n\n b \nc",
               4, lines);
  assert_lines("", 0, NULL);
  assert_lines("\xef\xbb\xbf", 0, NULL);
}

static void only_one_carriage_return_belongs_to_a_line_end(void **state) {
  (void)state;
  static const char *const lines[] = {"a\r", "\rb",
                                      "\xef\xbb\xbf"
                                      "c",
                                      "\xef\xbb"};
  assert_lines("a\r\r\n\rb\n\xef\xbb\xbf"
               "c\n\xef\xbb",
               4, lines);
  assert_lines("\xef\xbb", 1, &lines[3]); /* an incomplete mark */
}

static void bytes_before_a_line_are_unchanged(void **state) {
  (void)state;
  char text[] = "\r\n ";
  char *rest = text + 1;
  assert_string_equal(sw_lines_next(&rest), "");
  assert_int_equal(text[0], '\r');
  assert_ptr_equal(rest, text + 2);
  memcpy(text, "a ", 3);
  assert_string_equal(sw_line_trim(text + 2), "");
  assert_string_equal(text, "a ");
}

static void bytes_behind_a_text_are_not_modified(void **state) {
  (void)state;
  char text[] = "a#\0 #b";
  assert_string_equal(sw_line_trim_comment(text), "a#");
  assert_string_equal(text + 3, " #b");
}

static void characters_of_utf8_are_permitted(void **state) {
  (void)state;
  static const char *const lines[] = {"",
                                      "\t !~",
                                      "\xc2\x80",
                                      "\xdf\xbf",
                                      "\xe0\xa0\x80",
                                      "\xed\x9f\xbf",
                                      "\xee\x80\x80",
                                      "\xef\xbf\xbf",
                                      "\xf0\x90\x80\x80",
                                      "\xf1\x80\x80\x80",
                                      "\xf4\x8f\xbf\xbf",
                                      "a\xc3\xa9"
                                      "b\xe2\x82\xac"
                                      "c\xf0\x9f\xa7\x82"
                                      "d"};
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    struct sw_error error;
    if (sw_line_check(lines[i], &error) != 0) fail_msg("line %zu: %s", i, error.text);
  }
}

static void bytes_that_are_not_text_are_refused_with_their_column(void **state) {
  (void)state;
  static const char utf8[] = "not UTF-8; save the file as UTF-8";
  static const char control[] = "a control character; remove it";
  static const struct {
    const char *line;
    unsigned byte, column;
    const char *words;
  } cases[] = {
      {"\x80", 0x80, 1, utf8},
      {"ab\xbf", 0xbf, 3, utf8},
      {"\xc0\xaf", 0xc0, 1, utf8},
      {"\xc1\xbf", 0xc1, 1, utf8},
      {"\xc2", 0xc2, 1, utf8},
      {"\xc2\x7f", 0xc2, 1, utf8},
      {"\xc2\xc0", 0xc2, 1, utf8},
      {"\xdf\x40", 0xdf, 1, utf8},
      {"\xe0\x9f\xbf", 0xe0, 1, utf8}, /* overlong */
      {"\xe0\xa0", 0xe0, 1, utf8},
      {"\xe1\x80\x20", 0xe1, 1, utf8},
      {"\xed\xa0\x80", 0xed, 1, utf8}, /* half of a UTF-16 pair */
      {"\xef\xbf", 0xef, 1, utf8},
      {"\xf0\x8f\xbf\xbf", 0xf0, 1, utf8},
      {"\xf0\x90\x80", 0xf0, 1, utf8},
      {"\xf1\x80\x80\x20", 0xf1, 1, utf8},
      {"\xf4\x90\x80\x80", 0xf4, 1, utf8}, /* above U+10FFFF */
      {"\xf5\x80\x80\x80", 0xf5, 1, utf8},
      {"\xc3\xa9\xff", 0xff, 3, utf8},
      {"\xe2\x82\xac\x01", 0x01, 4, control},
      {"\xf0\x9f\xa7\x82\x1b[2J", 0x1b, 5, control},
      {"\t\r", 0x0d, 2, control},
      {" \x7f", 0x7f, 2, control},
      {"\x1f", 0x1f, 1, control},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct sw_error error;
    char expected[128];
    snprintf(expected, sizeof(expected), "byte 0x%02X in column %u is %s", cases[i].byte,
             cases[i].column, cases[i].words);
    assert_int_not_equal(sw_line_check(cases[i].line, &error), 0);
    assert_string_equal(error.text, expected);
  }
}

static void assert_trimmed(char *(*trim)(char *), const char *text, const char *expected) {
  char copy[64] = "x";
  strcpy(copy + 1, text);
  assert_string_equal(trim(copy + 1), expected);
  assert_int_equal(copy[0], 'x');
}

static void blanks_around_a_text_are_trimmed(void **state) {
  (void)state;
  static const char *const texts[] = {"a b", " \ta b", "a b\t ", "\t a b\t "};
  for (size_t i = 0; i < 4; i++) assert_trimmed(sw_line_trim, texts[i], "a b");
  assert_trimmed(sw_line_trim, "", "");
  assert_trimmed(sw_line_trim, " \t ", "");
  assert_trimmed(sw_line_trim, " # ", "#");
}

static void comment_is_removed(void **state) {
  (void)state;
  static const struct {
    const char *text, *expected;
  } cases[] = {{"", ""},          {"# a", ""},       {" # a", ""},          {"a", "a"},
               {"a #", "a"},      {"a\t#b #c", "a"}, {" a  # b", "a"},      {"a#b", "a#b"},
               {"a#b #c", "a#b"}, {"a## #", "a##"},  {"a#b#c #d", "a#b#c"}, {"a ## b", "a"},
               {"a ; b", "a ; b"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_trimmed(sw_line_trim_comment, cases[i].text, cases[i].expected);
}

static void name_is_letters_and_digits(void **state) {
  (void)state;
  assert_true(sw_line_is_name("A"));
  assert_true(sw_line_is_name("aZ09"));
  assert_true(sw_line_is_name("abcdefghijklmnopqrstuvwx")); /* 24 */
  static const char *const others[] = {"",  " ",   "a b",         "a ",
                                       "-", "a_b", "caf\xc3\xa9", "abcdefghijklmnopqrstuvwxy"};
  for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
    assert_false(sw_line_is_name(others[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_split_at_line_ends),
      cmocka_unit_test(only_one_carriage_return_belongs_to_a_line_end),
      cmocka_unit_test(bytes_before_a_line_are_unchanged),
      cmocka_unit_test(bytes_behind_a_text_are_not_modified),
      cmocka_unit_test(characters_of_utf8_are_permitted),
      cmocka_unit_test(bytes_that_are_not_text_are_refused_with_their_column),
      cmocka_unit_test(blanks_around_a_text_are_trimmed),
      cmocka_unit_test(comment_is_removed),
      cmocka_unit_test(name_is_letters_and_digits),
  };
  return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}

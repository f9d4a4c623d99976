#include "protocol/seen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct sw_seen seen;

static void mark_is_the_tag_with_one_bit_for_a_known_source(void **state) {
  (void)state;
  const uint8_t tag[SW_TAG_BYTES] = {0x34, 0x12, 0, 0, 0, 0, 0, 0x80, 99};
  const uint8_t odd[SW_TAG_BYTES] = {0x35, 0x12, 0, 0, 0, 0, 0, 0x80, 98};
  assert_true(sw_seen_mark(tag, true) == UINT64_C(0x8000000000001235));
  assert_true(sw_seen_mark(tag, false) == UINT64_C(0x8000000000001234));
  assert_true(sw_seen_mark(odd, true) == UINT64_C(0x8000000000001235));
  assert_true(sw_seen_mark(odd, false) == UINT64_C(0x8000000000001234));
}

static void only_added_entries_are_found(void **state) {
  (void)state;
  assert_false(sw_seen_find(&seen, 42));
  sw_seen_add(&seen, 42);
  assert_true(sw_seen_find(&seen, 42));
  assert_false(sw_seen_find(&seen, 43));
  assert_false(sw_seen_find(&seen, 42 + SW_SEEN_PLACES));
}

static void all_places_are_used(void **state) {
  (void)state;
  memset(&seen, 0, sizeof(seen));
  for (uint64_t mark = 1; mark <= SW_SEEN_PLACES; mark++) sw_seen_add(&seen, mark);
  for (uint64_t mark = 1; mark <= SW_SEEN_PLACES; mark++) assert_true(sw_seen_find(&seen, mark));
  sw_seen_add(&seen, 1 + SW_SEEN_PLACES); /* one more replaces an entry */
  assert_true(sw_seen_find(&seen, 1 + SW_SEEN_PLACES));
  assert_false(sw_seen_find(&seen, 1));
  assert_true(sw_seen_find(&seen, 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mark_is_the_tag_with_one_bit_for_a_known_source),
      cmocka_unit_test(only_added_entries_are_found),
      cmocka_unit_test(all_places_are_used),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

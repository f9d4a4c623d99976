#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/pending.h"

#define START (50 * SW_SECOND)

static struct sw_pending pending;
static const struct sw_path here = {{.port = 1}, {1}}, there = {{.port = 2}, {1}},
                            beside = {{.port = 1}, {2}};

static int begin(void **state) {
  (void)state;
  sodium_memzero(&pending, sizeof(pending));
  return 0;
}

/* Adds entry number `n` (from 1), with ids and hash derived from it. */
static void add(unsigned n, uint64_t now) {
  struct sw_agreement agreement = {.local = n, .remote = 1000 + n};
  uint8_t hash[SW_HASH_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), 1};
  memset(agreement.seal.key, (int)n, sizeof(agreement.seal.key));
  uint8_t response[SW_RESPONSE_FIXED_BYTES] = {0};
  memset(response + 29, (int)n, SW_POINT_BYTES);
  sw_pending_add(&pending, &agreement, hash, &here, now, response, sizeof(response) + n);
}

static void assert_there(unsigned n) {
  const struct sw_pending_entry *entry = sw_pending_find(&pending, n);
  assert_non_null(entry);
  assert_int_equal(entry->agreement.local, n);
  assert_int_equal(entry->agreement.remote, 1000 + n);
  assert_int_equal(entry->agreement.seal.key[5], n & 255);
  assert_int_equal(entry->point[0], n & 255);
  assert_int_equal(entry->point[SW_POINT_BYTES - 1], n & 255);
  assert_int_equal(entry->length, SW_RESPONSE_FIXED_BYTES + n);
  assert_true(sw_path_equal(&entry->path, &here));
}

static void entries_are_found_by_their_id(void **state) {
  (void)state;
  for (unsigned n = 1; n <= SW_PENDING_MAX; n++) add(n, START);
  assert_int_equal(pending.count, 128);
  for (unsigned n = 1; n <= SW_PENDING_MAX; n++) assert_there(n);
  assert_null(sw_pending_find(&pending, SW_PENDING_MAX + 1));
  assert_null(sw_pending_find(&pending, 0));
}

static void init_is_answered_once_for_each_path(void **state) {
  (void)state;
  add(7, START);
  uint8_t hash[SW_HASH_BYTES] = {7, 0, 1};
  assert_ptr_equal(sw_pending_answered(&pending, hash, &here), sw_pending_find(&pending, 7));
  assert_null(sw_pending_answered(&pending, hash, &there));
  assert_null(sw_pending_answered(&pending, hash, &beside));
  for (unsigned i = 0; i < SW_HASH_BYTES; i++) {
    hash[i] ^= 0x10;
    assert_null(sw_pending_answered(&pending, hash, &here));
    hash[i] ^= 0x10;
  }
}

static void every_entry_of_a_full_table_is_answered(void **state) {
  (void)state;
  for (unsigned n = 1; n <= SW_PENDING_MAX; n++) add(n, START);
  for (unsigned n = 1; n <= SW_PENDING_MAX + 1; n++) {
    const uint8_t hash[SW_HASH_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), 1};
    assert_int_equal(sw_pending_answered(&pending, hash, &here) != NULL, n <= SW_PENDING_MAX);
  }
}

static void place_of_a_removed_entry_is_not_answered(void **state) {
  (void)state;
  static const uint8_t none[SW_HASH_BYTES];
  static const struct sw_path nowhere;
  assert_null(sw_pending_answered(&pending, none, &nowhere));
  add(1, START);
  assert_null(sw_pending_answered(&pending, none, &nowhere));
}

/* Returns whether the call aborts. */
static bool aborts(void (*what)(void)) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(STDERR_FILENO); /* the message of assert */
    what();
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void add_one(void) {
  add(1000, START);
}

static void remove_the_first_free(void) {
  sw_pending_remove(&pending, &pending.entries[pending.count]);
}

static void table_holds_128_and_never_more(void **state) {
  (void)state;
  assert_int_equal(SW_PENDING_MAX, 128);
  for (unsigned n = 1; n <= SW_PENDING_MAX; n++) {
    assert_false(aborts(add_one));
    add(n, START);
  }
  assert_true(aborts(add_one));
}

static void only_an_entry_in_use_can_be_removed(void **state) {
  (void)state;
  assert_true(aborts(remove_the_first_free));
  add(1, START);
  assert_true(aborts(remove_the_first_free));
}

static void removed_entry_is_wiped_and_the_others_stay(void **state) {
  (void)state;
  for (unsigned n = 1; n <= 5; n++) add(n, START);
  static const unsigned order[] = {2, 5, 1, 3, 4};
  for (unsigned i = 0; i < 5; i++) {
    sw_pending_remove(&pending, sw_pending_find(&pending, order[i]));
    assert_int_equal(pending.count, 4 - i);
    assert_null(sw_pending_find(&pending, order[i]));
    for (unsigned k = i + 1; k < 5; k++) assert_there(order[k]);
    const size_t used = pending.count * sizeof(pending.entries[0]);
    assert_true(
        sodium_is_zero((const uint8_t *)pending.entries + used, sizeof(pending.entries) - used));
  }
  assert_true(sodium_is_zero((const uint8_t *)&pending, sizeof(pending)));
}

static void entries_expire_after_5_seconds(void **state) {
  (void)state;
  assert_true(sw_pending_deadline(&pending) == UINT64_MAX);
  add(1, START + 2 * SW_SECOND);
  assert_true(sw_pending_deadline(&pending) == START + 7 * SW_SECOND);
  add(2, START);
  add(3, START + SW_SECOND);
  assert_true(sw_pending_deadline(&pending) == START + 5 * SW_SECOND);
  sw_pending_expire(&pending, START + 5 * SW_SECOND - 1);
  assert_int_equal(pending.count, 3);
  sw_pending_expire(&pending, START + 5 * SW_SECOND);
  assert_int_equal(pending.count, 2);
  assert_null(sw_pending_find(&pending, 2));
  assert_true(sw_pending_deadline(&pending) == START + 6 * SW_SECOND);
  sw_pending_expire(&pending, START + 100 * SW_SECOND);
  assert_true(sodium_is_zero((const uint8_t *)&pending, sizeof(pending)));
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(entries_are_found_by_their_id, begin),
      cmocka_unit_test_setup(init_is_answered_once_for_each_path, begin),
      cmocka_unit_test_setup(every_entry_of_a_full_table_is_answered, begin),
      cmocka_unit_test_setup(place_of_a_removed_entry_is_not_answered, begin),
      cmocka_unit_test_setup(table_holds_128_and_never_more, begin),
      cmocka_unit_test_setup(only_an_entry_in_use_can_be_removed, begin),
      cmocka_unit_test_setup(removed_entry_is_wiped_and_the_others_stay, begin),
      cmocka_unit_test_setup(entries_expire_after_5_seconds, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

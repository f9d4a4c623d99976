#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/sessions.h"

#define START (50 * SW_SECOND)

static struct sw_sessions sessions;
static const struct sw_path path = {.peer = {.port = 1}};

static int clear(void **state) {
  (void)state;
  memset(&sessions, 0, sizeof(sessions));
  return 0;
}

static struct sw_session *start(uint32_t id, uint64_t now) {
  const struct sw_agreement agreement = {.local = id, .remote = id + 1000};
  struct sw_session *session = sw_sessions_place(&sessions);
  sw_session_start(session, &agreement, true, &path, now);
  return session;
}

static void add_pending(uint32_t id, uint64_t now) {
  const struct sw_agreement agreement = {.local = id, .remote = id + 1000};
  const uint8_t hash[SW_HASH_BYTES] = {0}, response[SW_RESPONSE_FIXED_BYTES] = {0};
  sw_pending_add(&sessions.pending, &agreement, hash, &path, now, response, sizeof(response));
}

static void sessions_are_found_by_their_id(void **state) {
  (void)state;
  struct sw_session *started[SW_SESSIONS];
  for (unsigned i = 0; i < SW_SESSIONS; i++) started[i] = start(i + 1, START);
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_ptr_equal(sw_sessions_find(&sessions, i + 1), started[i]);
  assert_null(sw_sessions_find(&sessions, SW_SESSIONS + 1));
}

static void any_session_is_found_in_any_row(void **state) {
  (void)state;
  assert_null(sw_sessions_any(&sessions));
  struct sw_session *started[SW_SESSIONS];
  for (unsigned i = 0; i < SW_SESSIONS; i++) started[i] = start(i + 1, START);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    assert_ptr_equal(sw_sessions_any(&sessions), started[i]);
    sw_sessions_wipe(&sessions, started[i]);
  }
  assert_null(sw_sessions_any(&sessions));
}

static void only_sessions_of_the_key_are_wiped_in_any_row(void **state) {
  (void)state;
  static const struct sw_keys gone, kept;
  for (unsigned i = 0; i < SW_SESSIONS; i++) start(i + 1, START)->keys = i == 1 ? &kept : &gone;
  sw_sessions_wipe_key(&sessions, &gone);
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_int_equal(sw_sessions_find(&sessions, i + 1) != NULL, i == 1);
}

static void first_session_is_used_before_it_is_confirmed(void **state) {
  (void)state;
  assert_null(sw_sessions_sending(&sessions));
  struct sw_session *session = start(1, START);
  assert_null(sessions.current);
  assert_ptr_equal(sw_sessions_unconfirmed(&sessions), session);
  assert_ptr_equal(sw_sessions_sending(&sessions), session);
  assert_true(sw_sessions_confirm(&sessions, session));
  assert_ptr_equal(sessions.current, session);
  assert_null(sw_sessions_unconfirmed(&sessions));
  assert_ptr_equal(sw_sessions_sending(&sessions), session);
}

static void younger_session_becomes_current_when_confirmed(void **state) {
  (void)state;
  struct sw_session *first = start(1, START);
  sw_sessions_confirm(&sessions, first);
  struct sw_session *second = start(2, START + 1);
  assert_ptr_equal(sw_sessions_sending(&sessions), first);
  assert_true(sw_sessions_confirm(&sessions, second));
  assert_ptr_equal(sessions.current, second);
  assert_int_equal(first->state, SW_SESSION_CONFIRMED);
  struct sw_session *third = start(3, START + 1); /* of the same age: the later one counts */
  assert_true(sw_sessions_confirm(&sessions, third));
  assert_ptr_equal(sessions.current, third);
  assert_int_equal(second->state, SW_SESSION_CONFIRMED);
}

static void older_session_does_not_become_current(void **state) {
  (void)state;
  struct sw_session *late = start(1, START);
  struct sw_session *young = start(2, START + 1);
  assert_true(sw_sessions_confirm(&sessions, young));
  assert_false(sw_sessions_confirm(&sessions, late));
  assert_ptr_equal(sessions.current, young);
  assert_int_equal(late->state, SW_SESSION_CONFIRMED);
}

static void older_session_is_not_used_when_the_current_one_is_wiped(void **state) {
  (void)state;
  sw_sessions_confirm(&sessions, start(1, START));
  struct sw_session *current = start(2, START + 1);
  sw_sessions_confirm(&sessions, current);
  sw_sessions_wipe(&sessions, current);
  assert_null(sessions.current);
  assert_null(sw_sessions_sending(&sessions));
  assert_non_null(sw_sessions_any(&sessions));
}

static void sessions_are_wiped_at_the_end_of_their_lifetime(void **state) {
  (void)state;
  assert_true(sw_sessions_deadline(&sessions) == UINT64_MAX);
  struct sw_session *confirmed = start(1, START);
  sw_sessions_confirm(&sessions, confirmed);
  assert_true(sw_sessions_deadline(&sessions) == START + 180 * SW_SECOND);
  struct sw_session *unconfirmed = start(2, START + SW_SECOND);
  assert_true(sw_sessions_deadline(&sessions) == START + 6 * SW_SECOND);
  sw_sessions_expire(&sessions, START + 6 * SW_SECOND - 1);
  assert_false(sessions.wiped);
  sw_sessions_expire(&sessions, START + 6 * SW_SECOND);
  assert_true(sessions.wiped);
  sw_sessions_expire(&sessions, START + 6 * SW_SECOND);
  assert_true(sessions.wiped); /* until it is asked for */
  assert_true(sodium_is_zero((const uint8_t *)unconfirmed, sizeof(*unconfirmed)));
  sessions.wiped = false;
  sw_sessions_expire(&sessions, START + 180 * SW_SECOND - 1);
  assert_false(sessions.wiped);
  assert_int_equal(confirmed->local, 1);
  sw_sessions_expire(&sessions, START + 180 * SW_SECOND);
  assert_true(sessions.wiped);
  assert_true(sodium_is_zero((const uint8_t *)confirmed, sizeof(*confirmed)));
  assert_null(sw_sessions_any(&sessions));
  assert_true(sw_sessions_deadline(&sessions) == UINT64_MAX);
}

static void earliest_session_decides_the_deadline(void **state) {
  (void)state;
  const uint64_t created[SW_SESSIONS] = {START + 3, START + 1, START + 2, START};
  for (unsigned i = 0; i < SW_SESSIONS; i++) start(i + 1, created[i]);
  assert_true(sw_sessions_deadline(&sessions) == START + 5 * SW_SECOND);
  sw_sessions_expire(&sessions, START + 5 * SW_SECOND);
  assert_null(sw_sessions_find(&sessions, 4));
  assert_true(sw_sessions_deadline(&sessions) == START + 5 * SW_SECOND + 1);
}

static void pending_entries_expire_with_the_sessions(void **state) {
  (void)state;
  start(1, START + 1);
  add_pending(2, START);
  assert_true(sw_sessions_deadline(&sessions) == START + 5 * SW_SECOND);
  sw_sessions_expire(&sessions, START + 5 * SW_SECOND - 1);
  assert_false(sessions.wiped);
  sw_sessions_expire(&sessions, START + 5 * SW_SECOND);
  assert_int_equal(sessions.pending.count, 0);
  assert_true(sessions.wiped);
  assert_non_null(sw_sessions_find(&sessions, 1));
}

/* The ids that the random generator returns, in order. */
static const uint32_t drawn[] = {0, 7, 1, SW_SESSIONS, 9, 11, 12};
static unsigned draws;

static const char *name(void) {
  return "scripted";
}

static uint32_t draw(void) {
  assert_true(draws < sizeof(drawn) / sizeof(drawn[0]));
  return drawn[draws++];
}

static void fill(void *const buffer, const size_t size) {
  const uint32_t value = draw();
  assert_int_equal(size, sizeof(value));
  memcpy(buffer, &value, sizeof(value));
}

static void new_id_is_not_zero_reserved_or_taken(void **state) {
  (void)state;
  static randombytes_implementation scripted = {
      .implementation_name = name, .random = draw, .buf = fill};
  for (unsigned i = 0; i < SW_SESSIONS; i++) start(i + 1, START);
  add_pending(9, START);
  assert_int_equal(randombytes_set_implementation(&scripted), 0);
  assert_int_equal(sw_sessions_id(&sessions, 7), 11);
  assert_int_equal(draws, 6);
  assert_int_equal(randombytes_set_implementation(&randombytes_sysrandom_implementation), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(sessions_are_found_by_their_id, clear),
      cmocka_unit_test_setup(any_session_is_found_in_any_row, clear),
      cmocka_unit_test_setup(only_sessions_of_the_key_are_wiped_in_any_row, clear),
      cmocka_unit_test_setup(first_session_is_used_before_it_is_confirmed, clear),
      cmocka_unit_test_setup(younger_session_becomes_current_when_confirmed, clear),
      cmocka_unit_test_setup(older_session_does_not_become_current, clear),
      cmocka_unit_test_setup(older_session_is_not_used_when_the_current_one_is_wiped, clear),
      cmocka_unit_test_setup(sessions_are_wiped_at_the_end_of_their_lifetime, clear),
      cmocka_unit_test_setup(earliest_session_decides_the_deadline, clear),
      cmocka_unit_test_setup(pending_entries_expire_with_the_sessions, clear),
      cmocka_unit_test_setup(new_id_is_not_zero_reserved_or_taken, clear),
  };
  if (sodium_init() < 0) return 1;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What opening a datagram in advance guarantees before its tag is verified and after. test_link_*.c
 * test what the link then does with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pair.h"
#include "saltway/batch.h"
#include "stack.h"

static struct pair pair;
static struct pair_datagram datagram;
static uint8_t room[SW_HEADROOM + PAIR_ROOM + SW_SLACK];

static int begin(void **state) {
  (void)state;
  pair_start(&pair, 0);
  return 0;
}

static int end(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

static struct sw_path path;
static struct sw_opening opening; /* reused, as in a batch */
static struct sw_opened opened;

static const struct sw_secretbox *begin_opening(const struct pair_datagram *arrived) {
  path = (struct sw_path){.peer = arrived->from};
  opening.path = &path;
  opening.datagram = arrived->bytes;
  opening.length = arrived->length;
  opening.packet = room + SW_HEADROOM;
  sw_link_open_begin(pair.right.link, pair.now, &opening);
  return opening.box;
}

static void only_datagrams_of_a_session_are_opened_in_advance(void **state) {
  (void)state;
  struct pair_datagram init;
  pair_take_letter(&pair.left, 'i', &init);
  pair_give(&pair.right, &init);
  pair_connect(&pair);
  pair_seal(&pair.left, 100, &datagram);
  assert_ptr_equal(begin_opening(&datagram), &pair.right.link->sessions.current->open);
  assert_int_equal(pair_give(&pair.right, &datagram), SW_RECEIVED_PACKET);
  assert_null(begin_opening(&datagram)); /* a replay */
  pair_seal_kind(&pair.left, SW_KIND_PACKET, NULL, 0, &datagram);
  assert_int_equal(datagram.length, SW_OVERHEAD);
  assert_non_null(begin_opening(&datagram));
  datagram.length--;
  assert_null(begin_opening(&datagram));
  for (unsigned i = 0; i < SW_SESSIONS; i++) /* an empty place has the id of handshakes */
    pair.right.link->sessions.rows[i].created = pair.now;
  assert_null(begin_opening(&init));
}

static void datagram_that_was_not_opened_is_not_accepted(void **state) {
  (void)state;
  pair_connect(&pair);
  pair_seal(&pair.left, 100, &datagram);
  opening.verified = true; /* left over from the datagram before */
  assert_non_null(begin_opening(&datagram));
  assert_int_equal(sw_link_open_finish(pair.right.link, &opening, &opened), SW_RECEIVED_DROPPED);
  pair_assert_drop(&pair.right, SW_DROP_TAG);
  /* its counter was not used up */
  assert_int_equal(pair_give(&pair.right, &datagram), SW_RECEIVED_PACKET);
}

static void nothing_behind_a_short_datagram_is_read(void **state) {
  (void)state;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *const pages =
      mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(pages != MAP_FAILED);
  assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
  for (size_t length = 0; length < SW_OVERHEAD; length++) {
    size_t length_opened;
    assert_int_equal(sw_link_receive(pair.right.link, pair.now,
                                     &(struct sw_path){.peer = pair.left.address},
                                     pages + page - length, length, room, &length_opened),
                     SW_RECEIVED_DROPPED);
    pair_assert_drop(&pair.right, SW_DROP_SHORT);
  }
  munmap(pages, 2 * page);
}

static void confirm(void) {
  pair_give(&pair.right, &datagram);
}

static void keys_of_a_session_that_begins_are_not_left_on_the_stack(void **state) {
  (void)state;
  pair_take_letter(&pair.left, 'i', &datagram);
  pair_give(&pair.right, &datagram);
  pair_take_letter(&pair.right, 'r', &datagram);
  pair_give(&pair.left, &datagram);
  pair_take_letter(&pair.left, 'p', &datagram);
  stack_run(confirm);
  const struct sw_session *const session = pair.right.link->sessions.current;
  assert_non_null(session);
  assert_false(stack_holds(session->open.key, 16));
  assert_false(stack_holds(session->seal.key, 16));
  assert_false(stack_holds(session->open.subkey, 16));
  assert_false(stack_holds(session->seal.subkey, 16));
}

static void response_replaces_an_earlier_handshake(void **state) {
  (void)state;
  for (unsigned place = 0; place < SW_SESSIONS; place++) {
    struct sw_session *const before = &pair.left.link->sessions.rows[place];
    pair_take_letter(&pair.left, 'i', &datagram);
    pair_give(&pair.right, &datagram);
    pair_take_letter(&pair.right, 'r', &datagram);
    *before = (struct sw_session){
        .state = SW_SESSION_UNCONFIRMED, .local = 77, .remote = 78, .created = pair.now};
    pair_give(&pair.left, &datagram);
    unsigned count = 0;
    for (unsigned i = 0; i < SW_SESSIONS; i++) {
      assert_int_not_equal(pair.left.link->sessions.rows[i].local, 77);
      count += pair.left.link->sessions.rows[i].local != 0;
    }
    assert_int_equal(count, 1);
    pair_stop(&pair);
    pair_start(&pair, 0);
  }
}

static void cookie_is_to_be_sent_at_once(void **state) {
  (void)state;
  pair_take_letter(&pair.left, 'i', &datagram);
  pair.right.link->cookies.second = pair.now;
  pair.right.link->cookies.inits = SW_LOAD_INITS + 1;
  assert_int_equal(pair_give(&pair.right, &datagram), SW_RECEIVED_CONTROL);
  pair_take_letter(&pair.right, 'c', &datagram);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(only_datagrams_of_a_session_are_opened_in_advance, begin,
                                      end),
      cmocka_unit_test_setup_teardown(datagram_that_was_not_opened_is_not_accepted, begin, end),
      cmocka_unit_test_setup_teardown(nothing_behind_a_short_datagram_is_read, begin, end),
      cmocka_unit_test_setup_teardown(keys_of_a_session_that_begins_are_not_left_on_the_stack,
                                      begin, end),
      cmocka_unit_test_setup_teardown(cookie_is_to_be_sent_at_once, begin, end),
      cmocka_unit_test_setup_teardown(response_replaces_an_earlier_handshake, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

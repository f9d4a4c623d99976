/* How a link uses two keys, and changes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "pair.h"

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;
static struct sw_psk old, next, third;

/* The pair's own key is `old`. */
static int start(void **state) {
  (void)state;
  pair_start(&pair, 0);
  old = sw_keyring_at(&left->link->keyring, 0)->psk;
  next = third = old;
  next.bytes[0] ^= 1;
  third.bytes[0] ^= 2;
  return 0;
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  pair_run(&pair, SW_SECOND);
  pair_clear_sent(left);
  pair_clear_sent(right);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

static void set_one(struct pair_side *side, struct sw_psk one) {
  sw_link_keys_set(side->link, pair.now, &one, 1);
}

static void set_two(struct pair_side *side, struct sw_psk first, struct sw_psk second) {
  sw_link_keys_set(side->link, pair.now, (struct sw_psk[]){first, second}, 2);
}

static bool uses(struct pair_side *side, struct sw_psk psk) {
  char fingerprint[SW_FINGERPRINT_TEXT];
  sw_psk_fingerprint(&psk, fingerprint);
  return strcmp(sw_link_status(side->link)->fingerprint, fingerprint) == 0;
}

/* Which of the keys seals a handshake message. */
static const struct sw_psk *key_of(const struct pair_datagram *datagram) {
  const struct sw_psk *psks[] = {&old, &next, &third};
  for (unsigned i = 0; i < 3; i++) {
    struct sw_keys keys;
    uint8_t plain[SW_INIT_MAX];
    sw_keys_derive(psks[i], &keys);
    const struct sw_header header = sw_header_read(keys.mask, datagram->bytes);
    if (header.session == SW_SESSION_HANDSHAKE &&
        sw_message_open(&keys, header, datagram->bytes, datagram->length, plain) > 0)
      return psks[i];
  }
  return NULL;
}

static unsigned sessions_of(const struct pair_side *side) {
  unsigned count = 0;
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    count += side->link->sessions.rows[i].state != SW_SESSION_EMPTY;
  return count;
}

/* The next init that a side sends by itself. */
static void await_init(struct pair_side *side, struct pair_datagram *init) {
  pair.now = sw_link_deadline(side->link);
  assert_true(pair_take(side, init));
}

/* ---- which key is sent with ---- */

static void inits_take_the_keys_in_turn_and_begin_with_the_first(void **state) {
  (void)state;
  set_two(left, next, old);
  for (unsigned i = 0; i < 6; i++) {
    struct pair_datagram init;
    await_init(left, &init);
    assert_ptr_equal(key_of(&init), i % 2 ? &old : &next);
  }
}

static void each_endpoint_gets_an_init_under_each_key(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(2), pair_address(3)};
  bool got[2][2] = {{false}};
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  set_two(left, next, old);
  for (unsigned i = 0; i < 4; i++) {
    struct pair_datagram init;
    await_init(left, &init);
    got[init.to.ip[15] - 2][key_of(&init) == &old] = true;
  }
  assert_true(got[0][0] && got[0][1] && got[1][0] && got[1][1]);
}

static void repeated_init_keeps_its_key(void **state) {
  (void)state;
  set_two(left, next, old);
  struct pair_datagram init, again;
  await_init(left, &init);
  sw_link_error(left->link, pair.now, &right->address, 111);
  await_init(left, &again);
  assert_ptr_equal(key_of(&again), &next);
}

static void one_key_stays_the_one_that_is_sent_with(void **state) {
  (void)state;
  for (unsigned i = 0; i < 4; i++) {
    struct pair_datagram init;
    await_init(left, &init);
    assert_ptr_equal(key_of(&init), &old);
  }
}

static void response_is_sealed_with_the_key_of_its_init(void **state) {
  (void)state;
  struct pair_datagram init, response;
  set_two(right, next, old);
  await_init(left, &init);
  assert_int_equal(pair_give(right, &init), SW_RECEIVED_CONTROL);
  assert_true(pair_take(right, &response));
  assert_ptr_equal(key_of(&response), &old);
  pair_give(left, &response);
  pair_flush(&pair);
  assert_true(uses(left, old) && uses(right, old));
  pair_send(left);
  pair_send(right);
  pair_flush(&pair);
  assert_int_equal(left->packets, 1);
  assert_int_equal(right->packets, 1);
}

static void response_under_another_key_than_its_init_is_dropped(void **state) {
  (void)state;
  struct pair_datagram init, response;
  uint8_t plain[SW_INIT_MAX];
  struct sw_keys keys[2];
  sw_keys_derive(&old, &keys[0]);
  sw_keys_derive(&next, &keys[1]);
  set_two(left, old, next);
  await_init(left, &init);
  pair_give(right, &init);
  assert_true(pair_take(right, &response));
  const int length = sw_message_open(&keys[0], sw_header_read(keys[0].mask, response.bytes),
                                     response.bytes, response.length, plain);
  assert_true(length > 0);
  sw_message_seal(&keys[1], plain, (size_t)length, response.bytes);
  assert_int_equal(pair_give(left, &response), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_UNEXPECTED);
}

static void status_shows_the_first_key_while_there_is_no_session(void **state) {
  (void)state;
  set_two(left, next, old);
  assert_true(uses(left, next));
}

/* ---- rotation ---- */

static void the_same_keys_change_nothing(void **state) {
  (void)state;
  set_two(left, old, next);
  pair_flush(&pair);
  const struct sw_link before = *left->link;
  set_two(left, old, next);
  assert_memory_equal(left->link, &before, sizeof(before));
  pair_flush(&pair);
  assert_string_equal(left->sent, "");
}

static void the_same_keys_keep_the_init_in_progress(void **state) {
  (void)state;
  struct pair_datagram init, response;
  await_init(left, &init);
  set_one(left, old);
  pair_give(right, &init);
  assert_true(pair_take(right, &response));
  assert_int_equal(pair_give(left, &response), SW_RECEIVED_CONTROL);
}

static void keys_are_changed_at_the_time_that_is_passed(void **state) {
  (void)state;
  pair.now += SW_SECOND;
  set_two(left, next, old);
  assert_int_equal(left->link->sessions.current->rekey_at, pair.now);
}

static void other_keys_leave_empty_sessions_empty(void **state) {
  (void)state;
  set_two(left, next, old);
  assert_int_equal(sessions_of(left), 1);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *row = &left->link->sessions.rows[i];
    if (row->state == SW_SESSION_EMPTY)
      assert_true(sodium_is_zero((const uint8_t *)row, sizeof(*row)));
  }
}

static void another_first_key_renews_the_session_in_any_row_and_nothing_else(void **state) {
  (void)state;
  struct sw_session *last = &left->link->sessions.rows[SW_SESSIONS - 1];
  *last = *left->link->sessions.current;
  set_two(left, next, old);
  assert_int_equal(last->rekey_at, pair.now);
  assert_int_equal(left->link->sessions.current->rekey_at, pair.now);
  const struct sw_pending *pending = &left->link->sessions.pending;
  assert_true(sodium_is_zero((const uint8_t *)pending, sizeof(*pending)));
}

static void another_first_key_ends_the_init_in_progress(void **state) {
  (void)state;
  struct pair_datagram init;
  await_init(left, &init);
  set_two(left, next, old);
  assert_true(pair_take(left, &init)); /* at once */
  assert_ptr_equal(key_of(&init), &next);
}

static void second_key_causes_no_handshake(void **state) {
  (void)state;
  set_two(left, old, next);
  set_two(right, old, next);
  pair_run(&pair, 60 * SW_SECOND);
  assert_string_equal(left->sent, "");
  assert_string_equal(right->sent, "");
  pair_send(left);
  pair_flush(&pair);
  assert_int_equal(right->packets, 1);
}

static void another_first_key_begins_one_handshake(void **state) {
  (void)state;
  pair.latency = 100 * SW_MILLISECOND;
  set_two(left, old, next);
  set_two(right, old, next);
  set_two(right, next, old); /* the right one was the responder */
  pair_run(&pair, SW_SECOND);
  assert_string_equal(right->sent, "ip");
  assert_true(uses(left, next) && uses(right, next));
  set_two(left, next, old);
  pair_clear_sent(left);
  pair_clear_sent(right);
  pair_run(&pair, 100 * SW_SECOND);
  assert_int_equal(pair_sent(left, 'i') + pair_sent(right, 'i'), 0);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void datagrams_of_the_former_key_are_opened_until_it_is_removed(void **state) {
  (void)state;
  struct pair_datagram former[2];
  pair_seal(left, 100, &former[0]);
  pair_seal(left, 100, &former[1]);
  set_two(right, old, next);
  set_two(left, next, old);
  pair_flush(&pair);
  assert_true(uses(right, next));
  assert_int_equal(pair_give(right, &former[0]), SW_RECEIVED_PACKET);
  set_one(right, next);
  assert_int_equal(pair_give(right, &former[1]), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, SW_DROP_SESSION);
  pair_send(left);
  pair_flush(&pair);
  assert_int_equal(right->packets, 1);
}

static void renewal_begins_with_the_first_key(void **state) {
  (void)state;
  set_two(left, next, old); /* which the right side does not have */
  right->deaf = true;
  pair_flush(&pair);
  assert_int_equal(pair_sent(left, 'i'), 1);
  pair_clear_sent(left);
  right->deaf = false;
  pair_run(&pair, 2 * SW_SECOND); /* the second key's turn */
  assert_true(uses(left, old));
  set_two(right, old, next);
  pair_run(&pair, SW_REKEY_AFTER);
  assert_true(uses(left, next) && uses(right, next));
}

/* The peer may send in it, before our next handshake ends. */
static void session_that_waits_for_its_confirmation_gets_it(void **state) {
  (void)state;
  struct pair_datagram datagram, probe, ack;
  left->link->sessions.current->rekey_at = pair.now;
  await_init(left, &datagram);
  pair_give(right, &datagram);
  assert_true(pair_take(right, &datagram));
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', &probe);
  const struct sw_session *begun = sw_sessions_unconfirmed(&left->link->sessions);
  assert_non_null(begun);
  set_two(right, old, next);
  set_two(left, next, old);
  assert_false(pair_take(left, &datagram));
  pair_give(right, &probe);
  assert_true(pair_take(right, &ack));
  pair_give(left, &ack);
  assert_ptr_equal(left->link->sessions.current, begun);
  assert_false(pair_take(left, &datagram)); /* no init as the answer to a datagram */
  pair_run(&pair, SW_PENDING_LIFETIME);
  assert_true(uses(left, next) && uses(right, next));
}

/* ---- removal ---- */

static void removed_key_ends_its_sessions_and_leaves_no_secret(void **state) {
  (void)state;
  struct sw_session session = *left->link->sessions.current;
  const struct sw_keys keys = *session.keys;
  set_two(left, old, next);
  assert_false(sw_link_keys_wiped(left->link));
  set_one(left, next);
  assert_true(sw_link_keys_wiped(left->link));
  assert_int_equal(sessions_of(left), 0);
  assert_null(left->link->sessions.current);
  const uint8_t *bytes = (const uint8_t *)left->link;
  assert_null(memmem(bytes, sizeof(*left->link), session.seal.key, SW_KEY_BYTES));
  assert_null(memmem(bytes, sizeof(*left->link), session.open.subkey, SW_KEY_BYTES));
  assert_null(memmem(bytes, sizeof(*left->link), keys.psk.bytes, SW_PSK_BYTES));
  assert_null(memmem(bytes, sizeof(*left->link), keys.handshake, SW_KEY_BYTES));
  assert_null(memmem(bytes, sizeof(*left->link), keys.mask, SW_MASK_KEY_BYTES));
}

static void removed_key_keeps_the_sessions_of_the_other_one(void **state) {
  (void)state;
  set_two(right, old, next);
  set_two(left, next, old);
  pair_flush(&pair);
  assert_int_equal(sessions_of(left), 2);
  const struct sw_session *current = left->link->sessions.current;
  set_one(left, next);
  assert_int_equal(sessions_of(left), 1);
  assert_ptr_equal(left->link->sessions.current, current);
  pair_clear_sent(left);
  pair_flush(&pair);
  assert_string_equal(left->sent, "");
}

static void removed_key_ends_handshakes_in_progress(void **state) {
  (void)state;
  struct pair_datagram init, response, later;
  await_init(left, &init);
  set_two(right, next, old);
  pair_give(right, &init);
  set_one(right, next);
  assert_int_equal(right->link->sessions.pending.count, 0);
  assert_true(sw_link_keys_wiped(right->link));
  assert_false(pair_take(right, &response));
  assert_int_equal(pair_give(right, &init), SW_RECEIVED_DROPPED);
  set_one(left, next);
  await_init(left, &later);
  assert_ptr_equal(key_of(&later), &next);
  pair_give(right, &later);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void pending_session_of_the_other_key_stays(void **state) {
  (void)state;
  struct pair_datagram init, response;
  set_two(right, next, old);
  await_init(left, &init);
  pair_give(right, &init);
  assert_true(pair_take(right, &response));
  set_two(right, old, third);
  assert_int_equal(right->link->sessions.pending.count, 1);
  pair_give(left, &response);
  pair_flush(&pair);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  assert_true(uses(right, old));
}

/* A new key takes the place in memory of one that is removed. */
static void both_keys_are_replaced_at_once(void **state) {
  (void)state;
  struct sw_psk fourth = old;
  fourth.bytes[0] ^= 4;
  set_two(left, next, old);
  set_two(left, third, fourth);
  assert_int_equal(sessions_of(left), 0);
  set_two(right, fourth, third);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  pair_send(left);
  pair_send(right);
  pair_flush(&pair);
  assert_int_equal(left->packets, 1);
  assert_int_equal(right->packets, 1);
}

/* ---- what else a reload replaces ---- */

static void sources_are_replaced(void **state) {
  (void)state;
  struct pair_datagram datagram;
  struct sw_prefix other;
  assert_int_equal(sw_prefix_parse("10.9.0.0/16", &other), 0);
  sw_link_sources_set(left->link, &other, 1, NULL, 0);
  pair_seal(right, 100, &datagram);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_SOURCE);
}

static void keepalive_is_replaced_at_the_time_that_is_passed(void **state) {
  (void)state;
  pair.now += SW_SECOND;
  sw_link_keepalive_set(left->link, pair.now, 5 * SW_SECOND);
  assert_int_equal(left->link->now, pair.now);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      APART(inits_take_the_keys_in_turn_and_begin_with_the_first),
      APART(each_endpoint_gets_an_init_under_each_key),
      APART(repeated_init_keeps_its_key),
      APART(one_key_stays_the_one_that_is_sent_with),
      APART(response_is_sealed_with_the_key_of_its_init),
      APART(response_under_another_key_than_its_init_is_dropped),
      APART(status_shows_the_first_key_while_there_is_no_session),
      CONNECTED(the_same_keys_change_nothing),
      APART(the_same_keys_keep_the_init_in_progress),
      CONNECTED(keys_are_changed_at_the_time_that_is_passed),
      CONNECTED(other_keys_leave_empty_sessions_empty),
      CONNECTED(another_first_key_renews_the_session_in_any_row_and_nothing_else),
      APART(another_first_key_ends_the_init_in_progress),
      CONNECTED(second_key_causes_no_handshake),
      CONNECTED(another_first_key_begins_one_handshake),
      CONNECTED(datagrams_of_the_former_key_are_opened_until_it_is_removed),
      CONNECTED(renewal_begins_with_the_first_key),
      CONNECTED(session_that_waits_for_its_confirmation_gets_it),
      CONNECTED(removed_key_ends_its_sessions_and_leaves_no_secret),
      CONNECTED(removed_key_keeps_the_sessions_of_the_other_one),
      APART(removed_key_ends_handshakes_in_progress),
      APART(pending_session_of_the_other_key_stays),
      CONNECTED(both_keys_are_replaced_at_once),
      CONNECTED(sources_are_replaced),
      CONNECTED(keepalive_is_replaced_at_the_time_that_is_passed),
  };
  return cmocka_run_group_tests_name("link: keys", tests, start_sodium, NULL);
}

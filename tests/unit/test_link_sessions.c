/* How the sessions of a link are renewed, coexist and are closed. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "pair.h"
#include "stack.h"

#define MS SW_MILLISECOND

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;

static int start(void **state) {
  (void)state;
  pair_start(&pair, 0);
  return 0;
}

static void clear_sent(void) {
  pair_clear_sent(left);
  pair_clear_sent(right);
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  clear_sent();
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* Sends a packet each way every `interval`, and asserts that all arrive. */
static void assert_nothing_is_lost(uint64_t duration, uint64_t interval) {
  left->packets = right->packets = 0;
  unsigned sent = 0;
  for (uint64_t end = pair.now + duration; pair.now < end; sent++) {
    pair_send(left);
    pair_send(right);
    pair_run(&pair, interval);
  }
  pair_run(&pair, 2 * pair.latency);
  assert_int_equal(left->packets, sent);
  assert_int_equal(right->packets, sent);
}

/* ---- sessions ---- */

static void renewal_loses_no_packet(void **state) {
  (void)state;
  pair.latency = 40 * MS;
  assert_nothing_is_lost(400 * SW_SECOND, 500 * MS);
  assert_true(sw_link_status(left->link)->handshakes >= 4);
}

static void simultaneous_renewals_lose_no_packet(void **state) {
  (void)state;
  pair.latency = 40 * MS;
  for (unsigned i = 0; i < 20; i++) {
    left->link->sessions.current->rekey_at = right->link->sessions.current->rekey_at = pair.now;
    assert_nothing_is_lost(2 * SW_SECOND, 5 * MS);
  }
}

static void renewals_of_any_stagger_lose_no_packet(void **state) {
  (void)state;
  pair.latency = 40 * MS;
  for (unsigned i = 0; i < 40; i++) {
    left->link->sessions.current->rekey_at = pair.now;
    right->link->sessions.current->rekey_at = pair.now + i * 4 * MS;
    assert_nothing_is_lost(SW_SECOND, 5 * MS);
  }
}

static void packet_of_the_former_session_is_opened(void **state) {
  (void)state;
  struct pair_datagram late;
  pair_seal(left, 100, &late);
  left->link->sessions.current->rekey_at = pair.now;
  pair_flush(&pair);
  assert_string_equal(left->sent, "ip");
  const uint32_t session = right->link->sessions.current->local;
  assert_int_equal(pair_give(right, &late), SW_RECEIVED_PACKET);
  assert_int_equal(right->link->sessions.current->local, session);
}

static unsigned sessions_of(const struct pair_side *side) {
  unsigned count = 0;
  for (unsigned i = 0; i < SW_SESSIONS; i++) count += side->link->sessions.rows[i].local != 0;
  return count;
}

static void older_answer_confirmed_late_is_added_beside_the_current_session(void **state) {
  (void)state;
  struct sw_initiation initiation;
  struct pair_datagram init, response, probe, younger;
  /* an init of the left side, answered; its probe is delayed */
  sw_initiation_begin(&initiation, left->link->keyring.places, left->link->me, 99);
  left->link->initiation = initiation;
  pair_seal_message(left, initiation.plain, initiation.length, &init);
  init.from = pair_address(77);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  probe.from = init.from;
  /* meanwhile another session is established */
  pair.now += SW_SECOND / 10;
  sw_initiation_begin(&left->link->initiation, left->link->keyring.places, left->link->me, 98);
  pair_seal_message(left, left->link->initiation.plain, left->link->initiation.length, &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_take_letter(left, 'p', &younger);
  assert_int_equal(sessions_of(left), 2); /* of the sessions that this side initiated, the latest */
  pair_give(right, &younger);
  pair_take_letter(right, 'a', &response);
  const uint32_t session = right->link->sessions.current->local;
  const uint64_t handshakes = sw_link_status(right->link)->handshakes;

  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_CONTROL);
  assert_int_equal(right->link->sessions.current->local, session);
  assert_int_equal(sw_link_status(right->link)->handshakes, handshakes + 1);
  assert_true(sw_address_equal(&sw_link_status(right->link)->peer, &left->address));
}

static void fifth_session_replaces_the_oldest_that_is_not_current(void **state) {
  (void)state;
  struct sw_link *link = right->link;
  assert_int_equal(sessions_of(right), 1);
  for (unsigned i = 1; i < SW_SESSIONS; i++) {
    assert_ptr_equal(sw_sessions_place(&link->sessions), &link->sessions.rows[i]);
    link->sessions.rows[i].state = SW_SESSION_CONFIRMED;
  }
  for (unsigned current = 0; current < SW_SESSIONS; current++) {
    for (unsigned oldest = 0; oldest < SW_SESSIONS; oldest++) {
      for (unsigned i = 0; i < SW_SESSIONS; i++) {
        link->sessions.rows[i].local = i + 1;
        link->sessions.rows[i].state = SW_SESSION_CONFIRMED;
        link->sessions.rows[i].created = PAIR_START + 10 + (i + SW_SESSIONS - oldest) % SW_SESSIONS;
      }
      link->sessions.current = &link->sessions.rows[current];
      const unsigned place = oldest == current ? (oldest + 1) % SW_SESSIONS : oldest;
      assert_ptr_equal(sw_sessions_place(&link->sessions), &link->sessions.rows[place]);
      assert_int_equal(link->sessions.rows[place].local, 0);
      assert_ptr_equal(link->sessions.current, &link->sessions.rows[current]);
    }
  }
}

static void many_renewals_keep_four_sessions(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++) {
    struct pair_side *side = i % 3 ? left : right;
    pair_run(&pair, SW_SECOND);
    side->link->sessions.current->rekey_at = pair.now;
    pair_flush(&pair);
    assert_int_equal(left->link->sessions.current->local, right->link->sessions.current->remote);
    assert_int_equal(left->link->sessions.current->created, pair.now);
    assert_in_range(sessions_of(left), 1, SW_SESSIONS);
    assert_in_range(sessions_of(right), 1, SW_SESSIONS);
  }
  assert_int_equal(sessions_of(left), SW_SESSIONS);
}

static void session_ids_are_never_zero_or_taken(void **state) {
  (void)state;
  for (unsigned i = 0; i < 1000; i++) {
    const uint32_t id = sw_sessions_id(&right->link->sessions, 0);
    assert_int_not_equal(id, 0);
    assert_int_not_equal(id, right->link->sessions.current->local);
  }
}

/* ---- closing ---- */

static void close_is_sent_in_every_session_and_then_nothing(void **state) {
  (void)state;
  left->link->sessions.current->rekey_at = pair.now;
  pair_flush(&pair);
  clear_sent();
  sw_link_close(left->link, pair.now);
  assert_int_equal(sw_link_deadline(left->link), pair.now);
  struct pair_datagram datagram;
  uint8_t packet[20] = {0x45}, sealed[48];
  assert_int_equal(sw_link_send(left->link, pair.now, packet, 20, sealed), -ENOTCONN);
  pair_assert_drop(left, SW_DROP_NO_SESSION);
  pair_seal(right, 100, &datagram);
  assert_int_equal(pair_give(left, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_SESSION);
  pair_flush(&pair);
  assert_string_equal(left->sent, "xx");
  assert_int_equal(sw_link_deadline(left->link), SW_NEVER);
  pair_introduce(left);
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].error_time, 0);
  pair_run(&pair, 100 * SW_SECOND);
  assert_string_equal(left->sent, "xx");
  assert_int_equal(pair_state(left), SW_LINK_CLOSED);
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    assert_true(
        sodium_is_zero((const uint8_t *)&left->link->sessions.rows[i], sizeof(struct sw_session)));
}

static void close_wipes_handshakes_in_progress(void **state) {
  (void)state;
  struct pair_datagram init, response;
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  sw_link_close(right->link, pair.now);
  sw_link_close(left->link, pair.now);
  assert_false(pair_take(right, &response)); /* the reply is not sent any more */
  assert_false(pair_take(left, &response));
  assert_true(
      sodium_is_zero((const uint8_t *)&left->link->initiation, sizeof(struct sw_initiation)));
  assert_true(
      sodium_is_zero((const uint8_t *)&right->link->sessions.pending, sizeof(struct sw_pending)));
  assert_int_equal(sw_link_deadline(right->link), SW_NEVER);
}

static void
close_is_sent_on_the_active_path_and_to_the_peer_of_an_unconfirmed_session(void **state) {
  (void)state;
  struct pair_datagram first, second;
  const struct sw_address active = pair_address(88), other = pair_address(77);
  struct sw_session *unconfirmed = &left->link->sessions.rows[SW_SESSIONS - 1];
  *unconfirmed = *left->link->sessions.current;
  unconfirmed->state = SW_SESSION_UNCONFIRMED;
  unconfirmed->path.peer = other;
  left->link->paths.active->path.peer = active;
  sw_link_close(left->link, pair.now);
  pair_take_letter(left, 'x', &first);
  pair_take_letter(left, 'x', &second);
  assert_true(sw_address_equal(&first.to, &active));
  assert_true(sw_address_equal(&second.to, &other));
}

static void reply_takes_the_place_of_all_that_were_not_sent(void **state) {
  (void)state;
  const uint8_t plain[SW_PROBE_BYTES] = {0};
  struct pair_datagram probe;
  const uint64_t lost = sw_link_status(left->link)->drops[SW_DROP_REPLY_LOST];
  for (unsigned i = 0; i < SW_REPLIES; i++) left->link->replies[i].length = 1;
  pair_seal_kind(right, SW_KIND_PROBE, plain, sizeof(plain), &probe);
  assert_int_equal(pair_give(left, &probe), SW_RECEIVED_CONTROL);
  assert_int_equal(sw_link_status(left->link)->drops[SW_DROP_REPLY_LOST], lost + SW_REPLIES);
  for (unsigned i = 1; i < SW_REPLIES; i++) assert_int_equal(left->link->replies[i].length, 0);
}

static void close_drops_every_reply(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_REPLIES; i++) left->link->replies[i].length = 1;
  sw_link_close(left->link, pair.now);
  for (unsigned i = 0; i < SW_REPLIES; i++) assert_int_equal(left->link->replies[i].length, 0);
}

static void handshake_begins_a_second_after_the_peer_closes(void **state) {
  (void)state;
  sw_link_close(right->link, pair.now);
  pair_flush(&pair);
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->closed_time, pair.now);
  assert_int_equal(status->state, SW_LINK_CONNECTING);
  assert_int_equal(sessions_of(left), 0);
  uint8_t packet[20] = {0x45}, sealed[48];
  assert_int_equal(sw_link_send(left->link, pair.now, packet, 20, sealed), -ENOTCONN);
  pair_run(&pair, SW_SECOND - 1);
  assert_string_equal(left->sent, "");
  pair_run(&pair, SW_RETRY_JITTER);
  assert_string_equal(left->sent, "i");
}

static void close_of_an_older_session_keeps_the_current_one(void **state) {
  (void)state;
  struct pair_datagram close;
  pair_seal_kind(left, SW_KIND_CLOSE, NULL, 0, &close);
  left->link->sessions.current->rekey_at = pair.now;
  pair_flush(&pair);
  assert_int_equal(sessions_of(right), 2);
  assert_int_equal(pair_give(right, &close), SW_RECEIVED_CONTROL);
  assert_int_equal(sessions_of(right), 1);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  assert_int_equal(sw_link_status(right->link)->closed_time, 0);
  assert_nothing_is_lost(SW_SECOND, 100 * MS);
}

static void close_while_silent_ends_the_silence(void **state) {
  (void)state;
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 16 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  sw_link_close(right->link, pair.now);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_CONNECTING);
  pair_restart(right, 0);
  right->deaf = false;
  pair_run(&pair, SW_RETRY_FIRST + SW_RETRY_JITTER);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

static struct pair_datagram given;
static struct pair_side *taker;

static void give(void) {
  pair_give(taker, &given);
}

static void assert_no_key_is_left_by_giving(struct pair_side *side) {
  taker = side;
  stack_run(give);
  const struct sw_agreement *pending = &side->link->sessions.pending.entries[0].agreement;
  const struct sw_session *session = &side->link->sessions.rows[0];
  const struct sw_secretbox *boxes[] = {&pending->seal, &pending->open, &session->seal,
                                        &session->open};
  unsigned looked_for = 0;
  for (unsigned i = 0; i < sizeof(boxes) / sizeof(*boxes); i++) {
    if (sodium_is_zero(boxes[i]->key, SW_KEY_BYTES)) continue;
    assert_false(stack_holds(boxes[i]->key, 16));
    assert_false(stack_holds(boxes[i]->subkey, 16));
    looked_for++;
  }
  assert_int_equal(looked_for, 2);
}

static void no_key_of_a_session_is_left_on_the_stack_as_it_is_made(void **state) {
  (void)state;
  pair_take_letter(left, 'i', &given);
  assert_no_key_is_left_by_giving(right);
  pair_take_letter(right, 'r', &given);
  assert_no_key_is_left_by_giving(left);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CONNECTED(renewal_loses_no_packet),
      CONNECTED(simultaneous_renewals_lose_no_packet),
      CONNECTED(renewals_of_any_stagger_lose_no_packet),
      CONNECTED(packet_of_the_former_session_is_opened),
      CONNECTED(older_answer_confirmed_late_is_added_beside_the_current_session),
      CONNECTED(fifth_session_replaces_the_oldest_that_is_not_current),
      CONNECTED(many_renewals_keep_four_sessions),
      CONNECTED(session_ids_are_never_zero_or_taken),
      CONNECTED(close_is_sent_in_every_session_and_then_nothing),
      APART(close_wipes_handshakes_in_progress),
      CONNECTED(reply_takes_the_place_of_all_that_were_not_sent),
      APART(close_drops_every_reply),
      CONNECTED(close_is_sent_on_the_active_path_and_to_the_peer_of_an_unconfirmed_session),
      CONNECTED(handshake_begins_a_second_after_the_peer_closes),
      CONNECTED(close_of_an_older_session_keeps_the_current_one),
      CONNECTED(close_while_silent_ends_the_silence),
      APART(no_key_of_a_session_is_left_on_the_stack_as_it_is_made),
  };
  return cmocka_run_group_tests_name("link: sessions", tests, start_sodium, NULL);
}

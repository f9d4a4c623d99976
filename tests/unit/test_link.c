/* How two links come up and learn each other's address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "pair.h"

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

/* ---- coming up ---- */

static void link_comes_up_with_four_datagrams_and_probes_its_path(void **state) {
  (void)state;
  pair.latency = 20 * MS;
  pair_run(&pair, 60 * MS);
  assert_int_equal(pair_state(right), SW_LINK_UP); /* confirmed by the probe */
  assert_int_equal(pair_state(left), SW_LINK_CONNECTING);
  pair_run(&pair, 20 * MS);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_string_equal(left->sent, "ippa");
  assert_string_equal(right->sent, "rap");
  const struct sw_link_status *status = sw_link_status(left->link);
  assert_int_equal(status->attempts, 0);
  assert_int_equal(status->handshakes, 1);
  assert_int_equal(status->handshake_time, pair.now);
  assert_int_equal(status->received_time, pair.now);
  assert_true(sw_address_equal(&status->peer, &right->address));
  assert_true(sw_address_equal(&sw_link_status(right->link)->peer, &left->address));
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
  assert_nothing_is_lost(SW_SECOND, 100 * MS);
}

static void states_are_reported(void **state) {
  (void)state;
  assert_int_equal(pair_state(right), SW_LINK_WAITING);
  assert_int_equal(pair_state(left), SW_LINK_CONNECTING);
  assert_int_equal(sw_link_status(left->link)->rtt, 0);
  sw_link_endpoints_set(left->link, pair.now, NULL, 0);
  assert_int_equal(pair_state(left), SW_LINK_WAITING);
  pair_introduce(left);
  pair_connect(&pair);
  right->deaf = true;
  pair_send(left);
  pair_run(&pair, 3 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_SILENT);
  sw_link_close(left->link, pair.now);
  assert_int_equal(pair_state(left), SW_LINK_CLOSED);
}

static void new_endpoints_do_not_disturb_a_link_that_is_up(void **state) {
  (void)state;
  const uint64_t deadline = sw_link_deadline(left->link);
  pair_introduce(left);
  assert_int_equal(sw_link_deadline(left->link), deadline);
  sw_link_endpoints_set(left->link, pair.now, NULL, 0);
  pair_introduce(right);
  pair_flush(&pair);
  assert_string_equal(left->sent, "");
  assert_string_equal(right->sent, "");
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void give_response_from(const struct sw_address *from, struct pair_datagram *probe) {
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  datagram.from = *from;
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', probe);
}

static void initiator_sends_to_the_source_of_the_response_if_its_init_went_there(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(77), pair_address(88)};
  struct pair_datagram first, probe;
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  pair_take_letter(left, 'i', &first);
  sw_link_error(left->link, pair.now, &endpoints[0], ECONNREFUSED);
  pair.now += 125 * MS; /* the init is repeated, to the second endpoint */
  give_response_from(&endpoints[0], &probe);
  assert_int_equal(sw_link_status(left->link)->endpoints[0].answer_time, pair.now);
  assert_true(sw_address_equal(&probe.to, &endpoints[0]));
}

static void initiator_sends_to_no_endpoint_that_its_init_did_not_go_to(void **state) {
  (void)state;
  const struct sw_address endpoints[] = {pair_address(77), pair_address(88)};
  struct pair_datagram probe;
  sw_link_endpoints_set(left->link, pair.now, endpoints, 2);
  give_response_from(&endpoints[1], &probe);
  assert_true(sw_address_equal(&probe.to, &endpoints[0]));
}

static void initiator_sends_to_the_destination_of_its_init_otherwise(void **state) {
  (void)state;
  const struct sw_address elsewhere = pair_address(99);
  struct pair_datagram probe;
  give_response_from(&elsewhere, &probe);
  assert_true(sw_address_equal(&probe.to, &right->address));
}

static void responder_sends_to_the_source_of_the_init(void **state) {
  (void)state;
  struct pair_datagram datagram;
  const struct sw_address asked = pair_address(77);
  pair_take_letter(left, 'i', &datagram);
  datagram.from = asked;
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  assert_true(sw_address_equal(&datagram.to, &asked));
  pair_give(left, &datagram);
  pair_take_letter(left, 'p', &datagram);
  const struct pair_datagram probe = datagram;
  datagram.from = pair_address(88); /* moved by an attacker on the path */
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  datagram = probe;
  datagram.from = asked;
  pair_give(right, &datagram);
  pair_take_letter(right, 'a', &datagram);
  assert_true(sw_address_equal(&datagram.to, &asked));
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &asked));
  assert_true(sw_address_equal(&sw_link_status(right->link)->peer, &asked));
}

static void copied_init_does_not_prevent_an_answer(void **state) {
  (void)state;
  struct pair_datagram init, copy, response;
  pair_take_letter(left, 'i', &init);
  copy = init;
  copy.from = pair_address(77);
  pair_give(right, &copy);
  pair_take_letter(right, 'r', &response);
  assert_true(sw_address_equal(&response.to, &copy.from));
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  assert_true(sw_address_equal(&response.to, &init.from));
  pair_give(left, &response);
  pair_connect(&pair);
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
}

/* The attacker copies the init from its own address and relays the response to the initiator.  It
 * then copies the first datagram of the session too. */
static void relay_that_loses_the_last_race_does_not_move_the_link(void **state) {
  (void)state;
  struct pair_datagram init, copy, response, probe;
  const struct sw_address attacker = pair_address(66);
  pair.now = left->link->sessions.current->rekey_at;
  pair_take_letter(left, 'i', &init);
  copy = init;
  copy.from = attacker;
  pair_give(right, &copy);
  pair_take_letter(right, 'r', &response);
  response.from = right->address;
  response.to = left->address;
  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  copy = probe;
  copy.from = attacker;
  assert_int_equal(right->link->sessions.pending.count, 1);
  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_DROPPED);
  assert_int_equal(right->link->sessions.pending.count, 0);
  assert_true(sw_link_keys_wiped(right->link));
  assert_int_equal(pair_give(right, &copy), SW_RECEIVED_DROPPED);
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
  pair_run(&pair, 10 * SW_SECOND);
  assert_int_equal(sw_link_status(right->link)->handshakes, 2);
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
}

static void two_known_addresses_of_the_peer_show_no_relay(void **state) {
  (void)state;
  struct pair_datagram init, response, probe;
  const struct sw_address known[] = {left->address, pair_address(77)};
  sw_link_endpoints_set(right->link, pair.now, known, 2);
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  struct pair_datagram moved = probe;
  moved.from = known[1];
  assert_int_equal(pair_give(right, &moved), SW_RECEIVED_DROPPED);
  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_CONTROL);
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
}

static void responder_sends_nothing_before_the_first_datagram_of_the_session(void **state) {
  (void)state;
  struct pair_datagram init, response, probe, none;
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  assert_false(pair_take(right, &none));
  assert_int_equal(pair_state(right), SW_LINK_WAITING);
  assert_null(sw_sessions_sending(&right->link->sessions));
  assert_int_equal(sw_link_status(right->link)->handshakes, 0);
  assert_int_equal(sw_link_status(right->link)->peer.port, 0);

  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  struct pair_datagram forged = probe;
  forged.bytes[forged.length - 1] ^= 1;
  assert_int_equal(pair_give(right, &forged), SW_RECEIVED_DROPPED);
  assert_int_equal(pair_state(right), SW_LINK_WAITING);
  pair_give(right, &probe);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  pair_take_letter(right, 'a', &none);
  assert_int_equal(pair_give(right, &probe), SW_RECEIVED_DROPPED); /* the replay window is kept */
}

static void packet_confirms_a_session(void **state) {
  (void)state;
  struct pair_datagram init, response, packet, back;
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_seal(left, 100, &packet);
  assert_int_equal(pair_give(right, &packet), SW_RECEIVED_PACKET);
  pair_seal(right, 100, &back);
  assert_int_equal(pair_give(left, &back), SW_RECEIVED_PACKET);
  assert_int_equal(pair_state(left), SW_LINK_UP);
}

static void pending_answer_is_valid_for_5_s(void **state) {
  (void)state;
  struct pair_datagram init, response, early, late;
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_seal(left, 100, &early);
  pair_seal(left, 100, &late);
  pair.now += 5 * SW_SECOND;
  assert_false(pair_take(right, &init));
  assert_int_equal(pair_give(right, &late), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, SW_DROP_SESSION);
}

static void both_sides_at_once_converge(void **state) {
  (void)state;
  pair_introduce(right);
  pair.latency = 30 * MS;
  pair_connect(&pair);
  pair_run(&pair, SW_SECOND);
  assert_nothing_is_lost(1000 * SW_SECOND, SW_SECOND);
  assert_in_range(sw_link_status(left->link)->handshakes, 9, 20);
}

static void last_datagram_that_may_begin_a_session_begins_it(void **state) {
  (void)state;
  struct pair_datagram datagram;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  pair_give(left, &datagram);
  sw_sessions_unconfirmed(&left->link->sessions)->counter = SW_REJECT_AFTER_COUNTER - 1;
  pair_take_letter(left, 'p', &datagram);
  pair.now += SW_PENDING_LIFETIME - 1;
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  assert_int_equal(pair_state(right), SW_LINK_UP);
}

static void own_init_is_wiped_with_the_first_datagram_of_the_peers_session(void **state) {
  (void)state;
  struct pair_datagram init, own, response, probe;
  pair_introduce(right);
  pair_take_letter(left, 'i', &init);
  pair_take_letter(right, 'i', &own);
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  pair_give(left, &response);
  pair_take_letter(left, 'p', &probe);
  assert_int_not_equal(right->link->initiation.local, 0);
  pair_give(right, &probe);
  const struct sw_initiation *initiation = &right->link->initiation;
  assert_true(sodium_is_zero((const uint8_t *)initiation, sizeof(*initiation)));
}

static void link_of_a_second_of_latency_comes_up_from_both_sides(void **state) {
  (void)state;
  pair_introduce(right);
  pair.latency = 900 * MS;
  pair_connect(&pair);
  pair_run(&pair, 10 * SW_SECOND);
  assert_nothing_is_lost(300 * SW_SECOND, SW_SECOND);
}

static void replayed_init_does_not_abort_our_own_handshake(void **state) {
  (void)state;
  struct pair_datagram old, init, response;
  pair_introduce(right);
  pair_take_letter(right, 'i', &old);
  pair_take_letter(left, 'i', &init);
  assert_int_equal(pair_give(left, &old), SW_RECEIVED_CONTROL);
  pair_take_letter(left, 'r', &response); /* goes to the copier, which cannot use it */
  pair_give(right, &init);
  pair_take_letter(right, 'r', &response);
  assert_int_equal(pair_give(left, &response), SW_RECEIVED_CONTROL);
  pair_connect(&pair);
}

static void replayed_init_affects_no_session(void **state) {
  (void)state;
  struct pair_datagram old, response;
  sw_link_error(left->link, pair.now, &right->address, ECONNREFUSED);
  sw_initiation_begin(&left->link->initiation, left->link->keyring.places, left->link->me, 99);
  pair_seal_message(left, left->link->initiation.plain, left->link->initiation.length, &old);
  sodium_memzero(&left->link->initiation, sizeof(left->link->initiation));
  const uint32_t session = right->link->sessions.current->local;
  for (unsigned i = 0; i < 10; i++) {
    old.from = pair_address((uint8_t)(100 + i));
    assert_int_equal(pair_give(right, &old), SW_RECEIVED_CONTROL);
    pair_take_letter(right, 'r', &response);
    assert_int_equal(pair_give(left, &response), SW_RECEIVED_DROPPED);
    pair_assert_drop(left, SW_DROP_UNEXPECTED);
    pair_run(&pair, 5 * SW_SECOND);
  }
  assert_int_equal(right->link->sessions.current->local, session);
  assert_true(sw_address_equal(&sw_link_path(right->link)->peer, &left->address));
  assert_nothing_is_lost(SW_SECOND, 100 * MS);
}

static void restarted_initiator_is_back_at_once(void **state) {
  (void)state;
  pair_restart(left, 0);
  pair_introduce(left);
  pair_flush(&pair);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_nothing_is_lost(SW_SECOND, 100 * MS);
}

static void restart_of_the_responder_is_noticed_within_3_s(void **state) {
  (void)state;
  pair_restart(right, 0);
  pair_send(left);
  pair_run(&pair, 3 * SW_SECOND);
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(pair_state(right), SW_LINK_UP);
  const uint64_t *drops = sw_link_status(right->link)->drops; /* of the packet and the probes */
  assert_in_range(drops[SW_DROP_SESSION], 1 + 1 + SW_DOUBT_PROBES, 1 + 1 + SW_DOUBT_PROBES + 4);
  assert_nothing_is_lost(SW_SECOND, 100 * MS);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      APART(link_comes_up_with_four_datagrams_and_probes_its_path),
      APART(states_are_reported),
      CONNECTED(new_endpoints_do_not_disturb_a_link_that_is_up),
      APART(initiator_sends_to_the_source_of_the_response_if_its_init_went_there),
      APART(initiator_sends_to_no_endpoint_that_its_init_did_not_go_to),
      APART(initiator_sends_to_the_destination_of_its_init_otherwise),
      APART(responder_sends_to_the_source_of_the_init),
      APART(copied_init_does_not_prevent_an_answer),
      CONNECTED(relay_that_loses_the_last_race_does_not_move_the_link),
      APART(two_known_addresses_of_the_peer_show_no_relay),
      APART(responder_sends_nothing_before_the_first_datagram_of_the_session),
      APART(packet_confirms_a_session),
      APART(pending_answer_is_valid_for_5_s),
      APART(both_sides_at_once_converge),
      APART(last_datagram_that_may_begin_a_session_begins_it),
      APART(own_init_is_wiped_with_the_first_datagram_of_the_peers_session),
      APART(link_of_a_second_of_latency_comes_up_from_both_sides),
      APART(replayed_init_does_not_abort_our_own_handshake),
      CONNECTED(replayed_init_affects_no_session),
      CONNECTED(restarted_initiator_is_back_at_once),
      CONNECTED(restart_of_the_responder_is_noticed_within_3_s),
  };
  return cmocka_run_group_tests_name("link", tests, start_sodium, NULL);
}

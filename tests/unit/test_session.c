#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/session.h"

#define START (1000 * SW_SECOND)

static struct sw_session ours, theirs;
static struct sw_keys keys;
static uint8_t datagram[256], plain[256];
static const uint8_t text[] = "through the tunnel";

static int begin(void **state) {
  (void)state;
  struct sw_agreement agreement = {.keys = &keys, .local = 1, .remote = 2};
  randombytes_buf(&agreement.seal, sizeof(agreement.seal));
  randombytes_buf(&agreement.open, sizeof(agreement.open));
  sw_secretbox_prepare(&agreement.seal);
  sw_secretbox_prepare(&agreement.open);
  const struct sw_agreement mirror = {
      .keys = &keys, .local = 2, .remote = 1, .seal = agreement.open, .open = agreement.seal};
  const struct sw_path path = {.peer = {.port = 9}};
  randombytes_buf(keys.mask, sizeof(keys.mask));
  sw_session_start(&ours, &agreement, true, &path, START);
  sw_session_start(&theirs, &mirror, false, &path, START);
  return 0;
}

static int64_t seal(uint64_t now) {
  return sw_session_seal(&ours, now, SW_KIND_PACKET, text, sizeof(text), datagram);
}

static struct sw_opening opening_of(const uint8_t *bytes, size_t length, uint8_t *packet) {
  const struct sw_header header = sw_header_read(keys.mask, bytes);
  return (struct sw_opening){.datagram = bytes,
                             .length = length,
                             .packet = packet,
                             .session = header.session,
                             .word = header.word,
                             .exact = true};
}

/* Opens the datagram that `seal` made. Returns SW_DROP_COUNT on success, else the reason. */
static enum sw_drop open(uint64_t now) {
  enum sw_drop drop = SW_DROP_COUNT;
  struct sw_opening opening = opening_of(datagram, SW_OVERHEAD + sizeof(text), plain);
  if (sw_session_open(&theirs, now, &opening, &drop) == 0)
    assert_memory_equal(plain, text, sizeof(text));
  return drop;
}

static void what_one_side_seals_the_other_opens(void **state) {
  (void)state;
  assert_int_equal(seal(START), SW_OVERHEAD + sizeof(text));
  const struct sw_header header = sw_header_read(keys.mask, datagram);
  assert_int_equal(header.session, 2);
  assert_int_equal(header.word, 0);
  assert_int_equal(open(START), SW_DROP_COUNT);
  assert_int_equal(open(START), SW_DROP_REPLAYED);
}

static void counters_go_up_by_one_and_carry_the_kind(void **state) {
  (void)state;
  for (uint64_t i = 0; i < 100; i++) {
    sw_session_seal(&ours, START, SW_KIND_PROBE, text, 8, datagram);
    assert_true(sw_header_read(keys.mask, datagram).word == (i | (uint64_t)SW_KIND_PROBE << 56));
  }
}

static void own_datagrams_do_not_open(void **state) {
  (void)state;
  enum sw_drop drop;
  seal(START);
  struct sw_opening opening = opening_of(datagram, SW_OVERHEAD + sizeof(text), plain);
  assert_int_equal(sw_session_open(&ours, START, &opening, &drop), -1);
  assert_int_equal(drop, SW_DROP_TAG);
}

static void last_counter_is_the_limit_and_is_never_passed(void **state) {
  (void)state;
  ours.counter = SW_REJECT_AFTER_COUNTER - 1;
  assert_true(seal(START) > 0);
  assert_int_equal(open(START), SW_DROP_COUNT);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(seal(START), -EKEYEXPIRED);
    struct sw_sealing sealing;
    assert_int_equal(sw_session_seal_begin(&ours, START, SW_KIND_PACKET, 1, &sealing),
                     -EKEYEXPIRED);
    assert_true(ours.counter == SW_REJECT_AFTER_COUNTER);
  }
}

static void batch_takes_its_counters_at_once_or_none(void **state) {
  (void)state;
  struct sw_sealing sealing;
  assert_int_equal(sw_session_seal_begin(&ours, START, SW_KIND_PACKET, 45, &sealing), 0);
  assert_true(sealing.word == 0 && ours.counter == 45);
  ours.counter = SW_REJECT_AFTER_COUNTER - 44;
  assert_int_equal(sw_session_seal_begin(&ours, START, SW_KIND_PACKET, 45, &sealing), -EKEYEXPIRED);
  assert_true(ours.counter == SW_REJECT_AFTER_COUNTER - 44);
  assert_int_equal(sw_session_seal_begin(&ours, START, SW_KIND_PACKET, 44, &sealing), 0);
  assert_true(ours.counter == SW_REJECT_AFTER_COUNTER);
}

static void received_counter_at_the_limit_is_dropped(void **state) {
  (void)state;
  const uint64_t counters[] = {SW_REJECT_AFTER_COUNTER, SW_REJECT_AFTER_COUNTER + 1,
                               SW_COUNTER_MASK};
  for (unsigned i = 0; i < 3; i++) {
    const struct sw_header header = {.session = 2, .word = counters[i]};
    sw_secretbox_seal(&ours.seal, header.word, text, sizeof(text), datagram + SW_TAG_OFFSET,
                      datagram + SW_BODY_OFFSET);
    sw_header_write(keys.mask, header, datagram);
    assert_int_equal(open(START), SW_DROP_COUNTER);
  }
}

static void session_ends_at_180_seconds(void **state) {
  (void)state;
  const uint64_t end = START + 180 * SW_SECOND;
  assert_true(seal(end - 1) > 0);
  assert_int_equal(open(end), SW_DROP_EXPIRED);
  assert_int_equal(open(end - 1), SW_DROP_COUNT);
  assert_int_equal(seal(end), -EKEYEXPIRED);
  assert_false(sw_session_expired(&ours, end - 1));
  assert_true(sw_session_expired(&ours, end));
}

static void unconfirmed_session_ends_with_the_peers_pending_answer(void **state) {
  (void)state;
  assert_true(sw_session_end(&ours) == START + SW_PENDING_LIFETIME);
  ours.state = SW_SESSION_CONFIRMED;
  assert_true(sw_session_end(&ours) == START + SW_REJECT_AFTER);
}

static void initiator_rekeys_between_115_and_120_seconds_the_other_10_s_later(void **state) {
  (void)state;
  uint64_t least = UINT64_MAX, most = 0, other_least = UINT64_MAX, other_most = 0;
  for (unsigned i = 0; i < 200; i++) {
    begin(NULL);
    assert_in_range(ours.rekey_at - START, 115 * SW_SECOND, 120 * SW_SECOND);
    if (ours.rekey_at < least) least = ours.rekey_at;
    if (ours.rekey_at > most) most = ours.rekey_at;
    assert_in_range(theirs.rekey_at - START, 130 * SW_SECOND, 135 * SW_SECOND);
    if (theirs.rekey_at < other_least) other_least = theirs.rekey_at;
    if (theirs.rekey_at > other_most) other_most = theirs.rekey_at;
  }
  /* the whole range occurs: the chance that 200 draws miss a fifth of it is 1 in 10^19 */
  assert_true(least < START + 116 * SW_SECOND);
  assert_true(most > START + 119 * SW_SECOND);
  assert_true(other_least < START + 131 * SW_SECOND);
  assert_true(other_most > START + 134 * SW_SECOND);
  assert_false((ours.rekey_at - 1 >= sw_session_rekey_time(&ours)));
  assert_true((ours.rekey_at >= sw_session_rekey_time(&ours)));
  assert_false((theirs.rekey_at - 1 >= sw_session_rekey_time(&theirs)));
  assert_true((theirs.rekey_at >= sw_session_rekey_time(&theirs)));
}

static void rekey_is_due_at_2_to_the_55_datagrams(void **state) {
  (void)state;
  ours.counter = (UINT64_C(1) << 55) - 1;
  assert_false((START >= sw_session_rekey_time(&ours)));
  assert_true(seal(START) > 0);
  assert_true(sw_session_rekey_time(&ours) == 0);
}

static void forged_datagram_does_not_move_the_window(void **state) {
  (void)state;
  const struct sw_replay before = theirs.replay;
  seal(START);
  const struct sw_header far = {.session = 2, .word = 1000000};
  sw_header_write(keys.mask, far, datagram);
  assert_int_equal(open(START), SW_DROP_TAG);
  assert_memory_equal(&before, &theirs.replay, sizeof(before));
}

static void counter_before_the_window_is_distinguished_from_a_replay(void **state) {
  (void)state;
  uint8_t early[sizeof(datagram)];
  seal(START);
  memcpy(early, datagram, sizeof(datagram));
  ours.counter = SW_REPLAY_WINDOW;
  seal(START);
  assert_int_equal(open(START), SW_DROP_COUNT);
  memcpy(datagram, early, sizeof(datagram));
  assert_int_equal(open(START), SW_DROP_OLD);
}

static void keepalive_of_no_bytes_opens(void **state) {
  (void)state;
  enum sw_drop drop;
  assert_int_equal(sw_session_seal(&ours, START, SW_KIND_PACKET, text, 0, datagram), SW_OVERHEAD);
  struct sw_opening opening = opening_of(datagram, SW_OVERHEAD, plain);
  assert_int_equal(sw_session_open(&theirs, START, &opening, &drop), 0);
}

static void wiped_session_is_all_zero(void **state) {
  (void)state;
  sw_session_wipe(&ours);
  assert_true(sodium_is_zero((const uint8_t *)&ours, sizeof(ours)));
}

static void fast_calls_agree_with_the_others(void **state) {
  (void)state;
  static uint8_t packet[64 + 256 + SW_SLACK], fast[64 + 256 + SW_SLACK], out[64 + 256 + SW_SLACK];
  enum sw_drop drop;
  memcpy(packet + 64, text, sizeof(text));
  struct sw_sealing sealing;
  assert_int_equal(sw_session_seal_begin(&ours, START, SW_KIND_PACKET_PARTIAL, 1, &sealing), 0);
  assert_int_equal(sw_sealing_run(&sealing, 0, packet + 64, sizeof(text), fast + 64),
                   SW_OVERHEAD + sizeof(text));
  memcpy(datagram, fast + 64, SW_OVERHEAD + sizeof(text));
  struct sw_opening opening = opening_of(fast + 64, SW_OVERHEAD + sizeof(text), out + 64);
  opening.exact = false;
  assert_true(opening.word == (uint64_t)SW_KIND_PACKET_PARTIAL << 56);
  assert_int_equal(sw_session_open(&theirs, START, &opening, &drop), 0);
  assert_memory_equal(out + 64, text, sizeof(text));
  assert_int_equal(open(START), SW_DROP_REPLAYED);
  memset(&theirs.replay, 0, sizeof(theirs.replay));
  assert_int_equal(open(START), SW_DROP_COUNT);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(what_one_side_seals_the_other_opens, begin),
      cmocka_unit_test_setup(counters_go_up_by_one_and_carry_the_kind, begin),
      cmocka_unit_test_setup(own_datagrams_do_not_open, begin),
      cmocka_unit_test_setup(last_counter_is_the_limit_and_is_never_passed, begin),
      cmocka_unit_test_setup(batch_takes_its_counters_at_once_or_none, begin),
      cmocka_unit_test_setup(received_counter_at_the_limit_is_dropped, begin),
      cmocka_unit_test_setup(session_ends_at_180_seconds, begin),
      cmocka_unit_test_setup(unconfirmed_session_ends_with_the_peers_pending_answer, begin),
      cmocka_unit_test_setup(initiator_rekeys_between_115_and_120_seconds_the_other_10_s_later,
                             begin),
      cmocka_unit_test_setup(rekey_is_due_at_2_to_the_55_datagrams, begin),
      cmocka_unit_test_setup(forged_datagram_does_not_move_the_window, begin),
      cmocka_unit_test_setup(counter_before_the_window_is_distinguished_from_a_replay, begin),
      cmocka_unit_test_setup(keepalive_of_no_bytes_opens, begin),
      cmocka_unit_test_setup(wiped_session_is_all_zero, begin),
      cmocka_unit_test_setup(fast_calls_agree_with_the_others, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

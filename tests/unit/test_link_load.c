/* A responder under load: cookies, and the inits that they admit. */
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

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

/* ---- under load ---- */

/* Sends inits sealed with the key, such as recordings, until the right side sends cookies. */
static void load_right(void) {
  struct sw_initiation initiation;
  struct pair_datagram datagram;
  const uint8_t me[SW_ME_BYTES] = {77};
  for (unsigned i = 0; i < SW_LOAD_INITS; i++) {
    sw_initiation_begin(&initiation, left->link->keyring.places, me, 1);
    pair_seal_message(left, initiation.plain, initiation.length, &datagram);
    pair_give(right, &datagram);
    pair_take_letter(right, 'r', &datagram);
  }
}

static void under_load_a_link_comes_up_with_a_cookie(void **state) {
  (void)state;
  load_right();
  pair_flush(&pair);
  assert_string_equal(left->sent, "iippa");
  assert_string_equal(right->sent, "crapa");
  assert_int_equal(pair_state(left), SW_LINK_UP);
  assert_int_equal(sw_link_status(right->link)->cookies_sent, 1);
  pair_assert_no_drops(left);
  pair_assert_no_drops(right);
}

static void twenty_inits_a_second_are_answered_without_a_cookie(void **state) {
  (void)state;
  for (unsigned i = 0; i < 3; i++) {
    load_right();
    pair.now += SW_SECOND;
  }
  assert_int_equal(sw_link_status(right->link)->cookies_sent, 0);
}

static void load_ends_after_a_second_without_inits(void **state) {
  (void)state;
  struct pair_datagram datagram;
  load_right();
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'c', &datagram);
  pair.now += 2 * SW_SECOND;
  load_right();
}

static void half_full_table_of_answers_requires_cookies(void **state) {
  (void)state;
  struct pair_datagram datagram;
  for (unsigned i = 0; i < 3; i++) {
    load_right();
    pair.now += SW_SECOND;
  }
  struct sw_pending *pending = &right->link->sessions.pending; /* filled with empty entries */
  while (pending->count < SW_LOAD_PENDING - 1)
    pending->entries[pending->count++].created = pair.now;
  pair_take_letter(left, 'i', &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'r', &datagram);
  struct sw_initiation initiation;
  sw_initiation_begin(&initiation, left->link->keyring.places, left->link->me, 2);
  pair_seal_message(left, initiation.plain, initiation.length, &datagram);
  pair_give(right, &datagram);
  pair_take_letter(right, 'c', &datagram);
}

static void cookie_is_for_one_address_and_key(void **state) {
  (void)state;
  struct pair_datagram init, cookie, other;
  load_right();
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'c', &cookie);
  assert_int_equal(pair_give(left, &cookie), SW_RECEIVED_CONTROL);
  pair_take_letter(left, 'i', &init);
  for (unsigned i = 0; i < 3; i++) {
    pair_seal_message(left, left->link->initiation.plain, left->link->initiation.length, &other);
    other.from = i == 0 ? pair_address(77) : left->address;
    if (i == 1) other.from.port++;
    if (i == 2) other.from.scope++;
    pair_give(right, &other);
    pair_take_letter(right, 'c', &other);
  }
  struct sw_initiation initiation;
  sw_initiation_begin(&initiation, left->link->keyring.places, left->link->me, 2);
  sw_initiation_cookie(&initiation, left->link->initiation.plain + 58);
  pair_seal_message(left, initiation.plain, initiation.length, &other);
  pair_give(right, &other);
  pair_take_letter(right, 'c', &other);

  pair_give(right, &init);
  pair_take_letter(right, 'r', &other);
}

static void under_load_a_recorded_init_is_answered_once_from_all_addresses(void **state) {
  (void)state;
  struct pair_datagram init, answer;
  load_right();
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'c', &answer);
  for (uint8_t i = 0; i < 100; i++) {
    init.from = pair_address(100 + i);
    assert_int_equal(pair_give(right, &init), SW_RECEIVED_DROPPED);
    pair_assert_drop(right, SW_DROP_REPEATED_INIT);
  }
  pair.now += SW_SECOND; /* the copies count as load too, so that it lasts */
  for (uint8_t i = 0; i < 100; i++) assert_int_equal(pair_give(right, &init), SW_RECEIVED_DROPPED);
  assert_int_equal(sw_link_status(right->link)->cookies_sent, 1);
  pair.now += 2 * SW_SECOND; /* without load it is answered again */
  pair_give(right, &init);
  pair_take_letter(right, 'r', &answer);
}

static void copied_init_from_elsewhere_does_not_block_a_known_peer(void **state) {
  (void)state;
  struct pair_datagram init, copy, answer;
  pair_introduce(right);
  pair_take_letter(right, 'i', &answer);
  load_right();
  pair_take_letter(left, 'i', &init);
  copy = init;
  copy.from = pair_address(77);
  pair_give(right, &copy);
  pair_take_letter(right, 'c', &answer);
  pair_give(right, &init);
  pair_take_letter(right, 'c', &answer);
  assert_int_equal(pair_give(right, &init), SW_RECEIVED_DROPPED);
}

static void cookie_is_valid_for_two_to_four_minutes(void **state) {
  (void)state;
  const struct {
    uint64_t made, used;
    bool good;
  } cases[] = {{0, 119, true}, {0, 239, true}, {119, 239, true}, {0, 240, false}, {1, 700, false}};
  for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    struct sw_cookies cookies;
    uint8_t cookie[SW_COOKIE_BYTES], now[SW_COOKIE_BYTES];
    const uint8_t point[SW_POINT_BYTES] = {9};
    sw_cookies_start(&cookies, 0);
    sw_cookies_make(&cookies, cases[i].made * SW_SECOND, &left->address, point, cookie);
    if (cases[i].used > 120) sw_cookies_make(&cookies, 120 * SW_SECOND, &left->address, point, now);
    assert_int_equal(
        sw_cookies_verify(&cookies, cases[i].used * SW_SECOND, &left->address, point, cookie),
        cases[i].good);
  }
}

static void cookies_of_two_links_differ(void **state) {
  (void)state;
  struct sw_cookies one = {0}, other = {0};
  uint8_t cookie[SW_COOKIE_BYTES];
  const uint8_t point[SW_POINT_BYTES] = {9};
  sw_cookies_start(&one, 0);
  sw_cookies_start(&other, 0);
  sw_cookies_make(&one, 0, &left->address, point, cookie);
  assert_true(sw_cookies_verify(&one, 0, &left->address, point, cookie));
  assert_false(sw_cookies_verify(&other, 0, &left->address, point, cookie));
}

static void new_link_has_a_secret_for_its_cookies(void **state) {
  (void)state;
  assert_false(sodium_is_zero(left->link->cookies.secret[0], SW_KEY_BYTES));
}

static void second_cookie_for_one_init_is_dropped(void **state) {
  (void)state;
  struct pair_datagram init, cookie, again;
  load_right();
  pair_take_letter(left, 'i', &init);
  pair_give(right, &init);
  pair_take_letter(right, 'c', &cookie);
  pair_give(left, &cookie);
  pair_take_letter(left, 'i', &again);
  assert_int_equal(pair_give(left, &cookie), SW_RECEIVED_DROPPED); /* for the init before */
  pair_assert_drop(left, SW_DROP_UNEXPECTED);
  uint8_t plain[SW_INIT_MAX];
  const uint8_t value[SW_COOKIE_BYTES] = {1};
  pair_seal_message(right, plain,
                    sw_cookie_message_make(right->link->me, left->link->initiation.hash, value,
                                           SW_INIT_MIN, plain),
                    &cookie);
  assert_int_equal(pair_give(left, &cookie), SW_RECEIVED_DROPPED);
  pair_assert_drop(left, SW_DROP_UNEXPECTED);
  assert_false(pair_take(left, &again));
}

static void cookie_does_not_delay_the_next_attempt(void **state) {
  (void)state;
  struct pair_datagram init, cookie;
  load_right();
  pair_take_letter(left, 'i', &init);
  const uint64_t deadline = sw_link_deadline(left->link);
  pair_give(right, &init);
  pair_take_letter(right, 'c', &cookie);
  pair.now += 100 * MS;
  pair_give(left, &cookie);
  pair_take_letter(left, 'i', &init);
  assert_int_equal(sw_link_deadline(left->link), deadline);
}

static void no_more_sources_than_the_limit_are_accepted(void **state) {
  (void)state;
  static const struct sw_prefix prefixes[SW_SOURCES_MAX + 1];
  const struct sw_psk psk = {.bytes = {1}};
  struct sw_link_options options = {.psks = &psk,
                                    .psk_count = 1,
                                    .sources = prefixes,
                                    .source_count = SW_SOURCES_MAX,
                                    .own = prefixes,
                                    .own_count = SW_SOURCES_MAX};
  struct sw_link *link = sw_link_new(&options);
  assert_non_null(link);
  sw_link_free(link);
  options.source_count++;
  errno = 0;
  assert_null(sw_link_new(&options));
  assert_int_equal(errno, EINVAL);
  options.source_count--;
  options.own_count++;
  assert_null(sw_link_new(&options));
  sw_link_free(NULL);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define APART(test) cmocka_unit_test_setup_teardown(test, start, stop)

static void replayed_init_is_counted_once(void **state) {
  (void)state;
  struct pair_datagram init;
  pair_take_letter(left, 'i', &init);
  for (unsigned i = 1; i <= 3; i++) {
    pair_give(right, &init);
    assert_int_equal(right->link->cookies.inits, i);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      APART(replayed_init_is_counted_once),
      APART(under_load_a_link_comes_up_with_a_cookie),
      APART(twenty_inits_a_second_are_answered_without_a_cookie),
      APART(load_ends_after_a_second_without_inits),
      APART(half_full_table_of_answers_requires_cookies),
      APART(cookie_is_for_one_address_and_key),
      APART(under_load_a_recorded_init_is_answered_once_from_all_addresses),
      APART(copied_init_from_elsewhere_does_not_block_a_known_peer),
      APART(cookie_is_valid_for_two_to_four_minutes),
      APART(cookies_of_two_links_differ),
      APART(new_link_has_a_secret_for_its_cookies),
      APART(second_cookie_for_one_init_is_dropped),
      APART(cookie_does_not_delay_the_next_attempt),
      APART(no_more_sources_than_the_limit_are_accepted),
  };
  return cmocka_run_group_tests_name("link: load", tests, start_sodium, NULL);
}

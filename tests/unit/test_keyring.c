#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/keyring.h"
#include "stack.h"

static const struct sw_psk a = {{1}}, b = {{2}}, c = {{3}};
static struct sw_keyring ring;

static int clear(void **state) {
  (void)state;
  memset(&ring, 0, sizeof(ring));
  return 0;
}

static void set(struct sw_psk first, struct sw_psk second) {
  sw_keyring_set(&ring, (struct sw_psk[]){first, second}, 2);
}

static bool holds(const struct sw_keys *keys, struct sw_psk psk) {
  struct sw_keys derived;
  sw_keys_derive(&psk, &derived);
  return memcmp(keys, &derived, sizeof(derived)) == 0;
}

static void keys_are_in_the_order_of_the_list(void **state) {
  (void)state;
  set(a, b);
  assert_true(holds(sw_keyring_at(&ring, 0), a));
  assert_true(holds(sw_keyring_at(&ring, 1), b));
  assert_true(holds(sw_keyring_at(&ring, 2), a));
  assert_ptr_equal(sw_keyring_other(&ring, sw_keyring_at(&ring, 0)), sw_keyring_at(&ring, 1));
  assert_ptr_equal(sw_keyring_other(&ring, sw_keyring_at(&ring, 1)), sw_keyring_at(&ring, 0));
}

static void one_key_is_every_key_of_the_list(void **state) {
  (void)state;
  sw_keyring_set(&ring, &b, 1);
  for (unsigned i = 0; i < 4; i++) assert_true(holds(sw_keyring_at(&ring, i), b));
}

/* Every list after every list: a key that stays keeps its place, and nothing else is left. */
static void key_that_stays_keeps_its_place(void **state) {
  (void)state;
  const struct sw_psk psks[] = {a, b, c};
  const int lists[][2] = {{0, -1}, {1, -1}, {2, -1}, {0, 1}, {1, 0},
                          {0, 2},  {2, 0},  {1, 2},  {2, 1}};
  const unsigned count = sizeof(lists) / sizeof(lists[0]);
  for (unsigned i = 0; i < count * count * count; i++) {
    clear(NULL);
    const int *steps[] = {lists[i % count], lists[i / count % count], lists[i / count / count]};
    const struct sw_keys *places[3] = {NULL};
    for (unsigned step = 0; step < 3; step++) {
      const unsigned listed = steps[step][1] < 0 ? 1 : 2;
      const struct sw_psk list[] = {psks[steps[step][0]], psks[listed > 1 ? steps[step][1] : 0]};
      sw_keyring_set(&ring, list, listed);
      assert_int_equal(ring.count, listed);
      assert_true(sw_keyring_equal(&ring, list, listed));
      const struct sw_keys *former[3];
      memcpy(former, places, sizeof(former));
      memset(places, 0, sizeof(places));
      for (unsigned j = 0; j < listed; j++) {
        const int psk = steps[step][j];
        places[psk] = sw_keyring_at(&ring, j);
        assert_true(holds(places[psk], psks[psk]));
        if (former[psk]) assert_ptr_equal(places[psk], former[psk]);
      }
      if (listed == 1)
        assert_true(
            sodium_is_zero((const uint8_t *)sw_keyring_other(&ring, sw_keyring_at(&ring, 0)),
                           sizeof(struct sw_keys)));
    }
  }
}

static void other_lists_are_not_equal(void **state) {
  (void)state;
  set(a, b);
  assert_true(sw_keyring_equal(&ring, (struct sw_psk[]){a, b}, 2));
  assert_false(sw_keyring_equal(&ring, (struct sw_psk[]){b, a}, 2));
  assert_false(sw_keyring_equal(&ring, (struct sw_psk[]){a, c}, 2));
  assert_false(sw_keyring_equal(&ring, (struct sw_psk[]){a, b}, 1));
  assert_true(sw_keyring_is(sw_keyring_at(&ring, 1), &b));
  assert_false(sw_keyring_is(sw_keyring_at(&ring, 1), &a));
}

static void set_both(void) {
  set(a, b);
}

static void no_key_is_left_on_the_stack(void **state) {
  (void)state;
  stack_run(set_both);
  for (unsigned i = 0; i < 2; i++) {
    const struct sw_keys *keys = sw_keyring_at(&ring, i);
    assert_false(stack_holds(keys->handshake, sizeof(keys->handshake)));
    assert_false(stack_holds(keys->mask, sizeof(keys->mask)));
  }
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define TEST(name) cmocka_unit_test_setup(name, clear)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(keys_are_in_the_order_of_the_list), TEST(one_key_is_every_key_of_the_list),
      TEST(key_that_stays_keeps_its_place),    TEST(other_lists_are_not_equal),
      TEST(no_key_is_left_on_the_stack),
  };
  return cmocka_run_group_tests_name("keyring", tests, start_sodium, NULL);
}

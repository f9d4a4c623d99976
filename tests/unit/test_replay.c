#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/replay.h"

static struct sw_replay replay;

static int begin(void **state) {
  (void)state;
  memset(&replay, 0, sizeof(replay));
  return 0;
}

/* Checks a counter and commits it if it is new. Returns the verdict. */
static enum sw_replay_verdict take(uint64_t counter) {
  const struct sw_replay before = replay;
  const enum sw_replay_verdict verdict = sw_replay_check(&replay, counter);
  assert_memory_equal(&before, &replay, sizeof(replay)); /* a check changes nothing */
  if (verdict == SW_REPLAY_NEW) sw_replay_commit(&replay, counter);
  return verdict;
}

static void assert_new(uint64_t counter) {
  assert_int_equal(take(counter), SW_REPLAY_NEW);
}

static void assert_seen(uint64_t counter) {
  assert_int_equal(take(counter), SW_REPLAY_SEEN);
}

static void assert_old(uint64_t counter) {
  assert_int_equal(take(counter), SW_REPLAY_OLD);
}

static void counter_is_accepted_once(void **state) {
  (void)state;
  assert_new(0);
  assert_seen(0);
  assert_new(1);
  assert_seen(1);
  assert_new(9);
  assert_new(8);
  assert_new(7);
  assert_seen(7);
  assert_seen(9);
  assert_new(2);
}

static void window_is_exactly_8192_counters(void **state) {
  (void)state;
  assert_int_equal(SW_REPLAY_WINDOW, 8192);
  for (uint64_t top = 8192; top < 8192 + 130; top++) { /* at every place within a block */
    begin(NULL);
    assert_new(top);
    assert_new(top - 8191);
    assert_seen(top - 8191);
    assert_old(top - 8192);
    assert_new(top + 1);
    assert_old(top - 8191);
    assert_new(top - 8190);
  }
}

static void every_counter_of_the_window_is_remembered(void **state) {
  (void)state;
  for (uint64_t counter = 0; counter < 3 * 8192; counter++) assert_new(counter);
  for (uint64_t counter = 2 * 8192; counter < 3 * 8192; counter++) assert_seen(counter);
  assert_old(2 * 8192 - 1);
}

static void counters_may_come_backwards(void **state) {
  (void)state;
  for (uint64_t counter = 8192; counter-- > 0;) assert_new(counter);
  for (uint64_t counter = 0; counter < 8192; counter++) assert_seen(counter);
}

static void jump_clears_the_counters_it_passes(void **state) {
  (void)state;
  static const uint64_t jumps[] = {1,
                                   63,
                                   64,
                                   65,
                                   8127,
                                   8128,
                                   8191,
                                   8192,
                                   8193,
                                   8255,
                                   8256,
                                   8257,
                                   16384,
                                   16512,
                                   1 << 20,
                                   8256 * 64,
                                   8256 * 64 + 1,
                                   1ull << 40,
                                   (1ull << 56) - 200};
  for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
    begin(NULL);
    for (uint64_t counter = 0; counter < 200; counter++) assert_new(counter);
    const uint64_t top = 199 + jumps[i];
    assert_new(top);
    assert_seen(top);
    for (uint64_t back = 1; back < 8192 && back <= top; back++) {
      const uint64_t counter = top - back;
      assert_int_equal(sw_replay_check(&replay, counter),
                       counter < 200 ? SW_REPLAY_SEEN : SW_REPLAY_NEW);
    }
  }
}

/* Compares the window with a naive implementation. */
static void window_agrees_with_a_naive_one(void **state) {
  (void)state;
  enum { SPACE = 100000 };
  static uint8_t seen[SPACE];
  srand(11);
  for (unsigned round = 0; round < 20; round++) {
    begin(NULL);
    memset(seen, 0, sizeof(seen));
    uint64_t top = 0;
    bool any = false;
    for (unsigned step = 0; step < 20000; step++) {
      const uint64_t spread = (uint64_t)rand() % (rand() % 50 ? 300 : 12000);
      uint64_t counter = rand() % 3 ? top + spread % 40 : top > spread ? top - spread : 0;
      if (counter >= SPACE) break;
      enum sw_replay_verdict want = seen[counter] ? SW_REPLAY_SEEN : SW_REPLAY_NEW;
      if (any && counter + 8192 <= top) want = SW_REPLAY_OLD;
      assert_int_equal(take(counter), want);
      seen[counter] = 1;
      if (counter > top) top = counter;
      any = true;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(counter_is_accepted_once, begin),
      cmocka_unit_test_setup(window_is_exactly_8192_counters, begin),
      cmocka_unit_test_setup(every_counter_of_the_window_is_remembered, begin),
      cmocka_unit_test_setup(counters_may_come_backwards, begin),
      cmocka_unit_test_setup(jump_clears_the_counters_it_passes, begin),
      cmocka_unit_test_setup(window_agrees_with_a_naive_one, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The outbox: which datagrams form a run, and what remains after a send.  The tests replace the
 * socket.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/outbox.h"

static uint8_t buffer[SW_OUTBOX_BUFFER];
static struct sw_outbox outbox;
static struct sw_udp udp;
static const struct sw_path path = {.peer = {.ip = {[15] = 1}, .port = 1}, .local = {[15] = 2}};

static int result;          /* result of the next send ... */
static unsigned taken;      /* ... the number of runs it takes ... */
static size_t refused_next; /* ... and the number of bytes of the next run it refuses */

int sw_udp_send(struct sw_udp *socket, struct sw_run *runs, unsigned count, size_t *refused) {
  (void)socket;
  for (unsigned i = 0; i < (result == 0 ? count : taken); i++) runs[i].sent = runs[i].length;
  *refused = refused_next;
  return result;
}

static int begin(void **state) {
  (void)state;
  result = 0;
  sw_outbox_init(&outbox, buffer);
  return 0;
}

/* Adds datagrams of these lengths, up to a length of zero. */
static void add(const size_t *lengths) {
  for (; *lengths > 0; lengths++) {
    memset(sw_outbox_room(&outbox), (int)*lengths & 0xff, *lengths);
    sw_outbox_add(&outbox, *lengths, &path, 0);
  }
}

static void assert_run(unsigned index, size_t segment, size_t length) {
  assert_true(index < outbox.count);
  assert_int_equal(outbox.runs[index].segment, segment);
  assert_int_equal(outbox.runs[index].length, length);
}

static void datagrams_of_one_size_form_a_run(void **state) {
  (void)state;
  add((const size_t[]){100, 100, 60, 100, 120, 120, 0});
  assert_int_equal(outbox.count, 3);
  assert_run(0, 100, 260); /* a shorter datagram ends the run */
  assert_run(1, 100, 100); /* a longer datagram starts another */
  assert_run(2, 120, 240);
  assert_ptr_equal(outbox.runs[2].bytes, outbox.runs[0].bytes + 360);
}

static void run_has_as_many_datagrams_and_bytes_as_the_kernel_takes(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_UDP_SEGMENTS + 1; i++) add((const size_t[]){10, 0});
  assert_int_equal(outbox.count, 2);
  assert_run(0, 10, 10 * SW_UDP_SEGMENTS);
  for (unsigned i = 0; i < SW_UDP_SEGMENTS; i++) add((const size_t[]){10, 0});
  assert_int_equal(outbox.count, 3);
  assert_run(1, 10, 10 * SW_UDP_SEGMENTS); /* as many again */
  begin(NULL);
  for (unsigned i = 0; i < 7; i++) add((const size_t[]){9400, 0});
  assert_int_equal(outbox.count, 2);
  assert_run(0, 9400, 6 * 9400); /* a seventh would exceed the limit */
  const size_t size = SW_UDP_RUN / 8 + 1, rest = SW_UDP_RUN - 7 * size;
  for (size_t last = rest; last <= rest + 1; last++) {
    begin(NULL);
    for (unsigned i = 0; i < 7; i++) add((const size_t[]){size, 0});
    add((const size_t[]){last, 0});
    assert_int_equal(outbox.count, last == rest ? 1 : 2);
  }
}

static void datagram_that_stays_whole_is_a_run_of_its_own(void **state) {
  (void)state;
  add((const size_t[]){100, 0});
  for (unsigned i = 0; i < 2; i++) sw_outbox_add_whole(&outbox, 100, &path);
  add((const size_t[]){100, 100, 0});
  assert_int_equal(outbox.count, 4);
  for (unsigned i = 0; i < 4; i++) {
    assert_run(i, 100, i == 3 ? 200 : 100);
    assert_int_equal(outbox.runs[i].whole, i == 1 || i == 2);
    assert_int_equal(outbox.runs[i].tos, 0);
  }
}

static void run_ends_where_the_path_changes(void **state) {
  (void)state;
  struct sw_path others[] = {path, path, path};
  others[0].local[15]++;
  others[1].peer.ip[15]++;
  others[2].peer.port++;
  for (size_t i = 0; i < 3; i++) {
    begin(NULL);
    sw_outbox_add(&outbox, 100, &path, 0);
    sw_outbox_add(&outbox, 100, &others[i], 0);
    sw_outbox_add(&outbox, 100, &others[i], 0);
    assert_int_equal(outbox.count, 2);
    assert_run(0, 100, 100);
    assert_run(1, 100, 200);
    assert_memory_equal(&outbox.runs[1].path, &others[i], sizeof(path));
  }
}

static void run_ends_where_the_tos_changes(void **state) {
  (void)state;
  static const uint8_t tos[] = {0, 2, 2, 3, 2, 0xba, 0xb8};
  for (size_t i = 0; i < sizeof(tos); i++) sw_outbox_add(&outbox, 100, &path, tos[i]);
  assert_int_equal(outbox.count, 6);
  assert_run(1, 100, 200);
  static const uint8_t of_runs[] = {0, 2, 3, 2, 0xba, 0xb8};
  for (unsigned i = 0; i < outbox.count; i++) assert_int_equal(outbox.runs[i].tos, of_runs[i]);
}

static void outbox_is_full_by_bytes_or_runs(void **state) {
  (void)state;
  assert_true(sw_outbox_is_empty(&outbox));
  while (outbox.used < SW_OUTBOX_BYTES) {
    assert_false(sw_outbox_is_full(&outbox));
    add((const size_t[]){1024, 0});
  }
  assert_true(sw_outbox_is_full(&outbox));
  begin(NULL);
  add((const size_t[]){SW_OUTBOX_BYTES - 1, 0});
  assert_false(sw_outbox_is_full(&outbox));
  begin(NULL);
  for (unsigned i = 0; i < SW_OUTBOX_RUNS; i++) {
    assert_false(sw_outbox_is_full(&outbox));
    add((const size_t[]){10 + i, 0});
  }
  assert_true(sw_outbox_is_full(&outbox));
}

static void outbox_is_empty_once_all_is_sent(void **state) {
  (void)state;
  add((const size_t[]){100, 200, 300, 0});
  result = -EAGAIN;
  taken = 2;
  assert_int_equal(sw_outbox_send(&outbox, &udp), -EAGAIN);
  assert_false(sw_outbox_is_empty(&outbox));
  result = 0;
  assert_int_equal(sw_outbox_send(&outbox, &udp), 0);
  assert_true(sw_outbox_is_empty(&outbox));
  assert_ptr_equal(sw_outbox_room(&outbox), buffer + SW_HEADROOM);
  result = -EIO; /* no datagram is left to be refused */
  assert_int_equal(sw_outbox_send(&outbox, &udp), 0);
}

static void refused_datagrams_are_dropped_and_counted(void **state) {
  (void)state;
  struct sw_address peer = {0};
  size_t longest = 0;
  add((const size_t[]){100, 200, 200, 150, 0});
  result = -EPERM;
  taken = 1;
  refused_next = 550;
  assert_int_equal(sw_outbox_send(&outbox, &udp), -EPERM);
  assert_int_equal(sw_outbox_drop(&outbox, &peer, &longest), 3);
  assert_int_equal(longest, 200);
  assert_true(sw_address_equal(&peer, &path.peer));
  assert_int_equal(outbox.runs[1].sent, 550);
}

/* The last datagram of a run may be shorter. */
static void all_refused_datagrams_of_a_run_are_counted(void **state) {
  (void)state;
  for (size_t last = 1; last <= 200; last++) {
    struct sw_address peer;
    size_t longest = 0;
    begin(NULL);
    add((const size_t[]){200, 200, last, 0});
    result = -EPERM;
    taken = 0;
    refused_next = 400 + last;
    assert_int_equal(sw_outbox_send(&outbox, &udp), -EPERM);
    assert_int_equal(sw_outbox_drop(&outbox, &peer, &longest), 3);
    assert_int_equal(longest, 200);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, begin)
  const struct CMUnitTest tests[] = {
      TEST(datagrams_of_one_size_form_a_run),
      TEST(run_has_as_many_datagrams_and_bytes_as_the_kernel_takes),
      TEST(datagram_that_stays_whole_is_a_run_of_its_own),
      TEST(run_ends_where_the_path_changes),
      TEST(run_ends_where_the_tos_changes),
      TEST(outbox_is_full_by_bytes_or_runs),
      TEST(outbox_is_empty_once_all_is_sent),
      TEST(refused_datagrams_are_dropped_and_counted),
      TEST(all_refused_datagrams_of_a_run_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

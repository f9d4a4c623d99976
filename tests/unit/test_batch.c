/*
 * Sealing and opening batches with workers gives the same bytes and drops as without batches.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "engine/batch.h"
#include "packet/checksum.h"
#include "pair.h"

#define GUARD 64
#define WORKERS 3

static struct pair pair;
static struct sw_link *left, *right;
static struct sw_workers workers;
static struct sw_batch batch;
static uint8_t packet[SW_HEADROOM + 65536 + SW_SLACK], original[65536];
static uint8_t datagrams[SW_HEADROOM + 131072 + SW_SLACK],
    expected[SW_HEADROOM + 131072 + SW_SLACK];
static uint8_t room[SW_GRO_BUFFER];

static int begin(void **state) {
  (void)state;
  pair_start(&pair, 0);
  pair_connect(&pair);
  left = pair.left.link;
  right = pair.right.link;
  assert_int_equal(sw_workers_start(&workers, WORKERS), 0);
  workers.engaged = true; /* for the whole test */
  workers.next = UINT64_MAX;
  return sw_batch_start(&batch, &workers, room);
}

static int end(void **state) {
  (void)state;
  sw_batch_stop(&batch);
  sw_workers_stop(&workers);
  pair_stop(&pair);
  return 0;
}

struct shape {
  enum sw_gso_type gso;
  size_t size, length;
};

/* Makes a super-packet of random bytes from left to right, in `original`. */
static struct sw_offload make_super_packet(const struct shape *shape) {
  const bool v4 = shape->gso != SW_GSO_TCP6, udp = shape->gso == SW_GSO_UDP;
  const size_t transport = v4 ? SW_IP4_HEADER : SW_IP6_HEADER;
  uint8_t *ip = original;
  randombytes_buf(ip, shape->length);
  if (v4) {
    pair_packet4(ip, transport, (uint8_t[]){10, 1, 0, 1});
    ip[9] = udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
  } else {
    memset(ip, 0, transport);
    ip[0] = 0x60;
    ip[6] = SW_PROTOCOL_TCP;
    memcpy(ip + 8, (uint8_t[]){0xfd, 1, [15] = 1}, 16);
  }
  ip[transport + 12] = 0x80; /* options of 12 bytes */
  ip[transport + 13] = SW_TCP_ACK | SW_TCP_PSH;
  return (struct sw_offload){.gso = shape->gso,
                             .partial = true,
                             .size = (uint16_t)shape->size,
                             .csum_start = (uint16_t)transport,
                             .csum_offset = udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM};
}

static void start_gso(struct sw_gso *gso, const struct shape *shape,
                      const struct sw_offload *offload) {
  memcpy(packet + SW_HEADROOM, original, shape->length);
  assert_int_equal(sw_gso_start(gso, packet + SW_HEADROOM, shape->length, offload), 0);
}

/* Seals the segments of `original` as single packets, into `expected`. */
static size_t seal_one_by_one(const struct shape *shape, const struct sw_offload *offload) {
  struct sw_gso gso;
  struct sw_segment segment;
  size_t at = 0;
  start_gso(&gso, shape, offload);
  while (sw_gso_next(&gso, &segment)) {
    const int64_t sealed = sw_link_seal(left, pair.now, segment.packet, segment.length,
                                        segment.partial, expected + SW_HEADROOM + at);
    assert_true(sealed > 0);
    at += (size_t)sealed;
  }
  return at;
}

static int64_t seal_batch(const struct shape *shape, const struct sw_offload *offload,
                          size_t *each) {
  struct sw_gso gso;
  start_gso(&gso, shape, offload);
  return sw_batch_seal(&batch, left, pair.now, &gso, datagrams + SW_HEADROOM, each);
}

static void batch_is_sealed_like_single_packets(void **state) {
  (void)state;
  static const enum sw_gso_type kinds[] = {SW_GSO_TCP4, SW_GSO_TCP6, SW_GSO_UDP};
  static const size_t sizes[] = {1024, 1025, 1376, 1448, 4096, 8960, 9216};
  for (unsigned i = 0; i < 600; i++) {
    const struct shape shape = {.gso = kinds[i % 3],
                                .size = i % 2 ? sizes[i % 7] : 1024 + (size_t)rand() % 8193,
                                .length =
                                    SW_BATCH_LEAST + (size_t)rand() % (65536 - SW_BATCH_LEAST)};
    const struct sw_offload offload = make_super_packet(&shape);
    const uint64_t counter = left->sessions.current->counter;
    const struct sw_link_status before = *sw_link_status(left);
    const size_t length = seal_one_by_one(&shape, &offload);
    const struct sw_link_status between = *sw_link_status(left);
    const uint64_t next = left->sessions.current->counter;
    left->sessions.current->counter = counter; /* seal the same bytes again */
    memset(datagrams + SW_HEADROOM - GUARD, 0x5a, GUARD);
    size_t each;
    assert_int_equal(seal_batch(&shape, &offload, &each), length);
    assert_memory_equal(datagrams + SW_HEADROOM, expected + SW_HEADROOM, length);
    for (unsigned g = 1; g <= 4; g++) assert_int_equal(datagrams[SW_HEADROOM - g], 0x5a);
    assert_true(left->sessions.current->counter == next);
    const struct sw_link_status *after = sw_link_status(left);
    assert_int_equal(after->packets_out - between.packets_out,
                     between.packets_out - before.packets_out);
    assert_int_equal(after->bytes_out - between.bytes_out, between.bytes_out - before.bytes_out);
  }
}

static void small_and_odd_batches_are_left_to_the_caller(void **state) {
  (void)state;
  static const struct shape shapes[] = {{SW_GSO_TCP4, 1400, SW_BATCH_LEAST - 1},
                                        {SW_GSO_TCP4, 1023, 60000},
                                        {SW_GSO_TCP4, 9217, 60000},
                                        {SW_GSO_NONE, 0, 60000}};
  const uint64_t counter = left->sessions.current->counter;
  size_t each;
  for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
    struct sw_offload offload = make_super_packet(&shapes[i]);
    assert_int_equal(seal_batch(&shapes[i], &offload, &each), -EAGAIN);
  }
  assert_true(left->sessions.current->counter == counter); /* none was used */
  assert_false(sw_batch_opens(&batch, SW_BATCH_LEAST - 1));
  assert_true(sw_batch_opens(&batch, SW_BATCH_LEAST));
  workers.engaged = false;
  const struct shape large = {SW_GSO_TCP4, 1400, 60000};
  const struct sw_offload offload = make_super_packet(&large);
  assert_int_equal(seal_batch(&large, &offload, &each), -EAGAIN);
  assert_false(sw_batch_opens(&batch, 65536));
}

static void batch_is_refused_as_a_whole_while_the_link_is_down(void **state) {
  (void)state;
  const struct shape shape = {SW_GSO_TCP4, 1400, 40 + 12 + 30 * 1400};
  const struct sw_offload offload = make_super_packet(&shape);
  size_t each;
  sw_link_close(left, pair.now);
  assert_int_equal(seal_batch(&shape, &offload, &each), 0);
  assert_int_equal(sw_link_status(left)->drops[SW_DROP_NO_SESSION], 30);
  assert_int_equal(sw_link_status(left)->packets_out, 0);
}

/* ---- opening ---- */

#define COUNT 40

static uint8_t flight[COUNT][SW_HEADROOM + 1500 + SW_SLACK]; /* datagrams with room around them */
static size_t lengths[COUNT];
static uint8_t plain[COUNT][1500];

static void put(unsigned i, const struct pair_datagram *datagram) {
  memcpy(flight[i] + SW_HEADROOM, datagram->bytes, datagram->length);
  lengths[i] = datagram->length;
}

/* Packets of different lengths, sealed in order. */
static void seal_flight(void) {
  for (unsigned i = 0; i < COUNT; i++) {
    const size_t length = 1400 - i;
    pair_packet4(plain[i], length, (uint8_t[]){10, 1, 0, 1});
    randombytes_buf(plain[i] + 20, length - 20);
    lengths[i] = (size_t)sw_link_send(left, pair.now, plain[i], length, flight[i] + SW_HEADROOM);
  }
}

static enum sw_received results[COUNT];
static struct sw_opened opened[COUNT];

static void open_flight(void) {
  static struct sw_run run;
  run.path.peer = pair.left.address;
  for (unsigned i = 0; i < COUNT; i++)
    assert_true(sw_batch_add(&batch, right, pair.now, &run, flight[i] + SW_HEADROOM, lengths[i]));
  assert_int_equal(sw_batch_open(&batch), COUNT);
  for (unsigned i = 0; i < COUNT; i++)
    results[i] = sw_link_open_finish(right, &batch.openings[i], &opened[i]);
}

static void assert_opened(unsigned i) {
  assert_int_equal(results[i], SW_RECEIVED_PACKET);
  assert_int_equal(opened[i].view.length, lengths[i] - SW_OVERHEAD);
  assert_memory_equal(batch.openings[i].packet, plain[i], opened[i].view.length);
}

static uint64_t drops(enum sw_drop reason) {
  return sw_link_status(right)->drops[reason];
}

static uint64_t all_drops(void) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) sum += drops((enum sw_drop)i);
  return sum;
}

static void batch_is_opened_in_order(void **state) {
  (void)state;
  for (unsigned run = 0; run < 200; run++) {
    seal_flight();
    open_flight();
    for (unsigned i = 0; i < COUNT; i++) assert_opened(i);
    open_flight(); /* the second time they are replays */
    for (unsigned i = 0; i < COUNT; i++) assert_int_equal(results[i], SW_RECEIVED_DROPPED);
    assert_int_equal(drops(SW_DROP_REPLAYED), (run + 1) * COUNT);
  }
  assert_int_equal(sw_link_status(right)->packets_in, 200 * COUNT);
  assert_int_equal(all_drops(), 200 * COUNT);
}

static void only_forged_datagrams_of_a_batch_are_dropped(void **state) {
  (void)state;
  static const unsigned forged[] = {0, 7, 8, 9, 20, COUNT - 1};
  seal_flight();
  for (unsigned f = 0; f < 6; f++) flight[forged[f]][SW_HEADROOM + SW_BODY_OFFSET + 3 * f] ^= 1;
  open_flight();
  for (unsigned i = 0, f = 0; i < COUNT; i++) {
    if (f < 6 && i == forged[f]) {
      assert_int_equal(results[i], SW_RECEIVED_DROPPED);
      assert_true(sodium_is_zero(batch.openings[i].packet, lengths[i] - SW_OVERHEAD));
      f++;
    } else {
      assert_opened(i);
    }
  }
  assert_int_equal(drops(SW_DROP_TAG), 6);
  assert_int_equal(all_drops(), 6);
  for (unsigned f = 0; f < 6; f++) /* the forgeries did not use up their counters */
    flight[forged[f]][SW_HEADROOM + SW_BODY_OFFSET + 3 * f] ^= 1;
  open_flight();
  for (unsigned f = 0; f < 6; f++) assert_opened(forged[f]);
}

static void copy_within_a_batch_is_dropped_as_replayed(void **state) {
  (void)state;
  seal_flight();
  memcpy(flight[5], flight[4], sizeof(flight[5])); /* in the same share */
  lengths[5] = lengths[4];
  memcpy(flight[30], flight[2], sizeof(flight[30])); /* in another share */
  lengths[30] = lengths[2];
  open_flight();
  for (unsigned i = 0; i < COUNT; i++) {
    if (i == 5 || i == 30)
      assert_int_equal(results[i], SW_RECEIVED_DROPPED);
    else
      assert_opened(i);
  }
  assert_int_equal(drops(SW_DROP_REPLAYED), 2);
  assert_int_equal(all_drops(), 2);
}

static void datagrams_after_a_close_within_a_batch_are_dropped(void **state) {
  (void)state;
  struct pair_datagram farewell;
  seal_flight();
  pair_seal_kind(&pair.left, SW_KIND_CLOSE, plain[0], 0, &farewell);
  put(10, &farewell);
  open_flight();
  for (unsigned i = 0; i < 10; i++) assert_opened(i);
  assert_int_equal(results[10], SW_RECEIVED_CONTROL);
  for (unsigned i = 11; i < COUNT; i++) assert_int_equal(results[i], SW_RECEIVED_DROPPED);
  assert_int_equal(drops(SW_DROP_SESSION), COUNT - 11);
  assert_int_equal(all_drops(), COUNT - 11);
}

static void session_may_begin_within_a_batch(void **state) {
  (void)state;
  struct pair_datagram init, response;
  pair_stop(&pair);
  pair_start(&pair, 0);
  left = pair.left.link;
  right = pair.right.link;
  pair_take_letter(&pair.left, 'i', &init);
  pair_give(&pair.right, &init);
  pair_take_letter(&pair.right, 'r', &response);
  pair_give(&pair.left, &response);
  seal_flight(); /* the first one confirms the session, which is pending until then */
  lengths[3] = SW_OVERHEAD - 1;
  put(4, &init);
  open_flight();
  for (unsigned i = 0; i < COUNT; i++)
    if (i != 3 && i != 4) assert_opened(i);
  assert_int_equal(results[3], SW_RECEIVED_DROPPED);
  assert_int_equal(results[4], SW_RECEIVED_CONTROL); /* answered again */
  assert_int_equal(drops(SW_DROP_SHORT), 1);
  assert_int_equal(all_drops(), 1);
  assert_int_equal(sw_link_status(right)->state, SW_LINK_UP);
}

static void batch_takes_as_many_datagrams_as_fit(void **state) {
  (void)state;
  const struct sw_run from = {.path.peer = pair.left.address};
  for (unsigned i = 0; i < SW_BATCH_OPENINGS; i++)
    assert_true(sw_batch_add(&batch, right, pair.now, &from, flight[0] + SW_HEADROOM, 60));
  assert_false(sw_batch_add(&batch, right, pair.now, &from, flight[0] + SW_HEADROOM, 60));
  sw_batch_open(&batch);
  static uint8_t largest[SW_HEADROOM + 65536 + SW_SLACK];
  unsigned count = 0;
  while (sw_batch_add(&batch, right, pair.now, &from, largest + SW_HEADROOM, 65536)) count++;
  assert_int_equal(count, 3);
  const struct sw_opening *last = &batch.openings[2];
  assert_true(last->packet + 65536 + SW_SLACK <= room + SW_GRO_BUFFER);
  assert_true(batch.openings[0].packet >= room + SW_HEADROOM);
  assert_int_equal(sw_batch_open(&batch), 3);
  assert_int_equal(sw_batch_open(&batch), 0);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(batch_is_sealed_like_single_packets, begin, end),
      cmocka_unit_test_setup_teardown(small_and_odd_batches_are_left_to_the_caller, begin, end),
      cmocka_unit_test_setup_teardown(batch_is_refused_as_a_whole_while_the_link_is_down, begin,
                                      end),
      cmocka_unit_test_setup_teardown(batch_is_opened_in_order, begin, end),
      cmocka_unit_test_setup_teardown(only_forged_datagrams_of_a_batch_are_dropped, begin, end),
      cmocka_unit_test_setup_teardown(copy_within_a_batch_is_dropped_as_replayed, begin, end),
      cmocka_unit_test_setup_teardown(datagrams_after_a_close_within_a_batch_are_dropped, begin,
                                      end),
      cmocka_unit_test_setup_teardown(session_may_begin_within_a_batch, begin, end),
      cmocka_unit_test_setup_teardown(batch_takes_as_many_datagrams_as_fit, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

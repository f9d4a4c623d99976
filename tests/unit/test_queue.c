/*
 * The queue: what is taken, after segmentation, is what was added, segment by segment and in order
 * within each flow.  What is missing was dropped, and is counted.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <sodium.h>

#include "packet/checksum.h"
#include "packet/ecn.h"
#include "packet/gso.h"
#include "packet/queue.h"

#define MS UINT64_C(1000000)
#define FLOWS 64
#define SEGMENTS 65536 /* of a flow, in a test */
#define FRONT 64       /* bytes in front of a packet */
#define ROOM (FRONT + 65535 + 256)

static struct sw_queue queue;
static uint64_t memory[SW_QUEUE_MEMORY / 8];
static uint8_t buffers[2][ROOM];
static uint8_t *const packet = buffers[0] + FRONT;
static uint8_t *const taken = buffers[1] + FRONT;
static uint64_t now;

/* the segments of a flow that were added, and how many of them have passed or are known to be lost */
static struct flow {
  uint64_t digests[SEGMENTS];
  size_t added, passed;
  uint64_t bytes; /* that were taken */
} flows[FLOWS];
static uint64_t lost, marked;

static unsigned below(unsigned limit) {
  return (unsigned)rand() % limit;
}

static void begin(void) {
  static const uint8_t key[SW_QUEUE_KEY_BYTES] = {1};
  sw_queue_init(&queue, (uint8_t *)memory, key);
  for (unsigned i = 0; i < FLOWS; i++) {
    flows[i].added = flows[i].passed = 0;
    flows[i].bytes = 0;
  }
  lost = marked = 0;
  now = 1000 * MS;
}

/* Of each kind there is every fourth flow: IPv4 and IPv6, TCP and UDP. */
static bool is_v6(unsigned flow) {
  return flow & 1;
}

static bool is_udp(unsigned flow) {
  return flow & 2;
}

static size_t headers_of(unsigned flow) {
  const size_t ip = is_v6(flow) ? SW_IP6_HEADER : SW_IP4_HEADER;
  return ip + (is_udp(flow) ? SW_UDP_HEADER : SW_TCP_HEADER + 12);
}

/* Makes a packet, or with `size` a super-packet; returns its length. */
static size_t make(unsigned flow, size_t payload, size_t size, uint8_t ecn,
                   struct sw_offload *offload) {
  static uint32_t number;
  const size_t ip = is_v6(flow) ? SW_IP6_HEADER : SW_IP4_HEADER, header = headers_of(flow);
  const size_t length = header + payload;
  uint8_t *const transport = packet + ip;
  memset(packet, 0, header);
  if (is_v6(flow)) {
    sw_put16(packet, (uint16_t)(0x6000 | ecn << 4));
    sw_put16(packet + 4, (uint16_t)(length - ip));
    packet[6] = is_udp(flow) ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
    packet[7] = 64;
  } else {
    packet[0] = 0x45;
    packet[1] = ecn;
    sw_put16(packet + 2, (uint16_t)length);
    sw_put16(packet + 4, (uint16_t)number);
    packet[8] = 64;
    packet[9] = is_udp(flow) ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
    sw_checksum_ip4(packet);
  }
  sw_put16(transport, (uint16_t)(1000 + flow));
  if (is_udp(flow)) {
    sw_put16(transport + 4, (uint16_t)(length - ip));
  } else {
    sw_put32(transport + 4, number);
    transport[12] = (SW_TCP_HEADER + 12) / 4 << 4;
    transport[13] = SW_TCP_ACK | (below(2) ? SW_TCP_PSH : 0) | (below(4) ? 0 : SW_TCP_CWR);
  }
  number += (uint32_t)payload;
  for (size_t i = header; i < length; i++) packet[i] = (uint8_t)(i * 31 + i / 251 + number);
  *offload = (struct sw_offload){.gso = !size          ? SW_GSO_NONE
                                        : is_udp(flow) ? SW_GSO_UDP
                                        : is_v6(flow)  ? SW_GSO_TCP6
                                                       : SW_GSO_TCP4,
                                 .ecn = size && !is_udp(flow) && transport[13] & SW_TCP_CWR,
                                 .partial = true,
                                 .size = (uint16_t)size,
                                 .csum_start = (uint16_t)ip,
                                 .csum_offset = is_udp(flow) ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM};
  sw_put16(
      transport + offload->csum_offset,
      sw_checksum_pseudo(packet, is_udp(flow) ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP, length - ip));
  return length;
}

/* Of everything but a mark; the checksum of an IPv4 header is verified. */
static uint64_t digest(uint8_t *segment, size_t length) {
  static const uint8_t key[crypto_shorthash_KEYBYTES];
  uint8_t hash[8], copy[65535];
  memcpy(copy, segment, length);
  if (copy[0] >> 4 == 4) {
    assert_int_equal(sw_checksum_add(0, copy, SW_IP4_HEADER), 0xffff);
    if ((copy[1] & SW_ECN_MASK) == SW_ECN_CE) copy[1] ^= SW_ECN_CE ^ SW_ECN_ECT_0;
    copy[10] = copy[11] = 0;
  } else if ((copy[1] >> 4 & SW_ECN_MASK) == SW_ECN_CE) {
    copy[1] ^= (SW_ECN_CE ^ SW_ECN_ECT_0) << 4;
  }
  crypto_shorthash(hash, copy, length, key);
  uint64_t result;
  memcpy(&result, hash, sizeof(result));
  return result;
}

static unsigned flow_of(const uint8_t *segment) {
  return sw_get16(segment + (segment[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER)) - 1000U;
}

static bool is_marked(const uint8_t *segment) {
  return ((segment[0] >> 4 == 4 ? segment[1] : segment[1] >> 4) & SW_ECN_MASK) == SW_ECN_CE;
}

static void add(unsigned flow, size_t payload, size_t size, uint8_t ecn) {
  struct sw_offload offload;
  const size_t length = make(flow, payload, size, ecn, &offload);
  assert_int_equal(sw_queue_add(&queue, now, packet, length, &offload), 0);
  struct sw_gso gso;
  struct sw_segment segment;
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  while (sw_gso_next(&gso, &segment)) {
    assert_true(flows[flow].added < SEGMENTS);
    flows[flow].digests[flows[flow].added++] = digest(segment.packet, segment.length);
  }
}

/* Takes a part.  Returns its flow, or FLOWS if the queue is empty. */
static unsigned take(size_t most) {
  struct sw_offload offload;
  memset(taken, 0xee, 65535);
  const size_t length = sw_queue_take(&queue, now, most, taken, &offload);
  if (length == 0) return FLOWS;
  const unsigned number = flow_of(taken);
  assert_true(number < FLOWS);
  struct flow *flow = &flows[number];
  struct sw_gso gso;
  struct sw_segment segment;
  size_t bytes = 0, count = 0;
  assert_int_equal(sw_gso_start(&gso, taken, length, &offload), 0);
  while (sw_gso_next(&gso, &segment)) {
    marked += is_marked(segment.packet);
    const uint64_t got = digest(segment.packet, segment.length);
    for (; flow->passed < flow->added && flow->digests[flow->passed] != got; flow->passed++) lost++;
    assert_true(flow->passed < flow->added); /* not twice, not in another order, not changed */
    flow->passed++;
    bytes += segment.length;
    count++;
  }
  assert_true(count == 1 || bytes <= most);
  flow->bytes += bytes;
  return number;
}

static void assert_all_accounted(void) {
  while (take(SIZE_MAX) < FLOWS) continue;
  for (unsigned i = 0; i < FLOWS; i++) lost += flows[i].added - flows[i].passed;
  assert_int_equal(lost, queue.dropped);
  assert_int_equal(marked, queue.marked);
  assert_int_equal(queue.bytes, 0);
  assert_int_equal(queue.available, SW_QUEUE_BLOCKS);
  for (unsigned i = 0; i < SW_QUEUE_FLOWS; i++) {
    assert_int_equal(queue.flows[i].bytes, 0);
    assert_int_equal(queue.flows[i].blocks, 0);
  }
}

/* ---- every byte ---- */

static void add_any(unsigned flow, bool marks) {
  const size_t header = headers_of(flow);
  const uint8_t ecn = marks ? SW_ECN_ECT_0 : SW_ECN_NOT_ECT;
  switch (below(4)) {
  case 0:
    add(flow, below(1400), 0, ecn);
    break;
  case 1:
    add(flow, below(65536 - (unsigned)header), 0, ecn);
    break;
  default: {
    const size_t size = 500 + below(1500);
    add(flow, 1 + below(65535 - (unsigned)header), size, ecn);
  }
  }
}

static void what_is_taken_is_what_was_added(void **state) {
  (void)state;
  uint64_t drops = 0, marks = 0;
  for (unsigned seed = 0; seed < 60; seed++) {
    srand(seed);
    begin();
    const unsigned used = 1 + below(FLOWS), load = 1 + below(4), speed = 1 + below(40);
    queue.quantum = below(2) ? SW_QUEUE_QUANTUM : below(70000) + 1;
    for (unsigned step = 0; step < 300; step++) {
      now += below(20) * MS;
      for (unsigned n = below(load + 1); n > 0; n--) add_any(below(used), seed % 3 == 0);
      for (unsigned n = below(speed + 1); n > 0; n--) take(below(3) ? below(20000) : SIZE_MAX);
    }
    assert_all_accounted();
    if (seed % 3 == 0)
      marks += queue.marked;
    else
      drops += queue.dropped;
  }
  assert_true(drops > 100 && marks > 100);
}

/* ---- turns ---- */

static void flows_share_evenly_in_bytes(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 16; i++) /* short and long packets, and super-packets */
    if (i % 3 == 0)
      for (unsigned n = 0; n < 4; n++) add(i, 50000, 1400, SW_ECN_NOT_ECT);
    else
      for (unsigned n = 0; n < (i % 3 == 1 ? 150 : 200); n++)
        add(i, i % 3 == 1 ? 1400 : 400, 0, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 600; i++) assert_true(take(SIZE_MAX) < 16);
  assert_int_equal(queue.dropped, 0);
  uint64_t least = UINT64_MAX, most = 0;
  for (unsigned i = 0; i < 16; i++) {
    if (flows[i].bytes < least) least = flows[i].bytes;
    if (flows[i].bytes > most) most = flows[i].bytes;
  }
  assert_true(least > 10 * SW_QUEUE_QUANTUM);
  assert_true(most - least <= 3 * SW_QUEUE_QUANTUM);
}

static void flow_that_begins_goes_first(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 8; i++) add(i, 60000, 1400, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 20; i++) take(SIZE_MAX);
  for (unsigned i = 0; i < 20; i++) { /* a ping now and then */
    add(20, 56, 0, SW_ECN_NOT_ECT);
    assert_int_equal(take(SIZE_MAX), 20);
    for (unsigned n = 0; n < 20; n++) assert_int_not_equal(take(SIZE_MAX), 20);
  }
}

/* It has begun again when it had nothing to send in its turn, if only a byte of that is left. */
static void flow_begins_again_after_a_turn_without_packets(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 4; i++) add(i, 60000, 1400, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 8; i++) take(1514);
  add(20, SW_QUEUE_QUANTUM - headers_of(20), 0, SW_ECN_NOT_ECT);
  add(20, SW_QUEUE_QUANTUM - 1 - headers_of(20), 0, SW_ECN_NOT_ECT);
  assert_int_equal(take(1514), 20);
  while (take(1514) != 20) continue;
  assert_int_not_equal(take(1514), 20);
  add(20, 100, 0, SW_ECN_NOT_ECT);
  assert_int_equal(take(1514), 20);
}

static void turn_is_over_with_its_last_byte(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 2; i++)
    for (unsigned flow = 0; flow < 3; flow++)
      add(flow, SW_QUEUE_QUANTUM - headers_of(flow), 0, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 6; i++) assert_int_equal(take(SIZE_MAX), i % 3);
}

/* After its turn it waits for the others, also if it has nothing to send for a moment. */
static void flow_that_has_begun_does_not_go_first_again_at_once(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 4; i++) add(i, 60000, 1400, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 20; i++) take(SIZE_MAX);
  unsigned own = 0;
  for (unsigned i = 0; i < 50; i++) {
    add(20, 1400, 0, SW_ECN_NOT_ECT);
    own += take(SIZE_MAX) == 20;
    own += take(SIZE_MAX) == 20;
  }
  assert_in_range(own, 100 / 5, 100 / 5 + 5);
}

/* A long part may be the last of a flow: what waited before it counts no more. */
static void packets_after_a_pause_are_not_dropped_for_those_before(void **state) {
  (void)state;
  begin();
  queue.quantum = SW_GSO_PACKET_MAX;
  for (unsigned i = 0; i < 30; i++) {
    add(0, 60000, 1400, SW_ECN_NOT_ECT);
    now += 6 * MS;
    assert_int_equal(take(SIZE_MAX), 0);
    assert_int_equal(take(SIZE_MAX), FLOWS);
  }
  assert_int_equal(queue.dropped, 0);
}

static void quantum_gives_large_parts(void **state) {
  (void)state;
  begin();
  queue.quantum = 30000;
  for (unsigned i = 0; i < 2; i++) add(i, 60000, 1400, SW_ECN_NOT_ECT);
  assert_int_equal(take(SIZE_MAX), 0);
  assert_in_range(flows[0].bytes, 28000, 30000);
  take(10000);
  assert_true(flows[0].bytes + flows[1].bytes <= 40000);
}

/* Each byte of addresses, protocol and ports tells flows apart, and nothing else does; fragments have
 * no ports.  So a packet that differs goes first, and one of the same flow does not. */
static bool same_flow(bool v6, size_t at, bool fragment) {
  begin();
  struct sw_offload offload;
  const size_t length = make(v6 ? 1 : 0, 200, 0, SW_ECN_NOT_ECT, &offload);
  if (fragment) packet[7] = 1;
  for (unsigned i = 0; i < 20; i++) sw_queue_add(&queue, now, packet, length, &offload);
  packet[at] ^= 1;
  sw_queue_add(&queue, now, packet, length, &offload);
  unsigned flows_used = 0;
  for (unsigned i = 0; i < SW_QUEUE_FLOWS; i++) flows_used += queue.flows[i].bytes > 0;
  return flows_used == 1;
}

static void addresses_protocol_and_ports_make_a_flow(void **state) {
  (void)state;
  for (size_t at = 1; at < SW_IP4_HEADER + SW_TCP_HEADER; at++) {
    if (at == 6 || at == 7) continue; /* the fragment's offset */
    const bool tells = at == 9 || (at >= 12 && at < SW_IP4_HEADER + 4);
    assert_int_equal(same_flow(false, at, false), !tells);
    assert_int_equal(same_flow(false, at, true), !tells || at >= SW_IP4_HEADER);
  }
  for (size_t at = 1; at < SW_IP6_HEADER + SW_TCP_HEADER; at++) {
    const bool tells = at == 6 || (at >= 8 && at < SW_IP6_HEADER + 4);
    assert_int_equal(same_flow(true, at, false), !tells);
  }
}

static void key_decides_which_flows_share_a_queue(void **state) {
  (void)state;
  begin();
  const uint8_t key[SW_QUEUE_KEY_BYTES] = {2};
  struct sw_offload offload;
  const size_t length = make(0, 200, 0, SW_ECN_NOT_ECT, &offload);
  unsigned places[2] = {0, 0};
  for (unsigned n = 0; n < 2; n++) {
    if (n) sw_queue_init(&queue, (uint8_t *)memory, key);
    sw_queue_add(&queue, now, packet, length, &offload);
    while (queue.flows[places[n]].bytes == 0) places[n]++;
  }
  assert_int_not_equal(places[0], places[1]);
}

/* ---- the memory ---- */

static void flow_that_holds_most_pays(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 100; i++) {
    add(i % 4 + 1, 100, 0, SW_ECN_NOT_ECT);
    add(0, 65000 - headers_of(0), 1400, SW_ECN_NOT_ECT);
  }
  assert_true(queue.dropped > 0);
  while (take(SIZE_MAX) < FLOWS) continue;
  for (unsigned i = 1; i <= 4; i++) {
    assert_int_equal(flows[i].passed, 25);
    assert_int_equal(flows[i].bytes, 25 * (100 + headers_of(i)));
  }
  assert_all_accounted();
}

static void flood_of_short_packets_pays_for_blocks(void **state) {
  (void)state;
  begin();
  for (unsigned i = 0; i < 20; i++) add(1, 30000, 1400, SW_ECN_NOT_ECT);
  for (unsigned i = 0; i < 20000; i++) add(3, 10, 0, SW_ECN_NOT_ECT);
  while (take(SIZE_MAX) < FLOWS) continue;
  assert_int_equal(flows[1].passed, 20 * (30000 / 1400 + 1));
  assert_true(flows[3].passed > SW_QUEUE_BLOCKS / 2);
  assert_all_accounted();
}

static void memory_takes_what_it_should(void **state) {
  (void)state;
  begin();
  unsigned count = 0;
  for (; queue.dropped == 0; count++) add(0, 1420 - headers_of(0), 0, SW_ECN_NOT_ECT);
  assert_int_equal(count, SW_QUEUE_BLOCKS / 2 + 1);
  assert_all_accounted();
}

/* The longest packet that one block holds. */
static size_t longest_of_one_block(void) {
  size_t length = 0;
  begin();
  do {
    length++;
    add(2, length, 0, SW_ECN_NOT_ECT);
  } while (queue.available == SW_QUEUE_BLOCKS - length);
  return headers_of(2) + length - 1;
}

static void memory_is_used_to_the_last_block(void **state) {
  (void)state;
  const size_t one = longest_of_one_block();
  assert_in_range(one, SW_QUEUE_BLOCK - 64, SW_QUEUE_BLOCK);
  const size_t lengths[] = {one, one + 1, one + SW_QUEUE_BLOCK, one + SW_QUEUE_BLOCK + 1};
  for (unsigned i = 0; i < 4; i++) {
    const unsigned blocks = 1 + (i + 1) / 2, fit = SW_QUEUE_BLOCKS / blocks;
    begin();
    for (unsigned n = 0; n < SW_QUEUE_BLOCKS % blocks; n++) add(4, 10, 0, SW_ECN_NOT_ECT);
    for (unsigned n = 0; n < fit; n++) add(0, lengths[i] - headers_of(0), 0, SW_ECN_NOT_ECT);
    assert_int_equal(queue.dropped, 0);
    assert_int_equal(queue.available, 0);
    add(0, lengths[i] - headers_of(0), 0, SW_ECN_NOT_ECT);
    assert_int_equal(queue.dropped, (64 + blocks - 1) / blocks);
    assert_all_accounted();
  }
}

static void longest_packet_fits(void **state) {
  (void)state;
  begin();
  add(0, 65535 - headers_of(0), 0, SW_ECN_NOT_ECT);
  add(0, 65535 - headers_of(0), 1400, SW_ECN_NOT_ECT);
  struct sw_offload offload = {.gso = SW_GSO_NONE};
  assert_int_equal(sw_queue_add(&queue, now, packet, 65536, &offload), -EINVAL);
  assert_all_accounted();
}

/* A checksum that the link cannot complete later is completed when the packet is sealed, once. */
static void single_packet_is_not_changed(void **state) {
  (void)state;
  begin();
  struct sw_offload offload, described;
  const size_t length = make(0, 200, 0, SW_ECN_NOT_ECT, &offload);
  packet[9] = 132; /* SCTP */
  described = offload;
  static uint8_t before[65536];
  memcpy(before, packet, length);
  assert_int_equal(sw_queue_add(&queue, now, packet, length, &offload), 0);
  assert_int_equal(sw_queue_take(&queue, now, SIZE_MAX, taken, &offload), length);
  assert_memory_equal(packet, before, length);
  assert_memory_equal(taken, before, length);
  assert_int_equal(offload.partial, described.partial);
  assert_int_equal(offload.csum_start, described.csum_start);
}

static void every_flow_is_empty_at_the_start(void **state) {
  (void)state;
  for (unsigned i = 0; i < SW_QUEUE_FLOWS; i++) queue.flows[i].head = 7;
  begin();
  for (unsigned i = 0; i < SW_QUEUE_FLOWS; i++)
    assert_int_equal(queue.flows[i].head, queue.flows[1].head);
  assert_true(queue.flows[1].head >= SW_QUEUE_BLOCKS);
}

static void nothing_behind_a_packet_is_read(void **state) {
  (void)state;
  uint8_t *guarded =
      mmap(NULL, 2 * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(guarded, MAP_FAILED);
  assert_int_equal(mprotect(guarded + 65536, 65536, PROT_NONE), 0);
  struct sw_offload offload;
  begin();
  for (size_t payload = 1; payload < 5 * SW_QUEUE_BLOCK; payload++) {
    const size_t length = make(0, payload, 0, SW_ECN_NOT_ECT, &offload);
    memcpy(guarded + 65536 - length, packet, length);
    assert_int_equal(sw_queue_add(&queue, now, guarded + 65536 - length, length, &offload), 0);
    assert_int_equal(sw_queue_take(&queue, now, SIZE_MAX, taken, &offload), length);
    assert_memory_equal(taken, packet, length);
  }
  munmap(guarded, 2 * 65536);
}

/* ---- CoDel ---- */

/* A flow that fills the queue for a second, at one packet in 2 ms. */
static void overload(uint8_t ecn) {
  begin();
  for (unsigned i = 0; i < 500; i++) {
    if (i % 10 == 0) add(0, 20 * 1400, 1400, ecn);
    now += 2 * MS;
    take(SIZE_MAX);
  }
}

static void packets_are_dropped_one_by_one(void **state) {
  (void)state;
  overload(SW_ECN_NOT_ECT);
  assert_in_range(lost, 15, 40);
  assert_int_equal(lost, queue.dropped);
  assert_int_equal(queue.marked, 0);
}

static void packets_are_marked_where_that_is_understood(void **state) {
  (void)state;
  overload(SW_ECN_ECT_0);
  assert_int_equal(lost, 0);
  assert_int_equal(queue.dropped, 0);
  assert_in_range(queue.marked, 15, 40);
}

/* ---- what is no packet ---- */

/* A flow in which `count` packets wait, of the two lengths in turn; every `interval` one is added and
 * one taken, for a second.  Returns how many were dropped. */
static uint64_t drops_of(unsigned count, size_t first, size_t second, uint64_t interval) {
  begin();
  for (unsigned i = 0; i < count - 1; i++)
    add(0, (i % 2 ? second : first) - headers_of(0), 0, SW_ECN_NOT_ECT);
  for (unsigned i = count - 1; i < 1000 * MS / interval; i++) {
    add(0, (i % 2 ? second : first) - headers_of(0), 0, SW_ECN_NOT_ECT);
    now += interval;
    assert_int_equal(take(SIZE_MAX), 0);
  }
  const uint64_t drops = queue.dropped;
  assert_all_accounted();
  return drops;
}

static void short_waits_drop_nothing(void **state) {
  (void)state;
  assert_int_equal(drops_of(4, 1400, 1400, MS), 0);
  assert_true(drops_of(4, 1400, 1400, 2 * MS) > 0);
}

/* What is behind the packet is compared with a packet of the largest size. */
static void one_packet_behind_is_few(void **state) {
  (void)state;
  assert_int_equal(drops_of(2, 1000, 1000, 10 * MS), 0);
  assert_int_equal(drops_of(2, 500, 1000, 10 * MS), 0);
  assert_int_equal(drops_of(2, 1514, 1514, 10 * MS), 0);
  assert_int_equal(drops_of(2, 1515, 1515, 10 * MS), 0);
  assert_int_equal(drops_of(2, 3000, 3000, 10 * MS), 0);
  assert_true(drops_of(3, 1000, 1000, 10 * MS) > 0);
}

static void segments_behind_are_not_few(void **state) {
  (void)state;
  begin();
  add(0, 44 * 1400, 1400, SW_ECN_NOT_ECT);
  while (queue.bytes > 0) {
    now += 10 * MS;
    take(1500);
  }
  assert_true(queue.dropped > 0);
  assert_all_accounted();
}

static void what_cannot_be_segmented_is_not_added(void **state) {
  (void)state;
  begin();
  struct sw_offload offload;
  const size_t length = make(0, 5000, 1400, SW_ECN_NOT_ECT, &offload);
  offload.size = 0;
  assert_int_equal(sw_queue_add(&queue, now, packet, length, &offload), -EINVAL);
  offload.size = 1400;
  offload.gso = SW_GSO_TCP6;
  assert_int_equal(sw_queue_add(&queue, now, packet, length, &offload), -EINVAL);
  packet[0] = 0x35;
  assert_int_equal(sw_queue_add(&queue, now, packet, length, &(struct sw_offload){0}), -EINVAL);
  assert_int_equal(sw_queue_add(&queue, now, packet, 0, &(struct sw_offload){0}), -EINVAL);
  packet[0] = 0x45;
  assert_int_equal(sw_queue_add(&queue, now, packet, 65536, &(struct sw_offload){0}), -EINVAL);
  assert_int_equal(queue.bytes, 0);
  assert_int_equal(take(SIZE_MAX), FLOWS);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_taken_is_what_was_added),
      cmocka_unit_test(flows_share_evenly_in_bytes),
      cmocka_unit_test(flow_that_begins_goes_first),
      cmocka_unit_test(flow_that_has_begun_does_not_go_first_again_at_once),
      cmocka_unit_test(flow_begins_again_after_a_turn_without_packets),
      cmocka_unit_test(turn_is_over_with_its_last_byte),
      cmocka_unit_test(packets_after_a_pause_are_not_dropped_for_those_before),
      cmocka_unit_test(quantum_gives_large_parts),
      cmocka_unit_test(addresses_protocol_and_ports_make_a_flow),
      cmocka_unit_test(key_decides_which_flows_share_a_queue),
      cmocka_unit_test(flow_that_holds_most_pays),
      cmocka_unit_test(flood_of_short_packets_pays_for_blocks),
      cmocka_unit_test(memory_takes_what_it_should),
      cmocka_unit_test(memory_is_used_to_the_last_block),
      cmocka_unit_test(longest_packet_fits),
      cmocka_unit_test(single_packet_is_not_changed),
      cmocka_unit_test(every_flow_is_empty_at_the_start),
      cmocka_unit_test(nothing_behind_a_packet_is_read),
      cmocka_unit_test(packets_are_dropped_one_by_one),
      cmocka_unit_test(packets_are_marked_where_that_is_understood),
      cmocka_unit_test(short_waits_drop_nothing),
      cmocka_unit_test(one_packet_behind_is_few),
      cmocka_unit_test(segments_behind_are_not_few),
      cmocka_unit_test(what_cannot_be_segmented_is_not_added),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Which inner packets a link delivers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "packet/checksum.h"
#include "pair.h"

static struct pair pair;
static struct pair_side *const left = &pair.left, *const right = &pair.right;
static struct pair_datagram datagram;

static int start(void **state) {
  (void)state;
  pair_start(&pair, 0);
  return 0;
}

static int start_connected(void **state) {
  start(state);
  pair_connect(&pair);
  return 0;
}

static int stop(void **state) {
  (void)state;
  pair_stop(&pair);
  return 0;
}

static void assert_dropped(enum sw_drop reason) {
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  pair_assert_drop(right, reason);
}

static void assert_silence(struct pair_side *side) {
  struct pair_datagram sent;
  assert_false(pair_take(side, &sent));
}

/* ---- inner packets ---- */

static void give_packet(const uint8_t *packet, size_t length) {
  pair_seal_kind(left, SW_KIND_PACKET, packet, length, &datagram);
}

static void assert_not_ip(const uint8_t *packet, size_t length) {
  give_packet(packet, length);
  assert_dropped(SW_DROP_NOT_IP);
}

static void packet6(uint8_t *packet, size_t length, const char *source) {
  struct sw_prefix prefix;
  memset(packet, 0, length);
  packet[0] = 0x60;
  packet[4] = (uint8_t)((length - 40) >> 8);
  packet[5] = (uint8_t)(length - 40);
  assert_int_equal(sw_prefix_parse(source, &prefix), 0);
  memcpy(packet + 8, prefix.ip, SW_IP_BYTES);
}

static void packet_that_is_not_one_whole_ipv4_packet_is_dropped(void **state) {
  (void)state;
  uint8_t packet[600];
  const uint8_t source[] = {10, 1, 0, 1};
  pair_packet4(packet, 100, source);
  assert_not_ip(packet, 99);
  assert_not_ip(packet, 101);
  for (unsigned version = 0; version < 16; version++) {
    packet[0] = (uint8_t)(version << 4 | 5);
    if (version != 4 && version != 6) assert_not_ip(packet, 100);
  }
  for (unsigned words = 0; words < 5; words++) {
    packet[0] = (uint8_t)(0x40 | words);
    assert_not_ip(packet, 100);
  }
  pair_packet4(packet, 24, source);
  packet[0] = 0x47; /* the header is longer than the packet */
  assert_not_ip(packet, 24);
  packet[0] = 0x46;
  give_packet(packet, 24);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  for (size_t length = 1; length < 20; length++) {
    pair_packet4(packet, 20, source);
    packet[3] = (uint8_t)length;
    assert_not_ip(packet, length);
  }
  for (size_t length = 20; length < sizeof(packet); length += 193) {
    pair_packet4(packet, length, source);
    give_packet(packet, length);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  }
  assert_silence(right);
}

static void packet_that_is_not_one_whole_ipv6_packet_is_dropped(void **state) {
  (void)state;
  uint8_t packet[600];
  packet6(packet, 100, "fd01::1");
  assert_not_ip(packet, 99);
  assert_not_ip(packet, 101);
  packet[0] = 0x50;
  assert_not_ip(packet, 100);
  for (size_t length = 1; length < 40; length++) {
    packet6(packet, 40, "fd01::1");
    assert_not_ip(packet, length);
  }
  for (size_t length = 40; length < sizeof(packet); length += 193) {
    packet6(packet, length, "fd01::1");
    give_packet(packet, length);
    assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  }
}

/* Makes a UDP packet whose checksum field holds only the sum of the pseudo-header. */
static void packet_partial(uint8_t *packet, size_t length) {
  pair_packet4(packet, length, (uint8_t[]){10, 1, 0, 1});
  packet[9] = SW_PROTOCOL_UDP;
  sw_put16(packet + SW_IP4_HEADER + 4, (uint16_t)(length - SW_IP4_HEADER));
  memset(packet + 28, 0x5a, length - 28);
  sw_put16(packet + SW_IP4_HEADER + SW_UDP_CHECKSUM,
           sw_checksum_pseudo(packet, SW_PROTOCOL_UDP, length - SW_IP4_HEADER));
}

static void packet_with_a_partial_checksum_must_have_a_checksum_field(void **state) {
  (void)state;
  uint8_t packet[60];
  pair_packet4(packet, sizeof(packet), (uint8_t[]){10, 1, 0, 1}); /* protocol 0 has no checksum */
  pair_seal_kind(left, SW_KIND_PACKET_PARTIAL, packet, sizeof(packet), &datagram);
  assert_dropped(SW_DROP_MALFORMED);
  for (unsigned bit = 0; bit < 14; bit++) { /* a fragment */
    packet_partial(packet, sizeof(packet));
    sw_put16(packet + 6, (uint16_t)(1U << bit));
    pair_seal_kind(left, SW_KIND_PACKET_PARTIAL, packet, sizeof(packet), &datagram);
    assert_dropped(SW_DROP_MALFORMED);
  }
  pair_seal_kind(left, SW_KIND_PACKET_PARTIAL, packet, 0, &datagram);
  assert_dropped(SW_DROP_NOT_IP); /* an empty packet of this kind is no keepalive */
}

static void partial_checksum_is_completed_unless_asked_for(void **state) {
  (void)state;
  uint8_t packet[80], opened[80];
  size_t length = 0;
  packet_partial(packet, sizeof(packet));
  assert_false(sw_checksum_verify(packet, sizeof(packet), SW_IP4_HEADER, SW_PROTOCOL_UDP));
  pair_seal_kind(left, SW_KIND_PACKET_PARTIAL, packet, sizeof(packet), &datagram);
  assert_int_equal(sw_link_receive(right->link, pair.now, &(struct sw_path){.peer = left->address},
                                   datagram.bytes, datagram.length, opened, &length),
                   SW_RECEIVED_PACKET);
  assert_int_equal(length, sizeof(packet));
  assert_true(sw_checksum_verify(opened, sizeof(opened), SW_IP4_HEADER, SW_PROTOCOL_UDP));
}

static void fast_calls_carry_a_packet_and_whether_its_checksum_is_partial(void **state) {
  (void)state;
  for (unsigned partial = 0; partial < 2; partial++) {
    uint8_t room[3][PAIR_ROOM] = {0}, expected[80];
    uint8_t *packet = room[0] + SW_HEADROOM, *sealed = room[1] + SW_HEADROOM,
            *out = room[2] + SW_HEADROOM;
    packet_partial(packet, 80);
    memcpy(expected, packet, 80);
    const int64_t length = sw_link_seal(left->link, pair.now, packet, 80, partial, sealed);
    assert_int_equal(length, 80 + SW_OVERHEAD);
    struct sw_opened opened;
    assert_int_equal(sw_link_open(right->link, pair.now, &(struct sw_path){.peer = left->address},
                                  sealed, (size_t)length, out, &opened),
                     SW_RECEIVED_PACKET);
    assert_int_equal(opened.view.length, 80);
    assert_int_equal(opened.partial, partial);
    assert_memory_equal(out, expected, 80);
  }
  assert_int_equal(sw_link_status(left->link)->packets_out, 2);
  assert_int_equal(sw_link_status(left->link)->bytes_out, 160);
}

static void packet_must_come_from_allowed_ips(void **state) {
  (void)state;
  const struct {
    uint8_t source[4];
    bool allowed;
  } cases[] = {
      {{10, 1, 0, 0}, true},  {{10, 1, 255, 255}, true}, {{10, 0, 255, 255}, false},
      {{10, 2, 0, 0}, false}, {{0, 0, 0, 0}, false},     {{127, 0, 0, 1}, false},
      {{10, 2, 0, 1}, false}, {{10, 0, 0, 1}, true}, /* in the network of both sides ... */
      {{10, 0, 0, 2}, false},                        /* ... but our own address */
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint8_t packet[64];
    pair_packet4(packet, sizeof(packet), cases[i].source);
    give_packet(packet, sizeof(packet));
    if (cases[i].allowed)
      assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
    else
      assert_dropped(SW_DROP_SOURCE);
  }
  pair_assert_no_drops(right);
}

static void packet_must_come_from_allowed_ips_of_version_6(void **state) {
  (void)state;
  const struct {
    const char *source;
    bool allowed;
  } cases[] = {
      {"fd01::", true},   {"fd01:ffff::1", true}, {"fd00:ffff::1", false}, {"fd02::1", false},
      {"fd02::9", false}, {"::", false},          {"fe80::1", false},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uint8_t packet[64];
    packet6(packet, sizeof(packet), cases[i].source);
    give_packet(packet, sizeof(packet));
    if (cases[i].allowed)
      assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
    else
      assert_dropped(SW_DROP_SOURCE);
  }
}

static void packet_of_version_6_does_not_come_from_an_ipv4_address(void **state) {
  (void)state;
  uint8_t packet[64];
  packet6(packet, sizeof(packet), "::");
  memcpy(packet + 8, (uint8_t[]){[10] = 0xff, [11] = 0xff, 10, 1, 0, 1}, 16); /* ::ffff:10.1.0.1 */
  give_packet(packet, sizeof(packet));
  assert_dropped(SW_DROP_SOURCE);
}

static void dropped_packets_are_not_counted_as_received(void **state) {
  (void)state;
  uint8_t packet[64];
  pair_packet4(packet, sizeof(packet), (uint8_t[]){10, 9, 0, 1});
  give_packet(packet, sizeof(packet));
  assert_dropped(SW_DROP_SOURCE);
  assert_int_equal(sw_link_status(right->link)->packets_in, 0);
  assert_int_equal(sw_link_status(right->link)->bytes_in, 0);
  pair_seal(left, 100, &datagram);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_PACKET);
  assert_int_equal(sw_link_status(right->link)->packets_in, 1);
  assert_int_equal(sw_link_status(right->link)->bytes_in, 100);
  assert_int_equal(sw_link_status(left->link)->packets_out, 1);
  assert_int_equal(sw_link_status(left->link)->bytes_out, 100);
}

static void assert_datagrams(uint64_t in, uint64_t lost) {
  assert_int_equal(sw_link_status(right->link)->datagrams_in, in);
  assert_int_equal(sw_link_status(right->link)->datagrams_lost, lost);
}

static void datagrams_that_have_not_come_are_counted(void **state) {
  (void)state;
  const uint64_t in = sw_link_status(right->link)->datagrams_in;
  const uint64_t lost = sw_link_status(right->link)->datagrams_lost; /* probes of the MTU */
  struct pair_datagram datagrams[6];
  for (unsigned i = 0; i < 6; i++) pair_seal(left, 100, &datagrams[i]);
  pair_give(right, &datagrams[0]);
  assert_datagrams(in + 1, lost + 0);
  pair_give(right, &datagrams[3]);
  assert_datagrams(in + 2, lost + 2);
  pair_give(right, &datagrams[2]); /* late */
  assert_datagrams(in + 3, lost + 1);
  pair_give(right, &datagrams[2]); /* a copy, */
  datagrams[4].bytes[40] ^= 1;
  pair_give(right, &datagrams[4]); /* and a forgery */
  assert_datagrams(in + 3, lost + 1);
  pair_give(right, &datagrams[5]);
  assert_datagrams(in + 4, lost + 2);
  /* a packet that is not delivered has come, too */
  give_packet((const uint8_t *)"no packet", 9);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_DROPPED);
  assert_datagrams(in + 5, lost + 2);
}

/* A session begins with the datagram that came first, which may be none of the first sent. */
static void datagrams_before_the_first_that_came_are_counted(void **state) {
  (void)state;
  struct pair_datagram later;
  assert_true(pair_take(left, &datagram)); /* an init, */
  pair_give(right, &datagram);
  assert_true(pair_take(right, &datagram)); /* the response, */
  pair_give(left, &datagram);
  assert_true(pair_take(left, &datagram)); /* and a probe, which is late */
  pair_seal(left, 100, &later);
  assert_datagrams(0, 0);
  assert_int_equal(pair_give(right, &later), SW_RECEIVED_PACKET);
  assert_datagrams(1, 1);
  assert_int_equal(pair_give(right, &datagram), SW_RECEIVED_CONTROL);
  assert_datagrams(2, 0);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

#define CONNECTED(test) cmocka_unit_test_setup_teardown(test, start_connected, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      CONNECTED(packet_that_is_not_one_whole_ipv4_packet_is_dropped),
      CONNECTED(packet_that_is_not_one_whole_ipv6_packet_is_dropped),
      CONNECTED(packet_with_a_partial_checksum_must_have_a_checksum_field),
      CONNECTED(partial_checksum_is_completed_unless_asked_for),
      CONNECTED(fast_calls_carry_a_packet_and_whether_its_checksum_is_partial),
      CONNECTED(packet_must_come_from_allowed_ips),
      CONNECTED(packet_must_come_from_allowed_ips_of_version_6),
      CONNECTED(packet_of_version_6_does_not_come_from_an_ipv4_address),
      CONNECTED(dropped_packets_are_not_counted_as_received),
      CONNECTED(datagrams_that_have_not_come_are_counted),
      cmocka_unit_test_setup_teardown(datagrams_before_the_first_that_came_are_counted, start,
                                      stop),
  };
  return cmocka_run_group_tests_name("link: packets", tests, start_sodium, NULL);
}

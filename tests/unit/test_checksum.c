#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/checksum.h"

/* RFC 1071 §4.1, byte by byte */
static uint16_t naive(uint16_t sum, const uint8_t *bytes, size_t length) {
  uint32_t total = sum;
  for (size_t i = 0; i < length; i++) {
    total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    total = (total & 0xffff) + (total >> 16);
  }
  return (uint16_t)total;
}

static void sum_agrees_with_rfc_1071(void **state) {
  (void)state;
  static const uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}; /* its §3 */
  assert_int_equal(sw_checksum_add(0, example, sizeof(example)), 0xddf2);
  uint8_t bytes[1600];
  srand(1);
  for (size_t round = 0; round < 4000; round++) {
    const size_t length = (size_t)rand() % sizeof(bytes);
    for (size_t i = 0; i < length; i++) bytes[i] = round % 3 ? (uint8_t)rand() : 0xff;
    const uint16_t start = (uint16_t)rand();
    const uint16_t want = naive(start, bytes, length), got = sw_checksum_add(start, bytes, length);
    /* the two representations of zero */
    assert_true(want == got || (want % 0xffff == 0 && got % 0xffff == 0));
  }
}

/* In ones' complement each carry is added at the low end, including that of the last addition. */
static void carry_is_added_at_the_low_end(void **state) {
  (void)state;
  static const uint8_t ones[] = {0xff, 0xff};
  assert_int_equal(sw_checksum_add(0x0000, ones, sizeof(ones)), 0xffff);
  assert_int_equal(sw_checksum_add(0x0001, ones, sizeof(ones)), 0x0001);
  assert_int_equal(sw_checksum_add(0x0100, ones, sizeof(ones)), 0x0100);
  assert_int_equal(sw_checksum_add(0xffff, ones, sizeof(ones)), 0xffff);
}

/* The bytes around the addresses have other values. */
static void pseudo_header_agrees_with_the_rfcs(void **state) {
  (void)state;
  uint8_t packet[48];
  for (size_t i = 0; i < sizeof(packet); i++) packet[i] = (uint8_t)(0x51 + 7 * i);
  uint8_t v4[12] = {[9] = 6, [10] = 0xab, [11] = 0xcd}; /* RFC 9293 §3.1 */
  packet[0] = 0x45;
  memcpy(v4, packet + 12, 8);
  assert_int_equal(sw_checksum_pseudo(packet, 6, 0xabcd), naive(0, v4, sizeof(v4)));
  uint8_t v6[40] = {[33] = 1, [34] = 0xab, [35] = 0xcd, [39] = 17}; /* RFC 8200 §8.1 */
  packet[0] = 0x60;
  memcpy(v6, packet + 8, 32);
  assert_int_equal(sw_checksum_pseudo(packet, 17, 0x1abcd), naive(0, v6, sizeof(v6)));
}

/* A UDP packet of 10.0.0.1:53 to 10.0.0.2:4000 with "hi!", its sum computed by hand. */
static const uint8_t udp_packet[] = {0x45, 0,    0, 31, 0, 1,  0,   0,   64, 17, 0x66,
                                     0xcb, 10,   0, 0,  1, 10, 0,   0,   2,  0,  53,
                                     0x0f, 0xa0, 0, 11, 0, 0,  'h', 'i', '!'};

static void completed_checksum_verifies(void **state) {
  (void)state;
  uint8_t packet[sizeof(udp_packet)];
  memcpy(packet, udp_packet, sizeof(packet));
  sw_put16(packet + 26, sw_checksum_pseudo(packet, SW_PROTOCOL_UDP, 11));
  sw_checksum_complete(packet, sizeof(packet), 20, SW_UDP_CHECKSUM);
  uint8_t pseudo[12] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, 11};
  uint16_t sum = naive(0, pseudo, sizeof(pseudo));
  assert_int_equal(naive(sum, packet + 20, 11), 0xffff);
  assert_true(sw_checksum_verify(packet, sizeof(packet), 20, SW_PROTOCOL_UDP));
  for (size_t bit = 12 * 8; bit < sizeof(packet) * 8; bit++) {
    packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_false(sw_checksum_verify(packet, sizeof(packet), 20, SW_PROTOCOL_UDP));
    packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
}

static void checksum_of_zero_is_written_as_all_ones(void **state) {
  (void)state;
  uint8_t packet[sizeof(udp_packet)];
  memcpy(packet, udp_packet, sizeof(packet));
  packet[30] = 0;
  sw_put16(packet + 26, 0);
  sw_put16(packet + 28, 0);
  uint16_t rest = sw_checksum_add(sw_checksum_pseudo(packet, SW_PROTOCOL_UDP, 11), packet + 20, 11);
  sw_put16(packet + 28, (uint16_t)~rest); /* now the sum of everything is 0xffff */
  sw_put16(packet + 26, sw_checksum_pseudo(packet, SW_PROTOCOL_UDP, 11));
  sw_checksum_complete(packet, sizeof(packet), 20, SW_UDP_CHECKSUM);
  assert_int_equal(sw_get16(packet + 26), 0xffff);
}

static void ip_header_checksum_verifies(void **state) {
  (void)state;
  uint8_t packet[sizeof(udp_packet)];
  memcpy(packet, udp_packet, sizeof(packet));
  sw_checksum_ip4(packet);
  assert_int_equal(naive(0, packet, 20), 0xffff);
}

static void partial_checksum_needs_a_whole_header(void **state) {
  (void)state;
  static const struct {
    uint8_t protocol;
    uint16_t left;
    bool fragment, may;
  } cases[] = {
      {SW_PROTOCOL_TCP, SW_TCP_HEADER, false, true},
      {SW_PROTOCOL_TCP, SW_TCP_HEADER - 1, false, false},
      {SW_PROTOCOL_TCP, SW_TCP_HEADER, true, false},
      {SW_PROTOCOL_UDP, SW_UDP_HEADER, false, true},
      {SW_PROTOCOL_UDP, SW_UDP_HEADER - 1, false, false},
      {SW_PROTOCOL_UDP, SW_UDP_HEADER, true, false},
      {1, SW_TCP_HEADER, false, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct sw_view view = {.protocol = cases[i].protocol,
                                 .fragment = cases[i].fragment,
                                 .transport = SW_IP4_HEADER,
                                 .length = SW_IP4_HEADER + cases[i].left};
    assert_int_equal(sw_view_may_be_partial(&view), cases[i].may);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sum_agrees_with_rfc_1071),
      cmocka_unit_test(carry_is_added_at_the_low_end),
      cmocka_unit_test(pseudo_header_agrees_with_the_rfcs),
      cmocka_unit_test(completed_checksum_verifies),
      cmocka_unit_test(checksum_of_zero_is_written_as_all_ones),
      cmocka_unit_test(ip_header_checksum_verifies),
      cmocka_unit_test(partial_checksum_needs_a_whole_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * The ECN field through the link: RFC 6040, figures 3 and 4.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "packet/checksum.h"
#include "packet/ecn.h"

enum { NOT, E1, E0, CE, DROP };

#define LENGTH 60

/* A packet with the TOS, in which all other bits of the header matter. */
static struct sw_view packet_of(bool v4, uint8_t tos, uint8_t packet[LENGTH]) {
  struct sw_view view;
  for (size_t i = 0; i < LENGTH; i++) packet[i] = (uint8_t)(i * 37 + 11);
  if (v4) {
    packet[0] = 0x46; /* with an option */
    packet[1] = tos;
    sw_checksum_ip4(packet);
  } else {
    packet[0] = (uint8_t)(0x60 | tos >> 4);
    packet[1] = (uint8_t)(tos << 4 | 0xb);
  }
  assert_true(sw_view_parse(&view, packet, LENGTH));
  return view;
}

static void ecn_field_is_copied_to_the_datagram_and_the_dscp_on_request(void **state) {
  (void)state;
  for (unsigned v4 = 0; v4 < 2; v4++) {
    for (unsigned tos = 0; tos < 256; tos++) {
      uint8_t packet[LENGTH];
      const struct sw_view view = packet_of(v4, (uint8_t)tos, packet);
      assert_int_equal(sw_ecn_outer(packet, &view, false), tos & 3);
      assert_int_equal(sw_ecn_outer(packet, &view, true), tos);
    }
  }
}

static void ecn_fields_are_combined_as_rfc_6040_says(void **state) {
  (void)state;
  static const uint8_t figure_4[4][4] = {
      /* outer:  Not-ECT  ECT(1)  ECT(0)  CE */
      [NOT] = {NOT, NOT, NOT, DROP},
      [E1] = {E1, E1, E1, CE},
      [E0] = {E0, E1, E0, CE},
      [CE] = {CE, CE, CE, CE},
  };
  for (unsigned v4 = 0; v4 < 2; v4++) {
    for (unsigned dscps = 0; dscps < 64 * 64; dscps++) {
      for (unsigned fields = 0; fields < 16; fields++) {
        const uint8_t inner = fields & 3, outer = (uint8_t)(fields >> 2);
        const uint8_t dscp = (uint8_t)(dscps % 64 << 2), outer_dscp = (uint8_t)(dscps / 64 << 2);
        const uint8_t result = figure_4[inner][outer];
        uint8_t packet[LENGTH], expected[LENGTH];
        const struct sw_view view = packet_of(v4, dscp | inner, packet);
        packet_of(v4, dscp | (result == DROP ? inner : result), expected);
        assert_int_equal(sw_ecn_combine(packet, &view, outer_dscp | outer), result != DROP);
        assert_memory_equal(packet, expected, LENGTH);
      }
    }
  }
}

static void checksum_of_an_ipv4_header_stays_right_or_wrong(void **state) {
  (void)state;
  for (unsigned sum = 0; sum < 0x10000; sum++) { /* each occurs with some identification */
    uint8_t packet[LENGTH];
    const struct sw_view view = packet_of(true, E0, packet);
    sw_put16(packet + 4, (uint16_t)sum);
    const bool wrong = sum % 16 == 0;
    sw_checksum_ip4(packet);
    if (wrong) packet[sum % 20] ^= 0x40;
    assert_true(sw_ecn_combine(packet, &view, CE));
    assert_int_equal(packet[1] & 3, CE);
    assert_int_equal(sw_checksum_add(0, packet, 24) == 0xffff, !wrong);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ecn_field_is_copied_to_the_datagram_and_the_dscp_on_request),
      cmocka_unit_test(ecn_fields_are_combined_as_rfc_6040_says),
      cmocka_unit_test(checksum_of_an_ipv4_header_stays_right_or_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

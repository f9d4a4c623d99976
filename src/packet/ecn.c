#include "packet/ecn.h"

#include "packet/checksum.h"

uint8_t sw_ecn_outer(const uint8_t *packet, const struct sw_view *view, bool dscp) {
  const uint8_t tos = sw_view_tos(view, packet);
  return dscp ? tos : tos & SW_ECN_MASK;
}

/* The checksum: HC' = ~(~HC + ~m + m') (RFC 1624, eqn. 3): a wrong checksum stays wrong. */
static void write_ip4(uint8_t *packet, uint8_t ecn) {
  uint8_t minus[2];
  sw_put16(minus, (uint16_t)~sw_get16(packet));
  packet[1] = (uint8_t)((packet[1] & ~SW_ECN_MASK) | ecn);
  uint16_t sum = (uint16_t)~sw_get16(packet + 10);
  sum = sw_checksum_add(sum, minus, sizeof(minus));
  sum = sw_checksum_add(sum, packet, 2);
  sw_put16(packet + 10, (uint16_t)~sum);
}

static void write_ecn(uint8_t *packet, const struct sw_view *view, uint8_t ecn) {
  if (view->v4)
    write_ip4(packet, ecn);
  else
    packet[1] = (uint8_t)((packet[1] & ~(SW_ECN_MASK << 4)) | ecn << 4);
}

bool sw_ecn_combine(uint8_t *packet, const struct sw_view *view, uint8_t outer) {
  const uint8_t inner = sw_view_tos(view, packet) & SW_ECN_MASK;
  outer &= SW_ECN_MASK;
  if (inner == SW_ECN_NOT_ECT) return outer != SW_ECN_CE;
  if (outer == SW_ECN_CE || (outer == SW_ECN_ECT_1 && inner == SW_ECN_ECT_0))
    write_ecn(packet, view, outer);
  return true;
}

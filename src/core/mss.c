#include "core/mss.h"

#include <assert.h>

#include "core/checksum.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_MSS_LENGTH = 4 };

/* The TCP header of a packet that is, or begins, a segment with SYN set; else NULL.  Its options
 * end at `*end`. */
static uint8_t *find_syn(uint8_t *packet, size_t length, size_t *end) {
  const bool v4 = packet[0] >> 4 == 4;
  if ((v4 ? packet[9] : packet[6]) != SW_PROTOCOL_TCP) return NULL;
  if (v4 && (sw_get16(packet + 6) & 0x1fff) != 0) return NULL; /* a later fragment */
  const size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  if (length < ip + SW_TCP_HEADER) return NULL;
  uint8_t *tcp = packet + ip;
  if (!(tcp[13] & SW_TCP_SYN)) return NULL;
  *end = (size_t)(tcp[12] >> 4) * 4;
  return ip + *end <= length ? tcp : NULL;
}

/* Where the value of the MSS option is in a TCP header; 0: nowhere. */
static size_t find_mss(const uint8_t *tcp, size_t end) {
  size_t at = SW_TCP_HEADER;
  while (at + OPTION_MSS_LENGTH <= end && tcp[at] != OPTION_END) {
    if (tcp[at] == OPTION_NOP) {
      at++;
      continue;
    }
    const uint8_t length = tcp[at + 1];
    if (length < 2) return 0;
    if (tcp[at] == OPTION_MSS && length == OPTION_MSS_LENGTH) return at + 2;
    at += length;
  }
  return 0;
}

void sw_mss_clamp(uint8_t *packet, size_t length, bool partial, unsigned mtu) {
  assert(mtu >= SW_MSS_MTU_MIN);
  assert(length >= (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER));
  size_t end;
  uint8_t *tcp = find_syn(packet, length, &end);
  const size_t at = tcp ? find_mss(tcp, end) : 0;
  if (at == 0) return;
  const unsigned headers = (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER) + SW_TCP_HEADER;
  if (sw_get16(tcp + at) <= mtu - headers) return;

  const uint8_t *options = tcp + SW_TCP_HEADER;
  uint8_t minus[2];
  sw_put16(minus, (uint16_t)~sw_checksum_add(0, options, end - SW_TCP_HEADER));
  sw_put16(tcp + at, (uint16_t)(mtu - headers));
  if (partial) return; /* the sum of the pseudo-header alone */
  /* HC' = ~(~HC + ~m + m') (RFC 1624, eqn. 3), m and m' being all options */
  uint16_t sum = (uint16_t)~sw_get16(tcp + SW_TCP_CHECKSUM);
  sum = sw_checksum_add(sum, minus, sizeof(minus));
  sum = sw_checksum_add(sum, options, end - SW_TCP_HEADER);
  sw_put16(tcp + SW_TCP_CHECKSUM, (uint16_t)~sum);
}

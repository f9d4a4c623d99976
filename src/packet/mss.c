#include "packet/mss.h"

#include <assert.h>

#include "packet/checksum.h"

enum {
  OPTION_END = 0,
  OPTION_NOP = 1,
  OPTION_MSS = 2,
  OPTION_AO = 29, /* authenticates the other options (RFC 5925 §5.1) */
  OPTION_MSS_LENGTH = 4,
};

/* The TCP header of a packet that is, or begins, a segment with SYN set and options; else NULL.
 * They end at `*end`. */
static uint8_t *find_syn(uint8_t *packet, size_t length, size_t *end) {
  const bool v4 = packet[0] >> 4 == 4;
  if ((v4 ? packet[9] : packet[6]) != SW_PROTOCOL_TCP) return NULL;
  if (v4 && (sw_get16(packet + 6) & 0x1fff) != 0) return NULL; /* a later fragment */
  const size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  if (length < ip + SW_TCP_HEADER) return NULL;
  uint8_t *tcp = packet + ip;
  if (!(tcp[13] & SW_TCP_SYN)) return NULL;
  *end = (size_t)(tcp[12] >> 4) * 4;
  return *end > SW_TCP_HEADER && ip + *end <= length ? tcp : NULL;
}

/* Goes on to the next option, if there is a whole one from `*at` on: its kind and length are there.
 */
static bool find_option(const uint8_t *tcp, size_t end, size_t *at) {
  while (*at < end && tcp[*at] == OPTION_NOP) ++*at;
  return *at + 2 <= end && tcp[*at] != OPTION_END && tcp[*at + 1] >= 2 && *at + tcp[*at + 1] <= end;
}

static bool authenticated(const uint8_t *tcp, size_t end) {
  for (size_t at = SW_TCP_HEADER; find_option(tcp, end, &at); at += tcp[at + 1])
    if (tcp[at] == OPTION_AO) return true;
  return false;
}

/* Lowers every MSS, as receivers take the last.  Returns whether there was one to lower. */
static bool lower(uint8_t *tcp, size_t end, unsigned most) {
  bool lowered = false;
  for (size_t at = SW_TCP_HEADER; find_option(tcp, end, &at); at += tcp[at + 1]) {
    if (tcp[at] != OPTION_MSS || tcp[at + 1] != OPTION_MSS_LENGTH) continue;
    if (sw_get16(tcp + at + 2) <= most) continue;
    sw_put16(tcp + at + 2, (uint16_t)most);
    lowered = true;
  }
  return lowered;
}

void sw_mss_clamp(uint8_t *packet, size_t length, bool partial, unsigned mtu) {
  assert(mtu >= SW_MSS_MTU_MIN);
  assert(length >= (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER));
  size_t end;
  uint8_t *tcp = find_syn(packet, length, &end);
  if (!tcp || authenticated(tcp, end)) return;
  const unsigned headers = (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER) + SW_TCP_HEADER;
  const uint8_t *options = tcp + SW_TCP_HEADER;
  uint8_t minus[2];
  sw_put16(minus, (uint16_t)~sw_checksum_add(0, options, end - SW_TCP_HEADER));
  /* a partial sum is that of the pseudo-header alone */
  if (!lower(tcp, end, mtu - headers) || partial) return;
  /* HC' = ~(~HC + ~m + m') (RFC 1624, eqn. 3), m and m' being all options */
  uint16_t sum = (uint16_t)~sw_get16(tcp + SW_TCP_CHECKSUM);
  sum = sw_checksum_add(sum, minus, sizeof(minus));
  sum = sw_checksum_add(sum, options, end - SW_TCP_HEADER);
  sw_put16(tcp + SW_TCP_CHECKSUM, (uint16_t)~sum);
}

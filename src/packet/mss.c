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

/* The TCP header of a SYN, or of its first fragment, with all its options; else NULL.  The options
 * end at `*end`. */
static uint8_t *find_syn(uint8_t *packet, const struct sw_view *view, size_t *end) {
  if (view->protocol != SW_PROTOCOL_TCP || view->fragment & SW_IP4_OFFSET) return NULL;
  const size_t left = view->length - view->transport;
  if (left < SW_TCP_HEADER) return NULL;
  uint8_t *tcp = packet + view->transport;
  if (!(tcp[13] & SW_TCP_SYN)) return NULL;
  *end = (size_t)(tcp[12] >> 4) * 4;
  return *end > SW_TCP_HEADER && *end <= left ? tcp : NULL;
}

/* Skips padding.  Returns whether a whole option is at `*at` then, with its kind and length. */
static bool find_option(const uint8_t *tcp, size_t end, size_t *at) {
  while (*at < end && tcp[*at] == OPTION_NOP) ++*at;
  return *at + 2 <= end && tcp[*at] != OPTION_END && tcp[*at + 1] >= 2 && *at + tcp[*at + 1] <= end;
}

static bool authenticated(const uint8_t *tcp, size_t end) {
  for (size_t at = SW_TCP_HEADER; find_option(tcp, end, &at); at += tcp[at + 1])
    if (tcp[at] == OPTION_AO) return true;
  return false;
}

/* Lowers every MSS option, because receivers use the last one.  Returns whether one was lowered. */
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

void sw_mss_clamp(uint8_t *packet, const struct sw_view *view, bool partial, unsigned mtu) {
  assert(mtu >= SW_MSS_MTU_MIN);
  size_t end;
  uint8_t *tcp = find_syn(packet, view, &end);
  if (!tcp || authenticated(tcp, end)) return;
  const unsigned headers = (view->v4 ? SW_IP4_HEADER : SW_IP6_HEADER) + SW_TCP_HEADER;
  const uint8_t *options = tcp + SW_TCP_HEADER;
  uint8_t minus[2];
  sw_put16(minus, (uint16_t)~sw_checksum_add(0, options, end - SW_TCP_HEADER));
  /* a partial checksum does not cover the options */
  if (!lower(tcp, end, mtu - headers) || partial) return;
  /* HC' = ~(~HC + ~m + m') (RFC 1624, eqn. 3), where m and m' are all options */
  uint16_t sum = (uint16_t)~sw_get16(tcp + SW_TCP_CHECKSUM);
  sum = sw_checksum_add(sum, minus, sizeof(minus));
  sum = sw_checksum_add(sum, options, end - SW_TCP_HEADER);
  sw_put16(tcp + SW_TCP_CHECKSUM, (uint16_t)~sum);
}

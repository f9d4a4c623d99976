/*
 * Clamps the MSS of any packet.  The result must be that of the second implementation here.
 * Nothing else may change but the checksum, which is correct if and only if it was before.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "packet/checksum.h"
#include "packet/mss.h"

/* Returns the offset of the TCP header if its checksum can be updated, else 0. */
static size_t find_tcp(const uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  return packet[v4 ? 9 : 6] == SW_PROTOCOL_TCP && length >= ip + SW_TCP_HEADER ? ip : 0;
}

static void sum(uint8_t *packet, size_t length, size_t tcp, bool partial) {
  sw_put16(packet + tcp + SW_TCP_CHECKSUM,
           sw_checksum_pseudo(packet, SW_PROTOCOL_TCP, length - tcp));
  if (!partial) sw_checksum_complete(packet, length, tcp, SW_TCP_CHECKSUM);
}

/* Lowers the value of each MSS option, going through the options byte by byte.  Returns whether one
 * was lowered. */
static bool lower(uint8_t *tcp, size_t header, unsigned mss) {
  uint8_t *values[10];
  unsigned count = 0, skip = 0;
  bool lowered = false;
  for (uint8_t *byte = tcp + SW_TCP_HEADER; byte < tcp + header; byte++) {
    const size_t left = (size_t)(tcp + header - byte);
    if (skip > 0) {
      skip--;
      continue;
    }
    if (*byte == 1) continue;
    if (*byte == 0 || left == 1 || byte[1] < 2 || byte[1] > left) break;
    if (*byte == 29) return false;
    if (*byte == 2 && byte[1] == 4) values[count++] = byte + 2;
    skip = byte[1] - 1U;
  }
  while (count-- > 0)
    if (sw_get16(values[count]) > mss) sw_put16(values[count], (uint16_t)mss), lowered = true;
  return lowered;
}

/* Lowers the MSS of a whole packet. */
static bool lower_in(uint8_t *packet, size_t length, size_t tcp, unsigned mtu) {
  const bool v4 = packet[0] >> 4 == 4;
  if (!tcp || !(packet[tcp + 13] & SW_TCP_SYN)) return false;
  if (v4 && (packet[6] & 0x1f || packet[7])) return false;
  const size_t header = (size_t)(packet[tcp + 12] >> 4) * 4;
  if (tcp + header > length) return false;
  return lower(packet + tcp, header, mtu - (v4 ? 40 : 60));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sw_view view;
  if (size < 4 || !sw_view_parse(&view, data + 3, size - 3)) return 0;
  const bool partial = data[0] & 1;
  const unsigned mtu = SW_MSS_MTU_MIN + sw_get16(data + 1) % (65536 - SW_MSS_MTU_MIN);
  data += 3;
  size -= 3;
  uint8_t *packet = malloc(size), *expected = malloc(size);
  memcpy(packet, data, size);
  const size_t tcp = find_tcp(packet, size);
  if (tcp) sum(packet, size, tcp, partial);
  memcpy(expected, packet, size);
  if (lower_in(expected, size, tcp, mtu) && !partial) {
    sum(expected, size, tcp, false);
    /* zero has two representations in ones' complement */
    if (sw_get16(expected + tcp + SW_TCP_CHECKSUM) == 0xffff)
      sw_put16(expected + tcp + SW_TCP_CHECKSUM, 0);
  }
  sw_mss_clamp(packet, &view, partial, mtu);
  assert(memcmp(packet, expected, size) == 0);
  free(packet);
  free(expected);
  return 0;
}

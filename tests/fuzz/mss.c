/*
 * The MSS of any packet, lowered: nothing else changes but the checksum, which is as right as it
 * was.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/checksum.h"
#include "core/mss.h"

/* Whether it may be asked for: what a link or a cut has looked at. */
static bool is_packet(const uint8_t *packet, size_t length) {
  if (packet[0] >> 4 == 4) return length >= SW_IP4_HEADER && (packet[0] & 15) >= 5;
  return length >= SW_IP6_HEADER;
}

/* Where TCP begins in a packet whose checksum can be made right; 0: it can't. */
static size_t find_tcp(const uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t ip = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  return packet[v4 ? 9 : 6] == SW_PROTOCOL_TCP && length >= ip + SW_TCP_HEADER ? ip : 0;
}

/* Two packets with the same checksum: they differ in the value of one MSS option at most, which is
 * `mss` in the second. */
static void assert_lowered(const uint8_t *before, const uint8_t *after, size_t size, unsigned mss) {
  size_t first = 0, last = size - 1;
  while (first < size && before[first] == after[first]) first++;
  if (first == size) return;
  while (before[last] == after[last]) last--;
  assert(last - first <= 1);
  const size_t at = after[first - 2] == 2 && after[first - 1] == 4 ? first : first - 1;
  assert(last - at <= 1 && after[at - 2] == 2 && after[at - 1] == 4);
  assert(sw_get16(after + at) == mss && sw_get16(before + at) > mss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 4 || !is_packet(data + 3, size - 3)) return 0;
  const bool partial = data[0] & 1;
  const unsigned mtu = SW_MSS_MTU_MIN + sw_get16(data + 1) % (65536 - SW_MSS_MTU_MIN);
  data += 3;
  size -= 3;
  uint8_t *before = malloc(size), *after = malloc(size);
  memcpy(before, data, size);
  const size_t tcp = find_tcp(before, size);
  uint8_t *sum = before + tcp + SW_TCP_CHECKSUM;
  if (tcp) sw_put16(sum, sw_checksum_pseudo(before, SW_PROTOCOL_TCP, size - tcp));
  if (tcp && !partial) sw_checksum_complete(before, size, tcp, SW_TCP_CHECKSUM);
  memcpy(after, before, size);
  sw_mss_clamp(after, size, partial, mtu);
  if (tcp && !partial) {
    assert(sw_checksum_verify(after, size, tcp, SW_PROTOCOL_TCP));
    memcpy(sum, after + tcp + SW_TCP_CHECKSUM, 2);
  }
  const unsigned headers = (before[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER) + SW_TCP_HEADER;
  assert_lowered(before, after, size, mtu - headers);
  memcpy(before, after, size);
  sw_mss_clamp(after, size, partial, mtu);
  assert(memcmp(before, after, size) == 0);
  free(before);
  free(after);
  return 0;
}

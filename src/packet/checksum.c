#include "packet/checksum.h"

#include <endian.h>

enum { LANES = 4 };

static uint64_t add64(uint64_t sum, uint64_t value) {
  sum += value;
  return sum + (sum < value); /* end-around carry */
}

static uint16_t fold(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

/* Sums in the byte order of the machine, which RFC 1071 §2(B) allows, and swaps once at the end.
 * The lanes do not wait for each other's carry. */
uint16_t sw_checksum_add(uint16_t sum, const uint8_t *bytes, size_t length) {
  uint64_t lanes[LANES] = {htobe16(sum)};
  uint64_t words[LANES];
  for (; length >= sizeof(words); length -= sizeof(words), bytes += sizeof(words)) {
    memcpy(words, bytes, sizeof(words));
    for (unsigned i = 0; i < LANES; i++) lanes[i] = add64(lanes[i], words[i]);
  }
  memset(words, 0, sizeof(words));
  memcpy(words, bytes, length);
  for (unsigned i = 0; i < LANES; i++) lanes[i] = add64(lanes[i], words[i]);
  const uint64_t total = add64(add64(lanes[0], lanes[1]), add64(lanes[2], lanes[3]));
  return be16toh(fold(total));
}

uint16_t sw_checksum_pseudo(const uint8_t *packet, uint8_t protocol, size_t length) {
  uint8_t length_field[4];
  sw_put32(length_field, (uint32_t)length);
  const uint16_t sum = sw_checksum_add(protocol, length_field, sizeof(length_field));
  return packet[0] >> 4 == 4 ? sw_checksum_add(sum, packet + 12, 8)
                             : sw_checksum_add(sum, packet + 8, 32);
}

void sw_checksum_ip4(uint8_t *packet) {
  sw_put16(packet + 10, 0);
  sw_put16(packet + 10, (uint16_t)~sw_checksum_add(0, packet, (size_t)(packet[0] & 15) * 4));
}

void sw_checksum_complete(uint8_t *packet, size_t length, size_t start, size_t offset) {
  uint16_t sum = (uint16_t)~sw_checksum_add(0, packet + start, length - start);
  if (sum == 0) sum = 0xffff; /* 0 means none in UDP, and the same in TCP */
  sw_put16(packet + start + offset, sum);
}

void sw_checksum_partial_complete(uint8_t *packet, const struct sw_view *view) {
  sw_checksum_complete(packet, view->length, view->transport, sw_view_checksum(view));
}

bool sw_checksum_verify(const uint8_t *packet, size_t length, size_t start, uint8_t protocol) {
  const uint16_t pseudo = sw_checksum_pseudo(packet, protocol, length - start);
  return sw_checksum_add(pseudo, packet + start, length - start) == 0xffff;
}

/*
 * The wire format: little-endian integers, and the masked header of every datagram
 * (docs/protocol.md, "Datagram").
 *
 *      0       4              12               28
 *      | session | word        | tag            | body ...
 *      `-- XOR SipHash-x-2-4(mask key, tag) --'
 */
#ifndef SALTWAY_PROTOCOL_WIRE_H
#define SALTWAY_PROTOCOL_WIRE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "protocol/protocol.h"

static inline uint32_t sw_load32(const uint8_t *bytes) {
  uint32_t value;
  memcpy(&value, bytes, sizeof(value));
  return le32toh(value);
}

static inline uint64_t sw_load64(const uint8_t *bytes) {
  uint64_t value;
  memcpy(&value, bytes, sizeof(value));
  return le64toh(value);
}

static inline void sw_store32(uint8_t *bytes, uint32_t value) {
  value = htole32(value);
  memcpy(bytes, &value, sizeof(value));
}

static inline void sw_store64(uint8_t *bytes, uint64_t value) {
  value = htole64(value);
  memcpy(bytes, &value, sizeof(value));
}

struct sw_header {
  uint32_t session; /* the receiver's id of the session, or SW_SESSION_HANDSHAKE */
  uint64_t word;    /* counter and kind; in a handshake message, part of the nonce */
};

/** Masks the header and writes it to a datagram whose tag is already in place. */
void sw_header_write(const uint8_t key[SW_MASK_KEY_BYTES], struct sw_header header,
                     uint8_t *datagram);

/** Unmasks the header of a datagram of at least SW_OVERHEAD bytes. */
struct sw_header sw_header_read(const uint8_t key[SW_MASK_KEY_BYTES], const uint8_t *datagram);

#endif

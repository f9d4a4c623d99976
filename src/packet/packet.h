/*
 * Where things are in IP, TCP and UDP packets (RFC 791, 8200, 9293, 768), and how to get at them.
 */
#ifndef SALTWAY_PACKET_PACKET_H
#define SALTWAY_PACKET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { SW_PROTOCOL_TCP = 6, SW_PROTOCOL_UDP = 17 };
enum { SW_IP4_HEADER = 20, SW_IP6_HEADER = 40, SW_TCP_HEADER = 20, SW_UDP_HEADER = 8 };
enum { SW_TCP_CHECKSUM = 16, SW_UDP_CHECKSUM = 6 }; /* offsets */
enum {
  SW_TCP_FIN = 0x01,
  SW_TCP_SYN = 0x02,
  SW_TCP_RST = 0x04,
  SW_TCP_PSH = 0x08,
  SW_TCP_ACK = 0x10,
  SW_TCP_URG = 0x20,
  SW_TCP_ECE = 0x40,
  SW_TCP_CWR = 0x80,
};

/* Longest IP and transport header together that is handled: IPv4 or IPv6 with options, TCP with
 * options. */
#define SW_HEADERS_MAX 256

static inline uint16_t sw_get16(const uint8_t *bytes) {
  return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t sw_get32(const uint8_t *bytes) {
  return (uint32_t)sw_get16(bytes) << 16 | sw_get16(bytes + 2);
}

static inline void sw_put16(uint8_t *bytes, uint16_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

static inline void sw_put32(uint8_t *bytes, uint32_t value) {
  sw_put16(bytes, (uint16_t)(value >> 16));
  sw_put16(bytes + 2, (uint16_t)value);
}

#endif

/*
 * The layout of IP, TCP and UDP headers (RFC 791, 8200, 9293, 768), and the parser of packets.
 *
 * sw_view_parse looks at the version of a packet, and so does sw_checksum_pseudo, which also serves
 * packets that are being built.  Everything else reads the view.
 */
#ifndef SALTWAY_PACKET_PACKET_H
#define SALTWAY_PACKET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "saltway/view.h"

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

enum {
  SW_IP4_MORE_FRAGMENTS = 0x2000,
  SW_IP4_OFFSET = 0x1fff, /* of a fragment */
};

/* Most bytes of the IP and transport headers of a super-packet.  IPv6 (40), an SRv6 header with 17
 * segments (8 + 17 * 16) and TCP with all options (60) fit.  Routers impose about 10 segments. */
#define SW_HEADERS_MAX 384

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

/** Parses `length` bytes that should be an IP packet.  Returns whether they begin with a whole IPv4
 * or IPv6 header; only then is `view` valid.  The length fields of the packet are not checked. */
static inline bool sw_view_parse(struct sw_view *view, const uint8_t *packet, size_t length) {
  if (length >= SW_IP4_HEADER && packet[0] >> 4 == 4) {
    *view = (struct sw_view){
        .length = (uint32_t)length,
        .transport = (uint16_t)((packet[0] & 15) * 4),
        .fragment = sw_get16(packet + 6) & (SW_IP4_MORE_FRAGMENTS | SW_IP4_OFFSET),
        .protocol = packet[9],
        .v4 = true,
    };
    return view->transport >= SW_IP4_HEADER && view->transport <= length;
  }
  if (length < SW_IP6_HEADER || packet[0] >> 4 != 6) return false;
  *view = (struct sw_view){
      .length = (uint32_t)length,
      .transport = SW_IP6_HEADER,
      .protocol = packet[6],
  };
  return true;
}

/** Whether the length field in the IP header says that the packet is as long as it is. */
static inline bool sw_view_is_whole(const struct sw_view *view, const uint8_t *packet) {
  const size_t length = view->v4 ? sw_get16(packet + 2) : sw_get16(packet + 4) + SW_IP6_HEADER;
  return length == view->length;
}

/** The TOS of a packet: its DSCP (6 bits) and its ECN field (2 bits).  It is the second byte of an
 * IPv4 header, and the traffic class of IPv6. */
static inline uint8_t sw_view_tos(const struct sw_view *view, const uint8_t *packet) {
  return view->v4 ? packet[1] : (uint8_t)(sw_get16(packet) >> 4);
}

/** The offset of the checksum in the TCP or UDP header of a packet. */
static inline size_t sw_view_checksum(const struct sw_view *view) {
  return view->protocol == SW_PROTOCOL_TCP ? SW_TCP_CHECKSUM : SW_UDP_CHECKSUM;
}

/** Whether a packet may travel with a partial checksum: it is no fragment, and a whole TCP or UDP
 * header follows its IP header, so that a receiver finds the checksum without being told where it
 * is.  Senders and receivers both ask this function. */
static inline bool sw_view_may_be_partial(const struct sw_view *view) {
  const size_t left = view->length - view->transport;
  if (view->fragment) return false;
  if (view->protocol == SW_PROTOCOL_TCP) return left >= SW_TCP_HEADER;
  return view->protocol == SW_PROTOCOL_UDP && left >= SW_UDP_HEADER;
}

#endif

/*
 * The Internet checksum (RFC 1071): of headers, of pseudo-headers and of whole packets.
 *
 * A partial checksum is the folded sum of the pseudo-header, which a kernel leaves in the checksum
 * field for a network card to complete.
 */
#ifndef SALTWAY_PACKET_CHECKSUM_H
#define SALTWAY_PACKET_CHECKSUM_H

#include "packet/packet.h"

/** The ones' complement sum of `length` bytes and `sum`, folded to 16 bits, in host order, not
 * complemented. */
uint16_t sw_checksum_add(uint16_t sum, const uint8_t *bytes, size_t length);

/** The sum of the pseudo-header of an IPv4 or IPv6 packet (RFC 793 §3.1, RFC 8200 §8.1) for a
 * transport header and payload of `length` bytes. */
uint16_t sw_checksum_pseudo(const uint8_t *packet, uint8_t protocol, size_t length);

/** Writes the checksum of an IPv4 header. */
void sw_checksum_ip4(uint8_t *packet);

/** Completes the partial checksum at `start` + `offset` over the bytes from `start` on.  The caller
 * has checked that it lies within the packet. */
void sw_checksum_complete(uint8_t *packet, size_t length, size_t start, size_t offset);

/** Completes the partial checksum of a packet for which sw_view_may_be_partial holds. */
void sw_checksum_partial_complete(uint8_t *packet, const struct sw_view *view);

/** Whether the TCP or UDP checksum of a whole packet is right.  Its transport header is at `start`.
 */
bool sw_checksum_verify(const uint8_t *packet, size_t length, size_t start, uint8_t protocol);

#endif

/*
 * The Internet checksum (RFC 1071), and what of it a tunnel needs: over headers, over
 * pseudo-headers, and completed where the kernel left it partial.
 */
#ifndef SALTWAY_PACKET_CHECKSUM_H
#define SALTWAY_PACKET_CHECKSUM_H

#include "packet/packet.h"

/** The ones' complement sum of `length` bytes on top of `sum`, folded to 16 bits, in host order;
 * not complemented. */
uint16_t sw_checksum_add(uint16_t sum, const uint8_t *bytes, size_t length);

/** The sum over the pseudo-header of an IPv4 or IPv6 packet (RFC 793 §3.1, RFC 8200 §8.1) for a
 * transport of `length` bytes. */
uint16_t sw_checksum_pseudo(const uint8_t *packet, uint8_t protocol, size_t length);

/** Writes the checksum into an IPv4 header. */
void sw_checksum_ip4(uint8_t *packet);

/** Completes a partial checksum.  The caller has seen that the offsets lie within the packet. */
void sw_checksum_complete(uint8_t *packet, size_t length, size_t start, size_t offset);

/** Whether the TCP or UDP checksum of a whole packet, whose transport begins at `start`, is right.
 */
bool sw_checksum_verify(const uint8_t *packet, size_t length, size_t start, uint8_t protocol);

#endif

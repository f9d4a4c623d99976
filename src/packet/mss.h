/*
 * Lowering the maximum segment size that TCP connections announce (RFC 9293 §3.7.1) to what the
 * interface carries, so that their segments pass whole, also where the ICMP messages that would
 * tell of its MTU are filtered.
 */
#ifndef SALTWAY_PACKET_MSS_H
#define SALTWAY_PACKET_MSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* the smallest MTU of a network device for IPv4 (RFC 791) */
#define SW_MSS_MTU_MIN 68

/** Lowers the MSS in a SYN to `mtu` (at least SW_MSS_MTU_MIN) less the headers without options, and
 * mends the checksum, which is `partial` or not.  `packet` is an IPv4 or IPv6 packet with 20 or 40
 * bytes of header at least.  Any other than a SYN right behind the IP header is left as it is, and
 * so is one with TCP-AO, which authenticates its options (RFC 5925); no option is added. */
void sw_mss_clamp(uint8_t *packet, size_t length, bool partial, unsigned mtu);

#endif

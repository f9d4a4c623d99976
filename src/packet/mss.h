/*
 * MSS clamping: lowers the maximum segment size that a TCP connection announces (RFC 9293 §3.7.1)
 * to what fits the MTU of the interface.  So its segments pass whole even where the ICMP messages
 * that would report the MTU are filtered.
 */
#ifndef SALTWAY_PACKET_MSS_H
#define SALTWAY_PACKET_MSS_H

#include "saltway/view.h"

/** The smallest MTU of a network device for IPv4 (RFC 791). */
#define SW_MSS_MTU_MIN 68

/** Lowers the MSS in a SYN to `mtu` (at least SW_MSS_MTU_MIN) less the headers without options, and
 * updates the checksum, which is `partial` or not.  Every packet that is not a SYN right behind the
 * IP header is left as it is, and so is a SYN with TCP-AO, which authenticates its options
 * (RFC 5925).  No option is added. */
void sw_mss_clamp(uint8_t *packet, const struct sw_view *view, bool partial, unsigned mtu);

#endif

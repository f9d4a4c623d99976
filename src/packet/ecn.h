/*
 * Explicit congestion notification through the link, in the normal mode of RFC 6040: the ECN field
 * of a packet is copied to the datagram that carries it, and a mark that a router has put on the
 * datagram is put on the packet.
 */
#ifndef SALTWAY_PACKET_ECN_H
#define SALTWAY_PACKET_ECN_H

#include <stdbool.h>
#include <stdint.h>

#include "saltway/view.h"

/** The ECN field (RFC 3168 §5). */
enum {
  SW_ECN_NOT_ECT = 0, /* the transport does not understand marks */
  SW_ECN_ECT_1 = 1,   /* it does */
  SW_ECN_ECT_0 = 2,   /* it does */
  SW_ECN_CE = 3,      /* marked: congestion was experienced */
  SW_ECN_MASK = 3,    /* of the TOS */
};

/** The TOS of the datagram that carries a packet: its ECN field, and with `dscp` its DSCP. */
uint8_t sw_ecn_outer(const uint8_t *packet, const struct sw_view *view, bool dscp);

/** Combines the ECN field of a packet with that of `outer`, the TOS of the datagram it came in
 * (RFC 6040 §4.2), and updates the checksum of an IPv4 header.  Returns false if the packet must be
 * dropped: the datagram was marked, and the packet's transport does not understand marks. */
bool sw_ecn_combine(uint8_t *packet, const struct sw_view *view, uint8_t outer);

#endif

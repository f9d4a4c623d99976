/*
 * What the rules of nftables(8) do to the link's datagrams, as far as a rule tells by itself: rules that
 * name a port or the length of a UDP datagram.  Sets, and rules of iptables' older forms, are not
 * understood, and taken as neither.  About the network namespace of the calling thread; needs
 * CAP_NET_ADMIN.
 */
#ifndef SALTWAY_LINUX_NFTABLES_H
#define SALTWAY_LINUX_NFTABLES_H

#include <stdint.h>

#define SW_NFTABLES_CHAIN 96

/* The first chain ("inet filter input") of which each is true; empty: none. */
struct sw_nftables {
  char drops_in[SW_NFTABLES_CHAIN];   /* a rule drops UDP to our port */
  char drops_out[SW_NFTABLES_CHAIN];  /* a rule drops UDP to the peer's port */
  char drops_long[SW_NFTABLES_CHAIN]; /* a rule drops long UDP datagrams */
  char closed[SW_NFTABLES_CHAIN]; /* all is dropped that no rule accepts, and none accepts ours */
};

/** Reads the rules.  `port` is ours, `peer_port` the peer's; 0: not known.  All is empty if the rules cannot
 * be read. */
struct sw_nftables sw_nftables_read(uint16_t port, uint16_t peer_port);

#endif

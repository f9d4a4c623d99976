/*
 * Which route the kernel would choose for a packet, and the interfaces and their addresses, by
 * rtnetlink(7).  Needs no privilege.  About the network namespace of the calling thread.
 */
#ifndef SALTWAY_LINUX_LOOKUP_H
#define SALTWAY_LINUX_LOOKUP_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "saltway/address.h"

/* A packet of this host. */
struct sw_lookup_packet {
  uint8_t ip[SW_IP_BYTES]; /* destination */
  uint32_t mark;
  uint16_t from_port, to_port; /* UDP; 0: of no protocol in particular */
};

struct sw_lookup {
  int error;                /* errno for which there is no route; 0: there is one */
  unsigned index;           /* of its interface; 0: several */
  char interface[IFNAMSIZ]; /* its name; empty: not known */
  bool local;               /* the destination is an address of this host */
  struct sw_prefix prefix;  /* of the route that was chosen */
  bool has_gateway;
  uint8_t gateway[SW_IP_BYTES];
};

/** Looks the route up.  Rules may choose by user: it is that of the effective one. */
struct sw_lookup sw_lookup_route(const struct sw_lookup_packet *packet);

struct sw_lookup_interface {
  unsigned index, mtu;
  char name[IFNAMSIZ];
  char kind[16]; /* "tun", "veth"; empty: none */
  bool up, loopback;
};

struct sw_lookup_address {
  unsigned index;          /* of its interface */
  struct sw_prefix prefix; /* host bits kept */
};

/** Lists the interfaces and addresses of the namespace, at most `count`.  Returns how many. */
size_t sw_lookup_interfaces(struct sw_lookup_interface *interfaces, size_t count);
size_t sw_lookup_addresses(struct sw_lookup_address *addresses, size_t count);

#endif

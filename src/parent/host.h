/*
 * What a link takes of its host: the TUN interface with its addresses and routes, the UDP port, and
 * the hooks.  All privileged calls of the daemon are made here, at start and at the end.
 */
#ifndef SALTWAY_PARENT_HOST_H
#define SALTWAY_PARENT_HOST_H

#include "base/error.h"
#include "config/config.h"
#include "linux/tun.h"
#include "linux/udp.h"

/* without an MTU in the config: 1376 = 32 + 21 * 64 meets the cipher's blocks, and with the
 * overhead and the outer IPv6 and UDP headers (28 + 48) it fits in paths of 1452 bytes and more
 * (PPPoE, LTE) */
#define SW_HOST_MTU 1376

/* packets.  Measured on two busy cores, 32, 128, 512 and 1000: a burst of small packets waits here
 * until the scheduler comes round (64-byte UDP delivered: 7 to 35, 24 to 47, 77 to 80, 66 to 95
 * thousand a second), one TCP stream is retransmitted at 32 only, and a ping beside it takes 3 to 5
 * ms with each. */
#define SW_HOST_QUEUE 512

struct sw_host {
  struct sw_tun tun;
  struct sw_udp udp;
  unsigned mtu; /* of the interface */
};

/** Opens and configures everything.  Returns 0, or a negative errno with `error` filled and nothing
 * left open.  Without CAP_NET_ADMIN a device that is there already is used as it is. */
int sw_host_open(struct sw_host *host, const struct sw_config *config, struct sw_error *error);

void sw_host_close(struct sw_host *host);

#endif

/*
 * What a link takes from its host: the TUN interface with its addresses and routes, and the UDP
 * port.  The parent owns them, and makes its privileged calls here.
 */
#ifndef SALTWAY_PARENT_HOST_H
#define SALTWAY_PARENT_HOST_H

#include "base/error.h"
#include "config/config.h"
#include "linux/changes.h"
#include "linux/interface.h"
#include "linux/routes.h"
#include "linux/tun.h"
#include "linux/udp.h"
#include "parent/default_routes.h"

/* The transmit queue, in packets: a burst of small packets waits there until the engine is scheduled.
 * Measured on two busy cores with 32, 128, 512 and 1000 packets: 7 to 35, 24 to 47, 77 to 80 and 66
 * to 95 thousand 64-byte UDP packets delivered a second; retransmissions of one TCP stream with 32
 * only; 3 to 5 ms for a ping beside it with each. */
#define SW_HOST_QUEUE 512

/* The metrics where none is configured: the best of each family, so that no route to the same prefix
 * wins.  Router advertisements and DHCP clients use 50 to 2048, and IPv6 routes without a metric have
 * 1024; 0 would be that, too. */
#define SW_HOST_METRIC_V4 0
#define SW_HOST_METRIC_V6 1

struct sw_host_made {
  unsigned addresses, routes, rules;
};

struct sw_host {
  const struct sw_config *config; /* not owned */
  struct sw_tun tun;
  struct sw_udp udp;
  int netns;                  /* where the interface is; -1: where the process is */
  struct sw_netlink *netlink; /* in the interface's namespace; NULL: closed */
  unsigned mtu;               /* of the interface */
  unsigned mtu_refused;       /* by the kernel, which the log has; 0: none */
  bool as_it_is;              /* without CAP_NET_ADMIN: the interface is not configured */
  bool routed;                /* sw_host_route was called */
  uint32_t mark;              /* of the link's own datagrams; 0: none */
  struct sw_default_routes defaults;
  const struct sw_host *before; /* which this one replaces, during sw_host_change */
  struct sw_host_made made;     /* by the latest sw_host_restore */
};

#define SW_HOST_CLOSED ((struct sw_host){.tun.fd = -1, .udp.fd = -1, .netns = -1})

/** Opens the interface in its namespace, sets it up and gives it its addresses; opens the port in the
 * namespace of the process.  Without CAP_NET_ADMIN an existing device is used as it is configured.
 * Returns 0, or a negative errno with `error` filled and nothing left open. */
int sw_host_open(struct sw_host *host, const struct sw_config *config, struct sw_error *error);

/** Makes the routes to AllowedIPs.  Apart from sw_host_open, because they may lead the traffic to
 * name servers into the link.  Returns 0, or a negative errno with `error` filled. */
int sw_host_route(struct sw_host *host, struct sw_error *error);

/** The MTU that a link with this configuration keeps to; 0: that of the path. */
unsigned sw_host_link_mtu(const struct sw_host *host, const struct sw_config *config);

/** Sets the interface's MTU to what the path carries. */
void sw_host_follow_path(struct sw_host *host, unsigned mtu);

/** Gives the link another port, if none is configured.  Returns 0, or a negative errno with `error`
 * filled. */
int sw_host_rebind(struct sw_host *host, struct sw_error *error);

/** Opens a socket for changes (linux/changes.h) in the interface's namespace. */
int sw_host_changes_open(struct sw_host *host, struct sw_error *error);

bool sw_host_is_down(const struct sw_host *host);

/** Whether what the kernel reports may be the removal of something that the link has made, or is about
 * its interface. */
bool sw_host_concerns(const struct sw_host *host, const struct sw_change *change);

/** Makes addresses, routes and rules again that are missing.  Returns 0, or a negative errno with
 * `error` filled; `made` says how many in any case. */
int sw_host_restore(struct sw_host *host, struct sw_error *error);

/** Applies the difference between its configuration and `next` to MTU, addresses, routes, rules and
 * mark.  The caller then replaces what `config` points to.  Returns 0, or a negative errno with `error`
 * filled and everything as before. */
int sw_host_change(struct sw_host *host, const struct sw_config *next, struct sw_error *error);

/** Undoes all of it, or what there is of it. */
void sw_host_close(struct sw_host *host);

#endif

/*
 * The interface's MTU, state, addresses and routes, and rules of routing, by rtnetlink (rtnetlink(7))
 * through libnl-route-3.
 *
 * A socket is about the network namespace in which it was opened.  Every change needs CAP_NET_ADMIN
 * there.  The settings of a device disappear with it; rules stay.  Main thread only: the requests
 * block until the kernel answers, which it does at once.
 */
#ifndef SALTWAY_LINUX_NETLINK_H
#define SALTWAY_LINUX_NETLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "saltway/address.h"

struct sw_netlink;

/** Opens a netlink socket.  Returns 0 and gives it to the caller, who closes it, or a negative
 * errno with `error` filled. */
int sw_netlink_open(struct sw_netlink **netlink, struct sw_error *error);
void sw_netlink_close(struct sw_netlink *netlink); /* or NULL */

/** How many addresses, routes and rules were added through the socket that did not exist before. */
unsigned sw_netlink_added(const struct sw_netlink *netlink);

/** Sets the MTU in bytes and the transmit queue length in packets (0: leave it), and sets the
 * interface up. */
int sw_netlink_link_up(struct sw_netlink *netlink, unsigned index, unsigned mtu, unsigned queue,
                       struct sw_error *error);

/** Sets the MTU, and nothing else. */
int sw_netlink_mtu_set(struct sw_netlink *netlink, unsigned index, unsigned mtu,
                       struct sw_error *error);

/** Reads the MTU in bytes; needs no privilege. */
int sw_netlink_link_mtu(struct sw_netlink *netlink, unsigned index, unsigned *mtu,
                        struct sw_error *error);

/** Whether the kernel says that the interface is down; needs no privilege. */
bool sw_netlink_link_is_down(struct sw_netlink *netlink, unsigned index);

/** Limits the segments of the super-packets that the interface is given (IFLA_GSO_MAX_SEGS), so that
 * one fits one send.  A kernel without this still works.  Returns 0 or a negative errno. */
int sw_netlink_gso_segments(struct sw_netlink *netlink, unsigned index, uint32_t segments);

/** Adds an address; one that the interface has already is no error. */
int sw_netlink_address_add(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, struct sw_error *error);

/** Removes an address; one that the interface does not have is no error. */
int sw_netlink_address_remove(struct sw_netlink *netlink, unsigned index,
                              const struct sw_prefix *address, struct sw_error *error);

struct sw_route {
  struct sw_prefix prefix;
  uint32_t table;  /* 0: main */
  uint32_t metric; /* 0: that which the kernel gives a route without one */
};

/** Adds a route over the interface.  Fails with -EEXIST if there is one of the same prefix, table and
 * metric that is not over this interface. */
int sw_netlink_route_add(struct sw_netlink *netlink, unsigned index, const struct sw_route *route,
                         struct sw_error *error);

/** Adds a route that was there before.  If there is one of the same prefix, table and metric, it is not
 * looked at: that is no error. */
int sw_netlink_route_add_again(struct sw_netlink *netlink, unsigned index,
                               const struct sw_route *route, struct sw_error *error);

/** Removes a route over the interface; one that does not exist is no error. */
int sw_netlink_route_remove(struct sw_netlink *netlink, unsigned index,
                            const struct sw_route *route, struct sw_error *error);

/** Finds out which of the 64 tables from `first` on have a route that is not over the interface: bit n
 * of `used` stands for table `first` + n. */
int sw_netlink_tables_used(struct sw_netlink *netlink, unsigned index, uint32_t first,
                           uint64_t *used, struct sw_error *error);

/* A rule (ip-rule(8)): packets that have all of these properties use the table. */
struct sw_rule {
  uint32_t priority;
  uint32_t table;
  uint32_t mark;     /* 0: any */
  uint32_t user;     /* sent by a process of this user; 0: any */
  uint16_t udp_port; /* sent by UDP from this port; 0: any */
  bool v6;           /* else IPv4 */
  bool no_default;   /* all routes of the table but its default routes */
  bool invert;       /* packets that do not have all of these properties */
  bool local;        /* sent by this host, not forwarded */
};

/** Adds a rule; one that exists already is no error. */
int sw_netlink_rule_add(struct sw_netlink *netlink, const struct sw_rule *rule,
                        struct sw_error *error);

/** Removes a rule; one that does not exist is no error. */
int sw_netlink_rule_remove(struct sw_netlink *netlink, const struct sw_rule *rule,
                           struct sw_error *error);

/** The index of the interface by which this process's datagrams to `ip` leave; 0: there is no route.
 * Needs no privilege. */
unsigned sw_netlink_route_interface(struct sw_netlink *netlink, const uint8_t ip[SW_IP_BYTES]);

#endif

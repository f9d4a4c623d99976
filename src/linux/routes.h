/*
 * Routes, and rules of routing.  The routes of an interface disappear with it; rules stay.
 */
#ifndef SALTWAY_LINUX_ROUTES_H
#define SALTWAY_LINUX_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "linux/netlink.h"
#include "saltway/address.h"

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

/** Makes those of the routes that are missing, after one look at what the kernel has.  Sorts them.
 * Fails as sw_netlink_route_add does, with the first that cannot be made, but makes the others. */
int sw_netlink_routes_restore(struct sw_netlink *netlink, unsigned index, struct sw_route *routes,
                              size_t count, struct sw_error *error);

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

#endif

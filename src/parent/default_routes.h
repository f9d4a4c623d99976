/*
 * Default routes through the link: 0.0.0.0/0 or ::/0 in AllowedIPs, with Table = auto.
 *
 * They are in a table of their own, and rules for each family choose it:
 *
 *     lookup main suppress_prefixlength 0             other routes of the main table come first
 *     not fwmark MARK lookup TABLE                    the link's own datagrams use the main table
 *
 * With rp_filter = 1 the kernel checks the source of an IPv4 packet by a lookup of the way back, which
 * has no mark, and would find the link.  But it has the ports of an answer, and is local, so for IPv4
 * there are two more rules between those:
 *
 *     iif lo ipproto udp sport PORT lookup main
 *     fwmark MARK ipproto udp sport PORT lookup main
 *
 * The second only makes the kernel look at the ports, which it does while there is a rule with ports
 * and without "iif lo" (fib_rule_requires_fldissect in Linux' fib_rules.h).  Without "iif lo" the first
 * one would let forwarded packets of that port out.
 *
 * The queries of the resolver cannot be marked, as the C library makes its sockets.  But the peer must be
 * found while the link is down.  If the resolver has a user of its own there is one more rule:
 *
 *     uidrange USER-USER lookup main
 *
 * Rules outlive the process.  So they are recorded in the runtime directory (undo.h) before they are
 * made, and the next run of that name removes what a killed one left.
 */
#ifndef SALTWAY_PARENT_DEFAULT_ROUTES_H
#define SALTWAY_PARENT_DEFAULT_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "linux/routes.h"

/* The tables that are used: the first that no other interface has routes in. */
#define SW_DEFAULT_ROUTES_TABLE 51900
#define SW_DEFAULT_ROUTES_TABLES 64

/* The mark of all links with default routes: the datagrams of one must not go into the table of another. */
#define SW_DEFAULT_ROUTES_MARK 51900

/* Each kind of rule has a hundred priorities, one for each table: what leads into the table of one link
 * comes after what keeps the datagrams of all links out.  Rules that an administrator makes without a
 * priority come later: they are just before 32766, the main table's. */
#define SW_DEFAULT_ROUTES_PRIORITY 31000
#define SW_DEFAULT_ROUTES_KINDS 5
#define SW_DEFAULT_ROUTES_STEP 100

struct sw_default_routes {
  bool v4, v6; /* neither: there are none */
  uint32_t table;
  uint32_t mark; /* of the link's own datagrams */
  uint16_t port; /* that they are sent from */
  uint32_t user; /* of the resolver; 0: it has none of its own */
};

/** Chooses the table and the mark, if the configuration asks for default routes.  `index` is the
 * link's interface.  Returns 0, or a negative errno with `error` filled. */
int sw_default_routes_plan(struct sw_default_routes *routes, const struct sw_config *config,
                           struct sw_netlink *netlink, unsigned index, struct sw_error *error);

/** Records them for the link `name`, then makes the rules.  `port` is known by now.  Returns 0, or a
 * negative errno with `error` filled; the caller then removes what was made. */
int sw_default_routes_add(const struct sw_default_routes *routes, const char *name,
                          struct sw_netlink *netlink, struct sw_error *error);

/** Goes from the plan `before` to `routes`, of which either may have none: records them, makes their
 * rules and then removes those of `before` that are none of theirs, so that no packet meets a gap.
 * Returns 0, or a negative errno with `error` filled. */
int sw_default_routes_change(const struct sw_default_routes *before,
                             const struct sw_default_routes *routes, const char *name,
                             struct sw_netlink *netlink, struct sw_error *error);

/** Makes the rules that are missing.  Returns 0, or a negative errno with `error` filled. */
int sw_default_routes_restore(const struct sw_default_routes *routes, struct sw_netlink *netlink,
                              struct sw_error *error);

/** Whether one of the rules has this priority. */
bool sw_default_routes_has(const struct sw_default_routes *routes, uint32_t priority);

/** Removes rules and record. */
void sw_default_routes_remove(const struct sw_default_routes *routes, const char *name,
                              struct sw_netlink *netlink);

/** Removes what a killed run of the link `name` left, if there is a record of it. */
void sw_default_routes_undo(const char *name);

#endif

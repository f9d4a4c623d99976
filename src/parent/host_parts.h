/*
 * What the two halves of the host share: host.c, which opens and keeps it, and host_change.c, which
 * makes one configuration of it into another.
 */
#ifndef SALTWAY_PARENT_HOST_PARTS_H
#define SALTWAY_PARENT_HOST_PARTS_H

#include "parent/host.h"

typedef int sw_host_function(struct sw_host *host, struct sw_error *error);

/** Calls the function in the interface's namespace.  Returns what it returns, or a negative errno with
 * `error` filled. */
int sw_host_within(struct sw_host *host, sw_host_function *function, struct sw_error *error);

/** The route to a range of AllowedIPs. */
struct sw_route sw_host_route_to(const struct sw_host *host, const struct sw_prefix *range);

/** Adds the addresses that are missing. */
int sw_host_add_addresses(const struct sw_host *host, struct sw_error *error);

/** Gives the interface its MTU, and sets it up. */
int sw_host_set_mtu(const struct sw_host *host, struct sw_error *error);

#endif

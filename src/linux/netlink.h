/*
 * A netlink socket, by which linux/interface.h and linux/routes.h make and ask for changes
 * (rtnetlink(7)), through libnl-route-3.
 *
 * A socket is about the network namespace in which it was opened.  Every change needs CAP_NET_ADMIN
 * there.  Main thread only: the requests block until the kernel answers, which it does at once.
 */
#ifndef SALTWAY_LINUX_NETLINK_H
#define SALTWAY_LINUX_NETLINK_H

#include "base/error.h"

struct sw_netlink;

/** Opens a netlink socket.  Returns 0 and gives it to the caller, who closes it, or a negative
 * errno with `error` filled. */
int sw_netlink_open(struct sw_netlink **netlink, struct sw_error *error);
void sw_netlink_close(struct sw_netlink *netlink); /* or NULL */

/** How many addresses, routes and rules were added through the socket that did not exist before. */
unsigned sw_netlink_added(const struct sw_netlink *netlink);

#endif

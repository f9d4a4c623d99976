/*
 * An interface's MTU, state and addresses.  They disappear with it.
 */
#ifndef SALTWAY_LINUX_INTERFACE_H
#define SALTWAY_LINUX_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "linux/netlink.h"
#include "saltway/address.h"

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

#endif

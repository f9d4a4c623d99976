/*
 * What requests by netlink share: how one begins, what its failure means, and values in libnl's form.
 */
#ifndef SALTWAY_LINUX_NETLINK_PARTS_H
#define SALTWAY_LINUX_NETLINK_PARTS_H

#include <net/if.h>
#include <netlink/addr.h>
#include <netlink/socket.h>

#include "linux/netlink.h"
#include "saltway/address.h"

#define SW_NETLINK_FIX 256
#define SW_NETLINK_REASON 96

struct sw_netlink {
  struct nl_sock *socket;
  int refusal;                    /* the kernel's errno for the last request; 0: it had none */
  char reason[SW_NETLINK_REASON]; /* the kernel's text for it; empty: it had none */
  unsigned added;
};

/** Forgets how the request before ended.  Returns the socket. */
struct nl_sock *sw_netlink_begin(struct sw_netlink *netlink);

/** The errno of a request for which libnl returned `failed`. */
int sw_netlink_code(const struct sw_netlink *netlink, int failed);

/** What helps against this errno, or the kernel's reason, or NULL. */
const char *sw_netlink_fix(const struct sw_netlink *netlink, int code);

/** The same for requests about IPv6 of the interface `name`.  `text` may hold the result. */
const char *sw_netlink_fix_v6(const struct sw_netlink *netlink, int code, const char *name,
                              char text[SW_NETLINK_FIX]);

/** Notes an entry that was added, if the result is good.  Returns the result. */
int sw_netlink_note_added(struct sw_netlink *netlink, int result);

/** The interface's name, or its number. */
const char *sw_netlink_name(unsigned index, char name[IFNAMSIZ]);

/** The prefix in libnl's form; IPv4 in its own family.  Returns NULL without memory; else the caller
 * puts it back. */
struct nl_addr *sw_netlink_address(const struct sw_prefix *prefix);

#endif

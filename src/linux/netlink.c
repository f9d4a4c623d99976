#include "linux/netlink.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

/* struct sw_netlink is libnl's struct nl_sock, which its callers need not know. */

static int errno_of(int nle) {
  switch (-nle) {
  case NLE_PERM:
  case NLE_NOACCESS:
    return EPERM;
  case NLE_EXIST:
    return EEXIST;
  case NLE_NODEV:
  case NLE_OBJ_NOTFOUND:
    return ENODEV;
  case NLE_NOMEM:
    return ENOMEM;
  case NLE_OPNOTSUPP:
    return EOPNOTSUPP;
  case NLE_AF_NOSUPPORT:
    return EAFNOSUPPORT;
  }
  return EINVAL;
}

int sw_netlink_open(struct sw_netlink **netlink, struct sw_error *error) {
  struct nl_sock *socket = nl_socket_alloc();
  const int failed = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;
  if (failed < 0) {
    nl_socket_free(socket);
    return sw_error_set(error, errno_of(failed), NULL, "netlink: cannot open a socket");
  }
  *netlink = (struct sw_netlink *)(void *)socket;
  return 0;
}

static struct nl_sock *socket_of(struct sw_netlink *netlink) {
  return (struct nl_sock *)(void *)netlink;
}

void sw_netlink_close(struct sw_netlink *netlink) {
  nl_socket_free(socket_of(netlink));
}

static const char *fix_of(int code) {
  return code == EPERM ? "CAP_NET_ADMIN is needed: run as root" : NULL;
}

int sw_netlink_link_up(struct sw_netlink *netlink, unsigned index, unsigned mtu, unsigned queue,
                       struct sw_error *error) {
  struct rtnl_link *change = rtnl_link_alloc();
  if (!change) return sw_error_set(error, ENOMEM, NULL, "netlink");
  rtnl_link_set_ifindex(change, (int)index);
  rtnl_link_set_flags(change, IFF_UP);
  if (mtu) rtnl_link_set_mtu(change, mtu);
  if (queue) rtnl_link_set_txqlen(change, queue);
  const int failed = rtnl_link_change(socket_of(netlink), change, change, 0);
  rtnl_link_put(change);
  if (failed >= 0) return 0;
  return sw_error_set(error, errno_of(failed), fix_of(errno_of(failed)),
                      "netlink: cannot set MTU %u and set the interface up", mtu);
}

int sw_netlink_gso_segments(struct sw_netlink *netlink, unsigned index, uint32_t segments) {
  struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
  struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, 0);
  int failed = message ? nlmsg_append(message, &link, sizeof(link), NLMSG_ALIGNTO) : -NLE_NOMEM;
  if (!failed) failed = nla_put_u32(message, IFLA_GSO_MAX_SEGS, segments);
  if (failed) {
    nlmsg_free(message);
    return -errno_of(failed);
  }
  failed = nl_send_sync(socket_of(netlink), message); /* frees it */
  return failed < 0 ? -errno_of(failed) : 0;
}

/* The prefix as libnl has it; IPv4 in its own family. */
static struct nl_addr *address_of(const struct sw_prefix *prefix) {
  const bool v4 = sw_ip_is_v4(prefix->ip);
  struct nl_addr *address = v4 ? nl_addr_build(AF_INET, prefix->ip + 12, 4)
                               : nl_addr_build(AF_INET6, prefix->ip, SW_IP_BYTES);
  if (address) nl_addr_set_prefixlen(address, v4 ? prefix->length - 96 : prefix->length);
  return address;
}

int sw_netlink_address_add(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, struct sw_error *error) {
  char text[SW_PREFIX_TEXT];
  struct rtnl_addr *entry = rtnl_addr_alloc();
  struct nl_addr *local = address_of(address);
  int failed = entry && local ? 0 : -NLE_NOMEM;
  if (!failed) {
    rtnl_addr_set_ifindex(entry, (int)index);
    failed = rtnl_addr_set_local(entry, local);
    rtnl_addr_set_flags(entry, IFA_F_NODAD);
  }
  if (!failed) failed = rtnl_addr_add(socket_of(netlink), entry, 0);
  nl_addr_put(local);
  rtnl_addr_put(entry);
  if (failed >= 0 || failed == -NLE_EXIST) return 0;
  const bool v6_off = failed == -NLE_NOACCESS || failed == -NLE_PERM;
  return sw_error_set(error, errno_of(failed),
                      v6_off && !sw_ip_is_v4(address->ip)
                          ? "is IPv6 switched off? sysctl net.ipv6.conf.all.disable_ipv6 tells"
                          : fix_of(errno_of(failed)),
                      "netlink: cannot add the address %s", sw_prefix_text(address, text));
}

int sw_netlink_route_add(struct sw_netlink *netlink, unsigned index, const struct sw_prefix *prefix,
                         uint32_t table, struct sw_error *error) {
  char text[SW_PREFIX_TEXT];
  const bool v4 = sw_ip_is_v4(prefix->ip);
  struct rtnl_route *route = rtnl_route_alloc();
  struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
  struct nl_addr *destination = address_of(prefix);
  int failed = route && hop && destination ? 0 : -NLE_NOMEM;
  if (!failed) {
    rtnl_route_set_family(route, v4 ? AF_INET : AF_INET6);
    rtnl_route_set_table(route, table ? table : RT_TABLE_MAIN);
    rtnl_route_set_scope(route, v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_nh_set_ifindex(hop, (int)index);
    rtnl_route_add_nexthop(route, hop);
    failed = rtnl_route_set_dst(route, destination);
    if (!failed) failed = rtnl_route_add(socket_of(netlink), route, NLM_F_EXCL);
  }
  nl_addr_put(destination);
  rtnl_route_put(route);
  if (failed >= 0) return 0;
  return sw_error_set(error, errno_of(failed),
                      failed == -NLE_EXIST
                          ? "there is a route to it already: ip route show; Table = off "
                            "leaves the routes to you"
                          : fix_of(errno_of(failed)),
                      "netlink: cannot add the route to %s", sw_prefix_text(prefix, text));
}

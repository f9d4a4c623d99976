#include "linux/interface.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if_addr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include "linux/netlink_parts.h"

/* ---- link ---- */

int sw_netlink_link_up(struct sw_netlink *netlink, unsigned index, unsigned mtu, unsigned queue,
                       struct sw_error *error) {
  char name[IFNAMSIZ];
  struct rtnl_link *change = rtnl_link_alloc();
  if (!change) return sw_error_set(error, ENOMEM, NULL, "netlink: cannot set the interface up");
  rtnl_link_set_ifindex(change, (int)index);
  rtnl_link_set_flags(change, IFF_UP);
  if (mtu) rtnl_link_set_mtu(change, mtu);
  if (queue) rtnl_link_set_txqlen(change, queue);
  const int failed = rtnl_link_change(sw_netlink_begin(netlink), change, change, 0);
  rtnl_link_put(change);
  if (failed >= 0) return 0;
  const int code = sw_netlink_code(netlink, failed);
  return sw_error_set(error, code,
                      code == EINVAL ? "an MTU is 68 to 65535 bytes, with IPv6 1280 or more"
                                     : sw_netlink_fix(netlink, code),
                      "netlink: cannot set %s up with MTU %u", sw_netlink_name(index, name), mtu);
}

/* Returns 0 or an errno.  When memory is short libnl succeeds without a link. */
static int get_link(struct sw_netlink *netlink, unsigned index, struct rtnl_link **link) {
  *link = NULL;
  const int failed = rtnl_link_get_kernel(sw_netlink_begin(netlink), (int)index, NULL, link);
  if (failed < 0) return sw_netlink_code(netlink, failed);
  return *link ? 0 : ENOMEM;
}

int sw_netlink_mtu_set(struct sw_netlink *netlink, unsigned index, unsigned mtu,
                       struct sw_error *error) {
  char name[IFNAMSIZ];
  struct rtnl_link *change = rtnl_link_alloc();
  int failed = -NLE_NOMEM;
  if (change) {
    rtnl_link_set_ifindex(change, (int)index);
    rtnl_link_set_mtu(change, mtu);
    failed = rtnl_link_change(sw_netlink_begin(netlink), change, change, 0);
    rtnl_link_put(change);
  }
  if (failed >= 0) return 0;
  const int code = sw_netlink_code(netlink, failed);
  return sw_error_set(error, code, sw_netlink_fix(netlink, code),
                      "netlink: cannot set the MTU of %s to %u", sw_netlink_name(index, name), mtu);
}

int sw_netlink_link_mtu(struct sw_netlink *netlink, unsigned index, unsigned *mtu,
                        struct sw_error *error) {
  char name[IFNAMSIZ];
  struct rtnl_link *link;
  const int code = get_link(netlink, index, &link);
  if (code)
    return sw_error_set(error, code, sw_netlink_fix(netlink, code),
                        "netlink: cannot read the MTU of %s", sw_netlink_name(index, name));
  *mtu = rtnl_link_get_mtu(link);
  rtnl_link_put(link);
  return 0;
}

bool sw_netlink_link_is_down(struct sw_netlink *netlink, unsigned index) {
  struct rtnl_link *link;
  if (get_link(netlink, index, &link) != 0) return false;
  const bool down = !(rtnl_link_get_flags(link) & IFF_UP);
  rtnl_link_put(link);
  return down;
}

int sw_netlink_gso_segments(struct sw_netlink *netlink, unsigned index, uint32_t segments) {
  const struct ifinfomsg link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
  struct nl_msg *message = nlmsg_alloc_simple(RTM_NEWLINK, 0);
  if (!message) return -ENOMEM;
  struct nl_sock *socket = sw_netlink_begin(netlink);
  int failed = nlmsg_append(message, (void *)&link, sizeof(link), NLMSG_ALIGNTO);
  if (!failed) failed = nla_put_u32(message, IFLA_GSO_MAX_SEGS, segments);
  if (failed)
    nlmsg_free(message);
  else
    failed = nl_send_sync(socket, message); /* frees it */
  return failed < 0 ? -sw_netlink_code(netlink, failed) : 0;
}

/* ---- addresses ---- */

static int request_address(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, bool add) {
  struct nl_sock *socket = sw_netlink_begin(netlink);
  struct rtnl_addr *entry = rtnl_addr_alloc();
  struct nl_addr *local = sw_netlink_address(address);
  int failed = entry && local ? 0 : -NLE_NOMEM;
  if (!failed) {
    rtnl_addr_set_ifindex(entry, (int)index);
    failed = rtnl_addr_set_local(entry, local);
    /* nobody answers on a TUN device: duplicate address detection would only delay its use */
    if (!sw_ip_is_v4(address->ip)) rtnl_addr_set_flags(entry, IFA_F_NODAD);
  }
  if (!failed)
    failed = add ? sw_netlink_note_added(netlink, rtnl_addr_add(socket, entry, 0))
                 : rtnl_addr_delete(socket, entry, 0);
  nl_addr_put(local);
  rtnl_addr_put(entry);
  return failed < 0 ? sw_netlink_code(netlink, failed) : 0;
}

int sw_netlink_address_add(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, struct sw_error *error) {
  const bool v4 = sw_ip_is_v4(address->ip);
  const int code = request_address(netlink, index, address, true);
  if (!code || code == EEXIST) return 0;
  char prefix[SW_PREFIX_TEXT], name[IFNAMSIZ], fix[SW_NETLINK_FIX];
  sw_netlink_name(index, name);
  return sw_error_set(
      error, code, v4 ? sw_netlink_fix(netlink, code) : sw_netlink_fix_v6(netlink, code, name, fix),
      "netlink: cannot add the address %s to %s", sw_prefix_text(address, prefix), name);
}

int sw_netlink_address_remove(struct sw_netlink *netlink, unsigned index,
                              const struct sw_prefix *address, struct sw_error *error) {
  const int code = request_address(netlink, index, address, false);
  if (!code || code == EADDRNOTAVAIL) return 0;
  char prefix[SW_PREFIX_TEXT], name[IFNAMSIZ];
  return sw_error_set(error, code, sw_netlink_fix(netlink, code),
                      "netlink: cannot remove the address %s from %s",
                      sw_prefix_text(address, prefix), sw_netlink_name(index, name));
}

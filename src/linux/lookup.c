#include "linux/lookup.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef RTM_F_FIB_MATCH /* Linux 4.13 */
#define RTM_F_FIB_MATCH 0x2000
#endif

#define V4_OFFSET 12

static const uint8_t v4_mapped[V4_OFFSET] = {[10] = 0xff, [11] = 0xff};

static struct nl_sock *open_socket(void) {
  struct nl_sock *socket = nl_socket_alloc();
  if (socket && nl_connect(socket, NETLINK_ROUTE) == 0) return socket;
  nl_socket_free(socket);
  return NULL;
}

/* Bytes of an address of either family, as the kernel gives them. */
static void take_ip(uint8_t ip[SW_IP_BYTES], const void *bytes, size_t length) {
  memset(ip, 0, SW_IP_BYTES);
  if (length == SW_IP_BYTES) {
    memcpy(ip, bytes, SW_IP_BYTES);
  } else if (length == SW_IP_BYTES - V4_OFFSET) {
    memcpy(ip, v4_mapped, V4_OFFSET);
    memcpy(ip + V4_OFFSET, bytes, length);
  }
}

/* ---- routes ---- */

static int take_route(struct nl_msg *message, void *taker) {
  struct sw_lookup *lookup = taker;
  struct nlmsghdr *header = nlmsg_hdr(message);
  if (header->nlmsg_type != RTM_NEWROUTE) return NL_OK;
  const struct rtmsg *route = nlmsg_data(header);
  const bool v4 = route->rtm_family == AF_INET;
  struct nlattr *attributes[RTA_MAX + 1];
  if (nlmsg_parse(header, sizeof(*route), attributes, RTA_MAX, NULL) < 0) return NL_OK;
  lookup->error = 0;
  lookup->local = route->rtm_type == RTN_LOCAL;
  lookup->prefix.length = (uint8_t)(route->rtm_dst_len + (v4 ? 8 * V4_OFFSET : 0));
  if (v4) memcpy(lookup->prefix.ip, v4_mapped, V4_OFFSET);
  const struct nlattr *destination = attributes[RTA_DST], *gateway = attributes[RTA_GATEWAY];
  if (destination) take_ip(lookup->prefix.ip, nla_data(destination), (size_t)nla_len(destination));
  if (attributes[RTA_OIF]) lookup->index = nla_get_u32(attributes[RTA_OIF]);
  lookup->has_gateway = gateway != NULL;
  if (gateway) take_ip(lookup->gateway, nla_data(gateway), (size_t)nla_len(gateway));
  return NL_OK;
}

static int take_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *taker) {
  (void)from;
  struct sw_lookup *lookup = taker;
  lookup->error = -refusal->error;
  return NL_STOP;
}

static int put_packet(struct nl_msg *message, const struct sw_lookup_packet *packet) {
  const bool v4 = sw_ip_is_v4(packet->ip);
  const int bytes = v4 ? SW_IP_BYTES - V4_OFFSET : SW_IP_BYTES;
  const struct rtmsg request = {.rtm_family = v4 ? AF_INET : AF_INET6,
                                .rtm_dst_len = (unsigned char)(8 * bytes),
                                .rtm_flags = RTM_F_FIB_MATCH};
  int failed = nlmsg_append(message, (void *)&request, sizeof(request), NLMSG_ALIGNTO);
  if (!failed) failed = nla_put(message, RTA_DST, bytes, packet->ip + SW_IP_BYTES - bytes);
  if (!failed) failed = nla_put_u32(message, RTA_UID, geteuid());
  if (!failed && packet->mark) failed = nla_put_u32(message, RTA_MARK, packet->mark);
  if (!failed && packet->to_port) {
    const uint16_t from = htons(packet->from_port), to = htons(packet->to_port);
    failed = nla_put_u8(message, RTA_IP_PROTO, IPPROTO_UDP);
    if (!failed && from) failed = nla_put_u16(message, RTA_SPORT, from);
    if (!failed) failed = nla_put_u16(message, RTA_DPORT, to);
  }
  return failed;
}

struct sw_lookup sw_lookup_route(const struct sw_lookup_packet *packet) {
  struct sw_lookup lookup = {.error = ENOMEM};
  struct nl_sock *socket = open_socket();
  struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, 0);
  if (socket && message && put_packet(message, packet) == 0) {
    nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take_route, &lookup);
    nl_socket_modify_err_cb(socket, NL_CB_CUSTOM, take_refusal, &lookup);
    if (nl_send_auto(socket, message) >= 0) nl_recvmsgs_default(socket);
  }
  nlmsg_free(message);
  nl_socket_free(socket);
  if (!lookup.index || !if_indextoname(lookup.index, lookup.interface)) lookup.interface[0] = '\0';
  return lookup;
}

/* ---- lists ---- */

static void take_interface(struct rtnl_link *link, struct sw_lookup_interface *interface) {
  const char *name = rtnl_link_get_name(link), *kind = rtnl_link_get_type(link);
  const unsigned flags = rtnl_link_get_flags(link);
  *interface = (struct sw_lookup_interface){.index = (unsigned)rtnl_link_get_ifindex(link),
                                            .mtu = rtnl_link_get_mtu(link),
                                            .up = flags & IFF_UP,
                                            .loopback = flags & IFF_LOOPBACK};
  snprintf(interface->name, sizeof(interface->name), "%s", name ? name : "");
  snprintf(interface->kind, sizeof(interface->kind), "%.15s", kind ? kind : "");
}

size_t sw_lookup_interfaces(struct sw_lookup_interface *interfaces, size_t count) {
  struct nl_sock *socket = open_socket();
  struct nl_cache *cache = NULL;
  size_t found = 0;
  if (socket && rtnl_link_alloc_cache(socket, AF_UNSPEC, &cache) == 0)
    for (struct nl_object *each = nl_cache_get_first(cache); each && found < count;
         each = nl_cache_get_next(each))
      take_interface((struct rtnl_link *)each, &interfaces[found++]);
  nl_cache_free(cache);
  nl_socket_free(socket);
  return found;
}

static bool take_address(struct rtnl_addr *entry, struct sw_lookup_address *address) {
  const struct nl_addr *local = rtnl_addr_get_local(entry);
  const int family = rtnl_addr_get_family(entry);
  if (!local || (family != AF_INET && family != AF_INET6)) return false;
  address->index = (unsigned)rtnl_addr_get_ifindex(entry);
  take_ip(address->prefix.ip, nl_addr_get_binary_addr(local), nl_addr_get_len(local));
  address->prefix.length =
      (uint8_t)(rtnl_addr_get_prefixlen(entry) + (family == AF_INET ? 8 * V4_OFFSET : 0));
  return true;
}

size_t sw_lookup_addresses(struct sw_lookup_address *addresses, size_t count) {
  struct nl_sock *socket = open_socket();
  struct nl_cache *cache = NULL;
  size_t found = 0;
  if (socket && rtnl_addr_alloc_cache(socket, &cache) == 0)
    for (struct nl_object *each = nl_cache_get_first(cache); each && found < count;
         each = nl_cache_get_next(each))
      found += take_address((struct rtnl_addr *)each, &addresses[found]);
  nl_cache_free(cache);
  nl_socket_free(socket);
  return found;
}

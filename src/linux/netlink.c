#include "linux/netlink.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/route.h>

#include "linux/changes.h"

#define FIX_TEXT 256
#define REASON_TEXT 96

/* the metric that the kernel gives a route without one */
#define METRIC_V4 0
#define METRIC_V6 1024

struct sw_netlink {
  struct nl_sock *socket;
  int refusal;              /* the kernel's errno for the last request; 0: it had none */
  char reason[REASON_TEXT]; /* the kernel's text for it; empty: it had none */
  unsigned added;
};

/* ---- errors ---- */

/* libnl has fewer error numbers than the kernel.  So the kernel's own comes first, then errno, which
 * `begin` cleared and a system call may have set. */
static int code_of(const struct sw_netlink *netlink, int failed) {
  if (netlink->refusal) return netlink->refusal;
  if (failed == -NLE_NOMEM) return ENOMEM;
  if (failed == -NLE_NODEV) return ENODEV; /* rtnl_link_get_kernel reports only this */
  return errno ? errno : EPROTO;
}

/* Extended acknowledgements follow the request that the kernel returns, which it may omit (Linux
 * Documentation/userspace-api/netlink/intro.rst). */
static int take_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *taker) {
  (void)from;
  struct sw_netlink *netlink = taker;
  netlink->refusal = -refusal->error;
  const struct nlmsghdr *header =
      (const struct nlmsghdr *)(const void *)((const char *)refusal - NLMSG_HDRLEN);
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return NL_STOP;
  const bool capped = header->nlmsg_flags & NLM_F_CAPPED;
  const int skip = (int)sizeof(*refusal) +
                   (capped ? 0 : (int)NLMSG_ALIGN(refusal->msg.nlmsg_len) - NLMSG_HDRLEN);
  const struct nlattr *reason = nlmsg_find_attr((struct nlmsghdr *)header, skip, NLMSGERR_ATTR_MSG);
  if (reason) nla_strlcpy(netlink->reason, reason, sizeof(netlink->reason));
  return NL_STOP;
}

static struct nl_sock *begin(struct sw_netlink *netlink) {
  netlink->refusal = 0;
  netlink->reason[0] = '\0';
  errno = 0;
  return netlink->socket;
}

static const char *name_of(unsigned index, char name[IFNAMSIZ]) {
  if (!if_indextoname(index, name)) snprintf(name, IFNAMSIZ, "#%u", index);
  return name;
}

static const char *fix_of(const struct sw_netlink *netlink, int code) {
  switch (code) {
  case EPERM:
    return "CAP_NET_ADMIN is needed: run as root; in a container: --cap-add NET_ADMIN";
  case ENODEV:
    return "it was deleted: start the link again";
  case ENETDOWN:
    return "the interface was set down: start the link again";
  case ENFILE:
    return "the system has too many files open; raise the limit: sysctl fs.file-max";
  case EMFILE:
    return "this program has too many files open; raise the limit: ulimit -n";
  }
  return netlink->reason[0] ? netlink->reason : NULL;
}

/* The same for requests about IPv6.  A device that this program makes disappears with it, so its
 * sysctls cannot be set by hand; it takes the defaults. */
static const char *fix_of_v6(const struct sw_netlink *netlink, int code, const char *name,
                             char text[FIX_TEXT]) {
  switch (code) {
  case EACCES:
    snprintf(text, FIX_TEXT,
             "IPv6 is disabled: sysctl net/ipv6/conf/%s/disable_ipv6=0, or, before the interface "
             "is made, net/ipv6/conf/default/disable_ipv6=0; or leave IPv6 out",
             name);
    return text;
  case EINVAL:
    if (netlink->reason[0]) break;
    return "IPv6 needs an MTU of 1280 or more";
  case EOPNOTSUPP:
  case EAFNOSUPPORT:
    return "the kernel runs without IPv6: boot without ipv6.disable=1, or leave IPv6 out";
  }
  return fix_of(netlink, code);
}

/* ---- socket ---- */

int sw_netlink_open(struct sw_netlink **netlink, struct sw_error *error) {
  struct sw_netlink *opened = calloc(1, sizeof(*opened));
  if (!opened) return sw_error_set(error, ENOMEM, NULL, "netlink: cannot open a socket");
  opened->socket = nl_socket_alloc();
  const int failed = opened->socket ? nl_connect(begin(opened), NETLINK_ROUTE) : -NLE_NOMEM;
  if (failed < 0) {
    const int code = code_of(opened, failed);
    sw_error_set(error, code, fix_of(opened, code), "netlink: cannot open a socket");
    sw_netlink_close(opened);
    return -code;
  }
  const int on = 1;
  setsockopt(nl_socket_get_fd(opened->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  nl_socket_modify_err_cb(opened->socket, NL_CB_CUSTOM, take_refusal, opened);
  *netlink = opened;
  return 0;
}

void sw_netlink_close(struct sw_netlink *netlink) {
  if (!netlink) return;
  nl_socket_free(netlink->socket);
  free(netlink);
}

unsigned sw_netlink_added(const struct sw_netlink *netlink) {
  return netlink->added;
}

/* Notes an entry that was added, if the result is good.  Returns the result. */
static int note_added(struct sw_netlink *netlink, int result) {
  if (result >= 0) netlink->added++;
  return result;
}

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
  const int failed = rtnl_link_change(begin(netlink), change, change, 0);
  rtnl_link_put(change);
  if (failed >= 0) return 0;
  const int code = code_of(netlink, failed);
  return sw_error_set(error, code,
                      code == EINVAL ? "an MTU is 68 to 65535 bytes, with IPv6 1280 or more"
                                     : fix_of(netlink, code),
                      "netlink: cannot set %s up with MTU %u", name_of(index, name), mtu);
}

/* Returns 0 or an errno.  When memory is short libnl succeeds without a link. */
static int get_link(struct sw_netlink *netlink, unsigned index, struct rtnl_link **link) {
  *link = NULL;
  const int failed = rtnl_link_get_kernel(begin(netlink), (int)index, NULL, link);
  if (failed < 0) return code_of(netlink, failed);
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
    failed = rtnl_link_change(begin(netlink), change, change, 0);
    rtnl_link_put(change);
  }
  if (failed >= 0) return 0;
  const int code = code_of(netlink, failed);
  return sw_error_set(error, code, fix_of(netlink, code), "netlink: cannot set the MTU of %s to %u",
                      name_of(index, name), mtu);
}

int sw_netlink_link_mtu(struct sw_netlink *netlink, unsigned index, unsigned *mtu,
                        struct sw_error *error) {
  char name[IFNAMSIZ];
  struct rtnl_link *link;
  const int code = get_link(netlink, index, &link);
  if (code)
    return sw_error_set(error, code, fix_of(netlink, code), "netlink: cannot read the MTU of %s",
                        name_of(index, name));
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
  struct nl_sock *socket = begin(netlink);
  int failed = nlmsg_append(message, (void *)&link, sizeof(link), NLMSG_ALIGNTO);
  if (!failed) failed = nla_put_u32(message, IFLA_GSO_MAX_SEGS, segments);
  if (failed)
    nlmsg_free(message);
  else
    failed = nl_send_sync(socket, message); /* frees it */
  return failed < 0 ? -code_of(netlink, failed) : 0;
}

/* ---- addresses ---- */

/* The prefix in libnl's form; IPv4 in its own family. */
static struct nl_addr *address_of(const struct sw_prefix *prefix) {
  const bool v4 = sw_ip_is_v4(prefix->ip);
  assert(prefix->length <= 128 && (!v4 || prefix->length >= 96));
  struct nl_addr *address = v4 ? nl_addr_build(AF_INET, prefix->ip + 12, 4)
                               : nl_addr_build(AF_INET6, prefix->ip, SW_IP_BYTES);
  if (address) nl_addr_set_prefixlen(address, v4 ? prefix->length - 96 : prefix->length);
  return address;
}

static int request_address(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, bool add) {
  struct nl_sock *socket = begin(netlink);
  struct rtnl_addr *entry = rtnl_addr_alloc();
  struct nl_addr *local = address_of(address);
  int failed = entry && local ? 0 : -NLE_NOMEM;
  if (!failed) {
    rtnl_addr_set_ifindex(entry, (int)index);
    failed = rtnl_addr_set_local(entry, local);
    /* nobody answers on a TUN device: duplicate address detection would only delay its use */
    if (!sw_ip_is_v4(address->ip)) rtnl_addr_set_flags(entry, IFA_F_NODAD);
  }
  if (!failed)
    failed = add ? note_added(netlink, rtnl_addr_add(socket, entry, 0))
                 : rtnl_addr_delete(socket, entry, 0);
  nl_addr_put(local);
  rtnl_addr_put(entry);
  return failed < 0 ? code_of(netlink, failed) : 0;
}

int sw_netlink_address_add(struct sw_netlink *netlink, unsigned index,
                           const struct sw_prefix *address, struct sw_error *error) {
  const bool v4 = sw_ip_is_v4(address->ip);
  const int code = request_address(netlink, index, address, true);
  if (!code || code == EEXIST) return 0;
  char prefix[SW_PREFIX_TEXT], name[IFNAMSIZ], fix[FIX_TEXT];
  name_of(index, name);
  return sw_error_set(error, code, v4 ? fix_of(netlink, code) : fix_of_v6(netlink, code, name, fix),
                      "netlink: cannot add the address %s to %s", sw_prefix_text(address, prefix),
                      name);
}

int sw_netlink_address_remove(struct sw_netlink *netlink, unsigned index,
                              const struct sw_prefix *address, struct sw_error *error) {
  const int code = request_address(netlink, index, address, false);
  if (!code || code == EADDRNOTAVAIL) return 0;
  char prefix[SW_PREFIX_TEXT], name[IFNAMSIZ];
  return sw_error_set(error, code, fix_of(netlink, code),
                      "netlink: cannot remove the address %s from %s",
                      sw_prefix_text(address, prefix), name_of(index, name));
}

/* ---- routes ---- */

/* A route as the kernel tells routes apart, and the search for it. */
struct route_search {
  const struct sw_prefix *prefix;
  uint32_t table;
  uint32_t metric;
  unsigned index; /* of the route's interface; 0: not found, none, or several */
};

/* Stores the interface of the route that makes the kernel refuse another one to the same prefix. */
static int compare_route(struct nl_msg *message, void *taker) {
  struct route_search *search = taker;
  struct sw_change present;
  sw_change_read(nlmsg_hdr(message), &present);
  if (present.kind != SW_CHANGE_ROUTE_PRESENT || present.tos || present.table != search->table ||
      present.metric != search->metric || present.prefix.length != search->prefix->length ||
      !sw_prefix_contains(search->prefix, present.prefix.ip))
    return NL_SKIP;
  search->index = present.index;
  return NL_OK;
}

/* Searches the kernel's tables for the route.  Called only after the kernel has refused one. */
static void find_route(struct sw_netlink *netlink, struct route_search *search) {
  struct rtmsg request = {.rtm_family = sw_ip_is_v4(search->prefix->ip) ? AF_INET : AF_INET6};
  struct nl_cb *callback = nl_cb_alloc(NL_CB_DEFAULT);
  if (!callback) return;
  nl_cb_set(callback, NL_CB_VALID, NL_CB_CUSTOM, compare_route, search);
  if (nl_send_simple(netlink->socket, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request)) >= 0)
    nl_recvmsgs(netlink->socket, callback);
  nl_cb_put(callback);
}

static int request_route(struct sw_netlink *netlink, unsigned index,
                         const struct route_search *wanted, bool add) {
  const bool v4 = sw_ip_is_v4(wanted->prefix->ip);
  struct nl_sock *socket = begin(netlink);
  struct rtnl_route *route = rtnl_route_alloc();
  struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
  struct nl_addr *destination = address_of(wanted->prefix);
  int failed = -NLE_NOMEM;
  if (route && hop && destination) {
    rtnl_route_set_family(route, v4 ? AF_INET : AF_INET6);
    rtnl_route_set_table(route, wanted->table);
    rtnl_route_set_priority(route, wanted->metric);
    rtnl_route_set_scope(route, v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    rtnl_route_set_protocol(route, RTPROT_STATIC);
    rtnl_route_nh_set_ifindex(hop, (int)index);
    rtnl_route_add_nexthop(route, hop);
    hop = NULL; /* the route owns it */
    failed = rtnl_route_set_dst(route, destination);
    if (!failed)
      failed = add ? note_added(netlink, rtnl_route_add(socket, route, NLM_F_EXCL))
                   : rtnl_route_delete(socket, route, 0);
  }
  if (hop) rtnl_route_nh_free(hop);
  nl_addr_put(destination);
  rtnl_route_put(route);
  return failed < 0 ? code_of(netlink, failed) : 0;
}

static struct route_search search_for(const struct sw_route *route) {
  const uint32_t none = sw_ip_is_v4(route->prefix.ip) ? METRIC_V4 : METRIC_V6;
  return (struct route_search){.prefix = &route->prefix,
                               .table = route->table ? route->table : RT_TABLE_MAIN,
                               .metric = route->metric ? route->metric : none};
}

int sw_netlink_route_add(struct sw_netlink *netlink, unsigned index, const struct sw_route *route,
                         struct sw_error *error) {
  const bool v4 = sw_ip_is_v4(route->prefix.ip);
  struct route_search search = search_for(route);
  const int code = request_route(netlink, index, &search, true);
  if (!code) return 0;
  if (code == EEXIST) find_route(netlink, &search);
  if (code == EEXIST && search.index == index) return 0;
  char text[SW_PREFIX_TEXT], name[IFNAMSIZ], other[IFNAMSIZ], fix[FIX_TEXT];
  name_of(index, name);
  sw_prefix_text(&route->prefix, text);
  if (code == EEXIST)
    snprintf(fix, sizeof(fix),
             "there is one%s%s: ip -%c route show table %u %s; delete it, or make the routes "
             "yourself and write Table = off",
             search.index ? " over " : "", search.index ? name_of(search.index, other) : "",
             v4 ? '4' : '6', search.table, text);
  const char *known = v4 ? fix_of(netlink, code) : fix_of_v6(netlink, code, name, fix);
  return sw_error_set(error, code, code == EEXIST ? fix : known,
                      "netlink: cannot add the route to %s over %s", text, name);
}

int sw_netlink_route_add_again(struct sw_netlink *netlink, unsigned index,
                               const struct sw_route *route, struct sw_error *error) {
  const struct route_search search = search_for(route);
  const int code = request_route(netlink, index, &search, true);
  return !code || code == EEXIST ? 0 : sw_netlink_route_add(netlink, index, route, error);
}

int sw_netlink_route_remove(struct sw_netlink *netlink, unsigned index,
                            const struct sw_route *route, struct sw_error *error) {
  const struct route_search search = search_for(route);
  const int code = request_route(netlink, index, &search, false);
  if (!code || code == ESRCH) return 0;
  char text[SW_PREFIX_TEXT], name[IFNAMSIZ];
  return sw_error_set(error, code, fix_of(netlink, code),
                      "netlink: cannot remove the route to %s over %s",
                      sw_prefix_text(&route->prefix, text), name_of(index, name));
}

struct table_search {
  unsigned index;
  uint32_t first;
  uint64_t used;
};

static int note_table(struct nl_msg *message, void *taker) {
  struct table_search *search = taker;
  struct sw_change present;
  sw_change_read(nlmsg_hdr(message), &present);
  const uint32_t offset = present.table - search->first;
  if (present.kind != SW_CHANGE_ROUTE_PRESENT || present.index == search->index || offset >= 64)
    return NL_SKIP;
  search->used |= UINT64_C(1) << offset;
  return NL_OK;
}

int sw_netlink_tables_used(struct sw_netlink *netlink, unsigned index, uint32_t first,
                           uint64_t *used, struct sw_error *error) {
  struct rtmsg request = {.rtm_family = AF_UNSPEC};
  struct table_search search = {.index = index, .first = first};
  struct nl_sock *socket = begin(netlink);
  struct nl_cb *callback = nl_cb_alloc(NL_CB_DEFAULT);
  int failed = callback ? 0 : -NLE_NOMEM;
  if (callback) {
    nl_cb_set(callback, NL_CB_VALID, NL_CB_CUSTOM, note_table, &search);
    failed = nl_send_simple(socket, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request));
    if (failed >= 0) failed = nl_recvmsgs(socket, callback);
    nl_cb_put(callback);
  }
  *used = search.used;
  if (failed >= 0) return 0;
  const int code = code_of(netlink, failed);
  return sw_error_set(error, code, fix_of(netlink, code), "netlink: cannot read the routes");
}

/* ---- rules ---- */

/* Returns 0 or an errno. */
static int request_rule(struct sw_netlink *netlink, const struct sw_rule *rule, int type,
                        int flags) {
  const struct fib_rule_hdr header = {.family = rule->v6 ? AF_INET6 : AF_INET,
                                      .action = FR_ACT_TO_TBL,
                                      .flags = rule->invert ? FIB_RULE_INVERT : 0};
  struct nl_sock *socket = begin(netlink);
  struct nl_msg *message = nlmsg_alloc_simple(type, flags);
  if (!message) return ENOMEM;
  int failed = nlmsg_append(message, (void *)&header, sizeof(header), NLMSG_ALIGNTO);
  if (!failed) failed = nla_put_u32(message, FRA_PRIORITY, rule->priority);
  if (!failed) failed = nla_put_u32(message, FRA_TABLE, rule->table);
  if (!failed && rule->mark) failed = nla_put_u32(message, FRA_FWMARK, rule->mark);
  if (!failed && rule->no_default) failed = nla_put_u32(message, FRA_SUPPRESS_PREFIXLEN, 0);
  if (!failed && rule->local) failed = nla_put_string(message, FRA_IIFNAME, "lo");
  if (!failed && rule->user) {
    const struct fib_rule_uid_range users = {rule->user, rule->user};
    failed = nla_put(message, FRA_UID_RANGE, sizeof(users), &users);
  }
  if (!failed && rule->udp_port) {
    const struct fib_rule_port_range ports = {rule->udp_port, rule->udp_port};
    failed = nla_put_u8(message, FRA_IP_PROTO, IPPROTO_UDP);
    if (!failed) failed = nla_put(message, FRA_SPORT_RANGE, sizeof(ports), &ports);
  }
  if (failed)
    nlmsg_free(message);
  else
    failed = nl_send_sync(socket, message); /* frees it */
  return failed < 0 ? code_of(netlink, failed) : 0;
}

static int rule_error(struct sw_netlink *netlink, const struct sw_rule *rule, const char *verb,
                      int code, struct sw_error *error) {
  return sw_error_set(error, code,
                      code == EOPNOTSUPP || code == EAFNOSUPPORT
                          ? "the kernel needs CONFIG_IP_MULTIPLE_TABLES, and for IPv6 "
                            "CONFIG_IPV6_MULTIPLE_TABLES; or write Table = off"
                          : fix_of(netlink, code),
                      "netlink: cannot %s the IPv%c rule %u for table %u", verb,
                      rule->v6 ? '6' : '4', rule->priority, rule->table);
}

int sw_netlink_rule_add(struct sw_netlink *netlink, const struct sw_rule *rule,
                        struct sw_error *error) {
  const int code = request_rule(netlink, rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
  note_added(netlink, -code);
  return code && code != EEXIST ? rule_error(netlink, rule, "add", code, error) : 0;
}

int sw_netlink_rule_remove(struct sw_netlink *netlink, const struct sw_rule *rule,
                           struct sw_error *error) {
  const int code = request_rule(netlink, rule, RTM_DELRULE, 0);
  return code && code != ENOENT ? rule_error(netlink, rule, "remove", code, error) : 0;
}

/* ---- lookup ---- */

static int take_interface(struct nl_msg *message, void *taker) {
  const struct nlattr *interface =
      nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct rtmsg), RTA_OIF);
  if (nlmsg_hdr(message)->nlmsg_type == RTM_NEWROUTE && interface)
    *(unsigned *)taker = nla_get_u32(interface);
  return NL_OK;
}

/* Rules may choose by user (ip rule add uidrange).  A socket belongs to the effective one. */
unsigned sw_netlink_route_interface(struct sw_netlink *netlink, const uint8_t ip[SW_IP_BYTES]) {
  const bool v4 = sw_ip_is_v4(ip);
  const int bytes = v4 ? 4 : SW_IP_BYTES;
  const struct rtmsg request = {.rtm_family = v4 ? AF_INET : AF_INET6,
                                .rtm_dst_len = (unsigned char)(8 * bytes)};
  unsigned index = 0;
  struct nl_msg *message = nlmsg_alloc_simple(RTM_GETROUTE, 0);
  if (!message) return 0;
  struct nl_sock *socket = begin(netlink);
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take_interface, &index);
  const bool complete =
      nlmsg_append(message, (void *)&request, sizeof(request), NLMSG_ALIGNTO) == 0 &&
      nla_put(message, RTA_DST, bytes, v4 ? ip + 12 : ip) == 0 &&
      nla_put_u32(message, RTA_UID, geteuid()) == 0;
  /* the answer comes before the acknowledgement; a refusal comes instead of both */
  if (complete && nl_send_auto(socket, message) >= 0 && nl_recvmsgs_default(socket) >= 0)
    nl_wait_for_ack(socket);
  nlmsg_free(message);
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
  return index;
}

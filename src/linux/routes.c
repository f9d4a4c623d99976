#include "linux/routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/route.h>

#include "linux/changes.h"
#include "linux/netlink_parts.h"

/* the metric that the kernel gives a route without one */
#define METRIC_V4 0
#define METRIC_V6 1024

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
  struct nl_sock *socket = sw_netlink_begin(netlink);
  struct rtnl_route *route = rtnl_route_alloc();
  struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
  struct nl_addr *destination = sw_netlink_address(wanted->prefix);
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
      failed = add ? sw_netlink_note_added(netlink, rtnl_route_add(socket, route, NLM_F_EXCL))
                   : rtnl_route_delete(socket, route, 0);
  }
  if (hop) rtnl_route_nh_free(hop);
  nl_addr_put(destination);
  rtnl_route_put(route);
  return failed < 0 ? sw_netlink_code(netlink, failed) : 0;
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
  char text[SW_PREFIX_TEXT], name[IFNAMSIZ], other[IFNAMSIZ], fix[SW_NETLINK_FIX];
  sw_netlink_name(index, name);
  sw_prefix_text(&route->prefix, text);
  if (code == EEXIST)
    snprintf(fix, sizeof(fix),
             "there is one%s%s: ip -%c route show table %u %s; delete it, or make the routes "
             "yourself and write Table = off",
             search.index ? " over " : "", search.index ? sw_netlink_name(search.index, other) : "",
             v4 ? '4' : '6', search.table, text);
  const char *known =
      v4 ? sw_netlink_fix(netlink, code) : sw_netlink_fix_v6(netlink, code, name, fix);
  return sw_error_set(error, code, code == EEXIST ? fix : known,
                      "netlink: cannot add the route to %s over %s", text, name);
}

int sw_netlink_route_add_again(struct sw_netlink *netlink, unsigned index,
                               const struct sw_route *route, struct sw_error *error) {
  const struct route_search search = search_for(route);
  const int code = request_route(netlink, index, &search, true);
  return !code || code == EEXIST ? 0 : sw_netlink_route_add(netlink, index, route, error);
}

static int compare_prefixes(const void *a, const void *b) {
  return memcmp(&((const struct sw_route *)a)->prefix, &((const struct sw_route *)b)->prefix,
                sizeof(struct sw_prefix));
}

/* Those that are looked for, sorted, and which of them were found. */
struct presence {
  struct sw_route *routes;
  size_t count;
  unsigned index;
  bool *present;
};

static int note_present(struct nl_msg *message, void *taker) {
  const struct presence *presence = taker;
  struct sw_change found;
  sw_change_read(nlmsg_hdr(message), &found);
  if (found.kind != SW_CHANGE_ROUTE_PRESENT || found.tos || found.index != presence->index)
    return NL_SKIP;
  const struct sw_route key = {.prefix = found.prefix};
  const struct sw_route *route =
      bsearch(&key, presence->routes, presence->count, sizeof(key), compare_prefixes);
  if (!route) return NL_SKIP;
  const struct route_search search = search_for(route);
  if (search.table == found.table && search.metric == found.metric)
    presence->present[route - presence->routes] = true;
  return NL_OK;
}

/* If memory is short nothing is noted, and routes are added that are there: that is no fault. */
static void look_for(struct sw_netlink *netlink, struct presence *presence) {
  struct rtmsg request = {.rtm_family = AF_UNSPEC};
  struct nl_sock *socket = sw_netlink_begin(netlink);
  struct nl_cb *callback = nl_cb_alloc(NL_CB_DEFAULT);
  if (!callback) return;
  nl_cb_set(callback, NL_CB_VALID, NL_CB_CUSTOM, note_present, presence);
  if (nl_send_simple(socket, RTM_GETROUTE, NLM_F_DUMP, &request, sizeof(request)) >= 0)
    nl_recvmsgs(socket, callback);
  nl_cb_put(callback);
}

int sw_netlink_routes_restore(struct sw_netlink *netlink, unsigned index, struct sw_route *routes,
                              size_t count, struct sw_error *error) {
  struct presence presence = {routes, count, index, calloc(count + 1, sizeof(bool))};
  struct sw_error other;
  int failed = 0;
  if (!presence.present)
    return sw_error_set(error, ENOMEM, NULL, "netlink: cannot read the routes");
  qsort(routes, count, sizeof(*routes), compare_prefixes);
  look_for(netlink, &presence);
  for (size_t i = 0; i < count; i++) {
    if (presence.present[i]) continue;
    if (failed) /* one is told; what is in the way of others is not looked for */
      sw_netlink_route_add_again(netlink, index, &routes[i], &other);
    else
      failed = sw_netlink_route_add(netlink, index, &routes[i], error);
  }
  free(presence.present);
  return failed;
}

int sw_netlink_route_remove(struct sw_netlink *netlink, unsigned index,
                            const struct sw_route *route, struct sw_error *error) {
  const struct route_search search = search_for(route);
  const int code = request_route(netlink, index, &search, false);
  if (!code || code == ESRCH) return 0;
  char text[SW_PREFIX_TEXT], name[IFNAMSIZ];
  return sw_error_set(error, code, sw_netlink_fix(netlink, code),
                      "netlink: cannot remove the route to %s over %s",
                      sw_prefix_text(&route->prefix, text), sw_netlink_name(index, name));
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
  struct nl_sock *socket = sw_netlink_begin(netlink);
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
  const int code = sw_netlink_code(netlink, failed);
  return sw_error_set(error, code, sw_netlink_fix(netlink, code),
                      "netlink: cannot read the routes");
}

/* ---- rules ---- */

/* Returns 0 or an errno. */
static int request_rule(struct sw_netlink *netlink, const struct sw_rule *rule, int type,
                        int flags) {
  const struct fib_rule_hdr header = {.family = rule->v6 ? AF_INET6 : AF_INET,
                                      .action = FR_ACT_TO_TBL,
                                      .flags = rule->invert ? FIB_RULE_INVERT : 0};
  struct nl_sock *socket = sw_netlink_begin(netlink);
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
  return failed < 0 ? sw_netlink_code(netlink, failed) : 0;
}

static int rule_error(struct sw_netlink *netlink, const struct sw_rule *rule, const char *verb,
                      int code, struct sw_error *error) {
  return sw_error_set(error, code,
                      code == EOPNOTSUPP || code == EAFNOSUPPORT
                          ? "the kernel needs CONFIG_IP_MULTIPLE_TABLES, and for IPv6 "
                            "CONFIG_IPV6_MULTIPLE_TABLES; or write Table = off"
                          : sw_netlink_fix(netlink, code),
                      "netlink: cannot %s the IPv%c rule %u for table %u", verb,
                      rule->v6 ? '6' : '4', rule->priority, rule->table);
}

int sw_netlink_rule_add(struct sw_netlink *netlink, const struct sw_rule *rule,
                        struct sw_error *error) {
  const int code = request_rule(netlink, rule, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
  sw_netlink_note_added(netlink, -code);
  return code && code != EEXIST ? rule_error(netlink, rule, "add", code, error) : 0;
}

int sw_netlink_rule_remove(struct sw_netlink *netlink, const struct sw_rule *rule,
                           struct sw_error *error) {
  const int code = request_rule(netlink, rule, RTM_DELRULE, 0);
  return code && code != ENOENT ? rule_error(netlink, rule, "remove", code, error) : 0;
}

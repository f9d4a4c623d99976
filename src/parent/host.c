#include "parent/host_parts.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "channel/setup.h"
#include "linux/netns.h"
#include "linux/sysctl.h"

/* A router advertisement comes from a link-local address, which the peer may use.  It would give the
 * host an address and a default route, whatever AllowedIPs says.  Before the interface is up: the
 * kernel then does not solicit one either. */
static void refuse_router_advertisements(const char *interface) {
  char name[sizeof("net/ipv6/conf//accept_ra") + IFNAMSIZ];
  snprintf(name, sizeof(name), "net/ipv6/conf/%s/accept_ra", interface);
  const int failed = sw_sysctl_set(name, 0);
  if (failed && failed != -ENOENT && failed != -EACCES) /* no IPv6, or not ours to configure */
    sw_log(
        SW_LOG_WARNING,
        "cannot set %s to 0: %s; the peer's router advertisements could give this host a default "
        "route",
        name, strerror(-failed));
}

/* ---- the interface's namespace ---- */

int sw_host_within(struct sw_host *host, sw_host_function *function, struct sw_error *error) {
  if (host->netns < 0) return function(host, error);
  const int before = sw_netns_enter(host->netns, error);
  if (before < 0) return before;
  const int result = function(host, error);
  sw_netns_leave(before);
  return result;
}

/* ---- addresses and routes ---- */

struct sw_route sw_host_route_to(const struct sw_host *host, const struct sw_prefix *range) {
  const struct sw_config *config = host->config;
  const bool apart = sw_config_is_all(range) && host->defaults.table;
  const uint32_t best = sw_ip_is_v4(range->ip) ? SW_HOST_METRIC_V4 : SW_HOST_METRIC_V6;
  return (struct sw_route){.prefix = *range,
                           .table = apart ? host->defaults.table : config->table,
                           .metric = config->metric ? config->metric : best};
}

static int add_routes(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  int failed = 0;
  for (size_t i = 0; i < config->allowed_ip_count && !failed; i++) {
    const struct sw_route route = sw_host_route_to(host, &config->allowed_ips[i]);
    failed = sw_netlink_route_add(host->netlink, host->tun.index, &route, error);
  }
  return failed;
}

int sw_host_add_addresses(const struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  int failed = 0;
  for (size_t i = 0; i < config->address_count && !failed; i++)
    failed = sw_netlink_address_add(host->netlink, host->tun.index, &config->addresses[i], error);
  return failed;
}

/* ---- start and end ---- */

/* A super-packet that does not fit one send would be sent as a large one and a small one. */
static void cap_super_packets(const struct sw_host *host) {
  const unsigned fit = SW_UDP_RUN / (host->mtu + SW_OVERHEAD);
  const unsigned most = fit < SW_UDP_SEGMENTS ? fit : SW_UDP_SEGMENTS;
  sw_netlink_gso_segments(host->netlink, host->tun.index, most > 1 ? most : 1);
}

int sw_host_set_mtu(const struct sw_host *host, struct sw_error *error) {
  const int failed =
      sw_netlink_link_up(host->netlink, host->tun.index, host->mtu, SW_HOST_QUEUE, error);
  if (!failed) cap_super_packets(host);
  return failed;
}

static int configure(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  host->mtu = config->mtu ? config->mtu : SW_MTU_LEAST;
  refuse_router_advertisements(host->tun.name);
  const int failed = sw_host_set_mtu(host, error);
  if (failed == -EPERM && host->tun.persistent) {
    sw_log(SW_LOG_INFO, "without CAP_NET_ADMIN: using the interface %s as it is configured",
           host->tun.name);
    host->as_it_is = true;
    return sw_netlink_link_mtu(host->netlink, host->tun.index, &host->mtu, error);
  }
  return failed ? failed : sw_host_add_addresses(host, error);
}

static int open_interface(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  int failed = sw_tun_open(&host->tun, config->name, config->offload, error);
  if (!failed && config->offload && !host->tun.offload)
    sw_log(
        SW_LOG_WARNING,
        "the kernel's TUN device has no offloads: packets come one by one, and the link is slower");
  if (!failed) failed = sw_netlink_open(&host->netlink, error);
  if (!failed)
    failed = sw_default_routes_plan(&host->defaults, config, host->netlink, host->tun.index, error);
  return failed ? failed : configure(host, error);
}

int sw_host_open(struct sw_host *host, const struct sw_config *config, struct sw_error *error) {
  *host = SW_HOST_CLOSED;
  host->config = config;
  if (config->netns[0]) host->netns = sw_netns_open(config->netns, error);
  int failed = config->netns[0] && host->netns < 0 ? host->netns
                                                   : sw_host_within(host, open_interface, error);
  if (host->as_it_is) host->defaults = (struct sw_default_routes){0};
  host->mark = host->defaults.mark ? host->defaults.mark : config->fwmark;
  if (!failed)
    failed = sw_udp_open(&host->udp, config->listen_port, host->mark, config->offload, error);
  host->defaults.port = host->udp.port;
  if (failed) sw_host_close(host);
  return failed;
}

unsigned sw_host_link_mtu(const struct sw_host *host, const struct sw_config *config) {
  if (config->mtu) return config->mtu;
  return host->as_it_is ? host->mtu : 0;
}

static int follow(struct sw_host *host, struct sw_error *error) {
  const int failed = sw_netlink_mtu_set(host->netlink, host->tun.index, host->mtu, error);
  if (!failed) cap_super_packets(host);
  return failed;
}

void sw_host_follow_path(struct sw_host *host, unsigned mtu) {
  struct sw_error error;
  if (sw_host_link_mtu(host, host->config) || mtu < SW_MTU_LEAST) return;
  const unsigned before = host->mtu;
  if (mtu == before) return;
  host->mtu = mtu;
  if (sw_host_within(host, follow, &error) == 0) {
    host->mtu_refused = 0;
    return;
  }
  host->mtu = before; /* it is tried again */
  if (mtu != host->mtu_refused) sw_log(SW_LOG_WARNING, "%s", error.text);
  host->mtu_refused = mtu;
}

/* The rules of default routes name the port. */
int sw_host_rebind(struct sw_host *host, struct sw_error *error) {
  const struct sw_default_routes before = host->defaults;
  const int failed = sw_udp_rebind(&host->udp);
  if (failed) return sw_error_set(error, -failed, NULL, "udp: cannot bind to another port");
  host->defaults.port = host->udp.port;
  return host->routed ? sw_default_routes_change(&before, &host->defaults, host->config->name,
                                                 host->netlink, error)
                      : 0;
}

/* Rules of the administrator's own may lead the way back to the peer into the link. */
static void warn_of_rp_filter(const struct sw_config *config) {
  int value;
  if (!config->fwmark || config->table_kind != SW_CONFIG_TABLE_NUMBER) return;
  if (sw_sysctl_get("net/ipv4/conf/all/rp_filter", &value) != 0 || value != 1) return;
  sw_log(
      SW_LOG_WARNING,
      "net.ipv4.conf.all.rp_filter is 1: if rules lead unmarked packets to the peer's address into "
      "table %u, the kernel drops what the peer sends; set it to 2",
      config->table);
}

int sw_host_route(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  warn_of_rp_filter(config);
  if (host->as_it_is || config->table_kind == SW_CONFIG_TABLE_OFF) return 0;
  const int failed = sw_host_within(host, add_routes, error);
  host->routed = !failed;
  return failed ? failed
                : sw_default_routes_add(&host->defaults, config->name, host->netlink, error);
}

void sw_host_close(struct sw_host *host) {
  if (host->routed) sw_default_routes_remove(&host->defaults, host->tun.name, host->netlink);
  sw_netlink_close(host->netlink);
  sw_udp_close(&host->udp);
  sw_tun_close(&host->tun);
  if (host->netns >= 0) close(host->netns);
  *host = SW_HOST_CLOSED;
}

/* ---- while it is open ---- */

bool sw_host_is_down(const struct sw_host *host) {
  return sw_netlink_link_is_down(host->netlink, host->tun.index);
}

static bool has_address(const struct sw_config *config, const struct sw_prefix *address) {
  for (size_t i = 0; i < config->address_count; i++)
    if (memcmp(config->addresses[i].ip, address->ip, SW_IP_BYTES) == 0) return true;
  return false;
}

static bool has_route(const struct sw_host *host, const struct sw_change *change) {
  const struct sw_config *config = host->config;
  for (size_t i = 0; i < config->allowed_ip_count; i++) {
    if (memcmp(&config->allowed_ips[i], &change->prefix, sizeof(change->prefix)) != 0) continue;
    const uint32_t table = sw_host_route_to(host, &change->prefix).table;
    return change->table == (table ? table : RT_TABLE_MAIN);
  }
  return false;
}

bool sw_host_concerns(const struct sw_host *host, const struct sw_change *change) {
  switch (change->kind) {
  case SW_CHANGE_LINK:
    return change->index == host->tun.index;
  case SW_CHANGE_ADDRESS:
    return change->index == host->tun.index && has_address(host->config, &change->prefix);
  case SW_CHANGE_ROUTE: /* over any interface: it took the place of ours, or was in its way */
    return host->routed && has_route(host, change);
  case SW_CHANGE_RULE:
    return host->routed && sw_default_routes_has(&host->defaults, change->priority);
  default:
    return false;
  }
}

static int open_changes(struct sw_host *host, struct sw_error *error) {
  (void)host;
  return sw_changes_open(error);
}

int sw_host_changes_open(struct sw_host *host, struct sw_error *error) {
  return sw_host_within(host, open_changes, error);
}

static int restore_routes(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *config = host->config;
  struct sw_route *routes = calloc(config->allowed_ip_count + 1, sizeof(*routes));
  if (!routes) return sw_error_set(error, ENOMEM, NULL, "netlink: cannot make routes again");
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    routes[i] = sw_host_route_to(host, &config->allowed_ips[i]);
  const int failed = sw_netlink_routes_restore(host->netlink, host->tun.index, routes,
                                               config->allowed_ip_count, error);
  free(routes);
  return failed;
}

/* A part that cannot be restored keeps no other from it.  The first error is told. */
static int restore(struct sw_host *host, struct sw_error *error) {
  struct sw_host_made *made = &host->made;
  const unsigned before = sw_netlink_added(host->netlink);
  struct sw_error errors[3];
  int failed[3] = {sw_host_add_addresses(host, &errors[0])};
  made->addresses = sw_netlink_added(host->netlink) - before;
  if (host->routed) {
    failed[1] = restore_routes(host, &errors[1]);
    made->routes = sw_netlink_added(host->netlink) - before - made->addresses;
    failed[2] = sw_default_routes_restore(&host->defaults, host->netlink, &errors[2]);
    made->rules = sw_netlink_added(host->netlink) - before - made->addresses - made->routes;
  }
  for (unsigned i = 0; i < sizeof(failed) / sizeof(failed[0]); i++)
    if (failed[i]) {
      *error = errors[i];
      return failed[i];
    }
  return 0;
}

int sw_host_restore(struct sw_host *host, struct sw_error *error) {
  host->made = (struct sw_host_made){0};
  return host->as_it_is ? 0 : sw_host_within(host, restore, error);
}

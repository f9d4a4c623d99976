#include <errno.h>
#include <string.h>

#include "channel/channel.h"
#include "parent/host_parts.h"

/* The mark and the table of the default routes that a configuration asks for. */
static int plan(struct sw_host *host, const struct sw_default_routes *before,
                struct sw_error *error) {
  const int failed =
      sw_default_routes_plan(&host->defaults, host->config, host->netlink, host->tun.index, error);
  if (failed) return failed;
  if (host->defaults.table && before->table) /* it may have chosen another free one */
    host->defaults.table = before->table;
  host->mark = host->defaults.mark ? host->defaults.mark : host->config->fwmark;
  host->defaults.port = host->udp.port;
  return 0;
}

static bool is_route_of(const struct sw_host *host, const struct sw_route *route) {
  const struct sw_config *config = host->config;
  for (size_t i = 0; i < config->allowed_ip_count && host->routed; i++) {
    if (memcmp(&config->allowed_ips[i], &route->prefix, sizeof(route->prefix)) != 0) continue;
    const struct sw_route own = sw_host_route_to(host, &route->prefix);
    return own.table == route->table && own.metric == route->metric;
  }
  return false;
}

/* Returns the place in the list, or the list's length. */
static size_t place_of(const struct sw_config *config, const struct sw_prefix *address) {
  size_t i = 0;
  while (i < config->address_count && memcmp(&config->addresses[i], address, sizeof(*address)) != 0)
    i++;
  return i;
}

/* Of IPv4, from which the kernel sends with the first.  It has those that stay, then those that were
 * added.  Stores which of these have to be made anew to be in the order of the configuration; returns how
 * many. */
static size_t out_of_order(const struct sw_config *before, const struct sw_config *config,
                           struct sw_prefix again[SW_CONFIG_ADDRESSES_MAX]) {
  size_t count = 0, place = 0;
  for (size_t i = 0; i < before->address_count; i++)
    if (sw_ip_is_v4(before->addresses[i].ip) &&
        place_of(config, &before->addresses[i]) < config->address_count)
      again[count++] = before->addresses[i];
  for (size_t i = 0; i < config->address_count; i++)
    if (sw_ip_is_v4(config->addresses[i].ip) &&
        place_of(before, &config->addresses[i]) == before->address_count)
      again[count++] = config->addresses[i];
  for (size_t i = 0; i < config->address_count; i++) {
    if (!sw_ip_is_v4(config->addresses[i].ip)) continue;
    if (memcmp(&again[place], &config->addresses[i], sizeof(again[0])) != 0) break;
    place++;
  }
  memmove(again, again + place, (count - place) * sizeof(again[0]));
  return count - place;
}

static int add_routes_beside(const struct sw_host *host, const struct sw_host *before,
                             struct sw_error *error) {
  const struct sw_config *config = host->config;
  int failed = 0;
  for (size_t i = 0; i < config->allowed_ip_count && host->routed && !failed; i++) {
    const struct sw_route route = sw_host_route_to(host, &config->allowed_ips[i]);
    if (!is_route_of(before, &route))
      failed = sw_netlink_route_add(host->netlink, host->tun.index, &route, error);
  }
  return failed;
}

static int set_mark(const struct sw_host *host, uint32_t mark, struct sw_error *error) {
  if (host->mark == mark) return 0;
  const int failed = sw_udp_mark_set(&host->udp, mark);
  return failed ? sw_error_set(error, -failed, "a mark needs CAP_NET_ADMIN",
                               "udp: cannot set the mark %u", mark)
                : 0;
}

/* Makes what `host` has and the host before may lack, but no rules. */
static int make(struct sw_host *host, struct sw_error *error) {
  const struct sw_host *before = host->before;
  int failed = 0;
  if (host->mtu != before->mtu) failed = sw_host_set_mtu(host, error);
  if (!failed) failed = sw_host_add_addresses(host, error);
  if (!failed) failed = add_routes_beside(host, before, error);
  return failed ? failed : set_mark(before, host->mark, error);
}

/* With an address the kernel may remove others, and with the last one of IPv4 the routes. */
static int remove_addresses(struct sw_host *host, struct sw_error *error) {
  const struct sw_config *before = host->before->config, *config = host->config;
  struct sw_prefix again[SW_CONFIG_ADDRESSES_MAX];
  const size_t unordered = out_of_order(before, config, again);
  bool removed = unordered > 0;
  int failed = 0;
  for (size_t i = 0; i < before->address_count && !failed; i++) {
    const struct sw_prefix *address = &before->addresses[i];
    if (place_of(config, address) < config->address_count) continue;
    failed = sw_netlink_address_remove(host->netlink, host->tun.index, address, error);
    removed = true;
  }
  for (size_t i = 0; i < unordered && !failed; i++)
    failed = sw_netlink_address_remove(host->netlink, host->tun.index, &again[i], error);
  if (failed || !removed) return failed;
  failed = sw_host_add_addresses(host, error);
  for (size_t i = 0; i < config->allowed_ip_count && host->routed && !failed; i++) {
    const struct sw_route route = sw_host_route_to(host, &config->allowed_ips[i]);
    failed = sw_netlink_route_add_again(host->netlink, host->tun.index, &route, error);
  }
  return failed;
}

/* Removes what the host before has and `host` has not, but no rules. */
static int clear(struct sw_host *host, struct sw_error *error) {
  const struct sw_host *before = host->before;
  const struct sw_config *config = before->config;
  int failed = 0;
  for (size_t i = 0; i < config->allowed_ip_count && before->routed && !failed; i++) {
    const struct sw_route route = sw_host_route_to(before, &config->allowed_ips[i]);
    if (!is_route_of(host, &route))
      failed = sw_netlink_route_remove(host->netlink, host->tun.index, &route, error);
  }
  return failed ? failed : remove_addresses(host, error);
}

/* Goes from the host before to `host`. */
static int change(struct sw_host *host, struct sw_error *error) {
  int failed = sw_host_within(host, make, error);
  if (!failed)
    failed = sw_default_routes_change(&host->before->defaults, &host->defaults, host->config->name,
                                      host->netlink, error);
  return failed ? failed : sw_host_within(host, clear, error);
}

/* The interface is not ours to configure, but the socket is. */
static int change_mark(struct sw_host *host, uint32_t mark, struct sw_error *error) {
  const int failed = set_mark(host, mark, error);
  if (!failed) host->mark = mark;
  return failed;
}

int sw_host_change(struct sw_host *host, const struct sw_config *next, struct sw_error *error) {
  struct sw_host before = *host, after = *host;
  struct sw_error in_vain;
  if (host->as_it_is) return change_mark(host, next->fwmark, error);
  /* the kernel makes no routes over it, and to set it up is not our decision */
  if (sw_host_is_down(host))
    return sw_error_set(error, 0, NULL, "%s is down: set it up first (ip link set %s up)",
                        host->tun.name, host->tun.name);
  after.config = next;
  after.before = &before;
  after.mtu = next->mtu ? next->mtu : host->config->mtu ? SW_MTU_LEAST : host->mtu;
  after.routed = next->table_kind != SW_CONFIG_TABLE_OFF;
  int failed = plan(&after, &before.defaults, error);
  if (failed) return failed;
  failed = change(&after, error);
  if (failed) {
    before.before = &after;
    sw_host_within(&before, make, &in_vain);
    set_mark(&after, before.mark, &in_vain);
    sw_default_routes_change(&after.defaults, &before.defaults, next->name, host->netlink,
                             &in_vain);
    sw_host_within(&before, clear, &in_vain);
    return failed;
  }
  after.config = host->config;
  after.before = NULL;
  *host = after;
  return 0;
}

/* Verdicts about the way to the peer, the networks, and the link itself. */
#include <string.h>

#include "doctor/gather.h"
#include "doctor/judge.h"

#define UDP_HEADER 8
#define V4_HEADER 20
#define V6_HEADER 40

/* Paths of the internet carry less than an Ethernet does, by what tunnels and DSL add. */
#define ETHERNET 1500
#define USUAL_LOSS 100

/* ---- ranges ---- */

static bool equal(const struct sw_prefix *a, const struct sw_prefix *b) {
  return a->length == b->length && sw_prefix_contains(a, b->ip);
}

static bool within(const struct sw_prefix *inner, const struct sw_prefix *outer) {
  return inner->length >= outer->length && sw_prefix_contains(outer, inner->ip);
}

/* The longest range of AllowedIPs that has the address, besides those of default routes, whose rules
 * keep the link's own datagrams out.  NULL: none. */
static const struct sw_prefix *range_of(const struct sw_config *config,
                                        const uint8_t ip[SW_IP_BYTES]) {
  const struct sw_prefix *longest = NULL;
  for (size_t i = 0; i < config->allowed_ip_count; i++) {
    const struct sw_prefix *range = &config->allowed_ips[i];
    if (!sw_config_is_all(range) && sw_prefix_contains(range, ip) &&
        (!longest || range->length > longest->length))
      longest = range;
  }
  return longest;
}

/* The range through which the link carries, or would carry, what is sent to the host.  Before it is up
 * the routes are those without it, and rules for a mark are not yet made. */
static const struct sw_prefix *covering(const struct sw_doctor_facts *facts,
                                        const struct sw_doctor_endpoint *host) {
  const struct sw_config *config = &facts->config;
  const struct sw_prefix *range = range_of(config, host->address.ip);
  const struct sw_lookup *route = &host->route;
  if (!range || config->netns[0] || route->local) return NULL;
  if (facts->status.running) return strcmp(route->interface, facts->name) == 0 ? range : NULL;
  if (config->table_kind != SW_CONFIG_TABLE_AUTO || config->fwmark) return NULL;
  return route->error || route->prefix.length <= range->length ? range : NULL;
}

static const char *ip_text(const uint8_t ip[SW_IP_BYTES], char text[SW_PREFIX_TEXT]) {
  struct sw_prefix one = {.length = 8 * SW_IP_BYTES};
  memcpy(one.ip, ip, SW_IP_BYTES);
  sw_prefix_text(&one, text);
  text[strcspn(text, "/")] = '\0';
  return text;
}

/* The route to the host that is there without the link. */
static void fix_route(struct sw_verdict *verdict, const struct sw_doctor_facts *facts,
                      const struct sw_doctor_endpoint *host, const char *otherwise) {
  const struct sw_lookup *route = &host->route;
  char ip[SW_PREFIX_TEXT], gateway[SW_PREFIX_TEXT];
  ip_text(host->address.ip, ip);
  const unsigned bits = sw_ip_is_v4(host->address.ip) ? 32 : 128;
  if (!facts->status.running && !route->error && route->interface[0] && route->has_gateway)
    sw_verdict_fix(verdict, "ip route add %s/%u via %s dev %s; %s", ip, bits,
                   ip_text(route->gateway, gateway), route->interface, otherwise);
  else if (!facts->status.running && !route->error && route->interface[0])
    sw_verdict_fix(verdict, "ip route add %s/%u dev %s; %s", ip, bits, route->interface, otherwise);
  else
    sw_verdict_fix(verdict, "make a route to %s that does not lead into the link; %s", ip,
                   otherwise);
}

/* ---- names ---- */

static bool reason_is(const struct sw_doctor_facts *facts, const char *reason) {
  return facts->status.running && strcmp(facts->status.reason, reason) == 0;
}

static const struct sw_doctor_endpoint *covered_server(const struct sw_doctor_facts *facts,
                                                       const struct sw_prefix **range) {
  for (unsigned i = 0; i < facts->server_count; i++)
    if ((*range = covering(facts, &facts->servers[i]))) return &facts->servers[i];
  return NULL;
}

/* A name server that is asked over the default route, which the link is to take.  The rule that keeps
 * the queries out is for a user. */
static const struct sw_doctor_endpoint *server_on_default(const struct sw_doctor_facts *facts) {
  if (facts->resolver_user) return NULL;
  for (unsigned i = 0; i < facts->server_count; i++) {
    const struct sw_doctor_endpoint *server = &facts->servers[i];
    if (!server->route.local && !server->route.error && sw_config_is_all(&server->route.prefix) &&
        sw_config_default_route(&facts->config, sw_ip_is_v4(server->address.ip)))
      return server;
  }
  return NULL;
}

void sw_judge_names(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_prefix *range;
  const struct sw_doctor_endpoint *server = covered_server(facts, &range);
  const struct sw_doctor_endpoint *by_default = server_on_default(facts);
  char ip[SW_PREFIX_TEXT], text[SW_PREFIX_TEXT];
  if (!facts->loaded) return;
  if (reason_is(facts, "name-server") || reason_is(facts, "unresolved")) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%s", facts->status.condition);
  } else if (server) {
    sw_verdict_set(verdict, facts->unresolved[0] ? SW_LEVEL_FAIL : SW_LEVEL_WARN,
                   "the name server %s is within AllowedIPs (%s): while the link is down, the "
                   "peer's name cannot be looked up",
                   ip_text(server->address.ip, ip), sw_prefix_text(range, text));
    fix_route(verdict, facts, server, "or use another name server, or an address as Endpoint");
  } else if (facts->unresolved[0]) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "cannot resolve %s", facts->unresolved);
    sw_verdict_fix(verdict,
                   "is the name right? are the name servers of /etc/resolv.conf? getent "
                   "ahosts %.*s",
                   (int)strcspn(facts->unresolved, ":"), facts->unresolved);
  } else if (by_default) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the name server %s is reached by the default route, which leads through the "
                   "link: while the link is down, the peer's name cannot be looked up again",
                   ip_text(by_default->address.ip, ip));
    sw_verdict_fix(verdict, "make the user saltway-resolver: systemd-sysusers saltway.conf");
  } else if (facts->server_count == 0) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "no name has to be looked up");
  } else {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%u addresses of the peer are known",
                   facts->endpoint_count);
  }
}

/* ---- routes ---- */

static const struct sw_doctor_endpoint *unreachable(const struct sw_doctor_facts *facts) {
  for (unsigned i = 0; i < facts->endpoint_count; i++)
    if (!facts->endpoints[i].route.error) return NULL;
  return facts->endpoint_count ? &facts->endpoints[0] : NULL;
}

static bool judge_loop(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  char address[SW_ADDRESS_TEXT], text[SW_PREFIX_TEXT];
  for (unsigned i = 0; i < facts->endpoint_count; i++) {
    const struct sw_doctor_endpoint *endpoint = &facts->endpoints[i];
    const struct sw_prefix *range = covering(facts, endpoint);
    if (!range) continue;
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "routing loop: the endpoint %s is within AllowedIPs (%s), so the link's own "
                   "datagrams go into the link",
                   sw_address_text(&endpoint->address, address), sw_prefix_text(range, text));
    fix_route(verdict, facts, endpoint, "or see FwMark in saltway.conf(5)");
    return true;
  }
  return false;
}

static bool judge_self(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  char address[SW_ADDRESS_TEXT];
  for (unsigned i = 0; i < facts->endpoint_count; i++) {
    if (!facts->endpoints[i].route.local) continue;
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "the endpoint %s is an address of this machine",
                   sw_address_text(&facts->endpoints[i].address, address));
    sw_verdict_fix(verdict, "write the address of the other side");
    return true;
  }
  return false;
}

void sw_judge_route(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_doctor_endpoint *none = unreachable(facts);
  char address[SW_ADDRESS_TEXT], ip[SW_PREFIX_TEXT];
  if (!facts->loaded || judge_loop(facts, verdict) || judge_self(facts, verdict)) return;
  if (none) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "there is no route to the endpoint %s: %s",
                   sw_address_text(&none->address, address), strerror(none->route.error));
    sw_verdict_fix(verdict, "ip route get %s", ip_text(none->address.ip, ip));
  } else if (facts->endpoint_count) {
    const struct sw_doctor_endpoint *endpoint = facts->endpoints;
    while (endpoint->route.error) endpoint++;
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s is reached over %s",
                   sw_address_text(&endpoint->address, address),
                   endpoint->route.interface[0] ? endpoint->route.interface : "several interfaces");
  } else if (facts->config.endpoint_count == 0) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "no Endpoint: the peer has to connect");
  }
}

/* ---- rp_filter ---- */

static const char over_all[] = "sysctl -w net.ipv4.conf.all.rp_filter=2";

/* Whether the kernel takes what comes from the endpoint for forged. */
static bool filters(const struct sw_doctor_endpoint *endpoint) {
  const struct sw_lookup *route = &endpoint->route, *back = &endpoint->back;
  return sw_ip_is_v4(endpoint->address.ip) && endpoint->rp_filter == 1 && !endpoint->mark_valid &&
         !route->error && route->index && !route->local &&
         (back->error || (back->index && back->index != route->index));
}

/* Whether the range's route leads elsewhere.  Routes to parts of it are none of ours. */
static bool leads_elsewhere(const struct sw_doctor_facts *facts, size_t i) {
  const struct sw_prefix *range = &facts->config.allowed_ips[i];
  const struct sw_lookup *route = &facts->ranges[i];
  if (sw_config_is_all(range) || route->prefix.length > range->length) return false;
  return route->error || (route->index && strcmp(route->interface, facts->name) != 0);
}

void sw_judge_rp_filter(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_config *config = &facts->config;
  char address[SW_ADDRESS_TEXT], text[SW_PREFIX_TEXT];
  bool strict = false;
  if (!facts->loaded) return;
  for (unsigned i = 0; i < facts->endpoint_count; i++) {
    const struct sw_doctor_endpoint *endpoint = &facts->endpoints[i];
    strict |= endpoint->rp_filter == 1;
    if (!filters(endpoint)) continue;
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "rp_filter is 1 on %s: the kernel drops what %s sends, because the way back, "
                   "without the mark, leads %s%s",
                   endpoint->route.interface, sw_address_text(&endpoint->address, address),
                   endpoint->back.error ? "nowhere" : "over ", endpoint->back.interface);
    sw_verdict_fix(verdict, "%s", over_all);
    return;
  }
  if (facts->rp_filtered) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "rp_filter is 1, and the kernel drops packets by it just now: they arrive over "
                   "another interface than the way back");
    sw_verdict_fix(verdict, "%s", over_all);
    return;
  }
  if (!facts->status.running && strict && config->fwmark &&
      config->table_kind == SW_CONFIG_TABLE_NUMBER) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "rp_filter is 1: if rules lead unmarked packets to the peer into table %u, the "
                   "kernel drops what the peer sends",
                   config->table);
    sw_verdict_fix(verdict, "%s", over_all);
    return;
  }
  for (size_t i = 0; i < facts->range_count && facts->link_rp_filter == 1; i++) {
    if (!sw_ip_is_v4(config->allowed_ips[i].ip) || !leads_elsewhere(facts, i)) continue;
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "rp_filter is 1 on %s, and the route to %s leads %s%s: the kernel drops what "
                   "comes from there through the link",
                   facts->name, sw_prefix_text(&config->allowed_ips[i], text),
                   facts->ranges[i].error ? "nowhere" : "over ", facts->ranges[i].interface);
    sw_verdict_fix(verdict, "sysctl -w net.ipv4.conf.%s.rp_filter=2", facts->name);
    return;
  }
  sw_verdict_set(verdict, SW_LEVEL_OK, "the ways back are those of the datagrams");
}

/* ---- networks ---- */

static bool is_other_link(const struct sw_doctor_facts *facts, const char *interface) {
  for (size_t i = 0; i < facts->other_count; i++)
    if (strcmp(facts->others[i].link, interface) == 0) return true;
  return false;
}

static const struct sw_lookup_interface *interface_at(const struct sw_doctor_facts *facts,
                                                      unsigned index) {
  for (size_t i = 0; i < facts->interface_count; i++)
    if (facts->interfaces[i].index == index) return &facts->interfaces[i];
  return NULL;
}

/* What another link has in common with ours.  Two links to the same network are meant if their routes
 * have different metrics. */
static bool judge_other(const struct sw_doctor_facts *facts, const struct sw_doctor_other *other,
                        struct sw_verdict *verdict) {
  const struct sw_config *config = &facts->config;
  char text[SW_PREFIX_TEXT], theirs[SW_PREFIX_TEXT];
  sw_prefix_text(&other->prefix, theirs);
  for (size_t i = 0; i < config->address_count && other->own; i++) {
    if (!sw_prefix_contains(&other->prefix, config->addresses[i].ip)) continue;
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "Address %s is in %s, the network of the link %s",
                   sw_prefix_text(&config->addresses[i], text), theirs, other->link);
    sw_verdict_fix(verdict, "give each link a network of its own");
    return true;
  }
  for (size_t i = 0; i < config->allowed_ip_count && !other->own; i++) {
    const struct sw_prefix *range = &config->allowed_ips[i];
    if (sw_config_is_all(range) || sw_config_is_all(&other->prefix)) continue;
    sw_prefix_text(range, text);
    if (equal(range, &other->prefix) && config->metric == other->metric) {
      sw_verdict_set(verdict, SW_LEVEL_FAIL,
                     "overlapping AllowedIPs: %s leads into this link and into %s, and only one of "
                     "them can have the route",
                     text, other->link);
      sw_verdict_fix(verdict, "remove it from one of them; or, if one stands in for the other, "
                              "give them different values of Metric");
      return true;
    }
    if (equal(range, &other->prefix)) continue;
    if (within(range, &other->prefix) || within(&other->prefix, range)) {
      sw_verdict_set(verdict, SW_LEVEL_WARN,
                     "overlapping AllowedIPs: %s of this link and %s of %s; the smaller network "
                     "goes its own way",
                     text, theirs, other->link);
      sw_verdict_fix(verdict, "if that is not meant, remove it from one of them");
      return true;
    }
  }
  return false;
}

/* A network on both sides of the link: one of the two cannot be reached. */
static bool judge_connected(const struct sw_doctor_facts *facts,
                            const struct sw_lookup_address *address, struct sw_verdict *verdict) {
  const struct sw_config *config = &facts->config;
  const struct sw_lookup_interface *interface = interface_at(facts, address->index);
  char text[SW_PREFIX_TEXT], theirs[SW_PREFIX_TEXT];
  if (!interface || interface->loopback || !interface->up ||
      is_other_link(facts, interface->name) || strcmp(interface->name, facts->name) == 0 ||
      address->prefix.length == 8 * SW_IP_BYTES)
    return false;
  for (size_t i = 0; i < config->allowed_ip_count; i++) {
    const struct sw_prefix *range = &config->allowed_ips[i];
    if (sw_config_is_all(range) || range->length < address->prefix.length ||
        !sw_prefix_contains(&address->prefix, range->ip))
      continue;
    const bool same = range->length == address->prefix.length;
    sw_verdict_set(verdict, same ? SW_LEVEL_FAIL : SW_LEVEL_WARN,
                   "overlapping AllowedIPs: %s is%s the network of %s (%s), which this machine is "
                   "connected to",
                   sw_prefix_text(range, text), same ? "" : " a part of", interface->name,
                   sw_prefix_text(&address->prefix, theirs));
    sw_verdict_fix(verdict, "renumber one of the two networks, or leave it out of AllowedIPs");
    return true;
  }
  return false;
}

static bool judge_elsewhere(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  char text[SW_PREFIX_TEXT];
  if (facts->config.table_kind != SW_CONFIG_TABLE_AUTO || !sw_doctor_is_up(facts)) return false;
  for (size_t i = 0; i < facts->range_count; i++) {
    if (!leads_elsewhere(facts, i)) continue;
    const struct sw_lookup *route = &facts->ranges[i];
    if (route->interface[0] && is_other_link(facts, route->interface)) continue;
    sw_verdict_set(verdict, SW_LEVEL_WARN, "the route to %s leads %s%s, not into the link",
                   sw_prefix_text(&facts->config.allowed_ips[i], text),
                   route->error ? "nowhere" : "over ", route->interface);
    sw_verdict_fix(verdict, "ip rule; ip route show table all");
    return true;
  }
  return false;
}

void sw_judge_networks(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_config *config = &facts->config;
  struct sw_verdict warning = {.level = SW_LEVEL_SKIPPED};
  if (!facts->loaded) return;
  const bool apart = config->table_kind != SW_CONFIG_TABLE_AUTO || config->netns[0];
  for (size_t i = 0; i < facts->other_count; i++)
    if ((!apart || (facts->others[i].own && !config->netns[0])) &&
        judge_other(facts, &facts->others[i], verdict)) {
      if (verdict->level == SW_LEVEL_FAIL) return;
      warning = *verdict;
    }
  for (size_t i = 0; i < facts->address_count && !apart; i++)
    if (judge_connected(facts, &facts->addresses[i], verdict)) {
      if (verdict->level == SW_LEVEL_FAIL) return;
      warning = *verdict;
    }
  if (warning.level || judge_elsewhere(facts, &warning))
    *verdict = warning;
  else
    sw_verdict_set(verdict, SW_LEVEL_OK, "no network is that of another link or interface");
}

/* ---- forwarding ---- */

/* Of the kind that sites use (RFC 1918, RFC 4193). */
static bool is_private(const uint8_t ip[SW_IP_BYTES]) {
  if (!sw_ip_is_v4(ip)) return (ip[0] & 0xfe) == 0xfc;
  return ip[12] == 10 || (ip[12] == 172 && (ip[13] & 0xf0) == 16) ||
         (ip[12] == 192 && ip[13] == 168);
}

/* Whether hosts of the network may use this machine as their way into the link: it is not the one to
 * the peer or to the internet. */
static bool is_site(const struct sw_doctor_facts *facts, const struct sw_lookup_address *address) {
  const struct sw_lookup_interface *interface = interface_at(facts, address->index);
  if (!interface || interface->loopback || !interface->up || strcmp(interface->kind, "tun") == 0 ||
      strcmp(interface->name, facts->name) == 0 || is_other_link(facts, interface->name) ||
      address->prefix.length == 8 * SW_IP_BYTES || !is_private(address->prefix.ip))
    return false;
  if (!facts->uplink.error && facts->uplink.index == address->index) return false;
  for (unsigned i = 0; i < facts->endpoint_count; i++)
    if (facts->endpoints[i].route.index == address->index) return false;
  return true;
}

static bool leads_family(const struct sw_config *config, bool v4) {
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (sw_ip_is_v4(config->allowed_ips[i].ip) == v4) return true;
  return false;
}

void sw_judge_forwarding(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  char text[SW_PREFIX_TEXT];
  unsigned sites = 0;
  if (!facts->loaded || facts->config.netns[0]) return;
  for (size_t i = 0; i < facts->address_count; i++) {
    const struct sw_lookup_address *address = &facts->addresses[i];
    const bool v4 = sw_ip_is_v4(address->prefix.ip);
    if (!is_site(facts, address) || !leads_family(&facts->config, v4)) continue;
    sites++;
    if (v4 ? facts->forward_v4 : facts->forward_v6) continue;
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "forwarding of IPv%c is off: hosts of %s, on %s, cannot use the link",
                   v4 ? '4' : '6', sw_prefix_text(&address->prefix, text),
                   interface_at(facts, address->index)->name);
    sw_verdict_fix(verdict, "sysctl -w %s=1, and the same in /etc/sysctl.d",
                   v4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding");
    return;
  }
  sw_verdict_set(verdict, SW_LEVEL_OK, "%s",
                 sites ? "on" : "no network behind this machine needs it");
}

/* ---- firewall ---- */

/* Whether long packets, or bursts of them, are lost in the link. */
static bool loses_long(const struct sw_doctor_echo *echo) {
  return echo->small && (!echo->large || 2 * echo->answered < echo->sent);
}

/* What nftables(8) drops.  A rule may come after one that accepts, so of a link that is up only the length
 * is told. */
static bool judge_rules(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_nftables *rules = &facts->nftables;
  const bool up = sw_doctor_is_up(facts);
  const unsigned port = facts->status.running ? facts->status.port : facts->config.listen_port;
  if (!up && rules->drops_in[0]) {
    sw_verdict_set(
        verdict, SW_LEVEL_FAIL,
        "the firewall of this machine drops UDP to port %u, so nothing of the peer arrives", port);
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s", rules->drops_in);
  } else if (!up && rules->drops_out[0]) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "the firewall of this machine drops UDP to port %u of the peer, so nothing "
                   "reaches it",
                   facts->endpoints[0].address.port);
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s", rules->drops_out);
  } else if (rules->drops_long[0] && facts->config.offload) {
    sw_verdict_set(
        verdict, loses_long(&facts->echo) ? SW_LEVEL_FAIL : SW_LEVEL_WARN,
        "the firewall of this machine drops long UDP datagrams, and takes several that the "
        "kernel has coalesced for a long one: the link is slow, or passes nothing");
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s; or write Offload = off",
                   rules->drops_long);
  } else if (!up && port && rules->closed[0] &&
             (facts->status.running || facts->config.endpoint_count == 0)) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the firewall of this machine accepts no UDP to port %u: the peer cannot begin",
                   port);
    sw_verdict_fix(verdict, "nft insert rule %s udp dport %u accept", rules->closed, port);
  }
  return verdict->level != SW_LEVEL_SKIPPED;
}

void sw_judge_firewall(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const uint32_t most = facts->conntrack.most, timeout = facts->conntrack.udp_timeout;
  const unsigned keepalive = facts->config.persistent_keepalive;
  if (!facts->loaded || judge_rules(facts, verdict)) return;
  if (most && facts->conntrack.entries >= most) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "the table of connections is full (%u entries): the kernel drops new ones",
                   most);
    sw_verdict_fix(verdict, "sysctl -w net.netfilter.nf_conntrack_max=%u", 2 * most);
  } else if (timeout && keepalive > timeout) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the firewall forgets the link after %u s without datagrams, and "
                   "PersistentKeepalive is %u s",
                   timeout, keepalive);
    sw_verdict_fix(verdict, "PersistentKeepalive = 25");
  } else {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s",
                   most ? "connections are tracked, and the table has room"
                        : "connections are not tracked");
  }
}

/* ---- the link ---- */

static bool state_is(const struct sw_doctor_facts *facts, const char *state) {
  return strcmp(facts->status.state, state) == 0;
}

void sw_judge_link(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_doctor_status *status = &facts->status;
  if (status->running && state_is(facts, "up")) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s", status->condition);
  } else if (status->running) {
    const bool waits =
        state_is(facts, "degraded") || reason_is(facts, "waiting") || reason_is(facts, "starting");
    sw_verdict_set(verdict, waits ? SW_LEVEL_WARN : SW_LEVEL_FAIL, "%s", status->condition);
  } else if (status->refused) {
    sw_verdict_set(verdict, SW_LEVEL_WARN, "the link runs, and did not say what it does");
    sw_verdict_fix(verdict, "as root: saltway doctor %s", facts->name);
  } else if (facts->loaded) {
    sw_verdict_set(verdict, SW_LEVEL_WARN, "the link is not running");
    sw_verdict_fix(verdict, "saltway up %s", facts->config.file);
  }
}

/* ---- MTU ---- */

/* What the interface that leads to the peer lets through of a packet; 0: not known. */
static unsigned room_of(const struct sw_doctor_facts *facts, char interface[IFNAMSIZ]) {
  if (!facts->endpoint_count) return 0;
  const struct sw_doctor_endpoint *endpoint = &facts->endpoints[0];
  const struct sw_lookup_interface *way = interface_at(facts, endpoint->route.index);
  const unsigned headers =
      SW_OVERHEAD + UDP_HEADER + (sw_ip_is_v4(endpoint->address.ip) ? V4_HEADER : V6_HEADER);
  if (!way || facts->config.netns[0] || way->mtu <= headers) return 0;
  memcpy(interface, way->name, IFNAMSIZ);
  return way->mtu - headers;
}

void sw_judge_mtu(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_doctor_echo *echo = &facts->echo;
  const struct sw_doctor_status *status = &facts->status;
  const unsigned configured = facts->config.mtu;
  char interface[IFNAMSIZ];
  const unsigned room = room_of(facts, interface);
  const unsigned usual = room < ETHERNET ? room : ETHERNET - SW_OVERHEAD - UDP_HEADER - V6_HEADER;
  if (!facts->loaded) return;
  if (echo->small && !echo->large) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "MTU black hole: packets of %u bytes pass the link, those of its MTU, %u bytes, "
                   "are lost",
                   echo->longest, status->mtu);
    sw_verdict_fix(verdict, configured ? "MTU = auto" : "MTU = %u", echo->longest);
  } else if (echo->sent && 2 * echo->answered < echo->sent) {
    sw_verdict_set(
        verdict, SW_LEVEL_FAIL,
        "single packets pass the link, and bursts are lost (%u of %u arrived): a firewall "
        "may drop long datagrams after the kernel has coalesced them",
        echo->answered, echo->sent);
    sw_verdict_fix(verdict,
                   "remove the rule that compares the length of UDP datagrams, on both sides: nft "
                   "list ruleset; or write Offload = off");
  } else if (configured && room && configured > room) {
    sw_verdict_set(
        verdict, SW_LEVEL_WARN,
        "MTU = %u is configured, but %s, which leads to the peer, carries only packets of "
        "%u bytes: datagrams are fragmented",
        configured, interface, room);
    sw_verdict_fix(verdict, "MTU = auto");
  } else if (sw_doctor_is_up(facts) && !configured && room &&
             status->path_mtu + USUAL_LOSS < usual) {
    sw_verdict_set(
        verdict, SW_LEVEL_WARN,
        "the path carries packets of only %u bytes, although %s would carry %u: a hop on "
        "the way has a small MTU, or drops long datagrams in silence (MTU black hole); the "
        "link has adapted",
        status->path_mtu, interface, room);
    sw_verdict_fix(verdict, "find it: tracepath to the peer");
  } else if (sw_doctor_is_up(facts)) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%u bytes, %s%s", status->mtu,
                   configured ? "as configured" : "found on the path",
                   echo->large ? "; packets of that length pass" : "");
  }
}

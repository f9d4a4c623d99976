/* Verdicts about the way to the peer: names, routes, and what rp_filter thinks of the way back. */
#include <string.h>

#include "doctor/judge.h"

/* ---- ranges ---- */

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
  if (sw_doctor_reason_is(facts, "name-server") || sw_doctor_reason_is(facts, "unresolved")) {
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
    if (!sw_ip_is_v4(config->allowed_ips[i].ip) || !sw_doctor_leads_elsewhere(facts, i)) continue;
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

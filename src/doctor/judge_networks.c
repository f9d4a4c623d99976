/* Verdicts about the networks on both sides of the link: whose they are, and who forwards to them. */
#include <string.h>

#include "doctor/judge.h"

static bool is_other_link(const struct sw_doctor_facts *facts, const char *interface) {
  for (size_t i = 0; i < facts->other_count; i++)
    if (strcmp(facts->others[i].link, interface) == 0) return true;
  return false;
}

/* ---- networks ---- */

static bool equal(const struct sw_prefix *a, const struct sw_prefix *b) {
  return a->length == b->length && sw_prefix_contains(a, b->ip);
}

/* How bad it is to share a network with another link: nothing is wrong yet while ours runs and the other
 * one does not. */
static enum sw_level level_of(const struct sw_doctor_facts *facts,
                              const struct sw_doctor_other *other) {
  for (size_t i = 0; i < facts->interface_count; i++)
    if (strcmp(facts->interfaces[i].name, other->link) == 0) return SW_LEVEL_FAIL;
  return facts->status.running ? SW_LEVEL_WARN : SW_LEVEL_FAIL;
}

/* What another link has in common with ours.  Two links to the same network are meant if their routes
 * have different metrics.  A single address may be that of several links. */
static bool judge_other(const struct sw_doctor_facts *facts, const struct sw_doctor_other *other,
                        struct sw_verdict *verdict) {
  const struct sw_config *config = &facts->config;
  char text[SW_PREFIX_TEXT], theirs[SW_PREFIX_TEXT];
  sw_prefix_text(&other->prefix, theirs);
  for (size_t i = 0; i < config->address_count && other->own; i++) {
    if (other->prefix.length == 8 * SW_IP_BYTES ||
        !sw_prefix_contains(&other->prefix, config->addresses[i].ip))
      continue;
    sw_verdict_set(verdict, level_of(facts, other),
                   "Address %s is in %s, the network of the link %s",
                   sw_prefix_text(&config->addresses[i], text), theirs, other->link);
    sw_verdict_fix(verdict, "give each link a network of its own");
    return true;
  }
  for (size_t i = 0; i < config->allowed_ip_count && !other->own; i++) {
    const struct sw_prefix *range = &config->allowed_ips[i];
    if (sw_config_is_all(range) || sw_config_is_all(&other->prefix)) continue;
    sw_prefix_text(range, text);
    if (equal(range, &other->prefix) && config->metric == other->metric) {
      sw_verdict_set(verdict, level_of(facts, other),
                     "overlapping AllowedIPs: %s leads into this link and into %s, and only one of "
                     "them can have the route",
                     text, other->link);
      sw_verdict_fix(verdict, "remove it from one of them; or, if one stands in for the other, "
                              "give them different values of Metric");
      return true;
    }
    if (equal(range, &other->prefix)) continue;
    if (sw_prefix_within(range, &other->prefix) || sw_prefix_within(&other->prefix, range)) {
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
  const struct sw_lookup_interface *interface = sw_doctor_interface_at(facts, address->index);
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
    if (!sw_doctor_leads_elsewhere(facts, i)) continue;
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
  const struct sw_lookup_interface *interface = sw_doctor_interface_at(facts, address->index);
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
                   sw_doctor_interface_at(facts, address->index)->name);
    sw_verdict_fix(verdict, "sysctl -w %s=1, and the same in /etc/sysctl.d",
                   v4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding");
    return;
  }
  sw_verdict_set(verdict, SW_LEVEL_OK, "%s",
                 sites ? "on" : "no network behind this machine needs it");
}

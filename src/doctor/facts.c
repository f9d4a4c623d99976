#include "doctor/facts.h"

#include <errno.h>
#include <string.h>

bool sw_doctor_is_up(const struct sw_doctor_facts *facts) {
  const char *state = facts->status.state;
  return facts->status.running && (strcmp(state, "up") == 0 || strcmp(state, "degraded") == 0);
}

bool sw_doctor_reason_is(const struct sw_doctor_facts *facts, const char *reason) {
  return facts->status.running && strcmp(facts->status.reason, reason) == 0;
}

bool sw_doctor_port_is_ours(const struct sw_doctor_facts *facts) {
  return !facts->status.running && facts->port == -EADDRINUSE &&
         strncmp(facts->port_holder, "saltway", strlen("saltway")) == 0;
}

const struct sw_lookup_interface *sw_doctor_interface_at(const struct sw_doctor_facts *facts,
                                                         unsigned index) {
  for (size_t i = 0; i < facts->interface_count; i++)
    if (facts->interfaces[i].index == index) return &facts->interfaces[i];
  return NULL;
}

bool sw_doctor_leads_elsewhere(const struct sw_doctor_facts *facts, size_t i) {
  const struct sw_prefix *range = &facts->config.allowed_ips[i];
  const struct sw_lookup *route = &facts->ranges[i];
  if (sw_config_is_all(range) || route->prefix.length > range->length) return false;
  return route->error || (route->index && strcmp(route->interface, facts->name) != 0);
}

#include "config/difference.h"

#include <string.h>

static bool same_prefixes(const struct sw_prefix *a, size_t a_count, const struct sw_prefix *b,
                          size_t b_count) {
  return a_count == b_count && (a_count == 0 || memcmp(a, b, a_count * sizeof(*a)) == 0);
}

static bool same_commands(char *const *a, size_t a_count, char *const *b, size_t b_count) {
  bool same = a_count == b_count;
  for (size_t i = 0; same && i < a_count; i++) same = strcmp(a[i], b[i]) == 0;
  return same;
}

static bool same_endpoints(const struct sw_config *a, const struct sw_config *b) {
  bool same = a->endpoint_count == b->endpoint_count;
  for (size_t i = 0; same && i < a->endpoint_count; i++)
    same = a->endpoints[i].port == b->endpoints[i].port &&
           strcmp(a->endpoints[i].host, b->endpoints[i].host) == 0;
  return same;
}

bool sw_config_same(const struct sw_config *a, const struct sw_config *b, enum sw_config_key key) {
  switch (key) {
  case SW_CONFIG_KEY_ADDRESS:
    return same_prefixes(a->addresses, a->address_count, b->addresses, b->address_count);
  case SW_CONFIG_KEY_LISTEN_PORT:
    return a->listen_port == b->listen_port;
  case SW_CONFIG_KEY_MTU:
    return a->mtu == b->mtu;
  case SW_CONFIG_KEY_TABLE:
    return a->table_kind == b->table_kind && a->table == b->table;
  case SW_CONFIG_KEY_METRIC:
    return a->metric == b->metric;
  case SW_CONFIG_KEY_FWMARK:
    return a->fwmark == b->fwmark;
  case SW_CONFIG_KEY_DSCP:
    return a->dscp == b->dscp;
  case SW_CONFIG_KEY_BANDWIDTH:
    return a->bandwidth == b->bandwidth;
  case SW_CONFIG_KEY_OVERHEAD:
    return a->overhead == b->overhead;
  case SW_CONFIG_KEY_NETNS:
    return strcmp(a->netns, b->netns) == 0;
  case SW_CONFIG_KEY_OFFLOAD:
    return a->offload == b->offload;
  case SW_CONFIG_KEY_SANDBOX:
    return a->sandbox == b->sandbox;
  case SW_CONFIG_KEY_POST_UP:
    return same_commands(a->post_up, a->post_up_count, b->post_up, b->post_up_count);
  case SW_CONFIG_KEY_PRE_DOWN:
    return same_commands(a->pre_down, a->pre_down_count, b->pre_down, b->pre_down_count);
  case SW_CONFIG_KEY_PSK_FILE:
    return strcmp(a->key_file, b->key_file) == 0;
  case SW_CONFIG_KEY_ENDPOINT:
    return same_endpoints(a, b);
  case SW_CONFIG_KEY_ALLOWED_IPS:
    return same_prefixes(a->allowed_ips, a->allowed_ip_count, b->allowed_ips, b->allowed_ip_count);
  case SW_CONFIG_KEY_KEEPALIVE:
    return a->persistent_keepalive == b->persistent_keepalive;
  case SW_CONFIG_KEY_NONE:
  case SW_CONFIG_KEYS:
    break;
  }
  return true;
}

bool sw_config_changes_in_flight(enum sw_config_key key) {
  switch (key) {
  case SW_CONFIG_KEY_ADDRESS:
  case SW_CONFIG_KEY_MTU:
  case SW_CONFIG_KEY_TABLE:
  case SW_CONFIG_KEY_METRIC:
  case SW_CONFIG_KEY_FWMARK:
  case SW_CONFIG_KEY_DSCP:
  case SW_CONFIG_KEY_BANDWIDTH:
  case SW_CONFIG_KEY_OVERHEAD:
  case SW_CONFIG_KEY_POST_UP:
  case SW_CONFIG_KEY_PRE_DOWN:
  case SW_CONFIG_KEY_PSK_FILE:
  case SW_CONFIG_KEY_ENDPOINT:
  case SW_CONFIG_KEY_ALLOWED_IPS:
  case SW_CONFIG_KEY_KEEPALIVE:
    return true;
  case SW_CONFIG_KEY_LISTEN_PORT: /* of a socket that the engine has */
  case SW_CONFIG_KEY_NETNS:       /* of the interface */
  case SW_CONFIG_KEY_OFFLOAD:     /* of that and the interface */
  case SW_CONFIG_KEY_SANDBOX:     /* cannot be left */
  case SW_CONFIG_KEY_NONE:
  case SW_CONFIG_KEYS:
    break;
  }
  return false;
}

#include "config/value.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/endpoint.h"
#include "saltway/key.h"

static const char loopback[] = "loopback";

#define KEY_PART_MIN 32 /* so many characters of base64 are a key rather than a file's name */

/* Reads a number made of digits only that is at most `max`. */
static bool parse_number(const char *text, int base, uint64_t max, uint64_t *number) {
  const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
  if (text[0] == '\0' || text[strspn(text, digits)] != '\0') return false;
  *number = strtoull(text, NULL, base); /* ULLONG_MAX if it does not fit */
  return *number <= max;
}

/* Reads one of two words. */
static int parse_choice(const char *text, const char *yes, const char *no, bool *choice) {
  const bool is_yes = strcasecmp(text, yes) == 0;
  if (!is_yes && strcasecmp(text, no) != 0) return -EINVAL;
  *choice = is_yes;
  return 0;
}

static int refuse_repeated(struct sw_error *error, const char *text) {
  return sw_error_set(error, 0, NULL, "%s is given twice; remove one", text);
}

static int refuse_more(struct sw_error *error, size_t max, const char *what) {
  sw_error_set(error, 0, NULL, "too many; a link has at most %zu %s", max, what);
  return -ENOSPC;
}

/* The kind of an address that is not one host's, or NULL. */
static const char *kind_of(const struct sw_prefix *address) {
  static const struct {
    const char *range, *kind;
  } kinds[] = {{"0.0.0.0/8", "unspecified"}, {"127.0.0.0/8", loopback},
               {"224.0.0.0/4", "multicast"}, {"255.255.255.255/32", "broadcast"},
               {"::/128", "unspecified"},    {"::1/128", loopback},
               {"ff00::/8", "multicast"}};
  struct sw_prefix range;
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    if (sw_prefix_parse(kinds[i].range, &range) == 0 && sw_prefix_contains(&range, address->ip))
      return kinds[i].kind;
  return NULL;
}

int sw_value_address(struct sw_config *config, const char *text, struct sw_error *error) {
  struct sw_prefix address;
  if (sw_prefix_parse(text, &address) != 0) return -EINVAL;
  const char *kind = kind_of(&address);
  if (kind)
    return sw_error_set(error, 0, NULL,
                        "%s is not an address for an interface (%s); use a private one, like "
                        "10.77.0.1/30",
                        text, kind);
  const struct sw_prefix network = sw_prefix_network(&address);
  if (sw_config_is_all(&network))
    return sw_error_set(error, 0, NULL,
                        "%s says that all addresses are on the link; write a length of at least 1, "
                        "like 10.77.0.1/30",
                        text);
  for (size_t i = 0; i < config->address_count; i++)
    if (memcmp(config->addresses[i].ip, address.ip, SW_IP_BYTES) == 0)
      return refuse_repeated(error, text);
  if (config->address_count == SW_CONFIG_ADDRESSES_MAX)
    return refuse_more(error, SW_CONFIG_ADDRESSES_MAX, "addresses");
  config->addresses[config->address_count++] = address;
  return 0;
}

int sw_value_listen_port(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t port;
  (void)error;
  if (!parse_number(text, 10, UINT16_MAX, &port) || port == 0) return -EINVAL;
  config->listen_port = (uint16_t)port;
  return 0;
}

int sw_value_mtu(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t mtu;
  (void)error;
  config->mtu = 0;
  if (strcasecmp(text, "auto") == 0) return 0;
  if (!parse_number(text, 10, SW_VALUE_MTU_MAX, &mtu) || mtu < SW_VALUE_MTU_MIN) return -EINVAL;
  config->mtu = (uint16_t)mtu;
  return 0;
}

int sw_value_table(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t number;
  (void)error;
  if (strcasecmp(text, "auto") == 0) {
    config->table_kind = SW_CONFIG_TABLE_AUTO;
  } else if (strcasecmp(text, "off") == 0) {
    config->table_kind = SW_CONFIG_TABLE_OFF;
  } else if (parse_number(text, 10, UINT32_MAX, &number) && number != 0) {
    config->table_kind = SW_CONFIG_TABLE_NUMBER;
    config->table = (uint32_t)number;
  } else {
    return -EINVAL;
  }
  return 0;
}

int sw_value_metric(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t metric = 0;
  (void)error;
  if (strcasecmp(text, "auto") != 0 &&
      (!parse_number(text, 10, UINT32_MAX, &metric) || metric == 0))
    return -EINVAL;
  config->metric = (uint32_t)metric;
  return 0;
}

int sw_value_netns(struct sw_config *config, const char *text, struct sw_error *error) {
  (void)error;
  const bool name = !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
  const size_t longest = name ? NAME_MAX : sizeof(config->netns) - 1;
  if ((!name && text[0] != '/') || strlen(text) > longest) return -EINVAL;
  strcpy(config->netns, text);
  return 0;
}

int sw_value_fwmark(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t mark = 0;
  const bool hexadecimal = strncasecmp(text, "0x", 2) == 0;
  (void)error;
  if (strcasecmp(text, "off") != 0 &&
      !parse_number(hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, UINT32_MAX, &mark))
    return -EINVAL;
  config->fwmark = (uint32_t)mark;
  return 0;
}

int sw_value_dscp(struct sw_config *config, const char *text, struct sw_error *error) {
  (void)error;
  return parse_choice(text, "copy", "off", &config->dscp);
}

/* Reads a rate as tc(8) writes it: a number, with up to three decimals, and its unit. */
static bool parse_rate(const char *text, uint64_t *rate) {
  static const struct {
    const char *name;
    uint64_t bits;
  } units[] = {{"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};
  const char *const digits = "0123456789";
  char number[16];
  const size_t whole = strspn(text, digits);
  const size_t point = text[whole] == '.';
  const size_t decimals = point ? strspn(text + whole + 1, digits) : 0;
  if (whole == 0 || whole > 9 || decimals > 3 || (point && decimals == 0)) return false;
  snprintf(number, sizeof(number), "%.*s%.*s%.*s", (int)whole, text, (int)decimals,
           text + whole + point, (int)(3 - decimals), "000");
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (strcasecmp(text + whole + point + decimals, units[i].name) != 0) continue;
    *rate = strtoull(number, NULL, 10) * units[i].bits / 1000;
    return true;
  }
  return false;
}

int sw_value_bandwidth(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t rate = 0;
  (void)error;
  if (strcasecmp(text, "off") != 0 &&
      (!parse_rate(text, &rate) || rate < SW_VALUE_BANDWIDTH_MIN || rate > SW_VALUE_BANDWIDTH_MAX))
    return -EINVAL;
  config->bandwidth = rate;
  return 0;
}

int sw_value_overhead(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t bytes;
  (void)error;
  if (!parse_number(text, 10, SW_VALUE_OVERHEAD_MAX, &bytes)) return -EINVAL;
  config->overhead = (uint16_t)bytes;
  return 0;
}

int sw_value_offload(struct sw_config *config, const char *text, struct sw_error *error) {
  (void)error;
  return parse_choice(text, "auto", "off", &config->offload);
}

int sw_value_sandbox(struct sw_config *config, const char *text, struct sw_error *error) {
  (void)error;
  return parse_choice(text, "on", "off", &config->sandbox);
}

static int add_hook(char **hooks, size_t *count, const char *text, struct sw_error *error) {
  if (*count == SW_CONFIG_HOOKS_MAX)
    return refuse_more(error, SW_CONFIG_HOOKS_MAX, "of these hooks");
  char *hook = strdup(text);
  if (!hook) return sw_error_set(error, ENOMEM, NULL, "cannot keep the command");
  hooks[(*count)++] = hook;
  return 0;
}

int sw_value_post_up(struct sw_config *config, const char *text, struct sw_error *error) {
  return add_hook(config->post_up, &config->post_up_count, text, error);
}

int sw_value_pre_down(struct sw_config *config, const char *text, struct sw_error *error) {
  return add_hook(config->pre_down, &config->pre_down_count, text, error);
}

/* Whether `text` is a key, or most of one, where the name of its file belongs.  No error may show
 * it. */
static bool looks_like_key(const char *text) {
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  const size_t length = strlen(text);
  if (text[0] != '/') return length >= KEY_PART_MIN && strspn(text, base64) == length;
  struct sw_psk psk;
  const bool is_key = sw_psk_decode(text, length, &psk) == 0;
  sodium_memzero(&psk, sizeof(psk));
  return is_key;
}

int sw_value_psk_file(struct sw_config *config, const char *text, struct sw_error *error) {
  if (looks_like_key(text))
    return sw_error_set(error, 0, NULL,
                        "this is a key itself; put it into a file that only its owner can read, "
                        "and write that file's name here");
  const char *slash = strrchr(config->file, '/');
  const int directory = text[0] == '/' || !slash ? 0 : (int)(slash + 1 - config->file);
  char path[PATH_MAX];
  if (snprintf(path, sizeof(path), "%.*s%s", directory, config->file, text) >= (int)sizeof(path))
    return sw_error_set(error, 0, NULL, "the path is too long; at most %zu bytes",
                        sizeof(path) - 1);
  strcpy(config->key_file, path);
  return 0;
}

int sw_value_endpoint(struct sw_config *config, const char *text, struct sw_error *error) {
  struct sw_config_endpoint endpoint;
  if (sw_config_endpoint_parse(text, &endpoint, error) != 0) return -EINVAL;
  struct sw_prefix address;
  const bool numeric = sw_prefix_parse(endpoint.host, &address) == 0;
  const char *kind = numeric ? kind_of(&address) : NULL;
  if (kind && kind != loopback)
    return sw_error_set(error, 0, NULL, "%s is not the address of a machine (%s)", endpoint.host,
                        kind);
  if (numeric && !sw_ip_is_v4(address.ip) && address.ip[0] == 0xfe &&
      (address.ip[1] & 0xc0) == 0x80)
    return sw_error_set(error, 0, NULL,
                        "%s is a link-local address, which needs its interface; write it like "
                        "[%s%%eth0]:%u",
                        endpoint.host, endpoint.host, endpoint.port);
  if (config->endpoint_count == SW_CONFIG_ENDPOINTS_MAX)
    return refuse_more(error, SW_CONFIG_ENDPOINTS_MAX, "endpoints");
  config->endpoints[config->endpoint_count++] = endpoint;
  return 0;
}

int sw_value_allowed_ip(struct sw_config *config, const char *text, struct sw_error *error) {
  struct sw_prefix range;
  if (sw_prefix_parse(text, &range) != 0) return -EINVAL;
  const struct sw_prefix network = sw_prefix_network(&range);
  if (memcmp(network.ip, range.ip, SW_IP_BYTES) != 0) {
    char right[SW_PREFIX_TEXT];
    return sw_error_set(error, 0, NULL, "%s has host bits set; did you mean %s?", text,
                        sw_prefix_text(&network, right));
  }
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (config->allowed_ips[i].length == range.length &&
        memcmp(config->allowed_ips[i].ip, range.ip, SW_IP_BYTES) == 0)
      return refuse_repeated(error, text);
  if (config->allowed_ip_count == SW_CONFIG_ALLOWED_IPS_MAX)
    return refuse_more(error, SW_CONFIG_ALLOWED_IPS_MAX, "ranges of addresses");
  if (!config->allowed_ips)
    config->allowed_ips = reallocarray(NULL, SW_CONFIG_ALLOWED_IPS_MAX, sizeof(range));
  if (!config->allowed_ips) return sw_error_set(error, ENOMEM, NULL, "cannot keep the range");
  config->allowed_ips[config->allowed_ip_count++] = range;
  return 0;
}

int sw_value_keepalive(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t seconds = 0;
  (void)error;
  if (strcasecmp(text, "off") != 0 && !parse_number(text, 10, UINT16_MAX, &seconds)) return -EINVAL;
  config->persistent_keepalive = (uint16_t)seconds;
  return 0;
}

#include "config/value.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/endpoint.h"
#include "config/key_file.h"
#include "saltway/link.h"

#define MTU_MIN 576 /* RFC 791: what every IPv4 host takes */

#define KEY_PART_MIN 32 /* this many characters of base64 are hardly a file's name */

/* A number of nothing but digits that is at most `max`. */
static bool parse_number(const char *text, int base, uint64_t max, uint64_t *number) {
  const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
  if (text[0] == '\0' || text[strspn(text, digits)] != '\0') return false;
  *number = strtoull(text, NULL, base); /* what does not fit is ULLONG_MAX */
  return *number <= max;
}

static int no_room(struct sw_error *error, const char *what, size_t max) {
  sw_error_set(error, 0, NULL, "too many; a link has at most %zu %s", max, what);
  return -ENOSPC;
}

static int set_address(struct sw_config *config, const char *text, struct sw_error *error) {
  static const struct {
    const char *range, *kind;
  } unusable[] = {{"0.0.0.0/8", "unspecified"}, {"127.0.0.0/8", "loopback"},
                  {"224.0.0.0/4", "multicast"}, {"255.255.255.255/32", "broadcast"},
                  {"::/128", "unspecified"},    {"::1/128", "loopback"},
                  {"ff00::/8", "multicast"}};
  struct sw_prefix address;
  if (sw_prefix_parse(text, &address) != 0)
    return sw_error_set(error, 0, NULL,
                        "\"%s\" is not an address; write it like 10.77.0.1/30 or fd77::1/64", text);
  for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++) {
    struct sw_prefix range;
    if (sw_prefix_parse(unusable[i].range, &range) == 0 && sw_prefix_contains(&range, address.ip))
      return sw_error_set(error, 0, NULL,
                          "%s is no address for an interface (%s); use a private one, like "
                          "10.77.0.1/30",
                          text, unusable[i].kind);
  }
  for (size_t i = 0; i < config->address_count; i++)
    if (memcmp(config->addresses[i].ip, address.ip, SW_IP_BYTES) == 0)
      return sw_error_set(error, 0, NULL, "%s is given twice; remove one", text);
  if (config->address_count == SW_CONFIG_ADDRESSES_MAX)
    return no_room(error, "addresses", SW_CONFIG_ADDRESSES_MAX);
  config->addresses[config->address_count++] = address;
  return 0;
}

static struct sw_prefix without_host_bits(struct sw_prefix prefix) {
  for (unsigned bit = prefix.length; bit < 8 * SW_IP_BYTES; bit++)
    prefix.ip[bit / 8] = (uint8_t)(prefix.ip[bit / 8] & ~(0x80U >> bit % 8));
  return prefix;
}

static int set_allowed_ip(struct sw_config *config, const char *text, struct sw_error *error) {
  struct sw_prefix range;
  if (sw_prefix_parse(text, &range) != 0)
    return sw_error_set(error, 0, NULL,
                        "\"%s\" is not a range of addresses; write it like 10.2.0.0/16 or "
                        "fd02::/64",
                        text);
  const struct sw_prefix network = without_host_bits(range);
  if (memcmp(network.ip, range.ip, SW_IP_BYTES) != 0) {
    char right[SW_PREFIX_TEXT];
    return sw_error_set(error, 0, NULL, "%s has host bits set; %s?", text,
                        sw_prefix_text(&network, right));
  }
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (config->allowed_ips[i].length == range.length &&
        memcmp(config->allowed_ips[i].ip, range.ip, SW_IP_BYTES) == 0)
      return sw_error_set(error, 0, NULL, "%s is given twice; remove one", text);
  if (config->allowed_ip_count == SW_CONFIG_ALLOWED_IPS_MAX)
    return no_room(error, "ranges of addresses", SW_CONFIG_ALLOWED_IPS_MAX);
  config->allowed_ips[config->allowed_ip_count++] = range;
  return 0;
}

static int set_listen_port(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t port;
  if (!parse_number(text, 10, UINT16_MAX, &port) || port == 0)
    return sw_error_set(error, 0, NULL, "\"%s\" is not a UDP port; 1 to 65535 are", text);
  config->listen_port = (uint16_t)port;
  return 0;
}

static int set_mtu(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t mtu;
  if (!parse_number(text, 10, SW_PACKET_MAX, &mtu) || mtu < MTU_MIN)
    return sw_error_set(error, 0, NULL, "\"%s\" is not a size in bytes from %d to %d", text,
                        MTU_MIN, SW_PACKET_MAX);
  config->mtu = (uint16_t)mtu;
  return 0;
}

static int set_table(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t number = 0;
  if (strcasecmp(text, "auto") == 0) {
    config->table_kind = SW_CONFIG_TABLE_AUTO;
  } else if (strcasecmp(text, "off") == 0) {
    config->table_kind = SW_CONFIG_TABLE_OFF;
  } else if (parse_number(text, 10, UINT32_MAX, &number) && number != 0) {
    config->table_kind = SW_CONFIG_TABLE_NUMBER;
    config->table = (uint32_t)number;
  } else {
    return sw_error_set(error, 0, NULL, "\"%s\" is not a routing table; auto, off or 1 to %u are",
                        text, UINT32_MAX);
  }
  return 0;
}

static int set_fwmark(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t mark = 0;
  const bool hexadecimal = strncasecmp(text, "0x", 2) == 0;
  if (strcasecmp(text, "off") != 0 &&
      !parse_number(hexadecimal ? text + 2 : text, hexadecimal ? 16 : 10, UINT32_MAX, &mark))
    return sw_error_set(error, 0, NULL,
                        "\"%s\" is not a firewall mark; off, 1 to %u or 0x1 to 0x%x are", text,
                        UINT32_MAX, UINT32_MAX);
  config->fwmark = (uint32_t)mark;
  return 0;
}

static int set_offload(struct sw_config *config, const char *text, struct sw_error *error) {
  config->offload = strcasecmp(text, "auto") == 0;
  if (config->offload || strcasecmp(text, "off") == 0) return 0;
  return sw_error_set(error, 0, NULL, "\"%s\" is not a way to handle offloads; auto or off is",
                      text);
}

static int set_sandbox(struct sw_config *config, const char *text, struct sw_error *error) {
  config->sandbox = strcasecmp(text, "on") == 0;
  if (config->sandbox || strcasecmp(text, "off") == 0) return 0;
  return sw_error_set(error, 0, NULL, "\"%s\" is not a way to confine the engine; on or off is",
                      text);
}

static int set_keepalive(struct sw_config *config, const char *text, struct sw_error *error) {
  uint64_t seconds = 0;
  if (strcasecmp(text, "off") != 0 && !parse_number(text, 10, UINT16_MAX, &seconds))
    return sw_error_set(error, 0, NULL, "\"%s\" is not a number of seconds; off or 0 to %d are",
                        text, UINT16_MAX);
  config->persistent_keepalive = (uint16_t)seconds;
  return 0;
}

static int add_hook(char hooks[][SW_CONFIG_HOOK_TEXT], size_t *count, const char *text,
                    struct sw_error *error) {
  if (strlen(text) >= SW_CONFIG_HOOK_TEXT)
    return sw_error_set(error, 0, NULL,
                        "a command of %zu bytes, but at most %d are kept; make it a script",
                        strlen(text), SW_CONFIG_HOOK_TEXT - 1);
  if (*count == SW_CONFIG_HOOKS_MAX) return no_room(error, "of these hooks", SW_CONFIG_HOOKS_MAX);
  strcpy(hooks[(*count)++], text);
  return 0;
}

/* A key, or most of one, where the name of its file belongs: not to be seen in an error. */
static bool looks_like_key(const char *text) {
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  const size_t length = strlen(text);
  if (text[0] != '/') return length >= KEY_PART_MIN && strspn(text, base64) == length;
  struct sw_psk psk;
  const bool is_key = sw_psk_decode(text, length, &psk) == 0;
  sodium_memzero(&psk, sizeof(psk));
  return is_key;
}

static int set_key_file(struct sw_config *config, const char *text, struct sw_error *error) {
  if (looks_like_key(text))
    return sw_error_set(error, 0, NULL,
                        "this is a key itself; put it into a file that only its owner can read, "
                        "and that file's name here");
  const char *slash = strrchr(config->file, '/');
  const int directory = text[0] == '/' || !slash ? 0 : (int)(slash + 1 - config->file);
  if (snprintf(config->key_file, sizeof(config->key_file), "%.*s%s", directory, config->file,
               text) >= (int)sizeof(config->key_file))
    return sw_error_set(error, ENAMETOOLONG, NULL, "cannot open the key file");

  struct sw_psk psk;
  const int result = sw_keyfile_read(config->key_file, &psk, error);
  sodium_memzero(&psk, sizeof(psk));
  return result == 0 ? 0 : -EINVAL;
}

static int add_endpoint(struct sw_config *config, const char *text, struct sw_error *error) {
  struct sw_config_endpoint endpoint;
  const int result = sw_config_endpoint_parse(text, &endpoint, error);
  if (result != 0) return result;
  if (config->endpoint_count == SW_CONFIG_ENDPOINTS_MAX)
    return no_room(error, "endpoints", SW_CONFIG_ENDPOINTS_MAX);
  config->endpoints[config->endpoint_count++] = endpoint;
  return 0;
}

int sw_config_value_set(struct sw_config *config, enum sw_config_key key, const char *text,
                        struct sw_error *error) {
  switch (key) {
  case SW_CONFIG_KEY_ADDRESS:
    return set_address(config, text, error);
  case SW_CONFIG_KEY_LISTEN_PORT:
    return set_listen_port(config, text, error);
  case SW_CONFIG_KEY_MTU:
    return set_mtu(config, text, error);
  case SW_CONFIG_KEY_TABLE:
    return set_table(config, text, error);
  case SW_CONFIG_KEY_FWMARK:
    return set_fwmark(config, text, error);
  case SW_CONFIG_KEY_OFFLOAD:
    return set_offload(config, text, error);
  case SW_CONFIG_KEY_SANDBOX:
    return set_sandbox(config, text, error);
  case SW_CONFIG_KEY_POST_UP:
    return add_hook(config->post_up, &config->post_up_count, text, error);
  case SW_CONFIG_KEY_PRE_DOWN:
    return add_hook(config->pre_down, &config->pre_down_count, text, error);
  case SW_CONFIG_KEY_KEY_FILE:
    return set_key_file(config, text, error);
  case SW_CONFIG_KEY_ENDPOINT:
    return add_endpoint(config, text, error);
  case SW_CONFIG_KEY_ALLOWED_IPS:
    return set_allowed_ip(config, text, error);
  case SW_CONFIG_KEY_KEEPALIVE:
    return set_keepalive(config, text, error);
  case SW_CONFIG_KEY_NONE:
  case SW_CONFIG_KEYS:
    break;
  }
  return sw_error_set(error, EINVAL, NULL, "no such key");
}

#include "saltway/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V4_OFFSET 12 /* of the IPv4 address in an IPv4-mapped one */
#define V4_BITS (8 * V4_OFFSET)

static const uint8_t mapped[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool sw_path_equal(const struct sw_path *a, const struct sw_path *b) {
  return sw_address_equal(&a->peer, &b->peer) && memcmp(a->local, b->local, SW_IP_BYTES) == 0;
}

bool sw_ip_is_v4(const uint8_t ip[SW_IP_BYTES]) {
  return memcmp(ip, mapped, sizeof(mapped)) == 0;
}

bool sw_address_equal(const struct sw_address *a, const struct sw_address *b) {
  return memcmp(a->ip, b->ip, SW_IP_BYTES) == 0 && a->scope == b->scope && a->port == b->port;
}

static void ip_text(const uint8_t ip[SW_IP_BYTES], bool v4, char text[INET6_ADDRSTRLEN]) {
  inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? ip + V4_OFFSET : ip, text, INET6_ADDRSTRLEN);
}

char *sw_address_text(const struct sw_address *address, char text[SW_ADDRESS_TEXT]) {
  const bool v4 = sw_ip_is_v4(address->ip);
  char ip[INET6_ADDRSTRLEN], scope[sizeof("%4294967295")] = "";
  ip_text(address->ip, v4, ip);
  if (address->scope) snprintf(scope, sizeof(scope), "%%%u", address->scope);
  snprintf(text, SW_ADDRESS_TEXT, v4 ? "%s%s:%u" : "[%s%s]:%u", ip, scope, address->port);
  return text;
}

static bool prefix_is_v4(const struct sw_prefix *prefix) {
  return prefix->length >= V4_BITS && sw_ip_is_v4(prefix->ip);
}

bool sw_prefix_contains(const struct sw_prefix *prefix, const uint8_t ip[SW_IP_BYTES]) {
  if (prefix_is_v4(prefix) != sw_ip_is_v4(ip)) return false;
  const size_t whole = prefix->length / 8;
  if (memcmp(prefix->ip, ip, whole) != 0) return false;
  const unsigned rest = prefix->length % 8;
  return rest == 0 || (prefix->ip[whole] ^ ip[whole]) >> (8 - rest) == 0;
}

bool sw_prefix_within(const struct sw_prefix *inner, const struct sw_prefix *outer) {
  return inner->length >= outer->length && sw_prefix_contains(outer, inner->ip);
}

struct sw_prefix sw_prefix_network(const struct sw_prefix *prefix) {
  struct sw_prefix network = *prefix;
  for (unsigned bit = network.length; bit < 8 * SW_IP_BYTES; bit++)
    network.ip[bit / 8] = (uint8_t)(network.ip[bit / 8] & ~(0x80U >> bit % 8));
  return network;
}

bool sw_prefix_other(const struct sw_prefix *prefix, uint8_t ip[SW_IP_BYTES]) {
  const unsigned host_bits = 8 * SW_IP_BYTES - prefix->length;
  if (host_bits != 1 && host_bits != 2) return false;
  memcpy(ip, prefix->ip, SW_IP_BYTES);
  ip[SW_IP_BYTES - 1] ^= host_bits == 1 ? 1 : 3;
  return true;
}

char *sw_prefix_text(const struct sw_prefix *prefix, char text[SW_PREFIX_TEXT]) {
  const bool v4 = prefix_is_v4(prefix);
  char ip[INET6_ADDRSTRLEN];
  ip_text(prefix->ip, v4, ip);
  snprintf(text, SW_PREFIX_TEXT, "%s/%d", ip, prefix->length - (v4 ? V4_BITS : 0));
  return text;
}

/* Parses a number of one to three digits.  Returns it, or -1. */
static int parse_length(const char *text) {
  const size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 3 || text[digits] != '\0') return -1;
  int length = 0;
  for (const char *digit = text; *digit; digit++) length = 10 * length + (*digit - '0');
  return length;
}

int sw_prefix_parse(const char *text, struct sw_prefix *prefix) {
  const size_t ip_length = strcspn(text, "/");
  char ip[INET6_ADDRSTRLEN];
  if (ip_length >= sizeof(ip)) return -EINVAL;
  memcpy(ip, text, ip_length);
  ip[ip_length] = '\0';

  struct sw_prefix parsed = {.length = 0};
  int offset = 0;
  if (inet_pton(AF_INET, ip, parsed.ip + V4_OFFSET) == 1) {
    memcpy(parsed.ip, mapped, sizeof(mapped));
    offset = V4_BITS;
  } else if (inet_pton(AF_INET6, ip, parsed.ip) != 1 || sw_ip_is_v4(parsed.ip)) {
    return -EINVAL;
  }
  const int longest = 8 * SW_IP_BYTES - offset;
  const int length = text[ip_length] == '/' ? parse_length(text + ip_length + 1) : longest;
  if (length < 0 || length > longest) return -EINVAL;
  parsed.length = (uint8_t)(length + offset);
  *prefix = parsed;
  return 0;
}

#include "config/endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63 /* RFC 1035 §2.3.4 */
#define NAME_MAX_BYTES 253
#define ENDPOINT_MAX (NAME_MAX_BYTES + 6) /* with ":65535" */

static bool is_v4(const char *text) {
  struct in_addr ip;
  return inet_pton(AF_INET, text, &ip) == 1;
}

/* A scope may follow the address, as in fe80::1%eth0. */
static bool is_v6(const char *text, size_t length) {
  char address[INET6_ADDRSTRLEN];
  struct in6_addr ip;
  const char *scope = memchr(text, '%', length);
  const size_t end = scope ? (size_t)(scope - text) : length;
  if (end >= sizeof(address) || end + 1 == length) return false;
  memcpy(address, text, end);
  address[end] = '\0';
  return inet_pton(AF_INET6, address, &ip) == 1;
}

/* Whether `text` is a host name (RFC 1123 §2.1, and "_", which is in use).  A name whose last label
 * is a number is not: it is a mistyped IPv4 address. */
static bool is_name(const char *text) {
  const char *label = text;
  if (strlen(text) > NAME_MAX_BYTES) return false;
  for (;;) {
    const size_t length = strcspn(label, ".");
    if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
      return false;
    for (size_t i = 0; i < length; i++)
      if (!isalnum((unsigned char)label[i]) && label[i] != '-' && label[i] != '_') return false;
    if (label[length] == '\0' || label[length + 1] == '\0')
      return strspn(label, "0123456789") < length;
    label += length + 1;
  }
}

bool sw_config_is_host(const char *text) {
  return is_v4(text) || is_v6(text, strlen(text)) || is_name(text);
}

uint16_t sw_config_port_parse(const char *text) {
  if (text[strspn(text, "0123456789")] != '\0') return 0;
  const unsigned long port = strtoul(text, NULL, 10); /* ULONG_MAX if it does not fit */
  return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* `text` has at least two colons and no brackets. */
static int refuse_bare_v6(const char *text, struct sw_error *error) {
  const char *last = strrchr(text, ':');
  if (is_v6(text, (size_t)(last - text)))
    return sw_error_set(error, 0, NULL,
                        "%s is an IPv6 address without brackets; write it like [%.*s]%s", text,
                        (int)(last - text), text, last);
  if (is_v6(text, strlen(text)))
    return sw_error_set(error, 0, NULL,
                        "%s is an IPv6 address without brackets and port; write it like [%s]:51900",
                        text, text);
  return sw_error_set(error, 0, NULL,
                      "\"%s\" is not HOST:PORT; write an IPv6 address like [2001:db8::1]:51900",
                      text);
}

int sw_config_endpoint_parse(const char *text, struct sw_config_endpoint *endpoint,
                             struct sw_error *error) {
  if (strlen(text) > ENDPOINT_MAX) return -EINVAL;
  const bool bracketed = text[0] == '[';
  const char *start = bracketed ? text + 1 : text, *end = strchr(text, bracketed ? ']' : ':');
  if (bracketed && !end)
    return sw_error_set(error, 0, NULL, "\"%s\" has no \"]\"; write it like [2001:db8::1]:51900",
                        text);
  if (!bracketed && end && strchr(end + 1, ':')) return refuse_bare_v6(text, error);

  const char *colon = bracketed ? end + 1 : end;
  if (!colon || *colon == '\0')
    return sw_error_set(error, 0, NULL, "\"%s\" has no port; write HOST:PORT, like %s:51900", text,
                        text);
  const size_t length = (size_t)(end - start);
  if (length >= sizeof(endpoint->host)) return -EINVAL;
  struct sw_config_endpoint parsed = {.port = *colon == ':' ? sw_config_port_parse(colon + 1) : 0};
  if (parsed.port == 0)
    return sw_error_set(error, 0, NULL,
                        "\"%s\" does not end in a UDP port; write \":1\" to \":65535\"", text);
  memcpy(parsed.host, start, length);
  if (bracketed && !is_v6(start, length))
    return sw_error_set(error, 0, NULL,
                        "the text in the brackets of \"%s\" is not an IPv6 address; write it like "
                        "[2001:db8::1]:51900",
                        text);
  if (!bracketed && !is_v4(parsed.host) && !is_name(parsed.host))
    return sw_error_set(error, 0, NULL,
                        "\"%.*s\" is neither an IPv4 address nor a host name; write it like "
                        "192.0.2.1:51900 or b.example.net:51900",
                        (int)length, start);
  *endpoint = parsed;
  return 0;
}

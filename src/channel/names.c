#include "channel/names.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

bool sw_names_answer_valid(const struct sw_names_answer *answer, uint32_t index) {
  const size_t length = strnlen(answer->failure, sizeof(answer->failure));
  const bool failed = length > 0;
  if (answer->index != index || answer->count > SW_ENDPOINTS_MAX || failed == (answer->count > 0) ||
      length == sizeof(answer->failure) || answer->server.port > UINT16_MAX)
    return false;
  for (size_t i = 0; i < length; i++)
    if (!isprint((unsigned char)answer->failure[i])) return false;
  return true;
}

static bool read_address(const struct addrinfo *info, struct sw_address *address) {
  *address = (struct sw_address){.port = 0};
  if (info->ai_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)info->ai_addr;
    address->ip[10] = address->ip[11] = 0xff;
    memcpy(address->ip + 12, &v4->sin_addr, sizeof(v4->sin_addr));
    return true;
  }
  if (info->ai_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
    memcpy(address->ip, &v6->sin6_addr, sizeof(v6->sin6_addr));
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) address->scope = v6->sin6_scope_id;
    return true;
  }
  return false;
}

/* The first of the list that is of this family, or of any other but this. */
static const struct addrinfo *skip_to(const struct addrinfo *info, int family, bool same) {
  while (info && (info->ai_family == family) != same) info = info->ai_next;
  return info;
}

int sw_names_look_up(const char *host, int flags, struct sw_names_answer *answer) {
  const struct addrinfo hints = {
      .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP, .ai_flags = flags};
  struct addrinfo *list;
  const int status = getaddrinfo(host, NULL, &hints, &list);
  if (status != 0) return status;
  const int family = list->ai_family;
  const struct addrinfo *next[] = {list, skip_to(list, family, false)};
  answer->count = 0;
  for (bool same = true; answer->count < SW_ENDPOINTS_MAX && (next[0] || next[1]); same = !same) {
    const struct addrinfo *info = next[!same];
    if (!info) continue;
    next[!same] = skip_to(info->ai_next, family, same);
    if (read_address(info, &answer->addresses[answer->count])) answer->count++;
  }
  freeaddrinfo(list);
  return 0;
}

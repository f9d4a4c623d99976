#include "daemon/resolver.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

void sw_resolver_init(struct sw_resolver *resolver, uv_loop_t *loop, const struct sw_config *config,
                      void (*done)(void *user, const struct sw_address *addresses, size_t count),
                      void *user) {
  *resolver = (struct sw_resolver){.loop = loop, .config = config, .done = done, .user = user};
}

static void add(struct sw_resolver_request *request, const struct addrinfo *info) {
  if (request->found_count == SW_ENDPOINTS_MAX) return;
  struct sw_address *address = &request->found[request->found_count];
  *address =
      (struct sw_address){.port = request->resolver->config->endpoints[request->endpoint].port};
  if (info->ai_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)info->ai_addr;
    address->ip[10] = address->ip[11] = 0xff;
    memcpy(address->ip + 12, &v4->sin_addr, 4);
  } else if (info->ai_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
    memcpy(address->ip, &v6->sin6_addr, SW_IP_BYTES);
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) address->scope = v6->sin6_scope_id;
  } else {
    return;
  }
  request->found_count++;
}

static void finish(struct sw_resolver *resolver) {
  struct sw_address all[SW_ENDPOINTS_MAX];
  size_t count = 0;
  for (unsigned i = 0; i < resolver->config->endpoint_count; i++) {
    const struct sw_resolver_request *request = &resolver->requests[i];
    for (size_t k = 0; k < request->found_count && count < SW_ENDPOINTS_MAX; k++)
      all[count++] = request->found[k];
  }
  memcpy(resolver->failure, resolver->failing, sizeof(resolver->failure));
  resolver->done(resolver->user, all, count);
}

static void fail(struct sw_resolver *resolver, unsigned endpoint, int status) {
  snprintf(resolver->failing, sizeof(resolver->failing), "cannot resolve %s: %s",
           resolver->config->endpoints[endpoint].host, uv_strerror(status));
}

static void on_resolved(uv_getaddrinfo_t *uv, int status, struct addrinfo *list) {
  struct sw_resolver_request *request = uv->data;
  struct sw_resolver *resolver = request->resolver;
  if (status < 0) fail(resolver, request->endpoint, status);
  if (status == 0) {
    request->found_count = 0; /* a failure keeps what was known */
    for (const struct addrinfo *info = list; info; info = info->ai_next) add(request, info);
  }
  uv_freeaddrinfo(list);
  if (--resolver->running == 0 && !resolver->stopped) finish(resolver);
}

/* Whether the endpoint is an address, which needs no thread and no waiting. */
static bool resolve_address(struct sw_resolver_request *request, const char *host) {
  static const struct addrinfo hints = {
      .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP, .ai_flags = AI_NUMERICHOST};
  struct addrinfo *list;
  if (getaddrinfo(host, NULL, &hints, &list) != 0) return false;
  request->found_count = 0;
  add(request, list);
  freeaddrinfo(list);
  return true;
}

void sw_resolver_start(struct sw_resolver *resolver) {
  if (resolver->running) return;
  resolver->failing[0] = '\0';
  static const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
  for (unsigned i = 0; i < resolver->config->endpoint_count; i++) {
    const char *host = resolver->config->endpoints[i].host;
    struct sw_resolver_request *request = &resolver->requests[i];
    request->resolver = resolver;
    request->endpoint = i;
    request->uv.data = request;
    if (resolve_address(request, host)) continue;
    const int status =
        uv_getaddrinfo(resolver->loop, &request->uv, on_resolved, host, NULL, &hints);
    if (status < 0)
      fail(resolver, i, status);
    else
      resolver->running++;
  }
  if (!resolver->running) finish(resolver);
}

void sw_resolver_stop(struct sw_resolver *resolver) {
  resolver->stopped = true;
  for (unsigned i = 0; i < resolver->config->endpoint_count; i++)
    uv_cancel((uv_req_t *)&resolver->requests[i].uv);
}

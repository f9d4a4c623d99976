#include "protocol/endpoints.h"

#include <errno.h>

struct sw_endpoint *sw_endpoints_find(struct sw_endpoints *endpoints,
                                      const struct sw_address *address) {
  for (unsigned i = 0; i < endpoints->count; i++)
    if (sw_address_equal(&endpoints->known[i].address, address)) return &endpoints->known[i];
  return NULL;
}

/* Adds an address, with the state it had before.  Returns its endpoint. */
static struct sw_endpoint *add(struct sw_endpoints *endpoints, struct sw_endpoints *before,
                               const struct sw_address *address) {
  struct sw_endpoint *endpoint = sw_endpoints_find(endpoints, address);
  if (endpoint) return endpoint;
  const struct sw_endpoint *old = sw_endpoints_find(before, address);
  endpoint = &endpoints->known[endpoints->count++];
  *endpoint = old ? *old : (struct sw_endpoint){.address = *address};
  return endpoint;
}

void sw_endpoints_set(struct sw_endpoints *endpoints, const struct sw_address *addresses,
                      size_t count) {
  struct sw_endpoints before = *endpoints;
  endpoints->count = 0;
  for (size_t i = 0; i < count && endpoints->count < SW_ENDPOINTS_MAX; i++)
    add(endpoints, &before, &addresses[i]);
  endpoints->configured = endpoints->count;
  if (before.last.port) add(endpoints, &before, &before.last);
}

void sw_endpoints_confirmed(struct sw_endpoints *endpoints, const struct sw_address *address,
                            uint64_t now) {
  struct sw_endpoints before = *endpoints;
  if (!address->port) return; /* RFC 768 allows it as a source, but nothing can be sent to it */
  endpoints->last = *address;
  endpoints->count = endpoints->configured;
  add(endpoints, &before, address)->answer_time = now;
}

bool sw_endpoints_refused(const struct sw_endpoints *endpoints, uint64_t now) {
  for (unsigned i = 0; i < endpoints->count; i++) {
    const struct sw_endpoint *endpoint = &endpoints->known[i];
    if (endpoint->error == ECONNREFUSED && now - endpoint->error_time < SW_REFUSED_MEMORY)
      return true;
  }
  return false;
}

void sw_endpoints_report(const struct sw_endpoints *endpoints, struct sw_link_status *status) {
  status->peer = endpoints->last;
  status->endpoint_count = endpoints->count;
  for (unsigned i = 0; i < endpoints->count; i++) {
    const struct sw_endpoint *endpoint = &endpoints->known[i];
    status->endpoints[i] = (struct sw_endpoint_status){
        endpoint->address,    endpoint->attempt_time, endpoint->answer_time,
        endpoint->error_time, endpoint->error,
    };
  }
}

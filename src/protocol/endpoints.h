/*
 * The peer's addresses: the configured ones in order of preference, then the address of the session
 * confirmed last, unless it is a configured one.  Each keeps the results of sending to it.  Nothing
 * here is secret.
 */
#ifndef SALTWAY_PROTOCOL_ENDPOINTS_H
#define SALTWAY_PROTOCOL_ENDPOINTS_H

#include "protocol/protocol.h"
#include "saltway/link.h"

#define SW_ENDPOINTS_KNOWN (SW_ENDPOINTS_MAX + 1)

struct sw_endpoint {
  struct sw_address address;
  uint32_t init; /* session id of the latest init sent there; 0: none */
  int32_t error; /* errno of the latest error; 0: none */
  uint64_t attempt_time, answer_time, error_time;
};

struct sw_endpoints {
  struct sw_endpoint known[SW_ENDPOINTS_KNOWN];
  unsigned configured, count; /* count is configured, or one more */
  struct sw_address last;     /* port 0: none */
};

/** Replaces the configured addresses.  An address that is already known keeps its state. */
void sw_endpoints_set(struct sw_endpoints *endpoints, const struct sw_address *addresses,
                      size_t count);

/** Notes that a session was confirmed at `address`, which thereby answers: it becomes the last one.
 * Ignores port 0. */
void sw_endpoints_confirmed(struct sw_endpoints *endpoints, const struct sw_address *address,
                            uint64_t now);

/** The endpoint of this address, or NULL. */
struct sw_endpoint *sw_endpoints_find(struct sw_endpoints *endpoints,
                                      const struct sw_address *address);

/** Whether the latest error of any of them is a recent ECONNREFUSED (SW_REFUSED_MEMORY). */
bool sw_endpoints_refused(const struct sw_endpoints *endpoints, uint64_t now);

/** Writes the state of all addresses to `status`. */
void sw_endpoints_report(const struct sw_endpoints *endpoints, struct sw_link_status *status);

#endif

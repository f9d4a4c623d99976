/*
 * The peer's names, resolved on libuv's thread pool: first at start, and again while the link does
 * not come up, as names may have moved.  The struct is its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_DAEMON_RESOLVER_H
#define SALTWAY_DAEMON_RESOLVER_H

#include <stdbool.h>
#include <uv.h>

#include "config.h"
#include "saltway/link.h"

struct sw_resolver;

struct sw_resolver_request {
  uv_getaddrinfo_t uv;
  struct sw_resolver *resolver;
  unsigned endpoint;
  struct sw_address found[SW_ENDPOINTS_MAX];
  size_t found_count;
};

struct sw_resolver {
  uv_loop_t *loop;
  const struct sw_config *config;
  void (*done)(void *user, const struct sw_address *addresses, size_t count);
  void *user;
  unsigned running; /* requests under way */
  bool stopped;
  char failure[512]; /* what of the latest resolution failed; empty: nothing */
  char failing[512]; /* of the one under way */
  struct sw_resolver_request requests[SW_CONFIG_ENDPOINTS_MAX];
};

void sw_resolver_init(struct sw_resolver *resolver, uv_loop_t *loop, const struct sw_config *config,
                      void (*done)(void *user, const struct sw_address *addresses, size_t count),
                      void *user);

/** Starts resolving all endpoints; `done` is called with what was found, names in the file's order,
 * once all are through.  A resolution under way is left to end. */
void sw_resolver_start(struct sw_resolver *resolver);

/** Gives up what is under way, as far as it can be; the loop ends once the rest is through. */
void sw_resolver_stop(struct sw_resolver *resolver);

#endif

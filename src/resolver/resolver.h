/*
 * The peer's names, resolved by a child process: first at start, and again while the link does not
 * come up, as names may have moved.
 *
 * What answers come from the network is read there, without privileges, and without a descriptor or
 * a key of the parent's.  The parent takes records of one fixed size, in which no number is a
 * length, an index or an address of its memory before it is looked at.  The struct is its owner's
 * and must outlive the loop's run.
 */
#ifndef SALTWAY_RESOLVER_RESOLVER_H
#define SALTWAY_RESOLVER_RESOLVER_H

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#include "config/config.h"
#include "saltway/link.h"

/* What is known of an endpoint. */
struct sw_resolver_found {
  struct sw_address addresses[SW_ENDPOINTS_MAX];
  uint32_t count;
};

struct sw_resolver {
  uv_loop_t *loop;
  const struct sw_config *config;
  void (*done)(void *user, const struct sw_address *addresses, size_t count);
  void *user;
  pid_t child; /* 0: none */
  int channel; /* to it */
  uv_poll_t poll;
  bool polling;      /* `poll` is not closed yet */
  uint32_t answered; /* endpoints that the child has answered for, in their order */
  char failure[512]; /* what of the latest resolution failed; empty: nothing */
  char failing[512]; /* of the one under way */
  struct sw_resolver_found found[SW_CONFIG_ENDPOINTS_MAX];
};

void sw_resolver_init(struct sw_resolver *resolver, uv_loop_t *loop, const struct sw_config *config,
                      void (*done)(void *user, const struct sw_address *addresses, size_t count),
                      void *user);

/** Starts resolving all endpoints; `done` is called with what was found, names in the file's order,
 * once all are through.  A resolution under way is left to end. */
void sw_resolver_start(struct sw_resolver *resolver);

/** Ends what is under way, without `done`. */
void sw_resolver_stop(struct sw_resolver *resolver);

#endif

/*
 * What the parent knows of a link at one time: all that a report (report.h) is made of, but for the report
 * before.
 */
#ifndef SALTWAY_PARENT_FACTS_H
#define SALTWAY_PARENT_FACTS_H

#include <stdbool.h>

#include "channel/channel.h"
#include "config/config.h"
#include "saltway/link.h"

/** What is known at the time `now`, in nanoseconds.  It owns nothing, and is made for one call. */
struct sw_facts {
  const struct sw_config *config;
  const struct sw_link_status *link;
  const struct sw_queue_status *queue;
  uint64_t now;
  uint16_t port;            /* our own */
  uint32_t mark;            /* of our datagrams; 0: none */
  const char *unresolved;   /* why a name could not be resolved, or "" */
  struct sw_address server; /* the name server, if it is reached through the link; port 0: not */
  bool interface_down;
  unsigned place; /* of the configured endpoint that is in use, from 0 */
};

/** Whether something happened at `time`, and not longer than `memory` ago, both in nanoseconds.  A time of
 * 0 is never. */
static inline bool sw_facts_within(const struct sw_facts *facts, uint64_t time, uint64_t memory) {
  return time && facts->now - time <= memory;
}

#endif

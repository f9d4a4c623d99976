/*
 * What people are told of a running link: one sentence on how it is and why, and all its numbers as
 * JSON.  The sentence is what the log says when it changes and what `saltway status` prints.
 */
#ifndef SALTWAY_PARENT_REPORT_H
#define SALTWAY_PARENT_REPORT_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "saltway/link.h"

#define SW_REPORT_TEXT 768

/* how long an observation of a fault explains what is seen; those that every try would bring again
 * are outlived by the longest pause between tries only */
#define SW_REPORT_MEMORY (30 * SW_SECOND)
#define SW_REPORT_MEMORY_OF_TRY (6 * SW_SECOND)

enum sw_condition {
  SW_CONDITION_UP,
  SW_CONDITION_STARTING, /* too early to say more */
  SW_CONDITION_WAITING,  /* for the peer, of which no address is known */
  SW_CONDITION_UNRESOLVED,
  SW_CONDITION_VERSION,
  SW_CONDITION_FOREIGN, /* datagrams arrive that our key does not open */
  SW_CONDITION_CLOSED,  /* by the peer */
  SW_CONDITION_REFUSED, /* the peer's host says that nobody listens */
  SW_CONDITION_UNREACHABLE,
  SW_CONDITION_SILENT, /* nothing arrives at all */
};

/** All that is known of a link at the time `now`. */
struct sw_report {
  const struct sw_config *config;
  const struct sw_link_status *link;
  uint64_t now;
  uint64_t started;
  uint16_t port; /* our own */
  unsigned interface_mtu;
  pid_t engine;    /* the process that carries */
  bool confined;   /* it can do nothing else */
  int unreachable; /* errno; 0: none */
  uint64_t unreachable_time;
  const char *unresolved; /* a sentence, or "" */
  bool covered;           /* routes to AllowedIPs lead to the peer's own address, too */
};

/** Tells the link's condition, and says it in a sentence with what to do about it. */
enum sw_condition sw_report_condition(const struct sw_report *report, char text[SW_REPORT_TEXT]);

/** All of it as a line of JSON, from malloc; the caller frees it.  NULL if memory is short. */
char *sw_report_json(const struct sw_report *report);

#endif

/*
 * The diagnosis of a link: its condition, which endpoint that is about, and a sentence for people
 * with the cause and what to do about it.  The log has the sentence whenever the condition changes,
 * and `saltway status` shows it.
 *
 * A pure function of what is known and of the report before.  A condition that tells less replaces
 * one that tells more only when the latter has not been observed for a full round of tries, so that
 * what alternates with the tries does not fill the log.  Any thread may call it.
 */
#ifndef SALTWAY_PARENT_REPORT_H
#define SALTWAY_PARENT_REPORT_H

#include <stdbool.h>

#include "config/config.h"
#include "saltway/link.h"

/** Size of the sentence; a line of the log holds it. */
#define SW_REPORT_TEXT 960

/** How long an observation explains why a link is not up, if nothing says otherwise. */
#define SW_REPORT_MEMORY (30 * SW_SECOND)

/** The longest pause between two tries: a round of them takes this for every endpoint. */
#define SW_REPORT_TRY (6 * SW_SECOND)

/** Answers that the peer receives lead to a session within this time. */
#define SW_REPORT_ANSWER (2 * SW_SECOND)

/** So many endpoints are named in a sentence. */
#define SW_REPORT_ENDPOINTS 3

/* From what tells least to what tells most; those after UP are faults. */
enum sw_condition {
  SW_CONDITION_STARTING, /* too early to tell more */
  SW_CONDITION_WAITING,  /* for the peer to start: none of its addresses is known */
  SW_CONDITION_UP,
  SW_CONDITION_STRANGER, /* waiting, and what arrives is not sealed with our key */
  SW_CONDITION_SILENT,   /* no endpoint answers */
  SW_CONDITION_CLOSED,   /* by the peer */
  SW_CONDITION_COVERED, /* silent, and AllowedIPs lead to it: the link may carry its own datagrams */
  SW_CONDITION_UNREACHABLE,
  SW_CONDITION_REFUSED, /* the peer's host reports that nothing listens */
  SW_CONDITION_UNRESOLVED,
  SW_CONDITION_ONE_WAY, /* the peer's handshakes arrive, our answers do not reach it */
  SW_CONDITION_FOREIGN, /* what arrives from an endpoint is not sealed with our key */
  SW_CONDITION_VERSION,
};

/** What is known of a link at the time `now`. */
struct sw_facts {
  const struct sw_config *config;
  const struct sw_link_status *link;
  uint64_t now;
  uint16_t port;          /* our own */
  const char *unresolved; /* why a name could not be resolved, or "" */
};

/** All zero: nothing was reported yet. */
struct sw_report {
  enum sw_condition condition;
  struct sw_address endpoint; /* that it is about; port 0: none, or an unknown one */
  uint64_t since;             /* the condition and its endpoint are these */
  uint64_t observed;          /* they were, at last */
  char text[SW_REPORT_TEXT];
};

/** Reports on the link.  A condition other than that of `before`, or another endpoint, has a `since`
 * of its own: the time `facts->now`. */
struct sw_report sw_report_make(const struct sw_facts *facts, const struct sw_report *before);

/** The condition as one word, for programs: "one-way". */
const char *sw_condition_name(enum sw_condition condition);

#endif

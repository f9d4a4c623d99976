/*
 * The diagnosis of a link: its state, and the reason for it: a condition, the endpoint that the
 * condition is about, and a sentence with the cause and the fix.  The sentence is logged whenever
 * the condition changes, and `saltway status` shows it.
 *
 * A pure function of the known facts and the previous report; any thread may call it.  A less
 * specific condition replaces a more specific one only after the latter has not been observed for a
 * full round of tries, and a degraded link is called up again only after half a minute without the
 * cause.  So observations that alternate do not fill the log.
 */
#ifndef SALTWAY_PARENT_REPORT_H
#define SALTWAY_PARENT_REPORT_H

#include "parent/facts.h"
#include "parent/loss.h"
#include "parent/sentence.h"

/** How long an observation is believed to explain why a link is not up. */
#define SW_REPORT_MEMORY (30 * SW_SECOND)

/** An answer that reaches the peer leads to a session within this time. */
#define SW_REPORT_ANSWER (2 * SW_SECOND)

/** What the link does. */
enum sw_state {
  SW_STATE_STARTING,  /* there is no report yet */
  SW_STATE_RESOLVING, /* no address of a configured endpoint is known */
  SW_STATE_CONNECTING,
  SW_STATE_WAITING, /* for the peer, which has to connect */
  SW_STATE_UP,
  SW_STATE_DEGRADED, /* up, with a fault */
  SW_STATE_SILENT,
  SW_STATE_INTERFACE_DOWN,
  SW_STATE_CLOSED, /* by either side */
};

/* Why it does that.  Ordered from the least to the most specific; those after UP are faults, the
 * ones before STRANGER those of a link that is up. */
enum sw_condition {
  SW_CONDITION_STARTING, /* too early to say more */
  SW_CONDITION_WAITING,  /* for the peer, none of whose addresses is known */
  SW_CONDITION_UP,
  SW_CONDITION_LOSS,      /* many probes are not answered, or datagrams do not come */
  SW_CONDITION_SMALL_MTU, /* the path needs fragments */
  SW_CONDITION_STANDBY,   /* the preferred endpoint is not the one in use */
  SW_CONDITION_STRANGER,  /* waiting, and datagrams arrive that our key does not open */
  SW_CONDITION_SILENT,    /* no endpoint answers */
  SW_CONDITION_CLOSED,    /* by the peer */
  SW_CONDITION_COVERED,   /* silent, and within AllowedIPs: the link may carry its own datagrams */
  SW_CONDITION_UNREACHABLE,
  SW_CONDITION_REFUSED, /* the peer's host reports that nothing listens */
  SW_CONDITION_UNRESOLVED,
  SW_CONDITION_NAME_SERVER, /* unresolved, as the link leads to the name server */
  SW_CONDITION_ONE_WAY,     /* the peer's handshakes arrive, our answers do not reach it */
  SW_CONDITION_FOREIGN,     /* datagrams arrive from an endpoint that our key does not open */
  SW_CONDITION_VERSION,
  SW_CONDITION_INTERFACE_DOWN,
};

/** All zero before the first report. */
struct sw_report {
  enum sw_state state;
  uint64_t state_since;
  enum sw_condition condition;
  struct sw_address endpoint; /* that the condition is about; port 0: none, or not known */
  uint64_t since;             /* when this condition of this endpoint was first observed */
  uint64_t observed;          /* when it was last observed */
  uint64_t heard_since; /* of a link that is not up: since when the peer is heard; 0: it is not */
  struct sw_loss loss;
  char text[SW_SENTENCE_TEXT];
};

/** Diagnoses the link.  If the condition or the endpoint of a fault differs from that of `before`,
 * `since` is `facts->now`. */
struct sw_report sw_report_make(const struct sw_facts *facts, const struct sw_report *before);

/** The state for people and programs: "up", "interface down". */
const char *sw_state_name(enum sw_state state);

/** The condition as one word, for programs: "one-way". */
const char *sw_condition_name(enum sw_condition condition);

#endif

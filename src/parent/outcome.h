/*
 * What came of the tries to reach the peer: the outcome at each of its endpoints, and the words for it,
 * with the cause and the fix.  Pure functions of the facts; any thread.  Those that add to a sentence
 * leave out what does not fit.
 */
#ifndef SALTWAY_PARENT_OUTCOME_H
#define SALTWAY_PARENT_OUTCOME_H

#include "parent/facts.h"
#include "parent/sentence.h"

/** The longest pause between two tries, each of which is to all endpoints, in nanoseconds.  Two are a
 * full round. */
#define SW_OUTCOME_TRY (6 * SW_SECOND)
#define SW_OUTCOME_ROUND (2 * SW_OUTCOME_TRY)

/** The most endpoints that one sentence names. */
#define SW_OUTCOMES_TOLD 3

/** The outcome of the tries at one endpoint, from the least to the most specific.  UNREACHABLE comes
 * first: many hosts have no IPv6, and names often have addresses of both families. */
enum sw_outcome {
  SW_OUTCOME_PENDING, /* nothing can be said yet, or the endpoint has answered */
  SW_OUTCOME_UNREACHABLE,
  SW_OUTCOME_SILENT,
  SW_OUTCOME_COVERED,  /* silent, and within AllowedIPs */
  SW_OUTCOME_REJECTED, /* this machine does not send to the endpoint */
  SW_OUTCOME_REFUSED,  /* its host reports that nothing listens */
};

/** The endpoints with an outcome, the most specific first.  They are a part of the facts. */
struct sw_outcomes {
  const struct sw_endpoint_status *endpoints[SW_ENDPOINTS_MAX + 1];
  unsigned count;
};

/** PENDING before every endpoint was tried, unless this one failed. */
enum sw_outcome sw_outcome_of(const struct sw_facts *facts,
                              const struct sw_endpoint_status *endpoint);

/** Whether the latest try at the endpoint failed with an error. */
bool sw_outcome_failed(const struct sw_facts *facts, const struct sw_endpoint_status *endpoint);

/** Whether the routes to AllowedIPs may lead the link's own datagrams into the link. */
bool sw_outcome_covered(const struct sw_config *config, const struct sw_address *endpoint);

/** Selects none before every endpoint was tried. */
struct sw_outcomes sw_outcomes_select(const struct sw_facts *facts);

/** Adds what each endpoint's outcome is, for as many as a sentence names. */
void sw_outcomes_add(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                     const struct sw_outcomes *outcomes);

/** Adds that nothing arrives at all: every endpoint is silent. */
void sw_outcomes_add_silence(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                             const struct sw_outcomes *outcomes);

/** Adds the error of an endpoint that has failed, and the fix. */
void sw_outcome_add_cause(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                          const struct sw_endpoint_status *endpoint);

/** Adds that the endpoint, which was named just before, is covered, and the fix. */
void sw_outcome_add_covered(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                            const struct sw_address *endpoint);

#endif

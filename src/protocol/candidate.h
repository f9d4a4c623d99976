/*
 * A candidate: a pair of addresses on which the peer may be reached (as in ICE, RFC 8445), and what
 * probes have shown of it.  And the table of them.
 *
 *   - configured: an address of the peer that the link was given.  Its rank is its place there.
 *   - observed: authentic datagrams of the peer came from there.
 *
 * A candidate is validated when a probe that was sent on it has been answered: an observed one from
 * its own address, and until then it gets at most as many bytes as came from it (RFC 9000 §8.1).
 *
 * Nothing here is secret.  `rows` is the table, of SW_CANDIDATES rows.
 */
#ifndef SALTWAY_PROTOCOL_CANDIDATE_H
#define SALTWAY_PROTOCOL_CANDIDATE_H

#include <stdbool.h>

#include "protocol/protocol.h"

#define SW_CANDIDATES SW_PATHS_MAX
_Static_assert(SW_PATHS_MAX == SW_ENDPOINTS_MAX + SW_OBSERVED_MAX, "each candidate has a place");
#define SW_PROBES_KEPT 16 /* of each path: an ack of an earlier one is ignored */

#define SW_RANK_NONE UINT32_MAX

struct sw_candidate {
  uint32_t id; /* in the tokens of its probes; 0: the row is empty */
  struct sw_path path;
  uint32_t rank;           /* among the configured ones, or SW_RANK_NONE */
  uint32_t next;           /* number of the next probe */
  uint32_t unanswered;     /* probes since the last ack */
  uint32_t lost;           /* probes that were not answered from there in time */
  uint64_t probe_at;       /* when the next probe is due, or UINT64_MAX */
  uint64_t heard_time;     /* the peer sent on it as its active path */
  uint32_t mtu;            /* found when it was the active path; 0: unknown */
  uint64_t answer_time;    /* a probe was answered; 0: the path is not validated */
  uint64_t steady_since;   /* every probe was answered from there since; 0: the last was not */
  uint64_t probe_time;     /* the latest probe was sent */
  uint64_t check_at;       /* earliest time of the next probe while it is not validated */
  uint64_t contest_at;     /* earliest time of a doubt because the peer sends on it */
  size_t credit;           /* bytes that may be sent before it is validated */
  uint64_t rtt, deviation; /* RFC 6298; 0: not measured */
  uint64_t sent[SW_PROBES_KEPT]; /* when the latest probes were sent, by number */
};

bool sw_candidate_is_configured(const struct sw_candidate *row);
bool sw_candidate_is_validated(const struct sw_candidate *row);

/** Whether a datagram on this path is on this candidate.  Our own address may be unknown in either. */
bool sw_candidate_is_on(const struct sw_candidate *row, const struct sw_path *path);

/** How long an ack may take (RFC 6298). */
uint64_t sw_candidate_ack_time(const struct sw_candidate *row);

/** Notes that the next probe is sent.  Returns its token. */
uint64_t sw_candidate_probed(struct sw_candidate *row, uint64_t now);

/** When the probe `number` was sent; 0: it is not one of the latest, or was answered from there. */
uint64_t sw_candidate_sent(const struct sw_candidate *row, uint32_t number);

/** Notes the answer to the probe `number`, which was sent.  `there`: it came from the candidate's own
 * address. */
void sw_candidate_answered(struct sw_candidate *row, uint32_t number, bool there, uint64_t now);

/** Notes which probes are lost: those that were not answered from there in time.  An answer that came
 * from elsewhere has shown that we can send there, but the peer perhaps cannot. */
void sw_candidate_note_lost(struct sw_candidate *row, uint64_t now);

/** The candidate that this path is on, or NULL. */
struct sw_candidate *sw_candidates_find(struct sw_candidate *rows, const struct sw_path *path);

/** The one with this id, or NULL. */
struct sw_candidate *sw_candidates_find_id(struct sw_candidate *rows, uint32_t id);

/** Whether a candidate with this address of the peer is configured; NULL: with any. */
bool sw_candidates_configured(const struct sw_candidate *rows, const struct sw_address *peer);

/** Adds a candidate, in an empty row or that of the observed one that was heard least lately, but not
 * in `keep`.  Returns NULL for an address with port 0, to which nothing can be sent. */
struct sw_candidate *sw_candidates_add(struct sw_candidate *rows, const struct sw_candidate *keep,
                                       const struct sw_path *path, uint32_t rank);

/** Notes our address of a candidate.  Another observed one of the same path is removed. */
void sw_candidates_adopt(struct sw_candidate *rows, const struct sw_candidate *keep,
                         struct sw_candidate *row, const uint8_t local[SW_IP_BYTES]);

/** Replaces the configured addresses.  What is known of a path is kept; others that are not
 * validated are removed, but not `keep`. */
void sw_candidates_configure(struct sw_candidate *rows, struct sw_candidate *keep,
                             const struct sw_address *addresses, size_t count);

#endif

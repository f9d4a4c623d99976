/*
 * The paths of a link: pairs of addresses on which the peer may be reached, and what probes have
 * shown of each.
 *
 * One path is active: all datagrams of sessions are sent on it.  The others are candidates (as in
 * ICE, RFC 8445):
 *
 *   - configured: an address of the peer that the link was given.  Its rank is its place there.
 *   - observed: authentic datagrams of the peer came from there.
 *
 * A path is validated when a probe that was sent on it has been answered from its peer address.  An
 * observed one gets at most as many bytes as came from it until then (RFC 9000 §8.1).
 *
 * The active path changes only when it is dead, or when a better one has worked for some time.  It
 * is doubted when a probe was not answered in time, when the kernel or the network reports an
 * error, or when the peer sends from elsewhere.  Then it and the candidates are probed; it is dead
 * when SW_DOUBT_PROBES of its probes in a row were not answered.  So nobody can move a link whose
 * path works with copies of its datagrams, however fast they are.
 *
 * A side that has chosen another path itself tells the peer so (SW_KIND_MOVE), which follows though
 * the old path still answers.  It waits for several such requests first: if one of these datagrams
 * arrives from another address, too, somebody copies it, and they are ignored.
 *
 * Nothing here is secret.
 */
#ifndef SALTWAY_PROTOCOL_PATHS_H
#define SALTWAY_PROTOCOL_PATHS_H

#include <stdbool.h>

#include "protocol/protocol.h"
#include "saltway/batch.h"

#define SW_CANDIDATES (SW_ENDPOINTS_MAX + SW_OBSERVED_MAX)
#define SW_PROBES_KEPT 16 /* of each path: an ack of an earlier one is ignored */

#define SW_RANK_NONE UINT32_MAX

struct sw_candidate {
  uint32_t id; /* in the tokens of its probes; 0: the row is empty */
  struct sw_path path;
  uint32_t rank;           /* among the configured ones, or SW_RANK_NONE */
  uint32_t next;           /* number of the next probe */
  uint32_t unanswered;     /* probes since the last ack */
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

struct sw_paths {
  struct sw_candidate rows[SW_CANDIDATES];
  struct sw_candidate *active; /* or NULL */
  bool used;                   /* packets were sent on it since its last probe */
  size_t longest;              /* of them, in bytes */
  bool long_sent;              /* a probe of that length has no ack yet: */
  uint32_t long_number;        /* this one */
  unsigned long_lost;          /* how many such probes were lost in a row */
  bool led;                    /* the peer chose it: we do not return to a better one */
  unsigned announcements;      /* probes left that ask the peer to send on it */
  uint64_t announce_at;        /* earliest time of the next ones */
  uint64_t doubt_since;        /* 0: it is not in doubt */
  uint64_t doubt_time;         /* how long it is probed before it can be dead */
  unsigned doubt_probes;
  uint64_t contest_at;         /* earliest time of any doubt without a lost probe */
  struct sw_candidate *former; /* the one before, or NULL */
  uint64_t watched_until;      /* a known path takes its place if it answers by then */
};

/* The peer has asked us to send on another path. */
struct sw_move {
  uint32_t id; /* of the candidate; 0: there is no such request */
  uint32_t session;
  uint64_t words[SW_ANNOUNCEMENTS]; /* of the datagrams that asked */
  unsigned count;                   /* of them */
  uint64_t time;                    /* of the first */
};

struct sw_link;

/** Replaces the configured addresses.  What is known of a path is kept. */
void sw_paths_configure(struct sw_link *link, const struct sw_address *addresses, size_t count);

/** A session was confirmed on this path.  `first`: there was no other. */
void sw_paths_confirmed(struct sw_link *link, const struct sw_path *path, bool first);

/** Packets of up to `length` bytes were sealed, and leave on the active path. */
void sw_paths_used(struct sw_link *link, size_t length);

/** The interval of probes has changed. */
void sw_paths_keepalive_changed(struct sw_link *link);

/** How long an ack on the active path may take. */
uint64_t sw_paths_patience(const struct sw_link *link);

/** An authentic datagram was received in the current session, with a counter higher than all before
 * it. */
void sw_paths_received(struct sw_link *link, const struct sw_opening *opening);

/** A datagram was received whose counter was seen before. */
void sw_paths_repeated(struct sw_link *link, const struct sw_opening *opening);

/** Writes where a probe that was received on `path` is to be acknowledged: on that path if it is
 * validated or configured, and on the active one.  Returns how many. */
unsigned sw_paths_reply(struct sw_link *link, const struct sw_path *path,
                        const struct sw_path *to[2]);

/** An ack with this token was received on `path`. */
void sw_paths_acknowledged(struct sw_link *link, uint64_t token, const struct sw_path *path);

/** An error was reported for sending on the active path, perhaps by a stranger: it is probed. */
void sw_paths_failed(struct sw_link *link);

/** When the next probe is due; UINT64_MAX: none is. */
uint64_t sw_paths_due(const struct sw_link *link);

/** Makes the probe that is due, or gives up the active path.  Returns the length of the probe, or
 * 0. */
size_t sw_paths_probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path);

#endif

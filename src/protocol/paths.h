/*
 * The paths of a link: which of the candidates (candidate.h) is active, and when another takes its
 * place.  All datagrams of sessions are sent on the active path.
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

#include "protocol/candidate.h"
#include "saltway/batch.h"

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
  uint64_t contest_at;    /* earliest time of any doubt without a lost probe */
  uint32_t former;        /* id of the one before; 0: none */
  uint64_t watched_until; /* a known path takes its place if it answers by then */
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

/** Writes what is known of each path to `status`. */
void sw_paths_report(const struct sw_link *link, struct sw_link_status *status);

/** When the next probe is due; UINT64_MAX: none is. */
uint64_t sw_paths_due(const struct sw_link *link);

/** Makes the probe that is due, or gives up the active path.  Returns the length of the probe, or
 * 0. */
size_t sw_paths_probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path);

#endif

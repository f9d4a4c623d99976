/*
 * The MTU of the active path, found with probes (RFC 8899): the longest packet that it carries.
 *
 * A round sends probes of several sizes at once, and sends those again that are not answered.  The
 * largest that is answered is a lower limit, and the smallest that is not an upper limit; further
 * rounds search between them.  All sizes but the least let a datagram hold whole blocks of the
 * cipher.  A search begins when a path becomes active, when it stops carrying long datagrams,
 * when a datagram is reported to be too long, and every SW_MTU_AGAIN.  An ICMP report only starts a
 * search: it can be forged.
 *
 * Every path has to carry packets of SW_MTU_LEAST bytes, which IPv6 requires.  Where it does not,
 * datagrams have to be fragmented.  A configured MTU is kept, as datagrams may always be fragmented
 * then; the search tells whether they have to be.  Its probes never are.
 */
#ifndef SALTWAY_PROTOCOL_PATHMTU_H
#define SALTWAY_PROTOCOL_PATHMTU_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/protocol.h"

#define SW_MTU_SIZES 5 /* of a round, at most */

struct sw_pathmtu {
  uint32_t limit; /* the configured MTU; 0: none */
  uint32_t found; /* the result so far */
  bool fragment;  /* the configured MTU, or else SW_MTU_LEAST, does not pass in one piece */

  uint32_t id; /* in the tokens of the probes of this search; 0: there is none */
  uint64_t begun;
  uint32_t passed;              /* limits of this search: the largest size that passed, */
  uint32_t failed;              /* and the smallest that did not */
  uint32_t sizes[SW_MTU_SIZES]; /* of this round, without a result, in ascending order */
  unsigned count;
  unsigned next;               /* of them, to be sent */
  unsigned sends;              /* how often all were sent */
  uint32_t sent[SW_MTU_SIZES]; /* sizes of the latest probes; 0: it was answered or refused */
  unsigned sent_next;
  uint64_t at;      /* when there is something to do, or UINT64_MAX */
  uint64_t hint_at; /* earliest time of the next search because of a report */
};

struct sw_link;

/** Sets the configured MTU; 0: that of the path is searched. */
void sw_pathmtu_set(struct sw_link *link, uint32_t mtu);

/** Starts a search on a new active path, on which packets of `known` bytes passed before; 0: that is
 * not known. */
void sw_pathmtu_begin(struct sw_link *link, uint32_t known);

/** Long datagrams perhaps do not pass any more: starts a search. */
void sw_pathmtu_hint(struct sw_link *link);

/** The network has reported that a datagram was too long: starts a search.  The path is probed
 * meanwhile, so that the search need not wait to know whether it works at all. */
void sw_pathmtu_reported(struct sw_link *link);

/** The kernel has refused a datagram that holds `size` bytes as too long for the local interface.
 * Returns whether it was a probe. */
bool sw_pathmtu_refused(struct sw_link *link, uint32_t size);

/** An ack with this token was received. */
void sw_pathmtu_acknowledged(struct sw_link *link, uint64_t token);

/** When there is something to do; UINT64_MAX: nothing. */
uint64_t sw_pathmtu_due(const struct sw_link *link);

/** Makes the next probe.  Returns its length, or 0. */
size_t sw_pathmtu_probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path);

#endif

/*
 * Sealing and opening of whole batches on several cores: sw_link_seal and sw_link_open, with the
 * work of the cipher split off.
 *
 *   1. The link's thread begins: it takes counters, reads headers and checks for replays.
 *   2. Any threads run the cipher, each datagram once, while nobody uses the link.
 *   3. When all have ended, the link's thread finishes the opened datagrams in order of arrival.
 *
 * Nobody uses the link between 1 and 3, so no session ends and no key is wiped under a thread that
 * uses it.  The result is that of sealing and opening one by one: a copy of a datagram in the same
 * batch is refused when its turn comes, and so is what follows a farewell.
 *
 * The buffers are as for sw_link_seal and sw_link_open.  What those destroy and restore around them
 * must not be another thread's.
 */
#ifndef SALTWAY_BATCH_H
#define SALTWAY_BATCH_H

#include "saltway/link.h"

/** Counters taken for datagrams.  All of it is the link's. */
struct sw_sealing {
  const struct sw_secretbox *box;
  const uint8_t *mask;
  uint32_t session;
  uint64_t word; /* of the first */
  unsigned count;
};

/** Takes counters for `count` packets of `bytes` in all, each of 1 to SW_PACKET_MAX; `partial` is
 * said of them all.  Returns 0, or -ENOTCONN, counted as so many drops, if the link is down. */
int sw_link_seal_begin(struct sw_link *link, uint64_t now, unsigned count, size_t bytes,
                       bool partial, struct sw_sealing *sealing);

/** Seals packet `index` (below `count`) of them; no index may be used twice.  Returns the
 * datagram's length.  Any thread. */
size_t sw_sealing_run(const struct sw_sealing *sealing, unsigned index, uint8_t *packet,
                      size_t length, uint8_t *datagram);

/** A datagram that is being opened. */
struct sw_opening {
  const struct sw_path *path; /* these are the caller's, as for sw_link_open */
  const uint8_t *datagram;
  size_t length;
  uint8_t *packet;

  uint32_t session; /* the rest is the link's */
  uint64_t word;
  const struct sw_secretbox *box; /* NULL: it is opened, or dropped, when it is finished */
  bool exact;                     /* there is no room around the buffers */
  bool verified;
};

/** Reads the header of a datagram whose first four fields are set, and looks whether it may be
 * opened.  Changes nothing in the link but its time. */
void sw_link_open_begin(struct sw_link *link, uint64_t now, struct sw_opening *opening);

/** Opens it, if it may be.  Any thread. */
void sw_opening_run(struct sw_opening *opening);

/** Does what is to be done with it, and returns as sw_link_open. */
enum sw_received sw_link_open_finish(struct sw_link *link, struct sw_opening *opening,
                                     struct sw_opened *opened);

#endif

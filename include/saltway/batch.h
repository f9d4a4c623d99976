/*
 * Sealing and opening of batches on several cores: sw_link_seal and sw_link_open, divided so that
 * other threads can run the cipher.
 *
 *   1. The thread of the link reserves counters, reads headers and checks for replays.
 *   2. Any threads run the cipher, once for each datagram.
 *   3. When all are done, the thread of the link finishes the opened datagrams in order of arrival.
 *
 * The link must not be used between 1 and 3, so that no session ends and no key is wiped while a
 * thread uses it.  The result is the same as of sealing and opening one by one: a second copy of a
 * datagram in a batch is dropped in step 3, and so is what follows a farewell.
 *
 * The buffers are those of sw_link_seal and sw_link_open.  The bytes around them that those
 * functions overwrite must not be in use by another thread.
 */
#ifndef SALTWAY_BATCH_H
#define SALTWAY_BATCH_H

#include "saltway/link.h"

/** A range of reserved counters.  The fields are private to the link. */
struct sw_sealing {
  const struct sw_secretbox *box;
  const uint8_t *mask;
  uint32_t session;
  uint64_t word; /* of the first datagram */
  unsigned count;
};

/** Reserves counters for `count` packets, each of 1 to SW_PACKET_MAX bytes and `bytes` in all.
 * `partial`, as for sw_link_seal, holds for all of them.  Returns 0, or -ENOTCONN if the link is
 * down, which counts as `count` drops. */
int sw_link_seal_begin(struct sw_link *link, uint64_t now, unsigned count, size_t bytes,
                       bool partial, struct sw_sealing *sealing);

/** Seals packet `index`, which is below `count`.  No index may be used twice.  Returns the length
 * of the datagram.  Any thread may call it. */
size_t sw_sealing_run(const struct sw_sealing *sealing, unsigned index, uint8_t *packet,
                      size_t length, uint8_t *datagram);

/** A datagram that is being opened. */
struct sw_opening {
  const struct sw_path *path; /* the first four are set by the caller, as for sw_link_open */
  const uint8_t *datagram;
  size_t length;
  uint8_t *packet;

  const struct sw_keys *keys; /* the others are private to the link */
  uint32_t session;
  uint64_t word;
  const struct sw_secretbox *box; /* NULL: sw_opening_run does nothing */
  bool exact;                     /* there is no room around the buffers */
  bool verified;
};

/** Reads the header of the datagram and checks whether its session may open it.  Changes nothing in
 * the link but its time. */
void sw_link_open_begin(struct sw_link *link, uint64_t now, struct sw_opening *opening);

/** Runs the cipher, if sw_link_open_begin allowed it.  Any thread may call it. */
void sw_opening_run(struct sw_opening *opening);

/** Processes the datagram, and returns as sw_link_open. */
enum sw_received sw_link_open_finish(struct sw_link *link, struct sw_opening *opening,
                                     struct sw_opened *opened);

#endif

/*
 * Sealing and opening of one whole batch by the loop's thread and its workers: what of a batch is
 * worth it, and how it is laid out so that no two threads touch the same bytes.
 *
 * The loop's thread owns it and calls everything here.
 */
#ifndef SALTWAY_ENGINE_BATCH_H
#define SALTWAY_ENGINE_BATCH_H

#include "engine/workers.h"
#include "packet/gro.h"
#include "packet/gso.h"
#include "saltway/batch.h"

/* Bytes of packets below which a batch is not spread: a dozen microseconds of one core's. */
#define SW_BATCH_LEAST 16384

/* most datagrams opened in one go */
#define SW_BATCH_OPENINGS 64

struct sw_batch {
  struct sw_workers *workers; /* NULL or none of them: nothing is spread */
  struct sw_seam *seams;
  uint8_t *room; /* where packets are opened: SW_GRO_BUFFER bytes of the caller's */
  size_t used;
  struct sw_opening openings[SW_BATCH_OPENINGS];
  unsigned count, shares; /* of them */
};

/** Returns 0 or -ENOMEM. */
int sw_batch_start(struct sw_batch *batch, struct sw_workers *workers, uint8_t *room);

void sw_batch_stop(struct sw_batch *batch);

/** Seals all segments of what was just begun to be cut as datagrams one behind the other, with room
 * around them as sw_link_seal needs it.  Returns the bytes of all datagrams, each `each` long but
 * the last; 0 if the link is down; or -EAGAIN, with nothing done, if it is not worth it. */
int64_t sw_batch_seal(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                      const struct sw_gso *gso, uint8_t *datagrams, size_t *each);

/** Whether it is worth it to open datagrams of so many bytes in batches. */
bool sw_batch_opens(const struct sw_batch *batch, size_t bytes);

/** Adds a datagram to what is to be opened.  Returns whether there was room. */
bool sw_batch_add(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                  const struct sw_address *from, const uint8_t *datagram, size_t length);

/** Opens all that was added, and forgets it: the caller finishes `openings`, in order, of which it
 * returns how many. */
unsigned sw_batch_open(struct sw_batch *batch);

#endif

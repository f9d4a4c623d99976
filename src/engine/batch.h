/*
 * A batch: many segments sealed, or many datagrams opened, by the loop's thread and its workers
 * together (saltway/batch.h).  This file decides which batches are large enough, and lays them out so
 * that no two threads touch the same bytes.
 *
 * The loop's thread owns it and calls everything here.
 */
#ifndef SALTWAY_ENGINE_BATCH_H
#define SALTWAY_ENGINE_BATCH_H

#include "engine/workers.h"
#include "linux/udp.h"
#include "packet/gro.h"
#include "packet/gso.h"
#include "saltway/batch.h"

/** A batch of fewer bytes is not spread over threads: it takes one core a dozen microseconds. */
#define SW_BATCH_LEAST 16384

/** Most datagrams in a batch that is opened. */
#define SW_BATCH_OPENINGS 64

struct sw_batch {
  struct sw_workers *workers; /* without any, or if NULL, no batch is large enough */
  struct sw_seam *seams;
  uint8_t *room; /* packets are opened here: SW_GRO_BUFFER bytes of the caller's */
  size_t used;   /* of the room */
  struct sw_opening openings[SW_BATCH_OPENINGS];
  uint8_t tos[SW_BATCH_OPENINGS]; /* of their datagrams */
  unsigned count;                 /* datagrams added */
  unsigned shares;                /* that they are opened in */
};

/** Makes an empty batch.  `workers` may be NULL.  Returns 0 or -ENOMEM. */
int sw_batch_start(struct sw_batch *batch, struct sw_workers *workers, uint8_t *room);

/** Frees what sw_batch_start has allocated. */
void sw_batch_stop(struct sw_batch *batch);

/** Seals all segments of a super-packet that sw_gso_start has prepared into `datagrams`, back to
 * back.  The room around them is that of sw_link_seal.  Returns the length of all datagrams
 * together; each is `*each` bytes long except the last, which may be shorter.  Returns 0, with the
 * drops counted, if the link is down.  Returns -EAGAIN if the batch is too small: then nothing was
 * done, and the caller seals segment by segment. */
int64_t sw_batch_seal(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                      const struct sw_gso *gso, uint8_t *datagrams, size_t *each);

/** Whether datagrams of `bytes` bytes in all are to be opened as batches. */
bool sw_batch_opens(const struct sw_batch *batch, size_t bytes);

/** Adds a datagram of a run to the batch that is opened next.  Returns false if the batch is full. */
bool sw_batch_add(struct sw_batch *batch, struct sw_link *link, uint64_t now,
                  const struct sw_run *run, const uint8_t *datagram, size_t length);

/** Opens the datagrams that were added and empties the batch.  Returns how many they are: the caller
 * finishes so many of `openings`, in order (sw_link_open_finish). */
unsigned sw_batch_open(struct sw_batch *batch);

#endif

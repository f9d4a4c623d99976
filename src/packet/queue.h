/*
 * The queue of packets that wait to be sent: FQ-CoDel (RFC 8290).
 *
 * Each flow (addresses, protocol and ports) has a queue of its own.  They are served in turn, a quantum
 * of bytes each; a flow that has just begun goes first.  So a call or a ping does not wait behind a
 * transfer.  CoDel (codel.h) keeps the queue of each flow short: it drops packets, or marks them where
 * their transport understands marks (RFC 3168).  When the memory is full, the flow that holds most of
 * it loses the packets at its head.
 *
 * A super-packet is queued whole and taken in parts: smaller super-packets, or single packets.  CoDel
 * drops or marks parts of it.
 *
 * The caller owns the memory and calls everything from one thread.  Nothing is allocated, and memory
 * that no backlog has needed is not touched.
 */
#ifndef SALTWAY_PACKET_QUEUE_H
#define SALTWAY_PACKET_QUEUE_H

#include <stddef.h>

#include "packet/codel.h"
#include "saltway/offload.h"

#define SW_QUEUE_FLOWS 1024

/** Packets are kept in blocks.  One of 1,420 bytes needs two, the largest super-packet 86. */
#define SW_QUEUE_BLOCK 768
#define SW_QUEUE_BLOCKS 5461

/** Bytes of the caller's, aligned to 8. */
#define SW_QUEUE_MEMORY ((size_t)SW_QUEUE_BLOCKS * SW_QUEUE_BLOCK)

/** Bytes that a flow may send in its turn, unless the caller sets more.  What a turn sends beyond them counts
 * in the flow's next turn. */
#define SW_QUEUE_QUANTUM 1514

#define SW_QUEUE_KEY_BYTES 16

struct sw_queue_flow {
  struct sw_codel codel;
  uint32_t bytes;      /* that wait */
  uint32_t blocks;     /* that hold them */
  int32_t deficit;     /* bytes that it may still send in its turn */
  uint16_t head, tail; /* the first blocks of its packets */
  uint16_t next;       /* in the same list of flows */
  bool listed;
};

/** Flows in the order in which they are served. */
struct sw_queue_list {
  uint16_t first, last;
};

struct sw_queue {
  uint32_t quantum;
  uint64_t bytes;   /* that wait */
  uint64_t dropped; /* packets, after segmentation: by CoDel, or because the memory was full */
  uint64_t marked;  /* packets that got a mark, after segmentation */

  uint8_t *memory;
  uint16_t chain[SW_QUEUE_BLOCKS]; /* the next block of the packet, or the next free one */
  uint16_t free;
  uint16_t untouched; /* from here on no block has been used */
  uint16_t available; /* blocks that hold nothing */
  struct sw_queue_list new_flows, old_flows;
  struct sw_queue_flow flows[SW_QUEUE_FLOWS];
  uint8_t key[SW_QUEUE_KEY_BYTES];
};

/** Makes an empty queue.  `key` is random, so that nobody can choose flows that share a queue. */
void sw_queue_init(struct sw_queue *queue, uint8_t *memory, const uint8_t key[SW_QUEUE_KEY_BYTES]);

/** Adds a copy of a packet that the TUN device has given at `now`.  Returns 0, or -EINVAL if it is no
 * IP packet, or a super-packet that is not as `offload` describes it: then it is not added. */
int sw_queue_add(struct sw_queue *queue, uint64_t now, const uint8_t *packet, size_t length,
                 const struct sw_offload *offload);

/** Takes the packet that is to be sent next, or a part of a super-packet, into `packet`, with its
 * description in `offload`.  It has at most `most` bytes after segmentation, or is one packet; a part of
 * one segment is described as a super-packet, too.
 * Returns its length, or 0 if the queue is empty. */
size_t sw_queue_take(struct sw_queue *queue, uint64_t now, size_t most, uint8_t *packet,
                     struct sw_offload *offload);

#endif

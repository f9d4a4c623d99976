/*
 * How fast the socket's buffer drains, and so how much may wait in it: what drains in about 2 ms, as
 * with the kernel's byte queue limits and TCP small queues.  Everything else waits in the pump's
 * queue, which tells flows apart.
 *
 * Only a buffer that is full is measured: from then until it has room nothing is added to it.  Bytes
 * are those of memory, as the kernel counts them, which are more than those of datagrams.
 *
 * The pump owns it.  No system call is made here.
 */
#ifndef SALTWAY_ENGINE_DRAIN_H
#define SALTWAY_ENGINE_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sw_drain {
  uint64_t rate; /* bytes a second; 0: no limit is known */
  size_t buffer; /* the bytes that the socket's buffer should have */

  uint64_t full_time; /* when it was full, */
  size_t full_bytes;  /* and with how many bytes; 0: it is not */
  uint64_t drained;   /* bytes of the latest measurements, */
  uint64_t time;      /* and nanoseconds that they took */
  int factor;         /* of the buffer, in 64ths */
  uint64_t sent;      /* bytes since it was full */
};

void sw_drain_init(struct sw_drain *drain);

/** The socket's buffer is full: `bytes` are in it. */
void sw_drain_full(struct sw_drain *drain, uint64_t now, size_t bytes);

/** The socket's buffer was full, nothing was sent since, and `bytes` are left in it. */
void sw_drain_left(struct sw_drain *drain, uint64_t now, size_t bytes);

/** `bytes` were sent, and the buffer is not full.  Forgets the limit when more was sent than it would
 * allow. */
void sw_drain_sent(struct sw_drain *drain, uint64_t now, size_t bytes);

/** Whether the line is so slow that packets should wait elsewhere, before its buffer is full. */
bool sw_drain_limits(const struct sw_drain *drain);

/** The bytes that are to be sent at once: what drains in about a millisecond. */
size_t sw_drain_run(const struct sw_drain *drain);

#endif

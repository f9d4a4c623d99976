/*
 * Whether more arrives at the TUN device than the processor carries, and the processor is slow, or the
 * packets are small.  Then packets that would wait in the device, in one line, are queued by flow, as in
 * front of a slow line.  A fast processor leaves large packets in the device: to queue them means to
 * copy them, which costs much beside sealing them there.
 *
 * The pump owns it.  No system call is made here.
 */
#ifndef SALTWAY_ENGINE_BACKLOG_H
#define SALTWAY_ENGINE_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** All zero at the start. */
struct sw_backlog {
  uint64_t since; /* when the measurement began; 0: packets have not been left in the device */
  uint64_t bytes; /* sealed since then */
  uint64_t rate;  /* bytes a second, of the measurement before; 0: there was none */
};

/** `bytes` of the device have been sealed in a wake-up that began at `now`, and it has more. */
void sw_backlog_left(struct sw_backlog *backlog, uint64_t now, size_t bytes);

/** The device has no more. */
void sw_backlog_end(struct sw_backlog *backlog);

/** Whether packets should be queued: the device has not been empty for 10 ms, in which less than 200 MB a
 * second were sealed. */
bool sw_backlog_limits(const struct sw_backlog *backlog);

/** The bytes that are to be sealed in one wake-up: what takes about a millisecond. */
size_t sw_backlog_run(const struct sw_backlog *backlog);

#endif

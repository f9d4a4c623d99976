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
  uint64_t time;  /* nanoseconds of work with more left behind, */
  uint64_t bytes; /* and what was sealed in them */
  uint64_t rate;  /* bytes a second, of the latest 10 ms of such work; 0: there were none */
};

/** A wake-up has worked for `time` nanoseconds and sealed `bytes`, and there is more in the device, or in
 * the queue.  Only work counts, so that nothing that keeps the device from being read looks like a slow
 * processor. */
void sw_backlog_left(struct sw_backlog *backlog, uint64_t time, size_t bytes);

/** There is no more, or it waits for something else. */
void sw_backlog_end(struct sw_backlog *backlog);

/** Whether packets should be queued: 10 ms of work have left something behind, and have sealed less than
 * 200 MB a second. */
bool sw_backlog_limits(const struct sw_backlog *backlog);

/** The bytes that are to be sealed in one wake-up: what takes about a millisecond, and one packet at
 * least. */
size_t sw_backlog_run(const struct sw_backlog *backlog);

#endif

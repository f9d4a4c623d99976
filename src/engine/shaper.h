/*
 * The shaper: holds the link to a rate below that of the slowest line on the way, so that packets
 * wait in the pump's queue, which tells flows apart, and not in a modem behind another router.
 *
 * It is a token bucket that holds 2 ms of the rate, written as the time from which on more may be
 * sent.  The bytes are those of the line: datagrams with their UDP and IP headers, and what the line
 * adds to each.  What the link itself has to send is counted, but never waits.
 *
 * The pump owns it.  No system call is made here.
 */
#ifndef SALTWAY_ENGINE_SHAPER_H
#define SALTWAY_ENGINE_SHAPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "channel/channel.h"

/** All zero: no limit. */
struct sw_shaper {
  struct sw_shaping shaping;
  uint64_t next; /* from then on more may be sent; nanoseconds */
};

/** Changes the rate.  What was sent before counts no more. */
void sw_shaper_set(struct sw_shaper *shaper, const struct sw_shaping *shaping);

/** Whether there is a limit. */
bool sw_shaper_limits(const struct sw_shaper *shaper);

/** `count` datagrams of `bytes` in all were sent; `v4`: over IPv4. */
void sw_shaper_sent(struct sw_shaper *shaper, uint64_t now, size_t bytes, unsigned count, bool v4);

/** The bytes that are to be sent at once: those of a millisecond. */
size_t sw_shaper_run(const struct sw_shaper *shaper);

#endif

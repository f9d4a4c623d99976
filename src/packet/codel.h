/*
 * CoDel, the control law of RFC 8289: decides which packets of a queue are dropped, or marked, so
 * that packets do not wait longer than a burst takes.
 *
 * It holds no packets and reads no clock.  The owner of the queue asks sw_codel_drop about each
 * packet that it takes from the head, drops that packet if the answer is yes, and asks about the
 * next one.  A packet may be marked instead (RFC 3168): then it leaves the queue.
 */
#ifndef SALTWAY_PACKET_CODEL_H
#define SALTWAY_PACKET_CODEL_H

#include <stdbool.h>
#include <stdint.h>

/** Nanoseconds that packets may always wait, and a round trip over the Internet (RFC 8289 §4.2, 4.3). */
#define SW_CODEL_TARGET UINT64_C(5000000)
#define SW_CODEL_INTERVAL UINT64_C(100000000)

/** All zero at the start, but for a target of the caller's. */
struct sw_codel {
  uint64_t target;      /* nanoseconds that packets may always wait; 0: SW_CODEL_TARGET */
  uint64_t first_above; /* when packets have waited too long for an interval; 0: they have not */
  uint64_t drop_next;
  uint32_t count;      /* drops in this dropping state */
  uint32_t last_count; /* with which it began */
  bool dropping;
  bool dropped; /* the packet before this one, in a dropping state that had begun earlier */
};

/** Whether to drop the packet that is taken from the head of the queue at `now` and has waited for
 * `wait` nanoseconds.  `few`: the packets behind it are not more bytes than one packet of the largest
 * size.  Times are nanoseconds, and `now` is never 0 and never goes back. */
bool sw_codel_drop(struct sw_codel *codel, uint64_t now, uint64_t wait, bool few);

/** Tells that a packet was to be taken and the queue was empty. */
void sw_codel_empty(struct sw_codel *codel);

#endif

/*
 * The rates at which packets come and go, measured between two counts of them.  One thread.
 */
#ifndef SALTWAY_PARENT_RATES_H
#define SALTWAY_PARENT_RATES_H

#include <stdbool.h>
#include <stdint.h>

/** All zero before the first count. */
struct sw_rates {
  bool measured;
  double in, out; /* bytes per second, over the last interval */
  uint64_t time;  /* of the latest count, nanoseconds; 0: none */
  uint64_t bytes_in, bytes_out;
};

/** Takes a count.  An interval has at least a second: a count before its end changes nothing.  A count
 * below the one before is that of another engine, and begins a new measurement. */
void sw_rates_count(struct sw_rates *rates, uint64_t now, uint64_t bytes_in, uint64_t bytes_out);

#endif

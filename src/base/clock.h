/*
 * The clock of every process: CLOCK_BOOTTIME, which is the same in parent and engine, never goes
 * back, and includes the time for which the machine was suspended.
 */
#ifndef SALTWAY_BASE_CLOCK_H
#define SALTWAY_BASE_CLOCK_H

#include <stdint.h>

/** Nanoseconds since the machine was booted. */
uint64_t sw_clock_now(void);

#endif

/*
 * Which run is under way and how it ends.  The first broken invariant ends the program: its seed
 * replays it, and what comes after a broken invariant tells little.
 */
#ifndef SIM_VERDICT_H
#define SIM_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* `program` is how to call this program again.  A failed assertion of the core counts as a broken
 * invariant. */
void verdict_start(const char *program);

/* A run begins: that of a seed, or of a scenario if `scenario` is not NULL. */
void verdict_begin(const char *scenario, uint64_t seed);

/* The time that a failure names, or NULL. */
void verdict_clock(const uint64_t *now);

/* Tells that the invariant is broken and how to see it again, and ends the program. */
_Noreturn void verdict_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with `statement` unless it holds. */
void expect(bool holds, const char *statement);

/* What was begun has passed. */
void verdict_pass(void);

/* The closing line. */
void verdict_close(void);

#endif

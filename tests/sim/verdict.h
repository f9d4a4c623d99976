/*
 * The present run and its result.  The first broken invariant ends the program: the seed replays
 * it, and later findings would tell little.
 */
#ifndef SIM_VERDICT_H
#define SIM_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

/* `program` is the command that runs this program.  A failed assertion of the core counts as a
 * broken invariant. */
void verdict_start(const char *program);

/* Starts a run: that of a scenario, or of a seed if `scenario` is NULL. */
void verdict_begin(const char *scenario, uint64_t seed);

/* Sets the clock whose time a failure prints; NULL: none. */
void verdict_clock(const uint64_t *now);

/* Prints the broken invariant and the command that replays it, and ends the program. */
_Noreturn void verdict_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with `statement` unless `holds`. */
void expect(bool holds, const char *statement);

/* Counts the present run as passed. */
void verdict_pass(void);

/* Prints the summary. */
void verdict_close(void);

#endif

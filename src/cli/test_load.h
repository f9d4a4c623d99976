/*
 * How busy a link's engine and its machine are, from /proc.  The files are opened before the process
 * gives up its privileges and its root.  Main thread only.
 */
#ifndef SALTWAY_CLI_TEST_LOAD_H
#define SALTWAY_CLI_TEST_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/test_message.h"

struct sw_test_load {
  int engine, machine; /* descriptors; -1: not known */
  uint64_t time;       /* of the beginning */
  uint64_t ticks;      /* of the engine, then */
  uint64_t busy, all;  /* of the machine, then */
};

/** Opens the files.  The process ends with them open. */
void sw_test_load_open(struct sw_test_load *load, pid_t engine);

/** Begins a measurement. */
void sw_test_load_begin(struct sw_test_load *load);

/** Writes what was used since then to `side`: engine and machine. */
void sw_test_load_end(const struct sw_test_load *load, struct sw_test_side *side);

/** Reads the processor time of a process, in ticks, from its /proc/PID/stat. */
bool sw_test_load_process(const char *stat, uint64_t *ticks);

/** Reads the ticks of all cores, and those that were not idle, from /proc/stat. */
bool sw_test_load_cores(const char *stat, uint64_t *busy, uint64_t *all);

#endif

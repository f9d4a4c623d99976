/*
 * The lines of a configuration file, and the complaints about them.
 *
 * inih takes a line apart, but forgives what we report, and builds of it differ in what a line is:
 * how long it may be, what starts a comment, whether an indented line goes on with the value before
 * it.  So it is only given lines that leave nothing of this open; the rest is settled here.
 */
#ifndef SALTWAY_CONFIG_LINES_H
#define SALTWAY_CONFIG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "config/key.h"

/** A file about which people are told what is wrong, on `out`. */
struct sw_complaints {
  FILE *out;
  const char *file;
  int count;
};

/** Writes "FILE:LINE: " (line 0: "FILE: ") and the message on a line of its own. */
void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct sw_config_lines {
  const char *next, *end; /* what is not read yet of the file's text, which the caller owns */
  struct sw_complaints *complaints;

  /** Called for each "KEY = VALUE".  `value` may be empty, and is NULL if it is so long that it was
   * complained about. */
  void (*take)(void *taker, enum sw_config_section section, const char *key, const char *value);
  void *taker;

  unsigned line;                              /* the one at hand, from 1; in the end the last */
  unsigned section_lines[SW_CONFIG_SECTIONS]; /* where each begins; 0: nowhere */
  enum sw_config_section section;             /* the one at hand */
  bool skipping;                              /* a section that we do not know, or have had */
  bool binary;                                /* a NUL byte ended it */
};

/** Reads all lines; `next`, `end`, `complaints`, `take` and `taker` are set, all else is zero. */
void sw_config_lines_read(struct sw_config_lines *lines);

#endif

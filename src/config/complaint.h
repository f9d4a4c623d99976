/*
 * Complaints about a configuration file: one line of text for each mistake.
 */
#ifndef SALTWAY_CONFIG_COMPLAINT_H
#define SALTWAY_CONFIG_COMPLAINT_H

#include <stdio.h>

struct sw_complaints {
  FILE *out;
  FILE *remarks;    /* NULL: `out` */
  const char *file; /* the file's name, as the user gave it */
  int count;
  int shortage; /* -ENOMEM, -EMFILE or -ENFILE if one of them made reading fail; else 0 */
};

/** Records a failure (a negative errno) if it is a shortage, which is not a mistake in the file. */
void sw_complaints_note(struct sw_complaints *complaints, int failed);

/** Writes "FILE:LINE: message" ("FILE: message" if `line` is 0), and counts it. */
void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Writes a line about what is no mistake. */
void sw_remark(const struct sw_complaints *complaints, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

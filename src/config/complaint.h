/*
 * What is wrong with a configuration file, told to people: one line of text for each mistake.
 */
#ifndef SALTWAY_CONFIG_COMPLAINT_H
#define SALTWAY_CONFIG_COMPLAINT_H

#include <stdio.h>

struct sw_complaints {
  FILE *out;
  const char *file; /* the file's name, as the user gave it */
  int count;
};

/** Writes "FILE:LINE: message" ("FILE: message" if `line` is 0), and counts it. */
void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

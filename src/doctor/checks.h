/*
 * The checks of saltway doctor, from the kernel to the peer.  Each has a function that gathers facts, and
 * one that judges them, which is pure.  Main thread only.
 */
#ifndef SALTWAY_DOCTOR_CHECKS_H
#define SALTWAY_DOCTOR_CHECKS_H

#include <stdio.h>

#include "doctor/facts.h"

#define SW_DOCTOR_FIX 512

enum sw_level {
  SW_LEVEL_SKIPPED, /* there was nothing to look at */
  SW_LEVEL_OK,
  SW_LEVEL_WARN, /* works, but not as it may be meant */
  SW_LEVEL_FAIL,
};

struct sw_verdict {
  enum sw_level level;
  bool telling; /* worth mentioning in any case */
  char text[SW_DOCTOR_SENTENCE];
  char fix[SW_DOCTOR_FIX]; /* what to do, usually a command; empty: the text says it */
};

struct sw_check {
  const char *name;
  void (*gather)(struct sw_doctor_facts *facts); /* NULL: another check does */
  void (*judge)(const struct sw_doctor_facts *facts, struct sw_verdict *verdict);
};

/* In the order in which they are made and printed: what is broken breaks what follows. */
extern const struct sw_check sw_checks[];
#define SW_CHECKS 18

/** Judges the facts: one verdict for each check. */
void sw_checks_judge(const struct sw_doctor_facts *facts, struct sw_verdict verdicts[SW_CHECKS]);

/** Prints a line with the most telling verdict: the first that failed, else the first warning, else
 * that of the link.  Then a line for each verdict, and for what can be done about it.  Returns the
 * worst level. */
enum sw_level sw_checks_print(FILE *out, const char *name,
                              const struct sw_verdict verdicts[SW_CHECKS]);

#endif

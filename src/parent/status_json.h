/*
 * The report and the numbers of a running link as one JSON object, with the fields that saltway(8)
 * lists under JSON OUTPUT.  `saltway status` reads it.  Any thread.
 */
#ifndef SALTWAY_PARENT_STATUS_JSON_H
#define SALTWAY_PARENT_STATUS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "parent/rates.h"
#include "saltway/key.h"

struct sw_facts;
struct sw_report;

struct sw_running {
  uint64_t started; /* on the clock of sw_facts */
  unsigned mtu;     /* of the interface, bytes */
  pid_t engine;
  bool confined; /* the engine is */
  struct sw_rates rates;
  char fingerprints[SW_PSKS_MAX][SW_FINGERPRINT_TEXT]; /* of the keys in the file; else empty */
};

/** Returns a line from malloc, which the caller frees; NULL if memory is short. */
char *sw_status_json(const struct sw_facts *facts, const struct sw_report *report,
                     const struct sw_running *running);

#endif

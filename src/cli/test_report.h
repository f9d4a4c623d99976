/*
 * What `saltway test` has found, and what limits the link: pure functions.
 */
#ifndef SALTWAY_CLI_TEST_REPORT_H
#define SALTWAY_CLI_TEST_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "cli/test_stage.h"

#define SW_TEST_REASON 160

struct sw_test_report {
  const char *name, *peer; /* of the link; the peer's address in it */
  unsigned seconds;        /* of data in each direction */
  struct sw_test_stage stages[SW_TEST_KINDS];
};

/* In the order in which they are looked for. */
enum sw_test_limit {
  SW_TEST_SHAPER,     /* Bandwidth, on the side that sends */
  SW_TEST_CIPHER,     /* an engine uses about a core */
  SW_TEST_PROCESSORS, /* of a side, by whatever */
  SW_TEST_RECEIVER,   /* its window */
  SW_TEST_PATH,       /* everything else */
};

/** Bits per second that arrived in a stage. */
double sw_test_rate(const struct sw_test_report *report, enum sw_test_kind kind);

/** What limits a direction, with a reason for people. */
enum sw_test_limit sw_test_limit(const struct sw_test_report *report, enum sw_test_kind kind,
                                 char reason[SW_TEST_REASON]);

void sw_test_text(FILE *out, const struct sw_test_report *report);

/** The same, as described in saltway(8).  The caller owns it. */
json_t *sw_test_json(const struct sw_test_report *report);

/** Chooses the peer's address in the link: the one that was typed (or NULL), else the other one of a
 * network of two in Address, else a single host in AllowedIPs, of the link's answer to status.
 * Returns 0, or -EINVAL with `error` filled. */
int sw_test_peer(const json_t *link, const char *typed, uint8_t ip[SW_IP_BYTES],
                 struct sw_error *error);

#endif

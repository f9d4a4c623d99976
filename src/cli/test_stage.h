/*
 * A stage of `saltway test`, on the side that asks for it.
 */
#ifndef SALTWAY_CLI_TEST_STAGE_H
#define SALTWAY_CLI_TEST_STAGE_H

#include <net/if.h>

#include "base/error.h"
#include "cli/test_load.h"
#include "cli/test_message.h"
#include "saltway/address.h"

/* The other side, and what this one knows of itself. */
struct sw_test_link {
  char name[IFNAMSIZ];
  uint8_t peer[SW_IP_BYTES];
  uint64_t bandwidth; /* that is set here, bits per second; 0: none */
  struct sw_test_load load;
  void (*progress)(enum sw_test_kind kind, double share); /* called ten times a second */
};

struct sw_test_stage {
  struct sw_test_side here, there;
  uint32_t sent;        /* probes */
  double median, worst; /* round trip, milliseconds; negative: no probe was answered */
};

/** Runs it.  Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_test_stage_run(struct sw_test_link *link, const struct sw_test_request *request,
                      struct sw_test_stage *stage, struct sw_error *error);

#endif

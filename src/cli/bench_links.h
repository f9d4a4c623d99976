/*
 * Two links that are up with each other, without a network: what measures the cipher seals with the
 * left one and opens with the right one.
 */
#ifndef SALTWAY_CLI_BENCH_LINKS_H
#define SALTWAY_CLI_BENCH_LINKS_H

#include <stdbool.h>

#include "saltway/link.h"

#define SW_BENCH_NOW UINT64_C(1000000000) /* the time on their clock */

struct sw_bench_links {
  struct sw_link *left, *right;
  struct sw_path path; /* of what the right one receives */
};

/** Makes them.  Returns whether they are up; they are to be freed in any case. */
bool sw_bench_links_make(struct sw_bench_links *links);

void sw_bench_links_free(struct sw_bench_links *links);

#endif

/*
 * The source filter: the inner source addresses that packets from the peer may have.
 *
 * The ranges are sorted by sw_filter_set, and a lookup is a binary search.  Consecutive packets
 * often have one source, so a lookup first compares the address that was allowed last.
 *
 * The link owns its filter.  Only sw_filter_init allocates.
 */
#ifndef SALTWAY_PROTOCOL_FILTER_H
#define SALTWAY_PROTOCOL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "saltway/address.h"
#include "saltway/link.h"
#include "saltway/view.h"

/* Disjoint ranges in ascending order, those of IPv4 before those of IPv6. */
struct sw_filter_ranges {
  struct sw_prefix *ranges; /* room for SW_SOURCES_MAX */
  size_t v4_count, count;
};

struct sw_filter {
  struct sw_filter_ranges sources, own;
  uint8_t last[SW_IP_BYTES]; /* the address that was allowed last */
  bool last_valid;
};

/** Makes a filter that allows nothing.  Returns 0, or -ENOMEM. */
int sw_filter_init(struct sw_filter *filter);

/** Makes the filter allow the addresses in `sources` that are not in `own`, and no other.  At most
 * SW_SOURCES_MAX of each. */
void sw_filter_set(struct sw_filter *filter, const struct sw_prefix *sources, size_t source_count,
                   const struct sw_prefix *own, size_t own_count);

/** Frees the ranges of a filter, or of one that is all zero. */
void sw_filter_free(struct sw_filter *filter);

/** Whether the source address of a packet is allowed. */
bool sw_filter_allows(struct sw_filter *filter, const uint8_t *packet, const struct sw_view *view);

#endif

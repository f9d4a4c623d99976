#include "protocol/filter.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- init ---- */

/* IPv4 before IPv6, then by address, and a range before the ones inside it. */
static int compare(const struct sw_prefix *one, const struct sw_prefix *other) {
  const int family = sw_ip_is_v4(other->ip) - sw_ip_is_v4(one->ip);
  if (family != 0) return family;
  const int order = memcmp(one->ip, other->ip, SW_IP_BYTES);
  return order != 0 ? order : one->length - other->length;
}

/* Restores the heap order below `root`, whose children are heaps. */
static void sift(struct sw_prefix *ranges, size_t root, size_t count) {
  const struct sw_prefix range = ranges[root];
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && compare(&ranges[child], &ranges[child + 1]) < 0) child++;
    if (compare(&ranges[child], &range) <= 0) break;
    ranges[root] = ranges[child];
  }
  ranges[root] = range;
}

/* Heapsort: the C library's qsort allocates, and asks the system for the size of its memory. */
static void sort(struct sw_prefix *ranges, size_t count) {
  for (size_t i = count / 2; i-- > 0;) sift(ranges, i, count);
  for (size_t end = count; end-- > 1;) {
    const struct sw_prefix last = ranges[end];
    ranges[end] = ranges[0];
    ranges[0] = last;
    sift(ranges, 0, end);
  }
}

/* Two ranges are either disjoint, or one contains the other.  The smaller one is left out. */
static void set_ranges(struct sw_filter_ranges *set, const struct sw_prefix *ranges, size_t count) {
  assert(count <= SW_SOURCES_MAX);
  struct sw_prefix *sorted = set->ranges;
  for (size_t i = 0; i < count; i++) sorted[i] = sw_prefix_network(&ranges[i]);
  sort(sorted, count);
  set->v4_count = set->count = 0;
  for (size_t i = 0; i < count; i++) {
    if (set->count > 0 && sw_prefix_contains(&sorted[set->count - 1], sorted[i].ip)) continue;
    set->v4_count += sw_ip_is_v4(sorted[i].ip);
    sorted[set->count++] = sorted[i];
  }
}

int sw_filter_init(struct sw_filter *filter) {
  *filter = (struct sw_filter){
      .sources.ranges = reallocarray(NULL, SW_SOURCES_MAX, sizeof(struct sw_prefix)),
      .own.ranges = reallocarray(NULL, SW_SOURCES_MAX, sizeof(struct sw_prefix)),
  };
  if (filter->sources.ranges && filter->own.ranges) return 0;
  sw_filter_free(filter);
  return -ENOMEM;
}

void sw_filter_set(struct sw_filter *filter, const struct sw_prefix *sources, size_t source_count,
                   const struct sw_prefix *own, size_t own_count) {
  set_ranges(&filter->sources, sources, source_count);
  set_ranges(&filter->own, own, own_count);
  filter->last_valid = false;
}

void sw_filter_free(struct sw_filter *filter) {
  free(filter->sources.ranges);
  free(filter->own.ranges);
  *filter = (struct sw_filter){0};
}

/* ---- lookup ---- */

/* Only the last range whose first address is not above `ip` can contain it. */
static bool set_contains(const struct sw_filter_ranges *set, const uint8_t ip[SW_IP_BYTES],
                         bool v4) {
  const struct sw_prefix *range = v4 ? set->ranges : set->ranges + set->v4_count;
  size_t count = v4 ? set->v4_count : set->count - set->v4_count;
  if (count == 0) return false;
  while (count > 1) {
    const size_t half = count / 2;
    if (memcmp(range[half].ip, ip, SW_IP_BYTES) <= 0) range += half;
    count -= half;
  }
  return sw_prefix_contains(range, ip);
}

bool sw_filter_allows(struct sw_filter *filter, const uint8_t *packet, const struct sw_view *view) {
  uint8_t ip[SW_IP_BYTES] = {[10] = 0xff, [11] = 0xff};
  if (view->v4)
    memcpy(ip + 12, packet + 12, 4);
  else
    memcpy(ip, packet + 8, SW_IP_BYTES);
  if (!view->v4 && sw_ip_is_v4(ip)) return false; /* IPv4 must arrive as IPv4 */
  if (filter->last_valid && memcmp(filter->last, ip, SW_IP_BYTES) == 0) return true;
  if (!set_contains(&filter->sources, ip, view->v4)) return false;
  if (set_contains(&filter->own, ip, view->v4)) return false;
  memcpy(filter->last, ip, SW_IP_BYTES);
  filter->last_valid = true;
  return true;
}

/*
 * Compares the source filter with a linear search of all ranges.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "packet/packet.h"
#include "protocol/filter.h"

#define RANGES 8192

static struct sw_prefix sources[RANGES], own[RANGES];
static size_t source_count, own_count;
static struct sw_filter filter;

static struct sw_prefix parse(const char *text) {
  struct sw_prefix prefix;
  assert_int_equal(sw_prefix_parse(text, &prefix), 0);
  return prefix;
}

static void make_filter(void) {
  sw_filter_free(&filter);
  assert_int_equal(sw_filter_init(&filter), 0);
  sw_filter_set(&filter, sources, source_count, own, own_count);
}

/* Makes a filter from two lists of ranges, each terminated by NULL. */
static void make(const char *const *source, const char *const *excluded) {
  for (source_count = 0; source[source_count]; source_count++)
    sources[source_count] = parse(source[source_count]);
  for (own_count = 0; excluded[own_count]; own_count++) own[own_count] = parse(excluded[own_count]);
  make_filter();
}

/* Replaces the ranges of the filter. */
static void make_other(const char *const *source, const char *const *excluded) {
  for (source_count = 0; source[source_count]; source_count++)
    sources[source_count] = parse(source[source_count]);
  for (own_count = 0; excluded[own_count]; own_count++) own[own_count] = parse(excluded[own_count]);
  sw_filter_set(&filter, sources, source_count, own, own_count);
}

#define NONE ((const char *const[]){NULL})
#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Returns whether a packet of IPv4 (or else IPv6) from this address is allowed. */
static bool allows(const uint8_t ip[SW_IP_BYTES], bool v4) {
  uint8_t packet[SW_IP6_HEADER] = {0};
  struct sw_view view;
  packet[0] = v4 ? 0x45 : 0x60;
  if (v4)
    memcpy(packet + 12, ip + 12, 4);
  else
    memcpy(packet + 8, ip, SW_IP_BYTES);
  assert_true(sw_view_parse(&view, packet, sizeof(packet)));
  return sw_filter_allows(&filter, packet, &view);
}

static bool from(const char *text) {
  const struct sw_prefix address = parse(text);
  return allows(address.ip, sw_ip_is_v4(address.ip));
}

/* ---- the reference ---- */

static bool contains(const struct sw_prefix *prefix, const uint8_t *ip, bool v4) {
  const bool prefix_v4 = prefix->length >= 96 && sw_ip_is_v4(prefix->ip);
  if (prefix_v4 != v4) return false;
  for (unsigned bit = 0; bit < prefix->length; bit++)
    if ((prefix->ip[bit / 8] ^ ip[bit / 8]) & 0x80 >> bit % 8) return false;
  return true;
}

static bool any_contains(const struct sw_prefix *prefixes, size_t count, const uint8_t *ip,
                         bool v4) {
  for (size_t i = 0; i < count; i++)
    if (contains(&prefixes[i], ip, v4)) return true;
  return false;
}

static bool expected(const uint8_t *ip, bool v4) {
  if (!v4 && sw_ip_is_v4(ip)) return false;
  return any_contains(sources, source_count, ip, v4) && !any_contains(own, own_count, ip, v4);
}

/* ---- tests ---- */

static void nothing_is_allowed_without_ranges(void **state) {
  (void)state;
  make(NONE, NONE);
  assert_false(from("10.0.0.1"));
  assert_false(from("0.0.0.0"));
  assert_false(from("fd00::1"));
  assert_false(from("::"));
  make(LIST("10.0.0.0/8"), NONE);
  assert_false(from("fd00::1"));
  make(LIST("fd00::/8"), NONE);
  assert_false(from("10.0.0.1"));
}

static void ends_of_ranges_are_inside_them(void **state) {
  (void)state;
  make(LIST("10.2.0.0/16", "192.0.2.1", "10.0.0.128/25", "fd02::/64", "2001:db8::7"), NONE);
  static const char *const inside[] = {
      "10.2.0.0",   "10.2.255.255", "192.0.2.1",   "10.0.0.128",
      "10.0.0.255", "fd02::",       "2001:db8::7", "fd02::ffff:ffff:ffff:ffff"};
  static const char *const outside[] = {"10.1.255.255",
                                        "10.3.0.0",
                                        "192.0.2.0",
                                        "192.0.2.2",
                                        "10.0.0.127",
                                        "10.0.1.0",
                                        "0.0.0.0",
                                        "fd02:0:0:1::",
                                        "2001:db8::6",
                                        "2001:db8::8",
                                        "fd01:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                                        "::",
                                        "255.255.255.255",
                                        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"};
  for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++) assert_true(from(inside[i]));
  for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++) assert_false(from(outside[i]));
}

static void nested_and_equal_ranges_are_one(void **state) {
  (void)state;
  make(LIST("10.2.3.0/24", "10.0.0.0/8", "10.2.0.0/16", "10.0.0.0/8", "10.0.0.0/24", "fd00::/8",
            "fd00::/16", "fd02::/64"),
       NONE);
  assert_int_equal(filter.sources.v4_count, 1);
  assert_int_equal(filter.sources.count, 2);
  assert_true(from("10.2.3.4"));
  assert_true(from("10.2.4.4"));
  assert_true(from("10.255.255.255"));
  assert_true(from("fdff::"));
  assert_false(from("11.0.0.0"));
  assert_false(from("fe00::"));
}

static void adjacent_ranges_have_no_gap(void **state) {
  (void)state;
  make(LIST("10.0.0.128/25", "10.0.0.0/25", "10.0.1.0/24"), NONE);
  assert_true(from("10.0.0.0"));
  assert_true(from("10.0.0.127"));
  assert_true(from("10.0.0.128"));
  assert_true(from("10.0.0.255"));
  assert_true(from("10.0.1.0"));
  assert_true(from("10.0.1.255"));
  assert_false(from("10.0.2.0"));
}

/* As in AllowedIPs: an interface's address is written with the length of its network. */
static void host_bits_of_ranges_are_ignored(void **state) {
  (void)state;
  make(LIST("10.77.0.2/30", "10.77.0.9/30", "fd77::5/64"), NONE);
  assert_true(from("10.77.0.0"));
  assert_true(from("10.77.0.3"));
  assert_false(from("10.77.0.4"));
  assert_true(from("10.77.0.8"));
  assert_true(from("fd77::"));
}

static void own_addresses_are_refused(void **state) {
  (void)state;
  make(LIST("10.77.0.0/30", "fd77::/64"), LIST("10.77.0.1", "fd77::1"));
  assert_true(from("10.77.0.2"));
  assert_false(from("10.77.0.1"));
  assert_true(from("10.77.0.2"));
  assert_true(from("fd77::2"));
  assert_false(from("fd77::1"));
}

static void ipv6_range_contains_no_ipv4(void **state) {
  (void)state;
  const struct sw_prefix v4 = parse("10.0.0.1");
  make(LIST("::/0"), NONE);
  assert_true(from("::"));
  assert_true(from("fd00::1"));
  assert_false(from("10.0.0.1"));
  assert_false(allows(v4.ip, false)); /* an IPv4-mapped address in an IPv6 packet */
  make(LIST("0.0.0.0/0"), NONE);
  assert_true(from("10.0.0.1"));
  assert_true(from("0.0.0.0"));
  assert_false(allows(v4.ip, false));
  assert_false(from("::"));
  /* the ranges around the IPv4-mapped addresses */
  make(LIST("::/0", "10.0.0.0/8"), NONE);
  assert_true(from("10.0.0.1"));
  assert_false(from("11.0.0.1"));
  assert_true(from("::fffe:ffff:ffff"));
  assert_true(from("::1:0:0:0"));
  assert_false(allows(v4.ip, false));
}

/* The filter caches the address that it allowed last. Only the same address of the same family
 * matches. */
static void cache_matches_only_the_same_address(void **state) {
  (void)state;
  const struct sw_prefix v4 = parse("10.0.0.1");
  make(LIST("10.0.0.0/24", "fd00::/64"), LIST("10.0.0.2"));
  for (unsigned i = 0; i < 2; i++) {
    assert_true(from("10.0.0.1"));
    assert_false(allows(v4.ip, false));
    assert_false(from("10.0.0.2"));
    assert_false(from("10.0.1.1"));
    assert_true(from("fd00::1"));
    assert_false(from("fd00:0:0:1::1"));
    assert_false(from("::"));
  }
}

static void random_ip(uint8_t ip[SW_IP_BYTES], bool v4, unsigned spread) {
  memset(ip, 0, SW_IP_BYTES);
  if (v4) ip[10] = ip[11] = 0xff;
  for (unsigned i = v4 ? 12 : 0; i < SW_IP_BYTES; i++) ip[i] = (uint8_t)((unsigned)rand() % spread);
}

static struct sw_prefix random_prefix(unsigned spread) {
  struct sw_prefix prefix;
  const bool v4 = rand() % 2;
  random_ip(prefix.ip, v4, spread);
  prefix.length =
      (uint8_t)(v4 ? 96 + (unsigned)rand() % 33 : (unsigned)rand() % (rand() % 4 ? 129 : 20));
  return prefix;
}

/* Returns an address at, before or behind the ends of a range, or a random one. */
static bool choose_ip(uint8_t ip[SW_IP_BYTES], unsigned spread) {
  const bool any = source_count == 0 || rand() % 4 == 0;
  const struct sw_prefix prefix =
      any ? random_prefix(spread) : sources[(size_t)rand() % source_count];
  const bool v4 = prefix.length >= 96 && sw_ip_is_v4(prefix.ip);
  memcpy(ip, prefix.ip, SW_IP_BYTES);
  if (any) return v4;
  const uint8_t fill = rand() % 2 ? 0xff : 0;
  for (unsigned bit = prefix.length; bit < 128; bit++) {
    const uint8_t mask = (uint8_t)(0x80 >> bit % 8);
    ip[bit / 8] = (uint8_t)((ip[bit / 8] & ~mask) | (fill & mask));
  }
  const unsigned past = (unsigned)rand() % 2;
  for (unsigned i = SW_IP_BYTES; past && i-- > (v4 ? 12 : 0);) {
    ip[i] = (uint8_t)(fill ? ip[i] + 1 : ip[i] - 1);
    if (ip[i] != (fill ? 0 : 0xff)) break;
  }
  return v4;
}

static void compare_with_the_reference(unsigned lookups, unsigned spread) {
  uint8_t ip[SW_IP_BYTES];
  for (unsigned i = 0; i < lookups; i++) {
    const bool v4 = choose_ip(ip, spread);
    const bool right = expected(ip, v4);
    assert_int_equal(allows(ip, v4), right);
    assert_int_equal(allows(ip, v4), right);
  }
}

static void filter_agrees_with_a_search_of_all_ranges(void **state) {
  (void)state;
  srand(5);
  for (unsigned round = 0; round < 2000; round++) {
    const unsigned spread = rand() % 2 ? 256 : 3;
    source_count = (size_t)rand() % (rand() % 3 ? 6 : 60);
    own_count = (size_t)rand() % 4;
    for (size_t i = 0; i < source_count; i++) sources[i] = random_prefix(spread);
    for (size_t i = 0; i < own_count; i++) own[i] = random_prefix(spread);
    make_filter();
    compare_with_the_reference(100, spread);
  }
  for (source_count = 0; source_count < RANGES; source_count++)
    sources[source_count] = random_prefix(256);
  own_count = 16;
  make_filter();
  compare_with_the_reference(2000, 256);
}

static int free_filter(void **state) {
  (void)state;
  sw_filter_free(&filter);
  assert_null(filter.sources.ranges);
  sw_filter_free(&filter);
  return 0;
}

static void ranges_are_replaced_and_none_of_the_former_is_left(void **state) {
  (void)state;
  make(LIST("10.1.0.0/16", "fd01::/64", "10.9.0.0/16"), LIST("10.1.0.1"));
  assert_true(from("10.1.0.2"));
  make_other(LIST("10.2.0.0/16"), LIST("10.2.0.1"));
  assert_false(from("10.1.0.2")); /* although it was the last one allowed */
  assert_false(from("fd01::1"));
  assert_false(from("10.2.0.1"));
  assert_true(from("10.2.0.2"));
  make_other(NONE, NONE);
  assert_false(from("10.2.0.2"));
  make_other(LIST("10.1.0.0/16", "10.2.0.0/16"), NONE);
  assert_true(from("10.1.0.1"));
  assert_true(from("10.2.0.1"));
}

static unsigned allocations_until_failure;

/* Replaces the C library's. */
void *reallocarray(void *bytes, size_t count, size_t size) {
  if (allocations_until_failure && --allocations_until_failure == 0) return NULL;
  return realloc(bytes, count * size);
}

static void filter_without_memory_keeps_nothing(void **state) {
  (void)state;
  struct sw_filter other;
  for (unsigned failing = 1; failing <= 2; failing++) {
    memset(&other, 0x5a, sizeof(other));
    allocations_until_failure = failing;
    assert_int_equal(sw_filter_init(&other), -ENOMEM);
    assert_null(other.sources.ranges);
    assert_null(other.own.ranges);
  }
}

/* AddressSanitizer needs more memory, and looks for leaks itself. */
static void limit_memory(rlim_t bytes) {
#ifndef __SANITIZE_ADDRESS__
  struct rlimit limit;
  assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
  limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
#else
  (void)bytes;
#endif
}

static void freed_filter_returns_its_memory(void **state) {
  (void)state;
  struct sw_filter other;
  limit_memory(256 << 20);
  for (unsigned i = 0; i < 10000; i++) {
    assert_int_equal(sw_filter_init(&other), 0);
    sw_filter_free(&other);
  }
  limit_memory(RLIM_INFINITY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_allowed_without_ranges),
      cmocka_unit_test(ends_of_ranges_are_inside_them),
      cmocka_unit_test(nested_and_equal_ranges_are_one),
      cmocka_unit_test(adjacent_ranges_have_no_gap),
      cmocka_unit_test(host_bits_of_ranges_are_ignored),
      cmocka_unit_test(own_addresses_are_refused),
      cmocka_unit_test(ipv6_range_contains_no_ipv4),
      cmocka_unit_test(cache_matches_only_the_same_address),
      cmocka_unit_test(filter_agrees_with_a_search_of_all_ranges),
      cmocka_unit_test(ranges_are_replaced_and_none_of_the_former_is_left),
      cmocka_unit_test(filter_without_memory_keeps_nothing),
      cmocka_unit_test(freed_filter_returns_its_memory),
  };
  return cmocka_run_group_tests(tests, NULL, free_filter);
}

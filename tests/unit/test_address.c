#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "saltway/address.h"

static struct sw_prefix prefix(const char *text) {
  struct sw_prefix parsed;
  assert_int_equal(sw_prefix_parse(text, &parsed), 0);
  return parsed;
}

static struct sw_address address(const char *ip, uint32_t scope, uint32_t port) {
  struct sw_address made = {.scope = scope, .port = port};
  memcpy(made.ip, prefix(ip).ip, SW_IP_BYTES);
  return made;
}

static void ipv4_is_stored_ipv4_mapped(void **state) {
  (void)state;
  static const uint8_t expected[SW_IP_BYTES] = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1};
  const struct sw_prefix parsed = prefix("192.0.2.1/24");
  assert_memory_equal(parsed.ip, expected, SW_IP_BYTES);
  assert_int_equal(parsed.length, 96 + 24);
  assert_true(sw_ip_is_v4(parsed.ip));
  assert_false(sw_ip_is_v4(prefix("::").ip));
  assert_false(sw_ip_is_v4(prefix("2001:db8::1").ip));
}

static void address_text_is_the_usual_notation(void **state) {
  (void)state;
  char text[SW_ADDRESS_TEXT];
  struct sw_address made = address("192.0.2.1", 0, 51900);
  assert_string_equal(sw_address_text(&made, text), "192.0.2.1:51900");
  made = address("2001:db8::1", 0, 51900);
  assert_string_equal(sw_address_text(&made, text), "[2001:db8::1]:51900");
  made = address("fe80::1", 3, 1);
  assert_string_equal(sw_address_text(&made, text), "[fe80::1%3]:1");
}

static void longest_texts_fit(void **state) {
  (void)state;
  char text[SW_ADDRESS_TEXT], prefix_text[SW_PREFIX_TEXT];
  static const char longest[] = "2001:db80:2001:db80:2001:db80:2001:db80";
  const struct sw_address made = address(longest, UINT32_MAX, UINT32_MAX);
  assert_string_equal(sw_address_text(&made, text),
                      "[2001:db80:2001:db80:2001:db80:2001:db80%4294967295]:4294967295");
  const struct sw_prefix whole = prefix(longest);
  assert_string_equal(sw_prefix_text(&whole, prefix_text),
                      "2001:db80:2001:db80:2001:db80:2001:db80/128");
}

static void addresses_differ_in_ip_port_and_scope(void **state) {
  (void)state;
  const struct sw_address one = address("fe80::1", 2, 51900), same = one;
  const struct sw_address others[] = {address("fe80::2", 2, 51900), address("fe80::1", 3, 51900),
                                      address("fe80::1", 2, 51901)};
  assert_true(sw_address_equal(&one, &same));
  for (size_t i = 0; i < 3; i++) assert_false(sw_address_equal(&one, &others[i]));
}

static void prefix_text_reads_back(void **state) {
  (void)state;
  static const char *const texts[] = {"10.2.0.0/16", "10.77.0.1/30", "0.0.0.0/0", "192.0.2.1/32",
                                      "fd02::/64",   "fd77::1/64",   "::/0",      "2001:db8::1/128",
                                      "::/96",       "64:ff9b::/96"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    char text[SW_PREFIX_TEXT];
    const struct sw_prefix parsed = prefix(texts[i]);
    assert_string_equal(sw_prefix_text(&parsed, text), texts[i]);
  }
}

static void prefix_without_length_is_the_whole_address(void **state) {
  (void)state;
  assert_int_equal(prefix("10.2.0.1").length, 128);
  assert_int_equal(prefix("fd02::1").length, 128);
}

static void prefix_contains_the_addresses_of_its_length(void **state) {
  (void)state;
  static const struct {
    const char *range, *ip;
    bool inside;
  } cases[] = {
      {"10.2.0.0/16", "10.2.255.255", true}, {"10.2.0.0/16", "10.3.0.0", false},
      {"10.2.0.0/15", "10.3.0.0", true},     {"10.77.0.0/30", "10.77.0.3", true},
      {"10.77.0.0/30", "10.77.0.4", false},  {"10.2.0.1", "10.2.0.1", true},
      {"10.2.0.1", "10.2.0.0", false},       {"0.0.0.0/0", "255.255.255.255", true},
      {"fd02::/64", "fd02::ffff:1", true},   {"fd02::/64", "fd02:0:0:1::", false},
      {"fd02::/63", "fd02:0:0:1::", true},   {"::/0", "fd02::1", true},
      {"10.77.0.1/30", "10.77.0.2", true}, /* host bits are ignored */
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct sw_prefix range = prefix(cases[i].range);
    assert_int_equal(sw_prefix_contains(&range, prefix(cases[i].ip).ip), cases[i].inside);
  }
}

static void prefix_is_within_itself_and_larger_ones(void **state) {
  (void)state;
  static const struct {
    const char *inner, *outer;
    bool within;
  } cases[] = {{"10.2.0.0/16", "10.2.0.0/16", true},  {"10.2.9.0/24", "10.2.0.0/16", true},
               {"10.2.0.0/16", "10.2.0.0/17", false}, {"10.2.0.0/17", "10.2.0.0/16", true},
               {"10.3.0.0/24", "10.2.0.0/16", false}, {"fd02::/64", "::/0", true},
               {"10.2.0.0/16", "::/0", false}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct sw_prefix inner = prefix(cases[i].inner), outer = prefix(cases[i].outer);
    assert_int_equal(sw_prefix_within(&inner, &outer), cases[i].within);
  }
}

static void ipv6_range_contains_no_ipv4_address(void **state) {
  (void)state;
  static const char *const ranges[] = {"::/0", "::/64", "::/80"};
  for (size_t i = 0; i < 3; i++) {
    const struct sw_prefix range = prefix(ranges[i]);
    assert_false(sw_prefix_contains(&range, prefix("10.2.0.1").ip));
  }
  const struct sw_prefix all_v4 = prefix("0.0.0.0/0");
  assert_false(sw_prefix_contains(&all_v4, prefix("::").ip));
}

static void a_network_of_two_has_another_host(void **state) {
  (void)state;
  static const struct {
    const char *own, *other; /* NULL: the network is not one of two */
  } cases[] = {{"10.77.0.1/30", "10.77.0.2"}, {"10.77.0.6/30", "10.77.0.5"},
               {"10.77.0.6/31", "10.77.0.7"}, {"fd77::1/127", "fd77::"},
               {"fd77::1/126", "fd77::2"},    {"10.77.0.1/29", NULL},
               {"10.77.0.1/32", NULL},        {"fd77::1/64", NULL}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const struct sw_prefix own = prefix(cases[i].own);
    uint8_t ip[SW_IP_BYTES];
    assert_int_equal(sw_prefix_other(&own, ip), cases[i].other != NULL);
    if (cases[i].other) assert_memory_equal(ip, prefix(cases[i].other).ip, SW_IP_BYTES);
  }
}

static void invalid_prefix_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "/",
      "10.2.0.0/",
      "10.2.0.0/33",
      "10.2.0.0/-1",
      "10.2.0/16",
      "10.2.0.0/a",
      "10.2.0.0/1 ",
      "10.2.0.0/0016",
      " 10.2.0.0/16",
      "fd02::/",
      "fd02::/129",
      "fd02:::/64",
      "fe80::1%eth0/64",
      "::ffff:10.2.0.1/128",
      "a.example",
      "300.0.0.1",
      "10.2.0.0/16/16",
      "2001:db80:2001:db80:2001:db80:2001:db80:2001:db80:2001:db80/64"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct sw_prefix untouched = {.length = 7};
    assert_int_equal(sw_prefix_parse(texts[i], &untouched), -EINVAL);
    assert_int_equal(untouched.length, 7);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ipv4_is_stored_ipv4_mapped),
      cmocka_unit_test(address_text_is_the_usual_notation),
      cmocka_unit_test(longest_texts_fit),
      cmocka_unit_test(addresses_differ_in_ip_port_and_scope),
      cmocka_unit_test(prefix_text_reads_back),
      cmocka_unit_test(prefix_without_length_is_the_whole_address),
      cmocka_unit_test(prefix_contains_the_addresses_of_its_length),
      cmocka_unit_test(prefix_is_within_itself_and_larger_ones),
      cmocka_unit_test(ipv6_range_contains_no_ipv4_address),
      cmocka_unit_test(a_network_of_two_has_another_host),
      cmocka_unit_test(invalid_prefix_is_refused),
  };
  return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}

/* Needs root.  Each test has its own network namespace, in which ip(8) makes the changes. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "parent/host.h"

static int fd;
static unsigned device;
static struct sw_change heard; /* the latest of the kind that is waited for */
static enum sw_change_kind wanted;
static unsigned count; /* of that kind */

static void ip(const char *words) {
  char command[200];
  snprintf(command, sizeof(command), "ip %s", words);
  if (system(command) != 0) fail_msg("failed: %s", command);
}

static int begin(void **state) {
  (void)state;
  struct sw_error error;
  if (unshare(CLONE_NEWNET) != 0) return -1;
  ip("tuntap add mode tun dev sw0");
  ip("link set sw0 up");
  ip("tuntap add mode tun dev other");
  device = if_nametoindex("sw0");
  fd = sw_changes_open(&error);
  return fd < 0;
}

static int end(void **state) {
  (void)state;
  return close(fd);
}

static void note(void *user, const struct sw_change *change) {
  (void)user;
  if (change->kind != wanted) return;
  heard = *change;
  count++;
}

/* Returns how many changes of this kind were heard.  The kernel reports one before the command that
 * makes it has ended. */
static unsigned hear(enum sw_change_kind kind) {
  int failed;
  wanted = kind;
  count = 0;
  while ((failed = sw_changes_receive(fd, note, NULL)) == 0) continue;
  assert_int_equal(failed, -EAGAIN);
  return count;
}

static struct sw_prefix prefix_of(const char *text) {
  struct sw_prefix prefix;
  assert_int_equal(sw_prefix_parse(text, &prefix), 0);
  return prefix;
}

static void assert_prefix(const char *text) {
  const struct sw_prefix prefix = prefix_of(text);
  assert_memory_equal(&heard.prefix, &prefix, sizeof(prefix));
}

static void interface_that_is_set_down_and_up_is_reported(void **state) {
  (void)state;
  ip("link set sw0 down");
  assert_true(hear(SW_CHANGE_LINK) > 0);
  assert_int_equal(heard.index, device);
  assert_false(heard.up);
  ip("link set sw0 up");
  assert_true(hear(SW_CHANGE_LINK) > 0);
  assert_true(heard.up);
  ip("link del sw0");
  assert_true(hear(SW_CHANGE_LINK) > 0);
  assert_int_equal(heard.index, device);
  assert_false(heard.up);
}

static void removed_address_is_reported(void **state) {
  (void)state;
  ip("addr add 10.77.0.1/30 dev sw0");
  ip("addr add 10.77.0.9 peer 10.77.0.10/32 dev sw0");
  ip("addr add fd77::1/64 dev sw0 nodad");
  assert_int_equal(hear(SW_CHANGE_ADDRESS), 0);
  ip("addr del 10.77.0.1/30 dev sw0");
  assert_int_equal(hear(SW_CHANGE_ADDRESS), 1);
  assert_int_equal(heard.index, device);
  assert_prefix("10.77.0.1/30");
  ip("addr del 10.77.0.9 peer 10.77.0.10/32 dev sw0");
  assert_int_equal(hear(SW_CHANGE_ADDRESS), 1);
  assert_prefix("10.77.0.9/32");
  ip("addr del fd77::1/64 dev sw0");
  assert_int_equal(hear(SW_CHANGE_ADDRESS), 1);
  assert_prefix("fd77::1/64");
}

static void removed_or_replaced_route_is_reported(void **state) {
  (void)state;
  ip("route add 10.2.0.0/16 dev sw0 table 70000 metric 5");
  ip("-6 route add fd02::/64 dev sw0 metric 7");
  ip("route add default dev sw0");
  assert_int_equal(hear(SW_CHANGE_ROUTE), 0);
  ip("route del 10.2.0.0/16 dev sw0 table 70000");
  assert_int_equal(hear(SW_CHANGE_ROUTE), 1);
  assert_prefix("10.2.0.0/16");
  assert_int_equal(heard.index, device);
  assert_int_equal(heard.table, 70000);
  assert_int_equal(heard.metric, 5);
  ip("-6 route del fd02::/64 dev sw0");
  assert_int_equal(hear(SW_CHANGE_ROUTE), 1);
  assert_prefix("fd02::/64");
  assert_int_equal(heard.table, 254);
  assert_int_equal(heard.metric, 7);
  ip("link set other up");
  hear(SW_CHANGE_ROUTE);
  ip("route replace default dev other");
  assert_int_equal(hear(SW_CHANGE_ROUTE), 1);
  assert_prefix("0.0.0.0/0");
  assert_int_equal(heard.index, if_nametoindex("other"));
}

static void removed_rule_is_reported(void **state) {
  (void)state;
  ip("rule add pref 99 lookup 77");
  ip("-6 rule add pref 98 lookup 77");
  assert_int_equal(hear(SW_CHANGE_RULE), 0);
  ip("rule del pref 99");
  assert_int_equal(hear(SW_CHANGE_RULE), 1);
  assert_int_equal(heard.priority, 99);
  ip("-6 rule del pref 98");
  assert_int_equal(hear(SW_CHANGE_RULE), 1);
  assert_int_equal(heard.priority, 98);
}

static void lost_changes_are_reported(void **state) {
  (void)state;
  const int least = 0;
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
  for (unsigned i = 0; i < 20; i++) {
    ip("link set sw0 down");
    ip("link set sw0 up");
  }
  int failed = 0;
  while (!failed) failed = sw_changes_receive(fd, note, NULL);
  assert_int_equal(failed, -ENOBUFS);
}

/* ---- what concerns a link ---- */

static struct sw_prefix ranges[2];
static struct sw_config config;
static struct sw_host host;

static void make_host(enum sw_config_table kind, uint32_t table) {
  memset(&config, 0, sizeof(config));
  ranges[0] = prefix_of("10.2.0.0/16");
  ranges[1] = prefix_of("::/0");
  config.allowed_ips = ranges;
  config.allowed_ip_count = 2;
  config.addresses[0] = prefix_of("10.77.0.1/30");
  config.address_count = 1;
  config.table_kind = kind;
  config.table = table;
  host = (struct sw_host){.config = &config, .tun.index = 5, .routed = true};
  if (kind == SW_CONFIG_TABLE_AUTO)
    host.defaults = (struct sw_default_routes){.v6 = true, .table = SW_DEFAULT_ROUTES_TABLE + 1};
}

static bool concerns(enum sw_change_kind kind, unsigned index, const char *prefix,
                     uint32_t number) {
  struct sw_change change = {.kind = kind, .index = index, .table = number, .priority = number};
  if (prefix) change.prefix = prefix_of(prefix);
  return sw_host_concerns(&host, &change);
}

static void only_what_the_link_has_made_concerns_it(void **state) {
  (void)state;
  make_host(SW_CONFIG_TABLE_AUTO, 0);
  assert_true(concerns(SW_CHANGE_LINK, 5, NULL, 0));
  assert_false(concerns(SW_CHANGE_LINK, 4, NULL, 0));
  assert_true(concerns(SW_CHANGE_ADDRESS, 5, "10.77.0.1/30", 0));
  assert_false(concerns(SW_CHANGE_ADDRESS, 4, "10.77.0.1/30", 0));
  assert_false(concerns(SW_CHANGE_ADDRESS, 5, "10.77.0.2/30", 0));
  assert_true(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/16", 254));
  assert_true(concerns(SW_CHANGE_ROUTE, 4, "10.2.0.0/16", 254));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/16", 51901));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/17", 254));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "10.3.0.0/16", 254));
  assert_true(concerns(SW_CHANGE_ROUTE, 5, "::/0", 51901));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "::/0", 254));
  assert_false(concerns(SW_CHANGE_ROUTE_PRESENT, 5, "10.2.0.0/16", 254));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, 30901));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, 31000));
  assert_true(concerns(SW_CHANGE_RULE, 0, NULL, 31001));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, 31002));
  assert_true(concerns(SW_CHANGE_RULE, 0, NULL, 31401));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, 31501));
}

static void routes_of_a_configured_table_concern_the_link(void **state) {
  (void)state;
  make_host(SW_CONFIG_TABLE_NUMBER, 77);
  assert_true(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/16", 77));
  assert_true(concerns(SW_CHANGE_ROUTE, 5, "::/0", 77));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/16", 254));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, SW_DEFAULT_ROUTES_PRIORITY));
}

static void without_routes_of_its_own_none_concerns_the_link(void **state) {
  (void)state;
  make_host(SW_CONFIG_TABLE_AUTO, 0);
  host.routed = false;
  assert_true(concerns(SW_CHANGE_ADDRESS, 5, "10.77.0.1/30", 0));
  assert_false(concerns(SW_CHANGE_ROUTE, 5, "10.2.0.0/16", 254));
  assert_false(concerns(SW_CHANGE_RULE, 0, NULL, 31001));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void) {
  const struct CMUnitTest without_root[] = {
      cmocka_unit_test(only_what_the_link_has_made_concerns_it),
      cmocka_unit_test(routes_of_a_configured_table_concern_the_link),
      cmocka_unit_test(without_routes_of_its_own_none_concerns_the_link),
  };
  const struct CMUnitTest tests[] = {
      TEST(interface_that_is_set_down_and_up_is_reported),
      TEST(removed_address_is_reported),
      TEST(removed_or_replaced_route_is_reported),
      TEST(removed_rule_is_reported),
      TEST(lost_changes_are_reported),
  };
  const int failed = cmocka_run_group_tests_name("what concerns a link", without_root, NULL, NULL);
  if (unshare(CLONE_NEWNET) != 0) return failed; /* needs root */
  return failed + cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}

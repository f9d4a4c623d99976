/* Needs root.  Each test has its own network namespace.  Results are read with ip(8), not with the
 * code under test. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "linux/interface.h"
#include "linux/lookup.h"
#include "linux/routes.h"

#define NOBODY 65534
#define NO_INDEX 4242 /* no interface has it */
#define ROUTES 3000   /* more than fit in one message of the kernel */

static struct sw_netlink *netlink;
static struct sw_error error;
static unsigned device; /* the index of sw0 */

/* ---- the namespace ---- */

static void ip(const char *words) {
  char command[200];
  snprintf(command, sizeof(command), "ip %s", words);
  if (system(command) != 0) fail_msg("failed: %s", command);
}

static void set_disable_ipv6(const char *interface, const char *value) {
  char file[100];
  snprintf(file, sizeof(file), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", interface);
  FILE *out = fopen(file, "w");
  assert_non_null(out);
  fputs(value, out);
  assert_int_equal(fclose(out), 0);
}

static const char *output_of(const char *words) {
  static char text[4096];
  snprintf(text, sizeof(text), "ip %s 2>&1", words);
  FILE *in = popen(text, "r");
  assert_non_null(in);
  text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
  pclose(in);
  return text;
}

static void assert_shown(const char *words, const char *wanted) {
  const char *text = output_of(words);
  if (!strstr(text, wanted)) fail_msg("ip %s: \"%s\" is not in: %s", words, wanted, text);
}

static void assert_not_shown(const char *words, const char *unwanted) {
  const char *text = output_of(words);
  if (strstr(text, unwanted)) fail_msg("ip %s: \"%s\" is in: %s", words, unwanted, text);
}

static int make_devices(void **state) {
  (void)state;
  if (unshare(CLONE_NEWNET) != 0) return -1;
  ip("tuntap add mode tun dev sw0");
  ip("tuntap add mode tun dev other");
  device = if_nametoindex("sw0");
  return sw_netlink_open(&netlink, &error);
}

static int make_devices_up(void **state) {
  const int failed = make_devices(state);
  ip("link set sw0 up");
  ip("link set other up");
  return failed;
}

static int leave(void **state) {
  (void)state;
  sw_netlink_close(netlink);
  netlink = NULL;
  return seteuid(0);
}

static struct sw_prefix prefix_of(const char *text) {
  struct sw_prefix prefix;
  assert_int_equal(sw_prefix_parse(text, &prefix), 0);
  return prefix;
}

static int up(unsigned mtu, unsigned queue) {
  return sw_netlink_link_up(netlink, device, mtu, queue, &error);
}

static int add_address(const char *text) {
  const struct sw_prefix address = prefix_of(text);
  return sw_netlink_address_add(netlink, device, &address, &error);
}

static int add_route_of(const char *text, uint32_t table, uint32_t metric) {
  const struct sw_route route = {.prefix = prefix_of(text), .table = table, .metric = metric};
  return sw_netlink_route_add(netlink, device, &route, &error);
}

static int add_route(const char *text, uint32_t table) {
  return add_route_of(text, table, 0);
}

static void assert_done(int failed) {
  if (failed) fail_msg("refused: %s", error.text);
}

/* Asserts that a call failed with this errno, and that the complete error line has all of these
 * texts. */
#define assert_refused(returned, code, ...)                      \
  assert_refused_texts((strcpy(error.text, ""), returned), code, \
                       (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused_texts(int returned, int code, const char *const *texts) {
  if (returned != -code) fail_msg("returned %d (%s), not %d", returned, error.text, -code);
  assert_ptr_equal(strstr(error.text, "netlink: "), error.text);
  assert_non_null(strstr(error.text, strerror(code)));
  for (; *texts; texts++)
    if (!strstr(error.text, *texts)) fail_msg("\"%s\" is not in: %s", *texts, error.text);
  assert_null(strchr(error.text, '\n'));
  assert_int_equal(error.text[strlen(error.text) - 1], ')'); /* the line is complete */
}

/* ---- socket ---- */

static void too_many_open_files_are_reported(void **state) {
  (void)state;
  struct rlimit limit;
  struct sw_netlink *none = NULL;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = open("/dev/null", O_RDONLY);
  assert_true(next >= 0);
  close(next);
  const struct rlimit low = {.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
  const int returned = sw_netlink_open(&none, &error);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  assert_refused_texts(returned, EMFILE, (const char *const[]){"socket", "ulimit -n", NULL});
  assert_null(none);
}

static void close_accepts_no_socket(void **state) {
  (void)state;
  sw_netlink_close(NULL);
}

/* ---- link ---- */

static void mtu_queue_and_state_are_set(void **state) {
  (void)state;
  assert_not_shown("link show sw0", "UP");
  assert_done(up(1376, 32));
  assert_shown("link show sw0", "mtu 1376 ");
  assert_shown("link show sw0", "qlen 32\n");
  assert_shown("link show sw0", ",UP");
}

static void mtu_is_read_without_privilege(void **state) {
  (void)state;
  unsigned mtu = 0;
  ip("link set sw0 mtu 1300");
  assert_int_equal(seteuid(NOBODY), 0);
  assert_done(sw_netlink_link_mtu(netlink, device, &mtu, &error));
  assert_int_equal(mtu, 1300);
}

static void interface_that_is_down_is_told_from_one_that_is_up(void **state) {
  (void)state;
  assert_true(sw_netlink_link_is_down(netlink, device));
  ip("link set sw0 up");
  assert_false(sw_netlink_link_is_down(netlink, device));
  assert_false(sw_netlink_link_is_down(netlink, NO_INDEX));
}

static void what_is_added_is_counted(void **state) {
  (void)state;
  assert_done(up(1400, 0));
  for (unsigned i = 0; i < 2; i++) {
    assert_done(add_address("10.77.0.1/30"));
    assert_done(add_address("fd77::1/64"));
    assert_done(add_route("10.2.0.0/16", 0));
    assert_done(sw_netlink_rule_add(
        netlink, &(struct sw_rule){.priority = 100, .table = 254, .no_default = true}, &error));
    assert_int_equal(sw_netlink_added(netlink), 4);
  }
}

static void queue_is_unchanged_if_none_is_given(void **state) {
  (void)state;
  ip("link set sw0 txqueuelen 77");
  assert_done(up(1400, 0));
  assert_shown("link show sw0", "qlen 77\n");
}

static void mtu_out_of_range_is_reported(void **state) {
  (void)state;
  assert_refused(up(67, 32), EINVAL, "sw0", "MTU 67", "68 to 65535");
  assert_refused(up(65536, 32), EINVAL, "sw0", "MTU 65536", "68 to 65535");
  assert_not_shown("link show sw0", ",UP");
}

static void deleted_interface_is_reported(void **state) {
  (void)state;
  unsigned mtu;
  device = NO_INDEX;
  assert_refused(sw_netlink_link_mtu(netlink, device, &mtu, &error), ENODEV, "#4242", "deleted");
  assert_refused(up(1400, 32), ENODEV, "#4242", "it was deleted");
  assert_refused(add_address("10.77.0.1/30"), ENODEV, "10.77.0.1/30", "#4242", "deleted");
  assert_refused(add_address("fd77::1/64"), ENODEV, "fd77::1/64", "#4242", "deleted");
  assert_refused(add_route("10.2.0.0/16", 0), ENODEV, "10.2.0.0/16", "#4242", "deleted");
  assert_refused(add_route("fd02::/64", 0), ENODEV, "fd02::/64", "#4242", "deleted");
  assert_int_equal(sw_netlink_gso_segments(netlink, device, 40), -ENODEV);
}

static void missing_capability_is_reported(void **state) {
  (void)state;
  assert_int_equal(seteuid(NOBODY), 0);
  assert_refused(up(1400, 32), EPERM, "sw0", "CAP_NET_ADMIN", "root");
  assert_refused(add_address("10.77.0.1/30"), EPERM, "10.77.0.1/30", "sw0", "CAP_NET_ADMIN");
  assert_refused(add_address("fd77::1/64"), EPERM, "fd77::1/64", "sw0", "CAP_NET_ADMIN");
  assert_refused(add_route("10.2.0.0/16", 0), EPERM, "10.2.0.0/16", "sw0", "CAP_NET_ADMIN");
  assert_refused(add_route("fd02::/64", 0), EPERM, "fd02::/64", "sw0", "CAP_NET_ADMIN");
  assert_int_equal(sw_netlink_gso_segments(netlink, device, 40), -EPERM);
}

static void segments_of_super_packets_are_capped(void **state) {
  (void)state;
  assert_int_equal(sw_netlink_gso_segments(netlink, device, 40), 0);
  assert_shown("-d link show sw0", "gso_max_segs 40 ");
}

/* ---- addresses ---- */

static void ipv4_address_is_added(void **state) {
  (void)state;
  assert_done(add_address("10.77.0.1/30"));
  assert_shown("addr show dev sw0", "inet 10.77.0.1/30 scope global sw0\n");
}

static void ipv6_address_can_be_used_at_once(void **state) {
  (void)state;
  assert_done(add_address("fd77::1/64"));
  assert_shown("addr show dev sw0", "inet6 fd77::1/64 scope global nodad");
  const int fd = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 here = {.sin6_family = AF_INET6};
  assert_int_equal(inet_pton(AF_INET6, "fd77::1", &here.sin6_addr), 1);
  const int failed = bind(fd, (const struct sockaddr *)&here, sizeof(here));
  close(fd);
  assert_int_equal(failed, 0);
}

static void existing_address_is_no_error(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    assert_done(add_address("10.77.0.1/30"));
    assert_done(add_address("fd77::1/64"));
  }
}

static void address_of_another_interface_is_no_error(void **state) {
  (void)state;
  ip("addr add 10.77.0.1/30 dev other");
  ip("addr add fd77::1/64 dev other nodad");
  assert_done(add_address("10.77.0.1/30"));
  assert_done(add_address("fd77::1/64"));
  assert_shown("addr show dev sw0", "inet 10.77.0.1/30");
  assert_shown("addr show dev sw0", "inet6 fd77::1/64");
}

static void ipv6_that_is_disabled_is_reported(void **state) {
  (void)state;
  set_disable_ipv6("sw0", "1");
  assert_refused(add_address("fd77::1/64"), EACCES, "fd77::1/64", "sw0", "IPv6 is disabled",
                 "sysctl net/ipv6/conf/sw0/disable_ipv6=0", "net/ipv6/conf/default/disable_ipv6=0");
  assert_refused(add_route("fd02::/64", 0), EACCES, "fd02::/64", "IPv6 is disabled");
  assert_done(add_address("10.77.0.1/30"));
}

static void ipv6_over_too_small_an_mtu_is_reported(void **state) {
  (void)state;
  ip("link set sw0 mtu 1279");
  assert_refused(add_address("fd77::1/64"), EINVAL, "fd77::1/64", "sw0", "1280");
}

static void reason_given_by_the_kernel_is_reported(void **state) {
  (void)state;
  assert_int_equal(add_address("ff05::1/64"), -EADDRNOTAVAIL);
  assert_refused(add_route("10.2.0.1/16", 0), EINVAL, "10.2.0.1/16", "nvalid prefix");
}

static void reason_of_one_failure_is_not_reported_for_the_next(void **state) {
  (void)state;
  assert_int_equal(add_route("10.2.0.1/16", 0), -EINVAL);
  ip("link set sw0 mtu 1279");
  assert_refused(add_address("fd77::1/64"), EINVAL, "1280");
  assert_null(strstr(error.text, "prefix"));
}

/* ---- routes ---- */

static void routes_go_over_the_interface(void **state) {
  (void)state;
  static const char *const prefixes[] = {"10.2.0.0/16", "10.3.4.5/32", "0.0.0.0/0",
                                         "fd02::/64",   "fd03::1/128", "::/0"};
  for (unsigned i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
    assert_done(add_route(prefixes[i], 0));
  assert_shown("-4 route", "10.2.0.0/16 dev sw0 proto static scope link");
  assert_shown("-4 route", "10.3.4.5 dev sw0 proto static scope link");
  assert_shown("-4 route", "default dev sw0 proto static scope link");
  assert_shown("-6 route", "fd02::/64 dev sw0 proto static metric 1024");
  assert_shown("-6 route", "fd03::1 dev sw0 proto static metric 1024");
  assert_shown("-6 route", "default dev sw0 proto static metric 1024");
}

static void routes_go_into_the_table_asked_for(void **state) {
  (void)state;
  assert_done(add_route("10.2.0.0/16", 4000000000));
  assert_done(add_route("fd02::/64", 51900));
  assert_shown("-4 route show table 4000000000", "10.2.0.0/16 dev sw0");
  assert_shown("-6 route show table 51900", "fd02::/64 dev sw0");
  assert_not_shown("-4 route", "10.2.0.0/16");
  assert_not_shown("-6 route", "fd02::/64");
}

static void existing_route_over_the_interface_is_no_error(void **state) {
  (void)state;
  static const char *const prefixes[] = {"10.2.0.0/16", "10.3.4.5/32", "0.0.0.0/0",
                                         "fd02::/64",   "fd03::1/128", "::/0"};
  for (unsigned n = 0; n < 2; n++)
    for (unsigned i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++) {
      assert_done(add_route(prefixes[i], 0));
      assert_done(add_route(prefixes[i], 51900));
    }
}

static void connected_route_of_the_interface_is_no_error(void **state) {
  (void)state;
  assert_done(add_address("10.77.0.1/30"));
  assert_done(add_route("10.77.0.0/30", 0));
}

static void route_over_another_interface_is_reported(void **state) {
  (void)state;
  ip("route add 10.2.0.0/16 dev other");
  ip("route add 10.2.0.0/17 dev sw0");
  ip("route add 10.2.128.0/17 dev sw0");
  ip("route add default dev other");
  ip("-6 route add fd02::/64 dev other");
  ip("-6 route add fd02::/65 dev sw0");
  ip("-6 route add fd02:0:0:0:8000::/65 dev sw0");
  ip("-6 route add default dev other");
  assert_refused(add_route("10.2.0.0/16", 0), EEXIST, "10.2.0.0/16", "sw0", "over other",
                 "ip -4 route show table 254 10.2.0.0/16", "Table = off");
  assert_refused(add_route("0.0.0.0/0", 0), EEXIST, "over other");
  assert_refused(add_route("fd02::/64", 0), EEXIST, "fd02::/64", "sw0", "over other",
                 "ip -6 route show table 254 fd02::/64", "Table = off");
  assert_refused(add_route("::/0", 0), EEXIST, "over other");
}

static void route_of_another_table_is_no_conflict(void **state) {
  (void)state;
  /* the kernel lists the main table between the two */
  ip("route add 10.2.0.0/16 dev sw0 table 256");
  ip("route add 10.2.0.0/16 dev sw0 table 511");
  ip("route add 10.2.0.0/16 dev other");
  ip("-6 route add fd02::/64 dev sw0 table 256");
  ip("-6 route add fd02::/64 dev sw0 table 511");
  ip("-6 route add fd02::/64 dev other");
  assert_done(add_route("10.2.0.0/16", 51901));
  assert_done(add_route("fd02::/64", 51901));
  assert_refused(add_route("10.2.0.0/16", 0), EEXIST, "over other");
  assert_refused(add_route("fd02::/64", 0), EEXIST, "over other");
}

static void route_of_another_metric_is_no_conflict(void **state) {
  (void)state;
  ip("route add 10.2.0.0/16 dev other metric 100");
  ip("-6 route add fd02::/64 dev other metric 2000");
  for (unsigned i = 0; i < 2; i++) {
    assert_done(add_route("10.2.0.0/16", 0));
    assert_done(add_route("fd02::/64", 0));
  }
  ip("route add 10.3.0.0/16 dev other");
  ip("route add 10.3.0.0/16 dev sw0 metric 100");
  assert_refused(add_route("10.3.0.0/16", 0), EEXIST, "over other");
}

static void routes_have_the_metric_asked_for(void **state) {
  (void)state;
  ip("route add 10.2.0.0/16 dev other metric 70");
  ip("-6 route add fd02::/64 dev other metric 70");
  for (unsigned i = 0; i < 2; i++) {
    assert_done(add_route_of("10.2.0.0/16", 0, 50));
    assert_done(add_route_of("fd02::/64", 0, 1));
  }
  assert_shown("-4 route", "10.2.0.0/16 dev sw0 proto static scope link metric 50");
  assert_shown("-6 route", "fd02::/64 dev sw0 proto static metric 1 ");
  assert_refused(add_route_of("10.2.0.0/16", 0, 70), EEXIST, "over other");
  assert_refused(add_route_of("fd02::/64", 0, 70), EEXIST, "over other");
}

static void route_over_no_interface_is_reported(void **state) {
  (void)state;
  ip("route add blackhole 10.2.0.0/16");
  assert_refused(add_route("10.2.0.0/16", 0), EEXIST, "there is one: ip -4 route show",
                 "Table = off");
}

static void route_is_found_among_many(void **state) {
  (void)state;
  FILE *batch = popen("ip -batch -", "w");
  assert_non_null(batch);
  for (unsigned i = 0; i < ROUTES; i++)
    fprintf(batch, "route add 10.%u.%u.0/24 dev %s\n", i / 250, i % 250, i % 2 ? "sw0" : "other");
  assert_int_equal(pclose(batch), 0);
  assert_done(add_route("10.0.1.0/24", 0));
  assert_done(add_route("10.11.249.0/24", 0));
  assert_refused(add_route("10.11.248.0/24", 0), EEXIST, "over other");
  assert_done(add_route("10.200.0.0/24", 0));
}

static void tables_with_routes_of_others_are_in_use(void **state) {
  (void)state;
  uint64_t used = 1;
  ip("route add default dev sw0 table 1000");
  assert_done(sw_netlink_tables_used(netlink, device, 1000, &used, &error));
  assert_true(used == 0);
  ip("route add default dev other table 999");
  ip("route add default dev other table 1000 metric 9");
  ip("-6 route add default dev other table 1003");
  ip("route add blackhole default table 1063");
  ip("route add default dev other table 1064");
  assert_done(sw_netlink_tables_used(netlink, device, 1000, &used, &error));
  assert_true(used == (UINT64_C(1) | UINT64_C(1) << 3 | UINT64_C(1) << 63));
}

/* ---- rules ---- */

static const struct sw_rule main_rule = {.priority = 100, .table = 254, .no_default = true};
static const struct sw_rule mark_rule = {
    .priority = 101, .table = 70000, .mark = 77, .invert = true};

static void rules_are_added_once_and_removed(void **state) {
  (void)state;
  for (unsigned v6 = 0; v6 < 2; v6++) {
    const char *show = v6 ? "-6 rule" : "-4 rule";
    struct sw_rule one = main_rule, other = mark_rule;
    one.v6 = other.v6 = v6;
    for (unsigned i = 0; i < 2; i++) {
      assert_done(sw_netlink_rule_add(netlink, &one, &error));
      assert_done(sw_netlink_rule_add(netlink, &other, &error));
    }
    assert_shown(show, "100:\tfrom all lookup main suppress_prefixlength 0");
    assert_shown(show, "101:\tnot from all fwmark 0x4d lookup 70000");
    assert_done(sw_netlink_rule_remove(netlink, &one, &error));
    assert_not_shown(show, "100:");
    assert_shown(show, "101:");
    assert_done(sw_netlink_rule_remove(netlink, &other, &error));
    assert_done(sw_netlink_rule_remove(netlink, &other, &error));
    assert_not_shown(show, "101:");
  }
}

static void rule_may_be_for_what_is_sent_from_a_port(void **state) {
  (void)state;
  const struct sw_rule local = {.priority = 99, .table = 254, .udp_port = 51900, .local = true};
  const struct sw_rule marked = {.priority = 100, .table = 254, .udp_port = 51900, .mark = 77};
  for (unsigned i = 0; i < 2; i++) {
    assert_done(sw_netlink_rule_add(netlink, &local, &error));
    assert_done(sw_netlink_rule_add(netlink, &marked, &error));
  }
  /* between them stands "ipproto udp", or a number where there is no /etc/protocols */
  assert_shown("rule", "99:\tfrom all iif lo ipproto ");
  assert_shown("rule", "100:\tfrom all fwmark 0x4d ipproto ");
  assert_shown("rule", " sport 51900 lookup main");
  assert_done(sw_netlink_rule_remove(netlink, &local, &error));
  assert_not_shown("rule", "99:");
  assert_done(sw_netlink_rule_remove(netlink, &marked, &error));
  assert_not_shown("rule", "100:");
}

static void rule_may_be_for_a_user(void **state) {
  (void)state;
  for (unsigned v6 = 0; v6 <= 1; v6++) {
    const struct sw_rule rule = {.v6 = v6, .priority = 99, .table = 254, .user = 4000000000};
    const char *show = v6 ? "-6 rule" : "-4 rule";
    for (unsigned i = 0; i < 2; i++) assert_done(sw_netlink_rule_add(netlink, &rule, &error));
    assert_shown(show, "99:\tfrom all uidrange 4000000000-4000000000 lookup main");
    assert_done(sw_netlink_rule_remove(netlink, &rule, &error));
    assert_not_shown(show, "99:");
  }
}

static void rules_without_the_capability_are_reported(void **state) {
  (void)state;
  assert_int_equal(seteuid(NOBODY), 0);
  assert_refused(sw_netlink_rule_add(netlink, &mark_rule, &error), EPERM,
                 "cannot add the IPv4 rule 101 for table 70000", "CAP_NET_ADMIN");
  assert_refused(sw_netlink_rule_remove(netlink, &mark_rule, &error), EPERM,
                 "cannot remove the IPv4 rule 101", "CAP_NET_ADMIN");
}

static void interface_that_is_down_is_reported(void **state) {
  (void)state;
  ip("link set sw0 down");
  assert_refused(add_route("10.2.0.0/16", 0), ENETDOWN, "10.2.0.0/16", "sw0",
                 "start the link again");
  assert_refused(add_route("fd02::/64", 0), ENETDOWN, "fd02::/64", "sw0", "start the link again");
}

static void not_permitted(void **state) {
  (void)state;
  print_message("needs root (CAP_SYS_ADMIN) for a network namespace of its own\n");
  skip();
}

static unsigned leads_to(const char *text) {
  const struct sw_prefix address = prefix_of(text);
  struct sw_lookup_packet packet = {.mark = 0};
  memcpy(packet.ip, address.ip, SW_IP_BYTES);
  return sw_lookup_route(&packet).index;
}

static void the_interface_that_leads_to_an_address_is_found(void **state) {
  (void)state;
  const unsigned other = if_nametoindex("other");
  ip("addr add 192.0.2.1/24 dev other");
  ip("-6 addr add 2001:db8::1/64 dev other nodad");
  assert_int_equal(leads_to("192.0.2.9"), other);
  assert_int_equal(leads_to("2001:db8::9"), other);
  assert_int_equal(leads_to("198.51.100.9"), 0); /* no route */
  assert_int_equal(leads_to("2001:db8:1::9"), 0);
  ip("route add 192.0.2.8/29 dev sw0");
  ip("-6 route add 2001:db8::9/128 dev sw0");
  assert_int_equal(leads_to("192.0.2.9"), device);
  assert_int_equal(leads_to("2001:db8::9"), device);
  assert_int_equal(leads_to("192.0.2.100"), other);
  ip("rule add uidrange 0-0 prohibit"); /* rules are asked for this process's user */
  assert_int_equal(leads_to("192.0.2.9"), 0);
  assert_int_equal(seteuid(NOBODY), 0);
  assert_int_equal(leads_to("192.0.2.9"), device);
  assert_int_equal(seteuid(0), 0);
  ip("route add blackhole 192.0.2.9");
  assert_int_equal(leads_to("192.0.2.9"), 0);
}

#define down_test(function) cmocka_unit_test_setup_teardown(function, make_devices, leave)
#define up_test(function) cmocka_unit_test_setup_teardown(function, make_devices_up, leave)

static int remove_address(const char *text) {
  const struct sw_prefix address = prefix_of(text);
  return sw_netlink_address_remove(netlink, device, &address, &error);
}

static int remove_route(const char *text, uint32_t table, uint32_t metric) {
  const struct sw_route route = {.prefix = prefix_of(text), .table = table, .metric = metric};
  return sw_netlink_route_remove(netlink, device, &route, &error);
}

static void addresses_are_removed(void **state) {
  (void)state;
  assert_done(add_address("10.77.0.1/30"));
  assert_done(add_address("fd77::1/64"));
  assert_done(remove_address("10.77.0.1/30"));
  assert_done(remove_address("fd77::1/64"));
  assert_not_shown("addr show sw0", "10.77.0.1");
  assert_not_shown("addr show sw0", "fd77::1");
  assert_done(remove_address("10.77.0.1/30")); /* it is gone already */
  assert_done(remove_address("fd77::1/64"));
}

static void routes_are_removed_from_their_table_only(void **state) {
  (void)state;
  assert_done(add_route("10.2.0.0/16", 0));
  assert_done(add_route_of("10.2.0.0/16", 0, 7));
  assert_done(add_route("10.2.0.0/16", 99));
  assert_done(add_route("fd02::/64", 0));
  assert_done(remove_route("10.2.0.0/16", 0, 0));
  assert_done(remove_route("fd02::/64", 0, 0));
  assert_shown("route", "10.2.0.0/16 dev sw0 proto static scope link metric 7");
  assert_not_shown("route", "10.2.0.0/16 dev sw0 proto static scope link \n");
  assert_shown("route show table 99", "10.2.0.0/16 dev sw0");
  assert_not_shown("-6 route", "fd02::");
  assert_done(remove_route("10.2.0.0/16", 0, 0)); /* it is gone already */
  assert_done(remove_route("fd02::/64", 0, 0));
}

static void route_of_another_interface_is_not_removed(void **state) {
  (void)state;
  ip("route add 10.2.0.0/16 dev other proto static scope link");
  assert_done(remove_route("10.2.0.0/16", 0, 0));
  assert_shown("route", "10.2.0.0/16 dev other");
}

static void removal_without_the_capability_is_reported(void **state) {
  (void)state;
  assert_done(add_address("10.77.0.1/30"));
  assert_done(add_route("10.2.0.0/16", 0));
  assert_int_equal(seteuid(NOBODY), 0);
  assert_refused(remove_address("10.77.0.1/30"), EPERM,
                 "cannot remove the address 10.77.0.1/30 from sw0", "CAP_NET_ADMIN");
  assert_refused(remove_route("10.2.0.0/16", 0, 0), EPERM,
                 "cannot remove the route to 10.2.0.0/16 over sw0", "CAP_NET_ADMIN");
}

static void route_is_added_again_if_it_is_gone(void **state) {
  (void)state;
  const struct sw_route route = {.prefix = prefix_of("10.2.0.0/16")};
  for (unsigned i = 0; i < 2; i++)
    assert_done(sw_netlink_route_add_again(netlink, device, &route, &error));
  assert_shown("route", "10.2.0.0/16 dev sw0");
  ip("link set sw0 down");
  assert_refused(sw_netlink_route_add_again(netlink, device, &route, &error), ENETDOWN,
                 "cannot add the route to 10.2.0.0/16 over sw0");
}

int main(void) {
  const struct CMUnitTest nothing[] = {cmocka_unit_test(not_permitted)};
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(too_many_open_files_are_reported),
      cmocka_unit_test(close_accepts_no_socket),
      up_test(the_interface_that_leads_to_an_address_is_found),
      down_test(mtu_queue_and_state_are_set),
      down_test(interface_that_is_down_is_told_from_one_that_is_up),
      down_test(what_is_added_is_counted),
      down_test(queue_is_unchanged_if_none_is_given),
      down_test(mtu_is_read_without_privilege),
      down_test(mtu_out_of_range_is_reported),
      down_test(deleted_interface_is_reported),
      down_test(missing_capability_is_reported),
      down_test(segments_of_super_packets_are_capped),
      up_test(ipv4_address_is_added),
      up_test(ipv6_address_can_be_used_at_once),
      up_test(existing_address_is_no_error),
      up_test(address_of_another_interface_is_no_error),
      up_test(ipv6_that_is_disabled_is_reported),
      up_test(ipv6_over_too_small_an_mtu_is_reported),
      up_test(reason_given_by_the_kernel_is_reported),
      up_test(reason_of_one_failure_is_not_reported_for_the_next),
      up_test(routes_go_over_the_interface),
      up_test(routes_go_into_the_table_asked_for),
      up_test(existing_route_over_the_interface_is_no_error),
      up_test(connected_route_of_the_interface_is_no_error),
      up_test(route_over_another_interface_is_reported),
      up_test(route_of_another_table_is_no_conflict),
      up_test(route_of_another_metric_is_no_conflict),
      up_test(routes_have_the_metric_asked_for),
      up_test(route_over_no_interface_is_reported),
      up_test(route_is_found_among_many),
      up_test(tables_with_routes_of_others_are_in_use),
      down_test(rules_are_added_once_and_removed),
      down_test(rule_may_be_for_what_is_sent_from_a_port),
      down_test(rule_may_be_for_a_user),
      down_test(rules_without_the_capability_are_reported),
      up_test(interface_that_is_down_is_reported),
      up_test(addresses_are_removed),
      up_test(routes_are_removed_from_their_table_only),
      up_test(route_of_another_interface_is_not_removed),
      up_test(removal_without_the_capability_is_reported),
      up_test(route_is_added_again_if_it_is_gone),
  };
  if (unshare(CLONE_NEWNET) != 0) return cmocka_run_group_tests(nothing, NULL, NULL);
  return cmocka_run_group_tests_name("netlink", tests, NULL, NULL);
}

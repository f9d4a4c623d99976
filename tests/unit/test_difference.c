/* Which keys of two configurations differ, and which of them a running link takes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/difference.h"
#include "config_file.h"

#define HEAD "[Interface]\n"
#define REST                        \
  "[Peer]\n"                        \
  "PresharedKeyFile = site-b.key\n" \
  "Endpoint = a.example.net:9\n"    \
  "AllowedIPs = 10.2.0.0/16, fd02::/64\n"

/* A line that is added to either section. */
struct line {
  enum sw_config_key key;
  const char *interface, *peer;
};

/* For each key some values, all different. */
static const struct line lines[] = {
    {SW_CONFIG_KEY_ADDRESS, "Address = 10.77.0.1/30\n", ""},
    {SW_CONFIG_KEY_ADDRESS, "Address = 10.77.0.1/29\n", ""},
    {SW_CONFIG_KEY_ADDRESS, "Address = 10.77.0.1/30, fd77::1/64\n", ""},
    {SW_CONFIG_KEY_LISTEN_PORT, "ListenPort = 51900\n", ""},
    {SW_CONFIG_KEY_LISTEN_PORT, "ListenPort = 51901\n", ""},
    {SW_CONFIG_KEY_MTU, "MTU = 1300\n", ""},
    {SW_CONFIG_KEY_TABLE, "Table = off\n", ""},
    {SW_CONFIG_KEY_TABLE, "Table = 7\n", ""},
    {SW_CONFIG_KEY_TABLE, "Table = 8\n", ""},
    {SW_CONFIG_KEY_METRIC, "Metric = 7\n", ""},
    {SW_CONFIG_KEY_FWMARK, "FwMark = 7\n", ""},
    {SW_CONFIG_KEY_DSCP, "DSCP = copy\n", ""},
    {SW_CONFIG_KEY_BANDWIDTH, "Bandwidth = 95mbit\n", ""},
    {SW_CONFIG_KEY_BANDWIDTH, "Bandwidth = 96mbit\n", ""},
    {SW_CONFIG_KEY_OVERHEAD, "Bandwidth = off\nOverhead = 8\n", ""},
    {SW_CONFIG_KEY_NETNS, "NetNS = inside\n", ""},
    {SW_CONFIG_KEY_OFFLOAD, "Offload = off\n", ""},
    {SW_CONFIG_KEY_SANDBOX, "Sandbox = off\n", ""},
    {SW_CONFIG_KEY_POST_UP, "PostUp = true\n", ""},
    {SW_CONFIG_KEY_POST_UP, "PostUp = false\n", ""},
    {SW_CONFIG_KEY_POST_UP, "PostUp = true\nPostUp = true\n", ""},
    {SW_CONFIG_KEY_POST_UP, "PostUp = true\nPostUp = false\n", ""},
    {SW_CONFIG_KEY_PRE_DOWN, "PreDown = true\n", ""},
    {SW_CONFIG_KEY_PRE_DOWN, "PreDown = false\n", ""},
    {SW_CONFIG_KEY_PRE_DOWN, "PreDown = true\nPreDown = true\n", ""},
    {SW_CONFIG_KEY_ENDPOINT, "", "Endpoint = b.example.net:1\n"},
    {SW_CONFIG_KEY_ENDPOINT, "", "Endpoint = b.example.net:2\n"},
    {SW_CONFIG_KEY_ENDPOINT, "", "Endpoint = c.example.net:1\n"},
    {SW_CONFIG_KEY_ENDPOINT, "", "Endpoint = b.example.net:1, c.example.net:1\n"},
    {SW_CONFIG_KEY_ALLOWED_IPS, "", "AllowedIPs = 10.3.0.0/16\n"},
    {SW_CONFIG_KEY_ALLOWED_IPS, "", "AllowedIPs = 10.3.0.0/17\n"},
    {SW_CONFIG_KEY_KEEPALIVE, "", "PersistentKeepalive = 5\n"},
};
enum { LINES = sizeof(lines) / sizeof(lines[0]) };

static struct sw_config kept;

/* Loads a file with this line, or without (NULL), and keeps it. */
static void keep(const struct line *line) {
  char text[1000];
  snprintf(text, sizeof(text), HEAD "%s" REST "%s", line ? line->interface : "",
           line ? line->peer : "");
  assert_good(text);
  sw_config_free(&kept);
  kept = config;
  memset(&config, 0, sizeof(config));
}

static void load_line(const struct line *line) {
  char text[1000];
  snprintf(text, sizeof(text), HEAD "%s" REST "%s", line ? line->interface : "",
           line ? line->peer : "");
  assert_good(text);
}

static void assert_only_differ_in(enum sw_config_key one, enum sw_config_key other) {
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++) {
    const bool same = key != (int)one && key != (int)other;
    if (sw_config_same(&kept, &config, (enum sw_config_key)key) != same)
      fail_msg("%s", sw_config_row((enum sw_config_key)key)->name);
  }
}

static void each_key_is_told_apart_from_all_others(void **state) {
  (void)state;
  for (unsigned i = 0; i < LINES; i++) {
    keep(&lines[i]);
    load_line(NULL);
    assert_only_differ_in(lines[i].key, SW_CONFIG_KEY_NONE);
    for (unsigned j = 0; j < LINES; j++) {
      load_line(&lines[j]);
      if (i == j)
        assert_only_differ_in(SW_CONFIG_KEY_NONE, SW_CONFIG_KEY_NONE);
      else
        assert_only_differ_in(lines[i].key, lines[j].key);
    }
  }
}

static void another_key_file_is_a_difference(void **state) {
  (void)state;
  keep(NULL);
  load_line(NULL);
  strcat(config.key_file, "x");
  assert_only_differ_in(SW_CONFIG_KEY_PSK_FILE, SW_CONFIG_KEY_NONE);
}

static void each_endpoint_is_compared(void **state) {
  (void)state;
  const struct line two = {SW_CONFIG_KEY_ENDPOINT, "", "Endpoint = b.example.net:1\n"};
  for (unsigned i = 0; i < 2; i++) {
    keep(&two);
    load_line(&two);
    config.endpoints[i].port++;
    assert_only_differ_in(SW_CONFIG_KEY_ENDPOINT, SW_CONFIG_KEY_NONE);
  }
}

static void port_namespace_offload_and_sandbox_do_not_change_in_flight(void **state) {
  (void)state;
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++)
    assert_int_equal(sw_config_changes_in_flight((enum sw_config_key)key),
                     key != SW_CONFIG_KEY_LISTEN_PORT && key != SW_CONFIG_KEY_NETNS &&
                         key != SW_CONFIG_KEY_OFFLOAD && key != SW_CONFIG_KEY_SANDBOX);
}

static int remove_all(void **state) {
  sw_config_free(&kept);
  return config_file_remove(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, config_file_make_key, remove_all)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(each_key_is_told_apart_from_all_others),
      TEST(another_key_file_is_a_difference),
      TEST(each_endpoint_is_compared),
      TEST(port_namespace_offload_and_sandbox_do_not_change_in_flight),
  };
  return cmocka_run_group_tests_name("difference", tests, config_file_start, config_file_finish);
}

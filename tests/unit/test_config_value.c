#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "config/complaint.h"
#include "config/value.h"
#include "config_file.h"
#include "saltway/link.h"
#include "stack.h"

static void words_stand_for_numbers(void **state) {
  (void)state;
  assert_good(INTERFACE "Table = off\nFwMark = OFF\nOffload = off\nSandbox = off\n"
                        "Metric = auto\nDSCP = off\n" PEER "PersistentKeepalive = off\n");
  assert_false(config.dscp);
  assert_int_equal(config.metric, 0);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_OFF);
  assert_int_equal(config.fwmark, 0);
  assert_false(config.offload);
  assert_false(config.sandbox);
  assert_int_equal(config.persistent_keepalive, 0);
  assert_good(INTERFACE
              "Table = auto\nFwMark = 51820\nOffload = Auto\nSandbox = On\nDSCP = Copy\n" PEER
              "PersistentKeepalive = 0\n");
  assert_true(config.dscp);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_AUTO);
  assert_int_equal(config.fwmark, 51820);
  assert_true(config.offload);
  assert_true(config.sandbox);
  assert_int_equal(config.persistent_keepalive, 0);
}

static void table_auto_replaces_a_number(void **state) {
  (void)state;
  struct sw_error error;
  assert_int_equal(sw_value_table(&config, "1", &error), 0);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_NUMBER);
  assert_int_equal(sw_value_table(&config, "auto", &error), 0);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_AUTO);
}

static void namespace_is_a_name_or_an_absolute_path(void **state) {
  (void)state;
  static const char *const good[] = {"blue", "b..", "/run/netns/blue", "/proc/1/ns/net"};
  static const char *const bad[] = {"a/b", "./blue", ".", ".."};
  struct sw_error error;
  for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    assert_int_equal(sw_value_netns(&config, good[i], &error), 0);
    assert_string_equal(config.netns, good[i]);
  }
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(sw_value_netns(&config, bad[i], &error), -EINVAL);
  char name[NAME_MAX + 2], path[PATH_MAX + 1];
  memset(name, 'n', sizeof(name));
  name[NAME_MAX + 1] = '\0';
  assert_int_equal(sw_value_netns(&config, name, &error), -EINVAL);
  name[NAME_MAX] = '\0';
  assert_int_equal(sw_value_netns(&config, name, &error), 0);
  memset(path, 'p', sizeof(path));
  path[0] = '/';
  path[PATH_MAX] = '\0';
  assert_int_equal(sw_value_netns(&config, path, &error), -EINVAL);
  path[PATH_MAX - 1] = '\0';
  assert_int_equal(sw_value_netns(&config, path, &error), 0);
  assert_interface_mistake("NetNS = ./blue", "NetNS: \"./blue\" is not a network namespace; write "
                                             "its name in ip netns, or an absolute path");
}

static void number_with_zeros_in_front_is_decimal(void **state) {
  (void)state;
  assert_good("[Interface]\nListenPort = 0051900\nFwMark = 0100\n" PEER "Endpoint = b:0010\n");
  assert_int_equal(config.listen_port, 51900);
  assert_int_equal(config.fwmark, 100);
  assert_int_equal(config.endpoints[0].port, 10);
}

static void limits_of_numbers_are_inside(void **state) {
  (void)state;
  assert_good("[Interface]\nListenPort = 65535\nMTU = 576\nTable = 4294967295\n"
              "FwMark = 4294967295\nMetric = 4294967295\n" PEER "PersistentKeepalive = 65535\n");
  assert_int_equal(config.listen_port, 65535);
  assert_int_equal(config.table, UINT32_MAX);
  assert_int_equal(config.metric, UINT32_MAX);
  assert_int_equal(config.fwmark, UINT32_MAX);
  assert_good("[Interface]\nListenPort = 1\nMTU = 65479\nTable = 1\nFwMark = 0xFFFFFFFF\n"
              "Metric = 1\n" PEER);
  assert_int_equal(config.metric, 1);
  assert_int_equal(config.mtu, 65479);
  assert_int_equal(config.fwmark, UINT32_MAX);
}

static void key_file_may_be_absolute(void **state) {
  (void)state;
  char text[PATH_MAX + 128];
  snprintf(text, sizeof(text),
           INTERFACE "[Peer]\nPresharedKeyFile = %s\nAllowedIPs = 10.2.0.0/16\n", config_key_file);
  assert_good(text);
  assert_string_equal(config.key_file, config_key_file);
  struct sw_error error; /* a file name in base64 letters that is not a key */
  static const char name[] = "/etc/saltway/keys/ofsitesinthenorth/siteb";
  assert_int_equal(sw_value_psk_file(&config, name, &error), 0);
  assert_string_equal(config.key_file, name);
}

static void key_file_lies_beside_the_configuration(void **state) {
  (void)state;
  static struct sw_config beside;
  struct sw_error error;
  strcpy(beside.file, "site-b.conf");
  assert_int_equal(sw_value_psk_file(&beside, "site-b.key", &error), 0);
  assert_string_equal(beside.key_file, "site-b.key");
  strcpy(beside.file, "links/site-b.conf");
  assert_int_equal(sw_value_psk_file(&beside, "site-b.key", &error), 0);
  assert_string_equal(beside.key_file, "links/site-b.key");
}

static void path_of_the_key_file_has_a_limit(void **state) {
  (void)state;
  static struct sw_config beside;
  struct sw_error error;
  char name[PATH_MAX];
  memset(name, '-', sizeof(name));
  strcpy(beside.file, "links/site-b.conf");
  name[PATH_MAX - 1 - 6] = '\0';
  assert_int_equal(sw_value_psk_file(&beside, name, &error), 0);
  assert_int_equal(strlen(beside.key_file), PATH_MAX - 1);
  name[PATH_MAX - 1 - 6] = '-';
  name[PATH_MAX - 6] = '\0';
  assert_int_equal(sw_value_psk_file(&beside, name, &error), -EINVAL);
  assert_string_equal(error.text, "the path is too long; at most 4095 bytes");
}

static void part_of_a_key_is_not_taken_for_a_file_name(void **state) {
  (void)state;
  struct sw_error error;
  static const char words[] = "this is a key itself; put it into a file that only its owner can "
                              "read, and write that file's name here";
  assert_int_equal(sw_value_psk_file(&config, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX", &error), -EINVAL);
  assert_string_equal(error.text, words);
  assert_int_equal(
      sw_value_psk_file(&config, "/AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &error), -EINVAL);
  assert_string_equal(error.text, words);
  static const char *const names[] = {"AAECAwQFBgcICQoLDA0ODxAREhMUFRY", /* 31 bytes */
                                      "key-of-the-link-between-site-a-and-site-b"};
  for (size_t i = 0; i < 2; i++) assert_int_equal(sw_value_psk_file(&config, names[i], &error), 0);
}

static void look_at_key(void) {
  struct sw_error error;
  sw_value_psk_file(&config, "/AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &error);
}

static void key_that_was_taken_for_a_name_is_wiped(void **state) {
  (void)state;
  static const uint8_t key[] = {0xfc, 1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                16,   17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
  stack_run(look_at_key);
  assert_false(stack_holds(key, sizeof(key)));
}

static void number_out_of_range_is_reported(void **state) {
  (void)state;
  static const struct {
    const char *line, *words;
  } cases[] = {
      {"DSCP = 46", "DSCP: \"46\" is not a traffic class of datagrams; write copy or off"},
      {"Bandwidth = 95", "Bandwidth: \"95\" is not a rate; write off, or like 95mbit, 800kbit or "
                         "1.5gbit (64kbit to 100gbit)"},
      {"Bandwidth = 95 Mbit/s", "\"95 Mbit/s\" is not a rate"},
      {"Bandwidth = mbit", "is not a rate"},
      {"Bandwidth = .5gbit", "is not a rate"},
      {"Bandwidth = 5.mbit", "is not a rate"},
      {"Bandwidth = 5.1234mbit", "is not a rate"},
      {"Bandwidth = -5mbit", "is not a rate"},
      {"Bandwidth = 63.999kbit", "is not a rate"},
      {"Bandwidth = 100.001gbit", "is not a rate"},
      {"Bandwidth = 1000000000kbit", "is not a rate"},
      {"Bandwidth = 0mbit", "is not a rate"},
      {"Overhead = 257", "Overhead: \"257\" is not a number of bytes; write 0 to 256"},
      {"Overhead = -4", "is not a number of bytes"},
      {"Sandbox = auto", "Sandbox: \"auto\" is not a way to confine the engine; write on or off"},
      {"Offload = on",
       "Offload: \"on\" is not a way to exchange packets with the kernel; write auto or off"},
      {"MTU = 575",
       "MTU: \"575\" is not a size in bytes; write auto, or a number from 576 to 65479"},
      {"MTU = 65480", "from 576 to 65479"},
      {"MTU = 1376 bytes", "from 576 to 65479"},
      {"MTU = 1376 ; bytes", "MTU: \"1376 ; bytes\" is not a size"},
      {"MTU = -1376", "from 576 to 65479"},
      {"MTU = 0x560", "from 576 to 65479"},
      {"Table = 0", "Table: \"0\" is not a routing table; write auto, off or 1 to 4294967295"},
      {"Metric = 0", "Metric: \"0\" is not a metric of routes; write auto or 1 to 4294967295"},
      {"Metric = 4294967296", "auto or 1 to 4294967295"},
      {"Table = main", "auto, off or 1 to 4294967295"},
      {"Table = 4294967296", "auto, off or 1 to 4294967295"},
      {"FwMark = 0x", "FwMark: \"0x\" is not a firewall mark"},
      {"FwMark = ca6c", "0x1 to 0xffffffff"},
      {"FwMark = 0x0x1", "0x1 to 0xffffffff"},
      {"FwMark = 0x100000000", "0x1 to 0xffffffff"},
      {"FwMark = 99999999999999999999999", "0x1 to 0xffffffff"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_interface_mistake(cases[i].line, cases[i].words);
  static const char *const ports[] = {"0", "65536", "http", "+1", "1 2"};
  for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
    char text[512];
    snprintf(text, sizeof(text), "[Interface]\nListenPort = %s\n" PEER, ports[i]);
    assert_mistake(text, 2, "is not a UDP port; write 1 to 65535");
  }
  assert_peer_mistake("PersistentKeepalive = 65536",
                      "\"65536\" is not a number of seconds; write off or 0 to 65535");
  assert_peer_mistake("PersistentKeepalive = 25s", "is not a number of seconds");
}

static void mtu_limit_is_that_of_a_packet(void **state) {
  (void)state;
  assert_int_equal(SW_VALUE_MTU_MAX, SW_PACKET_MAX);
}

static void rates_have_units(void **state) {
  (void)state;
  static const struct {
    const char *text;
    uint64_t rate;
  } cases[] = {
      {"64kbit", 64000},
      {"95mbit", 95000000},
      {"1.5gbit", 1500000000},
      {"2.25Mbit", 2250000},
      {"1.001MBIT", 1001000},
      {"100gbit", 100000000000},
      {"64.001kbit", 64001},
      {"100000000kbit", 100000000000},
      {"100.000gbit", 100000000000},
      {"off", 0},
  };
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[256];
    snprintf(text, sizeof(text), INTERFACE "Bandwidth = %s\n" PEER, cases[i].text);
    assert_good(text);
    assert_true(config.bandwidth == cases[i].rate);
    assert_int_equal(config.overhead, 0);
  }
  assert_good(INTERFACE "Overhead = 256\nBandwidth = 1mbit\n" PEER);
  assert_int_equal(config.overhead, 256);
}

static void overhead_counts_for_a_bandwidth(void **state) {
  (void)state;
  assert_interface_mistake("Overhead = 8",
                           "Overhead counts for the limit of Bandwidth, and there is "
                           "none; add Bandwidth = RATE, like 95mbit, or remove");
  assert_good(INTERFACE "Bandwidth = off\nOverhead = 8\n" PEER);
  assert_interface_mistake("Bandwidth = x\nOverhead = 8", "is not a rate");
}

static void mtu_is_large_enough_for_ipv6(void **state) {
  (void)state;
  assert_interface_mistake("MTU = 1279\nAddress = fd77::1/64",
                           "MTU: 1279 is too small for IPv6 (fd77::1/64); write at least 1280");
  assert_mistake(INTERFACE "MTU = 1279\n" PEER "AllowedIPs = fd02::/64\n", 3,
                 "MTU: 1279 is too small for IPv6 (fd02::/64)");
  assert_good(INTERFACE "MTU = Auto\n" PEER);
  assert_good(INTERFACE "MTU = 1280\nAddress = fd77::1/64\n" PEER);
}

static void unusual_addresses_are_good(void **state) {
  (void)state;
  assert_good(
      "[Interface]\nListenPort = 1\nAddress = 10.77.0.0/31, 10.77.0.3/31, 10.78.0.0/32, 10.79.0.0/24\n" PEER);
  assert_good("[Interface]\nListenPort = 1\nAddress = 10.77.0.1/1, fd77::/64, fd78::/1\n" PEER);
  assert_good("[Interface]\nListenPort = 1\n" PEER
              "Endpoint = 127.0.0.1:1, [::1]:1, [fe80::1%lo]:1, [fec0::1]:1\n");
}

static void address_that_cannot_be_used_is_reported(void **state) {
  (void)state;
  static const struct {
    const char *line, *words;
  } cases[] = {
      {"Address = 10.77.0.1/33", "Address: \"10.77.0.1/33\" is not an address"},
      {"Address = 10.77.0", "write it like 10.77.0.1/30 or fd77::1/64"},
      {"Address = 0.0.0.0/0", "0.0.0.0/0 is not an address for an interface (unspecified)"},
      {"Address = ::/64", "(unspecified); use a private one, like 10.77.0.1/30\n"},
      {"Address = 127.0.0.1/8", "127.0.0.1/8 is not an address for an interface (loopback)"},
      {"Address = ::1", "(loopback)"},
      {"Address = 224.0.0.5/32", "224.0.0.5/32 is not an address for an interface (multicast)"},
      {"Address = ff02::1/64", "(multicast)"},
      {"Address = 255.255.255.255/32", "(broadcast)"},
      {"Address = 10.77.0.1/30, 10.77.0.1/24", "10.77.0.1/24 is given twice; remove one\n"},
      {"Address = 10.77.0.1, 10.78.0.1, 10.78.0.1/24", "10.78.0.1/24 is given twice"},
      {"Address = 10.77.0.1/0",
       "all addresses are on the link; write a length of at least 1, like 10.77.0.1/30\n"},
      {"Address = fd77::1/0", "fd77::1/0 says that all addresses are on the link"},
      {"Address = x", "Address: \"x\" is not an address"},
      {"Address = 10.77.0.1/30,", "Address: nothing before or after a comma"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_interface_mistake(cases[i].line, cases[i].words);
}

static void allowed_ip_with_host_bits_names_the_right_network(void **state) {
  (void)state;
  assert_peer_mistake("AllowedIPs = 10.3.0.1/16",
                      "AllowedIPs: 10.3.0.1/16 has host bits set; did you mean 10.3.0.0/16?\n");
  assert_peer_mistake("AllowedIPs = 10.3.255.255/17", "10.3.255.255/17 has host bits set; "
                                                      "did you mean 10.3.128.0/17?\n");
  assert_peer_mistake("AllowedIPs = fd02::1/64",
                      "fd02::1/64 has host bits set; did you mean fd02::/64?");
}

static void invalid_or_repeated_allowed_ip_is_reported(void **state) {
  (void)state;
  assert_peer_mistake("AllowedIPs = site-b", "AllowedIPs: \"site-b\" is not a range of addresses");
  assert_peer_mistake("AllowedIPs = 10.3.0.0/16 10.4.0.0/16", "commas separate values");
  assert_peer_mistake("AllowedIPs = 10.2.0.0/16", "10.2.0.0/16 is given twice; remove one");
  assert_peer_mistake("AllowedIPs = 10.3.0.0/16, 10.3.0.0/16", "10.3.0.0/16 is given twice");
  assert_good(INTERFACE PEER "AllowedIPs = 10.2.0.0/24\n");
}

static void endpoint_is_host_and_port(void **state) {
  (void)state;
  static const struct {
    const char *line, *words;
  } cases[] = {
      {"Endpoint = b.example.net",
       "Endpoint: \"b.example.net\" has no port; write HOST:PORT, like b.example.net:51900\n"},
      {"Endpoint = [2001:db8::1]", "has no port; write HOST:PORT, like [2001:db8::1]:51900\n"},
      {"Endpoint = 2001:db8::1:51900", "2001:db8::1:51900 is an IPv6 address without brackets; "
                                       "write it like [2001:db8::1]:51900\n"},
      {"Endpoint = 2001:db8:1:2:3:4:5:6", "without brackets and port; write it like "
                                          "[2001:db8:1:2:3:4:5:6]:51900\n"},
      {"Endpoint = fe80::1%eth0:51900", "fe80::1%eth0:51900 is an IPv6 address without brackets; "
                                        "write it like [fe80::1%eth0]:51900\n"},
      {"Endpoint = a:b:c", "\"a:b:c\" is not HOST:PORT; write an IPv6 address like "
                           "[2001:db8::1]:51900\n"},
      {"Endpoint = x::1", "\"x::1\" is not HOST:PORT"},
      {"Endpoint = [2001:db8::1:51900", "has no \"]\"; write it like [2001:db8::1]:51900\n"},
      {"Endpoint = [2001:db8::1]51900", "does not end in a UDP port"},
      {"Endpoint = [b.example.net]:51900",
       "the text in the brackets of \"[b.example.net]:51900\" is not an IPv6 address; write it like "
       "[2001:db8::1]:51900\n"},
      {"Endpoint = [fe80::1%]:51900", "is not an IPv6 address"},
      {"Endpoint = [0000:0000:0000:0000:0000:ffff:255.255.255.2555]:1", "is not an IPv6 address"},
      {"Endpoint = 0.0.0.0:1", "0.0.0.0 is not the address of a machine (unspecified)\n"},
      {"Endpoint = [::]:1", ":: is not the address of a machine (unspecified)\n"},
      {"Endpoint = 255.255.255.255:1", "(broadcast)\n"},
      {"Endpoint = 224.0.0.1:1", "(multicast)\n"},
      {"Endpoint = [ff02::1]:1", "(multicast)\n"},
      {"Endpoint = [fe80::1]:51900", "needs its interface; write it like [fe80::1%eth0]:51900\n"},
      {"Endpoint = [febf::1]:1", "febf::1 is a link-local address"},
      {"Endpoint = b.example.net:0", "does not end in a UDP port; write \":1\" to \":65535\"\n"},
      {"Endpoint = b.example.net:65536", "does not end in a UDP port"},
      {"Endpoint = b.example.net:http", "does not end in a UDP port"},
      {"Endpoint = b.example.net:1x", "does not end in a UDP port"},
      {"Endpoint = b.example.net:", "does not end in a UDP port"},
      {"Endpoint = :51900", "\"\" is neither an IPv4 address nor a host name"},
      {"Endpoint = 192.0.2.256:51900",
       "\"192.0.2.256\" is neither an IPv4 address nor a host name"},
      {"Endpoint = 192.0.2:51900", "\"192.0.2\" is neither"},
      {"Endpoint = b..example:51900", "\"b..example\" is neither"},
      {"Endpoint = -b.example:51900", "\"-b.example\" is neither"},
      {"Endpoint = b-.example:51900", "\"b-.example\" is neither"},
      {"Endpoint = b.-:51900", "\"b.-\" is neither"},
      {"Endpoint = ?b.example:51900",
       "\"?b.example\" is neither an IPv4 address nor a host name; write it like 192.0.2.1:51900 or "
       "b.example.net:51900\n"},
      {"Endpoint = b example:51900", "\"b example:51900\" has a blank or \";\" in it"},
      {"Endpoint = b.example:1; c.example:1", "commas separate values"},
      {"Endpoint = b(example:51900", "\"b(example\" is neither"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_peer_mistake(cases[i].line, cases[i].words);
  assert_good(INTERFACE PEER "Endpoint = b:1, B_2.example.:65535, [fe80::1%eth0]:51900, 3com.de:1\n"
                             "Endpoint = a-b.example:1, [fe80::1%1]:1\n"
                             "Endpoint = [0000:0000:0000:0000:0000:ffff:255.255.255.255]:1\n");
  assert_string_equal(config.endpoints[1].host, "B_2.example.");
  assert_string_equal(config.endpoints[2].host, "fe80::1%eth0");
}

static void longest_name_is_an_endpoint(void **state) {
  (void)state;
  char name[256], text[512]; /* labels of 63, 63, 63 and 61 bytes, and three dots */
  memset(name, 'a', sizeof(name));
  name[63] = name[127] = name[191] = '.';
  name[253] = '\0';
  snprintf(text, sizeof(text), INTERFACE PEER "Endpoint = %s:65535\n", name);
  assert_good(text);
  assert_string_equal(config.endpoints[0].host, name);
  snprintf(text, sizeof(text), "Endpoint = a%s:65535", name);
  assert_peer_mistake(text, "aaa...\" is not HOST:PORT; write it like b.example.net:51900");
  snprintf(text, sizeof(text), "Endpoint = %sa:1", name);
  assert_peer_mistake(text, "is neither an IPv4 address nor a host name");
  memset(name, 'a', sizeof(name)); /* longer than an endpoint's buffer */
  snprintf(text, sizeof(text), "Endpoint = a%.255s:1", name);
  assert_peer_mistake(text, "...\" is not HOST:PORT; write it like b.example.net:51900");
  snprintf(text, sizeof(text), "Endpoint = %.255s:1", name);
  assert_peer_mistake(text, "is neither an IPv4 address nor a host name");
  strcpy(name + 63, ".example");
  snprintf(text, sizeof(text), "Endpoint = a%s:1", name); /* a label of 64 bytes */
  assert_peer_mistake(text, "is neither an IPv4 address nor a host name");
}

static void long_value_is_shown_in_part(void **state) {
  (void)state;
  static const char *const shown[][2] = {
      /* 64 bytes, 65 bytes, and characters across the limit */
      {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
       "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\" is not"},
      {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefg",
       "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef...\" is not"},
      {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\xe2\x82\xac",
       "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd...\" is not"},
      {"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\xc3\xa9",
       "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde...\" is not"}};
  for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
    char line[128];
    snprintf(line, sizeof(line), "AllowedIPs = %s", shown[i][0]);
    assert_peer_mistake(line, shown[i][1]);
  }
}

static bool short_of_memory;

/* These two replace the C library's. */
void *reallocarray(void *bytes, size_t count, size_t size) {
  errno = ENOMEM;
  return short_of_memory ? NULL : realloc(bytes, count * size);
}

char *strdup(const char *text) {
  errno = ENOMEM;
  return short_of_memory ? NULL : strcpy(malloc(strlen(text) + 1), text);
}

static void shortage_of_memory_is_not_a_mistake_in_the_file(void **state) {
  (void)state;
  short_of_memory = true;
  const int ranges = load(INTERFACE PEER);
  short_of_memory = false;
  assert_int_equal(ranges, -ENOMEM);
  assert_complaint(5, "AllowedIPs: cannot keep the range: Cannot allocate memory\n");
  short_of_memory = true;
  const int hooks = load("[Interface]\nListenPort = 1\nPostUp = a\n[Peer]\n");
  short_of_memory = false;
  assert_int_equal(hooks, -ENOMEM);
  assert_complaint(3, "PostUp: cannot keep the command: Cannot allocate memory\n");
}

static void shortages_are_distinguished_from_mistakes(void **state) {
  (void)state;
  static const int shortages[] = {-ENOMEM, -EMFILE, -ENFILE};
  for (size_t i = 0; i < 3; i++) {
    struct sw_complaints about = {.shortage = 0};
    sw_complaints_note(&about, 0);
    sw_complaints_note(&about, -EINVAL);
    assert_int_equal(about.shortage, 0);
    sw_complaints_note(&about, shortages[i]);
    sw_complaints_note(&about, -EINVAL);
    assert_int_equal(about.shortage, shortages[i]);
  }
}

static void mistake_in_the_key_file_is_reported_at_its_line(void **state) {
  (void)state;
  write_file(config_key_file, "AAECAwQFBgcICQoLDA0ODw==\n", 25, 0600);
  assert_mistake(INTERFACE PEER, 4, "PresharedKeyFile: key file ");
  assert_complaint(4, "site-b.key: line 1 has 24 characters");
  assert_int_equal(chmod(config_key_file, 0644), 0);
  assert_mistake(INTERFACE PEER, 4, "can be read by others (mode 0644) (fix: chmod 600 ");
  assert_int_equal(remove(config_key_file), 0);
  assert_mistake(INTERFACE PEER, 4, "No such file or directory (copy it from the other side; or ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, config_file_make_key, config_file_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(words_stand_for_numbers),
      TEST(rates_have_units),
      TEST(overhead_counts_for_a_bandwidth),
      TEST(namespace_is_a_name_or_an_absolute_path),
      TEST(table_auto_replaces_a_number),
      TEST(number_with_zeros_in_front_is_decimal),
      TEST(limits_of_numbers_are_inside),
      TEST(key_file_may_be_absolute),
      TEST(key_file_lies_beside_the_configuration),
      TEST(path_of_the_key_file_has_a_limit),
      TEST(part_of_a_key_is_not_taken_for_a_file_name),
      TEST(key_that_was_taken_for_a_name_is_wiped),
      TEST(number_out_of_range_is_reported),
      TEST(mtu_limit_is_that_of_a_packet),
      TEST(mtu_is_large_enough_for_ipv6),
      TEST(unusual_addresses_are_good),
      TEST(address_that_cannot_be_used_is_reported),
      TEST(allowed_ip_with_host_bits_names_the_right_network),
      TEST(invalid_or_repeated_allowed_ip_is_reported),
      TEST(endpoint_is_host_and_port),
      TEST(longest_name_is_an_endpoint),
      TEST(long_value_is_shown_in_part),
      TEST(shortage_of_memory_is_not_a_mistake_in_the_file),
      TEST(shortages_are_distinguished_from_mistakes),
      TEST(mistake_in_the_key_file_is_reported_at_its_line),
  };
  return cmocka_run_group_tests_name("config values", tests, config_file_start, config_file_finish);
}

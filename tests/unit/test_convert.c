#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "convert/directory.h"
#include "convert/ends.h"
#include "convert/openvpn.h"
#include "convert/wg_quick.h"
#include "convert/writer.h"

static struct sw_ends ends;
static char *report, *ours, *theirs; /* what was said, and both ends' files */
static int mistakes;

static void take(const struct sw_config *config, char **text) {
  size_t size;
  FILE *out = open_memstream(text, &size);
  sw_config_write(out, config, "test");
  assert_int_equal(fclose(out), 0);
}

static void forget(void) {
  sw_ends_free(&ends);
  free(report);
  free(ours);
  free(theirs);
  report = ours = theirs = NULL;
}

/* Reads the text as a file of wg-quick's, of which `peer` is wanted, or of OpenVPN's if it is -1. */
static void import(const char *text, int peer, const char *host) {
  char *copy = strdup(text);
  size_t size;
  forget();
  FILE *out = open_memstream(&report, &size);
  struct sw_complaints complaints = {.out = out, .file = "old"};
  assert_int_equal(sw_ends_init(&ends, "new", out), 0);
  if (peer < 0)
    sw_openvpn_read(copy, &ends, &complaints);
  else
    sw_wg_quick_read(copy, "old", (unsigned)peer, &ends, &complaints);
  if (complaints.count == 0) sw_ends_finish(&ends, host, 1000, &complaints);
  assert_int_equal(fclose(out), 0);
  mistakes = complaints.count;
  take(&ends.ours, &ours);
  take(&ends.theirs, &theirs);
  free(copy);
}

static void assert_has(const char *text, const char *part) {
  if (part && !strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part) {
  if (strstr(text, part)) fail_msg("\"%s\" is in:\n%s", part, text);
}

#define LEAST "secret k\nremote b.example\nifconfig 10.8.0.2 10.8.0.1\n"

/* ---- OpenVPN ---- */

static const struct {
  const char *text, *ours, *theirs, *report;
} openvpn_options[] = {
    {LEAST, "Address = 10.8.0.2/32\nListenPort = 1194\n",
     "Address = 10.8.0.1/32\nListenPort = 1194\n", "old:1: secret is not carried over: "},
    {LEAST, "Endpoint = b.example:1194\nAllowedIPs = 10.8.0.1/32\n", "AllowedIPs = 10.8.0.2/32\n",
     ""},
    {LEAST "port 1195\n", "ListenPort = 1195\n", "ListenPort = 1195\n", ""},
    {"rport 7\nlport 8\n" LEAST, "ListenPort = 8\n", "ListenPort = 7\n", ""},
    {LEAST "nobind\n", "10.8.0.2/32\n\n[Peer]", "ListenPort = 1194\n", ""},
    {LEAST "lport 0\n", "10.8.0.2/32\n\n[Peer]", "ListenPort = 1194\n", ""},
    {LEAST "remote 2001:db8::1 99\n", "Endpoint = [2001:db8::1]:99\n", NULL, ""},
    {LEAST "remote c 9 tcp\n", "Endpoint = c:9\n", NULL, "old:4: remote: the link runs over UDP"},
    {LEAST "ifconfig-ipv6 fd08::2/64 fd08::1\n", ", fd08::2/64\n", ", fd08::1/64\n", ""},
    {LEAST "ifconfig-ipv6 fd08::2/64 fd08::1/64\n", "10.8.0.1/32, fd08::1/128\n", ", fd08::1/64\n",
     ""},
    {LEAST "route 10.2.0.0 255.255.0.0\n", "AllowedIPs = 10.2.0.0/16, 10.8.0.1/32\n", NULL, ""},
    {LEAST "route 10.2.3.4 255.255.0.0 default 5\n", "10.2.0.0/16", NULL,
     "old:4: route: its metric"},
    {LEAST "route 10.2.3.4\n", "10.2.3.4/32", NULL, ""},
    {LEAST "route 10.2.3.4 default\n", "10.2.3.4/32", NULL, ""},
    {LEAST "route 10.9.0.0 255.255.0.0 net_gateway\n", "AllowedIPs = 10.8.0.1/32\n", NULL,
     "old:4: route is not carried over: it does not lead into the link"},
    {LEAST "route remote_host 255.255.255.255\n", "AllowedIPs = 10.8.0.1/32\n", NULL,
     "old:4: route is not"},
    {LEAST "route-ipv6 fd02::/64\n", "fd02::/64", NULL, ""},
    {LEAST "redirect-gateway def1\n", "AllowedIPs = 0.0.0.0/0\n", NULL, "old: all traffic"},
    {LEAST "redirect-gateway !ipv4 ipv6\n", "AllowedIPs = ::/0, 10.8.0.1/32\n", NULL,
     "old: all traffic"},
    {LEAST "keepalive 10 60\n", "PersistentKeepalive = 10\n", "PersistentKeepalive = 10\n",
     "old:4: keepalive: its second number"},
    {LEAST "ping 7\n", "PersistentKeepalive = 7\n", "PersistentKeepalive = 7\n", ""},
    {LEAST "passtos\n", "DSCP = copy\n", "DSCP = copy\n", ""},
    {LEAST "shaper 1000001\n", "Bandwidth = 8000.008kbit\n", NULL, ""},
    {LEAST "shaper 7999\n", NULL, NULL, "old:4: shaper is not carried over: a link's Bandwidth is"},
    {LEAST "mark 51\n", "FwMark = 0x33\n", NULL, ""},
    {LEAST "dev tun7\n", NULL, NULL, "old:4: dev: the interface has the name of the link, new"},
    {LEAST "--verb 3\n", NULL, NULL, "old:4: verb is not carried over: "},
    {LEAST "proto tcp-server\n", NULL, NULL, "old:4: proto is not carried over: "},
    {LEAST "  mssfix 1400 # why\n", NULL, NULL, "old:4: mssfix is not carried over: "},
    {LEAST "user \"no body\"\n", NULL, NULL, "old:4: user is not carried over: "},
    {LEAST "new-option 1\n", NULL, NULL,
     "old:4: new-option is not carried over: not known: a part of OpenVPN"},
    {"<secret>\n0123\n</secret>\nremote b\n", "Address = 10.", "Address = 10.",
     "old: no addresses"},
};

static void openvpn_options_become_keys(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(openvpn_options) / sizeof(openvpn_options[0]); i++) {
    import(openvpn_options[i].text, -1, NULL);
    if (mistakes) fail_msg("%s", report);
    assert_has(ours, openvpn_options[i].ours);
    assert_has(theirs, openvpn_options[i].theirs);
    assert_has(report, openvpn_options[i].report);
  }
}

static const struct {
  const char *text, *report;
} openvpn_mistakes[] = {
    {"remote b\n", "old:1: no secret: this is not the configuration of a link with a static key"},
    {LEAST "client\n", "old:4: client: this is a configuration with certificates"},
    {LEAST "dev tap0\n", "old:4: dev: a tap device carries Ethernet frames"},
    {LEAST "port 0\n", "old:4: port: not a UDP port; write 1 to 65535"},
    {LEAST "rport 65536\n", "old:4: rport: not a UDP port"},
    {LEAST "remote\n", "old:4: remote has too few arguments; write remote HOST [PORT]"},
    {LEAST "remote a,b\n", "old:4: remote: \"a,b\" is neither an address nor a host name"},
    {LEAST "ifconfig 10.8.0.1 255.255.255.0\n",
     "old:4: ifconfig: the second argument is a netmask"},
    {LEAST "ifconfig 10.8.0.1 10.8.0.1\n",
     "old:4: ifconfig: both addresses are 10.8.0.1; each end"},
    {LEAST "ifconfig 10.8.0.x 10.8.0.1\n", "old:4: ifconfig: not two IPv4 addresses"},
    {LEAST "ifconfig-ipv6 fd08:x::2/64 fd08::1\n",
     "old:4: ifconfig-ipv6: an argument is not an address"},
    {LEAST "route 10.2.0.0 255.0.255.0\n",
     "old:4: route: not a netmask; write it like 255.255.0.0"},
    {LEAST "route 10.2.0.0/16\n", "old:4: route: not a network; write route 10.2.0.0 255.255.0.0"},
    {LEAST "route-ipv6 fd02::x\n", "old:4: route-ipv6: not a network; write route-ipv6 fd02::/64"},
    {LEAST "ping often\n", "old:4: ping: not a number of seconds; write 0 to 65535"},
    {LEAST "<secret>\n0123\n", "old:5: an inline block has no end; write </secret>"},
    {LEAST "verb\xff 3\n", "old:4: byte 0xFF in column 5 is not UTF-8"},
    {"secret k\nifconfig 10.8.0.2 10.8.0.1\n", "old: no address of the peer in this file"},
};

static void mistakes_in_openvpn_files_are_named(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(openvpn_mistakes) / sizeof(openvpn_mistakes[0]); i++) {
    import(openvpn_mistakes[i].text, -1, NULL);
    assert_int_equal(mistakes, 1);
    assert_has(report, openvpn_mistakes[i].report);
  }
}

static void keys_that_are_not_in_a_block_are_not_shown(void **state) {
  static const char hex[] = "0123456789abcdef0123456789abcdef";
  char text[256];
  (void)state;
  snprintf(text, sizeof(text), LEAST "%s\n<secret>\n%s\n</secret>\n", hex, hex);
  import(text, -1, NULL);
  assert_int_equal(mistakes, 1);
  assert_has(report, "old:4: not an option of OpenVPN; write NAME ARGUMENTS");
  assert_lacks(report, hex);
}

static void host_is_where_the_peer_finds_us(void **state) {
  (void)state;
  import("secret k\nifconfig 10.8.0.2 10.8.0.1\nlport 5\n", -1, "a.example");
  assert_int_equal(mistakes, 0);
  assert_has(theirs, "Endpoint = a.example:5\n");
  assert_lacks(theirs, "ListenPort");
  assert_lacks(ours, "Endpoint");
  import(LEAST "nobind\n", -1, "2001:db8::9");
  assert_has(ours, "ListenPort = 1000\n");
  assert_has(theirs, "Endpoint = [2001:db8::9]:1000\n");
}

static void brackets_around_an_address_are_left_out(void **state) {
  (void)state;
  import(LEAST, -1, "[2001:db8::9]");
  assert_int_equal(mistakes, 0);
  assert_has(theirs, "Endpoint = [2001:db8::9]:1194\n");
  import(LEAST "remote [2001:db8::8]\n", -1, NULL);
  assert_has(ours, "Endpoint = [2001:db8::8]:1194\n");
}

static const struct {
  const char *host, *report;
} host_mistakes[] = {
    {"a.example:51900", "old: --host: \"a.example:51900\" has a port, but a host is a name or an "
                        "address alone; write a.example (the port is that of"},
    {"192.0.2.1:1", "\"192.0.2.1:1\" has a port, but a host is a name or an address alone; write "
                    "192.0.2.1 ("},
    {"[2001:db8::9]:1", "\"[2001:db8::9]:1\" has a port, but a host is a name or an address alone; "
                        "write 2001:db8::9 ("},
    {"1:2:3:4:5:6:7:8:9", "\"1:2:3:4:5:6:7:8:9\" has a port, but a host is a name or an address "
                          "alone; write 1:2:3:4:5:6:7:8 ("},
    {"root@a.example", "\"root@a.example\" has a user, but a host is a name or an address alone; "
                       "write a.example\n"},
    {"root@[::1]", "has a user, but a host is a name or an address alone; write ::1\n"},
    {"root@::1", "has a user, but a host is a name or an address alone; write ::1\n"},
    {"root@a.example:22", "\"root@a.example:22\" has a user and a port, but a host is a name or an "
                          "address alone; write a.example ("},
    {"", "\"\" is neither an address nor a host name; write it like 192.0.2.1, "},
    {"a.example:", "\"a.example:\" is neither an address nor a host name; "},
    {"192.0.2.256:1", "\"192.0.2.256:1\" is neither"},
    {"[a.example]", "\"[a.example]\" is neither"},
    {"[2001:db8::9", "\"[2001:db8::9\" is neither"},
    {"[", "\"[\" is neither"},
    {"root@", "\"root@\" is neither"},
};

static void what_is_no_host_is_shown_as_it_was_written(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(host_mistakes) / sizeof(host_mistakes[0]); i++) {
    import(LEAST, -1, host_mistakes[i].host);
    assert_int_equal(mistakes, 1);
    assert_has(report, host_mistakes[i].report);
  }
  char longest[300] = "fe80::1%"; /* with the brackets and the port it does not fit */
  for (unsigned length = 240; length < 256; length++) {
    memset(longest + 8, 'a', length - 8);
    longest[length] = '\0';
    import(LEAST, -1, longest);
    assert_true(mistakes == 0 || strstr(report, "the name of the host is too long"));
  }
  assert_int_equal(mistakes, 1);
}

/* ---- wg-quick ---- */

#define KEY "YNqHbfBQKaGvzefSSbufuZSocUmzxXWpeV2WMbBK3RE="
#define OWN "[Interface]\nAddress = 10.0.0.2/24\nPrivateKey = " KEY "\n"
#define PEER \
  "[Peer]\nPublicKey = " KEY "\nEndpoint = b.example:51820\nAllowedIPs = 10.0.0.1/32, 10.2.0.0/16\n"

static const struct {
  const char *text, *ours, *theirs, *report;
} wg_quick_keys[] = {
    {OWN PEER, "Address = 10.0.0.2/32\n\n", "Address = 10.0.0.1/32\nListenPort = 51820\n",
     "old:3: PrivateKey is not carried over: there are no key pairs"},
    {OWN PEER, "Endpoint = b.example:51820\nAllowedIPs = 10.0.0.1/32, 10.2.0.0/16\n",
     "AllowedIPs = 10.0.0.2/32\n", "old:5: PublicKey is not carried over"},
    {OWN "ListenPort = 7\n" PEER, "ListenPort = 7\n", NULL, ""},
    {OWN "listenport=0\n" PEER, "32\n\n[Peer]", NULL, ""},
    {OWN "MTU = 1420\n" PEER, NULL, NULL,
     "old:4: MTU is not carried over: that of the path is found"},
    {OWN "DNS = 1.1.1.1\n" PEER, NULL, NULL, "old:4: DNS is not carried over: name servers"},
    {OWN "Table = off\n" PEER, "Table = off\n", NULL, ""},
    {OWN "Table = 77\n" PEER, "Table = 77\n", NULL, ""},
    {OWN "FwMark = 0xca6c\n" PEER, "FwMark = 0xca6c\n", NULL, ""},
    {OWN "PreUp = x\n" PEER, NULL, NULL, "old:4: PreUp is not carried over: there is no hook"},
    {OWN "PostUp = logger %i # c\n" PEER, "PostUp = logger %i\n", NULL, ""},
    {OWN "PreDown = logger off\n" PEER, "PreDown = logger off\n", NULL, ""},
    {OWN "PostDown = logger off\n" PEER, "PreDown = logger off\n", NULL,
     "old:4: PostDown becomes PreDown"},
    {OWN "PostUp = wg set %i x\n" PEER, NULL, NULL,
     "old:4: PostUp is not carried over: it calls wg"},
    {OWN "PostUp = /usr/bin/wg-quick save %i\n" PEER, NULL, NULL,
     "PostUp is not carried over: it calls"},
    {OWN "PostUp = swg wgx\n" PEER, "PostUp = swg wgx\n", NULL, ""},
    {OWN "PostUp = a -i old; b 'old' if=old&&c old\n" PEER,
     "PostUp = a -i %i; b '%i' if=old&&c %i\n", NULL,
     "old:4: PostUp: old, the name of the old interface, becomes %i, that of this one\n"},
    {OWN "PreDown = old -i old|old;(old)\n" PEER, "PreDown = old -i %i|old;(old)\n", NULL,
     "old:4: PreDown: old stays where it is not a word of its own; write %i in its place if"},
    {OWN "PostDown = a old\n" PEER, "PreDown = a %i\n", NULL, "old:4: PostDown: old, the name"},
    {OWN "PostUp = a conf/old/x\n" PEER, "PostUp = a conf/old/x\n", NULL,
     "old:4: PostUp: old stays"},
    {OWN "SaveConfig = true\n" PEER, NULL, NULL, "old:4: SaveConfig is not carried over"},
    {OWN PEER "PresharedKey = " KEY "\n", NULL, NULL, "old:8: PresharedKey is not carried over"},
    {OWN PEER "PersistentKeepalive = 9\n", "Keepalive = 9\n", "Keepalive = 9\n", ""},
    {OWN PEER "AllowedIPs = 10.5.1.1/16\n", "10.2.0.0/16, 10.5.0.0/16\n", NULL, ""},
    {OWN "[Peer]\nEndpoint = b:1\nAllowedIPs = 0.0.0.0/0\n", "0.0.0.0/0\n",
     "Address = 10.0.0.1/32\n",
     "old: the other machine's address in the link is not in this file; it gets 10.0.0.1/32"},
    {"[Interface]\nAddress = 10.0.0.1/24\n[Peer]\nEndpoint = b:1\nAllowedIPs = 0.0.0.0/0\n", NULL,
     "Address = 10.0.0.2/32\n", "it gets 10.0.0.2/32"},
    {"[Interface]\nAddress = 10.0.0.8\n[Peer]\nEndpoint = b:1\nAllowedIPs = 0.0.0.0/0\n", NULL,
     "Address = 10.0.0.9/32\n", "it gets 10.0.0.9/32"},
    {"[Interface]\nAddress = 10.0.0.8\n[Peer]\nEndpoint = b:1\nAllowedIPs = 10.0.0.0/24\n", NULL,
     "Address = 10.0.0.1/32\n", "it gets 10.0.0.1/32"},
    {"[Interface]\nAddress = fd0::8/127\n[Peer]\nEndpoint = b:1\nAllowedIPs = ::/0\n", NULL,
     "Address = fd0::9/128\n", "it gets fd0::9/128"},
    {"[Interface]\n[Peer]\nEndpoint = b:1\nAllowedIPs = 10.2.0.0/16\n", "Address = 10.",
     "Address = 10.", "old: no addresses in this file; both ends get new ones"},
};

static void wg_quick_keys_become_keys(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(wg_quick_keys) / sizeof(wg_quick_keys[0]); i++) {
    import(wg_quick_keys[i].text, 0, NULL);
    if (mistakes) fail_msg("%s", report);
    assert_has(ours, wg_quick_keys[i].ours);
    assert_has(theirs, wg_quick_keys[i].theirs);
    assert_has(report, wg_quick_keys[i].report);
    assert_lacks(report, KEY);
    assert_lacks(ours, "wg set");
  }
}

static void only_the_old_interface_is_renamed_in_hooks(void **state) {
  (void)state;
  import(OWN "PostUp = a -i %i older cold 9old new\n" PEER, 0, NULL);
  assert_has(ours, "PostUp = a -i %i older cold 9old new\n");
  assert_lacks(report, "PostUp");
  import(OWN "PostUp = a old\n" PEER, 0, NULL);
  assert_lacks(report, "stays");
  import(OWN "PostUp = wg set old x\n" PEER, 0, NULL);
  assert_lacks(report, "becomes");
}

static const struct {
  const char *text;
  int peer;
  const char *report;
} wg_quick_mistakes[] = {
    {OWN, 0, "old:3: there is no [Peer]"},
    {OWN PEER PEER, 0,
     "old:8: a second [Peer], but a link has one peer; make a link for each of the 2"},
    {OWN PEER PEER, 3, "old:11: there is no peer 3; this file has 2"},
    {OWN PEER "AllowedIPs = " KEY "\n", 0,
     "old:8: AllowedIPs: not a range of addresses; write it like"},
    {OWN PEER "Endpoint = " KEY "\n", 0, "old:8: Endpoint: not HOST:PORT; write it like"},
    {OWN PEER "Endpoint = b.example\n", 0, "old:8: Endpoint: \"b.example\" has no port"},
    {OWN PEER KEY "\n", 0, "old:8: not a key of wg-quick's; write KEY = VALUE"},
    {OWN PEER "MTU = 1\n", 0, "old:8: MTU does not belong here; put it below [Interface]"},
    {OWN "Adress = 10.0.0.3\n" PEER, 0,
     "old:4: Adress is not a key of wg-quick's; remove it, or write Address"},
    {OWN "NetNS = x\n" PEER, 0, "old:4: NetNS is not a key of wg-quick's; remove it"},
    {OWN "Table =\n" PEER, 0, "old:4: Table has no value; write Table = VALUE"},
    {OWN "PostUp = a \\\n" PEER, 0, "old:4: PostUp ends in \"\\\""},
    {OWN PEER "[Pear]\n", 0, "old:8: unknown section; there are [Interface] and [Peer]"},
    {OWN "ListenPort = 65535\n" PEER PEER, 2, "ListenPort: no port is left for peer 2"},
};

static void mistakes_in_wg_quick_files_are_named(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(wg_quick_mistakes) / sizeof(wg_quick_mistakes[0]); i++) {
    import(wg_quick_mistakes[i].text, wg_quick_mistakes[i].peer, NULL);
    assert_has(report, wg_quick_mistakes[i].report);
    assert_int_equal(mistakes, 1);
    assert_lacks(report, KEY);
  }
}

static void each_peer_becomes_a_link_with_a_port_of_its_own(void **state) {
  static const char text[] =
      OWN "ListenPort = 7\n[Peer]\nEndpoint = b:1\nAllowedIPs = 10.0.0.3/32\n"
          "[Peer]\nEndpoint = c:2\nAllowedIPs = 10.0.0.4/32\n";
  (void)state;
  import(text, 1, NULL);
  assert_has(ours, "ListenPort = 7\n");
  assert_has(ours, "Endpoint = b:1\nAllowedIPs = 10.0.0.3/32\n");
  import(text, 2, NULL);
  assert_has(ours, "ListenPort = 8\n");
  assert_has(ours, "Endpoint = c:2\nAllowedIPs = 10.0.0.4/32\n");
  assert_has(theirs, "Address = 10.0.0.4/32\n");
}

/* ---- what is made ---- */

static void chosen_addresses_are_pairs_outside_the_networks(void **state) {
  struct sw_error error;
  (void)state;
  for (int i = 0; i < 100; i++) {
    forget();
    assert_int_equal(sw_ends_init(&ends, "new", stderr), 0);
    /* half of what there is to choose from */
    assert_int_equal(sw_ends_allow_list(&ends.ours, "10.64.0.0/12, 0.0.0.0/0", &error), 0);
    sw_ends_choose_addresses(&ends);
    const struct sw_prefix *a = ends.ours.addresses, *b = ends.theirs.addresses;
    assert_true(a[0].ip[12] == 10 && a[0].ip[13] >= 80 && a[0].ip[13] < 96);
    assert_true(sw_ip_is_v4(a[0].ip) && a[0].length == 127);
    assert_true(a[1].ip[0] == 0xfd && a[1].length == 127);
    for (int family = 0; family < 2; family++) {
      assert_memory_not_equal(a[family].ip, b[family].ip, SW_IP_BYTES);
      assert_true(sw_prefix_contains(&a[family], b[family].ip));
    }
  }
}

static const struct {
  const char *hosts[2], *networks[2];
  const char *error, *notice; /* NULL: none */
} pairs[] = {
    {{"a", "b"}, {"10.1.0.0/16", "10.2.0.0/16"}, NULL, NULL},
    {{"192.0.2.1", "192.0.2.2"}, {"10.1.0.0/16,0.0.0.0/0", "fd02::/64,::/0"}, NULL, NULL},
    {{"192.0.2.1", NULL}, {"10.1.0.0/16", "0.0.0.0/0"}, NULL, NULL},
    {{NULL, "192.0.2.1"}, {"192.0.2.0/24", "10.1.0.0/16"}, NULL, NULL}, /* the way is theirs */
    {{"a.example", "A.example"}, {NULL, NULL}, "HOST_A and HOST_B are both A.example; write", NULL},
    {{"2001:db8::1", "2001:DB8:0::1"}, {NULL, NULL}, "are both 2001:DB8:0::1; write this", NULL},
    {{"2001:db8::1", "2001:db8::2"}, {NULL, NULL}, NULL, NULL},
    {{"a", "192.0.2.1"},
     {NULL, "10.2.0.0/16,192.0.2.0/24"},
     "HOST_B, 192.0.2.1, is in 192.0.2.0/24 of --networks-b, so the link's own datagrams would go",
     NULL},
    {{"2001:db8::1", "b"},
     {"2001:db8::/32", NULL},
     "HOST_A, 2001:db8::1, is in 2001:db8::/32 of --networks-a, so",
     NULL},
    {{"a", "b"},
     {"10.1.0.0/16,10.2.0.0/16", "10.2.0.0/16"},
     "10.2.0.0/16 is in both --networks-a and --networks-b; write it only",
     NULL},
    {{"a", "b"}, {"0.0.0.0/0", "0.0.0.0/0"}, "0.0.0.0/0 is in both", NULL},
    {{"a", "b"},
     {"10.1.0.0/16", "10.0.0.0/8"},
     NULL,
     "pair: 10.1.0.0/16 of --networks-a is a part of 10.0.0.0/8 of --networks-b: the smaller"},
    {{"a", "b"},
     {"fd00::/16", "10.0.0.0/8,fd00:2::/64"},
     NULL,
     "pair: fd00:2::/64 of --networks-b is a part of fd00::/16 of --networks-a: the smaller"},
};

static void hosts_and_networks_that_make_no_link_are_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    struct sw_config *ends_of[] = {&ends.theirs, &ends.ours};
    struct sw_error error = {""};
    size_t size;
    forget();
    FILE *out = open_memstream(&report, &size);
    assert_int_equal(sw_ends_init(&ends, "new", out), 0);
    for (int side = 0; side < 2; side++) {
      const char *host = pairs[i].hosts[side], *networks = pairs[i].networks[side];
      if (host) assert_int_equal(sw_ends_add_endpoint(ends_of[side], host, 1, NULL, &error), 0);
      if (networks) assert_int_equal(sw_ends_allow_list(ends_of[side], networks, &error), 0);
    }
    assert_int_equal(sw_ends_check(&ends, out, &error), pairs[i].error ? -EINVAL : 0);
    fclose(out);
    if (pairs[i].error) assert_has(error.text, pairs[i].error);
    if (pairs[i].notice) assert_has(report, pairs[i].notice);
    if (!pairs[i].notice) assert_string_equal(report, "");
  }
}

static void names_that_no_interface_can_have_are_refused(void **state) {
  static const char *const names[] = {"", "a/b", "abcdefghijklmnop", "a b", ".."};
  char *text;
  size_t size;
  FILE *out = open_memstream(&text, &size);
  (void)state;
  forget();
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    assert_int_equal(sw_ends_init(&ends, names[i], out), -EINVAL);
  fclose(out);
  free(text);
}

static void names_of_files_are_refused_with_that_of_the_link(void **state) {
  size_t size;
  (void)state;
  forget();
  FILE *out = open_memstream(&report, &size);
  assert_int_equal(sw_ends_init(&ends, "left.conf", out), -EINVAL);
  assert_int_equal(sw_ends_init(&ends, ".conf", out), -EINVAL);
  fclose(out);
  assert_has(report, "left.conf: this is the name of a file; that of a link has no \".conf\", like "
                     "left\n.conf: this is");
}

static mode_t mode_of(const char *directory, const char *file) {
  char path[256];
  struct stat status;
  snprintf(path, sizeof(path), "%s/%s", directory, file);
  assert_int_equal(stat(path, &status), 0);
  return status.st_mode & 07777U;
}

static void directory_appears_whole_or_not_at_all(void **state) {
  char root[] = "/tmp/saltway-convert-XXXXXX", directory[64], command[160];
  char fingerprint[SW_FINGERPRINT_TEXT], again[SW_FINGERPRINT_TEXT];
  struct sw_error error;
  (void)state;
  assert_non_null(mkdtemp(root));
  snprintf(directory, sizeof(directory), "%s/new", root);
  import(LEAST, -1, NULL);
  FILE *nowhere = fopen("/dev/null", "w");
  ends.theirs.listen_port = 0; /* then nobody listens, and nobody calls */
  assert_int_equal(sw_directory_make(directory, &ends, "x", fingerprint, nowhere, &error), -EINVAL);
  assert_int_equal(rmdir(root), 0); /* nothing is in it */
  assert_int_equal(mkdir(root, 0700), 0);

  ends.theirs.listen_port = 1;
  assert_int_equal(sw_directory_make(directory, &ends, "x", fingerprint, stderr, &error), 0);
  assert_int_equal(mode_of(directory, ""), 0700);
  assert_int_equal(mode_of(directory, "a/new.key"), 0600);
  assert_int_equal(mode_of(directory, "b/new.key"), 0600);
  assert_int_equal(mode_of(directory, "a/new.conf"), 0600);
  assert_int_equal(sw_directory_make(directory, &ends, "x", again, nowhere, &error), -ENOTEMPTY);
  assert_has(error.text, "nothing is overwritten");
  fclose(nowhere);
  /* the first key is still there, and all else that was made is gone */
  snprintf(command, sizeof(command), "test \"$(ls %s)\" = new && rm -r %s", root, root);
  assert_int_equal(system(command), 0);
  assert_string_not_equal(fingerprint, again);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(openvpn_options_become_keys),
      cmocka_unit_test(mistakes_in_openvpn_files_are_named),
      cmocka_unit_test(keys_that_are_not_in_a_block_are_not_shown),
      cmocka_unit_test(host_is_where_the_peer_finds_us),
      cmocka_unit_test(brackets_around_an_address_are_left_out),
      cmocka_unit_test(what_is_no_host_is_shown_as_it_was_written),
      cmocka_unit_test(wg_quick_keys_become_keys),
      cmocka_unit_test(only_the_old_interface_is_renamed_in_hooks),
      cmocka_unit_test(mistakes_in_wg_quick_files_are_named),
      cmocka_unit_test(each_peer_becomes_a_link_with_a_port_of_its_own),
      cmocka_unit_test(chosen_addresses_are_pairs_outside_the_networks),
      cmocka_unit_test(hosts_and_networks_that_make_no_link_are_refused),
      cmocka_unit_test(names_that_no_interface_can_have_are_refused),
      cmocka_unit_test(names_of_files_are_refused_with_that_of_the_link),
      cmocka_unit_test(directory_appears_whole_or_not_at_all),
  };
  if (sodium_init() < 0) return 1;
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  forget();
  return failed;
}

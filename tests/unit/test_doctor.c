/* The verdicts of saltway doctor: facts in, level and sentence out; and which of them is told first. */
#include "doctor/checks.h"

#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TODAY 1790000000 /* in 2026 */

static struct sw_doctor_facts facts;
static struct sw_prefix ranges[4];
static struct sw_verdict verdicts[SW_CHECKS];

/* ---- facts ---- */

static struct sw_prefix prefix_of(const char *text) {
  struct sw_prefix prefix;
  assert_int_equal(sw_prefix_parse(text, &prefix), 0);
  return prefix;
}

static struct sw_address address_of(const char *ip) {
  struct sw_address address = {.port = 51900};
  memcpy(address.ip, prefix_of(ip).ip, SW_IP_BYTES);
  return address;
}

static void add_range(const char *text) {
  ranges[facts.config.allowed_ip_count++] = prefix_of(text);
}

static void add_interface(unsigned index, const char *name, const char *kind, const char *address) {
  struct sw_lookup_interface *interface = &facts.interfaces[facts.interface_count++];
  *interface = (struct sw_lookup_interface){.index = index, .mtu = 1500, .up = true};
  snprintf(interface->name, sizeof(interface->name), "%s", name);
  snprintf(interface->kind, sizeof(interface->kind), "%s", kind);
  if (address)
    facts.addresses[facts.address_count++] =
        (struct sw_lookup_address){.index = index, .prefix = prefix_of(address)};
}

static struct sw_lookup route(unsigned index, const char *interface, const char *prefix) {
  struct sw_lookup lookup = {.index = index, .prefix = prefix_of(prefix)};
  snprintf(lookup.interface, sizeof(lookup.interface), "%s", interface);
  return lookup;
}

static void add_other(const char *link, const char *prefix, uint32_t metric, bool own) {
  struct sw_doctor_other *other = &facts.others[facts.other_count++];
  *other = (struct sw_doctor_other){.prefix = prefix_of(prefix), .metric = metric, .own = own};
  snprintf(other->link, sizeof(other->link), "%s", link);
}

static void set_status(const char *state, const char *reason, const char *condition) {
  facts.status = (struct sw_doctor_status){
      .running = true, .mtu = 1440, .path_mtu = 1440, .port = 51900, .packets_in = 1000000};
  snprintf(facts.status.state, sizeof(facts.status.state), "%s", state);
  snprintf(facts.status.reason, sizeof(facts.status.reason), "%s", reason);
  snprintf(facts.status.condition, sizeof(facts.status.condition), "%s", condition);
  add_interface(9, "sw0", "tun", "10.77.0.1/30");
  facts.interfaces[facts.interface_count - 1].mtu = 1440;
}

/* A link that is not running, on a machine where nothing is wrong. */
static void set_healthy(void) {
  memset(&facts, 0, sizeof(facts));
  struct sw_config *config = &facts.config;
  snprintf(facts.name, sizeof(facts.name), "sw0");
  snprintf(config->name, sizeof(config->name), "sw0");
  snprintf(config->file, sizeof(config->file), "/etc/saltway/sw0.conf");
  snprintf(facts.fingerprints, sizeof(facts.fingerprints), "12345678");
  facts.loaded = facts.root = true;
  facts.capabilities = ~UINT64_C(0);
  facts.now = TODAY;
  facts.key_time = TODAY - 5;
  facts.forward_v4 = facts.forward_v6 = true;
  facts.gro_sound = true;
  config->offload = config->sandbox = true;
  config->persistent_keepalive = 25;
  config->listen_port = 51900;
  config->allowed_ips = ranges;
  config->addresses[config->address_count++] = prefix_of("10.77.0.1/30");
  config->endpoint_count = 1;
  snprintf(config->endpoints[0].host, sizeof(config->endpoints[0].host), "198.51.100.1");
  add_range("10.2.0.0/16");
  add_range("fd02::/64");
  add_interface(1, "lo", "", "127.0.0.1/8");
  facts.interfaces[0].loopback = true;
  add_interface(2, "eth0", "", "192.168.7.5/24");
  facts.uplink = route(2, "eth0", "0.0.0.0/0");
  facts.endpoints[facts.endpoint_count++] = (struct sw_doctor_endpoint){
      .address = address_of("198.51.100.1"),
      .route = route(2, "eth0", "0.0.0.0/0"),
      .back = route(2, "eth0", "0.0.0.0/0"),
  };
}

static void up(void) {
  set_status("up", "up", "up with 198.51.100.1:51900");
}

/* ---- situations ---- */

static void nothing(void) {
}

static void other_key(void) {
  up();
  facts.status.same_file = true;
  snprintf(facts.status.fingerprints, sizeof(facts.status.fingerprints), "12345678, 9abcdef0");
}

static void same_key(void) {
  up();
  snprintf(facts.status.fingerprints, sizeof(facts.status.fingerprints), "12345678");
}

static void complain(const char *line) {
  facts.loaded = false;
  snprintf(facts.complaints, sizeof(facts.complaints), "%s", line);
}

static void mistakes(void) {
  complain(
      "sw0.conf:3: MTU: no number\nsw0.conf:7: PresharedKeyFile: cannot open\nsw0.conf:9: bad\n");
}
static void key_file(void) {
  complain("sw0.conf:7: PresharedKeyFile: cannot open k\n");
}
static void other_file(void) {
  up();
  complain("sw0.conf: cannot open\n");
  facts.absent = true;
}
static void no_tun(void) {
  facts.tun = -ENOENT;
  snprintf(facts.tun_error.text, sizeof(facts.tun_error.text), "tun: cannot open");
}
static void no_net_admin(void) {
  facts.capabilities &= ~(UINT64_C(1) << CAP_NET_ADMIN);
}
static void no_root(void) {
  facts.root = false;
  facts.capabilities = 0;
}
static void user_device(void) {
  no_root();
  add_interface(9, "sw0", "tun", NULL);
}
static void no_chroot(void) {
  facts.capabilities &= ~(UINT64_C(1) << CAP_SYS_CHROOT);
}
static void no_chroot_unconfined(void) {
  no_chroot();
  facts.config.sandbox = false;
}
static void name_taken(void) {
  add_interface(9, "sw0", "bridge", NULL);
}
static void set_down(void) {
  up();
  facts.interfaces[facts.interface_count - 1].up = false;
}
static void gone(void) {
  up();
  facts.interface_count--;
}
static void port_taken(void) {
  facts.port = -EADDRINUSE;
  snprintf(facts.port_holder, sizeof(facts.port_holder), "dnsmasq (pid 7)");
}
static void port_of_a_saltway(void) {
  facts.port = -EADDRINUSE;
  snprintf(facts.port_holder, sizeof(facts.port_holder), "saltway-engine (pid 7)");
}
static void other_mtu(void) {
  up();
  facts.interfaces[facts.interface_count - 1].mtu = 1300;
}
static void port_denied(void) {
  facts.port = -EACCES;
  snprintf(facts.port_error.text, sizeof(facts.port_error.text), "udp: denied");
}
static void any_port(void) {
  facts.config.listen_port = 0;
}

static void unresolved(void) {
  facts.endpoint_count = 0;
  facts.server_count = 1;
  facts.servers[0].address = address_of("192.0.2.53");
  facts.servers[0].route = route(2, "eth0", "0.0.0.0/0");
  snprintf(facts.unresolved, sizeof(facts.unresolved), "b.example.net: no such name");
}
static void resolved(void) {
  unresolved();
  facts.unresolved[0] = '\0';
}
static void server_inside(void) {
  resolved();
  facts.servers[0].address = address_of("10.2.0.53");
}
static void server_unreached(void) {
  server_inside();
  unresolved();
  facts.servers[0].address = address_of("10.2.0.53");
}
static void server_status(void) {
  set_status("resolving", "name-server", "the name server is inside");
}

static void server_by_default(void) {
  resolved();
  add_range("0.0.0.0/0");
}
static void server_by_default_of_user(void) {
  server_by_default();
  facts.resolver_user = true;
}
static void server_by_better_route(void) {
  server_by_default();
  facts.servers[0].route = route(2, "eth0", "192.0.2.0/24");
}
static void server_here(void) {
  server_by_default();
  facts.servers[0].route.local = true;
}
static void covered(void) {
  facts.endpoints[0].address = address_of("10.2.0.1");
}
static void covered_gateway(void) {
  covered();
  facts.endpoints[0].route.has_gateway = true;
  memcpy(facts.endpoints[0].route.gateway, address_of("192.168.7.1").ip, SW_IP_BYTES);
}
static void covered_equally(void) {
  covered();
  facts.endpoints[0].route = route(2, "eth0", "10.2.0.0/16");
}
static void covered_with_route(void) {
  covered();
  facts.endpoints[0].route = route(2, "eth0", "10.2.0.0/17");
}
static void covered_marked(void) {
  covered();
  facts.config.fwmark = 7;
}
static void covered_elsewhere(void) {
  covered();
  facts.config.table_kind = SW_CONFIG_TABLE_OFF;
}
static void covered_netns(void) {
  covered();
  snprintf(facts.config.netns, sizeof(facts.config.netns), "inner");
}
static void covered_by_all(void) {
  add_range("0.0.0.0/0");
}
static void looping(void) {
  covered();
  set_status("connecting", "covered", "no answer");
  facts.endpoints[0].route = route(9, "sw0", "10.2.0.0/16");
}
static void running_with_route(void) {
  covered();
  up();
}
static void unreachable(void) {
  facts.endpoints[0].route = (struct sw_lookup){.error = ENETUNREACH};
}
static void one_unreachable(void) {
  facts.endpoints[1] = facts.endpoints[0];
  facts.endpoint_count = 2;
  unreachable();
}
static void local(void) {
  facts.endpoints[0].route.local = true;
}
static void waits(void) {
  facts.endpoint_count = 0;
  facts.config.endpoint_count = 0;
}

static void strict(void) {
  facts.endpoints[0].rp_filter = 1;
}
static void strict_asymmetric(void) {
  strict();
  facts.endpoints[0].back = route(9, "sw0", "0.0.0.0/0");
}
static void strict_nowhere(void) {
  strict();
  facts.endpoints[0].back = (struct sw_lookup){.error = ENETUNREACH};
}
static void loose_asymmetric(void) {
  strict_asymmetric();
  facts.endpoints[0].rp_filter = 2;
}
static void strict_mark_valid(void) {
  strict_asymmetric();
  facts.endpoints[0].mark_valid = true;
}
static void strict_several_ways(void) {
  strict();
  facts.endpoints[0].back.index = 0;
}
static void strict_rules(void) {
  strict();
  facts.config.fwmark = 7;
  facts.config.table_kind = SW_CONFIG_TABLE_NUMBER;
  facts.config.table = 8;
}
static void filtering(void) {
  set_status("silent", "silent", "no answer");
  facts.rp_filtered = 3;
}
static void range_elsewhere(void) {
  up();
  facts.range_count = 1;
  facts.ranges[0] = route(2, "eth0", "0.0.0.0/0");
}
static void strict_range_elsewhere(void) {
  range_elsewhere();
  facts.link_rp_filter = 1;
}
static void range_ours(void) {
  strict_range_elsewhere();
  facts.ranges[0] = route(9, "sw0", "10.2.0.0/16");
}
static void part_elsewhere(void) {
  strict_range_elsewhere();
  facts.ranges[0] = route(2, "eth0", "10.2.0.0/24");
}

static void other_same(void) {
  add_other("sw1", "10.2.0.0/16", 0, false);
}
static void other_same_while_up(void) {
  up();
  other_same();
}
static void other_same_both_up(void) {
  other_same_while_up();
  add_interface(10, "sw1", "tun", "10.79.0.1/30");
}
static void other_address_while_up(void) {
  up();
  add_other("sw1", "10.77.0.0/30", 0, true);
}
static void other_standby(void) {
  add_other("sw1", "10.2.0.0/16", 50, false);
}
static void other_smaller(void) {
  add_other("sw1", "10.2.9.0/24", 0, false);
}
static void other_all(void) {
  add_other("sw1", "0.0.0.0/0", 0, false);
}
static void other_apart(void) {
  add_other("sw1", "10.3.0.0/16", 0, false);
}
static void other_address(void) {
  add_other("sw1", "10.77.0.0/30", 0, true);
}
static void other_address_single(void) {
  add_other("sw1", "10.77.0.1/32", 0, true);
}
static void other_smaller_then_same(void) {
  other_smaller();
  other_same();
}
static void other_same_then_smaller(void) {
  other_same();
  other_smaller();
}
static void lan_same(void) {
  add_interface(3, "lan0", "", "10.2.0.1/16");
}
static void lan_larger(void) {
  add_interface(3, "lan0", "", "10.2.0.1/8");
}
static void lan_smaller(void) {
  add_interface(3, "lan0", "", "10.2.3.1/24");
}
static void lan_of_other_link(void) {
  lan_same();
  add_other("lan0", "10.9.0.0/30", 0, true);
}

static void lan(void) {
  add_interface(3, "lan0", "", "10.1.0.1/24");
}
static void lan_off(void) {
  lan();
  facts.forward_v4 = false;
}
static void lan_off_v6(void) {
  add_interface(3, "lan0", "", "fd01::1/64");
  facts.forward_v6 = false;
}
static void only_uplink(void) {
  facts.forward_v4 = facts.forward_v6 = false;
}
static void public_lan(void) {
  add_interface(3, "eth1", "", "203.0.113.7/24");
  facts.forward_v4 = false;
}
static void lan_to_peer(void) {
  lan_off();
  facts.endpoints[0].route.index = 3;
}

static void table_full(void) {
  facts.conntrack.entries = facts.conntrack.most = 1000;
}
static void table_room(void) {
  facts.conntrack.most = 1000;
  facts.conntrack.entries = 999;
  facts.conntrack.udp_timeout = 120;
}
static void forgotten(void) {
  table_room();
  facts.config.persistent_keepalive = 200;
}

static void no_offload(void) {
  facts.config.offload = false;
}
static void rule(char chain[SW_NFTABLES_CHAIN]) {
  snprintf(chain, SW_NFTABLES_CHAIN, "inet f i");
}
static void drops_in(void) {
  rule(facts.nftables.drops_in);
}
static void drops_in_up(void) {
  up();
  drops_in();
}
static void drops_out(void) {
  rule(facts.nftables.drops_out);
}
static void drops_long(void) {
  rule(facts.nftables.drops_long);
}
static void drops_long_up(void) {
  up();
  drops_long();
}
static void drops_long_bursts(void) {
  drops_long_up();
  facts.echo = (struct sw_doctor_echo){
      .tried = true, .small = true, .large = true, .longest = 1440, .sent = 16, .answered = 7};
}
static void drops_long_packets(void) {
  drops_long_up();
  facts.echo = (struct sw_doctor_echo){
      .tried = true, .small = true, .large = false, .longest = 1280, .sent = 0, .answered = 0};
}
static void drops_long_no_offload(void) {
  drops_long();
  no_offload();
}
static void closed_and_begins(void) {
  rule(facts.nftables.closed);
}
static void closed_and_silent(void) {
  set_status("connecting", "silent", "no answer");
  rule(facts.nftables.closed);
}
static void closed(void) {
  waits();

  rule(facts.nftables.closed);
}
static void closed_up(void) {
  up();
  closed();
}
static void closed_any_port(void) {
  closed();
  any_port();
}
static void overflows(void) {
  up();
  facts.overflows = 2000;
}
static void few_overflows(void) {
  up();
  facts.overflows = 900;
}
static void early_overflows(void) {
  up();
  facts.overflows = 99;
  facts.status.packets_in = 10;
}
static void small_buffer(void) {
  no_root();
  facts.receive_limit = 212992;
}
static void bbr(void) {
  snprintf(facts.congestion, sizeof(facts.congestion), "bbr");
}

static void clock_1970(void) {
  facts.now = 100;
}
static void clock_behind_key(void) {
  facts.key_time = TODAY + 200000;
}
static void key_of_another_zone(void) {
  facts.key_time = TODAY + 80000;
}

static void degraded(void) {
  set_status("degraded", "loss", "up with X, but 12 % are lost");
}
static void waiting(void) {
  set_status("waiting", "waiting", "waiting on UDP port 51900");
}
static void foreign(void) {
  set_status("connecting", "foreign", "another key");
}
static void refused(void) {
  facts.status.refused = true;
}

static void echo_fine(void) {
  up();
  facts.echo = (struct sw_doctor_echo){
      .tried = true, .small = true, .large = true, .longest = 1440, .sent = 16, .answered = 16};
}
static void black_hole(void) {
  up();
  facts.echo = (struct sw_doctor_echo){
      .tried = true, .small = true, .large = false, .longest = 1280, .sent = 0, .answered = 0};
}
static void black_hole_configured(void) {
  black_hole();
  facts.config.mtu = 1440;
}
static void no_echo(void) {
  up();
  facts.echo.tried = true;
}
static void read_by_link(void) {
  up();
  snprintf(facts.status.file, sizeof(facts.status.file), "/etc/saltway/sw0.conf");
  facts.status.same_file = true;
  facts.config.modified = 1700000000123456789;
  facts.status.modified = 1700000000.123456789;
}
static void changed_since(void) {
  read_by_link();
  facts.config.modified += 1000000;
}
static void read_elsewhere(void) {
  changed_since();
  snprintf(facts.status.file, sizeof(facts.status.file), "/root/sw0.conf");
  facts.status.same_file = false;
}
static void no_netns(void) {
  snprintf(facts.netns_error.text, sizeof(facts.netns_error.text),
           "netns: cannot open /run/netns/x");
}
static void no_echo_of_the_other(void) {
  no_echo();
  facts.status.packets_in = 0;
  facts.echo.certain = true;
  memcpy(facts.echo.peer, prefix_of("10.77.0.2").ip, SW_IP_BYTES);
}
static void echo_refused(void) {
  no_echo_of_the_other();
  facts.status.packets_in = 1; /* something else passes */
}
static void echo_of_the_other(void) {
  echo_fine();
  facts.echo.certain = true;
}
static void bursts_lost(void) {
  echo_fine();
  facts.echo.answered = 7;
}
static void bursts_half_lost(void) {
  echo_fine();
  facts.echo.answered = 8;
}
static void mtu_too_large(void) {
  facts.config.mtu = 1445;
}
static void mtu_fits(void) {
  facts.config.mtu = 1444;
}
static void small_path(void) {
  up();
  facts.status.path_mtu = 1280;
}
static void dsl_path(void) {
  up();
  facts.status.path_mtu = 1430;
}
static void jumbo(void) {
  up();
  facts.interfaces[1].mtu = 9000;
}

static const struct situation {
  const char *what;
  void (*arrange)(void);
  const char *check;
  enum sw_level level;
  const char *says, *fix; /* NULL: anything */
} situations[] = {
    {"mistakes are counted without the key's", mistakes, "config", SW_LEVEL_FAIL,
     "sw0.conf:3: MTU: no number", "2 mistakes; all of them: saltway check /etc/saltway/sw0.conf"},
    {"the key's mistake is the key's", mistakes, "key", SW_LEVEL_FAIL,
     "sw0.conf:7: PresharedKeyFile: cannot open", ""},
    {"only the key is wrong", key_file, "config", SW_LEVEL_OK, "no mistake", ""},
    {"only the key is wrong", key_file, "key", SW_LEVEL_FAIL, "cannot open k", ""},
    {"a link from another file", other_file, "config", SW_LEVEL_WARN,
     "was started from another file", "saltway doctor FILE"},
    {"the fingerprint is shown", nothing, "key", SW_LEVEL_OK, "12345678", ""},
    {"the link has the same key", same_key, "key", SW_LEVEL_OK, "12345678; both sides", ""},
    {"the link has another key", other_key, "key", SW_LEVEL_WARN,
     "fingerprint 12345678 is not what the link has: it runs with 12345678, 9abcdef0",
     "saltway reload sw0"},
    {"no TUN", no_tun, "tun", SW_LEVEL_FAIL, "tun: cannot open", ""},
    {"root without CAP_NET_ADMIN", no_net_admin, "privileges", SW_LEVEL_FAIL,
     "root lacks CAP_NET_ADMIN", "--cap-add NET_ADMIN"},
    {"a user", no_root, "privileges", SW_LEVEL_WARN, "this user has no CAP_NET_ADMIN",
     "as root: saltway doctor sw0"},
    {"a user with a device", user_device, "privileges", SW_LEVEL_OK, "used as it is", ""},
    {"no CAP_SYS_CHROOT", no_chroot, "privileges", SW_LEVEL_FAIL, "CAP_SYS_CHROOT",
     "Sandbox = off"},
    {"no CAP_SYS_CHROOT, without sandbox", no_chroot_unconfined, "privileges", SW_LEVEL_OK, NULL,
     ""},
    {"the name is taken", name_taken, "interface", SW_LEVEL_FAIL, "of the kind bridge",
     "ip link del sw0"},
    {"the interface was set down", set_down, "interface", SW_LEVEL_FAIL, "is down",
     "ip link set sw0 up"},
    {"the interface was deleted", gone, "interface", SW_LEVEL_FAIL, "is gone", NULL},
    {"the interface is up", up, "interface", SW_LEVEL_OK, "sw0 is up", ""},
    {"the MTU was set by hand", other_mtu, "interface", SW_LEVEL_WARN,
     "another program has set the MTU of sw0 to 1300; that of the link is 1440",
     "ip link set sw0 mtu 1440"},
    {"a saltway has the port", port_of_a_saltway, "port", SW_LEVEL_FAIL,
     "UDP port 51900 is taken by saltway-engine (pid 7)", "is it this link, without its control"},
    {"a saltway has the port", port_of_a_saltway, "link", SW_LEVEL_WARN,
     "or runs without its control socket: saltway-engine (pid 7) has its port", ""},
    {"the port is taken", port_taken, "port", SW_LEVEL_FAIL,
     "UDP port 51900 is taken by dnsmasq (pid 7)", "ss -Hlunp sport = :51900"},
    {"the port is denied", port_denied, "port", SW_LEVEL_FAIL, "udp: denied", ""},
    {"any port", any_port, "port", SW_LEVEL_OK, "any free UDP port", ""},
    {"no name", nothing, "names", SW_LEVEL_OK, "no name has to be looked up", ""},
    {"a name does not resolve", unresolved, "names", SW_LEVEL_FAIL,
     "cannot resolve b.example.net: no such name", "getent ahosts b.example.net"},
    {"a name resolves", resolved, "names", SW_LEVEL_OK, NULL, ""},
    {"the name server is inside", server_inside, "names", SW_LEVEL_WARN,
     "10.2.0.53 is within AllowedIPs (10.2.0.0/16)", "ip route add 10.2.0.53/32 dev eth0"},
    {"the name server is inside, and nothing resolves", server_unreached, "names", SW_LEVEL_FAIL,
     "10.2.0.53 is within AllowedIPs", NULL},
    {"the link says that the name server is inside", server_status, "names", SW_LEVEL_FAIL,
     "the name server is inside", ""},
    {"a name server by default, no user", server_by_default, "names", SW_LEVEL_WARN,
     "192.0.2.53 is reached by the default route", "saltway-resolver"},
    {"a name server by default, a user", server_by_default_of_user, "names", SW_LEVEL_OK, NULL, ""},
    {"a name server by a better route", server_by_better_route, "names", SW_LEVEL_OK, NULL, ""},
    {"a name server on this machine", server_here, "names", SW_LEVEL_OK, NULL, ""},
    {"an endpoint inside", covered, "route", SW_LEVEL_FAIL,
     "routing loop: the endpoint 10.2.0.1:51900 is within AllowedIPs (10.2.0.0/16)",
     "ip route add 10.2.0.1/32 dev eth0"},
    {"an endpoint inside, behind a gateway", covered_gateway, "route", SW_LEVEL_FAIL, NULL,
     "ip route add 10.2.0.1/32 via 192.168.7.1 dev eth0"},
    {"an endpoint inside, and a route as good", covered_equally, "route", SW_LEVEL_FAIL,
     "routing loop", NULL},
    {"an endpoint inside, and a better route", covered_with_route, "route", SW_LEVEL_OK,
     "over eth0", ""},
    {"an endpoint inside, with rules for a mark", covered_marked, "route", SW_LEVEL_OK, NULL, ""},
    {"an endpoint inside, and no routes are made", covered_elsewhere, "route", SW_LEVEL_OK, NULL,
     ""},
    {"an endpoint inside, in another namespace", covered_netns, "route", SW_LEVEL_OK, NULL, ""},
    {"default routes", covered_by_all, "route", SW_LEVEL_OK, NULL, ""},
    {"a loop of a running link", looping, "route", SW_LEVEL_FAIL, "routing loop",
     "does not lead into the link"},
    {"a running link with a route to its endpoint", running_with_route, "route", SW_LEVEL_OK, NULL,
     ""},
    {"no route to the endpoint", unreachable, "route", SW_LEVEL_FAIL, "Network is unreachable",
     "ip route get 198.51.100.1"},
    {"a route to one of two endpoints", one_unreachable, "route", SW_LEVEL_OK, NULL, ""},
    {"an endpoint of this machine", local, "route", SW_LEVEL_FAIL, "an address of this machine",
     NULL},
    {"no endpoint", waits, "route", SW_LEVEL_OK, "the peer has to connect", ""},
    {"rp_filter is strict", strict, "rp_filter", SW_LEVEL_OK, NULL, ""},
    {"rp_filter is strict, and the way back is the link", strict_asymmetric, "rp_filter",
     SW_LEVEL_FAIL, "rp_filter is 1 on eth0: the kernel drops what 198.51.100.1:51900 sends",
     "sysctl -w net.ipv4.conf.all.rp_filter=2"},
    {"rp_filter is strict, and there is no way back", strict_nowhere, "rp_filter", SW_LEVEL_FAIL,
     "leads nowhere", NULL},
    {"rp_filter is loose, and the way back is the link", loose_asymmetric, "rp_filter", SW_LEVEL_OK,
     NULL, ""},
    {"rp_filter is strict, and looks at the mark", strict_mark_valid, "rp_filter", SW_LEVEL_OK,
     NULL, ""},
    {"rp_filter is strict, and there are several ways", strict_several_ways, "rp_filter",
     SW_LEVEL_OK, NULL, ""},
    {"rp_filter is strict, and rules are to come", strict_rules, "rp_filter", SW_LEVEL_WARN,
     "into table 8", NULL},
    {"rp_filter drops just now", filtering, "rp_filter", SW_LEVEL_FAIL, "just now", NULL},
    {"rp_filter is strict on the link, and the way back is another", strict_range_elsewhere,
     "rp_filter", SW_LEVEL_WARN,
     "rp_filter is 1 on sw0, and the route to 10.2.0.0/16 leads over eth0",
     "net.ipv4.conf.sw0.rp_filter=2"},
    {"rp_filter is off on the link, and the way back is another", range_elsewhere, "rp_filter",
     SW_LEVEL_OK, NULL, ""},
    {"a range leads elsewhere", range_elsewhere, "networks", SW_LEVEL_WARN,
     "the route to 10.2.0.0/16 leads over eth0, not into the link", NULL},
    {"a range leads into the link", range_ours, "rp_filter", SW_LEVEL_OK, NULL, ""},
    {"a range leads into the link", range_ours, "networks", SW_LEVEL_OK, NULL, ""},
    {"a part of a range leads elsewhere", part_elsewhere, "rp_filter", SW_LEVEL_OK, NULL, ""},
    {"two links to a network", other_same, "networks", SW_LEVEL_FAIL,
     "overlapping AllowedIPs: 10.2.0.0/16 leads into this link and into sw1", "Metric"},
    {"a link to a network, and another that does not run", other_same_while_up, "networks",
     SW_LEVEL_WARN, "overlapping AllowedIPs: 10.2.0.0/16 leads into this link and into sw1",
     "Metric"},
    {"two links to a network, both up", other_same_both_up, "networks", SW_LEVEL_FAIL,
     "overlapping AllowedIPs", "Metric"},
    {"a link, and another of its network that does not run", other_address_while_up, "networks",
     SW_LEVEL_WARN, "the network of the link sw1", NULL},
    {"two links to a network, one stands by", other_standby, "networks", SW_LEVEL_OK, NULL, ""},
    {"another link to a part", other_smaller, "networks", SW_LEVEL_WARN, "10.2.9.0/24 of sw1",
     NULL},
    {"another link to everything", other_all, "networks", SW_LEVEL_OK, NULL, ""},
    {"another link to another network", other_apart, "networks", SW_LEVEL_OK, NULL, ""},
    {"two links of one network", other_address, "networks", SW_LEVEL_FAIL,
     "Address 10.77.0.1/30 is in 10.77.0.0/30, the network of the link sw1", NULL},
    {"two links of one address", other_address_single, "networks", SW_LEVEL_OK, NULL, ""},
    {"a failure comes before a warning", other_smaller_then_same, "networks", SW_LEVEL_FAIL,
     "leads into this link and into sw1", NULL},
    {"a failure comes before a warning", other_same_then_smaller, "networks", SW_LEVEL_FAIL,
     "leads into this link and into sw1", NULL},
    {"the same network on both sides", lan_same, "networks", SW_LEVEL_FAIL,
     "10.2.0.0/16 is the network of lan0", "renumber"},
    {"a part of the own network", lan_larger, "networks", SW_LEVEL_WARN,
     "a part of the network of lan0", NULL},
    {"a network apart from AllowedIPs", lan_smaller, "networks", SW_LEVEL_OK, NULL, ""},
    {"the interface of another link", lan_of_other_link, "networks", SW_LEVEL_OK, NULL, ""},
    {"a site with forwarding", lan, "forwarding", SW_LEVEL_OK, "on", ""},
    {"a site without forwarding", lan_off, "forwarding", SW_LEVEL_WARN,
     "forwarding of IPv4 is off: hosts of 10.1.0.1/24, on lan0", "net.ipv4.ip_forward=1"},
    {"a site without forwarding of IPv6", lan_off_v6, "forwarding", SW_LEVEL_WARN,
     "forwarding of IPv6 is off", "net.ipv6.conf.all.forwarding=1"},
    {"a host", only_uplink, "forwarding", SW_LEVEL_OK, NULL, ""},
    {"a host with two providers", public_lan, "forwarding", SW_LEVEL_OK, NULL, ""},
    {"a host whose peer is near", lan_to_peer, "forwarding", SW_LEVEL_OK, NULL, ""},
    {"no connection tracking", nothing, "firewall", SW_LEVEL_OK, "not tracked", ""},
    {"the table of connections is full", table_full, "firewall", SW_LEVEL_FAIL,
     "full (1000 entries)", "nf_conntrack_max=2000"},
    {"the table of connections has room", table_room, "firewall", SW_LEVEL_OK, NULL, ""},
    {"connections are forgotten", forgotten, "firewall", SW_LEVEL_WARN, "after 120 s",
     "PersistentKeepalive = 25"},
    {"a rule drops our port", drops_in, "firewall", SW_LEVEL_FAIL,
     "drops UDP to port 51900, so nothing of the peer arrives", "nft -a list chain inet f i"},
    {"a rule drops our port, and the link is up", drops_in_up, "firewall", SW_LEVEL_OK, NULL, ""},
    {"a rule drops the peer's port", drops_out, "firewall", SW_LEVEL_FAIL,
     "drops UDP to port 51900 of the peer", "nft -a list chain inet f i"},
    {"a rule drops long datagrams", drops_long, "firewall", SW_LEVEL_WARN,
     "drops long UDP datagrams", "Offload = off"},
    {"a rule drops long datagrams, and the link is up", drops_long_up, "firewall", SW_LEVEL_WARN,
     "drops long UDP datagrams", NULL},
    {"a rule drops long datagrams, and bursts are lost", drops_long_bursts, "firewall",
     SW_LEVEL_FAIL, "drops long UDP datagrams", NULL},
    {"a rule drops long datagrams, and long packets are lost", drops_long_packets, "firewall",
     SW_LEVEL_FAIL, "drops long UDP datagrams", NULL},
    {"a rule drops long datagrams, of which there are none", drops_long_no_offload, "firewall",
     SW_LEVEL_OK, NULL, ""},
    {"no rule accepts our port", closed, "firewall", SW_LEVEL_WARN, "accepts no UDP to port 51900",
     "nft insert rule inet f i udp dport 51900 accept"},
    {"no rule accepts our port, and we begin", closed_and_begins, "firewall", SW_LEVEL_OK, NULL,
     ""},
    {"no rule accepts our port, and no answer comes", closed_and_silent, "firewall", SW_LEVEL_WARN,
     "the peer cannot begin", NULL},
    {"no rule accepts our port, and the link is up", closed_up, "firewall", SW_LEVEL_OK, NULL, ""},
    {"no rule accepts any port", closed_any_port, "firewall", SW_LEVEL_OK, NULL, ""},
    {"the socket overflows", overflows, "buffers", SW_LEVEL_WARN, "2000 datagrams", NULL},
    {"the socket overflowed once", few_overflows, "buffers", SW_LEVEL_OK, NULL, ""},
    {"the socket overflowed at the start", early_overflows, "buffers", SW_LEVEL_OK, NULL, ""},
    {"a small buffer", small_buffer, "buffers", SW_LEVEL_WARN, "212992 bytes", NULL},
    {"no offload", no_offload, "offload", SW_LEVEL_OK, "off in the configuration", ""},
    {"BBR", bbr, "congestion", SW_LEVEL_OK, "compare with cubic", ""},
    {"the clock is right", nothing, "clock", SW_LEVEL_OK, "the link does not need it", ""},
    {"the clock was reset", clock_1970, "clock", SW_LEVEL_OK,
     "the clock is wrong (1970-01-01), which does not matter", ""},
    {"the clock is behind the key", clock_behind_key, "clock", SW_LEVEL_OK,
     "before the key file was written", ""},
    {"the key is from another time zone", key_of_another_zone, "clock", SW_LEVEL_OK,
     "the link does not need it", ""},
    {"no such namespace", no_netns, "interface", SW_LEVEL_FAIL, "cannot open /run/netns/x", ""},
    {"the file that the link has read", read_by_link, "config", SW_LEVEL_OK, "has no mistake", ""},
    {"a file changed since", changed_since, "config", SW_LEVEL_WARN,
     "/etc/saltway/sw0.conf was changed after the link had read it", "saltway reload sw0"},
    {"another file", read_elsewhere, "config", SW_LEVEL_WARN,
     "/etc/saltway/sw0.conf is not what the link has read: it runs from /root/sw0.conf",
     "saltway doctor /root/sw0.conf"},
    {"a link that does not say its file", up, "config", SW_LEVEL_OK, "has no mistake", ""},
    {"not running", nothing, "link", SW_LEVEL_WARN, "the link is not running",
     "saltway up /etc/saltway/sw0.conf"},
    {"not ours to ask", refused, "link", SW_LEVEL_WARN, "did not say", "as root"},
    {"up", up, "link", SW_LEVEL_OK, "up with 198.51.100.1:51900", ""},
    {"up, and a guessed address is silent", no_echo, "link", SW_LEVEL_OK, NULL, ""},
    {"up, and the other side refuses echo requests", echo_refused, "link", SW_LEVEL_OK, NULL, ""},
    {"up, and the other side answers", echo_of_the_other, "link", SW_LEVEL_OK, NULL, ""},
    {"up, and the other side is silent", no_echo_of_the_other, "link", SW_LEVEL_WARN,
     "up with 198.51.100.1:51900, but 10.77.0.2, the other side's address in the link, answers no ping",
     "file of its own side"},
    {"degraded", degraded, "link", SW_LEVEL_WARN, "12 % are lost", ""},
    {"waiting", waiting, "link", SW_LEVEL_WARN, "waiting on", ""},
    {"another key", foreign, "link", SW_LEVEL_FAIL, "another key", ""},
    {"the MTU passes", echo_fine, "mtu", SW_LEVEL_OK,
     "1440 bytes, found on the path; packets of that length pass", ""},
    {"a black hole", black_hole, "mtu", SW_LEVEL_FAIL,
     "packets of 1280 bytes pass the link, those of its MTU, 1440 bytes, are lost", "MTU = 1280"},
    {"a black hole, with an MTU", black_hole_configured, "mtu", SW_LEVEL_FAIL, "MTU black hole",
     "MTU = auto"},
    {"the peer answers no echo", no_echo, "mtu", SW_LEVEL_OK, NULL, ""},
    {"bursts are lost", bursts_lost, "mtu", SW_LEVEL_FAIL, "bursts are lost (7 of 16 arrived)",
     "Offload = off"},
    {"half a burst is lost", bursts_half_lost, "mtu", SW_LEVEL_OK, NULL, ""},
    {"an MTU too large for the interface", mtu_too_large, "mtu", SW_LEVEL_WARN,
     "carries only packets of 1444 bytes", "MTU = auto"},
    {"an MTU that fits", mtu_fits, "mtu", SW_LEVEL_SKIPPED, NULL, ""},
    {"a small path", small_path, "mtu", SW_LEVEL_WARN, "only 1280 bytes", "tracepath"},
    {"a path over DSL", dsl_path, "mtu", SW_LEVEL_OK, NULL, ""},
    {"a path of the internet from a jumbo interface", jumbo, "mtu", SW_LEVEL_OK, NULL, ""},
};

/* ---- tests ---- */

static unsigned index_of(const char *check) {
  unsigned i = 0;
  while (i < SW_CHECKS && strcmp(sw_checks[i].name, check) != 0) i++;
  assert_true(i < SW_CHECKS);
  return i;
}

static void assert_says(const struct situation *s, const char *text, const char *says) {
  if (!says || (says[0] ? strstr(text, says) != NULL : text[0] == '\0')) return;
  fail_msg("%s: %s: \"%s\" should be \"%s\"", s->what, s->check, text, says);
}

static void each_situation_has_its_verdict(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    const struct situation *s = &situations[i];
    set_healthy();
    s->arrange();
    sw_checks_judge(&facts, verdicts);
    const struct sw_verdict *verdict = &verdicts[index_of(s->check)];
    if (verdict->level != s->level)
      fail_msg("%s: %s: level %d, not %d: %s", s->what, s->check, verdict->level, s->level,
               verdict->text);
    assert_says(s, verdict->text, s->says);
    assert_says(s, verdict->fix, s->fix);
  }
}

static void a_healthy_link_has_no_other_verdict_than_ok(void **state) {
  (void)state;
  set_healthy();
  echo_fine();
  lan();
  other_apart();
  sw_checks_judge(&facts, verdicts);
  for (unsigned i = 0; i < SW_CHECKS; i++)
    if (verdicts[i].level > SW_LEVEL_OK) fail_msg("%s: %s", sw_checks[i].name, verdicts[i].text);
}

static void a_machine_without_a_link_is_judged(void **state) {
  (void)state;
  memset(&facts, 0, sizeof(facts));
  facts.capabilities = ~UINT64_C(0);
  facts.now = TODAY;
  sw_checks_judge(&facts, verdicts);
  for (unsigned i = 0; i < SW_CHECKS; i++)
    if (verdicts[i].level > SW_LEVEL_OK) fail_msg("%s: %s", sw_checks[i].name, verdicts[i].text);
  assert_int_equal(verdicts[index_of("tun")].level, SW_LEVEL_OK);
}

/* Returns what is printed for the situation, in memory that the caller frees. */
static char *printed(void (*arrange)(void), enum sw_level level) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  set_healthy();
  arrange();
  sw_checks_judge(&facts, verdicts);
  assert_int_equal(sw_checks_print(out, "sw0", verdicts), level);
  (void)fclose(out);
  return text;
}

static void assert_starts(void (*arrange)(void), enum sw_level level, const char *start) {
  char *text = printed(arrange, level);
  if (strncmp(text, start, strlen(start)) != 0) fail_msg("not \"%s\" but: %s", start, text);
  free(text);
}

static void loop_with_a_site(void) {
  lan_off();
  looping();
}
static void site_not_running(void) {
  lan_off();
}
static void loop_with_a_clock(void) {
  looping();
  clock_1970();
}
static void up_with_a_clock(void) {
  up();
  clock_1970();
}

static void the_first_line_tells_the_most(void **state) {
  (void)state;
  assert_starts(up, SW_LEVEL_OK, "sw0: up with 198.51.100.1:51900\n");
  assert_starts(nothing, SW_LEVEL_WARN,
                "sw0: the link is not running (saltway up /etc/saltway/sw0.conf)\n");
  assert_starts(loop_with_a_site, SW_LEVEL_FAIL, "sw0: routing loop: ");
  assert_starts(site_not_running, SW_LEVEL_WARN, "sw0: forwarding of IPv4 is off");
  assert_starts(up_with_a_clock, SW_LEVEL_OK,
                "sw0: up with 198.51.100.1:51900; the clock is wrong (1970-01-01), which does not "
                "matter to the link: it uses no clock\n");
  assert_starts(loop_with_a_clock, SW_LEVEL_FAIL, "sw0: routing loop: ");
}

static void every_verdict_and_fix_has_a_line(void **state) {
  (void)state;
  char *text = printed(port_taken, SW_LEVEL_FAIL);
  assert_non_null(strstr(text, "\n  FAIL  port        UDP port 51900 is taken by dnsmasq (pid 7)\n"
                               "                    fix: end that program"));
  assert_non_null(strstr(text, "\n  ok    tun         the kernel has TUN devices\n"));
  assert_non_null(strstr(text, "\n  warn  link        the link is not running\n"));
  assert_null(strstr(text, "  mtu  "));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_situation_has_its_verdict),
      cmocka_unit_test(a_healthy_link_has_no_other_verdict_than_ok),
      cmocka_unit_test(a_machine_without_a_link_is_judged),
      cmocka_unit_test(the_first_line_tells_the_most),
      cmocka_unit_test(every_verdict_and_fix_has_a_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

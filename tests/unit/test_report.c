/* The diagnosis of a link: facts in, condition and sentence out. */
#include "parent/degradation.h"
#include "parent/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS (SW_SECOND / 1000)
#define NOW (1000 * SW_SECOND)

#define A4 "192.0.2.2:51900"
#define B4 "198.51.100.1:7"
#define A6 "[2001:db8::9]:51900"
#define ELSEWHERE "203.0.113.5:1234"

static struct sw_address address_of(const char *text) {
  struct sw_address address = {0};
  char host[64];
  if (!text) return address;
  const char *colon = strrchr(text, ':');
  const bool v6 = *text == '[';
  const char *start = text + v6;
  snprintf(host, sizeof(host), "%.*s", (int)(colon - start - v6), start);
  address.port = (uint32_t)atoi(colon + 1);
  if (!v6) address.ip[10] = address.ip[11] = 0xff;
  assert_int_equal(
      v6 ? inet_pton(AF_INET6, host, address.ip) : inet_pton(AF_INET, host, address.ip + 12), 1);
  return address;
}

#define TRIED(address, attempt) \
  { address, attempt, 0, 0, 0 }
#define ANSWERED(address, attempt, answer) \
  { address, attempt, answer, 0, 0 }
#define FAILED(address, attempt, answer, failed, error) \
  { address, attempt, answer, failed, error }

/* Times are milliseconds before now; 0: never. */
struct situation {
  const char *what;
  enum sw_link_state state;
  unsigned attempts;
  struct {
    const char *address;
    unsigned attempt, answer, failed;
    int error;
  } endpoints[SW_ENDPOINTS_MAX + 1];
  unsigned received, heard, handshake, closed, foreign, stranger, init, version;
  const char *foreign_from, *stranger_from, *init_from, *peer;
  const char *unresolved, *server;
  bool interface_down, fragments;
  uint16_t mtu;
  unsigned place;
  const char *host;    /* the configured Endpoint */
  const char *allowed; /* AllowedIPs */
  enum sw_config_table table;
  uint32_t fwmark;
  const char *netns; /* of the interface */
  /* expected */
  enum sw_condition condition;
  const char *about;
  const char *says[4];
  const char *says_not;
};

static struct sw_prefix allowed[2];
static struct sw_config config;
static struct sw_link_status status;
static struct sw_facts facts;

static uint64_t time_of(unsigned ago) {
  return ago ? NOW - ago * MS : 0;
}

static void arrange(const struct situation *s) {
  memset(&config, 0, sizeof(config));
  snprintf(config.name, sizeof(config.name), "sw0");
  if (s->host) {
    snprintf(config.endpoints[0].host, sizeof(config.endpoints[0].host), "%s", s->host);
    config.endpoints[0].port = 51900;
    config.endpoint_count = 1;
  }
  config.table_kind = s->table;
  config.fwmark = s->fwmark;
  snprintf(config.netns, sizeof(config.netns), "%s", s->netns ? s->netns : "");
  config.mtu = s->mtu;
  if (s->allowed) {
    assert_int_equal(sw_prefix_parse("10.2.0.0/16", &allowed[0]), 0);
    assert_int_equal(sw_prefix_parse(s->allowed, &allowed[1]), 0);
    config.allowed_ips = allowed;
    config.allowed_ip_count = 2;
  }
  status = (struct sw_link_status){
      .state = s->state,
      .fingerprint = "0123abcd",
      .attempts = s->attempts,
      .peer = address_of(s->peer),
      .handshake_time = time_of(s->handshake),
      .received_time = time_of(s->received),
      .closed_time = time_of(s->closed),
      .foreign_time = time_of(s->foreign),
      .foreign = address_of(s->foreign_from),
      .stranger_time = time_of(s->stranger),
      .stranger = address_of(s->stranger_from),
      .init_time = time_of(s->init),
      .init_from = address_of(s->init_from),
      .version_time = time_of(s->version),
      .version = 2,
      .fragments = s->fragments,
  };
  for (; s->endpoints[status.endpoint_count].address; status.endpoint_count++)
    status.endpoints[status.endpoint_count] = (struct sw_endpoint_status){
        .address = address_of(s->endpoints[status.endpoint_count].address),
        .attempt_time = time_of(s->endpoints[status.endpoint_count].attempt),
        .answer_time = time_of(s->endpoints[status.endpoint_count].answer),
        .error_time = time_of(s->endpoints[status.endpoint_count].failed),
        .error = s->endpoints[status.endpoint_count].error,
    };
  facts = (struct sw_facts){.config = &config,
                            .link = &status,
                            .now = NOW,
                            .port = 51900,
                            .mark = s->fwmark,
                            .unresolved = s->unresolved ? s->unresolved : "",
                            .server = address_of(s->server),
                            .interface_down = s->interface_down,
                            .place = s->place};
}

/* clang-format off: a row has few lines */
static const struct situation situations[] = {
    /* no fault */
    {"a link that carries packets", SW_LINK_UP, .peer = A4, .condition = SW_CONDITION_UP,
     .about = A4, .says = {"up with " A4}},
    {"a link that carries packets over its second endpoint", SW_LINK_UP, .peer = B4,
     .host = "a.example.net", .place = 1, .condition = SW_CONDITION_STANDBY, .about = B4,
     .says = {"up with " B4
              ", but that is a standby: a.example.net port 51900, the first Endpoint, "
              "is not in use (is its line or its host down?)"}},
    {"a path that needs fragments", SW_LINK_UP, .peer = A4, .fragments = true,
     .condition = SW_CONDITION_SMALL_MTU, .about = A4,
     .says = {"up with " A4 ", but the path carries less than 1280 bytes of a packet, which IPv6 "
              "needs: datagrams are fragmented, and the link is slower (which hop has a small MTU? "
              "tracepath 192.0.2.2)"}},
    {"an IPv4 path that carries less than the configured MTU", SW_LINK_UP, .peer = A4,
     .fragments = true, .mtu = 1420, .condition = SW_CONDITION_SMALL_MTU, .about = A4,
     .says = {"up with " A4
              ", but the path does not carry packets of MTU = 1420 bytes in one piece: "
              "datagrams are fragmented, and the link is slower (write MTU = auto, or a smaller "
              "number)"},
     .says_not = "tracepath"},
    {"an IPv6 path that carries less than the configured MTU", SW_LINK_UP, .peer = A6,
     .fragments = true, .mtu = 1420, .condition = SW_CONDITION_SMALL_MTU, .about = A6,
     .says =
         {"datagrams are fragmented if ICMPv6 tells this host so, and else lost, and the link"}},
    {"a standby whose path needs fragments", SW_LINK_UP, .peer = B4, .fragments = true, .host = "a",
     .place = 2, .condition = SW_CONDITION_STANDBY,
     .says = {"a standby: a port", "; the path carries less than 1280"}},
    {"observations from before it came up", SW_LINK_UP, .attempts = 9,
     .endpoints = {FAILED(A4, 1000, 0, 900, ECONNREFUSED)}, .peer = A4, .foreign = 500,
     .foreign_from = A4, .init = 3000, .init_from = A4, .version = 1000,
     .unresolved = "cannot resolve b", .condition = SW_CONDITION_UP, .says = {"up with " A4}},
    {"no Endpoint", SW_LINK_WAITING, .condition = SW_CONDITION_WAITING,
     .says = {"waiting on UDP port 51900 for the peer to start: no Endpoint is configured"}},
    {"a name that is being resolved", SW_LINK_WAITING, .host = "b.example.net",
     .condition = SW_CONDITION_STARTING, .says = {"resolving b.example.net"},
     .says_not = "connecting"},
    {"the first attempt", SW_LINK_CONNECTING, .attempts = 1, .endpoints = {TRIED(A4, 500)},
     .host = "192.0.2.2", .condition = SW_CONDITION_STARTING,
     .says = {"connecting to 192.0.2.2 port 51900"}},
    {"the second attempt", SW_LINK_CONNECTING, .attempts = 2, .endpoints = {TRIED(A4, 500)},
     .host = "192.0.2.2", .condition = SW_CONDITION_STARTING, .says = {"connecting to"}},
    {"an attempt to reach a known peer", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {TRIED(A4, 500)}, .peer = A4, .condition = SW_CONDITION_STARTING,
     .says = {"connecting to " A4}},
    {"a peer's old address, of a side without Endpoint", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {TRIED(A4, 500)}, .condition = SW_CONDITION_STARTING,
     .says = {"connecting to the peer"}},
    {"an endpoint that has just answered", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {ANSWERED(A4, 500, 400)}, .condition = SW_CONDITION_STARTING,
     .says = {"connecting to"}},
    {"an endpoint that answered at the time of the attempt", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {ANSWERED(A4, 500, 500)}, .condition = SW_CONDITION_STARTING},

    /* silence */
    {"three attempts without an answer", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no answer from " A4 ": nothing arrives at all", "same key?", "0123abcd",
              "firewall"}},
    {"a session whose peer is silent", SW_LINK_SILENT, .attempts = 0,
     .endpoints = {ANSWERED(A4, 10, 20000)}, .peer = A4, .received = 16000, .handshake = 60000,
     .condition = SW_CONDITION_SILENT, .about = A4, .says = {"no answer from " A4}},
    {"a session whose peer is silent, before the first attempt", SW_LINK_SILENT, .attempts = 0,
     .endpoints = {ANSWERED(A4, 0, 20000)}, .peer = A4, .received = 16000,
     .condition = SW_CONDITION_STARTING},
    {"two endpoints, three attempts: the second had one", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 900)}, .condition = SW_CONDITION_STARTING},
    {"two silent endpoints", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 900)}, .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no answer from " A4 ", " B4 ": nothing arrives at all"}, .says_not = "more"},
    {"two, one never tried", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 0)}, .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no answer from " A4 ": "}},
    {"five silent endpoints: three are named", SW_LINK_CONNECTING, .attempts = 7,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 900), TRIED(A6, 100), TRIED("192.0.2.3:1", 5),
                   TRIED("192.0.2.4:1", 5)},
     .condition = SW_CONDITION_SILENT, .says = {A4 ", " B4 ", " A6 " and 2 more: nothing arrives"},
     .says_not = "192.0.2.3"},
    {"four silent endpoints: three are named", SW_LINK_CONNECTING, .attempts = 6,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 900), TRIED(A6, 100), TRIED("192.0.2.3:1", 5)},
     .condition = SW_CONDITION_SILENT, .says = {A6 " and 1 more: nothing"}},
    {"three silent endpoints: all are named", SW_LINK_CONNECTING, .attempts = 5,
     .endpoints = {TRIED(A4, 500), TRIED(B4, 900), TRIED(A6, 100)},
     .condition = SW_CONDITION_SILENT, .says = {A4 ", " B4 ", " A6 ": nothing"},
     .says_not = "more"},
    {"silence, and a stray datagram", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .stranger = 100, .stranger_from = ELSEWHERE,
     .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no answer from " A4, "datagrams arrive from " ELSEWHERE, "with another key?"}},
    {"silence, and a stray datagram a minute ago", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .stranger = 60000, .stranger_from = ELSEWHERE,
     .condition = SW_CONDITION_SILENT, .says_not = ELSEWHERE},

    /* AllowedIPs that lead to the endpoint */
    {"an endpoint within AllowedIPs", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .allowed = "192.0.2.0/24", .condition = SW_CONDITION_COVERED,
     .about = A4,
     .says = {"no answer from " A4 ", which is within AllowedIPs", "ip route get 192.0.2.2)",
              "go into the link", "FwMark"}},
    {"only the second of two is within AllowedIPs", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {TRIED(B4, 500), TRIED(A4, 500)}, .allowed = "192.0.2.0/24",
     .condition = SW_CONDITION_COVERED, .about = A4,
     .says = {"no endpoint answers: no answer from " A4 ", which is", "; " B4 " is silent"}},
    {"the first range of AllowedIPs", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED("10.2.0.1:1", 500)}, .allowed = "192.0.2.0/24",
     .condition = SW_CONDITION_COVERED, .about = "10.2.0.1:1"},
    {"a mark routes it elsewhere", SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)},
     .allowed = "192.0.2.0/24", .fwmark = 7, .condition = SW_CONDITION_SILENT},
    {"no routes are made", SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)},
     .allowed = "192.0.2.0/24", .table = SW_CONFIG_TABLE_OFF, .condition = SW_CONDITION_SILENT},
    {"the interface is in another namespace", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .allowed = "192.0.2.0/24", .netns = "x",
     .condition = SW_CONDITION_SILENT},
    {"default routes through the link", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .allowed = "0.0.0.0/0", .condition = SW_CONDITION_SILENT},
    {"AllowedIPs elsewhere", SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)},
     .allowed = "198.51.100.0/24", .condition = SW_CONDITION_SILENT},

    /* errors: one endpoint */
    {"nothing listens", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {FAILED(A4, 500, 0, 499, ECONNREFUSED)}, .condition = SW_CONDITION_REFUSED,
     .about = A4,
     .says = {"the host of " A4 " says that nothing listens there", "is saltway up on it?"},
     .says_not = "no endpoint answers"},
    {"an error older than the latest attempt", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 5900, ECONNREFUSED)}, .condition = SW_CONDITION_REFUSED,
     .about = A4},
    {"an error of a round ago", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 12000, ECONNREFUSED)}, .condition = SW_CONDITION_REFUSED},
    {"an error of more than a round ago", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 12001, ECONNREFUSED)}, .condition = SW_CONDITION_SILENT},
    {"an error before the latest answer", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 600, 700, ECONNREFUSED)}, .condition = SW_CONDITION_SILENT},
    {"an error at the moment of the latest answer", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 700, 700, ECONNREFUSED)}, .condition = SW_CONDITION_SILENT},
    {"a session whose peer's host refuses", SW_LINK_SILENT, .attempts = 1,
     .endpoints = {FAILED(A4, 500, 9000, 499, ECONNREFUSED)}, .received = 1000, .handshake = 60000,
     .condition = SW_CONDITION_REFUSED, .about = A4},
    {"a route is asked for with the link's mark", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {FAILED(A4, 500, 0, 499, ENETUNREACH)}, .fwmark = 51820,
     .condition = SW_CONDITION_UNREACHABLE, .says = {"ip route get 192.0.2.2 mark 51820)"}},
    {"the scope of a link-local address", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {FAILED("[fe80::1]:51900", 500, 0, 499, ENODEV)},
     .condition = SW_CONDITION_UNREACHABLE,
     .says = {"[fe80::1]:51900 is unreachable: No such device", "ip link"}},

    /* errors: several endpoints */
    {"one silent, one without a route", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {TRIED(A4, 500), FAILED(A6, 900, 0, 899, ENETUNREACH)},
     .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no endpoint answers: " A4 " is silent (",
              "; " A6 " is unreachable: Network is unreachable (is there a route to it? ip route "
              "get 2001:db8::9)"},
     .says_not = A4 " is unreachable"},
    {"the same in the other order", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {FAILED(A6, 900, 0, 899, ENETUNREACH), TRIED(A4, 500)},
     .condition = SW_CONDITION_SILENT, .about = A4,
     .says = {"no endpoint answers: " A4 " is silent (", "; " A6 " is unreachable"}},
    {"no route to one, before the other is judged", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {FAILED(A6, 900, 0, 899, ENETUNREACH), TRIED(A4, 500)},
     .condition = SW_CONDITION_STARTING},
    {"one silent, one refused", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500), FAILED("127.0.0.1:9", 900, 0, 899, ECONNREFUSED)},
     .condition = SW_CONDITION_REFUSED, .about = "127.0.0.1:9",
     .says = {"the host of 127.0.0.1:9 says that nothing listens there", "; " A4 " is silent"}},
    {"one unreachable, one refused", SW_LINK_CONNECTING, .attempts = 2,
     .endpoints = {FAILED(A4, 500, 0, 400, EHOSTUNREACH), FAILED(B4, 900, 0, 899, ECONNREFUSED)},
     .condition = SW_CONDITION_REFUSED, .about = B4,
     .says = {"no endpoint answers: the host of " B4, "; " A4 " is unreachable: No route to host"}},
    {"a firewall of ours drops one, the other is unreachable", SW_LINK_CONNECTING, .attempts = 2,
     .endpoints = {FAILED(A6, 500, 0, 400, ENETUNREACH), FAILED(A4, 900, 0, 899, EPERM)},
     .condition = SW_CONDITION_UNREACHABLE, .about = A4,
     .says = {"cannot send to " A4 ": Operation not permitted", "; " A6 " is unreachable"}},
    {"a firewall of ours drops one, the other is silent", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {TRIED(A6, 500), FAILED(A4, 900, 0, 899, EPERM)},
     .condition = SW_CONDITION_UNREACHABLE, .about = A4,
     .says = {"cannot send to " A4, "; " A6 " is silent"}},
    {"four unreachable endpoints: three are reported", SW_LINK_CONNECTING, .attempts = 4,
     .endpoints = {FAILED(A4, 9, 0, 8, ENETUNREACH), FAILED(B4, 9, 0, 8, ENETUNREACH),
                   FAILED(A6, 9, 0, 8, ENETUNREACH), FAILED("192.0.2.3:1", 9, 0, 8, ENETUNREACH)},
     .condition = SW_CONDITION_UNREACHABLE, .about = A4, .says = {B4, A6, "; and 1 more"},
     .says_not = "192.0.2.3"},
    {"three unreachable endpoints: all are reported", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {FAILED(A4, 9, 0, 8, ENETUNREACH), FAILED(B4, 9, 0, 8, ENETUNREACH),
                   FAILED(A6, 9, 0, 8, ENETUNREACH)},
     .condition = SW_CONDITION_UNREACHABLE, .about = A4, .says = {B4, A6}, .says_not = "more"},
    {"an error of one of two endpoints one round ago", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500), FAILED(B4, 900, 0, 12000, ECONNREFUSED)},
     .condition = SW_CONDITION_REFUSED},
    {"an error of one of two endpoints more than one round ago", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500), FAILED(B4, 900, 0, 12001, ECONNREFUSED)},
     .condition = SW_CONDITION_SILENT},
    {"no route, and a stray datagram", SW_LINK_CONNECTING, .attempts = 1,
     .endpoints = {FAILED(A4, 500, 0, 499, ENETUNREACH)}, .stranger = 10,
     .stranger_from = ELSEWHERE, .condition = SW_CONDITION_UNREACHABLE, .about = A4,
     .says = {"Network is unreachable"}, .says_not = ELSEWHERE},

    /* names */
    {"a name that does not resolve", SW_LINK_WAITING, .host = "b.example.net",
     .unresolved = "cannot resolve b.example.net: Name or service not known",
     .condition = SW_CONDITION_UNRESOLVED,
     .says = {"cannot resolve b.example.net: Name or service not known (is the name right? does "
              "DNS work here?)"},
     .says_not = ";"},
    {"a name that does not resolve beside a silent address", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .host = "b", .unresolved = "cannot resolve b: no",
     .condition = SW_CONDITION_UNRESOLVED,
     .says = {"cannot resolve b: no (", "; " A4 " is silent"}},
    {"a name that does not resolve, and a stray datagram", SW_LINK_WAITING, .host = "b",
     .unresolved = "cannot resolve b: no", .stranger = 10, .stranger_from = ELSEWHERE,
     .condition = SW_CONDITION_UNRESOLVED, .says = {"cannot resolve"}},

    {"a name server that is reached through the link", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .host = "b", .unresolved = "cannot resolve b: again",
     .server = "203.0.113.53:53", .condition = SW_CONDITION_NAME_SERVER,
     .says = {"cannot resolve b: again: the name server 203.0.113.53 is reached through this link, "
              "which is down (make a route to it that does not lead into the link, use another "
              "name server, or write an address as Endpoint); " A4 " is silent"},
     .says_not = "does DNS work"},
    {"such a name server, while the link is up", SW_LINK_UP, .peer = A4,
     .unresolved = "cannot resolve b: again", .server = "203.0.113.53:53",
     .condition = SW_CONDITION_UP, .says_not = "203.0.113.53"},

    /* another key */
    {"datagrams of an endpoint that our key does not open", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .foreign = 100, .foreign_from = A4,
     .condition = SW_CONDITION_FOREIGN, .about = A4,
     .says = {"datagrams arrive from " A4 " that our key does not open", "another key",
              "0123abcd"}},
    {"the same while the host also refuses", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 499, ECONNREFUSED)}, .foreign = 30000, .foreign_from = A4,
     .condition = SW_CONDITION_FOREIGN, .about = A4},
    {"the same more than half a minute ago", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .foreign = 30001, .foreign_from = A4,
     .condition = SW_CONDITION_SILENT},
    {"a datagram of the peer arrived since", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .foreign = 9001, .foreign_from = A4, .received = 9000,
     .condition = SW_CONDITION_SILENT, .about = A4},
    {"a datagram of the peer arrived at that time", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .foreign = 9000, .foreign_from = A4, .received = 9000,
     .condition = SW_CONDITION_SILENT},
    {"a waiting side receives datagrams that its key does not open", SW_LINK_WAITING,
     .stranger = 100, .stranger_from = ELSEWHERE, .condition = SW_CONDITION_STRANGER,
     .about = ELSEWHERE,
     .says = {"datagrams arrive from " ELSEWHERE " that our key does not open", "0123abcd"}},
    {"a waiting side received such datagrams a minute ago", SW_LINK_WAITING, .stranger = 60000,
     .stranger_from = ELSEWHERE, .condition = SW_CONDITION_WAITING},

    /* one way */
    {"the peer's handshakes arrive, but no session is made", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .init = 2000, .init_from = A4,
     .condition = SW_CONDITION_ONE_WAY, .about = A4,
     .says = {"handshakes of the peer arrive from " A4 ", but our answers do not reach it",
              "firewall", "our port 51900"},
     .says_not = "nothing arrives"},
    {"the same, and the peer is within AllowedIPs", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(A4, 500)}, .init = 2000, .init_from = A4, .allowed = "192.0.2.0/24",
     .condition = SW_CONDITION_COVERED, .about = A4,
     .says = {"handshakes of the peer arrive from " A4 ", which is within AllowedIPs",
              "go into the link"},
     .says_not = "do not reach"},
    {"the same without Endpoint", SW_LINK_WAITING, .init = 5000, .init_from = ELSEWHERE,
     .condition = SW_CONDITION_ONE_WAY, .about = ELSEWHERE,
     .says = {"handshakes of the peer arrive from " ELSEWHERE}, .says_not = "waiting"},
    {"the same, and this machine drops our answers", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {TRIED(B4, 500), FAILED(A4, 500, 0, 499, EPERM)}, .init = 5000, .init_from = A4,
     .condition = SW_CONDITION_ONE_WAY, .about = A4,
     .says = {"do not reach it: Operation not permitted", "firewall on this machine"}},
    {"the same, and the other endpoint is unreachable", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(B4, 500, 0, 499, ENETUNREACH), TRIED(A4, 500)}, .init = 5000,
     .init_from = A4, .condition = SW_CONDITION_ONE_WAY, .about = A4, .says = {"do not reach it ("},
     .says_not = "unreachable"},
    {"the same of the first endpoint", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 499, EPERM), TRIED(B4, 500)}, .init = 5000, .init_from = A4,
     .condition = SW_CONDITION_ONE_WAY, .says = {"do not reach it: Operation not permitted"}},
    {"an init that led to a session at once", SW_LINK_SILENT, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .init = 20000, .init_from = A4, .handshake = 20000,
     .received = 16000, .condition = SW_CONDITION_SILENT},
    {"an init when the peer closed the link", SW_LINK_WAITING, .init = 6000, .init_from = A4,
     .closed = 6000, .received = 6000, .peer = A4, .condition = SW_CONDITION_CLOSED},
    {"an init that was answered a moment ago, and our own were not", SW_LINK_CONNECTING,
     .attempts = 9, .endpoints = {TRIED(A4, 500)}, .init = 1999, .init_from = A4,
     .condition = SW_CONDITION_STARTING, .says = {"connecting to the peer"},
     .says_not = "nothing arrives"},
    {"an init that was answered a moment ago", SW_LINK_WAITING, .init = 1999, .init_from = A4,
     .condition = SW_CONDITION_WAITING},
    {"an init of half a minute ago", SW_LINK_WAITING, .init = 30000, .init_from = A4,
     .condition = SW_CONDITION_ONE_WAY},
    {"an init more than half a minute ago", SW_LINK_WAITING, .init = 30001, .init_from = A4,
     .condition = SW_CONDITION_WAITING},
    {"an init that led to a session", SW_LINK_SILENT, .attempts = 3, .endpoints = {TRIED(A4, 500)},
     .init = 20000, .init_from = A4, .handshake = 19900, .received = 16000,
     .condition = SW_CONDITION_SILENT},
    {"an init before the peer closed the link", SW_LINK_WAITING, .init = 6000, .init_from = A4,
     .closed = 5000, .received = 5000, .peer = A4, .condition = SW_CONDITION_CLOSED},
    {"the peer's packets arrive in an old session", SW_LINK_SILENT, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .received = 6000, .heard = 12000, .handshake = 90000,
     .condition = SW_CONDITION_ONE_WAY, .about = A4,
     .says = {"datagrams of the peer arrive, but ours do not reach " A4 " (does a firewall"},
     .says_not = "nothing arrives"},
    {"the peer's packets arrive again, and not all was tried since", SW_LINK_SILENT, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .received = 1, .heard = 11999, .handshake = 90000,
     .condition = SW_CONDITION_STARTING, .says_not = "do not reach"},
    {"the peer's packets arrived until recently", SW_LINK_SILENT, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .received = 6001, .handshake = 90000,
     .condition = SW_CONDITION_SILENT},

    /* the peer's messages */
    {"the peer closed the link", SW_LINK_CONNECTING, .attempts = 1, .endpoints = {TRIED(A4, 500)},
     .peer = A4, .closed = 1000, .received = 1000, .condition = SW_CONDITION_CLOSED, .about = A4,
     .says = {A4 " closed the link in order; waiting for it to come back"}},
    {"the peer closed the link, and is silent", SW_LINK_CONNECTING, .attempts = 6,
     .endpoints = {TRIED(A4, 500)}, .peer = A4, .closed = 30000, .received = 30000,
     .condition = SW_CONDITION_CLOSED},
    {"the peer closed the link some time ago", SW_LINK_CONNECTING, .attempts = 6,
     .endpoints = {TRIED(A4, 500)}, .peer = A4, .closed = 30001, .received = 30001,
     .condition = SW_CONDITION_SILENT},
    {"the peer closed the link, and is within AllowedIPs", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {TRIED(A4, 500)}, .allowed = "192.0.2.0/24", .peer = A4, .closed = 1000,
     .received = 1000, .condition = SW_CONDITION_COVERED},
    {"the peer closed the link, and its host refuses", SW_LINK_CONNECTING, .attempts = 3,
     .endpoints = {FAILED(A4, 500, 0, 499, ECONNREFUSED)}, .peer = A4, .closed = 1000,
     .received = 1000, .condition = SW_CONDITION_REFUSED},
    {"the peer closed the link, and a datagram of it arrived since", SW_LINK_CONNECTING,
     .attempts = 6, .endpoints = {TRIED(A4, 500)}, .peer = A4, .closed = 9000, .received = 8000,
     .condition = SW_CONDITION_SILENT},
    {"another version", SW_LINK_CONNECTING, .attempts = 9,
     .endpoints = {FAILED(A4, 500, 0, 499, ECONNREFUSED)}, .version = 1000, .foreign = 100,
     .foreign_from = A4, .init = 3000, .init_from = A4, .host = "b.example.net",
     .condition = SW_CONDITION_VERSION,
     .says = {"b.example.net port 51900 speaks protocol version 2, this side 1 (upgrade"}},
    {"another version, of an unknown peer", SW_LINK_WAITING, .version = 30000,
     .condition = SW_CONDITION_VERSION, .says = {"the peer speaks protocol version 2"}},
    {"another version, long ago", SW_LINK_WAITING, .version = 30001,
     .condition = SW_CONDITION_WAITING},
    {"an interface that is down", SW_LINK_UP, .interface_down = true, .peer = A4, .version = 1000,
     .condition = SW_CONDITION_INTERFACE_DOWN,
     .says = {"the interface is down: no packet passes (ip link set sw0 up)"},
     .says_not = "up with"},
    {"our own close", SW_LINK_CLOSED, .peer = A4, .condition = SW_CONDITION_STARTING},
};
/* clang-format on */

static void assert_says(const char *what, const char *text, const char *words) {
  if (!strstr(text, words)) fail_msg("%s: \"%s\" does not contain \"%s\"", what, text, words);
}

static void each_situation_has_its_sentence(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    const struct situation *s = &situations[i];
    arrange(s);
    const struct sw_report before = {.heard_since = s->heard ? facts.now - s->heard * MS : 0};
    const struct sw_report report = sw_report_make(&facts, &before);
    if (report.condition != s->condition)
      fail_msg("%s: %s: %s", s->what, sw_condition_name(report.condition), report.text);
    for (unsigned j = 0; j < 4 && s->says[j]; j++) assert_says(s->what, report.text, s->says[j]);
    if (s->says_not && strstr(report.text, s->says_not)) fail_msg("%s: %s", s->what, report.text);
    if (s->condition != SW_CONDITION_STARTING && strstr(report.text, "connecting to"))
      fail_msg("%s: two sentences: %s", s->what, report.text);
    const struct sw_address about = address_of(s->about);
    if (s->about && !sw_address_equal(&report.endpoint, &about))
      fail_msg("%s: about another endpoint", s->what);
    if (report.condition <= SW_CONDITION_WAITING) assert_int_equal(report.endpoint.port, 0);
  }
}

/* Errors that occur in practice, each with its cause and what to do. */
static void each_error_has_its_cause_and_fix(void **state) {
  (void)state;
  static const struct {
    int error;
    const char *says;
  } errors[] = {
      {ECONNREFUSED, "the host of " A4 " says that nothing listens there (is saltway up on it? is "
                     "the port right?)"},
      {ENETUNREACH, A4 " is unreachable: Network is unreachable (is there a route to it? ip route "
                       "get 192.0.2.2)"},
      {EHOSTUNREACH, A4 " is unreachable: No route to host (is the host up? is there a route to "
                        "it? ip route get 192.0.2.2)"},
      {EHOSTDOWN, A4 " is unreachable: Host is down (is the host up? is there a route to it? ip "
                     "route get 192.0.2.2)"},
      {ENETDOWN, A4 " is unreachable: Network is down (is the interface that leads to it up? ip "
                    "route get 192.0.2.2)"},
      {EADDRNOTAVAIL, A4 " is unreachable: Cannot assign requested address (has this machine an "
                         "address of that family? ip address)"},
      {EAFNOSUPPORT, A4 " is unreachable: Address family not supported by protocol (is IPv6 off on "
                        "this machine?)"},
      {ENODEV, A4 " is unreachable: No such device (is the interface after the % there? ip link)"},
      {EPERM,
       "cannot send to " A4 ": Operation not permitted (does a firewall on this machine drop "
       "it? nft list ruleset)"},
      {EACCES, "cannot send to " A4 ": Permission denied (does a route or a firewall prohibit it? "
               "is it a broadcast address? ip route get 192.0.2.2)"},
      {EINVAL, "cannot send to " A4 ": Invalid argument (does a blackhole route lead to it? has a "
               "link-local address its %interface? ip route get 192.0.2.2)"},
      {EMSGSIZE,
       "cannot send to " A4 ": Message too long (an interface on the way has a small MTU: "
       "raise it, or set a lower MTU in the configuration)"},
      {ENOBUFS, "cannot send to " A4 ": No buffer space available (the queue of the interface that "
                "leads to it is full, or memory is short: ip -s link)"},
      {EPROTO, A4 " is unreachable: Protocol error (see ip route get 192.0.2.2)"},
  };
  for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
    arrange(&(struct situation){.state = SW_LINK_CONNECTING,
                                .attempts = 1,
                                .endpoints = {FAILED(A4, 500, 0, 499, errors[i].error)}});
    const struct sw_report report = sw_report_make(&facts, &(struct sw_report){0});
    assert_string_equal(report.text, errors[i].says);
    assert_int_equal(report.condition, errors[i].error == ECONNREFUSED ? SW_CONDITION_REFUSED
                                                                       : SW_CONDITION_UNREACHABLE);
  }
}

static void an_answer_is_awaited_for_a_time(void **state) {
  (void)state;
  arrange(&(struct situation){.state = SW_LINK_WAITING, .init_from = A4});
  status.init_time = NOW - SW_REPORT_ANSWER;
  struct sw_report report = sw_report_make(&facts, &(struct sw_report){0});
  assert_int_equal(report.condition, SW_CONDITION_ONE_WAY);
  status.init_time++;
  report = sw_report_make(&facts, &(struct sw_report){0});
  assert_int_equal(report.condition, SW_CONDITION_WAITING);
}

/* As many endpoints as a link can have. */
static void all_endpoints_and_no_more_are_examined(void **state) {
  (void)state;
  arrange(&(struct situation){.state = SW_LINK_CONNECTING, .init_from = ELSEWHERE});
  status.init_time = time_of(3000);
  status.endpoint_count = SW_ENDPOINTS_MAX + 1;
  for (unsigned i = 0; i <= SW_ENDPOINTS_MAX; i++)
    status.endpoints[i] = (struct sw_endpoint_status){address_of(A4), time_of(500), 0, time_of(499),
                                                      i < SW_ENDPOINTS_MAX ? EPERM : ECONNREFUSED};
  struct sw_report report = sw_report_make(&facts, &(struct sw_report){0});
  assert_int_equal(report.condition, SW_CONDITION_ONE_WAY);
  status.init_time = 0;
  report = sw_report_make(&facts, &(struct sw_report){0});
  assert_int_equal(report.condition, SW_CONDITION_REFUSED);
  assert_non_null(strstr(report.text, "; and 14 more"));

  status.endpoint_count = 1;
  status.attempts = 3;
  status.endpoints[0].address = address_of(B4);
  status.endpoints[0].error = 0;
  report = sw_report_make(&facts, &(struct sw_report){0});
  assert_int_equal(report.condition, SW_CONDITION_SILENT);
  status.init_from = address_of(A4);
  status.init_time = time_of(3000);
  report = sw_report_make(&facts, &(struct sw_report){0});
  assert_null(strstr(report.text, strerror(EPERM)));
}

/* ---- from report to report ---- */

static struct sw_report report;

/* Makes a report `seconds` after NOW. Returns whether a line would be logged. */
static bool step(double seconds) {
  facts.now = NOW + (uint64_t)(seconds * 1000) * MS;
  const struct sw_report next = sw_report_make(&facts, &report);
  const bool changed = next.since != report.since;
  report = next;
  return changed;
}

static void start(const struct situation *s) {
  arrange(s);
  report = (struct sw_report){.since = NOW - SW_SECOND};
}

/* The way was cut, and carries the peer's datagrams again before one of our tries. */
static void way_that_comes_back_is_not_called_one_way(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_SILENT,
                            .attempts = 3,
                            .endpoints = {TRIED(A4, 500)},
                            .received = 20000,
                            .handshake = 90000});
  assert_true(step(1));
  assert_int_equal(report.condition, SW_CONDITION_SILENT);
  for (unsigned i = 2; i < 14; i++) {
    status.received_time = NOW + i * SW_SECOND;
    assert_false(step(i));
    assert_int_equal(report.condition, SW_CONDITION_SILENT);
  }
  assert_true(step(14)); /* nothing has come of a whole round of tries */
  assert_int_equal(report.condition, SW_CONDITION_ONE_WAY);
  step(20); /* the peer is not heard any more */
  status.received_time = NOW + 40 * SW_SECOND;
  step(40);
  assert_int_not_equal(report.condition, SW_CONDITION_ONE_WAY);
}

/* A peer that was heard for long, and then no more: its last datagrams show no way that is open. */
static void outage_of_a_link_in_use_is_not_called_one_way(void **state) {
  (void)state;
  start(&(struct situation){
      .state = SW_LINK_UP, .attempts = 3, .endpoints = {TRIED(A4, 500)}, .handshake = 90000});
  for (unsigned i = 1; i <= 20; i++) {
    status.received_time = NOW + i * SW_SECOND;
    step(i);
  }
  status.state = SW_LINK_SILENT;
  for (unsigned i = 21; i < 60; i++) {
    status.endpoints[0].attempt_time = NOW + i * SW_SECOND;
    step(i);
    assert_int_not_equal(report.condition, SW_CONDITION_ONE_WAY);
  }
  assert_int_equal(report.condition, SW_CONDITION_SILENT);
}

static void lasting_condition_is_reported_once(void **state) {
  (void)state;
  start(&(struct situation){
      .state = SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)}});
  assert_true(step(1));
  assert_false(step(2));
  status.endpoints[0].attempt_time = NOW + 5 * SW_SECOND;
  assert_false(step(500));
  assert_int_equal(report.since, NOW + SW_SECOND);
  assert_int_equal(report.observed, NOW + 500 * SW_SECOND);
}

static void the_first_attempt_is_not_reported(void **state) {
  (void)state;
  start(&(struct situation){
      .state = SW_LINK_CONNECTING, .attempts = 1, .endpoints = {TRIED(A4, 500)}, .host = "b"});
  assert_false(step(1));
  assert_string_equal(report.text, "connecting to b port 51900");
}

static void more_specific_condition_is_reported_at_once(void **state) {
  (void)state;
  start(&(struct situation){
      .state = SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)}, .init_from = A4});
  assert_true(step(1));
  status.endpoints[0].error = ECONNREFUSED;
  status.endpoints[0].error_time = facts.now;
  assert_true(step(2));
  assert_int_equal(report.condition, SW_CONDITION_REFUSED);
  status.init_time = facts.now;
  assert_true(step(4));
  assert_int_equal(report.condition, SW_CONDITION_ONE_WAY);
}

static void less_specific_condition_is_reported_after_a_round(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_CONNECTING,
                            .attempts = 9,
                            .endpoints = {FAILED(A4, 500, 0, 400, ECONNREFUSED)}});
  assert_true(step(0));
  assert_false(step(11)); /* the error is within its round */
  const struct sw_report refused = report;
  assert_false(step(12));
  assert_string_equal(report.text, refused.text);
  assert_int_equal(report.since, refused.since);
  assert_false(step(23));
  assert_true(step(23.1));
  assert_int_equal(report.condition, SW_CONDITION_SILENT);
}

static void datagrams_of_another_key_are_reported_for_another_round(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_WAITING, .stranger_from = ELSEWHERE});
  assert_true(step(0));
  status.stranger_time = facts.now;
  assert_true(step(30));
  assert_int_equal(report.condition, SW_CONDITION_STRANGER);
  assert_false(step(42));
  assert_true(step(42.1));
  assert_int_equal(report.condition, SW_CONDITION_WAITING);
}

static void an_endpoint_replaces_another_after_a_round(void **state) {
  (void)state;
  const struct sw_address a = address_of(A4), b = address_of(B4);
  start(&(struct situation){.state = SW_LINK_CONNECTING,
                            .attempts = 9,
                            .endpoints = {TRIED(A4, 500), TRIED(B4, 500)},
                            .foreign = 10,
                            .foreign_from = A4});
  assert_true(step(0));
  status.foreign = b;
  status.foreign_time = NOW + SW_SECOND;
  assert_false(step(1));
  assert_true(sw_address_equal(&report.endpoint, &a));
  assert_false(step(12));
  assert_true(step(12.1));
  assert_true(sw_address_equal(&report.endpoint, &b));
  assert_string_equal(strstr(report.text, "from ") + 5 + strlen(B4),
                      strstr(report.text, " that our key"));
}

static void a_link_that_comes_up_or_goes_down_is_reported_at_once(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_CONNECTING,
                            .attempts = 3,
                            .endpoints = {FAILED(A4, 500, 0, 400, ECONNREFUSED)},
                            .peer = A4});
  assert_true(step(1));
  status.state = SW_LINK_UP;
  assert_true(step(2));
  assert_int_equal(report.condition, SW_CONDITION_UP);
  status.peer = address_of(B4); /* its address may change */
  assert_false(step(3));
  assert_string_equal(report.text, "up with " B4);
  status.state = SW_LINK_CONNECTING;
  status.attempts = 0;
  status.endpoints[0].error = 0;
  assert_true(step(4));
  assert_int_equal(report.condition, SW_CONDITION_STARTING);
  status.attempts = 3;
  assert_true(step(5));
  assert_int_equal(report.condition, SW_CONDITION_SILENT);
  assert_false(step(6));
}

static void every_condition_has_a_name(void **state) {
  (void)state;
  static const char *const names[] = {
      "starting",   "waiting",     "up",      "loss",    "small-mtu",   "standby",
      "stranger",   "silent",      "closed",  "covered", "unreachable", "refused",
      "unresolved", "name-server", "one-way", "foreign", "version",     "interface-down"};
  for (unsigned i = 0; i <= SW_CONDITION_INTERFACE_DOWN; i++)
    assert_string_equal(sw_condition_name(i), names[i]);
}

static void every_state_has_a_name(void **state) {
  (void)state;
  static const char *const names[] = {"starting", "resolving", "connecting",     "waiting", "up",
                                      "degraded", "silent",    "interface down", "closed"};
  for (unsigned i = 0; i <= SW_STATE_CLOSED; i++) assert_string_equal(sw_state_name(i), names[i]);
}

static void each_state_has_its_cause(void **state) {
  (void)state;
  static const struct {
    struct situation situation;
    enum sw_state state;
  } rows[] = {
      {{.state = SW_LINK_WAITING}, SW_STATE_WAITING},
      {{.state = SW_LINK_WAITING, .host = "b"}, SW_STATE_RESOLVING},
      {{.state = SW_LINK_WAITING, .host = "b", .unresolved = "cannot resolve b: no"},
       SW_STATE_RESOLVING},
      {{.state = SW_LINK_CONNECTING, .host = "b", .endpoints = {TRIED(A4, 500)}},
       SW_STATE_CONNECTING},
      {{.state = SW_LINK_CONNECTING,
        .endpoints = {TRIED(A4, 500)},
        .unresolved = "cannot resolve b: no"},
       SW_STATE_CONNECTING},
      {{.state = SW_LINK_UP, .host = "b", .peer = A4}, SW_STATE_UP},
      {{.state = SW_LINK_SILENT, .endpoints = {TRIED(A4, 500)}}, SW_STATE_SILENT},
      {{.state = SW_LINK_CLOSED}, SW_STATE_CLOSED},
      {{.state = SW_LINK_CONNECTING,
        .attempts = 1,
        .endpoints = {TRIED(A4, 500)},
        .closed = 1000,
        .received = 1000},
       SW_STATE_CLOSED},
      {{.state = SW_LINK_WAITING, .closed = 1000, .received = 1000}, SW_STATE_CLOSED},
      {{.state = SW_LINK_CONNECTING,
        .attempts = 3,
        .endpoints = {FAILED(A4, 500, 0, 499, ECONNREFUSED)},
        .closed = 1000,
        .received = 1000},
       SW_STATE_CONNECTING},
      {{.state = SW_LINK_UP, .interface_down = true}, SW_STATE_INTERFACE_DOWN},
      {{.state = SW_LINK_WAITING, .host = "b", .interface_down = true}, SW_STATE_INTERFACE_DOWN},
  };
  for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    arrange(&rows[i].situation);
    const struct sw_report made = sw_report_make(&facts, &(struct sw_report){0});
    if (made.state != rows[i].state) fail_msg("row %u: %s", i, sw_state_name(made.state));
    assert_int_equal(made.state_since, NOW);
  }
}

static void the_time_of_a_state_is_that_of_its_begin(void **state) {
  (void)state;
  start(&(struct situation){
      .state = SW_LINK_CONNECTING, .attempts = 3, .endpoints = {TRIED(A4, 500)}, .peer = A4});
  step(1);
  status.endpoints[0].error = ECONNREFUSED;
  status.endpoints[0].error_time = facts.now;
  assert_true(step(2));
  assert_int_equal(report.state_since, NOW + SW_SECOND); /* another reason, the same state */
  status.state = SW_LINK_UP;
  step(3);
  step(4);
  assert_int_equal(report.state_since, NOW + 3 * SW_SECOND);
}

static void an_interface_that_is_down_is_reported_whatever_else_is(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  assert_true(step(1));
  facts.interface_down = true;
  assert_true(step(2));
  assert_int_equal(report.condition, SW_CONDITION_INTERFACE_DOWN);
  facts.interface_down = false;
  assert_true(step(3));
  assert_int_equal(report.condition, SW_CONDITION_UP);
  facts.interface_down = true;
  assert_true(step(4));
  status.state = SW_LINK_CONNECTING; /* a less specific reason takes its place at once */
  facts.interface_down = false;
  assert_true(step(5));
  assert_int_equal(report.condition, SW_CONDITION_STARTING);
}

/* Counts probes up to `second`, and makes a report. */
static bool probe(double second, unsigned sent, unsigned lost) {
  status.probes_sent += sent;
  status.probes_lost += lost;
  return step(second);
}

static void loss_is_measured_over_enough_probes_and_time(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  assert_false(probe(600, SW_LOSS_PROBES - 1, 20)); /* too few */
  assert_int_equal(report.condition, SW_CONDITION_UP);
  assert_true(probe(601, 1, 0));
  assert_int_equal(report.condition, SW_CONDITION_LOSS);
  assert_int_equal(report.state, SW_STATE_DEGRADED);
  assert_string_equal(report.text, "up with " A4 ", but 80 % of the probes are lost (is a line "
                                   "overloaded or faulty? compare: ping 192.0.2.2)");
  const struct sw_address about = address_of(A4);
  assert_true(sw_address_equal(&report.endpoint, &about));

  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  probe(60.9, 100, 50); /* too early */
  facts.now = NOW + SW_SECOND + SW_LOSS_WINDOW - 1;
  report = sw_report_make(&facts, &report);
  assert_int_equal(report.condition, SW_CONDITION_UP);
  step(61);
  assert_int_equal(report.condition, SW_CONDITION_LOSS);
}

/* Datagrams of the peer come up to `second`, and a report is made. */
static bool come(double second, unsigned sent, unsigned lost) {
  status.datagrams_in += sent - lost;
  status.datagrams_lost += lost;
  return step(second);
}

static void loss_of_datagrams_is_of_the_last_minute(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  assert_false(come(60.9, SW_LOSS_DATAGRAMS, 400)); /* too early */
  assert_true(step(61));
  assert_int_equal(report.condition, SW_CONDITION_LOSS);
  assert_string_equal(
      report.text, "up with " A4 ", but 20 % of the peer's datagrams do not arrive (is a line "
                   "overloaded or faulty, does a firewall drop long ones, or is this machine too "
                   "slow? saltway doctor sw0)");
  assert_true(come(121, SW_LOSS_DATAGRAMS - 1, 1900)); /* too few: nothing is said, */
  assert_int_equal(report.condition, SW_CONDITION_UP);
  assert_false(come(150, 1, 1)); /* and another minute begins */
  assert_false(step(181));
}

static void losses_of_probes_and_of_datagrams_are_both_told(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  assert_false(come(61, 10000, 999));
  status.probes_sent += 100;
  status.probes_lost += 30;
  assert_true(come(121, 10000, 500));
  assert_non_null(strstr(report.text, ", but 5 % of the peer's datagrams do not arrive (is"));
  assert_non_null(strstr(report.text, "sw0); 30 % of the probes are lost (is"));
  status.probes_sent += 100;
  status.probes_lost += 5;
  assert_false(come(181, 10000, 499));
  assert_non_null(strstr(report.text, ", but 5 % of the probes are lost (is"));
  assert_null(strstr(report.text, "datagrams"));
  status.probes_sent += 100;
  status.probes_lost += 4;
  assert_false(come(241, 10000, 500));
  assert_non_null(strstr(report.text, ", but 5 % of the peer's datagrams"));
  assert_null(strstr(report.text, "probes"));
}

static void datagrams_that_come_late_are_not_lost(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  status.datagrams_lost = 1000;
  step(1);
  assert_int_equal(report.loss.datagrams.percent, 0); /* not measured */
  status.datagrams_lost -= 300;
  status.datagrams_in += 300;
  assert_false(come(61, 3000, 300));
  assert_int_equal(report.loss.datagrams.percent, 0);
  assert_false(come(121, 3000, 299));
  assert_int_equal(report.loss.datagrams.percent, 9);
  assert_true(come(181, 3000, 300));
  assert_int_equal(report.loss.datagrams.percent, 10);
  status.datagrams_lost -= 300;
  status.datagrams_in += 3300;
  step(241);
  assert_int_equal(report.loss.datagrams.percent, -10);
  /* a peer with the key may skip all counters of two sessions */
  status.datagrams_lost += UINT64_C(1) << 57;
  step(301);
  assert_int_equal(report.loss.datagrams.percent, 100);
  status.state = SW_LINK_SILENT;
  step(302);
  assert_int_equal(report.loss.datagrams.start, 0);
  assert_int_equal(report.loss.probes.start, 0);
}

static void loss_has_hysteresis(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(0.5);
  assert_false(probe(61, 100, SW_DEGRADATION_LOSS - 1));
  assert_int_equal(report.condition, SW_CONDITION_UP);
  assert_true(probe(122, 100, SW_DEGRADATION_LOSS));
  assert_false(probe(183, 100, SW_DEGRADATION_LOSS_OVER));
  assert_non_null(strstr(report.text, "5 % of"));
  assert_false(step(243));
  assert_false(probe(244, 100, SW_DEGRADATION_LOSS_OVER - 1));
  assert_false(probe(260, 50, 50)); /* of the next window, which is not full */
  assert_false(step(273));          /* half a minute after it was last observed */
  assert_int_equal(report.state, SW_STATE_DEGRADED);
  assert_true(step(273.1));
  assert_int_equal(report.state, SW_STATE_UP);
  assert_string_equal(report.text, "up with " A4);
}

static void a_degraded_link_that_goes_down_is_reported_at_once(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  assert_true(probe(61, 100, 100));
  assert_non_null(strstr(report.text, " 100 % of"));
  status.peer = address_of(B4);
  assert_false(step(61.5)); /* the sentence lasts */
  assert_non_null(strstr(report.text, "up with " A4));
  status.state = SW_LINK_SILENT;
  assert_true(step(62));
  assert_int_equal(report.condition, SW_CONDITION_STARTING);
  assert_int_equal(report.state, SW_STATE_SILENT);
}

static void a_standby_is_left_at_once_and_loss_is_added(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = B4, .place = 1, .host = "a"});
  assert_true(step(1));
  assert_int_equal(report.state, SW_STATE_DEGRADED);
  assert_false(probe(61, 100, 50));
  assert_int_equal(report.condition, SW_CONDITION_STANDBY);
  assert_non_null(strstr(report.text, "line or its host down?); 50 % of the probes are lost"));
  facts.place = 0;
  status.peer = address_of(A4);
  assert_true(step(62));
  assert_int_equal(report.condition, SW_CONDITION_LOSS);
  assert_non_null(strstr(report.text, "up with " A4 ", but 50 %"));
  facts.place = 1;
  assert_true(probe(122, 100, 0));
  facts.place = 0;
  assert_true(step(123));
  assert_string_equal(report.text, "up with " A4);
}

static void probes_of_a_link_that_was_down_do_not_count(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_UP, .peer = A4});
  step(1);
  assert_false(probe(61, 100, 0));
  status.state = SW_LINK_SILENT;
  probe(62, 50, 50);
  status.state = SW_LINK_UP;
  step(63);
  assert_false(probe(124, 100, 9));
  assert_int_equal(report.condition, SW_CONDITION_UP);
}

static void a_long_sentence_is_truncated(void **state) {
  (void)state;
  char name[900];
  memset(name, 'x', sizeof(name) - 1);
  name[sizeof(name) - 1] = '\0';
  start(&(struct situation){.state = SW_LINK_CONNECTING,
                            .attempts = 3,
                            .endpoints = {TRIED(A4, 500)},
                            .unresolved = name});
  assert_true(step(1));
  assert_int_equal(strlen(report.text), SW_SENTENCE_TEXT - 1);
}

/* ---- ten minutes ---- */

struct course {
  const char *what;
  struct situation start;
  void (*happen)(unsigned second);
  unsigned lines; /* the most lines in the log */
};

static uint64_t at(unsigned second) {
  return NOW + second * SW_SECOND;
}

/* Tries all endpoints every five seconds, as the link does. */
static void try_all(unsigned second) {
  if (second % 5) return;
  status.attempts += status.endpoint_count;
  for (unsigned i = 0; i < status.endpoint_count; i++)
    status.endpoints[i].attempt_time = at(second);
}

static void fail_endpoint(unsigned i, unsigned second, int error) {
  if (status.endpoints[i].attempt_time != at(second)) return;
  status.endpoints[i].error = error;
  status.endpoints[i].error_time = at(second);
}

static void one_unreachable(unsigned second) {
  try_all(second);
  fail_endpoint(1, second, ENETUNREACH);
}

static void every_second_report_lost(unsigned second) {
  try_all(second);
  if (second / 5 / status.endpoint_count % 2) fail_endpoint(0, second, ECONNREFUSED);
}

static void errors_alternate(unsigned second) {
  try_all(second);
  fail_endpoint(0, second, second / 10 % 2 ? EHOSTUNREACH : ECONNREFUSED);
  fail_endpoint(1, second, second / 10 % 3 ? ENETUNREACH : EPERM);
}

static void scanned_now_and_then(unsigned second) {
  one_unreachable(second);
  if (second % 20 == 7) status.stranger_time = at(second);
}

static void answers_lost(unsigned second) {
  try_all(second);
  if (second % 6 == 3) status.init_time = at(second);
}

static void names_come_and_go(unsigned second) {
  try_all(second);
  facts.unresolved = second / 5 % 2 ? "cannot resolve b: again" : "";
}

/* A tenth of the probes is lost, more or less. */
static void a_lossy_line(unsigned second) {
  status.state = SW_LINK_UP;
  status.probes_sent++;
  status.probes_lost += second % (second / 60 % 2 ? 11 : 9) == 0;
}

static void an_interface_that_is_set_down_once(unsigned second) {
  status.state = SW_LINK_UP;
  facts.interface_down = second >= 200 && second < 260;
}

static void ten_minutes_take_few_lines(void **state) {
  (void)state;
  const struct course courses[] = {
      {"one silent endpoint",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}},
       try_all,
       1},
      {"one unreachable, one silent",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0), TRIED(A6, 0)}},
       one_unreachable,
       1},
      {"reports that nothing listens are lost",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}},
       every_second_report_lost,
       2},
      {"errors that alternate",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0), TRIED(A6, 0)}},
       errors_alternate,
       3},
      {"scans",
       {.state = SW_LINK_CONNECTING,
        .attempts = 0,
        .endpoints = {TRIED(A4, 0), TRIED(A6, 0)},
        .stranger_from = ELSEWHERE},
       scanned_now_and_then,
       1},
      {"answers do not arrive",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}, .init_from = A4},
       answers_lost,
       2},
      {"answers do not arrive, without Endpoint",
       {.state = SW_LINK_CONNECTING,
        .attempts = 0,
        .endpoints = {TRIED(A4, 0), TRIED(B4, 0)},
        .init_from = A4},
       answers_lost,
       2},
      {"a name server that is up at times",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}, .host = "b"},
       names_come_and_go,
       2},
      {"loss about the threshold",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}, .peer = A4},
       a_lossy_line,
       2},
      {"an interface that is set down for a minute",
       {.state = SW_LINK_CONNECTING, .attempts = 0, .endpoints = {TRIED(A4, 0)}, .peer = A4},
       an_interface_that_is_set_down_once,
       3},
  };
  for (size_t i = 0; i < sizeof(courses) / sizeof(courses[0]); i++) {
    start(&courses[i].start);
    unsigned lines = 0;
    for (unsigned second = 1; second <= 600; second++) {
      courses[i].happen(second);
      lines += step(second + 0.5);
    }
    if (lines > courses[i].lines || lines == 0) fail_msg("%s: %u lines", courses[i].what, lines);
  }
}

/* All courses, one after the other and mixed.  Only lasting changes are reported. */
static void ten_changing_minutes_take_few_lines(void **state) {
  (void)state;
  start(&(struct situation){.state = SW_LINK_CONNECTING,
                            .attempts = 0,
                            .endpoints = {TRIED(A4, 0), TRIED(A6, 0)},
                            .peer = A4,
                            .init_from = A4});
  unsigned lines = 0;
  for (unsigned second = 1; second <= 600; second++) {
    if (second < 200)
      one_unreachable(second);
    else if (second < 400)
      every_second_report_lost(second);
    else
      answers_lost(second);
    status.state = second < 590 ? SW_LINK_CONNECTING : SW_LINK_UP;
    lines += step(second + 0.5);
  }
  assert_int_equal(report.condition, SW_CONDITION_UP);
  assert_in_range(lines, 4, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_situation_has_its_sentence),
      cmocka_unit_test(each_error_has_its_cause_and_fix),
      cmocka_unit_test(an_answer_is_awaited_for_a_time),
      cmocka_unit_test(all_endpoints_and_no_more_are_examined),
      cmocka_unit_test(datagrams_of_another_key_are_reported_for_another_round),
      cmocka_unit_test(way_that_comes_back_is_not_called_one_way),
      cmocka_unit_test(outage_of_a_link_in_use_is_not_called_one_way),
      cmocka_unit_test(lasting_condition_is_reported_once),
      cmocka_unit_test(the_first_attempt_is_not_reported),
      cmocka_unit_test(more_specific_condition_is_reported_at_once),
      cmocka_unit_test(less_specific_condition_is_reported_after_a_round),
      cmocka_unit_test(an_endpoint_replaces_another_after_a_round),
      cmocka_unit_test(a_link_that_comes_up_or_goes_down_is_reported_at_once),
      cmocka_unit_test(every_condition_has_a_name),
      cmocka_unit_test(every_state_has_a_name),
      cmocka_unit_test(each_state_has_its_cause),
      cmocka_unit_test(the_time_of_a_state_is_that_of_its_begin),
      cmocka_unit_test(an_interface_that_is_down_is_reported_whatever_else_is),
      cmocka_unit_test(loss_is_measured_over_enough_probes_and_time),
      cmocka_unit_test(loss_of_datagrams_is_of_the_last_minute),
      cmocka_unit_test(losses_of_probes_and_of_datagrams_are_both_told),
      cmocka_unit_test(datagrams_that_come_late_are_not_lost),
      cmocka_unit_test(loss_has_hysteresis),
      cmocka_unit_test(a_degraded_link_that_goes_down_is_reported_at_once),
      cmocka_unit_test(a_standby_is_left_at_once_and_loss_is_added),
      cmocka_unit_test(probes_of_a_link_that_was_down_do_not_count),
      cmocka_unit_test(a_long_sentence_is_truncated),
      cmocka_unit_test(ten_minutes_take_few_lines),
      cmocka_unit_test(ten_changing_minutes_take_few_lines),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

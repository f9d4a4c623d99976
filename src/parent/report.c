#include "parent/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#define PEER_TEXT 300 /* a configured host and its port */

/* The outcome of the tries at one endpoint, from the least to the most specific.  UNREACHABLE comes
 * first: many hosts have no IPv6, and names often have addresses of both families. */
enum outcome { PENDING, UNREACHABLE, SILENT, COVERED, REJECTED, REFUSED };

static const struct {
  int error;
  enum outcome outcome; /* REJECTED: this machine does not send to the endpoint */
  const char *fix;
  bool route; /* the fix ends with the command that shows the route */
} errors[] = {
    {ECONNREFUSED, REFUSED, "is saltway up on it? is the port right?", false},
    {ENETUNREACH, UNREACHABLE, "is there a route to it?", true},
    {EHOSTUNREACH, UNREACHABLE, "is the host up? is there a route to it?", true},
    {EHOSTDOWN, UNREACHABLE, "is the host up? is there a route to it?", true},
    {ENETDOWN, UNREACHABLE, "is the interface that leads to it up?", true},
    {EADDRNOTAVAIL, UNREACHABLE, "has this machine an address of that family? ip address", false},
    {EAFNOSUPPORT, UNREACHABLE, "is IPv6 off on this machine?", false},
    {ENODEV, UNREACHABLE, "is the interface after the % there? ip link", false},
    {EPERM, REJECTED, "does a firewall on this machine drop it? nft list ruleset", false},
    {EACCES, REJECTED, "does a route or a firewall prohibit it? is it a broadcast address?", true},
    {EINVAL, REJECTED,
     "does a blackhole route lead to it? has a link-local address its %interface?", true},
    {EMSGSIZE, REJECTED,
     "an interface on the way has a small MTU: raise it, or set a lower MTU in the configuration",
     false},
    {ENOBUFS, REJECTED,
     "the queue of the interface that leads to it is full, or memory is short: ip -s link", false},
};
enum { ERRORS = sizeof(errors) / sizeof(errors[0]) };

static unsigned error_find(int error) {
  unsigned i = 0;
  while (i < ERRORS && errors[i].error != error) i++;
  return i;
}

/* ---- what was observed ---- */

static bool within(const struct sw_facts *facts, uint64_t time, uint64_t memory) {
  return time && facts->now - time <= memory;
}

static bool failed(const struct sw_facts *facts, const struct sw_endpoint_status *endpoint) {
  return endpoint->error && endpoint->error_time > endpoint->answer_time &&
         within(facts, endpoint->error_time, SW_REPORT_ROUND);
}

/* Whether every endpoint was tried, and one of them twice. */
static bool tried(const struct sw_link_status *link) {
  return link->state == SW_LINK_SILENT || link->attempts >= link->endpoint_count + 2;
}

/* Whether the routes to AllowedIPs may lead the link's own datagrams into the link. */
static bool covered(const struct sw_config *config, const struct sw_address *endpoint) {
  if (config->table_kind != SW_CONFIG_TABLE_AUTO || config->fwmark || config->netns[0])
    return false;
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (!sw_config_is_all(&config->allowed_ips[i]) && /* its rules let the link's datagrams out */
        sw_prefix_contains(&config->allowed_ips[i], endpoint->ip))
      return true;
  return false;
}

static enum outcome outcome_of(const struct sw_facts *facts,
                               const struct sw_endpoint_status *endpoint) {
  if (failed(facts, endpoint)) {
    const unsigned i = error_find(endpoint->error);
    return i < ERRORS ? errors[i].outcome : UNREACHABLE;
  }
  if (!tried(facts->link) || endpoint->attempt_time <= endpoint->answer_time) return PENDING;
  return covered(facts->config, &endpoint->address) ? COVERED : SILENT;
}

/* The endpoints with an outcome, the most specific first. */
struct told {
  const struct sw_endpoint_status *endpoints[SW_ENDPOINTS_MAX + 1];
  unsigned count;
};

/* Selects none before every endpoint was tried. */
static struct told select_told(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  struct told told = {.count = 0};
  for (enum outcome outcome = REFUSED; outcome > PENDING; outcome--)
    for (unsigned i = 0; i < link->endpoint_count; i++)
      if (outcome_of(facts, &link->endpoints[i]) == outcome)
        told.endpoints[told.count++] = &link->endpoints[i];
  if (told.count < link->endpoint_count && !tried(link)) told.count = 0;
  return told;
}

/* An init of the peer led to no session, although we answered it. */
static bool init_without_session(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  return within(facts, link->init_time, SW_REPORT_MEMORY) &&
         link->init_time > link->handshake_time && link->init_time > link->closed_time;
}

static bool one_way(const struct sw_facts *facts) {
  return init_without_session(facts) && facts->now - facts->link->init_time >= SW_REPORT_ANSWER;
}

/* The peer still sends in a session that we cannot renew. */
static bool heard(const struct sw_facts *facts) {
  return within(facts, facts->link->received_time, SW_REPORT_TRY);
}

static bool closed(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  return within(facts, link->closed_time, SW_REPORT_MEMORY) &&
         link->closed_time >= link->received_time;
}

/* An observation counts only while nothing authentic was received after it. */
static bool explains(const struct sw_facts *facts, uint64_t time) {
  return within(facts, time, SW_REPORT_MEMORY) && time > facts->link->received_time;
}

/* ---- sentences ---- */

__attribute__((format(printf, 2, 3))) static void add(char text[SW_REPORT_TEXT], const char *format,
                                                      ...) {
  const size_t length = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + length, SW_REPORT_TEXT - length, format, arguments);
  va_end(arguments);
}

static void add_ip(char text[SW_REPORT_TEXT], const struct sw_address *address) {
  char ip[INET6_ADDRSTRLEN];
  if (sw_ip_is_v4(address->ip))
    inet_ntop(AF_INET, address->ip + 12, ip, sizeof(ip));
  else
    inet_ntop(AF_INET6, address->ip, ip, sizeof(ip));
  add(text, "%s", ip);
}

static void add_route(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                      const struct sw_address *to) {
  add(text, "ip route get ");
  add_ip(text, to);
  if (facts->mark) add(text, " mark %u", facts->mark);
}

static void add_cause(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                      const struct sw_endpoint_status *endpoint) {
  const unsigned i = error_find(endpoint->error);
  add(text, "%s (%s", strerror(endpoint->error), i < ERRORS ? errors[i].fix : "see");
  if (i == ERRORS || errors[i].route) {
    add(text, " ");
    add_route(text, facts, &endpoint->address);
  }
  add(text, ")");
}

static void add_covered(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                        const struct sw_address *endpoint) {
  add(text, ", which is within AllowedIPs: without a better route to it (");
  add_route(text, facts, endpoint);
  add(text, ") the link's own datagrams go into the link; see FwMark in saltway.conf(5)");
}

static void add_endpoint(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                         const struct sw_endpoint_status *endpoint) {
  char address[SW_ADDRESS_TEXT];
  sw_address_text(&endpoint->address, address);
  const enum outcome outcome = outcome_of(facts, endpoint);
  if (outcome == SILENT) {
    add(text, "%s is silent (is saltway up there, with the same key? does a firewall drop UDP?)",
        address);
  } else if (outcome == COVERED) {
    add(text, "no answer from %s", address);
    add_covered(text, facts, &endpoint->address);
  } else if (outcome == REFUSED) {
    add(text, "the host of %s says that nothing listens there (%s)", address,
        errors[error_find(ECONNREFUSED)].fix);
  } else {
    add(text, outcome == REJECTED ? "cannot send to %s: " : "%s is unreachable: ", address);
    add_cause(text, facts, endpoint);
  }
}

static void add_endpoints(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                          const struct told *told) {
  for (unsigned i = 0; i < told->count && i < SW_REPORT_ENDPOINTS; i++) {
    if (i > 0) add(text, "; ");
    add_endpoint(text, facts, told->endpoints[i]);
  }
  if (told->count > SW_REPORT_ENDPOINTS)
    add(text, "; and %u more", told->count - SW_REPORT_ENDPOINTS);
}

static void add_names(char text[SW_REPORT_TEXT], const struct told *told) {
  char address[SW_ADDRESS_TEXT];
  for (unsigned i = 0; i < told->count && i < SW_REPORT_ENDPOINTS; i++)
    add(text, "%s%s", i > 0 ? ", " : "", sw_address_text(&told->endpoints[i]->address, address));
  if (told->count > SW_REPORT_ENDPOINTS)
    add(text, " and %u more", told->count - SW_REPORT_ENDPOINTS);
}

static void add_stranger(char text[SW_REPORT_TEXT], const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  char address[SW_ADDRESS_TEXT];
  add(text,
      "datagrams arrive from %s that our key does not open (is that the peer, with another key? "
      "our key's fingerprint is %s)",
      sw_address_text(&link->stranger, address), link->fingerprint);
}

/* Every endpoint is silent. */
static void add_silence(char text[SW_REPORT_TEXT], const struct sw_facts *facts,
                        const struct told *told) {
  add(text, "no answer from ");
  add_names(text, told);
  add(text,
      ": nothing arrives at all (is saltway up there, with the same key? our key's fingerprint is "
      "%s; does a firewall let UDP through both ways?)",
      facts->link->fingerprint);
}

static const struct sw_endpoint_status *endpoint_at(const struct sw_link_status *link,
                                                    const struct sw_address *address) {
  for (unsigned i = 0; i < link->endpoint_count; i++)
    if (sw_address_equal(&link->endpoints[i].address, address)) return &link->endpoints[i];
  return NULL;
}

static void add_firewall(char text[SW_REPORT_TEXT], const struct sw_facts *facts) {
  add(text, "(does a firewall, here or there, drop UDP from our port %u to it?)", facts->port);
}

static void add_one_way(char text[SW_REPORT_TEXT], const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  const struct sw_endpoint_status *endpoint = endpoint_at(link, &link->init_from);
  char address[SW_ADDRESS_TEXT];
  add(text, "handshakes of the peer arrive from %s", sw_address_text(&link->init_from, address));
  if (covered(facts->config, &link->init_from)) {
    add_covered(text, facts, &link->init_from);
    return;
  }
  add(text, ", but our answers do not reach it");
  if (endpoint && failed(facts, endpoint)) {
    add(text, ": ");
    add_cause(text, facts, endpoint);
  } else {
    add(text, " ");
    add_firewall(text, facts);
  }
}

static const char *peer_text(const struct sw_facts *facts, char text[PEER_TEXT]) {
  const struct sw_config *config = facts->config;
  if (facts->link->peer.port)
    sw_address_text(&facts->link->peer, text);
  else if (config->endpoint_count)
    snprintf(text, PEER_TEXT, "%s port %u", config->endpoints[0].host, config->endpoints[0].port);
  else
    snprintf(text, PEER_TEXT, "the peer");
  return text;
}

/* ---- the condition ---- */

static const enum sw_condition conditions[] = {
    [SILENT] = SW_CONDITION_SILENT,           [COVERED] = SW_CONDITION_COVERED,
    [UNREACHABLE] = SW_CONDITION_UNREACHABLE, [REJECTED] = SW_CONDITION_UNREACHABLE,
    [REFUSED] = SW_CONDITION_REFUSED,
};

static void set(struct sw_report *report, enum sw_condition condition,
                const struct sw_address *endpoint) {
  report->condition = condition;
  if (endpoint) report->endpoint = *endpoint;
}

static void add_server(struct sw_report *report, const struct sw_facts *facts) {
  if (!facts->server.port) {
    set(report, SW_CONDITION_UNRESOLVED, NULL);
    add(report->text, " (is the name right? does DNS work here?)");
    return;
  }
  set(report, SW_CONDITION_NAME_SERVER, NULL);
  add(report->text, ": the name server ");
  add_ip(report->text, &facts->server);
  add(report->text,
      " is reached through this link, which is down (make a route to it that does not lead into "
      "the link, use another name server, or write an address as Endpoint)");
}

/* Diagnoses from names and the outcomes of the tries.  Returns false if they show nothing yet. */
static bool diagnose_endpoints(const struct sw_facts *facts, struct sw_report *report) {
  const struct sw_link_status *link = facts->link;
  const struct told told = select_told(facts);
  const enum outcome most = told.count ? outcome_of(facts, told.endpoints[0]) : PENDING;
  char peer[PEER_TEXT];
  if (facts->unresolved[0]) {
    add(report->text, "%s", facts->unresolved);
    add_server(report, facts);
    if (told.count) add(report->text, "; ");
    add_endpoints(report->text, facts, &told);
    return true;
  }
  if (most <= SILENT && closed(facts)) {
    set(report, SW_CONDITION_CLOSED, &link->peer);
    add(report->text, "%s closed the link in order; waiting for it to come back",
        peer_text(facts, peer));
    return true;
  }
  if (most == PENDING) return false;
  if (most == SILENT && init_without_session(facts)) return false; /* our answer is on its way */
  if (most == SILENT && heard(facts)) {
    set(report, SW_CONDITION_ONE_WAY, &told.endpoints[0]->address);
    add(report->text, "datagrams of the peer arrive, but ours do not reach %s ",
        sw_address_text(&told.endpoints[0]->address, peer));
    add_firewall(report->text, facts);
    return true;
  }
  set(report, conditions[most], &told.endpoints[0]->address);
  if (most == SILENT && outcome_of(facts, told.endpoints[told.count - 1]) == SILENT) {
    add_silence(report->text, facts, &told);
  } else {
    if (told.count > 1) add(report->text, "no endpoint answers: ");
    add_endpoints(report->text, facts, &told);
  }
  if (most == SILENT && explains(facts, link->stranger_time)) {
    add(report->text, "; ");
    add_stranger(report->text, facts);
  }
  return true;
}

/* Nothing was tried, or it is too early to judge. */
static void diagnose_start(const struct sw_facts *facts, struct sw_report *report) {
  const struct sw_link_status *link = facts->link;
  char peer[PEER_TEXT];
  if (link->state == SW_LINK_WAITING && facts->config->endpoint_count) {
    add(report->text, "resolving %s", facts->config->endpoints[0].host);
  } else if (link->state != SW_LINK_WAITING) {
    add(report->text, "connecting to %s", peer_text(facts, peer));
  } else if (explains(facts, link->stranger_time)) {
    set(report, SW_CONDITION_STRANGER, &link->stranger);
    add_stranger(report->text, facts);
  } else {
    set(report, SW_CONDITION_WAITING, NULL);
    add(report->text, "waiting on UDP port %u for the peer to start: no Endpoint is configured",
        facts->port);
  }
}

/* ---- a link that is up ---- */

/* Begins the next window once this one is full. */
static struct sw_report_window count_probes(const struct sw_facts *facts,
                                            const struct sw_report_window *before) {
  const struct sw_link_status *link = facts->link;
  const struct sw_report_window next = {facts->now, link->probes_sent, link->probes_lost, 0};
  if (link->state != SW_LINK_UP) return (struct sw_report_window){.start = 0};
  if (!before->start) return next;
  const uint64_t sent = next.sent - before->sent, lost = next.lost - before->lost;
  if (sent < SW_REPORT_PROBES || facts->now - before->start < SW_REPORT_WINDOW) return *before;
  return (struct sw_report_window){next.start, next.sent, next.lost, (unsigned)(100 * lost / sent)};
}

static bool loses(const struct sw_facts *facts, const struct sw_report *report,
                  const struct sw_report *before) {
  (void)facts;
  const bool already = before->condition == SW_CONDITION_LOSS;
  return report->window.loss >= (already ? SW_REPORT_LOSS_OVER : SW_REPORT_LOSS);
}

static void add_loss(struct sw_report *report, const struct sw_facts *facts) {
  add(report->text, "%u %% of the probes are lost (is a line overloaded or faulty? compare: ping ",
      report->window.loss);
  add_ip(report->text, &facts->link->peer);
  add(report->text, ")");
}

static bool is_on_standby(const struct sw_facts *facts, const struct sw_report *report,
                          const struct sw_report *before) {
  (void)report, (void)before;
  return facts->place > 0;
}

static void add_standby(struct sw_report *report, const struct sw_facts *facts) {
  const struct sw_config_endpoint *preferred = &facts->config->endpoints[0];
  add(report->text,
      "that is a standby: %s port %u, the first Endpoint, is not in use (is its line or its host "
      "down?)",
      preferred->host, preferred->port);
}

static bool has_small_mtu(const struct sw_facts *facts, const struct sw_report *report,
                          const struct sw_report *before) {
  (void)report, (void)before;
  return facts->link->fragments;
}

static void add_small_mtu(struct sw_report *report, const struct sw_facts *facts) {
  if (facts->config->mtu) {
    add(report->text,
        "the path does not carry packets of MTU = %u bytes in one piece: datagrams are fragmented%s, "
        "and the link is slower (write MTU = auto, or a smaller number)",
        facts->config->mtu,
        sw_ip_is_v4(facts->link->peer.ip) ? "" : " if ICMPv6 tells this host so, and else lost");
    return;
  }
  add(report->text,
      "the path carries less than %d bytes of a packet, which IPv6 needs: datagrams are fragmented, "
      "and the link is slower (which hop has a small MTU? tracepath ",
      SW_MTU_LEAST);
  add_ip(report->text, &facts->link->peer);
  add(report->text, ")");
}

/* What a link that is up can suffer from, the most telling first, and how long it lasts after it was
 * observed. */
static const struct {
  enum sw_condition condition;
  bool (*holds)(const struct sw_facts *facts, const struct sw_report *report,
                const struct sw_report *before);
  void (*tell)(struct sw_report *report, const struct sw_facts *facts);
  uint64_t memory;
} degradations[] = {
    {SW_CONDITION_STANDBY, is_on_standby, add_standby, 0},
    {SW_CONDITION_SMALL_MTU, has_small_mtu, add_small_mtu, SW_REPORT_MEMORY},
    {SW_CONDITION_LOSS, loses, add_loss, SW_REPORT_MEMORY},
};
enum { DEGRADATIONS = sizeof(degradations) / sizeof(degradations[0]) };

static void diagnose_up(const struct sw_facts *facts, struct sw_report *report,
                        const struct sw_report *before) {
  char peer[PEER_TEXT];
  set(report, SW_CONDITION_UP, &facts->link->peer);
  add(report->text, "up with %s", peer_text(facts, peer));
  for (unsigned i = 0; i < DEGRADATIONS; i++) {
    if (!degradations[i].holds(facts, report, before)) continue;
    const bool first = report->condition == SW_CONDITION_UP;
    if (first) report->condition = degradations[i].condition;
    add(report->text, first ? ", but " : "; ");
    degradations[i].tell(report, facts);
  }
}

/* ---- any link ---- */

static void diagnose(const struct sw_facts *facts, struct sw_report *report,
                     const struct sw_report *before) {
  const struct sw_link_status *link = facts->link;
  char *const text = report->text;
  char address[SW_ADDRESS_TEXT], peer[PEER_TEXT];
  if (facts->interface_down) {
    set(report, SW_CONDITION_INTERFACE_DOWN, NULL);
    add(text, "the interface is down: no packet passes (ip link set %s up)", facts->config->name);
  } else if (link->state == SW_LINK_UP) {
    diagnose_up(facts, report, before);
  } else if (explains(facts, link->version_time)) {
    set(report, SW_CONDITION_VERSION, &link->peer);
    add(text, "%s speaks protocol version %u, this side 1 (upgrade the older side)",
        peer_text(facts, peer), link->version);
  } else if (explains(facts, link->foreign_time)) {
    set(report, SW_CONDITION_FOREIGN, &link->foreign);
    add(text,
        "datagrams arrive from %s that our key does not open: the other side has another key, or "
        "has not noticed yet that this one restarted (our key's fingerprint is %s; compare it with "
        "that of the other side)",
        sw_address_text(&link->foreign, address), link->fingerprint);
  } else if (one_way(facts)) {
    set(report,
        covered(facts->config, &link->init_from) ? SW_CONDITION_COVERED : SW_CONDITION_ONE_WAY,
        &link->init_from);
    add_one_way(text, facts);
  } else if (!diagnose_endpoints(facts, report)) {
    diagnose_start(facts, report);
  }
}

static bool is_fault(enum sw_condition condition) {
  return condition > SW_CONDITION_UP;
}

static bool is_degraded(enum sw_condition condition) {
  return condition > SW_CONDITION_UP && condition < SW_CONDITION_STRANGER;
}

static enum sw_state state_of(const struct sw_facts *facts, enum sw_condition condition) {
  static const enum sw_state states[] = {
      [SW_LINK_WAITING] = SW_STATE_WAITING, [SW_LINK_CONNECTING] = SW_STATE_CONNECTING,
      [SW_LINK_UP] = SW_STATE_UP,           [SW_LINK_SILENT] = SW_STATE_SILENT,
      [SW_LINK_CLOSED] = SW_STATE_CLOSED,
  };
  if (condition == SW_CONDITION_INTERFACE_DOWN) return SW_STATE_INTERFACE_DOWN;
  if (condition == SW_CONDITION_CLOSED) return SW_STATE_CLOSED;
  if (is_degraded(condition)) return SW_STATE_DEGRADED;
  if (facts->link->state == SW_LINK_WAITING && facts->config->endpoint_count)
    return SW_STATE_RESOLVING;
  return states[facts->link->state];
}

static bool same(const struct sw_report *a, const struct sw_report *b) {
  return a->condition == b->condition &&
         (!is_fault(a->condition) || sw_address_equal(&a->endpoint, &b->endpoint));
}

/* Whether `before` still holds, although it is not what is observed now. */
static bool lasts(const struct sw_facts *facts, const struct sw_report *before,
                  enum sw_condition observed) {
  const bool up = facts->link->state == SW_LINK_UP;
  if (observed > before->condition && is_fault(observed)) return false;
  if (before->condition == SW_CONDITION_INTERFACE_DOWN) return false;
  for (unsigned i = 0; i < DEGRADATIONS; i++)
    if (before->condition == degradations[i].condition)
      return up && within(facts, before->observed, degradations[i].memory);
  return is_fault(before->condition) && !up && within(facts, before->observed, SW_REPORT_ROUND);
}

static void set_state(struct sw_report *report, const struct sw_facts *facts,
                      const struct sw_report *before) {
  report->state = state_of(facts, report->condition);
  const bool first = !before->state_since;
  report->state_since = first || report->state != before->state ? facts->now : before->state_since;
}

struct sw_report sw_report_make(const struct sw_facts *facts, const struct sw_report *before) {
  struct sw_report report = {.condition = SW_CONDITION_STARTING,
                             .since = facts->now,
                             .observed = facts->now,
                             .window = count_probes(facts, &before->window)};
  diagnose(facts, &report, before);
  if (same(&report, before)) {
    report.since = before->since;
  } else if (lasts(facts, before, report.condition)) {
    const struct sw_report_window window = report.window;
    report = *before;
    report.window = window;
  }
  set_state(&report, facts, before);
  return report;
}

const char *sw_state_name(enum sw_state state) {
  static const char *const names[] = {
      [SW_STATE_STARTING] = "starting",
      [SW_STATE_RESOLVING] = "resolving",
      [SW_STATE_CONNECTING] = "connecting",
      [SW_STATE_WAITING] = "waiting",
      [SW_STATE_UP] = "up",
      [SW_STATE_DEGRADED] = "degraded",
      [SW_STATE_SILENT] = "silent",
      [SW_STATE_INTERFACE_DOWN] = "interface down",
      [SW_STATE_CLOSED] = "closed",
  };
  return names[state];
}

const char *sw_condition_name(enum sw_condition condition) {
  static const char *const names[] = {
      [SW_CONDITION_STARTING] = "starting",
      [SW_CONDITION_WAITING] = "waiting",
      [SW_CONDITION_UP] = "up",
      [SW_CONDITION_LOSS] = "loss",
      [SW_CONDITION_SMALL_MTU] = "small-mtu",
      [SW_CONDITION_STANDBY] = "standby",
      [SW_CONDITION_STRANGER] = "stranger",
      [SW_CONDITION_SILENT] = "silent",
      [SW_CONDITION_CLOSED] = "closed",
      [SW_CONDITION_COVERED] = "covered",
      [SW_CONDITION_UNREACHABLE] = "unreachable",
      [SW_CONDITION_REFUSED] = "refused",
      [SW_CONDITION_UNRESOLVED] = "unresolved",
      [SW_CONDITION_NAME_SERVER] = "name-server",
      [SW_CONDITION_ONE_WAY] = "one-way",
      [SW_CONDITION_FOREIGN] = "foreign",
      [SW_CONDITION_VERSION] = "version",
      [SW_CONDITION_INTERFACE_DOWN] = "interface-down",
  };
  return names[condition];
}

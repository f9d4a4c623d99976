#include "parent/report.h"

#include <stdio.h>

#include "parent/degradation.h"
#include "parent/outcome.h"

#define PEER_TEXT 300 /* a configured host and its port */

/* ---- what was observed ---- */

/* An init of the peer led to no session, although we answered it. */
static bool init_without_session(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  return sw_facts_within(facts, link->init_time, SW_REPORT_MEMORY) &&
         link->init_time > link->handshake_time && link->init_time > link->closed_time;
}

static bool one_way(const struct sw_facts *facts) {
  return init_without_session(facts) && facts->now - facts->link->init_time >= SW_REPORT_ANSWER;
}

/* The peer still sends in a session that we cannot renew. */
static bool heard(const struct sw_facts *facts) {
  return sw_facts_within(facts, facts->link->received_time, SW_OUTCOME_TRY);
}

static bool closed(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  return sw_facts_within(facts, link->closed_time, SW_REPORT_MEMORY) &&
         link->closed_time >= link->received_time;
}

/* An observation counts only while nothing authentic was received after it. */
static bool explains(const struct sw_facts *facts, uint64_t time) {
  return sw_facts_within(facts, time, SW_REPORT_MEMORY) && time > facts->link->received_time;
}

/* ---- sentences ---- */

static void add_stranger(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  char address[SW_ADDRESS_TEXT];
  sw_sentence_add(
      text,
      "datagrams arrive from %s that our key does not open (is that the peer, with another key? "
      "our key's fingerprint is %s)",
      sw_address_text(&link->stranger, address), link->fingerprint);
}

static const struct sw_endpoint_status *endpoint_at(const struct sw_link_status *link,
                                                    const struct sw_address *address) {
  for (unsigned i = 0; i < link->endpoint_count; i++)
    if (sw_address_equal(&link->endpoints[i].address, address)) return &link->endpoints[i];
  return NULL;
}

static void add_firewall(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts) {
  sw_sentence_add(text, "(does a firewall, here or there, drop UDP from our port %u to it?)",
                  facts->port);
}

static void add_one_way(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  const struct sw_endpoint_status *endpoint = endpoint_at(link, &link->init_from);
  char address[SW_ADDRESS_TEXT];
  sw_sentence_add(text, "handshakes of the peer arrive from %s",
                  sw_address_text(&link->init_from, address));
  if (sw_outcome_covered(facts->config, &link->init_from)) {
    sw_outcome_add_covered(text, facts, &link->init_from);
    return;
  }
  sw_sentence_add(text, ", but our answers do not reach it");
  if (endpoint && sw_outcome_failed(facts, endpoint)) {
    sw_sentence_add(text, ": ");
    sw_outcome_add_cause(text, facts, endpoint);
  } else {
    sw_sentence_add(text, " ");
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
    [SW_OUTCOME_SILENT] = SW_CONDITION_SILENT,
    [SW_OUTCOME_COVERED] = SW_CONDITION_COVERED,
    [SW_OUTCOME_UNREACHABLE] = SW_CONDITION_UNREACHABLE,
    [SW_OUTCOME_REJECTED] = SW_CONDITION_UNREACHABLE,
    [SW_OUTCOME_REFUSED] = SW_CONDITION_REFUSED,
};

static void set(struct sw_report *report, enum sw_condition condition,
                const struct sw_address *endpoint) {
  report->condition = condition;
  if (endpoint) report->endpoint = *endpoint;
}

static void add_server(struct sw_report *report, const struct sw_facts *facts) {
  if (!facts->server.port) {
    set(report, SW_CONDITION_UNRESOLVED, NULL);
    sw_sentence_add(report->text, " (is the name right? does DNS work here?)");
    return;
  }
  set(report, SW_CONDITION_NAME_SERVER, NULL);
  sw_sentence_add(report->text, ": the name server ");
  sw_sentence_add_ip(report->text, &facts->server);
  sw_sentence_add(
      report->text,
      " is reached through this link, which is down (make a route to it that does not lead into "
      "the link, use another name server, or write an address as Endpoint)");
}

/* Diagnoses from names and the outcomes of the tries.  Returns false if they show nothing yet. */
static bool diagnose_endpoints(const struct sw_facts *facts, struct sw_report *report) {
  const struct sw_link_status *link = facts->link;
  const struct sw_outcomes outcomes = sw_outcomes_select(facts);
  const enum sw_outcome most =
      outcomes.count ? sw_outcome_of(facts, outcomes.endpoints[0]) : SW_OUTCOME_PENDING;
  char peer[PEER_TEXT];
  if (facts->unresolved[0]) {
    sw_sentence_add(report->text, "%s", facts->unresolved);
    add_server(report, facts);
    if (outcomes.count) sw_sentence_add(report->text, "; ");
    sw_outcomes_add(report->text, facts, &outcomes);
    return true;
  }
  if (most <= SW_OUTCOME_SILENT && closed(facts)) {
    set(report, SW_CONDITION_CLOSED, &link->peer);
    sw_sentence_add(report->text, "%s closed the link in order; waiting for it to come back",
                    peer_text(facts, peer));
    return true;
  }
  if (most == SW_OUTCOME_PENDING) return false;
  if (most == SW_OUTCOME_SILENT && init_without_session(facts))
    return false; /* our answer is on its way */
  if (most == SW_OUTCOME_SILENT && report->heard_since) {
    /* a way that has just come back may not have carried one of our tries yet */
    if (facts->now - report->heard_since < SW_OUTCOME_ROUND) return false;
    set(report, SW_CONDITION_ONE_WAY, &outcomes.endpoints[0]->address);
    sw_sentence_add(report->text, "datagrams of the peer arrive, but ours do not reach %s ",
                    sw_address_text(&outcomes.endpoints[0]->address, peer));
    add_firewall(report->text, facts);
    return true;
  }
  set(report, conditions[most], &outcomes.endpoints[0]->address);
  if (most == SW_OUTCOME_SILENT &&
      sw_outcome_of(facts, outcomes.endpoints[outcomes.count - 1]) == SW_OUTCOME_SILENT) {
    sw_outcomes_add_silence(report->text, facts, &outcomes);
  } else {
    if (outcomes.count > 1) sw_sentence_add(report->text, "no endpoint answers: ");
    sw_outcomes_add(report->text, facts, &outcomes);
  }
  if (most == SW_OUTCOME_SILENT && explains(facts, link->stranger_time)) {
    sw_sentence_add(report->text, "; ");
    add_stranger(report->text, facts);
  }
  return true;
}

/* Nothing was tried, or it is too early to judge. */
static void diagnose_start(const struct sw_facts *facts, struct sw_report *report) {
  const struct sw_link_status *link = facts->link;
  char peer[PEER_TEXT];
  if (link->state == SW_LINK_WAITING && facts->config->endpoint_count) {
    sw_sentence_add(report->text, "resolving %s", facts->config->endpoints[0].host);
  } else if (link->state != SW_LINK_WAITING) {
    sw_sentence_add(report->text, "connecting to %s", peer_text(facts, peer));
  } else if (explains(facts, link->stranger_time)) {
    set(report, SW_CONDITION_STRANGER, &link->stranger);
    add_stranger(report->text, facts);
  } else {
    set(report, SW_CONDITION_WAITING, NULL);
    sw_sentence_add(report->text,
                    "waiting on UDP port %u for the peer to start: no Endpoint is configured",
                    facts->port);
  }
}

/* ---- any link ---- */

static void diagnose_up(const struct sw_facts *facts, struct sw_report *report,
                        const struct sw_report *before) {
  char peer[PEER_TEXT];
  set(report, SW_CONDITION_UP, &facts->link->peer);
  sw_sentence_add(report->text, "up with %s", peer_text(facts, peer));
  sw_degradation_add(report, facts, before);
}

static void diagnose(const struct sw_facts *facts, struct sw_report *report,
                     const struct sw_report *before) {
  const struct sw_link_status *link = facts->link;
  char *const text = report->text;
  char address[SW_ADDRESS_TEXT], peer[PEER_TEXT];
  if (facts->interface_down) {
    set(report, SW_CONDITION_INTERFACE_DOWN, NULL);
    sw_sentence_add(text, "the interface is down: no packet passes (ip link set %s up)",
                    facts->config->name);
  } else if (link->state == SW_LINK_UP) {
    diagnose_up(facts, report, before);
  } else if (explains(facts, link->version_time)) {
    set(report, SW_CONDITION_VERSION, &link->peer);
    sw_sentence_add(text, "%s speaks protocol version %u, this side 1 (upgrade the older side)",
                    peer_text(facts, peer), link->version);
  } else if (explains(facts, link->foreign_time)) {
    set(report, SW_CONDITION_FOREIGN, &link->foreign);
    sw_sentence_add(
        text,
        "datagrams arrive from %s that our key does not open: the other side has another key, or "
        "has not noticed yet that this one restarted (our key's fingerprint is %s; compare it with "
        "that of the other side)",
        sw_address_text(&link->foreign, address), link->fingerprint);
  } else if (one_way(facts)) {
    set(report,
        sw_outcome_covered(facts->config, &link->init_from) ? SW_CONDITION_COVERED
                                                            : SW_CONDITION_ONE_WAY,
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
  if (up) return sw_degradation_lasts(facts, before);
  return is_fault(before->condition) && !is_degraded(before->condition) &&
         sw_facts_within(facts, before->observed, SW_OUTCOME_ROUND);
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
                             .loss = before->loss};
  sw_loss_count(&report.loss, facts);
  if (heard(facts) && facts->link->state != SW_LINK_UP)
    report.heard_since = before->heard_since ? before->heard_since : facts->now;
  diagnose(facts, &report, before);
  if (same(&report, before)) {
    report.since = before->since;
  } else if (lasts(facts, before, report.condition)) {
    const struct sw_report observed = report;
    report = *before;
    report.loss = observed.loss;
    report.heard_since = observed.heard_since;
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

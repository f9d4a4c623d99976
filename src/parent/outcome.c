#include "parent/outcome.h"

#include <errno.h>
#include <string.h>

static const struct {
  int error;
  enum sw_outcome outcome;
  const char *fix;
  bool route; /* the fix ends with the command that shows the route */
} errors[] = {
    {ECONNREFUSED, SW_OUTCOME_REFUSED, "is saltway up on it? is the port right?", false},
    {ENETUNREACH, SW_OUTCOME_UNREACHABLE, "is there a route to it?", true},
    {EHOSTUNREACH, SW_OUTCOME_UNREACHABLE, "is the host up? is there a route to it?", true},
    {EHOSTDOWN, SW_OUTCOME_UNREACHABLE, "is the host up? is there a route to it?", true},
    {ENETDOWN, SW_OUTCOME_UNREACHABLE, "is the interface that leads to it up?", true},
    {EADDRNOTAVAIL, SW_OUTCOME_UNREACHABLE,
     "has this machine an address of that family? ip address", false},
    {EAFNOSUPPORT, SW_OUTCOME_UNREACHABLE, "is IPv6 off on this machine?", false},
    {ENODEV, SW_OUTCOME_UNREACHABLE, "is the interface after the % there? ip link", false},
    {EPERM, SW_OUTCOME_REJECTED, "does a firewall on this machine drop it? nft list ruleset",
     false},
    {EACCES, SW_OUTCOME_REJECTED,
     "does a route or a firewall prohibit it? is it a broadcast address?", true},
    {EINVAL, SW_OUTCOME_REJECTED,
     "does a blackhole route lead to it? has a link-local address its %interface?", true},
    {EMSGSIZE, SW_OUTCOME_REJECTED,
     "an interface on the way has a small MTU: raise it, or set a lower MTU in the configuration",
     false},
    {ENOBUFS, SW_OUTCOME_REJECTED,
     "the queue of the interface that leads to it is full, or memory is short: ip -s link", false},
};
enum { ERRORS = sizeof(errors) / sizeof(errors[0]) };

static unsigned error_find(int error) {
  unsigned i = 0;
  while (i < ERRORS && errors[i].error != error) i++;
  return i;
}

/* ---- what was observed ---- */

bool sw_outcome_failed(const struct sw_facts *facts, const struct sw_endpoint_status *endpoint) {
  return endpoint->error && endpoint->error_time > endpoint->answer_time &&
         sw_facts_within(facts, endpoint->error_time, SW_OUTCOME_ROUND);
}

/* Whether every endpoint was tried, and one of them twice. */
static bool tried(const struct sw_link_status *link) {
  return link->state == SW_LINK_SILENT || link->attempts >= link->endpoint_count + 2;
}

bool sw_outcome_covered(const struct sw_config *config, const struct sw_address *endpoint) {
  if (config->table_kind != SW_CONFIG_TABLE_AUTO || config->fwmark || config->netns[0])
    return false;
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (!sw_config_is_all(&config->allowed_ips[i]) && /* its rules let the link's datagrams out */
        sw_prefix_contains(&config->allowed_ips[i], endpoint->ip))
      return true;
  return false;
}

enum sw_outcome sw_outcome_of(const struct sw_facts *facts,
                              const struct sw_endpoint_status *endpoint) {
  if (sw_outcome_failed(facts, endpoint)) {
    const unsigned i = error_find(endpoint->error);
    return i < ERRORS ? errors[i].outcome : SW_OUTCOME_UNREACHABLE;
  }
  if (!tried(facts->link) || endpoint->attempt_time <= endpoint->answer_time)
    return SW_OUTCOME_PENDING;
  return sw_outcome_covered(facts->config, &endpoint->address) ? SW_OUTCOME_COVERED
                                                               : SW_OUTCOME_SILENT;
}

struct sw_outcomes sw_outcomes_select(const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  struct sw_outcomes outcomes = {.count = 0};
  for (enum sw_outcome outcome = SW_OUTCOME_REFUSED; outcome > SW_OUTCOME_PENDING; outcome--)
    for (unsigned i = 0; i < link->endpoint_count; i++)
      if (sw_outcome_of(facts, &link->endpoints[i]) == outcome)
        outcomes.endpoints[outcomes.count++] = &link->endpoints[i];
  if (outcomes.count < link->endpoint_count && !tried(link)) outcomes.count = 0;
  return outcomes;
}

/* ---- sentences ---- */

static void add_route(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                      const struct sw_address *to) {
  sw_sentence_add(text, "ip route get ");
  sw_sentence_add_ip(text, to);
  if (facts->mark) sw_sentence_add(text, " mark %u", facts->mark);
}

void sw_outcome_add_cause(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                          const struct sw_endpoint_status *endpoint) {
  const unsigned i = error_find(endpoint->error);
  sw_sentence_add(text, "%s (%s", strerror(endpoint->error), i < ERRORS ? errors[i].fix : "see");
  if (i == ERRORS || errors[i].route) {
    sw_sentence_add(text, " ");
    add_route(text, facts, &endpoint->address);
  }
  sw_sentence_add(text, ")");
}

void sw_outcome_add_covered(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                            const struct sw_address *endpoint) {
  sw_sentence_add(text, ", which is within AllowedIPs: without a better route to it (");
  add_route(text, facts, endpoint);
  sw_sentence_add(text,
                  ") the link's own datagrams go into the link; see FwMark in saltway.conf(5)");
}

static void add_endpoint(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                         const struct sw_endpoint_status *endpoint) {
  char address[SW_ADDRESS_TEXT];
  sw_address_text(&endpoint->address, address);
  const enum sw_outcome outcome = sw_outcome_of(facts, endpoint);
  if (outcome == SW_OUTCOME_SILENT) {
    sw_sentence_add(
        text, "%s is silent (is saltway up there, with the same key? does a firewall drop UDP?)",
        address);
  } else if (outcome == SW_OUTCOME_COVERED) {
    sw_sentence_add(text, "no answer from %s", address);
    sw_outcome_add_covered(text, facts, &endpoint->address);
  } else if (outcome == SW_OUTCOME_REFUSED) {
    sw_sentence_add(text, "the host of %s says that nothing listens there (%s)", address,
                    errors[error_find(ECONNREFUSED)].fix);
  } else {
    sw_sentence_add(
        text,
        outcome == SW_OUTCOME_REJECTED ? "cannot send to %s: " : "%s is unreachable: ", address);
    sw_outcome_add_cause(text, facts, endpoint);
  }
}

void sw_outcomes_add(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                     const struct sw_outcomes *outcomes) {
  for (unsigned i = 0; i < outcomes->count && i < SW_OUTCOMES_TOLD; i++) {
    if (i > 0) sw_sentence_add(text, "; ");
    add_endpoint(text, facts, outcomes->endpoints[i]);
  }
  if (outcomes->count > SW_OUTCOMES_TOLD)
    sw_sentence_add(text, "; and %u more", outcomes->count - SW_OUTCOMES_TOLD);
}

static void add_names(char text[SW_SENTENCE_TEXT], const struct sw_outcomes *outcomes) {
  char address[SW_ADDRESS_TEXT];
  for (unsigned i = 0; i < outcomes->count && i < SW_OUTCOMES_TOLD; i++)
    sw_sentence_add(text, "%s%s", i > 0 ? ", " : "",
                    sw_address_text(&outcomes->endpoints[i]->address, address));
  if (outcomes->count > SW_OUTCOMES_TOLD)
    sw_sentence_add(text, " and %u more", outcomes->count - SW_OUTCOMES_TOLD);
}

void sw_outcomes_add_silence(char text[SW_SENTENCE_TEXT], const struct sw_facts *facts,
                             const struct sw_outcomes *outcomes) {
  sw_sentence_add(text, "no answer from ");
  add_names(text, outcomes);
  sw_sentence_add(
      text,
      ": nothing arrives at all (is saltway up there, with the same key? our key's fingerprint is "
      "%s; does a firewall let UDP through both ways?)",
      facts->link->fingerprint);
}

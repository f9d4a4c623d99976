#include "parent/report.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool within(const struct sw_report *report, uint64_t time, uint64_t memory) {
  return time && report->now - time < memory;
}

/* A try failed, and the peer was not heard since. */
static bool try_failed(const struct sw_report *report, uint64_t time) {
  return within(report, time, SW_REPORT_MEMORY_OF_TRY) && time >= report->link->received_time;
}

static bool lately(const struct sw_report *report, uint64_t time) {
  return within(report, time, SW_REPORT_MEMORY);
}

static uint64_t refused_time(const struct sw_link_status *link) {
  uint64_t latest = 0;
  for (uint32_t i = 0; i < link->endpoint_count; i++) {
    const struct sw_endpoint_status *endpoint = &link->endpoints[i];
    if (endpoint->error == ECONNREFUSED && endpoint->error_time > latest)
      latest = endpoint->error_time;
  }
  return latest;
}

static bool foreign_is_latest(const struct sw_link_status *link) {
  return link->foreign_time >= link->stranger_time;
}

static uint64_t foreign_time(const struct sw_link_status *link) {
  return foreign_is_latest(link) ? link->foreign_time : link->stranger_time;
}

/* The condition of a link without a session that works: the most telling of what was observed. */
static enum sw_condition fault(const struct sw_report *report) {
  const struct sw_link_status *link = report->link;
  if (lately(report, link->version_time)) return SW_CONDITION_VERSION;
  if (lately(report, foreign_time(link)) && foreign_time(link) > link->received_time)
    return SW_CONDITION_FOREIGN; /* noise while the peer was heard means nothing */
  if (report->unresolved[0]) return SW_CONDITION_UNRESOLVED;
  if (try_failed(report, refused_time(link))) return SW_CONDITION_REFUSED;
  if (try_failed(report, report->unreachable_time)) return SW_CONDITION_UNREACHABLE;
  if (lately(report, link->closed_time)) return SW_CONDITION_CLOSED;
  if (link->state == SW_LINK_WAITING && !report->config->endpoint_count)
    return SW_CONDITION_WAITING;
  if (link->state == SW_LINK_SILENT || link->attempts >= 3) return SW_CONDITION_SILENT;
  return SW_CONDITION_STARTING;
}

static const char *peer_text(const struct sw_report *report, char text[SW_ADDRESS_TEXT + 300]) {
  const struct sw_config *config = report->config;
  if (report->link->peer.port)
    sw_address_text(&report->link->peer, text);
  else if (config->endpoint_count)
    snprintf(text, SW_ADDRESS_TEXT + 300, "%s port %u", config->endpoints[0].host,
             config->endpoints[0].port);
  else
    snprintf(text, SW_ADDRESS_TEXT + 300, "the peer");
  return text;
}

static void say(enum sw_condition condition, const struct sw_report *report,
                char text[SW_REPORT_TEXT]) {
  const struct sw_link_status *link = report->link;
  char peer[SW_ADDRESS_TEXT + 300], foreign[SW_ADDRESS_TEXT];
  peer_text(report, peer);
  switch (condition) {
  case SW_CONDITION_UP:
    snprintf(text, SW_REPORT_TEXT, "up with %s", peer);
    break;
  case SW_CONDITION_STARTING:
    snprintf(text, SW_REPORT_TEXT, "connecting to %s", peer);
    break;
  case SW_CONDITION_WAITING:
    snprintf(text, SW_REPORT_TEXT,
             "waiting on UDP port %u for the peer to start: no Endpoint is configured",
             report->port);
    break;
  case SW_CONDITION_UNRESOLVED:
    snprintf(text, SW_REPORT_TEXT, "%s (is the name right? does DNS work here?)",
             report->unresolved);
    break;
  case SW_CONDITION_VERSION:
    snprintf(text, SW_REPORT_TEXT,
             "the peer speaks protocol version %u, this side 1 (upgrade the older side)",
             link->version);
    break;
  case SW_CONDITION_FOREIGN:
    snprintf(text, SW_REPORT_TEXT,
             "datagrams arrive from %s that our key does not open: the other side has another "
             "key, or has not noticed yet that this one restarted (our key's fingerprint is %s; "
             "compare it with that of the other side)",
             sw_address_text(foreign_is_latest(link) ? &link->foreign : &link->stranger, foreign),
             link->fingerprint);
    break;
  case SW_CONDITION_CLOSED:
    snprintf(text, SW_REPORT_TEXT, "%s closed the link in order; waiting for it to come back",
             peer);
    break;
  case SW_CONDITION_REFUSED:
    snprintf(text, SW_REPORT_TEXT,
             "the host of %s says that nothing listens there (is saltway up on it? is the port "
             "right?)",
             peer);
    break;
  case SW_CONDITION_UNREACHABLE:
    snprintf(text, SW_REPORT_TEXT, "%s is unreachable: %s (%s)", peer,
             strerror(report->unreachable),
             report->unreachable == EPERM || report->unreachable == EACCES
                 ? "does a firewall on this machine drop it?"
                 : "is there a route to it? ip route get tells");
    break;
  case SW_CONDITION_SILENT:
    if (report->covered)
      snprintf(text, SW_REPORT_TEXT,
               "no answer from %s, which is within AllowedIPs: without a better route to it (ip "
               "route get tells) the link's own datagrams go into the link; see FwMark in "
               "saltway.conf(5)",
               peer);
    else
      snprintf(text, SW_REPORT_TEXT,
               "no answer from %s: nothing arrives at all (is saltway up there, with the same key? "
               "our key's fingerprint is %s; does a firewall let UDP through both ways?)",
               peer, link->fingerprint);
    break;
  }
}

enum sw_condition sw_report_condition(const struct sw_report *report, char text[SW_REPORT_TEXT]) {
  const enum sw_condition condition =
      report->link->state == SW_LINK_UP ? SW_CONDITION_UP : fault(report);
  say(condition, report, text);
  return condition;
}

static const char *state_name(enum sw_link_state state) {
  switch (state) {
  case SW_LINK_WAITING:
    return "waiting";
  case SW_LINK_CONNECTING:
    return "connecting";
  case SW_LINK_UP:
    return "up";
  case SW_LINK_SILENT:
    return "silent";
  case SW_LINK_CLOSED:
    return "closed";
  }
  return "unknown";
}

/* Seconds since `time`, or null for never. */
static json_t *ago(const struct sw_report *report, uint64_t time) {
  return time ? json_real((double)(report->now - time) / (double)SW_SECOND) : json_null();
}

static json_t *integer(uint64_t value) {
  return json_integer((json_int_t)value);
}

static json_t *drops_json(const struct sw_link_status *link) {
  json_t *drops = json_object();
  for (unsigned i = 0; i < SW_DROP_COUNT; i++)
    json_object_set_new(drops, sw_drop_name(i), integer(link->drops[i]));
  return drops;
}

static json_t *prefixes_json(const struct sw_prefix *prefixes, size_t count) {
  json_t *list = json_array();
  char text[SW_PREFIX_TEXT];
  for (size_t i = 0; i < count; i++)
    json_array_append_new(list, json_string(sw_prefix_text(&prefixes[i], text)));
  return list;
}

char *sw_report_json(const struct sw_report *report) {
  const struct sw_link_status *link = report->link;
  const struct sw_config *config = report->config;
  char text[SW_REPORT_TEXT], address[SW_ADDRESS_TEXT];
  sw_report_condition(report, text);
  json_t *root = json_object();
  json_object_set_new(root, "name", json_string(config->name));
  json_object_set_new(root, "state", json_string(state_name(link->state)));
  json_object_set_new(root, "condition", json_string(text));
  json_object_set_new(root, "fingerprint", json_string(link->fingerprint));
  json_object_set_new(root, "pid", integer((uint64_t)getpid()));
  json_object_set_new(root, "engine_pid", integer((uint64_t)report->engine));
  json_object_set_new(root, "sandbox", json_string(report->confined ? "on" : "off"));
  json_object_set_new(root, "uptime", ago(report, report->started));
  json_object_set_new(root, "port", integer(report->port));
  json_object_set_new(root, "mtu", integer(report->interface_mtu));
  json_object_set_new(root, "endpoint",
                      link->peer.port ? json_string(sw_address_text(&link->peer, address))
                                      : json_null());
  json_object_set_new(root, "addresses", prefixes_json(config->addresses, config->address_count));
  json_object_set_new(root, "allowed_ips",
                      prefixes_json(config->allowed_ips, config->allowed_ip_count));
  json_object_set_new(root, "last_handshake", ago(report, link->handshake_time));
  json_object_set_new(root, "last_received", ago(report, link->received_time));
  json_object_set_new(root, "last_sent", ago(report, link->sent_time));
  json_object_set_new(root, "handshakes", integer(link->handshakes));
  json_object_set_new(root, "attempts", integer(link->attempts));
  json_object_set_new(root, "cookies_sent", integer(link->cookies_sent));
  json_object_set_new(root, "rtt_ms", link->rtt ? json_real((double)link->rtt / 1e6) : json_null());
  json_object_set_new(root, "probes_sent", integer(link->probes_sent));
  json_object_set_new(root, "probes_lost", integer(link->probes_lost));
  json_object_set_new(root, "packets_in", integer(link->packets_in));
  json_object_set_new(root, "packets_out", integer(link->packets_out));
  json_object_set_new(root, "bytes_in", integer(link->bytes_in));
  json_object_set_new(root, "bytes_out", integer(link->bytes_out));
  json_object_set_new(root, "drops", drops_json(link));
  char *line = json_dumps(root, JSON_COMPACT);
  json_decref(root);
  return line;
}

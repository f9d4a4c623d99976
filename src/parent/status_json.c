#include "parent/status_json.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "parent/report.h"

/* Seconds since `time`, or null for never. */
static json_t *age(const struct sw_facts *facts, uint64_t time) {
  return time ? json_real((double)(facts->now - time) / (double)SW_SECOND) : json_null();
}

static json_t *integer(uint64_t value) {
  return json_integer((json_int_t)value);
}

static json_t *address_json(const struct sw_address *address) {
  char text[SW_ADDRESS_TEXT];
  return address->port ? json_string(sw_address_text(address, text)) : json_null();
}

static json_t *prefixes_json(const struct sw_prefix *prefixes, size_t count) {
  json_t *list = json_array();
  char text[SW_PREFIX_TEXT];
  for (size_t i = 0; i < count; i++)
    json_array_append_new(list, json_string(sw_prefix_text(&prefixes[i], text)));
  return list;
}

static json_t *endpoints_json(const struct sw_facts *facts) {
  json_t *list = json_array();
  for (unsigned i = 0; i < facts->link->endpoint_count; i++) {
    const struct sw_endpoint_status *endpoint = &facts->link->endpoints[i];
    json_t *object = json_object();
    json_object_set_new(object, "address", address_json(&endpoint->address));
    json_object_set_new(object, "last_attempt", age(facts, endpoint->attempt_time));
    json_object_set_new(object, "last_answer", age(facts, endpoint->answer_time));
    json_object_set_new(object, "last_error", age(facts, endpoint->error_time));
    json_object_set_new(object, "error",
                        endpoint->error ? json_string(strerror(endpoint->error)) : json_null());
    json_array_append_new(list, object);
  }
  return list;
}

static json_t *local_json(const uint8_t ip[SW_IP_BYTES]) {
  static const uint8_t any[SW_IP_BYTES];
  struct sw_prefix prefix = {.length = 128};
  char text[SW_PREFIX_TEXT];
  if (memcmp(ip, any, SW_IP_BYTES) == 0) return json_null();
  memcpy(prefix.ip, ip, SW_IP_BYTES);
  sw_prefix_text(&prefix, text);
  return json_stringn(text, strcspn(text, "/"));
}

static json_t *rtt_json(uint64_t rtt) {
  return rtt ? json_real((double)rtt / 1e6) : json_null();
}

static json_t *paths_json(const struct sw_facts *facts) {
  json_t *list = json_array();
  for (unsigned i = 0; i < facts->link->path_count; i++) {
    const struct sw_path_status *path = &facts->link->paths[i];
    json_t *object = json_object();
    json_object_set_new(object, "address", address_json(&path->path.peer));
    json_object_set_new(object, "local", local_json(path->path.local));
    json_object_set_new(object, "active", json_boolean(path->active));
    json_object_set_new(object, "configured", json_boolean(path->configured));
    json_object_set_new(object, "rtt_ms", rtt_json(path->rtt));
    json_object_set_new(object, "probes_sent", integer(path->probes_sent));
    json_object_set_new(object, "probes_lost", integer(path->probes_lost));
    json_object_set_new(object, "mtu", path->mtu ? integer(path->mtu) : json_null());
    json_object_set_new(object, "last_answer", age(facts, path->answer_time));
    json_array_append_new(list, object);
  }
  return list;
}

static json_t *fingerprints_json(const struct sw_running *running) {
  json_t *list = json_array();
  for (unsigned i = 0; i < SW_PSKS_MAX; i++)
    if (running->fingerprints[i][0])
      json_array_append_new(list, json_string(running->fingerprints[i]));
  return list;
}

/* Bits per second, or null before the first measurement. */
static json_t *rate_json(const struct sw_rates *rates, double bytes) {
  return rates->measured ? json_real(8 * bytes) : json_null();
}

static json_t *drops_json(const struct sw_link_status *link) {
  json_t *drops = json_object();
  for (unsigned i = 0; i < SW_DROP_COUNT; i++)
    json_object_set_new(drops, sw_drop_name(i), integer(link->drops[i]));
  return drops;
}

char *sw_status_json(const struct sw_facts *facts, const struct sw_report *report,
                     const struct sw_running *running) {
  const struct sw_link_status *link = facts->link;
  const struct sw_config *config = facts->config;
  json_t *root = json_object();
  json_object_set_new(root, "name", json_string(config->name));
  json_object_set_new(root, "state", json_string(sw_state_name(report->state)));
  json_object_set_new(root, "state_since", age(facts, report->state_since));
  json_object_set_new(root, "reason", json_string(sw_condition_name(report->condition)));
  json_object_set_new(root, "condition", json_string(report->text));
  json_object_set_new(root, "about", address_json(&report->endpoint));
  json_object_set_new(root, "since", age(facts, report->since));
  json_object_set_new(root, "fingerprint", json_string(link->fingerprint));
  json_object_set_new(root, "fingerprints", fingerprints_json(running));
  json_t *file = json_string(config->file); /* NULL if it is not UTF-8 */
  json_object_set_new(root, "file", file ? file : json_null());
  json_object_set_new(root, "file_modified", json_real((double)config->modified / 1e9));
  json_object_set_new(root, "pid", integer((uint64_t)getpid()));
  json_object_set_new(root, "engine_pid", integer((uint64_t)running->engine));
  json_object_set_new(root, "sandbox", json_string(running->confined ? "on" : "off"));
  json_object_set_new(root, "uptime", age(facts, running->started));
  json_object_set_new(root, "port", integer(facts->port));
  json_object_set_new(root, "mtu", integer(running->mtu));
  json_object_set_new(root, "path_mtu", integer(link->path_mtu));
  json_object_set_new(root, "fragments", json_boolean(link->fragments));
  json_object_set_new(root, "endpoint", address_json(&link->peer));
  json_object_set_new(root, "endpoints", endpoints_json(facts));
  json_object_set_new(root, "paths", paths_json(facts));
  json_object_set_new(root, "addresses", prefixes_json(config->addresses, config->address_count));
  json_object_set_new(root, "allowed_ips",
                      prefixes_json(config->allowed_ips, config->allowed_ip_count));
  json_object_set_new(root, "last_handshake", age(facts, link->handshake_time));
  json_object_set_new(root, "last_received", age(facts, link->received_time));
  json_object_set_new(root, "last_sent", age(facts, link->sent_time));
  json_object_set_new(root, "handshakes", integer(link->handshakes));
  json_object_set_new(root, "attempts", integer(link->attempts));
  json_object_set_new(root, "cookies_sent", integer(link->cookies_sent));
  json_object_set_new(root, "rtt_ms", rtt_json(link->rtt));
  json_object_set_new(root, "probes_sent", integer(link->probes_sent));
  json_object_set_new(root, "probes_lost", integer(link->probes_lost));
  json_object_set_new(root, "datagrams_in", integer(link->datagrams_in));
  json_object_set_new(root, "datagrams_lost", integer(link->datagrams_lost));
  json_object_set_new(root, "packets_in", integer(link->packets_in));
  json_object_set_new(root, "packets_out", integer(link->packets_out));
  json_object_set_new(root, "bytes_in", integer(link->bytes_in));
  json_object_set_new(root, "bytes_out", integer(link->bytes_out));
  json_object_set_new(root, "rate_in", rate_json(&running->rates, running->rates.in));
  json_object_set_new(root, "rate_out", rate_json(&running->rates, running->rates.out));
  json_object_set_new(root, "bandwidth",
                      config->bandwidth ? integer(config->bandwidth) : json_null());
  json_object_set_new(root, "queue_bytes", integer(facts->queue->bytes));
  json_object_set_new(root, "queue_ms", json_real((double)facts->queue->time / 1e6));
  json_object_set_new(root, "marked", integer(facts->queue->marked));
  json_object_set_new(root, "drops", drops_json(link));
  char *line = json_dumps(root, JSON_COMPACT);
  json_decref(root);
  return line;
}

#include "cli/status_metrics.h"

#include <stdbool.h>
#include <string.h>

#include "cli/status_text.h"
#include "saltway/drop.h"

static void print_escaped(FILE *out, const char *text) {
  for (; *text; text++)
    if (*text == '\n')
      fputs("\\n", out);
    else
      fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
}

static void print_label(FILE *out, const char *separator, const char *name, const char *value) {
  fprintf(out, "%s%s=\"", separator, name);
  print_escaped(out, value ? value : "");
  fputc('"', out);
}

/* What the samples of a metric are about. */
enum subject { OF_LINK, OF_STATE, OF_PATH, OF_DROP };

struct metric {
  const char *name, *unit; /* the unit is the name's end; "": none */
  bool counter;
  enum subject subject;
  const char *key; /* in the JSON object; NULL: whether packets pass; OF_STATE: a state */
  double factor;   /* from the JSON's unit to the metric's */
  const char *help;
};

static const struct metric metrics[] = {
    {"saltway_up", "", false, OF_LINK, NULL, 1, "Whether packets pass."},
    {"saltway_degraded", "", false, OF_STATE, "degraded", 1,
     "Whether packets pass, and something is wrong."},
    {"saltway_uptime_seconds", "seconds", false, OF_LINK, "uptime", 1, "Since the link started."},
    {"saltway_state_seconds", "seconds", false, OF_LINK, "state_since", 1, "Age of the state."},
    {"saltway_last_handshake_seconds", "seconds", false, OF_LINK, "last_handshake", 1,
     "Since the session in use was agreed on."},
    {"saltway_last_received_seconds", "seconds", false, OF_LINK, "last_received", 1,
     "Since anything authentic arrived."},
    {"saltway_round_trip_seconds", "seconds", false, OF_LINK, "rtt_ms", 1e-3,
     "Smoothed round-trip time."},
    {"saltway_mtu_bytes", "bytes", false, OF_LINK, "mtu", 1, "MTU of the interface."},
    {"saltway_handshakes", "", true, OF_LINK, "handshakes", 1, "Sessions agreed on."},
    {"saltway_cookies", "", true, OF_LINK, "cookies_sent", 1, "Handshakes answered by a cookie."},
    {"saltway_probes", "", true, OF_LINK, "probes_sent", 1, "Probes of the path in use."},
    {"saltway_probes_lost", "", true, OF_LINK, "probes_lost", 1, "Probes not answered in time."},
    {"saltway_received_datagrams", "", true, OF_LINK, "datagrams_in", 1, "Datagrams of the peer."},
    {"saltway_lost_datagrams", "", false, OF_LINK, "datagrams_lost", 1,
     "Datagrams that the peer has sent and that have not come."},
    {"saltway_received_packets", "", true, OF_LINK, "packets_in", 1, "Inner packets received."},
    {"saltway_received_bytes", "bytes", true, OF_LINK, "bytes_in", 1, "Bytes of inner packets."},
    {"saltway_sent_packets", "", true, OF_LINK, "packets_out", 1, "Inner packets sent."},
    {"saltway_sent_bytes", "bytes", true, OF_LINK, "bytes_out", 1, "Bytes of inner packets."},
    {"saltway_queue_bytes", "bytes", false, OF_LINK, "queue_bytes", 1,
     "Bytes that wait to be sent."},
    {"saltway_queue_seconds", "seconds", false, OF_LINK, "queue_ms", 1e-3,
     "Time that sending them takes."},
    {"saltway_marked", "", true, OF_LINK, "marked", 1, "Packets marked in the queue (ECN)."},
    {"saltway_dropped", "", true, OF_DROP, NULL, 1, "Packets and datagrams dropped, by reason."},
    {"saltway_path_active", "", false, OF_PATH, "active", 1, "Whether packets are sent on it."},
    {"saltway_path_round_trip_seconds", "seconds", false, OF_PATH, "rtt_ms", 1e-3,
     "Smoothed round-trip time."},
    {"saltway_path_mtu_bytes", "bytes", false, OF_PATH, "mtu", 1, "Longest packet found to pass."},
    {"saltway_path_probes", "", true, OF_PATH, "probes_sent", 1, "Probes of this path."},
    {"saltway_path_probes_lost", "", true, OF_PATH, "probes_lost", 1,
     "Probes not answered in time."},
};

static const char *string_of(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

static void print_name(FILE *out, const struct metric *metric, const json_t *link) {
  fprintf(out, "%s%s", metric->name, metric->counter ? "_total" : "");
  print_label(out, "{", "name", string_of(link, "name"));
}

static void print_value(FILE *out, const struct metric *metric, const json_t *value) {
  if (json_is_integer(value) && metric->factor == 1)
    fprintf(out, "} %lld\n", (long long)json_integer_value(value));
  else if (json_is_boolean(value))
    fprintf(out, "} %d\n", json_is_true(value));
  else
    fprintf(out, "} %.9g\n", metric->factor * json_number_value(value));
}

static void print_link(FILE *out, const struct metric *metric, const json_t *link) {
  const json_t *value = metric->key ? json_object_get(link, metric->key) : NULL;
  if (metric->key && (!value || json_is_null(value))) return; /* not known */
  print_name(out, metric, link);
  if (value)
    print_value(out, metric, value);
  else
    fprintf(out, "} %d\n", sw_status_is_up(link));
}

static void print_state(FILE *out, const struct metric *metric, const json_t *link) {
  const char *state = string_of(link, "state");
  print_name(out, metric, link);
  fprintf(out, "} %d\n", state && strcmp(state, metric->key) == 0);
}

static void print_paths(FILE *out, const struct metric *metric, const json_t *link) {
  const json_t *paths = json_object_get(link, "paths");
  for (size_t i = 0; i < json_array_size(paths); i++) {
    const json_t *path = json_array_get(paths, i), *value = json_object_get(path, metric->key);
    if (!value || json_is_null(value)) continue;
    print_name(out, metric, link);
    print_label(out, ",", "address", string_of(path, "address"));
    print_label(out, ",", "local", string_of(path, "local"));
    print_value(out, metric, value);
  }
}

static void print_drops(FILE *out, const struct metric *metric, const json_t *link) {
  const json_t *drops = json_object_get(link, "drops");
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    print_name(out, metric, link);
    print_label(out, ",", "reason", sw_drop_name(i));
    print_value(out, metric, json_object_get(drops, sw_drop_name(i)));
  }
}

void sw_status_metrics(FILE *out, const json_t *links) {
  static void (*const print[])(FILE *, const struct metric *,
                               const json_t *) = {[OF_LINK] = print_link,
                                                  [OF_STATE] = print_state,
                                                  [OF_PATH] = print_paths,
                                                  [OF_DROP] = print_drops};
  for (unsigned i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++) {
    const struct metric *metric = &metrics[i];
    fprintf(out, "# TYPE %s %s\n", metric->name, metric->counter ? "counter" : "gauge");
    if (metric->unit[0]) fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
    fprintf(out, "# HELP %s %s\n", metric->name, metric->help);
    for (size_t j = 0; j < json_array_size(links); j++)
      print[metric->subject](out, metric, json_array_get(links, j));
  }
  fprintf(out, "# EOF\n");
}

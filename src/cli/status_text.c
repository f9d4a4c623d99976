#include "cli/status_text.h"

#include <string.h>

#include "cli/units.h"
#include "saltway/drop.h"

#define BOLD "\033[1m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED "\033[31m"
#define PLAIN "\033[0m"

#define FEW_DATAGRAMS 1000

struct page {
  FILE *out;
  bool colour;
};

static const char *string_of(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

static long long integer_of(const json_t *object, const char *key) {
  return json_integer_value(json_object_get(object, key));
}

static const char *paint(const struct page *page, const char *colour) {
  return page->colour ? colour : "";
}

static void label(const struct page *page, const char *indent, const char *text) {
  fprintf(page->out, "%s%s%s:%s ", indent, paint(page, BOLD), text, paint(page, PLAIN));
}

static const char *colour_of(const json_t *link) {
  const char *state = string_of(link, "state");
  if (strcmp(state, "up") == 0) return GREEN;
  const bool wrong = strcmp(state, "silent") == 0 || strcmp(state, "closed") == 0 ||
                     strcmp(state, "interface down") == 0;
  return wrong ? RED : YELLOW;
}

bool sw_status_is_up(const json_t *link) {
  const char *state = string_of(link, "state");
  return strcmp(state, "up") == 0 || strcmp(state, "degraded") == 0;
}

/* ---- lines ---- */

static void print_state(const struct page *page, const json_t *link) {
  char state[SW_UNITS_TEXT], reason[SW_UNITS_TEXT];
  label(page, "  ", "state");
  fprintf(page->out, "%s%s%s for %s", paint(page, colour_of(link)), string_of(link, "state"),
          paint(page, PLAIN),
          sw_units_duration(json_real_value(json_object_get(link, "state_since")), state));
  fprintf(page->out, " (%s for %s)\n", string_of(link, "reason"),
          sw_units_duration(json_real_value(json_object_get(link, "since")), reason));
}

/* The one in use is marked if there are two. */
static void print_keys(const struct page *page, const json_t *link) {
  const json_t *list = json_object_get(link, "fingerprints");
  const char *used = string_of(link, "fingerprint");
  label(page, "  ", "key fingerprint");
  if (json_array_size(list) == 0) fprintf(page->out, "%s", used);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    const bool mark = text && json_array_size(list) > 1 && strcmp(text, used) == 0;
    fprintf(page->out, "%s%s%s", i ? ", " : "", text ? text : "-", mark ? " (in use)" : "");
  }
  fprintf(page->out, "\n");
}

static void print_list(const struct page *page, const json_t *link, const char *name,
                       const char *key) {
  const json_t *list = json_object_get(link, key);
  if (json_array_size(list) == 0) return;
  label(page, "  ", name);
  for (size_t i = 0; i < json_array_size(list); i++)
    fprintf(page->out, "%s%s", i ? ", " : "", json_string_value(json_array_get(list, i)));
  fprintf(page->out, "\n");
}

static void print_ago(const struct page *page, const json_t *link, const char *name,
                      const char *key) {
  const json_t *value = json_object_get(link, key);
  char text[SW_UNITS_TEXT];
  label(page, "  ", name);
  if (json_is_number(value))
    fprintf(page->out, "%s ago\n", sw_units_duration(json_number_value(value), text));
  else
    fprintf(page->out, "never\n");
}

static void print_traffic(const struct page *page, const json_t *link, const char *name,
                          const char *packets, const char *bytes, const char *rate) {
  const json_t *now = json_object_get(link, rate);
  char text[SW_UNITS_TEXT];
  label(page, "  ", name);
  fprintf(page->out, "%lld packets, %s", integer_of(link, packets),
          sw_units_bytes((double)integer_of(link, bytes), text));
  if (json_is_number(now))
    fprintf(page->out, ", now %s", sw_units_rate(json_number_value(now), text));
  fprintf(page->out, "\n");
}

static void print_share(const struct page *page, long long lost, long long sent, const char *of) {
  if (sent > 0)
    fprintf(page->out, "%.3g %% (%lld of %lld %s)\n", 100.0 * (double)lost / (double)sent, lost,
            sent, of);
  else
    fprintf(page->out, "not measured\n");
}

/* Of few nothing is said: some are probes that are meant to be lost. */
static void print_lost(const struct page *page, const json_t *link) {
  const long long lost = integer_of(link, "datagrams_lost");
  const long long sent = integer_of(link, "datagrams_in") + lost;
  if (sent < FEW_DATAGRAMS) return;
  label(page, "  ", "lost");
  print_share(page, lost, sent, "datagrams of the peer");
}

/* What waits to be sent, and what was marked because it waited too long. */
static void print_queue(const struct page *page, const json_t *link) {
  const long long bytes = integer_of(link, "queue_bytes"), marked = integer_of(link, "marked");
  char text[SW_UNITS_TEXT];
  label(page, "  ", "queue");
  if (bytes == 0)
    fprintf(page->out, "empty");
  else
    fprintf(page->out, "%s, %.1f ms", sw_units_bytes((double)bytes, text),
            json_number_value(json_object_get(link, "queue_ms")));
  if (marked > 0) fprintf(page->out, "; %lld packets marked (ECN)", marked);
  const json_t *bandwidth = json_object_get(link, "bandwidth");
  if (json_is_integer(bandwidth))
    fprintf(page->out, "; limited to %s", sw_units_rate(json_number_value(bandwidth), text));
  fprintf(page->out, "\n");
}

static void print_drops(const struct page *page, const json_t *link) {
  const json_t *drops = json_object_get(link, "drops");
  bool any = false;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const long long count = integer_of(drops, sw_drop_name(i));
    if (count == 0) continue;
    label(page, "  ", "dropped");
    fprintf(page->out, "%lld %s (%s)\n", count, sw_drop_name(i), sw_drop_meaning(i));
    any = true;
  }
  if (any) return;
  label(page, "  ", "dropped");
  fprintf(page->out, "none\n");
}

static void print_path(const struct page *page, const json_t *path) {
  const json_t *rtt = json_object_get(path, "rtt_ms"), *mtu = json_object_get(path, "mtu");
  const long long sent = integer_of(path, "probes_sent"), lost = integer_of(path, "probes_lost");
  fprintf(page->out, "\n");
  label(page, "  ", "path");
  fprintf(page->out, "%s", string_of(path, "address"));
  if (json_is_string(json_object_get(path, "local")))
    fprintf(page->out, " from %s", string_of(path, "local"));
  if (json_is_true(json_object_get(path, "active"))) fprintf(page->out, " (in use)");
  fprintf(page->out, "\n");
  label(page, "    ", "round trip");
  if (json_is_number(rtt))
    fprintf(page->out, "%.3f ms\n", json_number_value(rtt));
  else
    fprintf(page->out, "not measured\n");
  label(page, "    ", "loss");
  print_share(page, lost, sent, "probes");
  label(page, "    ", "mtu");
  if (json_is_integer(mtu))
    fprintf(page->out, "%lld bytes\n", json_integer_value(mtu));
  else
    fprintf(page->out, "not measured\n");
}

/* ---- the page ---- */

void sw_status_headline(FILE *out, const json_t *link, bool colour) {
  const struct page page = {out, colour};
  fprintf(out, "%s%s%s: %s%s%s\n", paint(&page, BOLD), string_of(link, "name"), paint(&page, PLAIN),
          paint(&page, colour_of(link)), string_of(link, "condition"), paint(&page, PLAIN));
}

void sw_status_text(FILE *out, const json_t *link, bool colour) {
  const struct page page = {out, colour};
  char text[SW_UNITS_TEXT];
  sw_status_headline(out, link, colour);
  print_state(&page, link);
  label(&page, "  ", "running for");
  fprintf(out, "%s\n", sw_units_duration(json_number_value(json_object_get(link, "uptime")), text));
  print_keys(&page, link);
  label(&page, "  ", "listening port");
  fprintf(out, "%lld\n", integer_of(link, "port"));
  label(&page, "  ", "mtu");
  fprintf(out, "%lld bytes\n", integer_of(link, "mtu"));
  label(&page, "  ", "sandbox");
  fprintf(out, "%s\n", string_of(link, "sandbox"));
  print_list(&page, link, "addresses", "addresses");
  print_list(&page, link, "allowed ips", "allowed_ips");
  print_ago(&page, link, "latest handshake", "last_handshake");
  print_ago(&page, link, "latest datagram", "last_received");
  print_traffic(&page, link, "received", "packets_in", "bytes_in", "rate_in");
  print_lost(&page, link);
  print_traffic(&page, link, "sent", "packets_out", "bytes_out", "rate_out");
  print_queue(&page, link);
  print_drops(&page, link);
  const json_t *paths = json_object_get(link, "paths");
  for (size_t i = 0; i < json_array_size(paths); i++) print_path(&page, json_array_get(paths, i));
}

#include "cli/test_report.h"

#include <string.h>

#include "cli/units.h"

/* TCP's payload is about nine tenths of what the shaper counts, and it is not always at the limit. */
#define SHAPED 0.75
#define FULL_CORE 900 /* thousandths */
#define FULL_MACHINE 900
#define FULL_WINDOW 500
#define QUEUE_MS 5 /* that a round trip takes longer under load, when a queue is worth a word */

static const char *const kinds[] = {"idle", "sending", "receiving"};
static const char *const limits[] = {[SW_TEST_SHAPER] = "shaper",
                                     [SW_TEST_CIPHER] = "cipher",
                                     [SW_TEST_PROCESSORS] = "processors",
                                     [SW_TEST_RECEIVER] = "receiver",
                                     [SW_TEST_PATH] = "path"};

static const struct sw_test_side *sender(const struct sw_test_stage *stage,
                                         enum sw_test_kind kind) {
  return kind == SW_TEST_SENDING ? &stage->here : &stage->there;
}

static const struct sw_test_side *receiver(const struct sw_test_stage *stage,
                                           enum sw_test_kind kind) {
  return kind == SW_TEST_SENDING ? &stage->there : &stage->here;
}

double sw_test_rate(const struct sw_test_report *report, enum sw_test_kind kind) {
  const struct sw_test_side *side = receiver(&report->stages[kind], kind);
  return side->time ? 8e9 * (double)side->bytes / (double)side->time : 0;
}

/* ---- what limits ---- */

static uint32_t known(uint32_t thousandths) {
  return thousandths == SW_TEST_UNKNOWN ? 0 : thousandths;
}

static const char *path_reason(const struct sw_test_report *report, enum sw_test_kind kind) {
  const struct sw_test_stage *stage = &report->stages[kind], *idle = &report->stages[SW_TEST_IDLE];
  if (stage->median - idle->median >= QUEUE_MS) return "packets wait in a queue under load";
  if (sender(stage, kind)->retransmits > 0) return "segments are lost, and sent again";
  return "neither loss nor a queue was seen: the line itself, or congestion control";
}

enum sw_test_limit sw_test_limit(const struct sw_test_report *report, enum sw_test_kind kind,
                                 char reason[SW_TEST_REASON]) {
  const struct sw_test_stage *stage = &report->stages[kind];
  const struct sw_test_side *here = &stage->here, *there = &stage->there;
  const struct sw_test_side *from = sender(stage, kind);
  const char *side = from == here ? "here" : "there";
  char rate[SW_UNITS_TEXT];
  if (from->bandwidth && sw_test_rate(report, kind) >= SHAPED * (double)from->bandwidth) {
    snprintf(reason, SW_TEST_REASON, "Bandwidth is %s %s",
             sw_units_rate((double)from->bandwidth, rate), side);
    return SW_TEST_SHAPER;
  }
  const bool here_more = known(here->engine) >= known(there->engine);
  const uint32_t engine = known(here_more ? here->engine : there->engine);
  if (engine >= FULL_CORE) {
    snprintf(reason, SW_TEST_REASON, "saltway-engine uses %.0f %% of a core %s", engine / 10.0,
             here_more ? "here" : "there");
    return SW_TEST_CIPHER;
  }
  const bool here_busier = known(here->machine) >= known(there->machine);
  const uint32_t machine = known(here_busier ? here->machine : there->machine);
  if (machine >= FULL_MACHINE) {
    snprintf(reason, SW_TEST_REASON, "all cores are busy %s, saltway-engine uses %.0f %% of one",
             here_busier ? "here" : "there",
             known(here_busier ? here->engine : there->engine) / 10.0);
    return SW_TEST_PROCESSORS;
  }
  if (from->window >= FULL_WINDOW) {
    snprintf(reason, SW_TEST_REASON, "its TCP window was full %.0f %% of the time",
             from->window / 10.0);
    return SW_TEST_RECEIVER;
  }
  snprintf(reason, SW_TEST_REASON, "%s", path_reason(report, kind));
  return SW_TEST_PATH;
}

/* ---- for people ---- */

static void print_probes(FILE *out, const struct sw_test_stage *stage) {
  if (stage->median < 0)
    fprintf(out, "no probe of %u was answered\n", stage->sent);
  else
    fprintf(out, "round trip %.2f ms, worst %.2f ms\n", stage->median, stage->worst);
  fprintf(out, "%14slost of %u probes: %u on the way there, %u on the way back\n", "", stage->sent,
          stage->sent - stage->there.probes, stage->there.probes - stage->here.probes);
}

void sw_test_text(FILE *out, const struct sw_test_report *report) {
  fprintf(out, "%s: with %s, %u s each way\n", report->name, report->peer, report->seconds);
  for (enum sw_test_kind kind = SW_TEST_IDLE; kind <= SW_TEST_RECEIVING; kind++) {
    const struct sw_test_stage *stage = &report->stages[kind];
    char rate[SW_UNITS_TEXT], reason[SW_TEST_REASON];
    fprintf(out, "  %-9s   ", kinds[kind]);
    if (kind != SW_TEST_IDLE) fprintf(out, "%s, ", sw_units_rate(sw_test_rate(report, kind), rate));
    print_probes(out, stage);
    if (kind == SW_TEST_IDLE) continue;
    const enum sw_test_limit limit = sw_test_limit(report, kind, reason);
    fprintf(out, "%14ssegments sent again: %u\n", "", sender(stage, kind)->retransmits);
    fprintf(out, "%14slimit: %s (%s)\n", "", limits[limit], reason);
  }
}

/* ---- for programs ---- */

static json_t *trip(double ms) {
  return ms < 0 ? json_null() : json_real(ms);
}

static json_t *share(uint32_t thousandths) {
  return thousandths == SW_TEST_UNKNOWN ? json_null() : json_real(thousandths / 1000.0);
}

static void add_direction(json_t *object, const struct sw_test_report *report,
                          enum sw_test_kind kind) {
  const struct sw_test_stage *stage = &report->stages[kind];
  const struct sw_test_side *from = sender(stage, kind), *to = receiver(stage, kind);
  char reason[SW_TEST_REASON];
  const enum sw_test_limit limit = sw_test_limit(report, kind, reason);
  json_object_set_new(object, "bits_per_second", json_real(sw_test_rate(report, kind)));
  json_object_set_new(object, "bytes", json_integer((json_int_t)to->bytes));
  json_object_set_new(object, "seconds", json_real((double)to->time / 1e9));
  json_object_set_new(object, "retransmits", json_integer(from->retransmits));
  json_object_set_new(object, "window_limited", share(from->window));
  json_object_set_new(object, "bandwidth",
                      from->bandwidth ? json_integer((json_int_t)from->bandwidth) : json_null());
  json_object_set_new(object, "engine_here", share(stage->here.engine));
  json_object_set_new(object, "engine_there", share(stage->there.engine));
  json_object_set_new(object, "machine_here", share(stage->here.machine));
  json_object_set_new(object, "machine_there", share(stage->there.machine));
  json_object_set_new(object, "limit", json_string(limits[limit]));
  json_object_set_new(object, "reason", json_string(reason));
}

json_t *sw_test_json(const struct sw_test_report *report) {
  json_t *root = json_object();
  json_object_set_new(root, "name", json_string(report->name));
  json_object_set_new(root, "peer", json_string(report->peer));
  for (enum sw_test_kind kind = SW_TEST_IDLE; kind <= SW_TEST_RECEIVING; kind++) {
    const struct sw_test_stage *stage = &report->stages[kind];
    json_t *object = json_object();
    json_object_set_new(object, "rtt_median_ms", trip(stage->median));
    json_object_set_new(object, "rtt_worst_ms", trip(stage->worst));
    json_object_set_new(object, "probes_sent", json_integer(stage->sent));
    json_object_set_new(object, "probes_lost_there",
                        json_integer(stage->sent - stage->there.probes));
    json_object_set_new(object, "probes_lost_back",
                        json_integer(stage->there.probes - stage->here.probes));
    if (kind != SW_TEST_IDLE) add_direction(object, report, kind);
    json_object_set_new(root, kinds[kind], object);
  }
  return root;
}

/* ---- the peer ---- */

static bool find_prefix(const json_t *link, const char *key, uint8_t ip[SW_IP_BYTES],
                        bool (*take)(const struct sw_prefix *, uint8_t *)) {
  const json_t *list = json_object_get(link, key);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    struct sw_prefix prefix;
    if (text && sw_prefix_parse(text, &prefix) == 0 && take(&prefix, ip)) return true;
  }
  return false;
}

static bool take_host(const struct sw_prefix *prefix, uint8_t ip[SW_IP_BYTES]) {
  memcpy(ip, prefix->ip, SW_IP_BYTES);
  return prefix->length == 8 * SW_IP_BYTES;
}

int sw_test_peer(const json_t *link, const char *typed, uint8_t ip[SW_IP_BYTES],
                 struct sw_error *error) {
  struct sw_prefix prefix;
  if (typed) {
    if (!strchr(typed, '/') && sw_prefix_parse(typed, &prefix) == 0) {
      take_host(&prefix, ip);
      return 0;
    }
    return sw_error_set(error, 0, "give the other side's address in the link",
                        "test: \"%s\" is not an IP address", typed);
  }
  if (find_prefix(link, "addresses", ip, sw_prefix_other) ||
      find_prefix(link, "allowed_ips", ip, take_host))
    return 0;
  const char *name = json_string_value(json_object_get(link, "name"));
  char fix[SW_ERROR_TEXT / 2];
  snprintf(fix, sizeof(fix), "give it: saltway test %s ADDRESS", name ? name : "NAME");
  return sw_error_set(error, 0, fix,
                      "test: neither Address nor AllowedIPs tells the other side's address");
}

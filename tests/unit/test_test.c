/* The messages, the judgement and the outputs of `saltway test`. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/test_report.h"

/* ---- messages ---- */

static void messages_are_read_as_they_were_written(void **state) {
  (void)state;
  uint8_t bytes[SW_TEST_RESULT];
  const struct sw_test_request request = {SW_TEST_RECEIVING, true, 60, {1, 2, [15] = 3}};
  struct sw_test_request request_read;
  sw_test_request_write(&request, bytes);
  assert_true(sw_test_request_parse(&request_read, bytes));
  assert_int_equal(request_read.kind, SW_TEST_RECEIVING);
  assert_true(request_read.last);
  assert_int_equal(request_read.seconds, 60);
  assert_memory_equal(request_read.token, request.token, SW_TEST_TOKEN);

  const struct sw_test_probe probe = {true, SW_TEST_PROBES_MAX - 1, {4, [15] = 5}};
  struct sw_test_probe probe_read;
  sw_test_probe_write(&probe, bytes);
  assert_true(sw_test_probe_parse(&probe_read, bytes));
  assert_true(probe_read.answer);
  assert_int_equal(probe_read.sequence, SW_TEST_PROBES_MAX - 1);
  assert_memory_equal(probe_read.token, probe.token, SW_TEST_TOKEN);

  const struct sw_test_side side = {
      UINT64_C(1) << 40, 5 * SW_TEST_NS, 50000000, 250, 12, 990, 1000, 500};
  struct sw_test_side side_read;
  sw_test_side_write(&side, bytes);
  assert_true(sw_test_side_parse(&side_read, bytes));
  assert_int_equal(side_read.bytes, side.bytes);
  assert_int_equal(side_read.time, side.time);
  assert_int_equal(side_read.bandwidth, side.bandwidth);
  assert_int_equal(side_read.probes, side.probes);
  assert_int_equal(side_read.retransmits, side.retransmits);
  assert_int_equal(side_read.engine, side.engine);
  assert_int_equal(side_read.machine, side.machine);
  assert_int_equal(side_read.window, side.window);
}

/* A byte of a message that is written, and a value that is out of bounds there. */
struct damage {
  size_t at;
  uint8_t value;
};

static void requests_out_of_bounds_are_refused(void **state) {
  (void)state;
  static const struct damage damages[] = {{0, 'S'}, {3, '2'}, {4, 3},  {5, 2}, {6, 1},
                                          {7, 0},   {7, 61},  {24, 1}, {31, 1}};
  const struct sw_test_request request = {.kind = SW_TEST_IDLE, .seconds = 5};
  struct sw_test_request read;
  for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
    uint8_t bytes[SW_TEST_REQUEST];
    sw_test_request_write(&request, bytes);
    bytes[damages[i].at] = damages[i].value;
    if (sw_test_request_parse(&read, bytes)) fail_msg("damage %zu", i);
  }
}

static void probes_out_of_bounds_are_refused(void **state) {
  (void)state;
  static const struct damage damages[] = {{3, 'R'}, {4, 1}, {5, 1}, {6, 12}, {24, 1}, {31, 1}};
  const struct sw_test_probe probe = {.sequence = SW_TEST_PROBES_MAX & 0xff};
  struct sw_test_probe read;
  for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
    uint8_t bytes[SW_TEST_PROBE];
    sw_test_probe_write(&probe, bytes);
    assert_true(sw_test_probe_parse(&read, bytes));
    bytes[damages[i].at] = damages[i].value;
    if (sw_test_probe_parse(&read, bytes)) fail_msg("damage %zu", i);
  }
}

static void results_out_of_bounds_are_refused(void **state) {
  (void)state;
  static const struct {
    struct sw_test_side side;
    bool good;
  } results[] = {
      {{.engine = SW_TEST_UNKNOWN, .machine = SW_TEST_UNKNOWN}, true},
      {{.bytes = UINT64_C(1) << 50}, true},
      {{.bytes = (UINT64_C(1) << 50) + 1}, false},
      {{.time = 90 * SW_TEST_NS}, true},
      {{.time = 90 * SW_TEST_NS + 1}, false},
      {{.bandwidth = UINT64_MAX}, false},
      {{.probes = SW_TEST_PROBES_MAX}, true},
      {{.probes = SW_TEST_PROBES_MAX + 1}, false},
      {{.engine = 1000 * 4096}, true},
      {{.engine = 1000 * 4096 + 1}, false},
      {{.machine = 1001}, false},
      {{.window = 1001}, false},
  };
  for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
    uint8_t bytes[SW_TEST_RESULT];
    struct sw_test_side read;
    sw_test_side_write(&results[i].side, bytes);
    if (sw_test_side_parse(&read, bytes) != results[i].good) fail_msg("result %zu", i);
    bytes[48] = 1;
    assert_false(sw_test_side_parse(&read, bytes));
  }
}

/* ---- /proc ---- */

static void processor_time_is_read_from_proc(void **state) {
  (void)state;
  uint64_t ticks, busy, all;
  assert_true(sw_test_load_process("7 (a) b) R 1 2 3 4 5 6 7 8 9 10 600 33 0 0", &ticks));
  assert_int_equal(ticks, 633);
  assert_false(sw_test_load_process("", &ticks));
  assert_false(sw_test_load_process("7 (a) R 1 2 3 4 5 6 7 8 9 10 600", &ticks));
  assert_true(sw_test_load_cores("cpu  1 2 4 1000 500 8 16 32 64 64\ncpu0 9", &busy, &all));
  assert_int_equal(busy, 63);
  assert_int_equal(all, 1563);
  assert_false(sw_test_load_cores("cpu  1 2 4 1000 500 8 16", &busy, &all));
}

/* ---- what limits ---- */

/* A second of data; the numbers are of the side that sends. */
struct situation {
  uint64_t mbit, bandwidth_mbit;
  uint32_t engine_from, engine_to, machine_from, machine_to, window, retransmits;
  double idle, loaded;
  enum sw_test_limit limit;
  const char *reason; /* while the client sends */
};

static void judge(const struct situation *situation, enum sw_test_kind kind, char *reason,
                  enum sw_test_limit *limit) {
  const struct sw_test_side from = {.bandwidth = situation->bandwidth_mbit * 1000000,
                                    .engine = situation->engine_from,
                                    .machine = situation->machine_from,
                                    .window = situation->window,
                                    .retransmits = situation->retransmits};
  const struct sw_test_side to = {.bytes = situation->mbit * 125000,
                                  .time = SW_TEST_NS,
                                  .engine = situation->engine_to,
                                  .machine = situation->machine_to};
  struct sw_test_report report = {.name = "sw0", .peer = "10.77.0.2", .seconds = 1};
  report.stages[SW_TEST_IDLE].median = situation->idle;
  report.stages[kind] = (struct sw_test_stage){.here = kind == SW_TEST_SENDING ? from : to,
                                               .there = kind == SW_TEST_SENDING ? to : from,
                                               .median = situation->loaded};
  assert_true(sw_test_rate(&report, kind) == (double)situation->mbit * 1e6);
  *limit = sw_test_limit(&report, kind, reason);
}

static void the_report_says_what_limits(void **state) {
  (void)state;
  const uint32_t unknown = SW_TEST_UNKNOWN;
  const struct situation situations[] = {
      {.mbit = 44,
       .bandwidth_mbit = 50,
       .engine_from = 950,
       .limit = SW_TEST_SHAPER,
       .reason = "Bandwidth is 50.0 Mbit/s here"},
      {.mbit = 20, .bandwidth_mbit = 50, .limit = SW_TEST_PATH},
      {.engine_from = 990,
       .engine_to = 400,
       .machine_from = 1000,
       .limit = SW_TEST_CIPHER,
       .reason = "saltway-engine uses 99 % of a core here"},
      {.engine_from = 400,
       .engine_to = 900,
       .limit = SW_TEST_CIPHER,
       .reason = "saltway-engine uses 90 % of a core there"},
      {.engine_from = unknown,
       .engine_to = 899,
       .machine_from = unknown,
       .machine_to = 899,
       .limit = SW_TEST_PATH},
      {.engine_to = 600,
       .machine_from = unknown,
       .machine_to = 950,
       .window = 900,
       .limit = SW_TEST_PROCESSORS,
       .reason = "all cores are busy there, saltway-engine uses 60 % of one"},
      {.machine_to = 500,
       .window = 500,
       .retransmits = 3,
       .limit = SW_TEST_RECEIVER,
       .reason = "its TCP window was full 50 % of the time"},
      {.window = 499,
       .retransmits = 3,
       .idle = 10,
       .loaded = 15,
       .limit = SW_TEST_PATH,
       .reason = "packets wait in a queue under load"},
      {.retransmits = 3,
       .idle = 10,
       .loaded = 14,
       .limit = SW_TEST_PATH,
       .reason = "segments are lost, and sent again"},
      {.idle = 10,
       .loaded = -1,
       .limit = SW_TEST_PATH,
       .reason = "neither loss nor a queue was seen: the line itself, or congestion control"},
  };
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    for (enum sw_test_kind kind = SW_TEST_SENDING; kind <= SW_TEST_RECEIVING; kind++) {
      char reason[SW_TEST_REASON];
      enum sw_test_limit limit;
      judge(&situations[i], kind, reason, &limit);
      if (limit != situations[i].limit) fail_msg("situation %zu: %s", i, reason);
      if (kind == SW_TEST_SENDING && situations[i].reason)
        assert_string_equal(reason, situations[i].reason);
    }
  }
}

/* ---- outputs ---- */

static const struct sw_test_report whole = {
    .name = "sw0",
    .peer = "10.77.0.2",
    .seconds = 5,
    .stages = {
        [SW_TEST_IDLE] =
            {.sent = 100, .here.probes = 97, .there.probes = 99, .median = 0.21, .worst = 0.6},
        [SW_TEST_SENDING] =
            {.sent = 250,
             .here = {.probes = 250, .retransmits = 7, .engine = 980, .machine = SW_TEST_UNKNOWN},
             .there = {.probes = 250,
                       .bytes = 625000000,
                       .time = 5 * SW_TEST_NS,
                       .engine = 800,
                       .retransmits = 1},
             .median = 2.5,
             .worst = 4},
        [SW_TEST_RECEIVING] = {.sent = 250,
                               .here = {.bytes = 3125000, .time = 5 * SW_TEST_NS},
                               .there = {.retransmits = 2, .bandwidth = 5000000},
                               .median = -1,
                               .worst = -1},
    }};

static void the_text_has_both_directions(void **state) {
  (void)state;
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  sw_test_text(out, &whole);
  fclose(out);
  assert_string_equal(text,
                      "sw0: with 10.77.0.2, 5 s each way\n"
                      "  idle        round trip 0.21 ms, worst 0.60 ms\n"
                      "              lost of 100 probes: 1 on the way there, 2 on the way back\n"
                      "  sending     1.00 Gbit/s, round trip 2.50 ms, worst 4.00 ms\n"
                      "              lost of 250 probes: 0 on the way there, 0 on the way back\n"
                      "              segments sent again: 7\n"
                      "              limit: cipher (saltway-engine uses 98 % of a core here)\n"
                      "  receiving   5.00 Mbit/s, no probe of 250 was answered\n"
                      "              lost of 250 probes: 250 on the way there, 0 on the way back\n"
                      "              segments sent again: 2\n"
                      "              limit: shaper (Bandwidth is 5.00 Mbit/s there)\n");
  free(text);
}

static void the_json_has_the_same(void **state) {
  (void)state;
  json_t *root = sw_test_json(&whole);
  json_t *expected = json_pack(
      "{s:s, s:s, s:{s:f, s:f, s:i, s:i, s:i},"
      " s:{s:f, s:f, s:i, s:i, s:i, s:f, s:i, s:f, s:i, s:f, s:n, s:f, s:f, s:n, s:f, s:s, s:s},"
      " s:{s:n, s:n, s:i, s:i, s:i, s:f, s:i, s:f, s:i, s:f, s:i, s:f, s:f, s:f, s:f, s:s, s:s}}",
      "name", "sw0", "peer", "10.77.0.2", "idle", "rtt_median_ms", 0.21, "rtt_worst_ms", 0.6,
      "probes_sent", 100, "probes_lost_there", 1, "probes_lost_back", 2, "sending", "rtt_median_ms",
      2.5, "rtt_worst_ms", 4.0, "probes_sent", 250, "probes_lost_there", 0, "probes_lost_back", 0,
      "bits_per_second", 1e9, "bytes", 625000000, "seconds", 5.0, "retransmits", 7,
      "window_limited", 0.0, "bandwidth", "engine_here", 0.98, "engine_there", 0.8, "machine_here",
      "machine_there", 0.0, "limit", "cipher", "reason", "saltway-engine uses 98 % of a core here",
      "receiving", "rtt_median_ms", "rtt_worst_ms", "probes_sent", 250, "probes_lost_there", 250,
      "probes_lost_back", 0, "bits_per_second", 5e6, "bytes", 3125000, "seconds", 5.0,
      "retransmits", 2, "window_limited", 0.0, "bandwidth", 5000000, "engine_here", 0.0,
      "engine_there", 0.0, "machine_here", 0.0, "machine_there", 0.0, "limit", "shaper", "reason",
      "Bandwidth is 5.00 Mbit/s there");
  assert_non_null(expected);
  char *text = json_dumps(root, JSON_INDENT(1));
  if (!json_equal(root, expected)) fail_msg("%s", text);
  free(text);
  json_decref(expected);
  json_decref(root);
}

/* ---- the peer's address ---- */

static void the_peer_is_the_other_host_of_the_link(void **state) {
  (void)state;
  static const struct {
    const char *link, *typed, *peer; /* NULL: it is not known */
    const char *error;
  } situations[] = {
      {"{'addresses':['10.77.0.1/30'],'allowed_ips':['10.2.0.0/16']}", NULL, "10.77.0.2/32", NULL},
      {"{'addresses':['10.77.0.2/30']}", NULL, "10.77.0.1/32", NULL},
      {"{'addresses':['10.77.0.7/31']}", NULL, "10.77.0.6/32", NULL},
      {"{'addresses':['fd77::8/127']}", NULL, "fd77::9/128", NULL},
      {"{'addresses':['10.77.0.1/24','fd77::1/127']}", NULL, "fd77::/128", NULL},
      {"{'addresses':['10.77.0.1/24'],'allowed_ips':['10.2.0.0/16','10.77.0.9/32']}", NULL,
       "10.77.0.9/32", NULL},
      {"{'addresses':['10.77.0.1/32'],'allowed_ips':['fd02::5/128']}", NULL, "fd02::5/128", NULL},
      {"{'addresses':['10.77.0.1/30']}", "10.2.0.1", "10.2.0.1/32", NULL},
      {"{'addresses':['10.77.0.1/30']}", "fd02::1", "fd02::1/128", NULL},
      {"{'name':'sw0','addresses':['10.77.0.1/24'],'allowed_ips':['10.2.0.0/16']}", NULL, NULL,
       "(give it: saltway test sw0 ADDRESS)"},
      {"{}", NULL, NULL, "give it"},
      {"{}", "10.2.0.0/16", NULL, "is not an IP address"},
      {"{}", "b.example.net", NULL, "is not an IP address"},
  };
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    char text[256], peer_text[SW_PREFIX_TEXT];
    snprintf(text, sizeof(text), "%s", situations[i].link);
    for (char *c = text; *c; c++)
      if (*c == '\'') *c = '"';
    json_t *link = json_loads(text, 0, NULL);
    assert_non_null(link);
    struct sw_prefix peer = {.length = 128};
    struct sw_error error = {.text = ""};
    const int failed = sw_test_peer(link, situations[i].typed, peer.ip, &error);
    json_decref(link);
    if (situations[i].peer) {
      assert_int_equal(failed, 0);
      assert_string_equal(sw_prefix_text(&peer, peer_text), situations[i].peer);
    } else {
      assert_int_equal(failed, -EINVAL);
      if (!strstr(error.text, situations[i].error)) fail_msg("%s", error.text);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_are_read_as_they_were_written),
      cmocka_unit_test(requests_out_of_bounds_are_refused),
      cmocka_unit_test(probes_out_of_bounds_are_refused),
      cmocka_unit_test(results_out_of_bounds_are_refused),
      cmocka_unit_test(processor_time_is_read_from_proc),
      cmocka_unit_test(the_report_says_what_limits),
      cmocka_unit_test(the_text_has_both_directions),
      cmocka_unit_test(the_json_has_the_same),
      cmocka_unit_test(the_peer_is_the_other_host_of_the_link),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

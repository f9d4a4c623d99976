/* The status of links as text and as metrics: tables of situations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/status_frame.h"
#include "cli/status_metrics.h"
#include "cli/status_text.h"
#include "cli/units.h"

/* A link that is up over two paths. */
static const char up_link[] =
    "{'name':'sw0','state':'up','state_since':192.5,'condition':'up with 192.0.2.2:51900',"
    "'reason':'up','since':192.5,'fingerprint':'89abcdef','fingerprints':['01234567','89abcdef'],"
    "'uptime':15120.0,'port':51900,'mtu':1376,'sandbox':'on','rtt_ms':0.25,"
    "'addresses':['10.77.0.1/30','fd77::1/64'],'allowed_ips':['10.2.0.0/16'],"
    "'last_handshake':192.5,'last_received':0.5,'handshakes':3,'cookies_sent':0,"
    "'probes_sent':40,'probes_lost':1,'datagrams_in':2495,'datagrams_lost':5,'packets_in':12,'packets_out':9,'bytes_in':1536,'bytes_out':700,"
    "'rate_in':7200000000.0,'rate_out':null,'drops':{'short':3},"
    "'paths':[{'address':'192.0.2.2:51900','local':'192.0.2.1','active':true,'rtt_ms':0.25,"
    "'probes_sent':40,'probes_lost':1,'mtu':1440},"
    "{'address':'[2001:db8::2]:51900','local':null,'active':false,'rtt_ms':null,"
    "'probes_sent':0,'probes_lost':0,'mtu':null}]}";

static json_t *parse(const char *text) {
  char *json = strdup(text);
  for (char *c = json; *c; c++)
    if (*c == '\'') *c = '"';
  json_t *value = json_loads(json, 0, NULL);
  free(json);
  assert_non_null(value);
  return value;
}

/* The text of the link with the members of `changes` set.  The caller frees it. */
static char *text_of(const char *changes, bool colour) {
  char *text;
  size_t length;
  json_t *link = parse(up_link), *other = parse(changes);
  json_object_update(link, other);
  FILE *out = open_memstream(&text, &length);
  sw_status_text(out, link, colour);
  fclose(out);
  json_decref(link);
  json_decref(other);
  return text;
}

static void share_of_few_datagrams_is_not_told(void **state) {
  (void)state;
  static const struct {
    const char *changes, *line;
  } cases[] = {
      {"{'datagrams_in':0,'datagrams_lost':0}", NULL},
      {"{'datagrams_in':900,'datagrams_lost':99}", NULL},
      {"{'datagrams_in':900,'datagrams_lost':100}",
       "\n  lost: 10 % (100 of 1000 datagrams of the peer)\n"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char *text = text_of(cases[i].changes, false);
    if (cases[i].line)
      assert_non_null(strstr(text, cases[i].line));
    else
      assert_null(strstr(text, "\n  lost: "));
    free(text);
  }
}

static void whole_text_of_a_link_that_is_up(void **state) {
  (void)state;
  char *text = text_of("{}", false);
  assert_string_equal(text, "sw0: up with 192.0.2.2:51900\n"
                            "  state: up for 3 min 12 s (up for 3 min 12 s)\n"
                            "  running for: 4 h 12 min\n"
                            "  key fingerprint: 01234567, 89abcdef (in use)\n"
                            "  listening port: 51900\n"
                            "  mtu: 1376 bytes\n"
                            "  sandbox: on\n"
                            "  addresses: 10.77.0.1/30, fd77::1/64\n"
                            "  allowed ips: 10.2.0.0/16\n"
                            "  latest handshake: 3 min 12 s ago\n"
                            "  latest datagram: 0 s ago\n"
                            "  received: 12 packets, 1.50 KiB, now 7.20 Gbit/s\n"
                            "  lost: 0.2 % (5 of 2500 datagrams of the peer)\n"
                            "  sent: 9 packets, 700 B\n"
                            "  queue: empty\n"
                            "  dropped: 3 short (datagram too short for the protocol)\n"
                            "\n"
                            "  path: 192.0.2.2:51900 from 192.0.2.1 (in use)\n"
                            "    round trip: 0.250 ms\n"
                            "    loss: 2.5 % (1 of 40 probes)\n"
                            "    mtu: 1440 bytes\n"
                            "\n"
                            "  path: [2001:db8::2]:51900\n"
                            "    round trip: not measured\n"
                            "    loss: not measured\n"
                            "    mtu: not measured\n");
  free(text);
}

static void lines_say_what_is_not_the_case(void **state) {
  (void)state;
  static const struct {
    const char *changes, *line;
  } situations[] = {
      {"{'drops':{}}", "\n  dropped: none\n"},
      {"{'queue_bytes':3072,'queue_ms':1.25}", "\n  queue: 3.00 KiB, 1.2 ms\n"},
      {"{'queue_bytes':3072,'queue_ms':1.25,'bandwidth':95000000}",
       "\n  queue: 3.00 KiB, 1.2 ms; limited to 95.0 Mbit/s\n"},
      {"{'bandwidth':null}", "\n  queue: empty\n"},
      {"{'marked':7}", "\n  queue: empty; 7 packets marked (ECN)\n"},
      {"{'drops':{'short':0,'replayed':2}}", "\n  dropped: 2 replayed ("},
      {"{'last_handshake':null}", "\n  latest handshake: never\n"},
      {"{'last_received':null}", "\n  latest datagram: never\n"},
      {"{'state':'degraded','reason':'loss','since':61}",
       "\n  state: degraded for 3 min 12 s (loss"},
      {"{'fingerprints':['89abcdef']}", "\n  key fingerprint: 89abcdef\n"},
      {"{'fingerprints':[]}", "\n  key fingerprint: 89abcdef\n"}, /* there is no engine */
      {"{'addresses':[]}", "\n  sandbox: on\n  allowed ips: "},
      {"{'rate_out':0.0}", "\n  sent: 9 packets, 700 B, now 0 bit/s\n"},
      {"{'paths':[]}", "protocol)\n"},
      {"{'condition':null,'name':null}", "-: -\n"},
  };
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    char *text = text_of(situations[i].changes, false);
    if (!strstr(text, situations[i].line)) fail_msg("%s: %s", situations[i].changes, text);
    assert_null(strchr(text, '\033'));
    free(text);
  }
}

static void colour_tells_the_state(void **state) {
  (void)state;
  static const struct {
    const char *changes, *colour;
  } situations[] = {
      {"{}", "\033[32mup\033[0m"},
      {"{'state':'degraded'}", "\033[33mdegraded\033[0m"},
      {"{'state':'connecting'}", "\033[33mconnecting\033[0m"},
      {"{'state':'silent'}", "\033[31msilent\033[0m"},
      {"{'state':'closed'}", "\033[31mclosed\033[0m"},
      {"{'state':'interface down'}", "\033[31minterface down\033[0m"},
  };
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    char *text = text_of(situations[i].changes, true);
    if (!strstr(text, situations[i].colour)) fail_msg("%s: %s", situations[i].changes, text);
    free(text);
  }
}

static void packets_pass_while_a_link_is_up_or_degraded(void **state) {
  (void)state;
  static const struct {
    const char *link;
    bool up;
  } links[] = {{"{'state':'up'}", true},
               {"{'state':'degraded'}", true},
               {"{'state':'silent'}", false},
               {"{}", false}};
  for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
    json_t *link = parse(links[i].link);
    assert_int_equal(sw_status_is_up(link), links[i].up);
    json_decref(link);
  }
}

/* ---- metrics ---- */

static char *metrics_of(const char *links) {
  char *text;
  size_t length;
  json_t *list = parse(links);
  FILE *out = open_memstream(&text, &length);
  sw_status_metrics(out, list);
  fclose(out);
  json_decref(list);
  return text;
}

static void metrics_of_a_link_are_in_base_units(void **state) {
  (void)state;
  static const char *const lines[] = {
      "# TYPE saltway_up gauge\n",
      "\nsaltway_up{name=\"sw0\"} 1\n",
      "\nsaltway_degraded{name=\"sw0\"} 0\n",
      "\nsaltway_uptime_seconds{name=\"sw0\"} 15120\n",
      "\n# UNIT saltway_received_bytes bytes\n",
      "\nsaltway_received_bytes_total{name=\"sw0\"} 1536\n",
      "\nsaltway_round_trip_seconds{name=\"sw0\"} 0.00025\n",
      "\nsaltway_dropped_total{name=\"sw0\",reason=\"short\"} 3\n",
      "\nsaltway_dropped_total{name=\"sw0\",reason=\"replayed\"} 0\n",
      "\nsaltway_path_active{name=\"sw0\",address=\"192.0.2.2:51900\",local=\"192.0.2.1\"} 1\n",
      "\nsaltway_path_active{name=\"sw0\",address=\"[2001:db8::2]:51900\",local=\"\"} 0\n",
      "\nsaltway_path_mtu_bytes{name=\"sw0\",address=\"192.0.2.2:51900\",local=\"192.0.2.1\"} 1440\n",
      "\n# EOF\n",
  };
  char *links;
  assert_true(asprintf(&links, "[%s]", up_link) > 0);
  char *text = metrics_of(links);
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
    if (!strstr(text, lines[i])) fail_msg("%s is not in %s", lines[i], text);
  assert_null(strstr(text, "saltway_path_mtu_bytes{name=\"sw0\",address=\"[2001"));
  free(text);
  free(links);
}

static void metrics_of_a_link_that_is_down_leave_out_what_is_not_known(void **state) {
  (void)state;
  char *text = metrics_of("[{'name':'a\\\\b','state':'silent','rtt_ms':null,'drops':{}}]");
  assert_non_null(strstr(text, "\nsaltway_up{name=\"a\\\\b\"} 0\n"));
  assert_null(strstr(text, "\nsaltway_round_trip_seconds{"));
  free(text);
}

static void no_link_has_no_samples_but_an_end(void **state) {
  (void)state;
  char *text = metrics_of("[]");
  assert_null(strchr(text, '{'));
  assert_non_null(strstr(text, "\n# EOF\n"));
  free(text);
}

/* ---- live ---- */

/* Adds samples of the round trip, "-" for one that is not known, and draws them. */
static char *frame_of(const double *rtts, unsigned count, struct sw_canvas canvas) {
  struct sw_history history = {0};
  json_t *link = parse(up_link);
  char *text;
  size_t length;
  for (unsigned i = 0; i < count; i++) {
    json_object_set_new(link, "rtt_ms", rtts[i] < 0 ? json_null() : json_real(rtts[i]));
    sw_history_add(&history, link);
  }
  FILE *out = open_memstream(&text, &length);
  sw_status_frame(out, &canvas, link, &history);
  fclose(out);
  json_decref(link);
  return text;
}

static void sparklines_show_the_course(void **state) {
  (void)state;
  static const struct {
    double rtts[10];
    unsigned count;
    struct sw_canvas canvas;
    const char *line;
  } situations[] = {
      {{0, 1, 2, 3, 4, 5, 6, 7}, 8, {80, false, false}, "  round trip     7.000 ms _.:-=+*#\n"},
      {{7, 0}, 2, {80, false, true}, "  round trip     0.000 ms \u2588\u2581\n"},
      {{0, 0}, 2, {80, false, false}, "  round trip     0.000 ms __\n"},
      {{4, -1}, 2, {80, false, false}, "  round trip            - # \n"},
      {{7, 1, 2, 4}, 4, {28, false, false}, "  round trip     4.000 ms =#\n"}, /* the latest fit */
      {{7, 1}, 2, {26, false, false}, "  round trip     1.000 ms \n"},
      {{7, 1}, 2, {0, false, false}, "  round trip     1.000 ms \n"},
      {{7}, 1, {80, false, false}, "sw0: up with 192.0.2.2:51900\n  received    7.20 Gbit/s #\n"},
      {{7}, 0, {80, false, false}, "sw0: up with 192.0.2.2:51900\n"},
  };
  for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
    char *text = frame_of(situations[i].rtts, situations[i].count, situations[i].canvas);
    if (!strstr(text, situations[i].line)) fail_msg("%s is not in %s", situations[i].line, text);
    free(text);
  }
}

static void history_keeps_the_latest_samples(void **state) {
  (void)state;
  static struct sw_history history;
  for (unsigned i = 0; i < SW_HISTORY + 10; i++) {
    json_t *link = json_pack("{s:f}", "rate_in", (double)i);
    sw_history_add(&history, link);
    json_decref(link);
  }
  assert_int_equal(history.count, SW_HISTORY);
  assert_true(history.values[SW_COURSE_IN][0] == 10);
  assert_true(history.values[SW_COURSE_IN][SW_HISTORY - 1] == SW_HISTORY + 9);
}

/* ---- units ---- */

static void numbers_have_units_of_their_size(void **state) {
  (void)state;
  char text[SW_UNITS_TEXT];
  assert_string_equal(sw_units_duration(59.9, text), "59 s");
  assert_string_equal(sw_units_duration(60, text), "1 min 0 s");
  assert_string_equal(sw_units_duration(3599, text), "59 min 59 s");
  assert_string_equal(sw_units_duration(3600, text), "1 h 0 min");
  assert_string_equal(sw_units_duration(86399, text), "23 h 59 min");
  assert_string_equal(sw_units_duration(86400 * 3 + 7200, text), "3 d 2 h");
  assert_string_equal(sw_units_bytes(0, text), "0 B");
  assert_string_equal(sw_units_bytes(1023, text), "1023 B");
  assert_string_equal(sw_units_bytes(1024, text), "1.00 KiB");
  assert_string_equal(sw_units_bytes(10240, text), "10.0 KiB");
  assert_string_equal(sw_units_bytes(102400, text), "100 KiB");
  assert_string_equal(sw_units_bytes(1.5 * 1024 * 1024 * 1024, text), "1.50 GiB");
  assert_string_equal(sw_units_bytes(1e21, text), "867 EiB");
  assert_string_equal(sw_units_bytes(1e22, text), "8674 EiB");
  assert_string_equal(sw_units_rate(999, text), "999 bit/s");
  assert_string_equal(sw_units_rate(1000, text), "1.00 kbit/s");
  assert_string_equal(sw_units_rate(7.2e9, text), "7.20 Gbit/s");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(share_of_few_datagrams_is_not_told),
      cmocka_unit_test(whole_text_of_a_link_that_is_up),
      cmocka_unit_test(lines_say_what_is_not_the_case),
      cmocka_unit_test(colour_tells_the_state),
      cmocka_unit_test(packets_pass_while_a_link_is_up_or_degraded),
      cmocka_unit_test(metrics_of_a_link_are_in_base_units),
      cmocka_unit_test(metrics_of_a_link_that_is_down_leave_out_what_is_not_known),
      cmocka_unit_test(no_link_has_no_samples_but_an_end),
      cmocka_unit_test(sparklines_show_the_course),
      cmocka_unit_test(history_keeps_the_latest_samples),
      cmocka_unit_test(numbers_have_units_of_their_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

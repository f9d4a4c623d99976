/*
 * saltway test: measures a running link between the interfaces of its two sides.  The other side runs
 * it with --listen, for as long as one test takes: nothing listens that nobody asked for.
 */
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/runtime.h"
#include "cli/cli.h"
#include "cli/status_ask.h"
#include "cli/status_text.h"
#include "cli/test_listen.h"
#include "cli/test_report.h"
#include "config/config.h"
#include "config/psk_file.h"
#include "linux/netns.h"
#include "linux/sandbox.h"

#define SECONDS 5 /* of data in each direction */
#define IDLE_SECONDS 2
#define LISTEN_MINUTES 10

struct options {
  bool listen, keep, json;
  unsigned seconds;
  const char *name, *address;
};

/* ---- the link ---- */

static uint64_t integer_of(const json_t *link, const char *key) {
  const json_int_t value = json_integer_value(json_object_get(link, key));
  return value > 0 ? (uint64_t)value : 0;
}

static const char *string_of(const json_t *link, const char *key) {
  const char *text = json_string_value(json_object_get(link, key));
  return text ? text : "";
}

static int enter(const char *netns_name, struct sw_error *error) {
  const int netns = sw_netns_open(netns_name, error);
  if (netns < 0) return netns;
  const int before = sw_netns_enter(netns, error);
  close(netns);
  if (before < 0) return before;
  close(before);
  return 0;
}

/* The link's interface may be in another network namespace, which only the configuration names.  This
 * one may have an interface of the same name. */
static int enter_netns(const char *name_or_file, const char *name, struct sw_error *error) {
  struct sw_config *config = calloc(1, sizeof(*config));
  struct sw_psks psks;
  FILE *nowhere = fopen("/dev/null", "we");
  bool named = false;
  int failed = 0;
  if (config && nowhere && sw_config_locate(name_or_file, config, nowhere) == 0 &&
      sw_config_load(config, &psks, nowhere) == 0) {
    sodium_memzero(&psks, sizeof(psks));
    named = config->netns[0];
    if (named) failed = enter(config->netns, error);
    sw_config_free(config);
  }
  if (nowhere) (void)fclose(nowhere);
  free(config);
  if (!named && if_nametoindex(name) == 0)
    failed = sw_error_set(error, 0, "if its configuration has NetNS, give that file's path",
                          "test: there is no interface %s here", name);
  return failed;
}

/* What arrives comes from strangers, if only from those at the other side. */
static int confine(const json_t *link, struct sw_error *error) {
  static const char *const users[] = {SW_SANDBOX_RESOLVER_USER, NULL};
  if (strcmp(string_of(link, "sandbox"), "on") != 0 || !sw_sandbox_possible()) return 0;
  const int directory = geteuid() == 0 ? sw_runtime_empty(error) : -1;
  if (directory < 0 && geteuid() == 0) return directory;
  const int failed = sw_sandbox_drop(users, directory, getppid(), error);
  if (directory >= 0) close(directory);
  if (failed) return failed;
  prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); /* the shell may end */
  return sw_sandbox_deny(error);
}

/* ---- the side that asks ---- */

static void show_progress(enum sw_test_kind kind, double share) {
  static const char bar[] = "####################";
  static const char *const names[] = {"idle", "sending", "receiving"};
  const int width = (int)sizeof(bar) - 1;
  fprintf(stderr, "\r%-9s [%-*.*s]", names[kind], width, (int)(share * width), bar);
}

static void erase_progress(void) {
  fprintf(stderr, "\r\033[K");
}

static int run_stages(struct sw_test_link *link, struct sw_test_report *report,
                      struct sw_error *error) {
  for (enum sw_test_kind kind = SW_TEST_IDLE; kind <= SW_TEST_RECEIVING; kind++) {
    struct sw_test_request request = {
        .kind = kind, .last = kind == SW_TEST_RECEIVING, .seconds = (uint16_t)report->seconds};
    if (kind == SW_TEST_IDLE && request.seconds > IDLE_SECONDS) request.seconds = IDLE_SECONDS;
    randombytes_buf(request.token, sizeof(request.token));
    const int failed = sw_test_stage_run(link, &request, &report->stages[kind], error);
    if (failed) return failed;
  }
  return 0;
}

static int print(const struct sw_test_report *report, bool json) {
  if (json) {
    json_t *root = sw_test_json(report);
    json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    printf("\n");
    json_decref(root);
  } else {
    sw_test_text(stdout, report);
  }
  return fflush(stdout) == 0 ? 0 : 1;
}

static int measure(const struct options *options, const json_t *status, struct sw_test_link *link) {
  struct sw_error error;
  char peer[SW_PREFIX_TEXT];
  struct sw_prefix prefix = {.length = 8 * SW_IP_BYTES};
  struct sw_test_report report = {.name = link->name, .peer = peer, .seconds = options->seconds};
  int failed = sw_test_peer(status, options->address, link->peer, &error);
  if (!failed) failed = confine(status, &error);
  if (!failed) {
    memcpy(prefix.ip, link->peer, SW_IP_BYTES);
    sw_prefix_text(&prefix, peer);
    peer[strcspn(peer, "/")] = '\0';
    if (isatty(STDERR_FILENO)) link->progress = show_progress;
    failed = run_stages(link, &report, &error);
    if (link->progress) erase_progress();
  }
  if (!failed) return print(&report, options->json);
  fprintf(stderr, "saltway: %s\n", error.text);
  return 1;
}

/* ---- the side that listens ---- */

static size_t own_addresses(const json_t *status, struct sw_prefix *addresses) {
  const json_t *list = json_object_get(status, "addresses");
  size_t count = 0;
  for (size_t i = 0; i < json_array_size(list) && count < SW_CONFIG_ADDRESSES_MAX; i++) {
    const char *text = json_string_value(json_array_get(list, i));
    count += text && sw_prefix_parse(text, &addresses[count]) == 0;
  }
  return count;
}

static int serve(const struct options *options, const json_t *status, struct sw_test_link *link) {
  static struct sw_test_listener listener;
  struct sw_prefix addresses[SW_CONFIG_ADDRESSES_MAX];
  struct sw_error error;
  listener.load = link->load;
  listener.bandwidth = link->bandwidth;
  listener.keep = options->keep;
  const size_t count = own_addresses(status, addresses);
  int failed = count ? sw_test_listen_open(&listener, link->name, addresses, count, &error)
                     : sw_error_set(&error, 0, "write Address into its configuration",
                                    "test: %s has no address to listen on", link->name);
  if (!failed) failed = confine(status, &error);
  if (failed) {
    fprintf(stderr, "saltway: %s\n", error.text);
    return 1;
  }
  const uint64_t end = options->keep ? 0 : sw_clock_now() + LISTEN_MINUTES * (60 * SW_TEST_NS);
  fprintf(stderr, "listening for a test of %s, until %s\n", link->name,
          options->keep ? "Ctrl-C" : "one has ended or 10 minutes have passed");
  if (sw_test_listen_run(&listener, end)) return 0;
  fprintf(stderr, "saltway: no test was made within %d minutes\n", LISTEN_MINUTES);
  return 1;
}

/* ---- arguments ---- */

static bool take_seconds(const char *text, unsigned *seconds) {
  char *rest;
  errno = 0;
  const long value = text ? strtol(text, &rest, 10) : 0;
  if (!text || errno || rest == text || *rest || value < 1 || value > SW_TEST_SECONDS_MAX) {
    fprintf(stderr, "test: -t takes 1 to %d seconds\n", SW_TEST_SECONDS_MAX);
    return false;
  }
  *seconds = (unsigned)value;
  return true;
}

static bool take_arguments(int argc, char **argv, struct options *options) {
  for (int i = 1; i < argc; i++) {
    const char *argument = argv[i];
    if (strcmp(argument, "--listen") == 0)
      options->listen = true;
    else if (strcmp(argument, "--keep") == 0)
      options->keep = true;
    else if (strcmp(argument, "--json") == 0)
      options->json = true;
    else if (strcmp(argument, "-t") == 0) {
      if (!take_seconds(i + 1 < argc ? argv[++i] : NULL, &options->seconds)) return false;
    } else if (argument[0] != '-' && !options->name)
      options->name = argument;
    else if (argument[0] != '-' && !options->address)
      options->address = argument;
    else
      return false;
  }
  return options->name && options->listen >= options->keep &&
         !(options->listen && (options->json || options->address));
}

static int run(const struct options *options, const json_t *status) {
  struct sw_test_link link = {.bandwidth = integer_of(status, "bandwidth")};
  struct sw_error error;
  snprintf(link.name, sizeof(link.name), "%s", string_of(status, "name"));
  if (!options->listen && !sw_status_is_up(status)) {
    fprintf(stderr, "saltway: test: %s is not up: %s (find out why: saltway doctor %s)\n",
            link.name, string_of(status, "condition"), link.name);
    return 1;
  }
  if (enter_netns(options->name, link.name, &error) != 0) {
    fprintf(stderr, "saltway: %s\n", error.text);
    return 1;
  }
  sw_test_load_open(&link.load, (pid_t)integer_of(status, "engine_pid"));
  return options->listen ? serve(options, status, &link) : measure(options, status, &link);
}

int sw_cli_test(int argc, char **argv) {
  struct options options = {.seconds = SECONDS};
  if (!take_arguments(argc, argv, &options)) {
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  json_t *links = json_array();
  sw_status_ask(options.name, links, stderr);
  const json_t *status = json_array_get(links, 0);
  const int result = status ? run(&options, status) : 1;
  json_decref(links);
  return result;
}

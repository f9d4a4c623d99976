/*
 * saltway status: what running links do, for people, once or live, as one JSON array, or as OpenMetrics
 * text.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/status_ask.h"
#include "cli/status_metrics.h"
#include "cli/status_text.h"
#include "cli/status_watch.h"

enum form { TEXT, JSON, METRICS, WATCH };

/* https://no-color.org: any value that is not empty. */
static bool wants_colour(void) {
  const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
  return isatty(STDOUT_FILENO) && !(none && none[0]) &&
         !(terminal && strcmp(terminal, "dumb") == 0);
}

static void print_text(const json_t *links) {
  const bool colour = wants_colour();
  for (size_t i = 0; i < json_array_size(links); i++) {
    if (i) printf("\n");
    sw_status_text(stdout, json_array_get(links, i), colour);
  }
}

static int print_once(enum form form, const char *name) {
  json_t *links = json_array();
  int status = sw_status_ask(name, links, stderr);
  if (form == JSON) {
    json_dumpf(links, stdout, JSON_INDENT(2));
    printf("\n");
  } else if (form == METRICS) {
    sw_status_metrics(stdout, links);
  } else {
    print_text(links);
  }
  json_decref(links);
  if (fflush(stdout) != 0) status = SW_STATUS_FAILED; /* a full disk */
  return status;
}

/* Whether the argument is an option, which sets `form`. */
static bool take_option(const char *argument, enum form *form) {
  static const char *const options[] = {
      [JSON] = "--json", [METRICS] = "--metrics", [WATCH] = "--watch"};
  for (enum form i = JSON; i <= WATCH; i++) {
    if (strcmp(argument, options[i]) != 0) continue;
    const bool first = *form == TEXT || *form == i;
    *form = i;
    return first;
  }
  return false;
}

int sw_cli_status(int argc, char **argv) {
  enum form form = TEXT;
  const char *name = NULL;
  for (int i = 1; i < argc; i++) {
    if (take_option(argv[i], &form)) continue;
    if (argv[i][0] == '-' || name) {
      if (argv[i][0] == '-') fprintf(stderr, "status: unknown option %s\n", argv[i]);
      sw_cli_usage(stderr, argv[0]);
      return SW_STATUS_USAGE;
    }
    name = argv[i];
  }
  return form == WATCH ? sw_status_watch(name, wants_colour()) : print_once(form, name);
}

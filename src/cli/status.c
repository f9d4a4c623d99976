/*
 * saltway status: asks running links for their status over their control sockets, and prints the
 * answers for people, or as one JSON array.
 */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
#include "cli/cli.h"
#include "saltway/drop.h"

#define NUMBER_TEXT 32

/* Ordered: of several links the largest counts, except that EXIT_FAILED outranks all. */
enum { EXIT_UP = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DOWN = 3 };

/* ---- for people ---- */

static const char *string_of(const json_t *link, const char *key) {
  const char *text = json_string_value(json_object_get(link, key));
  return text ? text : "-";
}

static long long integer_of(const json_t *link, const char *key) {
  return json_integer_value(json_object_get(link, key));
}

/* Writes the two largest units of a duration: "4 h 12 min". */
static const char *duration_text(double duration, char text[NUMBER_TEXT]) {
  const long long seconds = (long long)duration;
  const long long minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (seconds < 60)
    snprintf(text, NUMBER_TEXT, "%lld s", seconds);
  else if (minutes < 60)
    snprintf(text, NUMBER_TEXT, "%lld min %lld s", minutes, seconds % 60);
  else if (hours < 24)
    snprintf(text, NUMBER_TEXT, "%lld h %lld min", hours, minutes % 60);
  else
    snprintf(text, NUMBER_TEXT, "%lld d %lld h", days, hours % 24);
  return text;
}

/* Writes a number of bytes with three or four significant digits: "1.50 GiB". */
static const char *bytes_text(long long bytes, char text[NUMBER_TEXT]) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double amount = (double)bytes;
  unsigned unit = 0;
  while (amount >= 1024) {
    amount /= 1024;
    unit++;
  }
  const int decimals = unit == 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  snprintf(text, NUMBER_TEXT, "%.*f %s", decimals, amount, units[unit]);
  return text;
}

static void print_ago(const json_t *link, const char *label, const char *key) {
  const json_t *value = json_object_get(link, key);
  char text[NUMBER_TEXT];
  if (json_is_real(value))
    printf("  %-16s %s ago\n", label, duration_text(json_real_value(value), text));
  else
    printf("  %-16s never\n", label);
}

static void print_list(const json_t *link, const char *label, const char *key) {
  const json_t *list = json_object_get(link, key);
  if (json_array_size(list) == 0) return;
  printf("  %-16s", label);
  for (size_t i = 0; i < json_array_size(list); i++)
    printf("%s %s", i ? "," : "", json_string_value(json_array_get(list, i)));
  printf("\n");
}

static void print_traffic(const json_t *link, const char *label, const char *packets,
                          const char *bytes) {
  char text[NUMBER_TEXT];
  printf("  %-16s %lld packets, %s\n", label, integer_of(link, packets),
         bytes_text(integer_of(link, bytes), text));
}

static void print_drops(const json_t *link) {
  const json_t *drops = json_object_get(link, "drops");
  bool any = false;
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const long long count = integer_of(drops, sw_drop_name(i));
    if (count == 0) continue;
    printf("  %-16s %lld %s (%s)\n", "dropped", count, sw_drop_name(i), sw_drop_meaning(i));
    any = true;
  }
  if (!any) printf("  %-16s none\n", "dropped");
}

static void print_link(const json_t *link) {
  char text[NUMBER_TEXT];
  printf("%s: %s\n", string_of(link, "name"), string_of(link, "condition"));
  printf("  %-16s %s for %s\n", "state", string_of(link, "state"),
         duration_text(json_real_value(json_object_get(link, "state_since")), text));
  printf("  %-16s %s\n", "running for",
         duration_text(json_real_value(json_object_get(link, "uptime")), text));
  printf("  %-16s %s\n", "key fingerprint", string_of(link, "fingerprint"));
  printf("  %-16s %s\n", "endpoint", string_of(link, "endpoint"));
  printf("  %-16s %lld\n", "listening port", integer_of(link, "port"));
  printf("  %-16s %lld\n", "mtu", integer_of(link, "mtu"));
  printf("  %-16s %s\n", "sandbox", string_of(link, "sandbox"));
  print_list(link, "addresses", "addresses");
  print_list(link, "allowed ips", "allowed_ips");
  print_ago(link, "last handshake", "last_handshake");
  print_ago(link, "last received", "last_received");
  const json_t *rtt = json_object_get(link, "rtt_ms");
  if (json_is_real(rtt))
    printf("  %-16s %.3f ms, %lld of %lld probes lost\n", "round trip", json_real_value(rtt),
           integer_of(link, "probes_lost"), integer_of(link, "probes_sent"));
  else
    printf("  %-16s -\n", "round trip");
  print_traffic(link, "received", "packets_in", "bytes_in");
  print_traffic(link, "sent", "packets_out", "bytes_out");
  print_drops(link);
}

/* ---- asking ---- */

/* On success the caller owns `link`.  Returns 0 or a negative errno with `error` filled. */
static int ask(const char *name, json_t **link, struct sw_error *error) {
  char *answer;
  size_t length;
  const int failed = sw_runtime_ask_status(name, &answer, &length, error);
  if (failed) return failed;
  *link = json_loadb(answer, length, 0, NULL);
  free(answer);
  if (*link) return 0;
  sw_error_set(error, 0, NULL, "%s does not answer on its control socket", name);
  return -EAGAIN;
}

/* Whether packets pass. */
static bool is_up(const json_t *link) {
  const char *state = string_of(link, "state");
  return strcmp(state, "up") == 0 || strcmp(state, "degraded") == 0;
}

/* Appends the link's answer to `links`.  Returns an exit status. */
static int add_link(json_t *links, const char *name) {
  struct sw_error error;
  json_t *link;
  const int failed = ask(name, &link, &error);
  if (!failed) {
    json_array_append_new(links, link);
    return is_up(link) ? EXIT_UP : EXIT_DOWN;
  }
  fprintf(stderr, "saltway: %s\n", error.text);
  const bool down = failed == -ENOENT || failed == -ECONNREFUSED || failed == -EAGAIN;
  return down ? EXIT_DOWN : EXIT_FAILED; /* a user who may not ask cannot know */
}

static int worse(int a, int b) {
  if (a == EXIT_FAILED || b == EXIT_FAILED) return EXIT_FAILED;
  return a > b ? a : b;
}

/* Appends every link that has a socket in the runtime directory.  Returns an exit status. */
static int add_all(json_t *links) {
  struct sw_error error;
  char directory[SW_RUNTIME_PATH];
  if (sw_runtime_directory(directory, &error) != 0) {
    fprintf(stderr, "saltway: %s\n", error.text);
    return EXIT_FAILED;
  }
  DIR *entries = opendir(directory);
  if (!entries && errno != ENOENT) {
    fprintf(stderr, "saltway: cannot read %s: %s\n", directory, strerror(errno));
    return EXIT_FAILED;
  }
  int status = EXIT_UP;
  bool any = false;
  for (const struct dirent *entry; entries && (entry = readdir(entries));) {
    char name[sizeof(entry->d_name)];
    snprintf(name, sizeof(name), "%s", entry->d_name);
    if (!sw_runtime_is_socket(name)) continue;
    any = true;
    status = worse(status, add_link(links, name));
  }
  if (entries) closedir(entries);
  if (any) return status;
  fprintf(stderr, "saltway: no link is up (no control socket in %s)\n", directory);
  return EXIT_DOWN;
}

static int add_named(json_t *links, const char *name_or_file) {
  char name[IFNAMSIZ];
  return sw_cli_name(name_or_file, name) == 0 ? add_link(links, name) : EXIT_FAILED;
}

int sw_cli_status(int argc, char **argv) {
  bool json = false;
  const char *name = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (argv[i][0] == '-' || name) {
      fprintf(stderr, "usage: saltway status [--json] [NAME|FILE]\n");
      return EXIT_USAGE;
    } else {
      name = argv[i];
    }
  }
  json_t *links = json_array();
  const int status = name ? add_named(links, name) : add_all(links);
  if (json) {
    json_dumpf(links, stdout, JSON_INDENT(2));
    printf("\n");
  } else {
    for (size_t i = 0; i < json_array_size(links); i++) print_link(json_array_get(links, i));
  }
  json_decref(links);
  return status;
}

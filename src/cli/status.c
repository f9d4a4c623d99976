#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/runtime.h"
#include "cli/cli.h"
#include "saltway/drop.h"

#define ANSWER_MAX (1 << 20)

enum { EXIT_UP = 0, EXIT_FAILED = 1, EXIT_DOWN = 3 };

static const char *string_of(const json_t *link, const char *key) {
  const char *text = json_string_value(json_object_get(link, key));
  return text ? text : "-";
}

static long long integer_of(const json_t *link, const char *key) {
  return json_integer_value(json_object_get(link, key));
}

static void print_ago(const json_t *link, const char *label, const char *key) {
  const json_t *value = json_object_get(link, key);
  if (json_is_null(value)) {
    printf("  %-16s never\n", label);
    return;
  }
  const long long seconds = (long long)json_real_value(value);
  if (seconds < 60)
    printf("  %-16s %lld s ago\n", label, seconds);
  else if (seconds < 3600)
    printf("  %-16s %lld min %lld s ago\n", label, seconds / 60, seconds % 60);
  else
    printf("  %-16s %lld h %lld min ago\n", label, seconds / 3600, seconds / 60 % 60);
}

static void print_list(const json_t *link, const char *label, const char *key) {
  const json_t *list = json_object_get(link, key);
  if (json_array_size(list) == 0) return;
  printf("  %-16s", label);
  for (size_t i = 0; i < json_array_size(list); i++)
    printf("%s %s", i ? "," : "", json_string_value(json_array_get(list, i)));
  printf("\n");
}

static void print_drops(json_t *link) {
  json_t *drops = json_object_get(link, "drops");
  if (json_object_size(drops) == 0) {
    printf("  %-16s none\n", "dropped");
    return;
  }
  for (unsigned i = 0; i < SW_DROP_COUNT; i++) {
    const json_t *count = json_object_get(drops, sw_drop_name(i));
    if (count)
      printf("  %-16s %lld %s (%s)\n", "dropped", (long long)json_integer_value(count),
             sw_drop_name(i), sw_drop_meaning(i));
  }
}

static void print_link(json_t *link) {
  printf("%s: %s\n", string_of(link, "name"), string_of(link, "condition"));
  printf("  %-16s %s\n", "state", string_of(link, "state"));
  printf("  %-16s %s\n", "key fingerprint", string_of(link, "fingerprint"));
  printf("  %-16s %s\n", "endpoint", string_of(link, "endpoint"));
  printf("  %-16s %lld\n", "listening port", integer_of(link, "port"));
  printf("  %-16s %s\n", "sandbox", string_of(link, "sandbox"));
  print_list(link, "addresses", "addresses");
  print_list(link, "allowed ips", "allowed_ips");
  print_ago(link, "last handshake", "last_handshake");
  print_ago(link, "last received", "last_received");
  const json_t *rtt = json_object_get(link, "rtt_ms");
  if (json_is_null(rtt))
    printf("  %-16s -\n", "round trip");
  else
    printf("  %-16s %.3f ms, %lld of %lld probes lost\n", "round trip", json_real_value(rtt),
           integer_of(link, "probes_lost"), integer_of(link, "probes_sent"));
  printf("  %-16s %lld packets, %lld bytes\n", "received", integer_of(link, "packets_in"),
         integer_of(link, "bytes_in"));
  printf("  %-16s %lld packets, %lld bytes\n", "sent", integer_of(link, "packets_out"),
         integer_of(link, "bytes_out"));
  print_drops(link);
}

/* Returns 0 or a negative errno. */
static int ask(const char *name, json_t **link, struct sw_error *error) {
  const int fd = sw_runtime_connect(name, error);
  if (fd < 0) return fd;
  char *answer = malloc(ANSWER_MAX);
  size_t length = 0;
  if (answer && write(fd, "status\n", 7) == 7) {
    ssize_t got;
    while (length < ANSWER_MAX && (got = read(fd, answer + length, ANSWER_MAX - length)) > 0)
      length += (size_t)got;
  }
  close(fd);
  *link = answer ? json_loadb(answer, length, 0, NULL) : NULL;
  free(answer);
  if (*link) return 0;
  sw_error_set(error, 0, NULL, "%s does not answer on its control socket", name);
  return -EAGAIN;
}

static int show(const char *name, bool json) {
  struct sw_error error;
  json_t *link;
  const int failed = ask(name, &link, &error);
  if (failed) {
    fprintf(stderr, "saltway: %s\n", error.text);
    const bool down = failed == -ENOENT || failed == -ECONNREFUSED || failed == -EAGAIN;
    return down ? EXIT_DOWN : EXIT_FAILED; /* who may not ask does not know */
  }
  if (json) {
    json_dumpf(link, stdout, JSON_INDENT(2));
    printf("\n");
  } else {
    print_link(link);
  }
  const int status = strcmp(string_of(link, "state"), "up") == 0 ? EXIT_UP : EXIT_DOWN;
  json_decref(link);
  return status;
}

/* Shows every link that has a socket in the runtime directory. */
static int show_all(bool json) {
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
  unsigned links = 0;
  for (const struct dirent *entry; entries && (entry = readdir(entries));) {
    char name[sizeof(entry->d_name)];
    snprintf(name, sizeof(name), "%s", entry->d_name);
    if (!sw_runtime_is_socket(name)) continue;
    links++;
    const int one = show(name, json);
    if (one != EXIT_UP) status = one;
  }
  if (entries) closedir(entries);
  if (links) return status;
  fprintf(stderr, "saltway: no link is up (no control socket in %s)\n", directory);
  return EXIT_DOWN;
}

int sw_cli_status(int argc, char **argv) {
  bool json = false;
  const char *name = NULL;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (argv[i][0] == '-' || name) {
      fprintf(stderr, "usage: saltway status [--json] [NAME]\n");
      return 2;
    } else {
      name = argv[i];
    }
  }
  return name ? show(name, json) : show_all(json);
}

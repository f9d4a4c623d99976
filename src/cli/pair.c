/*
 * saltway pair: makes the files of both ends of a new link, and says what to do with them.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/endpoint.h"
#include "convert/directory.h"
#include "convert/ends.h"

#define PORT_DEFAULT 51900

struct request {
  const char *name, *directory;
  const char *hosts[2]; /* of our end and theirs; NULL: no address of its own */
  char *networks[2];    /* behind ours and theirs; NULL: none */
  uint16_t port;
};

static int usage(void) {
  sw_cli_usage(stderr, "pair");
  return 2;
}

static int parse_port(const char *text, uint16_t *port) {
  *port = sw_config_port_parse(text);
  if (*port) return 0;
  fprintf(stderr, "pair: --port: \"%s\" is not a UDP port; write 1 to 65535\n", text);
  return 2;
}

static int no_memory(void) {
  fprintf(stderr, "saltway: no memory\n");
  return 1;
}

/* Returns the exit status. */
static int parse(int argc, char **argv, struct request *request) {
  static const struct option options[] = {{"networks-a", required_argument, NULL, 'A'},
                                          {"networks-b", required_argument, NULL, 'B'},
                                          {"port", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
    if (option == 'o') {
      request->directory = optarg;
    } else if (option == 'A' || option == 'B') {
      if (sw_ends_join(&request->networks[option - 'A'], optarg) != 0) return no_memory();
    } else if (option != 'p') {
      return usage();
    } else if (parse_port(optarg, &request->port) != 0) {
      return 2;
    }
  }
  if (argc - optind != 3) return usage();
  request->name = argv[optind];
  for (int i = 0; i < 2; i++) {
    const char *host = argv[optind + 1 + i];
    request->hosts[i] = strcmp(host, "-") == 0 ? NULL : host;
  }
  if (!request->directory) request->directory = request->name;
  if (request->hosts[0] || request->hosts[1]) return 0;
  fprintf(stderr, "pair: one of the two hosts must be reachable; write its name or address\n");
  return 2;
}

/* What one end knows of the other. */
static int meet(struct sw_config *end, const char *networks, const char *host, uint16_t port,
                struct sw_error *error) {
  const int failed = networks ? sw_ends_allow_list(end, networks, error) : 0;
  return failed || !host
             ? failed
             : sw_ends_add_endpoint(end, host, port, "--port sets that of both sides", error);
}

/* Where an end finds the other one, without brackets, or NULL. */
static const char *host_of(const struct sw_config *end) {
  return end->endpoint_count ? end->endpoints[0].host : NULL;
}

static int make(const struct request *request, struct sw_ends *ends, struct sw_error *error) {
  char fingerprint[SW_FINGERPRINT_TEXT], text[2][SW_PREFIX_TEXT];
  ends->ours.listen_port = ends->theirs.listen_port = request->port;
  int failed = meet(&ends->ours, request->networks[1], request->hosts[1], request->port, error);
  if (!failed)
    failed = meet(&ends->theirs, request->networks[0], request->hosts[0], request->port, error);
  if (!failed) failed = sw_ends_check(ends, stderr, error);
  if (failed) return failed;
  sw_ends_choose_addresses(ends);
  failed = sw_ends_allow_addresses(ends, error);
  if (!failed)
    failed =
        sw_directory_make(request->directory, ends, "made by saltway pair; see saltway.conf(5)",
                          fingerprint, stderr, error);
  if (failed) return failed;
  const char *here = host_of(&ends->theirs), *there = host_of(&ends->ours);
  printf("%s: a/ is for %s, b/ for %s; one key, fingerprint %s\n", request->directory,
         here ? here : "this machine", there ? there : "the other machine", fingerprint);
  for (size_t i = 0; i < ends->ours.address_count; i++)
    printf("in the link: %s and %s\n", sw_prefix_text(&ends->ours.addresses[i], text[0]),
           sw_prefix_text(&ends->theirs.addresses[i], text[1]));
  sw_directory_steps(stdout, request->directory, request->name, there);
  return 0;
}

static int run(const struct request *request) {
  struct sw_error error = {""};
  struct sw_ends *ends = calloc(1, sizeof(*ends));
  if (!ends) return no_memory();
  int failed = sw_ends_init(ends, request->name, stderr);
  if (!failed) failed = make(request, ends, &error);
  if (error.text[0]) fprintf(stderr, "pair: %s\n", error.text);
  sw_ends_free(ends);
  free(ends);
  return failed ? 1 : 0;
}

int sw_cli_pair(int argc, char **argv) {
  struct request request = {.port = PORT_DEFAULT};
  int status = parse(argc, argv, &request);
  if (!status) status = run(&request);
  for (int i = 0; i < 2; i++) free(request.networks[i]);
  return status;
}

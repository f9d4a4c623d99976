/*
 * saltway import: makes the files of both ends of a link out of another program's configuration.
 */
#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/lines.h"
#include "config/regular_file.h"
#include "convert/directory.h"
#include "convert/ends.h"
#include "convert/openvpn.h"
#include "convert/wg_quick.h"

struct request {
  const char *file, *name, *directory;
  const char *host;        /* at which the peer reaches this machine, or NULL */
  char *networks;          /* behind this machine, or NULL */
  unsigned peer;           /* of a file with several; 0: not given */
  char stem[NAME_MAX + 1]; /* of the file: the old interface's name */
};

static int usage(void) {
  sw_cli_usage(stderr, "import");
  return 2;
}

static int no_memory(void) {
  fprintf(stderr, "saltway: no memory\n");
  return 1;
}

/* By default the name of the link is that of the file, without its ending. */
static void take_stem(struct request *request) {
  const char *slash = strrchr(request->file, '/'), *base = slash ? slash + 1 : request->file;
  const char *dot = strrchr(base, '.');
  const size_t length = dot && dot > base ? (size_t)(dot - base) : strlen(base);
  snprintf(request->stem, sizeof(request->stem), "%.*s", (int)length, base);
  if (!request->name) request->name = request->stem;
}

/* Returns the exit status. */
static int parse(int argc, char **argv, struct request *request) {
  static const struct option options[] = {{"name", required_argument, NULL, 'n'},
                                          {"host", required_argument, NULL, 'h'},
                                          {"networks", required_argument, NULL, 'N'},
                                          {"peer", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
  for (int option; (option = getopt_long(argc, argv, "o:", options, NULL)) != -1;) {
    if (option == 'n') request->name = optarg;
    if (option == 'h') request->host = optarg;
    if (option == 'N' && sw_ends_join(&request->networks, optarg) != 0) return no_memory();
    if (option == 'o') request->directory = optarg;
    if (option == 'p') request->peer = (unsigned)strtoul(optarg, NULL, 10);
    if (option == '?' || (option == 'p' && (request->peer < 1 || request->peer > UINT16_MAX)))
      return usage();
  }
  if (argc - optind != 1) return usage();
  request->file = argv[optind];
  take_stem(request);
  if (!request->directory) request->directory = request->name;
  return 0;
}

/* ---- the file ---- */

/* Returns the text in locked memory, as it may hold a key, or NULL after a complaint. */
static char *read_text(const char *file, struct sw_complaints *complaints) {
  struct stat status;
  const char *kind;
  const int descriptor = sw_regular_file_open(file, &status, &kind);
  if (descriptor < 0) {
    sw_complain(complaints, 0, kind ? "this is %s; a configuration is a file" : "cannot open: %s",
                kind ? kind : strerror(-descriptor));
    return NULL;
  }
  const size_t size = (size_t)status.st_size;
  char *text = size <= SW_CONFIG_FILE_MAX ? sodium_malloc(size + 1) : NULL;
  const ssize_t length = text ? sw_regular_file_read(descriptor, text, size) : 0;
  close(descriptor);
  if (size > SW_CONFIG_FILE_MAX)
    sw_complain(complaints, 0, "longer than %d bytes; is this the right file?", SW_CONFIG_FILE_MAX);
  else if (!text)
    sw_complain(complaints, 0, "no memory");
  else if (length < 0)
    sw_complain(complaints, 0, "cannot read: %s", strerror((int)-length));
  else if (memchr(text, '\0', (size_t)length))
    sw_complain(complaints, 0, "a NUL byte, so this is not a text file");
  else
    text[length] = '\0';
  if (complaints->count == 0) return text;
  if (text) sodium_free(text);
  return NULL;
}

/* Whether the first line that is no comment opens a section. */
static bool is_wg_quick(const char *text) {
  if (strncmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
  for (;;) {
    text += strspn(text, " \t\r\n");
    if (*text != '#' && *text != ';') return *text == '[';
    text += strcspn(text, "\n");
  }
}

/* ---- the link ---- */

static void convert(const struct request *request, struct sw_ends *ends,
                    struct sw_complaints *complaints) {
  struct sw_error error;
  if (request->networks && sw_ends_allow_list(&ends->theirs, request->networks, &error) != 0)
    sw_complain(complaints, 0, "--networks: %s", error.text);
  char *text = read_text(request->file, complaints);
  if (!text) return;
  const bool wg_quick = is_wg_quick(text);
  if (wg_quick)
    sw_wg_quick_read(text, request->stem, request->peer, ends, complaints);
  else
    sw_openvpn_read(text, ends, complaints);
  if (complaints->count == 0)
    sw_ends_finish(ends, request->host, wg_quick ? SW_WG_QUICK_PORT : SW_OPENVPN_PORT, complaints);
  sodium_free(text); /* wipes */
}

static int make(const struct request *request, const struct sw_ends *ends) {
  char fingerprint[SW_FINGERPRINT_TEXT];
  struct sw_error error = {""};
  if (sw_directory_make(request->directory, ends, "made by saltway import; see saltway.conf(5)",
                        fingerprint, stderr, &error) != 0) {
    fprintf(stderr, "import: %s\n", error.text);
    return 1;
  }
  printf("%s: a/ is for this machine, b/ for the other one; one new key, fingerprint %s\n",
         request->directory, fingerprint);
  if (!request->networks)
    printf("b/%s.conf has no networks behind this machine, as they are not in %s: add them to its "
           "AllowedIPs, or give --networks\n",
           request->name, request->file);
  printf("\nStop the old tunnel on both sides first: the new link has its addresses and ports.\n");
  sw_directory_steps(stdout, request->directory, request->name,
                     ends->ours.endpoint_count ? ends->ours.endpoints[0].host : NULL);
  return 0;
}

/* Mistakes come after all remarks, so that they are not overlooked. */
static int convert_and_make(const struct request *request, struct sw_ends *ends) {
  char *mistakes = NULL;
  size_t size;
  FILE *out = open_memstream(&mistakes, &size);
  if (!out) return no_memory();
  struct sw_complaints complaints = {.out = out, .remarks = stderr, .file = request->file};
  convert(request, ends, &complaints);
  const bool complete = fclose(out) == 0;
  int status = 1;
  if (!complete)
    no_memory();
  else if (complaints.count == 0)
    status = make(request, ends);
  else if (complaints.count == 1)
    fprintf(stderr, "%s%s: nothing was made; see the line above\n", mistakes, request->file);
  else
    fprintf(stderr, "%s%s: nothing was made; see the %d lines above\n", mistakes, request->file,
            complaints.count);
  free(mistakes);
  return status;
}

static int run(const struct request *request) {
  struct sw_ends *ends = calloc(1, sizeof(*ends));
  if (!ends) return no_memory();
  int status = 1;
  if (sw_ends_init(ends, request->name, stderr) != 0) {
    if (request->name == request->stem)
      fprintf(stderr, "import: --name NAME gives the link another name than that of the file\n");
  } else {
    status = convert_and_make(request, ends);
  }
  sw_ends_free(ends);
  free(ends);
  return status;
}

int sw_cli_import(int argc, char **argv) {
  struct request request = {.file = NULL};
  int status = parse(argc, argv, &request);
  if (!status) status = run(&request);
  free(request.networks);
  return status;
}

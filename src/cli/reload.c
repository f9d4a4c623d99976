/*
 * saltway reload: has a running link read its configuration and its key file again, and prints what
 * has changed, or why nothing has.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/runtime.h"
#include "cli/cli.h"
#include "config/config.h"
#include "config/regular_file.h"

/* The first line of an answer is "ok" or "refused"; the others are for people.  Returns the exit
 * status. */
static int print_answer(FILE *answer, const char *name) {
  char line[8192];
  if (!fgets(line, sizeof(line), answer)) {
    fprintf(stderr, "saltway: %s does not answer on its control socket\n", name);
    return 1;
  }
  const bool done = strcmp(line, "ok\n") == 0;
  while (fgets(line, sizeof(line), answer)) fputs(line, done ? stdout : stderr);
  return done ? 0 : 1;
}

/* The link reads the file that it was started from.  Whoever names another one means something else. */
static bool runs_from(const char *name, const char *name_or_file) {
  struct sw_error error;
  char *answer;
  size_t length;
  if (!sw_config_is_file(name_or_file)) return true;
  if (access(name_or_file, F_OK) < 0) {
    fprintf(stderr, "saltway: cannot reload %s: %s\n", name_or_file, strerror(errno));
    return false;
  }
  if (sw_runtime_ask_status(name, &answer, &length, &error) != 0)
    return true; /* as reload will say */
  json_t *link = json_loadb(answer, length, 0, NULL);
  const char *file = json_string_value(json_object_get(link, "file"));
  const bool same = !file || sw_regular_file_same(file, name_or_file);
  if (!same)
    fprintf(
        stderr,
        "saltway: %s was started from %s, and does not read %s (reload it by its name; or stop it, "
        "and start it from that file)\n",
        name, file, name_or_file);
  json_decref(link);
  free(answer);
  return same;
}

int sw_cli_reload(int argc, char **argv) {
  char name[IFNAMSIZ];
  if (argc == 2 && argv[1][0] != '-' &&
      (sw_cli_name(argv[1], name) != 0 || !runs_from(name, argv[1])))
    return 1;
  const int fd = sw_cli_connect(argc, argv, name);
  if (fd < 0) return -fd;
  FILE *answer = fdopen(fd, "r");
  if (!answer) {
    fprintf(stderr, "saltway: no memory\n");
    close(fd);
    return 1;
  }
  (void)send(fd, "reload\n", 7, MSG_NOSIGNAL); /* if it fails, there is no answer */
  const int status = print_answer(answer, name);
  (void)fclose(answer); /* it was only read */
  return status;
}

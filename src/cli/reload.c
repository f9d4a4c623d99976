/*
 * saltway reload: has a running link read its configuration and its key file again, and prints what
 * has changed, or why nothing has.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/runtime.h"
#include "cli/cli.h"

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

int sw_cli_reload(int argc, char **argv) {
  if (argc != 2 || argv[1][0] == '-') {
    if (argc > 1 && argv[1][0] == '-') fprintf(stderr, "reload: unknown option %s\n", argv[1]);
    fprintf(stderr, "usage: saltway reload NAME|FILE\n");
    return 2;
  }
  struct sw_error error;
  char name[IFNAMSIZ];
  if (sw_cli_name(argv[1], name) != 0) return 1;
  const int fd = sw_runtime_connect(name, &error);
  if (fd < 0) {
    fprintf(stderr, "saltway: %s\n", error.text);
    return 1;
  }
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

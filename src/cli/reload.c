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
  char name[IFNAMSIZ];
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

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/runtime.h"
#include "cli/cli.h"

#define PATIENCE_S 30 /* PreDown hooks may take their time */
#define LOOK_MS 10

static time_t seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

int sw_cli_down(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: saltway down NAME\n");
    return 2;
  }
  struct sw_error error;
  const char *name = argv[1];
  const int fd = sw_runtime_connect(name, &error);
  if (fd < 0) {
    fprintf(stderr, "saltway: %s\n", error.text);
    return 1;
  }
  char answer[64];
  const bool told = write(fd, "down\n", 5) == 5 && read(fd, answer, sizeof(answer)) > 0;
  close(fd);
  if (!told) {
    fprintf(stderr, "saltway: %s does not answer on its control socket\n", name);
    return 1;
  }
  /* the socket goes last: then the interface is gone too */
  const time_t end = seconds() + PATIENCE_S;
  while (seconds() <= end) {
    const int again = sw_runtime_connect(name, &error);
    if (again < 0 && again != -EAGAIN) return 0;
    if (again >= 0) close(again);
    poll(NULL, 0, LOOK_MS);
  }
  fprintf(stderr, "saltway: %s has not stopped after %d s (a PreDown hook?)\n", name, PATIENCE_S);
  return 1;
}

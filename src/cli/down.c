#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/runtime.h"
#include "cli/cli.h"

#define PATIENCE_S 60 /* one PreDown hook may take 30 s */
#define LOOK_MS 10

static time_t seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec;
}

/* Waits until the control socket is gone, which a link removes last. */
static bool wait_gone(const char *name) {
  struct sw_error error;
  const time_t end = seconds() + PATIENCE_S;
  while (seconds() <= end) {
    const int fd = sw_runtime_connect(name, &error);
    if (fd < 0 && fd != -EAGAIN) return true;
    if (fd >= 0) close(fd);
    poll(NULL, 0, LOOK_MS);
  }
  return false;
}

int sw_cli_down(int argc, char **argv) {
  char name[IFNAMSIZ];
  const int fd = sw_cli_connect(argc, argv, name);
  if (fd < 0) return -fd;
  char answer[64];
  const bool told =
      send(fd, "down\n", 5, MSG_NOSIGNAL) == 5 && read(fd, answer, sizeof(answer)) > 0;
  close(fd);
  if (!told) {
    fprintf(stderr, "saltway: %s does not answer on its control socket\n", name);
    return 1;
  }
  if (wait_gone(name)) return 0;
  fprintf(stderr, "saltway: %s has not stopped after %d s (do its PreDown hooks take that long?)\n",
          name, PATIENCE_S);
  return 1;
}

#include "parent/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_TEXT 1024

void sw_notify(const char *state) {
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!path || strlen(path) >= sizeof(address.sun_path)) return;
  strcpy(address.sun_path, path);
  if (path[0] == '@') address.sun_path[0] = '\0'; /* the abstract namespace */
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
         (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
  close(fd);
}

uint64_t sw_notify_watchdog(void) {
  const char *whom = getenv("WATCHDOG_PID");
  const char *usec = getenv("WATCHDOG_USEC");
  if (!usec || (whom && strtoll(whom, NULL, 10) != getpid())) return 0;
  return strtoull(usec, NULL, 10) / 1000 / 2;
}

void sw_notify_status(const char *text) {
  char state[STATUS_TEXT];
  snprintf(state, sizeof(state), "STATUS=%s\n", text);
  sw_notify(state);
}

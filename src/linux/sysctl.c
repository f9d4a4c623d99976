#include "linux/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATH_BYTES 128
#define VALUE_BYTES 16

static int open_setting(const char *name, int mode) {
  char path[PATH_BYTES];
  if (snprintf(path, sizeof(path), "/proc/sys/%s", name) >= PATH_BYTES) return -ENAMETOOLONG;
  const int fd = open(path, mode | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int sw_sysctl_get(const char *name, int *value) {
  char text[VALUE_BYTES];
  const int fd = open_setting(name, O_RDONLY);
  if (fd < 0) return fd;
  const ssize_t length = read(fd, text, sizeof(text) - 1);
  const int code = errno;
  close(fd);
  if (length < 0) return -code;
  text[length] = '\0';
  *value = (int)strtol(text, NULL, 10);
  return 0;
}

int sw_sysctl_set(const char *name, int value) {
  const int fd = open_setting(name, O_WRONLY);
  if (fd < 0) return fd;
  const int code = dprintf(fd, "%d\n", value) < 0 ? errno : 0;
  close(fd);
  return -code;
}

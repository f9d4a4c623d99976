#include "base/write.h"

#include <errno.h>
#include <unistd.h>

int sw_write(int fd, const void *bytes, size_t size) {
  for (const char *next = bytes; size > 0;) {
    const ssize_t written = write(fd, next, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    next += written;
    size -= (size_t)written;
  }
  return 0;
}

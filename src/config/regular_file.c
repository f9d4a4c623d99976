#include "config/regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const char *kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFDIR:
    return "a directory";
  case S_IFIFO:
    return "a pipe";
  case S_IFCHR:
  case S_IFBLK:
    return "a device";
  default:
    return "not a regular file";
  }
}

int sw_regular_file_open(const char *file, struct stat *status, const char **kind) {
  *kind = NULL;
  const int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return -errno;
  int code = 0;
  if (fstat(descriptor, status) != 0) {
    code = errno;
  } else if (!S_ISREG(status->st_mode)) {
    *kind = kind_of(status->st_mode);
    code = EINVAL;
  }
  if (code == 0) return descriptor;
  close(descriptor);
  return -code;
}

bool sw_regular_file_same(const char *file, const char *other) {
  struct stat a, b;
  return stat(file, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

ssize_t sw_regular_file_read(int descriptor, void *bytes, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t count = read(descriptor, (char *)bytes + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return -errno;
    if (count == 0) break;
    done += (size_t)count;
  }
  return (ssize_t)done;
}

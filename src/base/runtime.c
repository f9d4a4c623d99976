#include "base/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 5

static int too_long(struct sw_error *error) {
  return sw_error_set(error, ENAMETOOLONG, NULL, "control: the runtime directory's path");
}

int sw_runtime_directory(char path[SW_RUNTIME_PATH], struct sw_error *error) {
  const char *given = getenv("RUNTIME_DIRECTORY");
  const char *user = getenv("XDG_RUNTIME_DIR");
  int length;
  if (given && *given)
    length = snprintf(path, SW_RUNTIME_PATH, "%.*s", (int)strcspn(given, ":"), given);
  else if (geteuid() == 0)
    length = snprintf(path, SW_RUNTIME_PATH, "/run/saltway");
  else if (user && *user)
    length = snprintf(path, SW_RUNTIME_PATH, "%s/saltway", user);
  else
    return sw_error_set(error, ENOENT, "set RUNTIME_DIRECTORY to a directory of yours",
                        "control: no runtime directory");
  return (size_t)length < SW_RUNTIME_PATH ? 0 : too_long(error);
}

int sw_runtime_socket(const char *name, char path[SW_RUNTIME_PATH], struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  const int failed = sw_runtime_directory(directory, error);
  if (failed) return failed;
  const int length = snprintf(path, SW_RUNTIME_PATH, "%s/%s%s", directory, name, SW_RUNTIME_SUFFIX);
  return (size_t)length < SW_RUNTIME_PATH ? 0 : too_long(error);
}

int sw_runtime_make(struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  const int failed = sw_runtime_directory(directory, error);
  if (failed) return failed;
  if (mkdir(directory, 0755) < 0 && errno != EEXIST)
    return sw_error_set(error, errno, "set RUNTIME_DIRECTORY to a directory of yours",
                        "control: cannot make %s", directory);
  return 0;
}

int sw_runtime_empty(char path[SW_RUNTIME_PATH], struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  int failed = sw_runtime_directory(directory, error);
  if (!failed) failed = sw_runtime_make(error);
  if (failed) return failed;
  const int length = snprintf(path, SW_RUNTIME_PATH, "%s/empty", directory);
  if ((size_t)length >= SW_RUNTIME_PATH) return too_long(error);
  if (mkdir(path, 0555) < 0 && errno != EEXIST)
    return sw_error_set(error, errno, NULL, "sandbox: cannot make %s", path);
  return 0;
}

int sw_runtime_connect(const char *name, struct sw_error *error) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int failed = sw_runtime_socket(name, address.sun_path, error);
  if (failed) return failed;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return sw_error_set(error, errno, NULL, "control: cannot open a socket");
  /* a daemon that runs a hook does not answer: nobody waits for it for ever */
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) return fd;
  const int code = errno;
  close(fd);
  if (code == ENOENT || code == ECONNREFUSED) {
    sw_error_set(error, 0, NULL, "%s is not up (no saltway answers at %s)", name, address.sun_path);
    return -code;
  }
  return sw_error_set(error, code,
                      code == EACCES   ? "only the user that runs the link, and root, may ask it"
                      : code == EAGAIN ? "the link is busy, with a hook?"
                                       : NULL,
                      "control: cannot connect to %s", address.sun_path);
}

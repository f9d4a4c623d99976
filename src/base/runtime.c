#include "base/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_S 5
#define ANSWER_MAX (1 << 20)
#define SET_DIRECTORY "set RUNTIME_DIRECTORY to a directory of yours"
#define OF_ROOT "if root runs it, ask as root"
#define ELSEWHERE "it may be up in another one: run this there, with ip netns exec or nsenter --net"

static int too_long(struct sw_error *error) {
  return sw_error_set(error, ENAMETOOLONG, NULL, "control: the runtime directory's path");
}

bool sw_runtime_of_user(void) {
  const char *given = getenv("RUNTIME_DIRECTORY");
  return geteuid() != 0 && !(given && *given);
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
    return sw_error_set(error, ENOENT, SET_DIRECTORY, "control: no runtime directory");
  return (size_t)length < SW_RUNTIME_PATH ? 0 : too_long(error);
}

/* Returns 0 if there is no /proc.  Links of all network namespaces then share their names. */
static uintmax_t namespace_number(void) {
  struct stat status;
  return stat("/proc/self/ns/net", &status) == 0 ? (uintmax_t)status.st_ino : 0;
}

int sw_runtime_path(const char *name, const char *suffix, char path[SW_RUNTIME_PATH],
                    struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  const int failed = sw_runtime_directory(directory, error);
  if (failed) return failed;
  const int length =
      snprintf(path, SW_RUNTIME_PATH, "%s/%s@%ju.%s", directory, name, namespace_number(), suffix);
  return (size_t)length < SW_RUNTIME_PATH ? 0 : too_long(error);
}

bool sw_runtime_is_socket(char *file) {
  char ours[64];
  char *end = strchr(file, '@');
  snprintf(ours, sizeof(ours), "@%ju." SW_RUNTIME_SOCKET, namespace_number());
  if (!end || end == file || strcmp(end, ours) != 0) return false;
  *end = '\0';
  return true;
}

int sw_runtime_make(struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  const int failed = sw_runtime_directory(directory, error);
  if (failed) return failed;
  if (mkdir(directory, 0755) < 0 && errno != EEXIST)
    return sw_error_set(error, errno, SET_DIRECTORY, "control: cannot make %s", directory);
  return 0;
}

/* ---- the empty directory ---- */

/* Nothing can be created in a directory that was removed. */
static int open_removed(void) {
  static const char *const templates[] = {"/tmp/saltway-XXXXXX", "/dev/shm/saltway-XXXXXX"};
  for (unsigned i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
    char path[32];
    snprintf(path, sizeof(path), "%s", templates[i]);
    if (!mkdtemp(path)) continue;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    rmdir(path);
    if (fd >= 0) return fd;
  }
  return -errno;
}

int sw_runtime_empty(struct sw_error *error) {
  char directory[SW_RUNTIME_PATH], path[SW_RUNTIME_PATH + sizeof("/empty")];
  struct stat status;
  int fd = -1;
  if (sw_runtime_directory(directory, error) == 0) {
    snprintf(path, sizeof(path), "%s/empty", directory);
    mkdir(path, 0555);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  }
  if (fd < 0) {
    fd = open_removed();
    return fd >= 0 ? fd
                   : sw_error_set(error, -fd, SET_DIRECTORY " that can be written to",
                                  "sandbox: cannot make an empty directory in the runtime "
                                  "directory, /tmp or /dev/shm");
  }
  if (fstat(fd, &status) == 0 && status.st_uid == 0 && !(status.st_mode & (S_IWGRP | S_IWOTH)))
    return fd;
  close(fd);
  return sw_error_set(error, EPERM, "chown root and chmod 755 it, or remove it",
                      "sandbox: %s can be written to by others than root", path);
}

/* ---- the control socket ---- */

/* Whether the link whose socket would be at `path` has one of another network namespace. */
static bool is_elsewhere(const char *path) {
  char pattern[SW_RUNTIME_PATH];
  glob_t found = {.gl_pathc = 0};
  const int length = (int)(strrchr(path, '@') - path);
  snprintf(pattern, sizeof(pattern), "%.*s@*." SW_RUNTIME_SOCKET, length, path);
  const bool here = access(path, F_OK) == 0;
  const bool elsewhere = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > here;
  globfree(&found);
  return elsewhere;
}

int sw_runtime_connect(const char *name, struct sw_error *error) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const int failed = sw_runtime_path(name, SW_RUNTIME_SOCKET, address.sun_path, error);
  if (failed) return failed;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return sw_error_set(error, errno, NULL, "control: cannot open a socket");
  /* a parent that is stopped does not answer, and nobody should wait for it for ever */
  const struct timeval patience = {.tv_sec = PATIENCE_S};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) return fd;
  const int code = errno;
  close(fd);
  if (code == ENOENT || code == ECONNREFUSED) {
    sw_error_set(error, 0,
                 is_elsewhere(address.sun_path) ? ELSEWHERE
                 : sw_runtime_of_user()         ? OF_ROOT
                                                : NULL,
                 "%s is not up in this network namespace: no saltway answers at %s", name,
                 address.sun_path);
    return -code;
  }
  return sw_error_set(error, code,
                      code == EACCES   ? "only the user that runs the link, and root, may ask it"
                      : code == EAGAIN ? "too many others are asking; try again"
                                       : NULL,
                      "control: cannot connect to %s", address.sun_path);
}

int sw_runtime_ask_status(const char *name, char **answer, size_t *length, struct sw_error *error) {
  static const char request[] = "status\n";
  const int fd = sw_runtime_connect(name, error);
  if (fd < 0) return fd;
  *answer = malloc(ANSWER_MAX);
  *length = 0;
  if (*answer && send(fd, request, strlen(request), MSG_NOSIGNAL) == (ssize_t)strlen(request)) {
    ssize_t got;
    while (*length < ANSWER_MAX && (got = read(fd, *answer + *length, ANSWER_MAX - *length)) > 0)
      *length += (size_t)got;
  }
  close(fd);
  if (*answer && *length > 0) return 0;
  free(*answer);
  sw_error_set(error, 0, NULL, "%s does not answer on its control socket", name);
  return -EAGAIN;
}

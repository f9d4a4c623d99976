#include "parent/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/runtime.h"
#include "config/config.h"

/* a configuration of "%i" and nothing else */
#define RECORD_BYTES_MAX ((off_t)SW_CONFIG_FILE_MAX * (IFNAMSIZ / 2))

/* Whether nobody but this user, and root, may change it. */
static bool is_ours(const struct stat *status) {
  return (status->st_uid == geteuid() || status->st_uid == 0) &&
         !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static int check_directory(struct sw_error *error) {
  char directory[SW_RUNTIME_PATH];
  struct stat status;
  const int failed = sw_runtime_directory(directory, error);
  if (failed) return failed;
  if (stat(directory, &status) < 0)
    return sw_error_set(error, errno, NULL, "cannot use %s", directory);
  if (is_ours(&status)) return 0;
  return sw_error_set(error, EPERM, "set RUNTIME_DIRECTORY to a directory of yours",
                      "others may write to %s", directory);
}

int sw_undo_write(const char *name, const char *suffix, const char *lines, struct sw_error *error) {
  char path[SW_RUNTIME_PATH];
  int failed = check_directory(error);
  if (!failed) failed = sw_runtime_path(name, suffix, path, error);
  if (failed) return failed;
  unlink(path);
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return sw_error_set(error, errno, NULL, "cannot make %s", path);
  const size_t length = strlen(lines);
  errno = ENOSPC; /* of a short write */
  const bool written = write(fd, lines, length) == (ssize_t)length;
  const int code = errno;
  close(fd);
  if (written) return 0;
  unlink(path);
  return sw_error_set(error, code, NULL, "cannot write %s", path);
}

/* Reads the whole lines: what is cut off must not be done. */
static int read_lines(int fd, const char *path, size_t size, char **lines, struct sw_error *error) {
  char *text = malloc(size + 1);
  if (!text) return sw_error_set(error, ENOMEM, NULL, "cannot read %s", path);
  const ssize_t length = read(fd, text, size);
  if (length < 0) {
    free(text);
    return sw_error_set(error, errno, NULL, "cannot read %s", path);
  }
  text[length] = '\0';
  char *end = strrchr(text, '\n');
  *(end ? end : text) = '\0';
  *lines = text;
  return 0;
}

static int read_if_ours(int fd, const char *path, char **lines, struct sw_error *error) {
  struct stat status;
  if (fstat(fd, &status) < 0) return sw_error_set(error, errno, NULL, "cannot read %s", path);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid() || !is_ours(&status) ||
      status.st_nlink != 1 || status.st_size > RECORD_BYTES_MAX)
    return sw_error_set(error, EPERM, "look at it and remove it",
                        "others may have written %s; nothing of it is undone", path);
  return read_lines(fd, path, (size_t)status.st_size, lines, error);
}

int sw_undo_read(const char *name, const char *suffix, char **lines, struct sw_error *error) {
  char path[SW_RUNTIME_PATH];
  *lines = NULL;
  int failed = sw_runtime_path(name, suffix, path, error);
  if (failed) return failed;
  const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0 && errno == ENOENT) return 0;
  if (fd < 0) return sw_error_set(error, errno, NULL, "cannot read %s", path);
  failed = check_directory(error);
  if (!failed) failed = read_if_ours(fd, path, lines, error);
  close(fd);
  return failed;
}

void sw_undo_remove(const char *name, const char *suffix) {
  char path[SW_RUNTIME_PATH];
  struct sw_error error;
  if (sw_runtime_path(name, suffix, path, &error) == 0) unlink(path);
}

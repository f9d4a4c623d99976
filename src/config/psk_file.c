#include "config/psk_file.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "config/regular_file.h"

#define FILE_MAX 4096 /* bytes: two keys and some comments */

#define KEY_LENGTH (SW_PSK_TEXT - 1)

#define BLANKS " \t"
#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* editors of Windows write it before the first line */

static const char one_line[] = "a key is one line of 44 characters of base64";
static const char make_another[] = "copy the whole key, or make one for both ends: saltway genkey";

/* Returns the file's name as a word for a shell, or FILE if it is too long: a command that people paste must
 * not mean another file. */
static const char *quote(const char *file, char word[SW_ERROR_TEXT / 4]) {
  static const char plain[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=.,:/@%";
  const size_t most =
      SW_ERROR_TEXT / 4 - 6; /* of which the last may be four, then "'" and a zero */
  size_t at = 0;
  if (file[strspn(file, plain)] == '\0') return strlen(file) < most ? file : "FILE";
  word[at++] = '\'';
  for (; *file != '\0' && at < most; file++)
    if (*file == '\'')
      at += (size_t)sprintf(word + at, "'\\''");
    else
      word[at++] = *file;
  word[at++] = '\'';
  word[at] = '\0';
  return *file == '\0' ? word : "FILE";
}

/* Who mounts a secret into a container gives it the mode, and nobody can change it there. */
static bool is_read_only(int descriptor) {
  struct statvfs status;
  return fstatvfs(descriptor, &status) == 0 && (status.f_flag & ST_RDONLY);
}

/* The group of root may read it: so secrets of systemd and of Kubernetes are mounted. */
static int check_access(const char *file, int descriptor, const struct stat *status,
                        struct sw_error *error) {
  const mode_t readers = (status->st_gid != 0 ? S_IRGRP : 0) | S_IROTH;
  const mode_t writers = S_IWGRP | S_IWOTH;
  const bool written = status->st_mode & writers, read = status->st_mode & readers;
  char fix[SW_ERROR_TEXT / 2], word[SW_ERROR_TEXT / 4];
  if (written || (read && !is_read_only(descriptor))) {
    snprintf(fix, sizeof(fix), "fix: chmod 600 %s", quote(file, word));
    return sw_error_set(error, 0, fix, "key file %s can be %s by others (mode %04o)", file,
                        read ? "read" : "written", status->st_mode & 07777U);
  }
  if (status->st_uid != 0 && status->st_uid != geteuid()) {
    snprintf(fix, sizeof(fix), "fix: chown %u %s", geteuid(), quote(file, word));
    return sw_error_set(error, 0, fix, "key file %s belongs to user %u, who can read the key", file,
                        status->st_uid);
  }
  if (read)
    sw_error_set(error, 0, "mount it with mode 0400",
                 "key file %s can be read by others (mode %04o); it is used, as it is on a file "
                 "system that is mounted read-only",
                 file, status->st_mode & 07777U);
  return 0;
}

static int decode(const char *file, unsigned line, const char *text, size_t length,
                  struct sw_psk *psk, struct sw_error *error) {
  if (strcspn(text, BLANKS) < length)
    return sw_error_set(error, 0, "write a comment on a line of its own, which starts with #",
                        "key file %s: line %u holds more than a key", file, line);
  if (length == 2 * (size_t)KEY_LENGTH && text[KEY_LENGTH - 1] == '=' && text[length - 1] == '=')
    return sw_error_set(error, 0, "write a line end between them",
                        "key file %s: line %u has two keys", file, line);
  size_t padding = 0;
  while (padding < length && text[length - 1 - padding] == '=') padding++;
  switch (sw_psk_decode(text, length, psk)) {
  case 0:
    return 0;
  case -EKEYREJECTED:
    return sw_error_set(error, 0, "make one for both ends: saltway genkey",
                        "key file %s: line %u is a key whose bytes are all the same", file, line);
  case -EMSGSIZE:
    return sw_error_set(error, 0, make_another,
                        "key file %s: line %u has %zu characters that decode to %zu bytes, but a "
                        "key has %d characters that decode to %d",
                        file, line, length, length * 3 / 4 - padding, KEY_LENGTH, SW_PSK_BYTES);
  default:
    if (length != KEY_LENGTH)
      return sw_error_set(error, 0, make_another,
                          "key file %s: line %u has %zu characters, but a key has %d", file, line,
                          length, KEY_LENGTH);
    return sw_error_set(error, 0, make_another, "key file %s: line %u is not base64", file, line);
  }
}

/* Appends the key on a line.  `lines` holds those of the keys before. */
static int add(const char *file, unsigned line, const char *text, size_t length,
               struct sw_psks *psks, unsigned lines[SW_PSKS_MAX], struct sw_error *error) {
  if (psks->count == SW_PSKS_MAX)
    return sw_error_set(error, 0, "remove the oldest key, or what is no key",
                        "key file %s: line %u follows the second key, but a link has two at most",
                        file, line);
  struct sw_psk *psk = &psks->keys[psks->count];
  const int failed = decode(file, line, text, length, psk, error);
  if (failed) return failed;
  for (unsigned i = 0; i < psks->count; i++)
    if (sodium_memcmp(&psks->keys[i], psk, sizeof(*psk)) == 0)
      return sw_error_set(error, 0, "remove one of them, or make a new key: saltway genkey",
                          "key file %s: lines %u and %u are the same key", file, lines[i], line);
  lines[psks->count++] = line;
  return 0;
}

/* Cuts up `text`. */
static int parse(const char *file, char *text, struct sw_psks *psks, struct sw_error *error) {
  unsigned line = 0, lines[SW_PSKS_MAX] = {0};
  if (strncmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) text += strlen(BYTE_ORDER_MARK);
  for (char *rest = text, *start; (start = strsep(&rest, "\n")) != NULL;) {
    line++;
    start += strspn(start, BLANKS);
    size_t length = strlen(start);
    while (length > 0 && strchr(BLANKS "\r", start[length - 1])) start[--length] = '\0';
    if (length == 0 || start[0] == '#') continue;
    const int failed = add(file, line, start, length, psks, lines, error);
    if (failed) return failed;
  }
  if (psks->count == 0)
    return sw_error_set(error, 0, make_another, "key file %s holds no key", file);
  return 0;
}

static int read_and_parse(const char *file, int descriptor, struct sw_psks *psks,
                          struct sw_error *error) {
  char *text = sodium_malloc(FILE_MAX + 1);
  if (!text) return sw_error_set(error, errno, NULL, "key file %s: no locked memory", file);
  const ssize_t size = sw_regular_file_read(descriptor, text, FILE_MAX + 1);
  int result;
  if (size < 0) {
    result = sw_error_set(error, (int)-size, NULL, "cannot read key file %s", file);
  } else if (size == 0) {
    result = sw_error_set(error, 0, make_another, "key file %s is empty", file);
  } else if (size > FILE_MAX) {
    result =
        sw_error_set(error, 0, one_line, "key file %s is longer than %d bytes", file, FILE_MAX);
  } else if (memchr(text, '\0', (size_t)size)) {
    result = sw_error_set(error, 0, one_line, "key file %s is not a text file", file);
  } else {
    text[size] = '\0';
    result = parse(file, text, psks, error);
  }
  sodium_free(text); /* wipes */
  return result;
}

int sw_psk_file_read(const char *file, struct sw_psks *psks, struct sw_error *error) {
  sodium_memzero(psks, sizeof(*psks));
  error->text[0] = '\0';
  struct stat status;
  const char *kind;
  const int descriptor = sw_regular_file_open(file, &status, &kind);
  int result;
  if (descriptor < 0) {
    char fix[SW_ERROR_TEXT / 2], word[SW_ERROR_TEXT / 4];
    snprintf(fix, sizeof(fix),
             "copy it from the other side; or make one for both: umask 077; saltway genkey > %s",
             quote(file, word));
    if (kind)
      result = sw_error_set(error, 0, "keep the key in a file of its own", "key file %s is %s",
                            file, kind);
    else
      result = sw_error_set(error, -descriptor, descriptor == -ENOENT ? fix : NULL,
                            "cannot open key file %s", file);
  } else {
    result = check_access(file, descriptor, &status, error);
    if (result == 0) result = read_and_parse(file, descriptor, psks, error);
    close(descriptor);
  }
  if (result != 0) sodium_memzero(psks, sizeof(*psks));
  return result;
}

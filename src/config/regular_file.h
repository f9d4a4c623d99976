/*
 * Reads a file that a user named and that may be something else: a directory, a pipe, a device.
 * What is checked is the open descriptor, so that it cannot be replaced in between.
 */
#ifndef SALTWAY_CONFIG_REGULAR_FILE_H
#define SALTWAY_CONFIG_REGULAR_FILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/** Opens a regular file for reading and fills `status` (fstat(2)).  Returns the descriptor, which
 * the caller closes, or a negative errno.  `kind` becomes NULL; if the file is not a regular one,
 * -EINVAL is returned and `kind` says what it is ("a directory").  Never blocks. */
int sw_regular_file_open(const char *file, struct stat *status, const char **kind);

/** Whether both paths lead to one file.  False if one of them leads to none. */
bool sw_regular_file_same(const char *file, const char *other);

/** Reads until `bytes` has `size` bytes or the file ends.  Returns the number of bytes read, or a
 * negative errno. */
ssize_t sw_regular_file_read(int descriptor, void *bytes, size_t size);

#endif

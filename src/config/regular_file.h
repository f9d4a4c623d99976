/*
 * Opening a file the user named, without trusting that it is one: what is checked is what is read.
 */
#ifndef SALTWAY_CONFIG_REGULAR_FILE_H
#define SALTWAY_CONFIG_REGULAR_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

/** Opens a regular file for reading and fills `status` with what fstat says of it.  Returns the
 * descriptor, which the caller closes, or a negative errno; if the name is that of something else,
 * -EINVAL, and `kind` says what it is ("a directory"), else `kind` is NULL.  Never blocks. */
int sw_regular_file_open(const char *file, struct stat *status, const char **kind);

/** Reads until `size` bytes are there or the file ends.  Returns their number, or a negative
 * errno. */
ssize_t sw_regular_file_read(int descriptor, void *bytes, size_t size);

#endif

/*
 * Writing without a buffer, for bytes that may be a key.
 */
#ifndef SALTWAY_BASE_WRITE_H
#define SALTWAY_BASE_WRITE_H

#include <stddef.h>

/** Writes all of the bytes.  Returns 0, or a negative errno after some of them. */
int sw_write(int fd, const void *bytes, size_t size);

#endif

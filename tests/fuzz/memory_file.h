/* A file in memory that can be opened by name. */
#ifndef SALTWAY_FUZZ_MEMORY_FILE_H
#define SALTWAY_FUZZ_MEMORY_FILE_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/** Makes the file with this descriptor. Its name is /proc/self/fd/DESCRIPTOR; only its owner can
 * read it. */
static inline void memory_file_make(int descriptor) {
  const int made = memfd_create("fuzz", 0);
  if (made < 0 || fchmod(made, 0600) < 0 || dup2(made, descriptor) < 0) abort();
  close(made);
}

static inline void memory_file_write(int descriptor, const void *bytes, size_t size) {
  if (ftruncate(descriptor, 0) < 0 || pwrite(descriptor, bytes, size, 0) != (ssize_t)size) abort();
}

#endif

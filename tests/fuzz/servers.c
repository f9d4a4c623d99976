/*
 * A resolv.conf(5).  What is read of it are addresses with the port of name servers, and no more than
 * there is room for.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "resolver/servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct sw_address servers[SW_SERVERS_MAX];
  char file[40];
  const int fd = memfd_create("resolv.conf", MFD_CLOEXEC);
  assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
  snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
  const unsigned count = sw_servers_read(file, servers);
  assert(count <= SW_SERVERS_MAX);
  for (unsigned i = 0; i < count; i++) assert(servers[i].port == 53 && servers[i].scope == 0);
  close(fd);
  return 0;
}

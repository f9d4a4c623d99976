#include "linux/netns.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DIRECTORY "/run/netns/" /* of ip-netns(8) */
#define OWN "/proc/thread-self/ns/net"

int sw_netns_open(const char *name_or_path, struct sw_error *error) {
  char path[PATH_MAX];
  snprintf(path, sizeof(path), "%s%s", strchr(name_or_path, '/') ? "" : DIRECTORY, name_or_path);
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd >= 0) return fd;
  return sw_error_set(
      error, errno,
      errno == ENOENT ? "ip netns shows those that have a name; ip netns add makes one" : NULL,
      "netns: cannot open %s", path);
}

int sw_netns_enter(int netns, struct sw_error *error) {
  const int before = open(OWN, O_RDONLY | O_CLOEXEC);
  if (before < 0)
    return sw_error_set(error, errno, errno == ENOENT ? "mount /proc" : NULL,
                        "netns: cannot open " OWN);
  if (setns(netns, CLONE_NEWNET) == 0) return before;
  const int code = errno;
  close(before);
  return sw_error_set(error, code,
                      code == EPERM
                          ? "NetNS needs CAP_SYS_ADMIN; for the systemd unit see NetNS in "
                            "saltway.conf(5)"
                      : code == EINVAL ? "the file is not a network namespace"
                                       : NULL,
                      "netns: cannot enter the network namespace");
}

void sw_netns_leave(int before) {
  const int failed = setns(before, CLONE_NEWNET);
  assert(failed == 0); /* nothing may go on in the wrong one */
  close(before);
}

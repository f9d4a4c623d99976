/*
 * A library for LD_PRELOAD that makes the kernel seem to lack the feature that $KERNEL_LACKS names.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define USO 0x60 /* TUN_F_USO4 and TUN_F_USO6, Linux 6.2 */

static bool lacks(const char *what) {
  const char *given = getenv("KERNEL_LACKS");
  return given && strcmp(given, what) == 0;
}

static int refuse(int code) {
  errno = code;
  return -1;
}

int ioctl(int fd, unsigned long request, ...) {
  int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (request == TUNSETOFFLOAD && lacks("uso") && (unsigned long)argument & USO)
    return refuse(EINVAL);
  if (request == TUNSETIFF && lacks("vnet") && ((struct ifreq *)argument)->ifr_flags & IFF_VNET_HDR)
    return refuse(EINVAL);
  return real(fd, request, argument);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  int (*real)(int, int, int, void *, socklen_t *) = dlsym(RTLD_NEXT, "getsockopt");
  if (level == SOL_UDP && name == UDP_SEGMENT && lacks("gso")) return refuse(ENOPROTOOPT);
  return real(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
  if (level == SOL_UDP && name == UDP_GRO && lacks("gro")) return refuse(ENOPROTOOPT);
  return real(fd, level, name, value, size);
}

long syscall(long number, ...) {
  long (*real)(long, ...) = dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (unsigned i = 0; i < 6; i++) a[i] = va_arg(arguments, long);
  va_end(arguments);
  if (number == SYS_close_range && lacks("close_range")) return refuse(ENOSYS);
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static bool is_segmented(const struct msghdr *message) {
  struct msghdr copy = *message;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c))
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT) return true;
  return false;
}

/* "checksums": a network device that computes none, for which the kernel cannot segment */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  int (*real)(int, struct mmsghdr *, unsigned, int) = dlsym(RTLD_NEXT, "sendmmsg");
  unsigned whole = 0;
  while (whole < count && !is_segmented(&messages[whole].msg_hdr)) whole++;
  if (whole == count || !lacks("checksums")) return real(fd, messages, count, flags);
  return whole > 0 ? real(fd, messages, whole, flags) : refuse(EIO);
}

#include "linux/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"

static const char *open_fix(int code) {
  switch (code) {
  case ENOENT:
    return "is the tun module loaded? try: modprobe tun; in a container: pass the device, --device " DEVICE;
  case ENODEV:
  case ENXIO:
    return "the kernel has no TUN driver loaded; try: modprobe tun";
  case EACCES:
  case EPERM:
    return "run as root, or let users open it: chmod 0666 " DEVICE
           "; making devices still needs CAP_NET_ADMIN";
  case EMFILE:
  case ENFILE:
    return "too many open files; raise the limit: ulimit -n";
  }
  return NULL;
}

/* What to do about a TUNSETIFF that failed; `exists`: there is an interface of this name. */
static const char *attach_fix(int code, bool exists) {
  switch (code) {
  case EPERM:
    return exists ? "the device belongs to another user: ip tuntap show"
                  : "making a device needs CAP_NET_ADMIN: run as root, or use one made for you: "
                    "ip tuntap add mode tun dev %s user USER";
  case EBUSY:
    return "another program has the device open: ip -d link show %s";
  case EINVAL:
    return exists ? "an interface of this name exists and is not a TUN device, or is a multi-queue "
                    "one: ip -d link show %s"
                  : "it is not a name for an interface";
  }
  return NULL;
}

static int attach_error(int code, bool exists, const char *name, struct sw_error *error) {
  char fix[256];
  const char *format = attach_fix(code, exists);
  const char *place = format ? strstr(format, "%s") : NULL;
  if (place) snprintf(fix, sizeof(fix), "%.*s%s%s", (int)(place - format), format, name, place + 2);
  return sw_error_set(error, code, place ? fix : format, "tun: cannot use the interface %s", name);
}

int sw_tun_open(struct sw_tun *tun, const char *name, struct sw_error *error) {
  *tun = (struct sw_tun){.fd = -1};
  if (strlen(name) >= IFNAMSIZ)
    return sw_error_set(error, ENAMETOOLONG, "an interface's name has at most 15 characters",
                        "tun: %s", name);
  const bool exists = if_nametoindex(name) != 0;
  const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return sw_error_set(error, errno, open_fix(errno), "tun: cannot open " DEVICE);
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, name);
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    const int code = errno;
    close(fd);
    return attach_error(code, exists, name, error);
  }
  tun->fd = fd;
  strcpy(tun->name, request.ifr_name);
  tun->index = if_nametoindex(tun->name);
  tun->persistent = ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_PERSIST);
  return 0;
}

ssize_t sw_tun_read(const struct sw_tun *tun, void *packet, size_t size) {
  for (;;) {
    const ssize_t length = read(tun->fd, packet, size);
    if (length >= 0) return length;
    if (errno != EINTR) return -errno;
  }
}

int sw_tun_write(const struct sw_tun *tun, const void *packet, size_t length) {
  for (;;) {
    if (write(tun->fd, packet, length) >= 0) return 0;
    if (errno != EINTR) return -errno;
  }
}

void sw_tun_close(struct sw_tun *tun) {
  if (tun->fd >= 0) close(tun->fd);
  tun->fd = -1;
}

/*
 * A TUN device (Linux Documentation/networking/tuntap.rst): the link's interface.
 *
 * The caller owns the descriptor and closes it with sw_tun_close; a device that sw_tun_open made
 * goes with it, one that was there before (`ip tuntap add`) stays.  One thread may read, one write.
 */
#ifndef SALTWAY_LINUX_TUN_H
#define SALTWAY_LINUX_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct sw_tun {
  int fd; /* non-blocking, close-on-exec; -1: closed */
  unsigned index;
  char name[IFNAMSIZ];
  bool persistent; /* the device was made by somebody else and stays */
};

/** Opens the TUN device `name`, making it if there is none.  Returns 0, or a negative errno with
 * the cause and the fix in `error`. */
int sw_tun_open(struct sw_tun *tun, const char *name, struct sw_error *error);

/** Reads one packet into `packet`.  Returns its length, or a negative errno: -EAGAIN if there is
 * none, -EBADFD if the device was deleted.  A packet larger than `size` is cut short by the kernel:
 * give at least the interface's MTU. */
ssize_t sw_tun_read(const struct sw_tun *tun, void *packet, size_t size);

/** Injects one IP packet.  Returns 0 or a negative errno: -EAGAIN, -EIO if the interface is down,
 * -EINVAL if the kernel does not take it for an IP packet, -EBADFD if the device was deleted. */
int sw_tun_write(const struct sw_tun *tun, const void *packet, size_t length);

void sw_tun_close(struct sw_tun *tun);

#endif

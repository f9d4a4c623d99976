/*
 * A TUN device (Linux Documentation/networking/tuntap.rst): the link's interface.
 *
 * With offloads it hands over and takes super-packets (TSO, USO) and packets whose checksum is
 * partial, each with a struct virtio_net_hdr in front.  The caller owns the descriptor and closes
 * it with sw_tun_close; a device that sw_tun_open made goes with it, one that was there before (`ip
 * tuntap add`) stays.  One thread may read, one write.
 */
#ifndef SALTWAY_LINUX_TUN_H
#define SALTWAY_LINUX_TUN_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "saltway/offload.h"

/* bytes in front of a packet that are used while it is read or written */
#define SW_TUN_HEADROOM 10

struct sw_tun {
  int fd; /* non-blocking, close-on-exec; -1: closed */
  unsigned index;
  char name[IFNAMSIZ];
  bool persistent; /* the device was made by somebody else and stays */
  bool offload;    /* super-packets of TCP and partial checksums, both ways */
  bool udp;        /* super-packets of UDP too (Linux 6.2 and later) */
};

/** Opens the TUN device `name`, making it if there is none; with offloads if they are asked for and
 * the kernel has them.  Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_tun_open(struct sw_tun *tun, const char *name, bool offload, struct sw_error *error);

/** Reads one packet into `packet`, and what is said of it.  Returns its length, or a negative
 * errno: -EAGAIN if there is none, -EBADFD if the device was deleted.  A packet larger than `size`
 * is cut short by the kernel: give 65535 bytes. */
ssize_t sw_tun_read(const struct sw_tun *tun, uint8_t *packet, size_t size,
                    struct sw_offload *offload);

/** Injects one IP packet; `offload` says nothing (all zero) if the device has no offloads.  Returns
 * 0 or a negative errno: -EAGAIN, -EIO if the interface is down, -EINVAL if the kernel does not
 * take it for an IP packet or what is said of it for true, -EBADFD if the device was deleted. */
int sw_tun_write(const struct sw_tun *tun, uint8_t *packet, size_t length,
                 const struct sw_offload *offload);

void sw_tun_close(struct sw_tun *tun);

#endif

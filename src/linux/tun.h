/*
 * The link's interface: a TUN device (Linux Documentation/networking/tuntap.rst).
 *
 * With offloads, packets may be super-packets (TSO, USO) and may have a partial checksum; each has a
 * struct virtio_net_hdr in front.  The caller owns the descriptor and closes it with sw_tun_close.  A
 * device that sw_tun_open has made disappears then; one that existed before (`ip tuntap add`) stays.
 * One thread may read while another writes.
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

/** Bytes in front of a packet that are overwritten when it is read or written. */
#define SW_TUN_HEADROOM 10

struct sw_tun {
  int fd; /* non-blocking, close-on-exec; -1: closed */
  unsigned index;
  char name[IFNAMSIZ];
  bool persistent; /* the device existed before and stays */
  bool offload;    /* packets may be TCP super-packets and have partial checksums */
  bool udp;        /* packets may be UDP super-packets (Linux 6.2 and later) */
};

/** Opens the TUN device `name`, and makes it if it does not exist.  With `offload` it uses the
 * offloads that the kernel has.  Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_tun_open(struct sw_tun *tun, const char *name, bool offload, struct sw_error *error);

/** Opens the driver's node and closes it: whether the kernel has TUN devices, and this process may use
 * them.  Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_tun_probe(struct sw_error *error);

/** Reads a packet into `packet`, and its description into `offload`.  Returns the packet's length, or
 * a negative errno: -EAGAIN if there is none, -EBADFD if the device was deleted.  The kernel
 * truncates a packet longer than `size`: give 65535 bytes. */
ssize_t sw_tun_read(const struct sw_tun *tun, uint8_t *packet, size_t size,
                    struct sw_offload *offload);

/** Writes an IP packet, which the host then receives on the interface.  `offload` describes it, and is
 * all zero if the device has no offloads.  Returns 0 or a negative errno: -EAGAIN; -EIO if the
 * interface is down; -EINVAL if the kernel finds that it is no IP packet, or not as described;
 * -EBADFD if the device was deleted. */
int sw_tun_write(const struct sw_tun *tun, uint8_t *packet, size_t length,
                 const struct sw_offload *offload);

void sw_tun_close(struct sw_tun *tun);

#endif

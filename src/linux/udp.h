/*
 * The link's UDP socket: one port, IPv4 and IPv6, whole batches a system call (udp(7)).
 *
 * The socket is an IPv6 one that carries IPv4 too; where the host has no IPv6 it is an IPv4 one.
 * Callers see IPv4-mapped addresses either way.  The caller owns the descriptor and closes it with
 * sw_udp_close.  One thread may send, one receive.
 */
#ifndef SALTWAY_LINUX_UDP_H
#define SALTWAY_LINUX_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "saltway/address.h"

/* most runs of one system call */
#define SW_UDP_BATCH 64

/* most datagrams of a run, and bytes: what every kernel since 4.18 takes (above 65,473 bytes IPv6
 * would be cut in software) */
#define SW_UDP_SEGMENTS 64
#define SW_UDP_RUN 65473

/* room for one run, the largest there is */
#define SW_UDP_BUFFER 65536

struct sw_udp {
  int fd;           /* non-blocking, close-on-exec; -1: closed */
  bool v4;          /* an IPv4 socket */
  bool gso;         /* runs are sent whole (UDP_SEGMENT) */
  bool gso_refused; /* one was refused: the device can't (for good), or the path is too small (now)
                     */
  bool gro;         /* runs are received whole (UDP_GRO) */
  uint16_t port;    /* bound to */
};

/** A run of datagrams, one behind the other: each `segment` bytes long, but the last, which may be
 * shorter.  A single datagram is a run whose segment is its length. */
struct sw_run {
  uint8_t *bytes;
  size_t length;
  size_t segment;
  struct sw_address peer; /* from or to */
  bool truncated;         /* received: there was more */
};

/** Opens and binds the socket to `port` (0: any) and marks what it sends with `fwmark` (0: not;
 * needs CAP_NET_ADMIN); `offload`: with GSO and GRO where the kernel has them.  Returns 0, or a
 * negative errno with the cause and the fix in `error`. */
int sw_udp_open(struct sw_udp *udp, uint16_t port, uint32_t fwmark, bool offload,
                struct sw_error *error);

void sw_udp_close(struct sw_udp *udp);

/** Sends the runs in order.  Returns how many were sent whole; of the next one, what was sent is
 * taken off its front.  Or a negative errno that is about the first: -EAGAIN if the socket's buffer
 * is full, -EAFNOSUPPORT for an IPv6 peer of a host without IPv6.  A run that the kernel refuses
 * for being one is sent datagram by datagram; where the device can't (EIO), so are all after it. */
int sw_udp_send(struct sw_udp *udp, struct sw_run *runs, unsigned count);

/** Receives up to `count` runs, each into `bytes` with `length` bytes of room, which becomes its
 * length.  `overflows` becomes how many datagrams the kernel has dropped for want of buffer, if it
 * tells.  Returns how many runs, or a negative errno: -EAGAIN if there are none. */
int sw_udp_receive(const struct sw_udp *udp, struct sw_run *runs, unsigned count,
                   uint32_t *overflows);

/** Takes one report of the network (ICMP) off the socket: about which address, and the errno it
 * stands for.  Returns 0, or -EAGAIN if there is none.  Reports can be forged. */
int sw_udp_error(const struct sw_udp *udp, struct sw_address *about, int *code);

#endif

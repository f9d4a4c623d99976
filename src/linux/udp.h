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

#include "error.h"
#include "saltway/address.h"

/* most datagrams of one system call */
#define SW_UDP_BATCH 64

/* room for one datagram, the largest there is */
#define SW_UDP_BUFFER 65536

struct sw_udp {
  int fd;        /* non-blocking, close-on-exec; -1: closed */
  bool v4;       /* an IPv4 socket */
  uint16_t port; /* bound to */
};

struct sw_datagram {
  uint8_t *bytes;
  size_t length;
  struct sw_address peer; /* from or to */
  bool truncated;         /* received: it was longer than `length` */
};

/** Opens and binds the socket to `port` (0: any) and marks what it sends with `fwmark` (0: not;
 * needs CAP_NET_ADMIN).  Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_udp_open(struct sw_udp *udp, uint16_t port, uint32_t fwmark, struct sw_error *error);

void sw_udp_close(struct sw_udp *udp);

/** Sends the datagrams in order.  Returns how many were sent, at least 1, or a negative errno that
 * is about the first: -EAGAIN if the socket's buffer is full. */
int sw_udp_send(const struct sw_udp *udp, const struct sw_datagram *datagrams, unsigned count);

/** Receives up to `count` datagrams, each into `bytes` with `length` bytes of room, which becomes
 * its length.  Returns how many, or a negative errno: -EAGAIN if there are none. */
int sw_udp_receive(const struct sw_udp *udp, struct sw_datagram *datagrams, unsigned count,
                   uint64_t *overflows);

/** Takes one report of the network (ICMP) off the socket: about which address, and the errno it
 * stands for.  Returns 0, or -EAGAIN if there is none.  Reports can be forged. */
int sw_udp_error(const struct sw_udp *udp, struct sw_address *about, int *code);

#endif

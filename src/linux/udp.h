/*
 * The link's UDP socket: one port for IPv4 and IPv6, and many datagrams a system call (udp(7)).
 *
 * The socket is an IPv6 socket that carries IPv4, too.  On a host without IPv6 it is an IPv4 socket.
 * Callers see IPv4-mapped addresses either way.  The caller owns the descriptor and closes it with
 * sw_udp_close.  One thread uses the socket.
 */
#ifndef SALTWAY_LINUX_UDP_H
#define SALTWAY_LINUX_UDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "saltway/address.h"

/** Most runs that one call receives, and most messages of one system call. */
#define SW_UDP_BATCH 64

/** Most datagrams and most bytes in a run that is sent.  Every kernel since 4.18 takes them; above
 * 65,473 bytes an IPv6 run is segmented in software. */
#define SW_UDP_SEGMENTS 64
#define SW_UDP_RUN 65473

/** Room for the longest run that can arrive. */
#define SW_UDP_BUFFER 65536

/** Bytes of memory for what was sent and has not left the host, as the kernel counts them, at the
 * start.  Small, so that a slow line is noticed before a queue of this host is full. */
#define SW_UDP_BUFFER_SENT (64 << 10)

struct sw_udp {
  int fd;           /* non-blocking, close-on-exec; -1: closed */
  bool v4;          /* an IPv4 socket */
  bool gso;         /* the kernel segments runs (UDP_SEGMENT) */
  bool gso_refused; /* it has refused a run: the device cannot, or the path's MTU is too small */
  bool gro;         /* the kernel coalesces datagrams into runs (UDP_GRO) */
  bool reports;     /* the network's reports are asked for: sw_udp_reports_set */
  bool fragment;    /* datagrams may be fragmented on the way, unless their run is `whole` */
  bool whole;       /* what the socket is set to now: nothing is fragmented */
  uint16_t port;    /* the local port */
};

/** A run: datagrams back to back, each `segment` bytes long; the last may be shorter.  A
 * single datagram is a run whose segment is its length. */
struct sw_run {
  uint8_t *bytes;
  size_t length;
  size_t segment;
  size_t sent;         /* when sending: bytes that need not be sent any more */
  uint64_t waited;     /* when receiving: nanoseconds in the socket; 0: it is not known */
  struct sw_path path; /* of all its datagrams */
  uint8_t tos;         /* of all its datagrams: DSCP and ECN field of the IP header */
  bool whole;          /* when sending: never fragmented */
  bool truncated;      /* when receiving: the datagram was longer than the buffer */
};

/** Opens the socket and binds it to `port` (0: any).  What it sends carries the mark `fwmark` (0:
 * none; needs CAP_NET_ADMIN).  With `offload` it uses GSO and GRO where the kernel has them.
 * Returns 0, or a negative errno with the cause and the fix in `error`. */
int sw_udp_open(struct sw_udp *udp, uint16_t port, uint32_t fwmark, bool offload,
                struct sw_error *error);

/** Changes the mark of what is sent (0: none).  Returns 0 or a negative errno: -EPERM without
 * CAP_NET_ADMIN. */
int sw_udp_mark_set(const struct sw_udp *udp, uint32_t fwmark);

/** Binds the socket to another free port, in place: also for other processes that have it.  Only for
 * one that was opened with port 0.  Returns 0 or a negative errno. */
int sw_udp_rebind(struct sw_udp *udp);

/** Sets whether datagrams may be fragmented on the way; not so after sw_udp_open.  Without fragments
 * ICMP is ignored. */
void sw_udp_fragment_set(struct sw_udp *udp, bool fragment);

/** The bytes of memory that hold what was sent and has not left the host; 0 if the kernel does not
 * tell. */
size_t sw_udp_waiting(const struct sw_udp *udp);

/** Sets how many of them there may be before a send returns -EAGAIN.  The socket is writable again
 * when there are less than half of them. */
void sw_udp_buffer_set(const struct sw_udp *udp, size_t bytes);

void sw_udp_close(struct sw_udp *udp);

/** Sends the runs in order and moves each one's `sent` past the bytes that the kernel has taken.
 *
 * Returns 0 when all runs are sent.  Returns -EAGAIN when the socket's buffer is full.  Any other
 * negative errno is about the next `*refused` bytes of the first run that is not sent: these
 * datagrams were refused together, and nothing behind them was tried.  Add `*refused` to the run's
 * `sent` to drop them; otherwise the next call tries them again.  -EAFNOSUPPORT: the peer has an
 * IPv6 address and the host no IPv6.
 *
 * The TOS of a run is that of its datagrams (0: nothing is asked for).
 *
 * A run leaves from its path's local address; if this host no longer has that address, from one that
 * the kernel chooses.  A run that the kernel does not segment is sent again within the call, datagram
 * by datagram.  Once the device cannot segment (EIO), `gso` is false and all later runs are sent that
 * way.
 *
 * While reports are asked for, the error may be about an earlier datagram (sw_udp_reports_set). */
int sw_udp_send(struct sw_udp *udp, struct sw_run *runs, unsigned count, size_t *refused);

/** Receives up to `count` runs, each into `bytes`, which has room for `length` bytes; `length`
 * becomes the run's length.  The path's local address is the one that the peer sent to; if that was
 * an IPv4 broadcast, it is the address that replies must come from.  `overflows` becomes the number
 * of datagrams that the kernel has dropped because the socket's buffer was full, if the kernel
 * reports it.  Returns the number of runs, or a negative errno: -EAGAIN if there are none. */
int sw_udp_receive(const struct sw_udp *udp, struct sw_run *runs, unsigned count,
                   uint32_t *overflows);

/** Asks for the network's reports (ICMP, IP_RECVERR) about datagrams that were sent, or stops asking
 * and discards those that wait.  sw_udp_open asks for them.
 *
 * A report makes the next send fail with its error, and that send sends nothing.  sw_udp_send
 * repeats it, but anyone who forges reports fast enough makes it fail every time.  Without reports
 * an error of sw_udp_send is always the kernel's own, about the datagram in question. */
void sw_udp_reports_set(struct sw_udp *udp, bool on);

/** Takes the next report: the destination it is about and the errno it stands for.  Returns 0, or
 * -EAGAIN if there is none.  Reports can be forged. */
int sw_udp_report(const struct sw_udp *udp, struct sw_address *about, int *code);

#endif

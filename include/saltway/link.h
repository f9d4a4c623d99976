/*
 * libsaltway: one end of a saltway link, without any I/O in it.
 *
 * A struct sw_link is the protocol of docs/protocol.md: handshakes, sessions, rekeying, replay
 * protection, liveness.  It makes no system call, reads no clock and allocates nothing after
 * sw_link_new: bytes and the time go in, bytes and a deadline come out.  The caller
 *
 *   - hands every datagram that arrives to sw_link_receive,
 *   - hands every packet to be carried to sw_link_send,
 *   - calls sw_link_transmit until it returns 0, and sends what it gives, whenever the deadline has
 *     passed and whenever sw_link_receive returned SW_RECEIVED_CONTROL.
 *
 * Time is a uint64_t of nanoseconds of a clock that goes on through suspend (CLOCK_BOOTTIME); a
 * time before the latest one the link has seen counts as that.  One thread at a time may use a
 * link; saltway/batch.h lets others help it with the cipher.  Random bytes are libsodium's: call
 * sodium_init() before anything here.
 */
#ifndef SALTWAY_LINK_H
#define SALTWAY_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "saltway/address.h"
#include "saltway/drop.h"
#include "saltway/key.h"
#include "saltway/view.h"

/** Bytes a datagram is longer than the packet in it. */
#define SW_OVERHEAD 28

/** Room that the fast calls need behind what they read and write. */
#define SW_SLACK 256

/** Room that they need in front of it. */
#define SW_HEADROOM 64

/** Longest packet that can be carried: what a UDP datagram over IPv4 holds, less the overhead. */
#define SW_PACKET_MAX (65507 - SW_OVERHEAD)

/** Longest datagram sw_link_transmit gives. */
#define SW_CONTROL_MAX 768

/** Addresses of the peer a link keeps to start handshakes to. */
#define SW_ENDPOINTS_MAX 16

/** Most ranges of inner source addresses that a link accepts: 8,192 of AllowedIPs, and those of the
 * interface itself. */
#define SW_SOURCES_MAX (8192 + 64)

#define SW_SECOND UINT64_C(1000000000)

struct sw_link;

struct sw_link_options {
  const struct sw_psk *psk;      /* the link keeps what it derives from it and a copy; wipe yours */
  uint64_t persistent_keepalive; /* nanoseconds between probes, idle or busy, at most; 0: none */
  const struct sw_prefix *sources; /* inner packets from the peer must come from one of these ... */
  size_t source_count;
  const struct sw_prefix *own; /* ... and not from one of these addresses, which are our own */
  size_t own_count;
};

/** Makes a link that has not started anything.  The caller owns it: sw_link_free.  Returns NULL
 * with errno set (ENOMEM; EINVAL for too many sources). */
struct sw_link *sw_link_new(const struct sw_link_options *options);

/** Wipes every key and frees the link; NULL is fine. */
void sw_link_free(struct sw_link *link);

/** Sets where handshakes are sent to: the peer's known addresses, in order of preference; at most
 * SW_ENDPOINTS_MAX are kept.  With none, the link waits for the peer to start.  May be called at
 * any time, after each resolution of the peer's names; a live session is not touched. */
void sw_link_endpoints_set(struct sw_link *link, uint64_t now, const struct sw_address *endpoints,
                           size_t count);

enum sw_received {
  SW_RECEIVED_DROPPED, /* counted under its reason */
  SW_RECEIVED_PACKET,  /* an inner packet is in `packet` */
  SW_RECEIVED_CONTROL, /* the link's own business: call sw_link_transmit */
};

/** Opens one datagram, which came by `path`.  `packet` has room for `length` bytes and does not overlap `datagram`; what
 * is in it is a packet only if SW_RECEIVED_PACKET is returned, with its length in `packet_length`.
 */
enum sw_received sw_link_receive(struct sw_link *link, uint64_t now, const struct sw_path *path,
                                 const uint8_t *datagram, size_t length, uint8_t *packet,
                                 size_t *packet_length);

/** Seals one packet (1 to SW_PACKET_MAX bytes) into `datagram`, which has room for SW_OVERHEAD more
 * bytes and does not overlap it; it goes by sw_link_path.  Returns the datagram's length, or a
 * negative errno, counted as a drop: -ENOTCONN if the link is down, -EMSGSIZE for the length. */
int64_t sw_link_send(struct sw_link *link, uint64_t now, const uint8_t *packet, size_t length,
                     uint8_t *datagram);

/*
 * The same for a data path that has buffers with room and hands packets over with checksums left to
 * be completed, as network cards do: no byte is copied or summed that need not be.
 */

struct sw_opened {
  struct sw_view view;
  bool partial; /* a TCP or UDP packet whose checksum holds the sum of the pseudo-header only */
};

/** As sw_link_receive.  SW_HEADROOM bytes in front of `packet` and SW_SLACK behind it are
 * destroyed; 4 bytes in front of the datagram and SW_SLACK behind it can be read. */
enum sw_received sw_link_open(struct sw_link *link, uint64_t now, const struct sw_path *path,
                              const uint8_t *datagram, size_t length, uint8_t *packet,
                              struct sw_opened *opened);

/** As sw_link_send; `partial`: the packet's TCP or UDP checksum, behind a plain IP header, holds
 * the sum of the pseudo-header only.  SW_HEADROOM bytes in front of `packet` are destroyed,
 * SW_SLACK behind it can be read, and SW_SLACK behind the datagram are destroyed; 4 bytes in front
 * of it are written and restored. */
int64_t sw_link_seal(struct sw_link *link, uint64_t now, uint8_t *packet, size_t length,
                     bool partial, uint8_t *datagram);

/** The path of sealed packets.  Meaningful while packets can be sent. */
const struct sw_path *sw_link_path(struct sw_link *link);

/** Does what is due at `now` (expiry, rekeying, keepalives, handshakes) and writes the next
 * datagram of the link's own to `datagram` and its path to `path`.  Returns its length, 0 if
 * there is none.  Bounded: a few calls return 0 at any one time. */
size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_path *path);

/** Wipes every key that is past its time, and sends nothing.  To be called at least every second
 * while sw_link_transmit cannot be, as the socket is full. */
void sw_link_expire(struct sw_link *link, uint64_t now);

/** When sw_link_transmit has to be called next; UINT64_MAX: not before something is received. */
uint64_t sw_link_deadline(const struct sw_link *link);

/** Tells what the network (by ICMP) or the kernel reported of sending to `peer`: `error` is a
 * positive errno.  Reports can be forged: ECONNREFUSED makes the link retry sooner for a few
 * seconds, and anything else is only noted in the status. */
void sw_link_error(struct sw_link *link, uint64_t now, const struct sw_address *peer, int error);

/** Ends the link in order: the next calls of sw_link_transmit give the farewells, then nothing
 * more; packets are refused. */
void sw_link_close(struct sw_link *link, uint64_t now);

/** Counts `count` drops that happened outside of the link. */
void sw_link_drop(struct sw_link *link, enum sw_drop reason, uint64_t count);

enum sw_link_state {
  SW_LINK_WAITING,    /* no session and no address to start one: the peer has to */
  SW_LINK_CONNECTING, /* no session; handshakes are being sent */
  SW_LINK_UP,
  SW_LINK_SILENT, /* a session, but what was sent is not answered; handshakes are being sent */
  SW_LINK_CLOSED, /* after sw_link_close */
};

/** What became of sending to one of the peer's addresses; times as below. */
struct sw_endpoint_status {
  struct sw_address address;
  uint64_t attempt_time; /* the latest init was sent to it */
  uint64_t answer_time;  /* an authentic answer came from it */
  uint64_t error_time;   /* sw_link_error */
  int32_t error;         /* errno of that; 0: none */
};

/** What a link has done and seen since it was made; times are of the caller's clock, 0: never. */
struct sw_link_status {
  enum sw_link_state state;
  char fingerprint[SW_FINGERPRINT_TEXT];
  struct sw_address peer;    /* port 0: not known yet */
  uint64_t handshake_time;   /* the current session was confirmed */
  uint64_t received_time;    /* anything authentic */
  uint64_t sent_time;        /* anything in a session */
  uint64_t attempt_time;     /* the latest init */
  uint64_t attempts;         /* inits sent since the link was last up */
  uint64_t closed_time;      /* the peer said goodbye */
  uint64_t foreign_time;     /* a datagram that our key does not open came from an endpoint ... */
  struct sw_address foreign; /* ... this one */
  uint64_t stranger_time;    /* such a datagram came from anywhere else ... */
  struct sw_address stranger;
  uint64_t init_time; /* an init of the peer was answered */
  struct sw_address init_from;
  /* the configured endpoints in order of preference, then the peer's last address if it is not one
   * of them */
  struct sw_endpoint_status endpoints[SW_ENDPOINTS_MAX + 1];
  uint32_t endpoint_count;
  uint64_t version_time; /* an init of another version arrived */
  uint32_t version;      /* which */
  uint64_t rtt;          /* smoothed round-trip time (RFC 6298), ns; 0: not measured */
  uint64_t handshakes;   /* sessions confirmed */
  uint64_t cookies_sent; /* inits answered by a cookie, under load */
  uint64_t probes_sent, probes_lost;
  uint64_t packets_in, packets_out; /* inner packets */
  uint64_t bytes_in, bytes_out;     /* of inner packets */
  uint64_t drops[SW_DROP_COUNT];
};

/** Whether keys of sessions were wiped since the last call.  Parts of them may still be on the stack,
 * below the frames that sealed and opened: callers that must not leave them overwrite the stack
 * (sodium_stackzero). */
bool sw_link_keys_wiped(struct sw_link *link);

/** The numbers as they are now; the view is valid until the link is used again. */
const struct sw_link_status *sw_link_status(struct sw_link *link);

#endif

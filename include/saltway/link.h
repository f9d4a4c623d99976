/*
 * libsaltway: one end of a saltway link, without I/O.
 *
 * A struct sw_link implements docs/protocol.md: handshakes, sessions, rekeying, replay protection,
 * liveness.  It makes no system call, reads no clock, and allocates nothing after sw_link_new.  The
 * caller
 *
 *   - passes every received datagram to sw_link_receive,
 *   - passes every packet to be sent to sw_link_send,
 *   - calls sw_link_transmit, and sends the datagrams it returns, until it returns 0: whenever the
 *     deadline has passed and whenever sw_link_receive returned SW_RECEIVED_CONTROL.
 *
 * Congestion marks are left to the caller, who has the outer headers (docs/protocol.md).
 *
 * Times are nanoseconds of a clock that does not stop during suspend (CLOCK_BOOTTIME).  If a time
 * is before the latest one passed to the link, the latest one is used.  One thread at a time may
 * use a link; with saltway/batch.h other threads can run the cipher.  Call sodium_init() before any
 * function here.
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

/** The number of bytes by which a datagram is longer than its packet. */
#define SW_OVERHEAD 28

/** Room that sw_link_seal and sw_link_open need behind their buffers. */
#define SW_SLACK 256

/** Room that they need in front of a packet. */
#define SW_HEADROOM 64

/** Longest packet: the payload of a UDP datagram over IPv4, less the overhead. */
#define SW_PACKET_MAX (65507 - SW_OVERHEAD)

/** Longest datagram that sw_link_transmit returns. */
#define SW_CONTROL_MAX 9000

/** The MTU that every link has at least, as IPv6 requires. */
#define SW_MTU_LEAST 1280

/** Most configured addresses of the peer. */
#define SW_ENDPOINTS_MAX 16

/** Most paths to the peer that are known at a time. */
#define SW_PATHS_MAX (SW_ENDPOINTS_MAX + 8)

/** Most ranges of inner source addresses: 8,192 of AllowedIPs, and those of the interface. */
#define SW_SOURCES_MAX (8192 + 64)

#define SW_SECOND UINT64_C(1000000000)

struct sw_link;

struct sw_link_options {
  const struct sw_psk *psks; /* as for sw_link_keys_set */
  unsigned psk_count;
  uint64_t persistent_keepalive;   /* most nanoseconds between two probes; 0: no probes */
  uint32_t mtu;                    /* longer packets are not sent; 0: what the path carries */
  const struct sw_prefix *sources; /* allowed sources of inner packets from the peer; copied */
  size_t source_count;
  const struct sw_prefix *own; /* our own addresses, which are never allowed; copied */
  size_t own_count;
};

/** Makes a link, which the caller frees with sw_link_free.  Returns NULL with errno set: ENOMEM, or
 * EINVAL for too many ranges. */
struct sw_link *sw_link_new(const struct sw_link_options *options);

/** Wipes every key and frees the link.  NULL is allowed. */
void sw_link_free(struct sw_link *link);

/** Replaces the configured addresses of the peer, to which inits are sent, in order of preference.
 * At most SW_ENDPOINTS_MAX are kept.  Inits are sent to the address of the session confirmed last,
 * too.  Without any address the link waits for an init of the peer.  May be called at any time;
 * sessions are not affected. */
void sw_link_endpoints_set(struct sw_link *link, uint64_t now, const struct sw_address *endpoints,
                           size_t count);

/** Replaces the ranges of inner addresses, as in the options: at most SW_SOURCES_MAX of each kind.
 * Allocates nothing.  Sessions are not affected. */
void sw_link_sources_set(struct sw_link *link, const struct sw_prefix *sources, size_t source_count,
                         const struct sw_prefix *own, size_t own_count);

/** Replaces the most nanoseconds between two probes, as in the options. */
void sw_link_keepalive_set(struct sw_link *link, uint64_t now, uint64_t persistent_keepalive);

/** Replaces the configured MTU, as in the options. */
void sw_link_mtu_set(struct sw_link *link, uint64_t now, uint32_t mtu);

/** Replaces the keys: 1 to SW_PSKS_MAX different ones, in order of preference.  They are copied; the
 * caller wipes its own.  Sessions made under a key that is not in the list any more end at once, and
 * their keys are wiped; the others live on.  If the first key is another one than that of the
 * current session, a handshake with it begins.  May be called at any time. */
void sw_link_keys_set(struct sw_link *link, uint64_t now, const struct sw_psk *psks,
                      unsigned count);

enum sw_received {
  SW_RECEIVED_DROPPED, /* counted under its reason */
  SW_RECEIVED_PACKET,  /* an inner packet is in `packet` */
  SW_RECEIVED_CONTROL, /* a handshake message or a control datagram: call sw_link_transmit */
};

/** Opens a datagram that was received on `path`.  `packet` has room for `length` bytes and does not
 * overlap `datagram`.  If SW_RECEIVED_PACKET is returned, `packet` holds an inner packet of
 * `packet_length` bytes; else its contents have no meaning. */
enum sw_received sw_link_receive(struct sw_link *link, uint64_t now, const struct sw_path *path,
                                 const uint8_t *datagram, size_t length, uint8_t *packet,
                                 size_t *packet_length);

/** Seals a packet of 1 to SW_PACKET_MAX bytes into `datagram`, which has room for SW_OVERHEAD bytes
 * more and does not overlap `packet`.  The datagram is to be sent on sw_link_path.  Returns its
 * length, or a negative errno, which counts as a drop: -ENOTCONN if the link is down, -EMSGSIZE if
 * the length is out of range. */
int64_t sw_link_send(struct sw_link *link, uint64_t now, const uint8_t *packet, size_t length,
                     uint8_t *datagram);

/*
 * Faster functions for a data path whose buffers have room around the packets, and whose packets
 * may have partial checksums, which are completed later or by a network card.
 */

struct sw_opened {
  struct sw_view view;
  bool partial; /* a TCP or UDP packet whose checksum holds the sum of the pseudo-header only */
};

/** As sw_link_receive.  SW_HEADROOM bytes in front of `packet` and SW_SLACK bytes behind it are
 * overwritten.  4 bytes in front of the datagram and SW_SLACK bytes behind it must be readable. */
enum sw_received sw_link_open(struct sw_link *link, uint64_t now, const struct sw_path *path,
                              const uint8_t *datagram, size_t length, uint8_t *packet,
                              struct sw_opened *opened);

/** As sw_link_send.  `partial`: the packet is TCP or UDP, directly behind the IP header, and its
 * checksum holds the sum of the pseudo-header only.  SW_HEADROOM bytes in front of `packet` are
 * overwritten, and SW_SLACK bytes behind it must be readable.  SW_SLACK bytes behind the datagram
 * are overwritten; 4 bytes in front of it are overwritten and restored. */
int64_t sw_link_seal(struct sw_link *link, uint64_t now, uint8_t *packet, size_t length,
                     bool partial, uint8_t *datagram);

/** The path on which sealed packets are to be sent; all zero if the link is down. */
const struct sw_path *sw_link_path(struct sw_link *link);

/** Runs the timers that are due at `now` (expiry, handshakes, probes, keepalives).  Writes the next
 * handshake message or control datagram to `datagram` and its path to `path`.  `whole`: it must not be
 * fragmented on the way.  Returns its length, or 0 if there is none.  At any one time a few calls
 * suffice until it returns 0. */
size_t sw_link_transmit(struct sw_link *link, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                        struct sw_path *path, bool *whole);

/** Whether datagrams that need not be whole may be fragmented on the way. */
bool sw_link_may_fragment(const struct sw_link *link);

/** Wipes the keys of expired sessions, and sends nothing.  To be called at least once a second while
 * sw_link_transmit cannot be called because the socket is full. */
void sw_link_expire(struct sw_link *link, uint64_t now);

/** When sw_link_transmit has to be called next; UINT64_MAX: no timer is set. */
uint64_t sw_link_deadline(const struct sw_link *link);

/** Reports an error of sending to `peer`, from the kernel or the network (ICMP).  `error` is a
 * positive errno.  Such reports can be forged: they only make the link probe its path, retry sooner
 * for a few seconds, or (EMSGSIZE) search for the path's MTU. */
void sw_link_error(struct sw_link *link, uint64_t now, const struct sw_address *peer, int error);

/** Reports that the kernel refused to send a datagram of `length` bytes as too long for the local
 * interface.  Returns whether it was a probe of the path's MTU, which is no loss. */
bool sw_link_too_long(struct sw_link *link, uint64_t now, size_t length);

/** Closes the link.  The next calls of sw_link_transmit return a farewell for each session, then
 * nothing more.  Packets are refused. */
void sw_link_close(struct sw_link *link, uint64_t now);

/** Counts `count` drops by the caller. */
void sw_link_drop(struct sw_link *link, enum sw_drop reason, uint64_t count);

enum sw_link_state {
  SW_LINK_WAITING,    /* no session and no address of the peer: it has to send an init */
  SW_LINK_CONNECTING, /* no session; inits are being sent */
  SW_LINK_UP,
  SW_LINK_SILENT, /* a session in which the peer does not answer; inits are being sent */
  SW_LINK_CLOSED, /* after sw_link_close */
};

/** The results of sending to one of the peer's addresses; times as in struct sw_link_status. */
struct sw_endpoint_status {
  struct sw_address address;
  uint64_t attempt_time; /* an init was sent to it */
  uint64_t answer_time;  /* a response came from it, or a session was confirmed there */
  uint64_t error_time;   /* sw_link_error */
  int32_t error;         /* the errno of that; 0: none */
};

/** What probes have shown of one path to the peer; times as in struct sw_link_status. */
struct sw_path_status {
  struct sw_path path;
  uint64_t rtt;         /* smoothed round-trip time (RFC 6298), ns; 0: not measured */
  uint64_t answer_time; /* a probe was answered */
  uint64_t probes_sent; /* since the path is known */
  uint64_t probes_lost; /* of them, not answered from there in time */
  uint32_t mtu;         /* longest packet that was found to pass; 0: not known */
  uint32_t active;      /* 1: packets are sent on it */
  uint32_t configured;  /* 1: to one of the configured addresses */
};

/** The status of a link.  A time is the latest of its event by the caller's clock; 0: never. */
struct sw_link_status {
  enum sw_link_state state;
  char fingerprint[SW_FINGERPRINT_TEXT]; /* of the current session's key, else of the first key */
  struct sw_address peer;                /* of the session confirmed last; port 0: none */
  uint64_t handshake_time;               /* the current session was confirmed */
  uint64_t received_time;                /* an authentic datagram of a session was received */
  uint64_t sent_time;                    /* a datagram of a session was sealed */
  uint64_t attempt_time;                 /* an init was sent */
  uint64_t attempts;                     /* inits sent since the link was last up */
  uint64_t closed_time;                  /* the peer closed the link */
  uint64_t foreign_time;     /* a datagram that none of our keys opens came from an endpoint, */
  struct sw_address foreign; /* which is this one */
  uint64_t stranger_time;    /* such a datagram came from another address, which is this one */
  struct sw_address stranger;
  uint64_t init_time; /* an init from this address was answered */
  struct sw_address init_from;
  /* the configured addresses in order of preference, then `peer` if it is not one of them */
  struct sw_endpoint_status endpoints[SW_ENDPOINTS_MAX + 1];
  uint32_t endpoint_count;
  uint32_t path_count;
  struct sw_path_status paths[SW_PATHS_MAX]; /* in no order */
  uint64_t version_time;                     /* an init of another version arrived */
  uint32_t version;                          /* that version */
  uint32_t path_mtu;     /* longest packet that the path carries, as far as is known */
  uint32_t fragments;    /* 1: it carries less than the configured MTU, or else SW_MTU_LEAST */
  uint64_t rtt;          /* smoothed round-trip time (RFC 6298), ns; 0: not measured */
  uint64_t handshakes;   /* sessions confirmed */
  uint64_t cookies_sent; /* under load */
  uint64_t probes_sent, probes_lost;
  uint64_t datagrams_in;            /* of the peer's sessions, authentic */
  uint64_t datagrams_lost;          /* sealed by the peer before those, and have not come (yet) */
  uint64_t packets_in, packets_out; /* inner packets */
  uint64_t bytes_in, bytes_out;     /* of inner packets */
  uint64_t drops[SW_DROP_COUNT];
};

/** Whether session keys were wiped since the last call.  Sealing and opening may have left copies
 * of parts of them in unused stack memory, which the caller should then overwrite
 * (sodium_stackzero). */
bool sw_link_keys_wiped(struct sw_link *link);

/** The current status.  It is valid until the link is used again. */
const struct sw_link_status *sw_link_status(struct sw_link *link);

#endif

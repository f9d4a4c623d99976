/*
 * The constants of the protocol (docs/protocol.md).  Sizes are in bytes, times in nanoseconds.
 */
#ifndef SALTWAY_PROTOCOL_PROTOCOL_H
#define SALTWAY_PROTOCOL_PROTOCOL_H

#include <stdint.h>

#include "saltway/link.h"

#define SW_VERSION 1

#define SW_MILLISECOND UINT64_C(1000000)

/* datagram: header 12 | tag 16 | body */
#define SW_HEADER_BYTES 12
#define SW_TAG_BYTES 16
#define SW_TAG_OFFSET SW_HEADER_BYTES
#define SW_BODY_OFFSET (SW_HEADER_BYTES + SW_TAG_BYTES)
_Static_assert(SW_BODY_OFFSET == SW_OVERHEAD, "the body follows the overhead");

/* keys */
#define SW_KEY_BYTES 32
#define SW_MASK_KEY_BYTES 16
#define SW_NONCE_BYTES 24
#define SW_PREFIX_BYTES 16
#define SW_HASH_BYTES 32
#define SW_POINT_BYTES 32
#define SW_KDF_CONTEXT "saltway1"

/* data: word = counter | kind << 56 */
#define SW_COUNTER_BITS 56
#define SW_COUNTER_MASK ((UINT64_C(1) << SW_COUNTER_BITS) - 1)
enum sw_kind {
  SW_KIND_PACKET = 0,
  SW_KIND_PACKET_PARTIAL = 1, /* a packet with a partial transport checksum */
  SW_KIND_PROBE = 2,
  SW_KIND_PROBE_ACK = 3,
  SW_KIND_CLOSE = 4,
  SW_KIND_CHECK = 5, /* a probe of a path that is not the sender's active one */
  SW_KIND_MOVE = 6,  /* a probe that asks the peer to send on this path */
};
#define SW_PROBE_BYTES 8 /* the token of a probe, which its ack repeats; padding may follow */
#define SW_PROBE_MAX 64  /* longest token and padding of the control datagrams that we send */

/* replay window (RFC 6479), in counters */
#define SW_REPLAY_WINDOW 8192

/* handshake messages */
#define SW_SESSION_HANDSHAKE 0 /* the session id in the header of a handshake message */
#define SW_HANDSHAKE_NONCE_BYTES 16
#define SW_ME_BYTES 16
#define SW_COOKIE_BYTES 16
enum sw_message { SW_MESSAGE_INIT = 1, SW_MESSAGE_RESPONSE = 2, SW_MESSAGE_COOKIE = 3 };
#define SW_INIT_FIXED_BYTES (1 + 1 + SW_ME_BYTES + 4 + 4 + SW_POINT_BYTES + SW_COOKIE_BYTES)
#define SW_RESPONSE_FIXED_BYTES (1 + SW_ME_BYTES + 4 + 4 + 4 + SW_POINT_BYTES + SW_HASH_BYTES)
#define SW_COOKIE_MESSAGE_BYTES (1 + SW_ME_BYTES + SW_HASH_BYTES + SW_COOKIE_BYTES)
#define SW_INIT_MIN 96 /* with padding; so a reply need not be longer than its init */
#define SW_INIT_MAX 640
_Static_assert(SW_INIT_MIN >= SW_RESPONSE_FIXED_BYTES, "a response is no longer than its init");
_Static_assert(SW_INIT_MIN >= SW_COOKIE_MESSAGE_BYTES, "a cookie is no longer than its init");
#define SW_HANDSHAKE_OVERHEAD (SW_BODY_OFFSET + SW_HANDSHAKE_NONCE_BYTES)
#define SW_REPLY_MAX (SW_INIT_MAX + SW_HANDSHAKE_OVERHEAD) /* longest reply */
_Static_assert(SW_REPLY_MAX <= SW_CONTROL_MAX, "control datagrams fit");

/* sessions */
#define SW_REKEY_AFTER (120 * SW_SECOND)
#define SW_REKEY_OTHER_AFTER (130 * SW_SECOND) /* for the responder of the session */
#define SW_REKEY_JITTER (5 * SW_SECOND)        /* initiator: up to this earlier; responder: later */
#define SW_REJECT_AFTER (180 * SW_SECOND)
#define SW_REKEY_AFTER_COUNTER (UINT64_C(1) << 55)
#define SW_REJECT_AFTER_COUNTER (SW_COUNTER_MASK - SW_REPLAY_WINDOW)

/* Handshake timing: an init is sent to each known address, SW_RETRY_STAGGER apart; a new init after 1 s, 2 s, 4 s, then every 5 s, each up to the jitter later.
 * For SW_REFUSED_MEMORY after a report that nothing listens at the peer's address, the same init is
 * repeated every SW_REFUSED_RETRY, each time up to SW_REFUSED_JITTER earlier. */
#define SW_RETRY_STAGGER (250 * SW_MILLISECOND)
#define SW_RETRY_FIRST (1 * SW_SECOND)
#define SW_RETRY_LAST (5 * SW_SECOND)
#define SW_RETRY_JITTER (334 * SW_MILLISECOND)
#define SW_REFUSED_RETRY (125 * SW_MILLISECOND)
#define SW_REFUSED_JITTER (50 * SW_MILLISECOND)
#define SW_REFUSED_MEMORY (3 * SW_SECOND)

/* The initiator repeats its first probe until the session is confirmed.  The interval doubles from
 * SW_CONFIRM_FIRST to SW_CONFIRM_LAST, and up to 1/SW_CONFIRM_SPREAD of it is added at random. */
#define SW_CONFIRM_FIRST (250 * SW_MILLISECOND)
#define SW_CONFIRM_LAST (1 * SW_SECOND)
#define SW_CONFIRM_SPREAD 4

/* pending sessions; cookies */
#define SW_PENDING_MAX 128
#define SW_PENDING_LIFETIME (5 * SW_SECOND)
#define SW_LOAD_INITS 20 /* inits per second that are answered without a cookie */
#define SW_LOAD_PENDING (SW_PENDING_MAX / 2)
#define SW_COOKIE_SECRET_LIFETIME (120 * SW_SECOND)

/* paths.  All intervals are up to 1/SW_PROBE_SPREAD shorter, at random. */
#define SW_PROBE_SPREAD 5
#define SW_OBSERVED_MAX 8                          /* observed paths that are kept */
#define SW_PROBE_BUSY (1 * SW_SECOND)              /* while packets are sent */
#define SW_PROBE_WAIT_LEAST (300 * SW_MILLISECOND) /* for an ack, before a path is in doubt */
#define SW_PROBE_WAIT_MOST (1 * SW_SECOND)
#define SW_DOUBT_PROBES 8 /* that a dead path has left unanswered */
#define SW_DOUBT_TIME (1 * SW_SECOND)
#define SW_CONTEST_AGAIN (1 * SW_SECOND) /* from one doubt to the next, if no probe is lost */
#define SW_CONTEST_LOST \
  (10 * SW_SECOND) /* by a path that the peer sent on, while the active one works */
#define SW_CANDIDATE_PROBE (250 * SW_MILLISECOND) /* while the active path is in doubt */
#define SW_SILENT_PROBE (2 * SW_SECOND)           /* while no path answers */
#define SW_TRIES 3                                /* of a candidate, in a row */
#define SW_RETURN_PROBE (2 * SW_SECOND)           /* of a path that is better than the active one */
#define SW_RETURN_AFTER (30 * SW_SECOND)          /* it has answered every probe */
#define SW_WATCHED (5 * SW_SECOND) /* after the peer was followed to an unknown address */
#define SW_ANNOUNCEMENTS 8
#define SW_MOVE_REQUESTS \
  3 /* needed to follow, as the copy of one from elsewhere shows an attacker, but
                            * its original may be lost */
#define SW_MOVE_WAIT (500 * SW_MILLISECOND) /* for a copy of the request from elsewhere */
#define SW_LONG_LOST 2 /* long probes in a row, while short ones are answered */
#define SW_MOVE_MEMORY (2 * SW_SECOND)

/* path MTU: sizes are those of packets; see pathmtu.h */
#define SW_MTU_MOST 8928
#define SW_MTU_BLOCK 64       /* of the cipher; */
#define SW_MTU_FIRST_BLOCK 32 /* the tag's key takes the rest of the first one */
#define SW_MTU_PARTS 4        /* into which a round divides what is left */
#define SW_MTU_AGAIN (600 * SW_SECOND)
#define SW_MTU_HINTS (1 * SW_SECOND) /* between two searches because of reports */
_Static_assert(SW_MTU_MOST + SW_OVERHEAD <= SW_CONTROL_MAX, "probes fit");
_Static_assert(SW_MTU_MOST % SW_MTU_BLOCK == SW_MTU_FIRST_BLOCK, "whole blocks");

#endif

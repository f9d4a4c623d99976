/*
 * The reasons for dropping a datagram or a packet.  Each has a counter in the link and a name that
 * `saltway status` shows.  Every drop is counted.
 */
#ifndef SALTWAY_DROP_H
#define SALTWAY_DROP_H

/* X(enumerator, name, meaning) */
#define SW_DROPS(X)                                                                                \
  /* from the network, before the sender is authenticated */                                       \
  X(SW_DROP_SHORT, "short", "datagram too short for the protocol")                                 \
  X(SW_DROP_SESSION, "unknown-session",                                                            \
    "datagram of no session (a stranger, another key, or a session that is over)")                 \
  X(SW_DROP_EXPIRED, "expired-session", "session past its lifetime")                               \
  X(SW_DROP_REPLAYED, "replayed", "counter seen before")                                           \
  X(SW_DROP_OLD, "too-old", "counter before the replay window")                                    \
  X(SW_DROP_COUNTER, "counter-limit", "counter past the limit of a session")                       \
  X(SW_DROP_TAG, "bad-tag", "datagram of a session whose tag does not verify")                     \
  X(SW_DROP_HANDSHAKE_TAG, "bad-handshake-tag", "handshake message whose tag does not verify")     \
  /* from a holder of the key */                                                                   \
  X(SW_DROP_PATH, "wrong-path",                                                                    \
    "first datagram of a session from an unexpected address, or any from port 0")                  \
  X(SW_DROP_MALFORMED, "malformed", "authentic message of the wrong size or type")                 \
  X(SW_DROP_VERSION, "version", "init of another protocol version")                                \
  X(SW_DROP_REFLECTED, "reflected", "our own handshake message, sent back to us")                  \
  X(SW_DROP_REPEATED_INIT, "repeated-init",                                                        \
    "init that was answered before, or replayed under load")                                       \
  X(SW_DROP_UNEXPECTED, "unexpected-reply", "response or cookie that does not belong to our init") \
  X(SW_DROP_WEAK_KEY, "weak-key", "ephemeral key of low order")                                    \
  X(SW_DROP_PENDING_FULL, "pending-full", "init while too many sessions are unconfirmed")          \
  X(SW_DROP_KIND, "unknown-kind", "authentic datagram of an unknown kind")                         \
  X(SW_DROP_NOT_IP, "not-ip", "inner packet that is not one whole IPv4 or IPv6 packet")            \
  X(SW_DROP_SOURCE, "source", "inner packet from outside AllowedIPs")                              \
  /* from the network, about an authentic datagram */                                              \
  X(SW_DROP_ECN, "ecn-marked",                                                                     \
    "inner packet without ECN, in a datagram that a router has marked (CE)")                       \
  /* in this host */                                                                               \
  X(SW_DROP_NO_SESSION, "no-session", "outgoing packet while the link is down")                    \
  X(SW_DROP_TOO_BIG, "too-big", "packet too large for a datagram")                                 \
  X(SW_DROP_OFFLOAD, "bad-offload", "super-packet that cannot be segmented")                       \
  X(SW_DROP_REPLY_LOST, "reply-lost", "reply replaced by the next one before it was sent")         \
  X(SW_DROP_TRUNCATED, "truncated", "datagram larger than the receive buffer")                     \
  X(SW_DROP_SOCKET, "socket-full", "datagram dropped by the kernel: the socket buffer was full")   \
  X(SW_DROP_QUEUE, "queue",                                                                        \
    "packet dropped so that others do not wait: more than the line or a processor carries")        \
  X(SW_DROP_SEND, "send-failed", "datagram that the kernel refused to send")                       \
  X(SW_DROP_TUN, "tun-failed", "packet that the TUN device refused")

enum sw_drop {
#define SW_DROP_ENUMERATOR(enumerator, name, meaning) enumerator,
  SW_DROPS(SW_DROP_ENUMERATOR)
#undef SW_DROP_ENUMERATOR
      SW_DROP_COUNT,
};

/** The reason's name, as `saltway status` shows it. */
const char *sw_drop_name(enum sw_drop reason);

/** The reason in a few words. */
const char *sw_drop_meaning(enum sw_drop reason);

#endif

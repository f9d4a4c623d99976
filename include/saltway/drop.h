/*
 * The reasons for dropping a datagram or a packet.  Each has a counter in the link and a name that
 * `saltway status` shows.  Every drop is counted.
 */
#ifndef SALTWAY_DROP_H
#define SALTWAY_DROP_H

/* X(enumerator, name, meaning) */
#define SW_DROPS(X)                                                                              \
  /* from the network, before anything is known of who sent it */                                \
  X(SW_DROP_SHORT, "short", "datagram too short to be of the protocol")                          \
  X(SW_DROP_SESSION, "unknown-session",                                                          \
    "no session of ours (a stranger, another key, a session gone)")                              \
  X(SW_DROP_EXPIRED, "expired-session", "session past its lifetime")                             \
  X(SW_DROP_REPLAYED, "replayed", "counter seen before")                                         \
  X(SW_DROP_OLD, "too-old", "counter before the replay window")                                  \
  X(SW_DROP_COUNTER, "counter-limit", "counter past the limit of a session")                     \
  X(SW_DROP_TAG, "bad-tag", "datagram of a session whose tag does not verify")                   \
  X(SW_DROP_PATH, "wrong-path", "first datagram of a session from where its answer did not go")  \
  X(SW_DROP_HANDSHAKE_TAG, "bad-handshake-tag", "handshake message whose tag does not verify")   \
  /* from a holder of the key */                                                                 \
  X(SW_DROP_MALFORMED, "malformed", "authentic message of the wrong size or type")               \
  X(SW_DROP_VERSION, "version", "init of a protocol version we do not speak")                    \
  X(SW_DROP_REFLECTED, "reflected", "our own handshake message come back")                       \
  X(SW_DROP_REPEATED_INIT, "repeated-init", "init that is answered already, or seen under load") \
  X(SW_DROP_UNEXPECTED, "unexpected-reply", "response or cookie that answers no init of ours")   \
  X(SW_DROP_WEAK_KEY, "weak-key", "ephemeral key of low order")                                  \
  X(SW_DROP_PENDING_FULL, "pending-full", "too many inits answered and unconfirmed")             \
  X(SW_DROP_KIND, "unknown-kind", "authentic datagram of a kind we do not know")                 \
  X(SW_DROP_NOT_IP, "not-ip", "inner packet that is not one whole IPv4 or IPv6 packet")          \
  X(SW_DROP_SOURCE, "source", "inner packet from outside AllowedIPs")                            \
  /* on our own side */                                                                          \
  X(SW_DROP_NO_SESSION, "no-session", "outgoing packet while the link is down")                  \
  X(SW_DROP_TOO_BIG, "too-big", "packet larger than a datagram can carry")                       \
  X(SW_DROP_OFFLOAD, "bad-offload", "super-packet that is not what the kernel says of it")       \
  X(SW_DROP_REPLY_LOST, "reply-lost", "reply overtaken by the next before it was fetched")       \
  X(SW_DROP_TRUNCATED, "truncated", "datagram larger than the receive buffer")                   \
  X(SW_DROP_SOCKET, "socket-full", "datagram the kernel dropped for want of socket buffer")      \
  X(SW_DROP_SEND, "send-failed", "datagram the kernel would not send")                           \
  X(SW_DROP_TUN, "tun-failed", "packet the TUN device would not take")

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

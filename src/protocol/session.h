/*
 * A session: the keys of one handshake, the counters and the age.
 *
 * Nonces do not repeat: every seal takes the next counter, and fails at the limit.  The exception
 * is a copy of the memory, such as a virtual machine that is restored or cloned (docs/security.md).
 * The owner wipes a session with sw_session_wipe.
 */
#ifndef SALTWAY_PROTOCOL_SESSION_H
#define SALTWAY_PROTOCOL_SESSION_H

#include <stdbool.h>

#include "protocol/handshake.h"
#include "protocol/replay.h"
#include "saltway/batch.h"

enum sw_session_state {
  SW_SESSION_EMPTY,       /* all zero */
  SW_SESSION_UNCONFIRMED, /* no datagram of the peer was opened: it may not have the keys */
  SW_SESSION_CONFIRMED,   /* one was: the handshake was no replay */
};

struct sw_session {
  enum sw_session_state state;
  const struct sw_keys *keys; /* of its handshake; their mask covers its headers */
  uint32_t local;
  uint32_t remote;
  bool initiator;
  uint64_t counter; /* of the next datagram */
  uint64_t created;
  uint64_t rekey_at; /* when we begin the next session */
  uint64_t probe_at; /* the next probe while the session is unconfirmed */
  uint64_t probe_interval;
  struct sw_path path; /* of the handshake; used until the session is confirmed */
  struct sw_secretbox seal, open;
  struct sw_replay replay;
};

/** Fills an empty session with the result of a handshake.  It is unconfirmed. */
void sw_session_start(struct sw_session *session, const struct sw_agreement *agreement,
                      bool initiator, const struct sw_path *path, uint64_t now);

void sw_session_wipe(struct sw_session *session);

/** Whether the session is past SW_REJECT_AFTER, when it neither seals nor opens. */
bool sw_session_expired(const struct sw_session *session, uint64_t now);

/** When the session is to be wiped: at the end of its lifetime, or, if it is unconfirmed, when the
 * peer's pending entry expires. */
uint64_t sw_session_end(const struct sw_session *session);

/** When the next session is to be begun; 0: at once, because the counter is near its limit. */
uint64_t sw_session_rekey_time(const struct sw_session *session);

/** Reserves the next `count` counters for datagrams of this kind, to be sealed with sw_sealing_run.
 * Returns 0, or -EKEYEXPIRED if fewer are left or the session is past its lifetime. */
int sw_session_seal_begin(struct sw_session *session, uint64_t now, enum sw_kind kind,
                          unsigned count, struct sw_sealing *sealing);

/** Seals `length` bytes into a datagram, which is SW_OVERHEAD bytes longer.  Needs no room around
 * the buffers.  Returns the length of the datagram, or -EKEYEXPIRED. */
int64_t sw_session_seal(struct sw_session *session, uint64_t now, enum sw_kind kind,
                        const uint8_t *plain, size_t length, uint8_t *datagram);

/** Checks the age of the session and the counter in `word`, before a datagram is decrypted.
 * Returns 0, or -1 with the reason in `drop`. */
int sw_session_open_check(const struct sw_session *session, uint64_t now, uint64_t word,
                          enum sw_drop *drop);

/** Opens a datagram of at least SW_OVERHEAD bytes whose header was read.  Runs
 * sw_session_open_check, decrypts unless sw_opening_run did so with the key of this session, and
 * marks the counter as received.  Returns 0, or -1 with the reason in `drop`. */
int sw_session_open(struct sw_session *session, uint64_t now, struct sw_opening *opening,
                    enum sw_drop *drop);

#endif

/*
 * A session: the keys of one handshake in use, its counters and its age.
 *
 * Nonces can't repeat: the only way to seal takes the next counter, and refuses at the limit.  A
 * session of all zero (local id 0) is an empty place.  Its owner wipes it with sw_session_wipe.
 */
#ifndef SALTWAY_CORE_SESSION_H
#define SALTWAY_CORE_SESSION_H

#include <stdbool.h>

#include "core/handshake.h"
#include "core/replay.h"

struct sw_session {
  uint32_t local; /* 0: empty */
  uint32_t remote;
  bool initiator;   /* we started it */
  bool confirmed;   /* something of it came from the peer: it holds the keys, and answered afresh */
  uint64_t counter; /* of the next datagram */
  uint64_t created;
  uint64_t rekey_at; /* when we begin the next */
  uint64_t probe_at; /* an unconfirmed session's next probe */
  uint64_t probe_interval;
  struct sw_address address; /* the peer's, where the handshake reached it */
  struct sw_secretbox seal, open;
  struct sw_replay replay;
};

/** Starts the life of what a handshake agreed on. */
void sw_session_start(struct sw_session *session, const struct sw_agreement *agreement,
                      bool initiator, const struct sw_address *address, uint64_t now);

void sw_session_wipe(struct sw_session *session);

/** Whether the session is past its lifetime and must neither seal nor open. */
bool sw_session_expired(const struct sw_session *session, uint64_t now);

/** When it is to be wiped: at the end of its lifetime, or when an unconfirmed one is forgotten by
 * the peer. */
uint64_t sw_session_end(const struct sw_session *session);

/** Whether its age or counter asks for the next one. */
bool sw_session_rekey_due(const struct sw_session *session, uint64_t now);

/** Seals `length` bytes as one datagram of SW_OVERHEAD bytes more.  Returns its length, or
 * -EKEYEXPIRED if the session's counters are used up or its time is over. */
int64_t sw_session_seal(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                        uint64_t now, enum sw_kind kind, const uint8_t *plain, size_t length,
                        uint8_t *datagram);

/** As sw_session_seal, for buffers with the room that sw_secretbox_seal_fast asks for. */
int64_t sw_session_seal_fast(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                             uint64_t now, enum sw_kind kind, uint8_t *plain, size_t length,
                             uint8_t *datagram);

/** Opens a datagram of at least SW_OVERHEAD bytes whose header was read: looks at the replay
 * window, verifies the tag, then marks the counter as seen.  Returns 0, or -1 with the reason in
 * `drop`. */
int sw_session_open(struct sw_session *session, uint64_t now, struct sw_header header,
                    const uint8_t *datagram, size_t length, uint8_t *plain, enum sw_drop *drop);

/** As sw_session_open, for buffers with the room that sw_secretbox_open_fast asks for. */
int sw_session_open_fast(struct sw_session *session, uint64_t now, struct sw_header header,
                         const uint8_t *datagram, size_t length, uint8_t *plain,
                         enum sw_drop *drop);

#endif

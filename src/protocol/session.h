/*
 * A session: the keys of one handshake in use, its counters and its age.
 *
 * Nonces do not repeat: the only way to seal takes the next counters, and refuses at the limit.
 * The exception is a copy of the memory itself, as of a virtual machine that is restored or cloned
 * (docs/security.md).  A session of all zero (local id 0) is an empty place.  Its owner wipes it
 * with sw_session_wipe.
 */
#ifndef SALTWAY_PROTOCOL_SESSION_H
#define SALTWAY_PROTOCOL_SESSION_H

#include <stdbool.h>

#include "protocol/handshake.h"
#include "protocol/replay.h"
#include "saltway/batch.h"

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
  struct sw_path path; /* where the handshake reached the peer */
  struct sw_secretbox seal, open;
  struct sw_replay replay;
};

/** Starts the life of what a handshake agreed on. */
void sw_session_start(struct sw_session *session, const struct sw_agreement *agreement,
                      bool initiator, const struct sw_path *path, uint64_t now);

void sw_session_wipe(struct sw_session *session);

/** Whether the session is past its lifetime and must neither seal nor open. */
bool sw_session_expired(const struct sw_session *session, uint64_t now);

/** When it is to be wiped: at the end of its lifetime, or when an unconfirmed one is forgotten by
 * the peer. */
uint64_t sw_session_end(const struct sw_session *session);

/** When the next one is to be begun for its age; 0: at once, for its counter. */
uint64_t sw_session_rekey_time(const struct sw_session *session);

/** Takes the next `count` counters for datagrams of this kind, to be sealed with sw_sealing_run.
 * Returns 0, or -EKEYEXPIRED if the session has not so many left or its time is over. */
int sw_session_seal_begin(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                          uint64_t now, enum sw_kind kind, unsigned count,
                          struct sw_sealing *sealing);

/** Seals `length` bytes as one datagram of SW_OVERHEAD bytes more, and nothing around it is
 * touched.  Returns its length, or -EKEYEXPIRED. */
int64_t sw_session_seal(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                        uint64_t now, enum sw_kind kind, const uint8_t *plain, size_t length,
                        uint8_t *datagram);

/** Whether a datagram with this word may be opened: looks at its counter and at the replay window.
 * Returns 0, or -1 with the reason in `drop`. */
int sw_session_open_check(const struct sw_session *session, uint64_t now, uint64_t word,
                          enum sw_drop *drop);

/** Opens a datagram of at least SW_OVERHEAD bytes whose header was read: looks whether it may be,
 * verifies the tag, unless that was done with this session's keys, then marks the counter as seen.
 * Returns 0, or -1 with the reason in `drop`. */
int sw_session_open(struct sw_session *session, uint64_t now, struct sw_opening *opening,
                    enum sw_drop *drop);

#endif

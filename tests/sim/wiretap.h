/*
 * The wiretap sees every datagram that a link sends, with the key in hand: it tells what each is,
 * keeps it for whoever wants to replay it, and fails the run if a nonce or an ephemeral key is used
 * twice, a session is sent in past its lifetime, or a datagram is of a size that tells its kind.
 */
#ifndef SIM_WIRETAP_H
#define SIM_WIRETAP_H

#include <sodium.h>

#include "protocol/handshake.h"

enum datagram_kind {
  DATAGRAM_INIT,
  DATAGRAM_RESPONSE,
  DATAGRAM_COOKIE,
  DATAGRAM_PACKET,
  DATAGRAM_PROBE,
  DATAGRAM_PROBE_ACK, /* or a keepalive */
  DATAGRAM_CLOSE,
  DATAGRAM_KINDS,
};

const char *datagram_name(enum datagram_kind kind);

struct recording {
  uint8_t *bytes;
  size_t length;
  enum datagram_kind kind;
  unsigned sender; /* side */
  struct sw_address from, to;
  /* of each side, when it was sent: which process ran, and what the link took the time for */
  unsigned life[2];
  uint64_t clock[2];
  unsigned handed[2]; /* the latest process of each side that it was handed to; 0: none */
};

struct wiretap {
  struct sw_keys keys[2]; /* of each side */
  struct recording *recordings;
  size_t count, capacity;
  struct nonce *nonces; /* a hash set */
  size_t nonce_count, nonce_capacity;
  uint8_t point[2][SW_POINT_BYTES]; /* of each side's latest init, which may be repeated */
  struct sending *sendings;         /* sessions that were sent in */
  size_t sending_count, sending_capacity;
  uint64_t init_times[2]; /* when the second that is counted began */
  unsigned inits[2];
  crypto_generichash_state digest;
};

void wiretap_start(struct wiretap *tap, const struct sw_psk psk[2]);
void wiretap_free(struct wiretap *tap);

/* Records a datagram; the rest of `what` is filled in by the caller.  Returns its number. */
size_t wiretap_record(struct wiretap *tap, uint64_t now, const struct recording *what,
                      const uint8_t *bytes, size_t length);

/* Of all that was recorded: two runs of one seed have the same. */
uint64_t wiretap_digest(const struct wiretap *tap);

#endif

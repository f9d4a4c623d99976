/*
 * Records every datagram that the links send, decrypts it and determines its kind.  Fails the run
 * if a nonce or an ephemeral key is used twice, if a session is used past its lifetime, or if a
 * datagram's size reveals its kind.
 */
#ifndef SIM_WIRETAP_H
#define SIM_WIRETAP_H

#include <sodium.h>

#include "keys.h"
#include "protocol/handshake.h"

enum datagram_kind {
  DATAGRAM_INIT,
  DATAGRAM_RESPONSE,
  DATAGRAM_COOKIE,
  DATAGRAM_PACKET,
  DATAGRAM_PROBE, /* of any kind */
  DATAGRAM_PROBE_ACK,
  DATAGRAM_CLOSE,
  DATAGRAM_KINDS,
};

const char *datagram_name(enum datagram_kind kind);

struct recording {
  uint8_t *bytes;
  size_t length;
  enum datagram_kind kind;
  unsigned sender; /* side */
  unsigned key;    /* number of the key that it is sealed or masked with */
  bool whole;      /* it is not fragmented where it is too long */
  struct sw_address from, to;
  /* when it was sent, for each side: the running process, and the time passed to the link */
  unsigned life[2];
  uint64_t clock[2];
  unsigned handed[2]; /* the latest process of each side that received it; 0: none */
};

struct wiretap {
  struct sw_keys keys[KEYS]; /* by their numbers */
  struct recording *recordings;
  size_t count, capacity;
  struct nonce *nonces; /* a hash set */
  size_t nonce_count, nonce_capacity;
  uint8_t point[2][SW_POINT_BYTES]; /* of each side's latest init, which may be repeated */
  struct sending *sendings;         /* sessions that were used */
  size_t sending_count, sending_capacity;
  uint64_t init_times[2]; /* start of the present second for each side */
  unsigned inits[2];
  crypto_generichash_state digest;
};

void wiretap_start(struct wiretap *tap);
void wiretap_free(struct wiretap *tap);

/* Records a datagram.  The caller fills in the rest of `what`.  Returns its number. */
size_t wiretap_record(struct wiretap *tap, uint64_t now, const struct recording *what,
                      const uint8_t *bytes, size_t length);

/* Forgets what was recorded, but for the digest, when nothing is in flight. */
void wiretap_forget(struct wiretap *tap);

/* Returns a digest of everything recorded.  Two runs of one seed have the same digest. */
uint64_t wiretap_digest(const struct wiretap *tap);

#endif

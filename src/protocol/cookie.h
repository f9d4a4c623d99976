/*
 * Cookies: under load a responder spends its X25519 only on initiators that receive at the address
 * they send from, and keeps nothing for the others (as DTLS, RFC 6347 §4.2.1, and WireGuard do).
 *
 * A cookie is a keyed hash of the init's source and ephemeral key under a secret that is drawn anew
 * every SW_COOKIE_SECRET_LIFETIME; the one before it is still accepted.  The owner wipes the
 * struct.
 */
#ifndef SALTWAY_PROTOCOL_COOKIE_H
#define SALTWAY_PROTOCOL_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/protocol.h"

struct sw_cookies {
  uint8_t secret[2][SW_KEY_BYTES]; /* current, previous */
  uint64_t drawn;                  /* when the current one was */
  uint64_t second;                 /* when the second that is counted began */
  unsigned inits;                  /* in this second */
  bool busy;                       /* the second before it was over the limit */
};

void sw_cookies_start(struct sw_cookies *cookies, uint64_t now);

/** Counts an init, and returns whether more than SW_LOAD_INITS a second arrive. */
bool sw_cookies_count(struct sw_cookies *cookies, uint64_t now);

/** Makes the cookie for an init from this source. */
void sw_cookies_make(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                     const uint8_t point[SW_POINT_BYTES], uint8_t cookie[SW_COOKIE_BYTES]);

/** Whether `cookie` was made for this source and ephemeral key, and not too long ago. */
bool sw_cookies_verify(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                       const uint8_t point[SW_POINT_BYTES], const uint8_t cookie[SW_COOKIE_BYTES]);

#endif

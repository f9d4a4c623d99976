/*
 * Cookies: under load a responder computes X25519 only for initiators that have shown that they
 * receive at their source address, and keeps no state for the others (as in DTLS, RFC 6347 §4.2.1,
 * and WireGuard).
 *
 * A cookie is a keyed hash of the init's source and ephemeral key.  The secret is replaced every
 * SW_COOKIE_SECRET_LIFETIME, and cookies made with the previous one are still accepted.  The owner
 * wipes the struct.
 */
#ifndef SALTWAY_PROTOCOL_COOKIE_H
#define SALTWAY_PROTOCOL_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/protocol.h"

struct sw_cookies {
  uint8_t secret[2][SW_KEY_BYTES]; /* current, previous */
  uint64_t drawn;                  /* when the current secret was drawn */
  uint64_t second;                 /* when the second being counted began */
  unsigned inits;                  /* inits in this second */
  bool busy;                       /* the previous second was over the limit */
};

void sw_cookies_start(struct sw_cookies *cookies, uint64_t now);

/** Counts an init.  Returns whether more than SW_LOAD_INITS arrive per second. */
bool sw_cookies_count(struct sw_cookies *cookies, uint64_t now);

/** Makes the cookie for an init with this source and ephemeral key. */
void sw_cookies_make(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                     const uint8_t point[SW_POINT_BYTES], uint8_t cookie[SW_COOKIE_BYTES]);

/** Whether `cookie` was made for this source and ephemeral key with the current or the previous
 * secret. */
bool sw_cookies_verify(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                       const uint8_t point[SW_POINT_BYTES], const uint8_t cookie[SW_COOKIE_BYTES]);

#endif

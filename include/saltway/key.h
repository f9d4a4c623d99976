/*
 * The pre-shared key: the one secret both ends of a link hold.
 *
 * A key's text form is 44 characters of base64 (RFC 4648 §4, padded), as `saltway genkey` prints
 * it.  Whoever holds a struct sw_psk owns it and wipes it (sodium_memzero) when done.
 */
#ifndef SALTWAY_KEY_H
#define SALTWAY_KEY_H

#include <stddef.h>
#include <stdint.h>

#define SW_PSK_BYTES 32

/** The text of a key: 44 characters and the terminating zero. */
#define SW_PSK_TEXT 45

/** The text of a fingerprint: 8 hexadecimal digits and the terminating zero. */
#define SW_FINGERPRINT_TEXT 9

struct sw_psk {
  uint8_t bytes[SW_PSK_BYTES];
};

/** Draws a new key from the system's random generator. */
void sw_psk_generate(struct sw_psk *psk);

/** Writes the key's text to `text`, which the caller wipes. */
void sw_psk_encode(const struct sw_psk *psk, char text[SW_PSK_TEXT]);

/** Reads a key from exactly 44 characters of base64; `length` is that of `text`.
 * Returns 0, -EINVAL if it is not base64, -EMSGSIZE if the key is not of 32 bytes,
 * -EKEYREJECTED if all its bytes are the same (a key that nobody drew). */
int sw_psk_decode(const char *text, size_t length, struct sw_psk *psk);

/** Writes the key's fingerprint, which two people may compare in the open: it tells nothing of
 * the key but whether two keys differ. */
void sw_psk_fingerprint(const struct sw_psk *psk, char text[SW_FINGERPRINT_TEXT]);

#endif

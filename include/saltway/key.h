/*
 * The pre-shared key: the secret that both ends of a link hold.
 *
 * The text of a key is 44 characters of padded base64 (RFC 4648 §4), as printed by `saltway
 * genkey`.  The owner of a struct sw_psk wipes it (sodium_memzero).
 */
#ifndef SALTWAY_KEY_H
#define SALTWAY_KEY_H

#include <stddef.h>
#include <stdint.h>

#define SW_PSK_BYTES 32

/** Most keys of a link: the one that it sends with, and another one that it accepts meanwhile. */
#define SW_PSKS_MAX 2

/** The text of a key: 44 characters and the terminating zero. */
#define SW_PSK_TEXT 45

/** The text of a fingerprint: 8 hexadecimal digits and the terminating zero. */
#define SW_FINGERPRINT_TEXT 9

/** The text of the fingerprints of SW_PSKS_MAX keys, separated by ", ". */
#define SW_FINGERPRINTS_TEXT (SW_PSKS_MAX * (SW_FINGERPRINT_TEXT + 1))

struct sw_psk {
  uint8_t bytes[SW_PSK_BYTES];
};

/** The keys of a key file, in its order.  They are all different. */
struct sw_psks {
  struct sw_psk keys[SW_PSKS_MAX];
  unsigned count;
};

/** Generates a key with the system's random number generator. */
void sw_psk_generate(struct sw_psk *psk);

/** Writes the text of the key to `text`, which the caller wipes. */
void sw_psk_encode(const struct sw_psk *psk, char text[SW_PSK_TEXT]);

/** Decodes a key from `length` bytes of text.  Returns 0, or a negative errno: -EINVAL if the text
 * is not base64, -EMSGSIZE if the key is not 32 bytes long, -EKEYREJECTED if all bytes of the key
 * are the same, which no generator returns. */
int sw_psk_decode(const char *text, size_t length, struct sw_psk *psk);

/** Writes the fingerprint of the key, which may be compared in public: it reveals nothing about the
 * key but whether two keys differ. */
void sw_psk_fingerprint(const struct sw_psk *psk, char text[SW_FINGERPRINT_TEXT]);

/** Writes the fingerprints of all keys to `text`, and returns it. */
char *sw_psks_fingerprints(const struct sw_psks *psks, char text[SW_FINGERPRINTS_TEXT]);

#endif

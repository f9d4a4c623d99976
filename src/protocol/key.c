#include "saltway/key.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "base/stack.h"
#include "protocol/protocol.h"

#define FINGERPRINT_SUBKEY 3
#define FINGERPRINT_BYTES 4
_Static_assert(SW_PSK_BYTES == crypto_kdf_KEYBYTES, "the key is an input of the KDF");
_Static_assert(SW_PSK_TEXT ==
                   sodium_base64_ENCODED_LEN(SW_PSK_BYTES, sodium_base64_VARIANT_ORIGINAL),
               "the text has room for the key");

void sw_psk_generate(struct sw_psk *psk) {
  randombytes_buf(psk->bytes, SW_PSK_BYTES);
}

void sw_psk_encode(const struct sw_psk *psk, char text[SW_PSK_TEXT]) {
  sodium_bin2base64(text, SW_PSK_TEXT, psk->bytes, SW_PSK_BYTES, sodium_base64_VARIANT_ORIGINAL);
}

static bool all_bytes_same(const uint8_t bytes[SW_PSK_BYTES]) {
  return sodium_memcmp(bytes, bytes + 1, SW_PSK_BYTES - 1) == 0;
}

/* Whether `text` is the encoding of the key.  libsodium decodes some bytes outside of ASCII as if
 * they were base64. */
static bool is_encoding_of(const char *text, const uint8_t bytes[SW_PSK_BYTES]) {
  char encoded[SW_PSK_TEXT];
  sodium_bin2base64(encoded, SW_PSK_TEXT, bytes, SW_PSK_BYTES, sodium_base64_VARIANT_ORIGINAL);
  const bool same = sodium_memcmp(text, encoded, SW_PSK_TEXT - 1) == 0;
  sodium_memzero(encoded, sizeof(encoded));
  return same;
}

int sw_psk_decode(const char *text, size_t length, struct sw_psk *psk) {
  uint8_t bytes[2 * SW_PSK_BYTES]; /* room for more: a longer key is not reported as no base64 */
  size_t decoded;
  int result = -EINVAL;
  sodium_memzero(psk, sizeof(*psk));
  if (length / 4 * 3 > sizeof(bytes)) return -EMSGSIZE;
  if (sodium_base642bin(bytes, sizeof(bytes), text, length, NULL, &decoded, NULL,
                        sodium_base64_VARIANT_ORIGINAL) == 0) {
    if (decoded != SW_PSK_BYTES) {
      result = -EMSGSIZE;
    } else if (all_bytes_same(bytes)) {
      result = -EKEYREJECTED;
    } else if (is_encoding_of(text, bytes)) {
      memcpy(psk->bytes, bytes, SW_PSK_BYTES);
      result = 0;
    }
  }
  sodium_memzero(bytes, sizeof(bytes));
  return result;
}

void sw_psk_fingerprint(const struct sw_psk *psk, char text[SW_FINGERPRINT_TEXT]) {
  uint8_t derived[32];
  crypto_kdf_derive_from_key(derived, sizeof(derived), FINGERPRINT_SUBKEY, SW_KDF_CONTEXT,
                             psk->bytes);
  sodium_bin2hex(text, SW_FINGERPRINT_TEXT, derived, FINGERPRINT_BYTES);
  sodium_memzero(derived, sizeof(derived));
  sw_stack_wipe();
}

char *sw_psks_fingerprints(const struct sw_psks *psks, char text[SW_FINGERPRINTS_TEXT]) {
  char *end = text;
  for (unsigned i = 0; i < psks->count; i++) {
    if (i > 0) end = stpcpy(end, ", ");
    sw_psk_fingerprint(&psks->keys[i], end);
    end += SW_FINGERPRINT_TEXT - 1;
  }
  return text;
}

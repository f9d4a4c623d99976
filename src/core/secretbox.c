#include "core/secretbox.h"

#include <sodium.h>

#include "core/wire.h"

_Static_assert(crypto_secretbox_KEYBYTES == SW_KEY_BYTES, "key");
_Static_assert(crypto_secretbox_NONCEBYTES == SW_NONCE_BYTES, "nonce");
_Static_assert(crypto_secretbox_MACBYTES == SW_TAG_BYTES, "tag");

static void nonce_of(const struct sw_secretbox *box, uint64_t word, uint8_t nonce[SW_NONCE_BYTES]) {
  memcpy(nonce, box->prefix, SW_PREFIX_BYTES);
  sw_store64(nonce + SW_PREFIX_BYTES, word);
}

void sw_secretbox_seal(const struct sw_secretbox *box, uint64_t word, const uint8_t *plain,
                       size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher) {
  uint8_t nonce[SW_NONCE_BYTES];
  nonce_of(box, word, nonce);
  crypto_secretbox_detached(cipher, tag, plain, length, nonce, box->key);
}

bool sw_secretbox_open(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                       size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain) {
  uint8_t nonce[SW_NONCE_BYTES];
  nonce_of(box, word, nonce);
  return crypto_secretbox_open_detached(plain, cipher, tag, length, nonce, box->key) == 0;
}

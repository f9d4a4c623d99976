#include "protocol/secretbox.h"

#include <sodium.h>

#include "protocol/wire.h"

_Static_assert(crypto_secretbox_KEYBYTES == SW_KEY_BYTES, "key");
_Static_assert(crypto_secretbox_NONCEBYTES == SW_NONCE_BYTES, "nonce");
_Static_assert(crypto_secretbox_MACBYTES == SW_TAG_BYTES, "tag");

#define POLY_KEY_BYTES crypto_onetimeauth_KEYBYTES /* the first bytes of the stream */
#define WIDE_BYTES 256                             /* block size of the vectorised Salsa20 code */
#define SPARED_BYTES 4 /* in front of a datagram: the end of the previous one in a batch */
_Static_assert(SW_BODY_OFFSET + SPARED_BYTES == POLY_KEY_BYTES,
               "the key of the tag lies over the header");
_Static_assert(SW_SLACK >= WIDE_BYTES, "the last wide block");

static bool stock_only;

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

void sw_secretbox_prepare(struct sw_secretbox *box) {
  crypto_core_hsalsa20(box->subkey, box->prefix, box->key, NULL);
}

static size_t wide(size_t length) {
  return (length + WIDE_BYTES - 1) / WIDE_BYTES * WIDE_BYTES;
}

void sw_secretbox_seal_fast(const struct sw_secretbox *box, uint64_t word, uint8_t *plain,
                            size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher) {
  if (stock_only) {
    sw_secretbox_seal(box, word, plain, length, tag, cipher);
    return;
  }
  uint8_t nonce[crypto_stream_salsa20_NONCEBYTES], sum[SW_TAG_BYTES], spared[SPARED_BYTES];
  sw_store64(nonce, word);
  uint8_t *key = cipher - POLY_KEY_BYTES;
  memcpy(spared, key, sizeof(spared));
  memset(plain - POLY_KEY_BYTES, 0, POLY_KEY_BYTES);
  crypto_stream_salsa20_xor(key, plain - POLY_KEY_BYTES, wide(POLY_KEY_BYTES + length), nonce,
                            box->subkey);
  crypto_onetimeauth(sum, cipher, length, key);
  memset(key, 0, POLY_KEY_BYTES);
  memcpy(key, spared, sizeof(spared));
  memcpy(tag, sum, sizeof(sum));
}

/* One pass generates the key of the tag and decrypts: a tenth faster than a separate call for the
 * key.  So a forged datagram is decrypted, too, and its plaintext is wiped. */
bool sw_secretbox_open_fast(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                            size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain) {
  if (stock_only) return sw_secretbox_open(box, word, cipher, length, tag, plain);
  uint8_t nonce[crypto_stream_salsa20_NONCEBYTES], key[POLY_KEY_BYTES];
  const uint8_t *before = cipher - POLY_KEY_BYTES; /* whatever is there */
  uint8_t *stream = plain - POLY_KEY_BYTES;
  sw_store64(nonce, word);
  crypto_stream_salsa20_xor(stream, before, wide(POLY_KEY_BYTES + length), nonce, box->subkey);
  for (size_t i = 0; i < POLY_KEY_BYTES; i++) key[i] = stream[i] ^ before[i];
  const bool verified = crypto_onetimeauth_verify(tag, cipher, length, key) == 0;
  if (!verified) sodium_memzero(plain, length);
  sodium_memzero(key, sizeof(key));
  return verified;
}

static bool agrees(const struct sw_secretbox *box, size_t length) {
  uint8_t plain[POLY_KEY_BYTES + 2048 + SW_SLACK], datagram[2048 + 2 * SW_SLACK] = {0}, stock[2048];
  uint8_t tag[SW_TAG_BYTES], opened[POLY_KEY_BYTES + 2048 + SW_SLACK];
  uint8_t *cipher = datagram + SPARED_BYTES + SW_BODY_OFFSET;
  for (size_t i = 0; i < length; i++) plain[POLY_KEY_BYTES + i] = (uint8_t)(i * 7 + length);
  const uint64_t word = length * UINT64_C(0x0102030405060708);
  sw_secretbox_seal(box, word, plain + POLY_KEY_BYTES, length, tag, stock);
  memcpy(cipher, stock, length);
  if (!sw_secretbox_open_fast(box, word, cipher, length, tag, opened + POLY_KEY_BYTES))
    return false;
  if (memcmp(opened + POLY_KEY_BYTES, plain + POLY_KEY_BYTES, length) != 0) return false;
  sw_secretbox_seal_fast(box, word, plain + POLY_KEY_BYTES, length, cipher - SW_TAG_BYTES, cipher);
  return memcmp(cipher - SW_TAG_BYTES, tag, SW_TAG_BYTES) == 0 &&
         memcmp(cipher, stock, length) == 0;
}

bool sw_secretbox_self_test(void) {
  struct sw_secretbox box;
  memset(&box, 0x5a, sizeof(box));
  sw_secretbox_prepare(&box);
  static const size_t lengths[] = {0, 1, 31, 32, 33, 63, 64, 65, 223, 224, 225, 1376, 1440, 1500};
  bool good = true;
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    good = good && agrees(&box, lengths[i]);
  stock_only = !good;
  return good;
}

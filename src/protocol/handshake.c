#include "protocol/handshake.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

#include "base/stack.h"

_Static_assert(crypto_scalarmult_BYTES == SW_POINT_BYTES, "point");
_Static_assert(crypto_scalarmult_SCALARBYTES == SW_KEY_BYTES, "scalar");

enum { SUBKEY_HANDSHAKE = 1, SUBKEY_MASK = 2 };
enum { SUBKEY_TO_RESPONDER = 1, SUBKEY_TO_INITIATOR, PREFIX_TO_RESPONDER, PREFIX_TO_INITIATOR };

/* offsets in the plaintexts */
enum {
  TYPE = 0,
  INIT_VERSION = 1,
  INIT_ME = 2,
  INIT_SENDER = INIT_ME + SW_ME_BYTES,
  INIT_FEATURES = INIT_SENDER + 4, /* all zero: none is defined, and unknown ones are ignored */
  INIT_POINT = INIT_FEATURES + 4,
  INIT_COOKIE = INIT_POINT + SW_POINT_BYTES,

  REPLY_ME = 1,
  RESPONSE_SENDER = REPLY_ME + SW_ME_BYTES,
  RESPONSE_RECEIVER = RESPONSE_SENDER + 4,
  RESPONSE_FEATURES = RESPONSE_RECEIVER + 4,
  RESPONSE_POINT = RESPONSE_FEATURES + 4,
  RESPONSE_HASH = RESPONSE_POINT + SW_POINT_BYTES,

  COOKIE_HASH = REPLY_ME + SW_ME_BYTES,
  COOKIE_COOKIE = COOKIE_HASH + SW_HASH_BYTES,
};
_Static_assert(INIT_COOKIE + SW_COOKIE_BYTES == SW_INIT_FIXED_BYTES, "layout of an init");
_Static_assert(RESPONSE_HASH + SW_HASH_BYTES == SW_RESPONSE_FIXED_BYTES, "layout of a response");
_Static_assert(COOKIE_COOKIE + SW_COOKIE_BYTES == SW_COOKIE_MESSAGE_BYTES, "layout of a cookie");

static void subkey(const uint8_t key[SW_KEY_BYTES], uint64_t id, uint8_t *out, size_t size) {
  uint8_t bytes[SW_KEY_BYTES];
  crypto_kdf_derive_from_key(bytes, sizeof(bytes), id, SW_KDF_CONTEXT, key);
  memcpy(out, bytes, size);
  sodium_memzero(bytes, sizeof(bytes));
}

void sw_keys_derive(const struct sw_psk *psk, struct sw_keys *keys) {
  keys->psk = *psk;
  subkey(psk->bytes, SUBKEY_HANDSHAKE, keys->handshake, sizeof(keys->handshake));
  subkey(psk->bytes, SUBKEY_MASK, keys->mask, sizeof(keys->mask));
  sw_psk_fingerprint(psk, keys->fingerprint);
  sw_stack_wipe();
}

static void handshake_nonce(struct sw_header header, const uint8_t *datagram,
                            uint8_t nonce[SW_NONCE_BYTES]) {
  sw_store64(nonce, header.word);
  memcpy(nonce + 8, datagram + SW_BODY_OFFSET, SW_HANDSHAKE_NONCE_BYTES);
}

size_t sw_message_seal(const struct sw_keys *keys, const uint8_t *plain, size_t length,
                       uint8_t *datagram) {
  assert(length <= SW_INIT_MAX);
  struct sw_header header = {.session = SW_SESSION_HANDSHAKE};
  randombytes_buf(&header.word, sizeof(header.word));
  randombytes_buf(datagram + SW_BODY_OFFSET, SW_HANDSHAKE_NONCE_BYTES);
  uint8_t nonce[SW_NONCE_BYTES];
  handshake_nonce(header, datagram, nonce);
  crypto_secretbox_detached(datagram + SW_HANDSHAKE_OVERHEAD, datagram + SW_TAG_OFFSET, plain,
                            length, nonce, keys->handshake);
  sw_header_write(keys->mask, header, datagram);
  return SW_HANDSHAKE_OVERHEAD + length;
}

int sw_message_open(const struct sw_keys *keys, struct sw_header header, const uint8_t *datagram,
                    size_t length, uint8_t plain[SW_INIT_MAX]) {
  if (length <= SW_HANDSHAKE_OVERHEAD || length > SW_HANDSHAKE_OVERHEAD + SW_INIT_MAX)
    return -EMSGSIZE;
  uint8_t nonce[SW_NONCE_BYTES];
  handshake_nonce(header, datagram, nonce);
  if (crypto_secretbox_open_detached(plain, datagram + SW_HANDSHAKE_OVERHEAD,
                                     datagram + SW_TAG_OFFSET, length - SW_HANDSHAKE_OVERHEAD,
                                     nonce, keys->handshake) != 0)
    return -EBADMSG;
  return (int)(length - SW_HANDSHAKE_OVERHEAD);
}

static int parse_init(const uint8_t *plain, size_t length, struct sw_handshake_message *message) {
  if (length <= INIT_VERSION) return -EBADMSG;
  message->version = plain[INIT_VERSION];
  if (message->version != SW_VERSION) return -EPROTONOSUPPORT;
  if (length < SW_INIT_MIN) return -EBADMSG;
  message->me = plain + INIT_ME;
  message->sender = sw_load32(plain + INIT_SENDER);
  message->point = plain + INIT_POINT;
  message->cookie = plain + INIT_COOKIE;
  return message->sender == SW_SESSION_HANDSHAKE ? -EBADMSG : 0;
}

static int parse_response(const uint8_t *plain, size_t length,
                          struct sw_handshake_message *message) {
  if (length < SW_RESPONSE_FIXED_BYTES) return -EBADMSG;
  message->me = plain + REPLY_ME;
  message->sender = sw_load32(plain + RESPONSE_SENDER);
  message->receiver = sw_load32(plain + RESPONSE_RECEIVER);
  message->point = plain + RESPONSE_POINT;
  message->hash = plain + RESPONSE_HASH;
  return message->sender == SW_SESSION_HANDSHAKE ? -EBADMSG : 0;
}

static int parse_cookie(const uint8_t *plain, size_t length, struct sw_handshake_message *message) {
  if (length < SW_COOKIE_MESSAGE_BYTES) return -EBADMSG;
  message->me = plain + REPLY_ME;
  message->hash = plain + COOKIE_HASH;
  message->cookie = plain + COOKIE_COOKIE;
  return 0;
}

int sw_message_parse(const uint8_t *plain, size_t length, struct sw_handshake_message *message) {
  assert(length > 0);
  *message = (struct sw_handshake_message){.type = plain[TYPE]};
  switch (message->type) {
  case SW_MESSAGE_INIT:
    return parse_init(plain, length, message);
  case SW_MESSAGE_RESPONSE:
    return parse_response(plain, length, message);
  case SW_MESSAGE_COOKIE:
    return parse_cookie(plain, length, message);
  }
  return -EBADMSG;
}

void sw_message_hash(const uint8_t *plain, size_t length, uint8_t hash[SW_HASH_BYTES]) {
  crypto_generichash(hash, SW_HASH_BYTES, plain, length, NULL, 0);
}

/* Padding is encrypted: its length must be random, its bytes need not be. */
static size_t padded_length(size_t least, size_t most) {
  assert(least <= most && most <= SW_INIT_MAX);
  return least + randombytes_uniform((uint32_t)(most - least + 1));
}

void sw_initiation_begin(struct sw_initiation *initiation, const struct sw_keys *keys,
                         const uint8_t me[SW_ME_BYTES], uint32_t local) {
  sodium_memzero(initiation, sizeof(*initiation));
  initiation->keys = keys;
  initiation->local = local;
  initiation->length = padded_length(SW_INIT_MIN, SW_INIT_MAX);
  randombytes_buf(initiation->secret, sizeof(initiation->secret));
  uint8_t *plain = initiation->plain;
  plain[TYPE] = SW_MESSAGE_INIT;
  plain[INIT_VERSION] = SW_VERSION;
  memcpy(plain + INIT_ME, me, SW_ME_BYTES);
  sw_store32(plain + INIT_SENDER, local);
  crypto_scalarmult_base(plain + INIT_POINT, initiation->secret);
  sw_message_hash(plain, initiation->length, initiation->hash);
}

void sw_initiation_cookie(struct sw_initiation *initiation, const uint8_t cookie[SW_COOKIE_BYTES]) {
  initiation->cookie_used = true;
  memcpy(initiation->plain + INIT_COOKIE, cookie, SW_COOKIE_BYTES);
  sw_message_hash(initiation->plain, initiation->length, initiation->hash);
}

/* Derives the session keys from
 * ss = BLAKE2b-256(key = psk, X25519(secret, point) || H(init || response)). */
static int agree(const struct sw_keys *keys, const uint8_t secret[SW_KEY_BYTES],
                 const uint8_t *point, const uint8_t *init, size_t init_length,
                 const uint8_t *response, size_t response_length, bool initiator,
                 struct sw_agreement *agreement) {
  struct {
    uint8_t shared[SW_POINT_BYTES];
    uint8_t hash[SW_HASH_BYTES];
  } input;
  if (crypto_scalarmult(input.shared, secret, point) != 0) return -EKEYREJECTED;
  crypto_generichash_state state;
  crypto_generichash_init(&state, NULL, 0, sizeof(input.hash));
  crypto_generichash_update(&state, init, init_length);
  crypto_generichash_update(&state, response, response_length);
  crypto_generichash_final(&state, input.hash, sizeof(input.hash));
  agreement->keys = keys;
  uint8_t ss[SW_KEY_BYTES];
  crypto_generichash(ss, sizeof(ss), (const uint8_t *)&input, sizeof(input), keys->psk.bytes,
                     sizeof(keys->psk.bytes));
  struct sw_secretbox *to_responder = initiator ? &agreement->seal : &agreement->open;
  struct sw_secretbox *to_initiator = initiator ? &agreement->open : &agreement->seal;
  subkey(ss, SUBKEY_TO_RESPONDER, to_responder->key, SW_KEY_BYTES);
  subkey(ss, SUBKEY_TO_INITIATOR, to_initiator->key, SW_KEY_BYTES);
  subkey(ss, PREFIX_TO_RESPONDER, to_responder->prefix, SW_PREFIX_BYTES);
  subkey(ss, PREFIX_TO_INITIATOR, to_initiator->prefix, SW_PREFIX_BYTES);
  sw_secretbox_prepare(to_responder);
  sw_secretbox_prepare(to_initiator);
  sodium_memzero(&input, sizeof(input));
  sodium_memzero(ss, sizeof(ss));
  sw_stack_wipe();
  return 0;
}

int sw_initiation_finish(const struct sw_initiation *initiation,
                         const struct sw_handshake_message *response, const uint8_t *plain,
                         size_t length, struct sw_agreement *agreement) {
  agreement->local = initiation->local;
  agreement->remote = response->sender;
  return agree(initiation->keys, initiation->secret, response->point, initiation->plain,
               initiation->length, plain, length, true, agreement);
}

void sw_response_compose(const uint8_t me[SW_ME_BYTES], const struct sw_agreement *agreement,
                         const uint8_t hash[SW_HASH_BYTES], const uint8_t point[SW_POINT_BYTES],
                         size_t length, uint8_t plain[SW_INIT_MAX]) {
  memset(plain, 0, length);
  plain[TYPE] = SW_MESSAGE_RESPONSE;
  memcpy(plain + REPLY_ME, me, SW_ME_BYTES);
  sw_store32(plain + RESPONSE_SENDER, agreement->local);
  sw_store32(plain + RESPONSE_RECEIVER, agreement->remote);
  memcpy(plain + RESPONSE_POINT, point, SW_POINT_BYTES);
  memcpy(plain + RESPONSE_HASH, hash, SW_HASH_BYTES);
}

const uint8_t *sw_response_point(const uint8_t *plain) {
  return plain + RESPONSE_POINT;
}

int sw_response_make(const struct sw_keys *keys, const uint8_t me[SW_ME_BYTES], uint32_t local,
                     const struct sw_handshake_message *init, const uint8_t *init_plain,
                     size_t init_length, uint8_t plain[SW_INIT_MAX],
                     struct sw_agreement *agreement) {
  const size_t length = padded_length(SW_RESPONSE_FIXED_BYTES, init_length);
  uint8_t secret[SW_KEY_BYTES], point[SW_POINT_BYTES], hash[SW_HASH_BYTES];
  randombytes_buf(secret, sizeof(secret));
  crypto_scalarmult_base(point, secret);
  sw_message_hash(init_plain, init_length, hash);
  agreement->local = local;
  agreement->remote = init->sender;
  sw_response_compose(me, agreement, hash, point, length, plain);
  const int failed =
      agree(keys, secret, init->point, init_plain, init_length, plain, length, false, agreement);
  sodium_memzero(secret, sizeof(secret));
  return failed ? failed : (int)length;
}

size_t sw_cookie_message_make(const uint8_t me[SW_ME_BYTES], const uint8_t hash[SW_HASH_BYTES],
                              const uint8_t cookie[SW_COOKIE_BYTES], size_t init_length,
                              uint8_t plain[SW_INIT_MAX]) {
  const size_t length = padded_length(SW_COOKIE_MESSAGE_BYTES, init_length);
  memset(plain, 0, length);
  plain[TYPE] = SW_MESSAGE_COOKIE;
  memcpy(plain + REPLY_ME, me, SW_ME_BYTES);
  memcpy(plain + COOKIE_HASH, hash, SW_HASH_BYTES);
  memcpy(plain + COOKIE_COOKIE, cookie, SW_COOKIE_BYTES);
  return length;
}

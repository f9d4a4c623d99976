#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/handshake.h"
#include "stack.h"

#define LENGTHS 1501 /* 0 to 1500 */
#define DRAWS 3000

static struct sw_keys keys;
static const uint8_t me_left[SW_ME_BYTES] = {1, 2, 3}, me_right[SW_ME_BYTES] = {9, 8, 7};

/* Both ends of one handshake, and their messages. */
struct exchange {
  struct sw_initiation initiation;
  struct sw_handshake_message init, response;
  uint8_t response_plain[SW_INIT_MAX];
  size_t response_length;
  struct sw_agreement left, right;
};

static void answer(struct exchange *exchange) {
  assert_int_equal(
      sw_message_parse(exchange->initiation.plain, exchange->initiation.length, &exchange->init),
      0);
  memset(exchange->response_plain, 0xee, sizeof(exchange->response_plain));
  const int length =
      sw_response_make(&keys, me_right, 0xb0b, &exchange->init, exchange->initiation.plain,
                       exchange->initiation.length, exchange->response_plain, &exchange->right);
  assert_true(length > 0);
  exchange->response_length = (size_t)length;
  assert_int_equal(
      sw_message_parse(exchange->response_plain, exchange->response_length, &exchange->response),
      0);
}

static int finish(struct exchange *exchange) {
  return sw_initiation_finish(&exchange->initiation, &exchange->response, exchange->response_plain,
                              exchange->response_length, &exchange->left);
}

static void complete(struct exchange *exchange) {
  memset(exchange, 0xee, sizeof(*exchange));
  sw_initiation_begin(&exchange->initiation, &keys, me_left, 0xa11ce);
  answer(exchange);
  assert_int_equal(finish(exchange), 0);
}

static void assert_same_box(const struct sw_secretbox *one, const struct sw_secretbox *other) {
  assert_memory_equal(one->key, other->key, SW_KEY_BYTES);
  assert_memory_equal(one->prefix, other->prefix, SW_PREFIX_BYTES);
  assert_memory_equal(one->subkey, other->subkey, SW_KEY_BYTES);
}

static void assert_other_box(const struct sw_secretbox *one, const struct sw_secretbox *other) {
  assert_memory_not_equal(one->key, other->key, SW_KEY_BYTES);
  assert_memory_not_equal(one->prefix, other->prefix, SW_PREFIX_BYTES);
}

/* ---- keys ---- */

static void handshake_and_mask_keys_are_subkeys_1_and_2_of_the_psk(void **state) {
  (void)state;
  uint8_t one[32], two[32];
  crypto_kdf_derive_from_key(one, sizeof(one), 1, "saltway1", keys.psk.bytes);
  crypto_kdf_derive_from_key(two, sizeof(two), 2, "saltway1", keys.psk.bytes);
  assert_memory_equal(keys.handshake, one, 32);
  assert_memory_equal(keys.mask, two, 16);
}

static void session_keys_agree_with_the_specification(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);

  uint8_t input[64], ss[32], plains[2 * SW_INIT_MAX], expected[4][32];
  assert_int_equal(crypto_scalarmult(input, exchange.initiation.secret, exchange.response.point),
                   0);
  memcpy(plains, exchange.initiation.plain, exchange.initiation.length);
  memcpy(plains + exchange.initiation.length, exchange.response_plain, exchange.response_length);
  crypto_generichash(input + 32, 32, plains, exchange.initiation.length + exchange.response_length,
                     NULL, 0);
  crypto_generichash(ss, 32, input, 64, keys.psk.bytes, 32);
  for (unsigned i = 0; i < 4; i++)
    crypto_kdf_derive_from_key(expected[i], 32, i + 1, "saltway1", ss);

  assert_memory_equal(exchange.left.seal.key, expected[0], 32);
  assert_memory_equal(exchange.left.open.key, expected[1], 32);
  assert_memory_equal(exchange.left.seal.prefix, expected[2], 16);
  assert_memory_equal(exchange.left.open.prefix, expected[3], 16);

  uint8_t subkey[32];
  crypto_core_hsalsa20(subkey, expected[2], expected[0], NULL);
  assert_memory_equal(exchange.left.seal.subkey, subkey, 32);
  crypto_core_hsalsa20(subkey, expected[3], expected[1], NULL);
  assert_memory_equal(exchange.left.open.subkey, subkey, 32);
}

static void both_sides_agree_mirrored(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  assert_same_box(&exchange.left.seal, &exchange.right.open);
  assert_same_box(&exchange.left.open, &exchange.right.seal);
  assert_other_box(&exchange.left.seal, &exchange.left.open);
  assert_int_equal(exchange.left.local, 0xa11ce);
  assert_int_equal(exchange.left.remote, 0xb0b);
  assert_int_equal(exchange.right.local, 0xb0b);
  assert_int_equal(exchange.right.remote, 0xa11ce);
}

static void two_handshakes_share_no_key(void **state) {
  (void)state;
  struct exchange one, other;
  complete(&one);
  complete(&other);
  assert_other_box(&one.left.seal, &other.left.seal);
  assert_other_box(&one.left.open, &other.left.open);
}

static void one_init_answered_twice_gives_other_keys(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  for (unsigned i = 0; i < 10; i++) {
    const struct sw_agreement before = exchange.right;
    uint8_t point[SW_POINT_BYTES];
    memcpy(point, exchange.response.point, sizeof(point));
    answer(&exchange);
    assert_memory_not_equal(exchange.response.point, point, sizeof(point));
    assert_other_box(&before.seal, &exchange.right.seal);
  }
}

static void handshake_fails_without_the_psk(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  struct sw_keys other = keys;
  other.psk.bytes[31] ^= 1;
  struct sw_agreement agreement;
  exchange.initiation.keys = &other;
  assert_int_equal(sw_initiation_finish(&exchange.initiation, &exchange.response,
                                        exchange.response_plain, exchange.response_length,
                                        &agreement),
                   0);
  assert_other_box(&agreement.seal, &exchange.right.open);
  assert_other_box(&agreement.open, &exchange.right.seal);
}

static void every_byte_of_both_plaintexts_is_in_the_keys(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  for (size_t i = 0; i < exchange.initiation.length; i++) {
    exchange.initiation.plain[i] ^= 0x80;
    assert_int_equal(finish(&exchange), 0);
    assert_other_box(&exchange.left.seal, &exchange.right.open);
    exchange.initiation.plain[i] ^= 0x80;
  }
  for (size_t i = 0; i < exchange.response_length; i++) {
    exchange.response_plain[i] ^= 0x80;
    assert_int_equal(finish(&exchange), 0);
    assert_other_box(&exchange.left.seal, &exchange.right.open);
    exchange.response_plain[i] ^= 0x80;
  }
  exchange.response_length--;
  assert_int_equal(finish(&exchange), 0);
  assert_other_box(&exchange.left.seal, &exchange.right.open);
}

/* ---- plaintexts ---- */

static void init_carries_its_parameters(void **state) {
  (void)state;
  struct sw_initiation initiation;
  memset(&initiation, 0xee, sizeof(initiation));
  sw_initiation_begin(&initiation, &keys, me_left, 0x04030201);
  assert_true(initiation.local);
  assert_false(initiation.cookie_used);
  assert_int_equal(initiation.local, 0x04030201);
  const uint8_t start[] = {1, 1, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0,
                           0, 0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0};
  assert_memory_equal(initiation.plain, start, sizeof(start));
  uint8_t point[32], hash[32];
  crypto_scalarmult_base(point, initiation.secret);
  assert_memory_equal(initiation.plain + 26, point, 32);
  assert_true(sodium_is_zero(initiation.plain + 58, initiation.length - 58));
  crypto_generichash(hash, 32, initiation.plain, initiation.length, NULL, 0);
  assert_memory_equal(initiation.hash, hash, 32);

  struct sw_handshake_message init;
  assert_int_equal(sw_message_parse(initiation.plain, initiation.length, &init), 0);
  assert_int_equal(init.type, SW_MESSAGE_INIT);
  assert_int_equal(init.version, 1);
  assert_int_equal(init.sender, 0x04030201);
  assert_ptr_equal(init.me, initiation.plain + 2);
  assert_ptr_equal(init.point, initiation.plain + 26);
  assert_ptr_equal(init.cookie, initiation.plain + 58);
}

static void response_names_the_init_and_both_ids(void **state) {
  (void)state;
  struct exchange exchange;
  do /* until it has padding */
    complete(&exchange);
  while (exchange.response_length == SW_RESPONSE_FIXED_BYTES);
  assert_int_equal(exchange.response.type, SW_MESSAGE_RESPONSE);
  assert_memory_equal(exchange.response_plain + 1, me_right, SW_ME_BYTES);
  assert_memory_equal(exchange.response_plain + 17, "\x0b\x0b\0\0\xce\x11\x0a\0\0\0\0\0", 12);
  assert_memory_equal(exchange.response_plain + 61, exchange.initiation.hash, 32);
  assert_true(sodium_is_zero(exchange.response_plain + 93, exchange.response_length - 93));
  assert_ptr_equal(exchange.response.me, exchange.response_plain + 1);
  assert_int_equal(exchange.response.sender, 0xb0b);
  assert_int_equal(exchange.response.receiver, 0xa11ce);
  assert_ptr_equal(exchange.response.point, exchange.response_plain + 29);
  assert_ptr_equal(exchange.response.hash, exchange.response_plain + 61);
}

/* A later version may set them. */
static void unknown_features_are_ignored_but_agreed_on(void **state) {
  (void)state;
  struct exchange exchange;
  sw_initiation_begin(&exchange.initiation, &keys, me_left, 0xa11ce);
  memset(exchange.initiation.plain + 22, 0xff, 4);
  answer(&exchange);
  assert_int_equal(finish(&exchange), 0);
  assert_same_box(&exchange.left.seal, &exchange.right.open);
  memset(exchange.response_plain + 25, 0xff, 4);
  assert_int_equal(
      sw_message_parse(exchange.response_plain, exchange.response_length, &exchange.response), 0);
  assert_int_equal(finish(&exchange), 0);
  assert_other_box(&exchange.left.seal, &exchange.right.open);
}

static void cookie_names_the_init(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MAX], hash[32], cookie[16];
  memset(hash, 0x33, sizeof(hash));
  memset(cookie, 0x44, sizeof(cookie));
  for (unsigned i = 0; i < 16; i++) { /* one may have no padding */
    memset(plain, 0xee, sizeof(plain));
    const size_t length = sw_cookie_message_make(me_right, hash, cookie, SW_INIT_MAX, plain);
    struct sw_handshake_message message;
    assert_int_equal(sw_message_parse(plain, length, &message), 0);
    assert_int_equal(message.type, SW_MESSAGE_COOKIE);
    assert_memory_equal(message.me, me_right, SW_ME_BYTES);
    assert_memory_equal(message.hash, hash, 32);
    assert_memory_equal(message.cookie, cookie, 16);
    assert_true(sodium_is_zero(plain + 65, length - 65));
  }
}

static void cookie_changes_the_hash_and_is_in_the_init(void **state) {
  (void)state;
  struct sw_initiation initiation;
  sw_initiation_begin(&initiation, &keys, me_left, 1);
  struct sw_initiation before = initiation;
  uint8_t cookie[16], hash[32];
  memset(cookie, 0x77, sizeof(cookie));
  sw_initiation_cookie(&initiation, cookie);
  assert_true(initiation.cookie_used);
  assert_memory_not_equal(initiation.hash, before.hash, 32);
  crypto_generichash(hash, 32, initiation.plain, initiation.length, NULL, 0);
  assert_memory_equal(initiation.hash, hash, 32);
  memcpy(before.plain + 58, cookie, 16);
  assert_memory_equal(initiation.plain, before.plain, sizeof(before.plain));
}

static void sizes_vary_and_no_reply_is_longer_than_its_init(void **state) {
  (void)state;
  bool inits[SW_INIT_MAX + 1] = {0}, responses[SW_INIT_MAX + 1] = {0};
  unsigned init_sizes = 0, response_sizes = 0;
  bool shortest = false, longest = false;
  for (unsigned i = 0; i < DRAWS; i++) {
    struct exchange exchange;
    sw_initiation_begin(&exchange.initiation, &keys, me_left, 1);
    const size_t length = exchange.initiation.length;
    assert_in_range(length, SW_INIT_MIN, SW_INIT_MAX);
    answer(&exchange);
    assert_in_range(exchange.response_length, SW_RESPONSE_FIXED_BYTES, length);
    uint8_t plain[SW_INIT_MAX];
    const size_t cookie = sw_cookie_message_make(me_right, exchange.initiation.hash,
                                                 exchange.initiation.hash, length, plain);
    assert_in_range(cookie, SW_COOKIE_MESSAGE_BYTES, length);
    if (!inits[length]) init_sizes++;
    if (!responses[exchange.response_length]) response_sizes++;
    inits[length] = responses[exchange.response_length] = true;

    /* the smallest init: both limits of the possible lengths must occur */
    const size_t least =
        sw_cookie_message_make(me_right, exchange.initiation.hash, exchange.initiation.hash,
                               SW_COOKIE_MESSAGE_BYTES + 1, plain);
    shortest |= least == SW_COOKIE_MESSAGE_BYTES;
    longest |= least == SW_COOKIE_MESSAGE_BYTES + 1;
  }
  assert_true(init_sizes > 400);
  assert_true(response_sizes > 300);
  assert_true(shortest);
  assert_true(longest);
}

/* ---- sealed ---- */

static int open_datagram(const uint8_t *datagram, size_t length, uint8_t plain[SW_INIT_MAX]) {
  return sw_message_open(&keys, sw_header_read(keys.mask, datagram), datagram, length, plain);
}

static void sealed_message_is_a_secretbox_behind_a_masked_header(void **state) {
  (void)state;
  struct sw_initiation initiation;
  sw_initiation_begin(&initiation, &keys, me_left, 1);
  uint8_t datagram[SW_CONTROL_MAX], mask[16], nonce[24], plain[SW_INIT_MAX];
  const size_t length = sw_message_seal(&keys, initiation.plain, initiation.length, datagram);
  assert_int_equal(length, 44 + initiation.length);
  crypto_shorthash_siphashx24(mask, datagram + 12, 16, keys.mask);
  for (unsigned i = 0; i < 12; i++) mask[i] ^= datagram[i];
  assert_true(sodium_is_zero(mask, 4)); /* session 0 */
  memcpy(nonce, mask + 4, 8);
  memcpy(nonce + 8, datagram + 28, 16);
  assert_int_equal(crypto_secretbox_open_detached(plain, datagram + 44, datagram + 12, length - 44,
                                                  nonce, keys.handshake),
                   0);
  assert_memory_equal(plain, initiation.plain, initiation.length);
  memset(plain, 0, sizeof(plain));
  assert_int_equal(open_datagram(datagram, length, plain), initiation.length);
  assert_memory_equal(plain, initiation.plain, initiation.length);
}

static void no_two_sealings_are_alike(void **state) {
  (void)state;
  const uint8_t plain[SW_INIT_MIN] = {1, 1};
  uint8_t one[SW_CONTROL_MAX] = {0}, other[SW_CONTROL_MAX] = {0};
  sw_message_seal(&keys, plain, sizeof(plain), one);
  sw_message_seal(&keys, plain, sizeof(plain), other);
  assert_memory_not_equal(one + 12, other + 12, 16);
  assert_memory_not_equal(one + 28, other + 28, 16);
  assert_memory_not_equal(one + 44, other + 44, sizeof(plain));
  assert_int_not_equal(sw_header_read(keys.mask, one).word, sw_header_read(keys.mask, other).word);
}

static void assert_every_flip_is_refused(const uint8_t *plain, size_t length) {
  uint8_t datagram[SW_CONTROL_MAX], opened[SW_INIT_MAX];
  const size_t sealed = sw_message_seal(&keys, plain, length, datagram);
  for (size_t bit = 0; bit < 8 * sealed; bit++) {
    datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
    const struct sw_header header = sw_header_read(keys.mask, datagram);
    /* a bit of the session id: the datagram is not parsed as a handshake message at all */
    if (bit < 32)
      assert_int_not_equal(header.session, SW_SESSION_HANDSHAKE);
    else
      assert_int_equal(sw_message_open(&keys, header, datagram, sealed, opened), -EBADMSG);
    datagram[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  assert_int_equal(open_datagram(datagram, sealed, opened), length);
}

static void every_flipped_bit_of_a_message_is_refused(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  assert_every_flip_is_refused(exchange.initiation.plain, exchange.initiation.length);
  assert_every_flip_is_refused(exchange.response_plain, exchange.response_length);
  uint8_t plain[SW_INIT_MAX];
  assert_every_flip_is_refused(plain, sw_cookie_message_make(me_right, exchange.initiation.hash,
                                                             exchange.initiation.hash, SW_INIT_MIN,
                                                             plain));
}

static void every_other_length_of_a_datagram_is_refused(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MAX], datagram[LENGTHS + 1] = {0}, opened[SW_INIT_MAX];
  randombytes_buf(datagram, sizeof(datagram));
  randombytes_buf(plain, sizeof(plain));
  for (size_t sealed = 1; sealed <= SW_INIT_MAX; sealed += 213) {
    const size_t whole = sw_message_seal(&keys, plain, sealed, datagram);
    for (size_t length = 0; length < LENGTHS; length++) {
      const int code = open_datagram(datagram, length, opened);
      if (length == whole)
        assert_int_equal(code, sealed);
      else if (length <= 44 || length > 44 + SW_INIT_MAX)
        assert_int_equal(code, -EMSGSIZE);
      else
        assert_int_equal(code, -EBADMSG);
    }
  }
}

static void message_without_plaintext_has_the_wrong_size(void **state) {
  (void)state;
  uint8_t datagram[SW_CONTROL_MAX], opened[SW_INIT_MAX] = {0};
  const size_t length = sw_message_seal(&keys, opened, 0, datagram);
  assert_int_equal(open_datagram(datagram, length, opened), -EMSGSIZE);
}

static void longest_message_opens(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MAX] = {1}, datagram[SW_CONTROL_MAX], opened[SW_INIT_MAX];
  const size_t length = sw_message_seal(&keys, plain, SW_INIT_MAX, datagram);
  assert_int_equal(open_datagram(datagram, length, opened), SW_INIT_MAX);
  assert_memory_equal(opened, plain, SW_INIT_MAX);
}

/* ---- parsed ---- */

static void truncated_plaintext_is_malformed(void **state) {
  (void)state;
  const struct {
    uint8_t type;
    size_t least;
  } messages[] = {{1, 96}, {2, 93}, {3, 65}};
  for (unsigned i = 0; i < 3; i++) {
    for (size_t length = 1; length <= SW_INIT_MAX; length++) {
      uint8_t plain[SW_INIT_MAX];
      memset(plain, 1, length);
      plain[0] = messages[i].type;
      struct sw_handshake_message message;
      assert_int_equal(sw_message_parse(plain, length, &message),
                       length < messages[i].least ? -EBADMSG : 0);
    }
  }
}

static void unknown_types_are_malformed(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MAX];
  memset(plain, 1, sizeof(plain));
  struct sw_handshake_message message;
  for (unsigned type = 0; type < 256; type++) {
    plain[0] = (uint8_t)type;
    assert_int_equal(sw_message_parse(plain, sizeof(plain), &message),
                     type >= 1 && type <= 3 ? 0 : -EBADMSG);
  }
}

static void session_id_zero_is_malformed(void **state) {
  (void)state;
  struct exchange exchange;
  complete(&exchange);
  struct sw_handshake_message message;
  for (unsigned byte = 0; byte < 5; byte++) { /* 4: all zero */
    uint8_t *id = exchange.initiation.plain + 18;
    memset(id, 0, 4);
    if (byte < 4) id[byte] = 1;
    assert_int_equal(
        sw_message_parse(exchange.initiation.plain, exchange.initiation.length, &message),
        byte < 4 ? 0 : -EBADMSG);
    id = exchange.response_plain + 17;
    memset(id, 0, 4);
    if (byte < 4) id[byte] = 1;
    assert_int_equal(sw_message_parse(exchange.response_plain, exchange.response_length, &message),
                     byte < 4 ? 0 : -EBADMSG);
  }
}

static void init_of_another_version_is_reported_by_its_number(void **state) {
  (void)state;
  uint8_t plain[SW_INIT_MIN];
  memset(plain, 1, sizeof(plain));
  struct sw_handshake_message message;
  for (unsigned version = 0; version < 256; version++) {
    if (version == 1) continue;
    plain[1] = (uint8_t)version;
    /* regardless of the rest of the init */
    for (size_t length = 2; length <= sizeof(plain); length += 47) {
      assert_int_equal(sw_message_parse(plain, length, &message), -EPROTONOSUPPORT);
      assert_int_equal(message.version, version);
    }
  }
}

/* ---- points of low order ---- */

/* The points of order 1, 2, 4 and 8 of Curve25519 and its twist, and their other encodings mod p
 * (https://cr.yp.to/ecdh.html#validate). */
static const char *const low_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000", /* 0 */
    "0100000000000000000000000000000000000000000000000000000000000000", /* 1 */
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800", /* order 8 */
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157", /* order 8 */
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p - 1 */
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p + 1 */
};

static void assert_refused_in_both_roles(const uint8_t point[SW_POINT_BYTES]) {
  struct exchange exchange;
  complete(&exchange);
  memcpy(exchange.response_plain + 29, point, SW_POINT_BYTES);
  assert_int_equal(finish(&exchange), -EKEYREJECTED);

  memcpy(exchange.initiation.plain + 26, point, SW_POINT_BYTES);
  uint8_t plain[SW_INIT_MAX];
  struct sw_agreement agreement;
  assert_int_equal(
      sw_message_parse(exchange.initiation.plain, exchange.initiation.length, &exchange.init), 0);
  assert_int_equal(sw_response_make(&keys, me_right, 1, &exchange.init, exchange.initiation.plain,
                                    exchange.initiation.length, plain, &agreement),
                   -EKEYREJECTED);
}

static void points_of_low_order_are_refused_in_both_roles(void **state) {
  (void)state;
  for (unsigned i = 0; i < sizeof(low_order) / sizeof(*low_order); i++) {
    uint8_t point[SW_POINT_BYTES];
    assert_int_equal(sodium_hex2bin(point, sizeof(point), low_order[i], 64, NULL, NULL, NULL), 0);
    assert_refused_in_both_roles(point);
    point[31] ^= 0x80; /* the bit that X25519 ignores */
    assert_refused_in_both_roles(point);
  }
}

static int start(void **state) {
  (void)state;
  if (sodium_init() < 0) return -1;
  struct sw_psk psk;
  sw_psk_generate(&psk);
  sw_keys_derive(&psk, &keys);
  return memcmp(&psk, &keys.psk, sizeof(psk));
}

/* ---- secrets on the stack ---- */

static struct exchange traced;

static void respond(void) {
  traced.response_length =
      (size_t)sw_response_make(&keys, me_right, 0xb0b, &traced.init, traced.initiation.plain,
                               traced.initiation.length, traced.response_plain, &traced.right);
}

static void conclude(void) {
  finish(&traced);
}

/* Searches for the shared point, the session's secret and everything derived from it. */
static void assert_stack_is_clean(void) {
  struct {
    uint8_t shared[SW_POINT_BYTES], hash[SW_HASH_BYTES];
  } input;
  uint8_t ss[32], derived[32];
  assert_int_equal(crypto_scalarmult(input.shared, traced.initiation.secret, traced.response.point),
                   0);
  crypto_generichash_state hash;
  crypto_generichash_init(&hash, NULL, 0, sizeof(input.hash));
  crypto_generichash_update(&hash, traced.initiation.plain, traced.initiation.length);
  crypto_generichash_update(&hash, traced.response_plain, traced.response_length);
  crypto_generichash_final(&hash, input.hash, sizeof(input.hash));
  crypto_generichash(ss, sizeof(ss), (const uint8_t *)&input, sizeof(input), keys.psk.bytes,
                     sizeof(keys.psk.bytes));
  assert_false(stack_holds(input.shared, sizeof(input.shared)));
  assert_false(stack_holds(ss, sizeof(ss)));
  for (uint64_t id = 1; id <= 4; id++) {
    crypto_kdf_derive_from_key(derived, sizeof(derived), id, "saltway1", ss);
    assert_false(stack_holds(derived, 16));
    assert_false(stack_holds(derived + 16, 16));
  }
  assert_false(stack_holds(traced.initiation.secret, sizeof(traced.initiation.secret)));
  assert_false(stack_holds(keys.psk.bytes, sizeof(keys.psk.bytes)));
  assert_false(stack_holds_key_of(traced.response.point));
}

static struct sw_psk traced_psk;
static struct sw_keys traced_keys;

static void derive(void) {
  sw_keys_derive(&traced_psk, &traced_keys);
}

static void no_key_of_a_link_is_left_on_the_stack(void **state) {
  (void)state;
  uint8_t derived[32];
  randombytes_buf(&traced_psk, sizeof(traced_psk));
  stack_run(derive);
  for (uint64_t id = 1; id <= 3; id++) {
    crypto_kdf_derive_from_key(derived, sizeof(derived), id, "saltway1", traced_psk.bytes);
    assert_false(stack_holds(derived, 16));
  }
  assert_false(stack_holds(traced_psk.bytes, 16));
}

static void no_secret_of_a_handshake_is_left_on_the_stack(void **state) {
  (void)state;
  sw_initiation_begin(&traced.initiation, &keys, me_left, 0xa11ce);
  sw_message_parse(traced.initiation.plain, traced.initiation.length, &traced.init);
  stack_run(respond);
  assert_int_equal(
      sw_message_parse(traced.response_plain, traced.response_length, &traced.response), 0);
  assert_stack_is_clean();
  stack_run(conclude);
  assert_stack_is_clean();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handshake_and_mask_keys_are_subkeys_1_and_2_of_the_psk),
      cmocka_unit_test(session_keys_agree_with_the_specification),
      cmocka_unit_test(both_sides_agree_mirrored),
      cmocka_unit_test(two_handshakes_share_no_key),
      cmocka_unit_test(one_init_answered_twice_gives_other_keys),
      cmocka_unit_test(handshake_fails_without_the_psk),
      cmocka_unit_test(every_byte_of_both_plaintexts_is_in_the_keys),
      cmocka_unit_test(init_carries_its_parameters),
      cmocka_unit_test(response_names_the_init_and_both_ids),
      cmocka_unit_test(unknown_features_are_ignored_but_agreed_on),
      cmocka_unit_test(cookie_names_the_init),
      cmocka_unit_test(cookie_changes_the_hash_and_is_in_the_init),
      cmocka_unit_test(sizes_vary_and_no_reply_is_longer_than_its_init),
      cmocka_unit_test(sealed_message_is_a_secretbox_behind_a_masked_header),
      cmocka_unit_test(no_two_sealings_are_alike),
      cmocka_unit_test(every_flipped_bit_of_a_message_is_refused),
      cmocka_unit_test(every_other_length_of_a_datagram_is_refused),
      cmocka_unit_test(message_without_plaintext_has_the_wrong_size),
      cmocka_unit_test(longest_message_opens),
      cmocka_unit_test(truncated_plaintext_is_malformed),
      cmocka_unit_test(unknown_types_are_malformed),
      cmocka_unit_test(session_id_zero_is_malformed),
      cmocka_unit_test(init_of_another_version_is_reported_by_its_number),
      cmocka_unit_test(points_of_low_order_are_refused_in_both_roles),
      cmocka_unit_test(no_key_of_a_link_is_left_on_the_stack),
      cmocka_unit_test(no_secret_of_a_handshake_is_left_on_the_stack),
  };
  return cmocka_run_group_tests_name("handshake", tests, start, NULL);
}

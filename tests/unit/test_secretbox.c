#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/secretbox.h"
#include "protocol/wire.h"
#include "stack.h"

#define ROOM (SW_HEADROOM + 65536 + SW_SLACK + 1)
#define MOST 65535
#ifdef __SANITIZE_ADDRESS__
#define STEP 13 /* testing every length would take minutes */
#else
#define STEP 1
#endif

/* Replaces the functions of libsodium that the fast calls use, so that they can be made to fail.
 * libsodium's own secretbox uses others. */
static bool wrong_sum, wrong_verdict;
static unsigned long long wrong_from; /* wrong_sum: only from this length on */

int crypto_onetimeauth(unsigned char *out, const unsigned char *in, unsigned long long length,
                       const unsigned char *key) {
  const int result = crypto_onetimeauth_poly1305(out, in, length, key);
  out[SW_TAG_BYTES - 1] ^= wrong_sum && length >= wrong_from;
  return result;
}

int crypto_onetimeauth_verify(const unsigned char *tag, const unsigned char *in,
                              unsigned long long length, const unsigned char *key) {
  return wrong_verdict ? -1 : crypto_onetimeauth_poly1305_verify(tag, in, length, key);
}

static uint8_t plain[ROOM], kept[ROOM], cipher[ROOM], stock[ROOM], opened[ROOM];
static struct sw_secretbox box;

static int begin(void **state) {
  (void)state;
  randombytes_buf(&box, sizeof(box));
  sw_secretbox_prepare(&box);
  return 0;
}

/* Seals with libsodium's own secretbox, under the nonce of docs/protocol.md. */
static void seal_by_libsodium(uint64_t word, size_t length, uint8_t tag[SW_TAG_BYTES]) {
  uint8_t nonce[crypto_secretbox_NONCEBYTES];
  memcpy(nonce, box.prefix, 16);
  for (unsigned i = 0; i < 8; i++) nonce[16 + i] = (uint8_t)(word >> 8 * i);
  crypto_secretbox_detached(stock, tag, kept, length, nonce, box.key);
}

static void assert_same(size_t length, bool fast) {
  uint8_t *const packet = plain + SW_HEADROOM, *const out = cipher + SW_HEADROOM;
  uint8_t tag[SW_TAG_BYTES], before[4];
  const uint64_t word = UINT64_C(0x0123456789abcdef) * (length + 1);
  static const uint8_t seed[randombytes_SEEDBYTES];
  randombytes_buf_deterministic(kept, length, seed);
  memcpy(packet, kept, length);
  memset(plain, 0x55, SW_HEADROOM); /* arbitrary bytes */
  seal_by_libsodium(word, length, tag);
  randombytes_buf(out - SW_OVERHEAD - 4, 4);
  memcpy(before, out - SW_OVERHEAD - 4, 4);
  uint8_t *const beyond = out + length + SW_SLACK, *const back = opened + SW_HEADROOM;
  *beyond = back[length + SW_SLACK] = 0x33;
  if (fast)
    sw_secretbox_seal_fast(&box, word, packet, length, out - SW_TAG_BYTES, out);
  else
    sw_secretbox_seal(&box, word, packet, length, out - SW_TAG_BYTES, out);
  assert_memory_equal(out - SW_TAG_BYTES, tag, SW_TAG_BYTES);
  assert_memory_equal(out, stock, length);
  assert_memory_equal(out - SW_OVERHEAD - 4, before, 4); /* the end of the datagram before */
  bool (*const open)(const struct sw_secretbox *, uint64_t, const uint8_t *, size_t,
                     const uint8_t *, uint8_t *) =
      fast ? sw_secretbox_open_fast : sw_secretbox_open;
  assert_true(open(&box, word, out, length, tag, back));
  assert_memory_equal(back, kept, length);
  assert_true(*beyond == 0x33 && back[length + SW_SLACK] == 0x33);
  tag[length % SW_TAG_BYTES] ^= (uint8_t)(1 << length % 8);
  memset(back, 0x77, length);
  assert_false(open(&box, word, out, length, tag, back));
  const uint8_t left = fast ? 0 : 0x77; /* nothing of a forgery may be left */
  assert_true(length == 0 || (back[0] == left && memcmp(back, back + 1, length - 1) == 0));
}

static void sealing_leaves_nothing_of_the_tags_key_and_ends_with_the_last_block(void **state) {
  (void)state;
  uint8_t *const out = cipher + SW_HEADROOM;
  const uint8_t nothing[12] = {0};
  for (size_t length = 224; length <= 2016;
       length += 256) { /* with the key's 32 bytes, whole blocks */
    memset(out + length, 0x33, SW_SLACK);
    sw_secretbox_seal_fast(&box, length, plain + SW_HEADROOM, length, out - SW_TAG_BYTES, out);
    assert_memory_equal(out - SW_OVERHEAD, nothing, sizeof(nothing)); /* the place of the header */
    for (size_t i = 0; i < SW_SLACK; i++) assert_int_equal(out[length + i], 0x33);
  }
}

static void open_one(void) {
  sw_secretbox_open_fast(&box, 7, cipher + SW_HEADROOM, 1000, kept, opened + SW_HEADROOM);
}

static void opening_leaves_nothing_of_the_tags_key_on_the_stack(void **state) {
  (void)state;
  uint8_t key[32], nonce[8] = {7};
  crypto_stream_salsa20(key, sizeof(key), nonce, box.subkey);
  stack_run(open_one);
  assert_false(stack_holds(key, 16));
  assert_false(stack_holds(key + 16, 16));
}

static void every_length_agrees_with_libsodium(void **state) {
  (void)state;
  for (size_t length = 0; length <= 4200; length++) assert_same(length, false);
  assert_same(MOST, false);
}

static void every_length_agrees_with_libsodium_fast(void **state) {
  (void)state;
  for (size_t length = 0; length <= MOST; length += length < 4200 ? 1 : STEP)
    assert_same(length, true);
}

/* The vector of NaCl's tests/secretbox.c: "Cryptography in NaCl", §10. */
static void vector_of_nacl_is_reproduced(void **state) {
  (void)state;
  static const uint8_t key[32] = {0x1b, 0x27, 0x55, 0x64, 0x73, 0xe9, 0x85, 0xd4, 0x62, 0xcd, 0x51,
                                  0x19, 0x7a, 0x9a, 0x46, 0xc7, 0x60, 0x09, 0x54, 0x9e, 0xac, 0x64,
                                  0x74, 0xf2, 0x06, 0xc4, 0xee, 0x08, 0x44, 0xf6, 0x83, 0x89};
  static const uint8_t nonce[24] = {0x69, 0x69, 0x6e, 0xe9, 0x55, 0xb6, 0x2b, 0x73,
                                    0xcd, 0x62, 0xbd, 0xa8, 0x75, 0xfc, 0x73, 0xd6,
                                    0x82, 0x19, 0xe0, 0x03, 0x6b, 0x7a, 0x0b, 0x37};
  static const uint8_t message[131] = {
      0xbe, 0x07, 0x5f, 0xc5, 0x3c, 0x81, 0xf2, 0xd5, 0xcf, 0x14, 0x13, 0x16, 0xeb, 0xeb, 0x0c,
      0x7b, 0x52, 0x28, 0xc5, 0x2a, 0x4c, 0x62, 0xcb, 0xd4, 0x4b, 0x66, 0x84, 0x9b, 0x64, 0x24,
      0x4f, 0xfc, 0xe5, 0xec, 0xba, 0xaf, 0x33, 0xbd, 0x75, 0x1a, 0x1a, 0xc7, 0x28, 0xd4, 0x5e,
      0x6c, 0x61, 0x29, 0x6c, 0xdc, 0x3c, 0x01, 0x23, 0x35, 0x61, 0xf4, 0x1d, 0xb6, 0x6c, 0xce,
      0x31, 0x4a, 0xdb, 0x31, 0x0e, 0x3b, 0xe8, 0x25, 0x0c, 0x46, 0xf0, 0x6d, 0xce, 0xea, 0x3a,
      0x7f, 0xa1, 0x34, 0x80, 0x57, 0xe2, 0xf6, 0x55, 0x6a, 0xd6, 0xb1, 0x31, 0x8a, 0x02, 0x4a,
      0x83, 0x8f, 0x21, 0xaf, 0x1f, 0xde, 0x04, 0x89, 0x77, 0xeb, 0x48, 0xf5, 0x9f, 0xfd, 0x49,
      0x24, 0xca, 0x1c, 0x60, 0x90, 0x2e, 0x52, 0xf0, 0xa0, 0x89, 0xbc, 0x76, 0x89, 0x70, 0x40,
      0xe0, 0x82, 0xf9, 0x37, 0x76, 0x38, 0x48, 0x64, 0x5e, 0x07, 0x05};
  static const uint8_t first[32] = {0xf3, 0xff, 0xc7, 0x70, 0x3f, 0x94, 0x00, 0xe5,
                                    0x2a, 0x7d, 0xfb, 0x4b, 0x3d, 0x33, 0x05, 0xd9,
                                    0x8e, 0x99, 0x3b, 0x9f, 0x48, 0x68, 0x12, 0x73,
                                    0xc2, 0x96, 0x50, 0xba, 0x32, 0xfc, 0x76, 0xce};
  memcpy(box.key, key, 32);
  memcpy(box.prefix, nonce, 16);
  sw_secretbox_prepare(&box);
  memcpy(plain + SW_HEADROOM, message, sizeof(message));
  uint8_t *const out = cipher + SW_HEADROOM;
  sw_secretbox_seal_fast(&box, sw_load64(nonce + 16), plain + SW_HEADROOM, sizeof(message),
                         out - SW_TAG_BYTES, out);
  assert_memory_equal(out - SW_TAG_BYTES, first, sizeof(first)); /* the tag and the first bytes */
}

static void every_changed_bit_is_refused(void **state) {
  (void)state;
  enum { LENGTH = 100 };
  uint8_t tag[SW_TAG_BYTES];
  randombytes_buf(kept, LENGTH);
  uint8_t *const sealed = stock + SW_HEADROOM, *const back = opened + SW_HEADROOM;
  sw_secretbox_seal(&box, 5, kept, LENGTH, tag, sealed);
  for (unsigned fast = 0; fast < 2; fast++) {
    bool (*const open)(const struct sw_secretbox *, uint64_t, const uint8_t *, size_t,
                       const uint8_t *, uint8_t *) =
        fast ? sw_secretbox_open_fast : sw_secretbox_open;
    for (unsigned bit = 0; bit < LENGTH * 8; bit++) {
      sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
      assert_false(open(&box, 5, sealed, LENGTH, tag, back));
      sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < SW_TAG_BYTES * 8; bit++) {
      tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
      assert_false(open(&box, 5, sealed, LENGTH, tag, back));
      tag[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < 64; bit++)
      assert_false(open(&box, 5 ^ UINT64_C(1) << bit, sealed, LENGTH, tag, back));
    for (unsigned bit = 0; bit < (SW_KEY_BYTES + SW_PREFIX_BYTES) * 8; bit++) {
      struct sw_secretbox other = box;
      uint8_t *const byte =
          bit / 8 < SW_KEY_BYTES ? &other.key[bit / 8] : &other.prefix[bit / 8 - SW_KEY_BYTES];
      *byte ^= (uint8_t)(1 << bit % 8);
      sw_secretbox_prepare(&other);
      assert_false(open(&other, 5, sealed, LENGTH, tag, back));
    }
    assert_false(open(&box, 5, sealed, LENGTH - 1, tag, back));
    assert_true(open(&box, 5, sealed, LENGTH, tag, back));
  }
}

static void self_test_agrees(void **state) {
  (void)state;
  assert_true(sw_secretbox_self_test());
}

static void cipher_that_fails_its_self_test_is_not_used(void **state) {
  (void)state;
  enum { LENGTH = 100 };
  uint8_t tag[SW_TAG_BYTES];
  uint8_t *const packet = plain + SW_HEADROOM, *const out = cipher + SW_HEADROOM;
  for (unsigned i = 0; i < 3; i++) { /* the last one only where packets are large */
    wrong_sum = i != 1;
    wrong_verdict = i == 1;
    wrong_from = i == 2 ? 1500 : 0;
    const bool agrees = sw_secretbox_self_test();
    randombytes_buf(kept, LENGTH);
    memcpy(packet, kept, LENGTH);
    seal_by_libsodium(i, LENGTH, tag);
    sw_secretbox_seal_fast(&box, i, packet, LENGTH, out - SW_TAG_BYTES, out);
    const bool opens = sw_secretbox_open_fast(&box, i, out, LENGTH, tag, opened + SW_HEADROOM);
    wrong_sum = wrong_verdict = false;
    assert_false(agrees);
    assert_memory_equal(out - SW_TAG_BYTES, tag, SW_TAG_BYTES);
    assert_memory_equal(out, stock, LENGTH);
    assert_true(opens);
    assert_memory_equal(opened + SW_HEADROOM, kept, LENGTH);
    assert_true(sw_secretbox_self_test());
  }
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(every_length_agrees_with_libsodium, begin),
      cmocka_unit_test_setup(sealing_leaves_nothing_of_the_tags_key_and_ends_with_the_last_block,
                             begin),
      cmocka_unit_test_setup(opening_leaves_nothing_of_the_tags_key_on_the_stack, begin),
      cmocka_unit_test_setup(every_length_agrees_with_libsodium_fast, begin),
      cmocka_unit_test_setup(vector_of_nacl_is_reproduced, begin),
      cmocka_unit_test_setup(every_changed_bit_is_refused, begin),
      cmocka_unit_test_setup(self_test_agrees, begin),
      cmocka_unit_test_setup(cipher_that_fails_its_self_test_is_not_used, begin),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

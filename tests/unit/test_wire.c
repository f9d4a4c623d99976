#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/wire.h"

static const uint8_t key[SW_MASK_KEY_BYTES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                               8, 9, 10, 11, 12, 13, 14, 15};
static const struct sw_header header = {.session = 0x01020304,
                                        .word = UINT64_C(0x05060708090a0b0c)};

static void header_decodes_to_what_was_encoded(void **state) {
  (void)state;
  uint8_t datagram[SW_OVERHEAD];
  randombytes_buf(datagram, sizeof(datagram));
  uint8_t tag[SW_TAG_BYTES];
  memcpy(tag, datagram + 12, sizeof(tag));
  sw_header_write(key, header, datagram);
  assert_memory_equal(datagram + 12, tag, sizeof(tag));
  const struct sw_header back = sw_header_read(key, datagram);
  assert_int_equal(back.session, header.session);
  assert_true(back.word == header.word);
}

/* docs/protocol.md, "Datagram": little-endian, XOR SipHash-x-2-4 of the tag */
static void mask_is_the_siphash_of_the_tag(void **state) {
  (void)state;
  static const uint8_t in_clear[12] = {4, 3, 2, 1, 0x0c, 0x0b, 0x0a, 9, 8, 7, 6, 5};
  uint8_t datagram[SW_OVERHEAD], mask[crypto_shorthash_siphashx24_BYTES];
  for (unsigned i = 0; i < SW_TAG_BYTES; i++) datagram[12 + i] = (uint8_t)i;
  crypto_shorthash_siphashx24(mask, datagram + 12, 16, key);
  sw_header_write(key, header, datagram);
  for (unsigned i = 0; i < 12; i++) assert_int_equal(datagram[i], in_clear[i] ^ mask[i]);
}

/* SipHash's authors' 128-bit vector (vectors.h of the reference code) for the 16 bytes 00 to 0f,
 * whose first 12 are the masked header of all zero. */
static void mask_agrees_with_siphashs_vector(void **state) {
  (void)state;
  static const uint8_t vector[12] = {0x6e, 0xe2, 0xa4, 0xca, 0x67, 0xb0,
                                     0x54, 0xbb, 0xfd, 0x33, 0x15, 0xbf};
  uint8_t datagram[SW_OVERHEAD];
  for (unsigned i = 0; i < SW_TAG_BYTES; i++) datagram[12 + i] = (uint8_t)i;
  sw_header_write(key, (struct sw_header){0, 0}, datagram);
  assert_memory_equal(datagram, vector, sizeof(vector));
}

static void every_bit_of_the_tag_changes_the_mask(void **state) {
  (void)state;
  uint8_t datagram[SW_OVERHEAD] = {0};
  sw_header_write(key, header, datagram);
  for (unsigned bit = 0; bit < SW_TAG_BYTES * 8; bit++) {
    datagram[12 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    const struct sw_header read = sw_header_read(key, datagram);
    assert_true(read.session != header.session && read.word != header.word);
    datagram[12 + bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
}

static void integers_are_little_endian(void **state) {
  (void)state;
  static const uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  uint8_t out[8];
  assert_int_equal(sw_load32(bytes), 0x04030201);
  assert_true(sw_load64(bytes) == UINT64_C(0x0807060504030201));
  sw_store32(out, 0x04030201);
  assert_memory_equal(out, bytes, 4);
  sw_store64(out, UINT64_C(0x0807060504030201));
  assert_memory_equal(out, bytes, 8);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(header_decodes_to_what_was_encoded),
      cmocka_unit_test(mask_is_the_siphash_of_the_tag),
      cmocka_unit_test(mask_agrees_with_siphashs_vector),
      cmocka_unit_test(every_bit_of_the_tag_changes_the_mask),
      cmocka_unit_test(integers_are_little_endian),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "saltway/key.h"
#include "stack.h"

/* 00 01 02 ... 1f, and the start of its BLAKE2b hash (from Python's hashlib: salt 3, person
 * "saltway1"). */
static const char counting[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
static const char counting_fingerprint[] = "426979e6";

static int decode(const char *text, struct sw_psk *psk) {
  memset(psk, 0x5a, sizeof(*psk));
  return sw_psk_decode(text, strlen(text), psk);
}

static void assert_refused(const char *text, int code) {
  struct sw_psk psk;
  assert_int_equal(decode(text, &psk), code);
  assert_true(sodium_is_zero(psk.bytes, sizeof(psk.bytes)));
}

static void key_decodes_to_its_bytes(void **state) {
  (void)state;
  struct sw_psk psk;
  assert_int_equal(decode(counting, &psk), 0);
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) assert_int_equal(psk.bytes[i], i);

  assert_int_equal(decode("//////////////////////////////////////////4=", &psk), 0);
  assert_int_equal(psk.bytes[0], 0xff);
  assert_int_equal(psk.bytes[31], 0xfe);
}

static void key_encodes_to_its_text(void **state) {
  (void)state;
  struct sw_psk psk;
  char text[SW_PSK_TEXT];
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) psk.bytes[i] = (uint8_t)i;
  sw_psk_encode(&psk, text);
  assert_string_equal(text, counting);
}

static void generated_keys_differ_and_read_back(void **state) {
  (void)state;
  struct sw_psk one, other, back;
  char text[SW_PSK_TEXT];
  sw_psk_generate(&one);
  sw_psk_generate(&other);
  assert_int_not_equal(sodium_memcmp(&one, &other, sizeof(one)), 0);
  sw_psk_encode(&one, text);
  assert_int_equal(strlen(text), 44);
  assert_int_equal(decode(text, &back), 0);
  assert_int_equal(sodium_memcmp(&one, &back, sizeof(one)), 0);
}

static void text_that_is_not_base64_is_refused(void **state) {
  (void)state;
  assert_refused("", -EMSGSIZE);
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdH!8=", -EINVAL);
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 ", -EINVAL);
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh_=", -EINVAL); /* URL-safe */
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", -EINVAL);  /* no padding */
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", -EINVAL);
}

static void a_key_has_one_text(void **state) {
  (void)state;
  static const char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
  for (size_t at = 0; at < sizeof(counting) - 2; at++)
    for (unsigned byte = 1; byte <= UINT8_MAX; byte++) {
      char text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
      text[at] = (char)byte;
      if (!strchr(alphabet, (char)byte)) assert_refused(text, -EINVAL);
    }
  /* RFC 4648 §3.5: the unused bits before the padding are zero */
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", -EINVAL);
}

static void key_of_another_size_is_refused(void **state) {
  (void)state;
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", -EMSGSIZE);     /* 31 */
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g", -EMSGSIZE);     /* 33 */
  assert_refused("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIj", -EMSGSIZE); /* 36 */
  char long_text[400];
  memset(long_text, 'A', sizeof(long_text) - 1);
  long_text[sizeof(long_text) - 1] = '\0';
  assert_refused(long_text, -EMSGSIZE);
}

static void key_of_equal_bytes_is_refused(void **state) {
  (void)state;
  assert_refused("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", -EKEYREJECTED);
  assert_refused("//////////////////////////////////////////8=", -EKEYREJECTED);
}

static void one_byte_that_differs_makes_a_key(void **state) {
  (void)state;
  struct sw_psk psk, back;
  char text[SW_PSK_TEXT];
  for (unsigned at = 0; at < SW_PSK_BYTES; at++) {
    memset(psk.bytes, 7, SW_PSK_BYTES);
    psk.bytes[at] = 8;
    sw_psk_encode(&psk, text);
    assert_int_equal(decode(text, &back), 0);
    assert_memory_equal(&back, &psk, sizeof(psk));
  }
}

static void what_follows_the_text_is_not_part_of_it(void **state) {
  (void)state;
  struct sw_psk psk;
  char text[sizeof(counting) + 1];
  snprintf(text, sizeof(text), "%sx", counting);
  assert_int_equal(sw_psk_decode(text, SW_PSK_TEXT - 1, &psk), 0);
}

static void text_of_any_length_is_told_apart_from_no_base64(void **state) {
  (void)state;
  char text[89];
  for (size_t length = 4; length < sizeof(text); length += 4) {
    memset(text, 'A', length);
    text[length] = '\0';
    if (length != SW_PSK_TEXT - 1) assert_refused(text, -EMSGSIZE);
    text[length / 2] = '!';
    assert_refused(text, length / 4 * 3 > 2 * SW_PSK_BYTES ? -EMSGSIZE : -EINVAL);
  }
}

static void fingerprint_is_fixed_and_differs_between_keys(void **state) {
  (void)state;
  struct sw_psk psk;
  char text[SW_FINGERPRINT_TEXT], other[SW_FINGERPRINT_TEXT];
  assert_int_equal(decode(counting, &psk), 0);
  sw_psk_fingerprint(&psk, text);
  assert_string_equal(text, counting_fingerprint);
  psk.bytes[31] ^= 1;
  sw_psk_fingerprint(&psk, other);
  assert_string_not_equal(other, text);
}

static void fingerprint_shows_no_byte_of_the_key(void **state) {
  (void)state;
  struct sw_psk psk;
  char text[SW_FINGERPRINT_TEXT], bytes[2 * SW_PSK_BYTES + 1];
  sw_psk_generate(&psk);
  sw_psk_fingerprint(&psk, text);
  sodium_bin2hex(bytes, sizeof(bytes), psk.bytes, sizeof(psk.bytes));
  assert_null(strstr(bytes, text));
}

static int start(void **state) {
  (void)state;
  return sodium_init() < 0;
}

static struct sw_psk traced;
static char text_of_traced[SW_FINGERPRINT_TEXT];

static void fingerprint(void) {
  sw_psk_fingerprint(&traced, text_of_traced);
}

static void fingerprint_leaves_nothing_of_the_key_on_the_stack(void **state) {
  (void)state;
  uint8_t derived[32];
  sw_psk_generate(&traced);
  stack_run(fingerprint);
  assert_false(stack_holds(traced.bytes, sizeof(traced.bytes)));
  crypto_kdf_derive_from_key(derived, sizeof(derived), 3, "saltway1", traced.bytes);
  assert_false(stack_holds(derived, sizeof(derived)));
}

static char key_of_traced[SW_PSK_TEXT];

static void read_key(void) {
  sw_psk_decode(key_of_traced, SW_PSK_TEXT - 1, &traced);
}

static void decoding_leaves_nothing_of_the_key_on_the_stack(void **state) {
  (void)state;
  sw_psk_generate(&traced);
  sw_psk_encode(&traced, key_of_traced);
  stack_run(read_key);
  assert_false(stack_holds(traced.bytes, sizeof(traced.bytes)));
  assert_false(stack_holds((const uint8_t *)key_of_traced, SW_PSK_TEXT - 1));
}

static void fingerprints_of_two_keys_are_those_of_each(void **state) {
  (void)state;
  struct sw_psks psks = {.count = 2};
  char text[SW_FINGERPRINTS_TEXT], expected[SW_FINGERPRINTS_TEXT];
  char one[SW_FINGERPRINT_TEXT], other[SW_FINGERPRINT_TEXT];
  for (unsigned i = 0; i < 2; i++) sw_psk_generate(&psks.keys[i]);
  sw_psk_fingerprint(&psks.keys[0], one);
  sw_psk_fingerprint(&psks.keys[1], other);
  snprintf(expected, sizeof(expected), "%s, %s", one, other);
  assert_string_equal(sw_psks_fingerprints(&psks, text), expected);
  psks.count = 1;
  assert_string_equal(sw_psks_fingerprints(&psks, text), one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fingerprint_leaves_nothing_of_the_key_on_the_stack),
      cmocka_unit_test(decoding_leaves_nothing_of_the_key_on_the_stack),
      cmocka_unit_test(key_decodes_to_its_bytes),
      cmocka_unit_test(key_encodes_to_its_text),
      cmocka_unit_test(generated_keys_differ_and_read_back),
      cmocka_unit_test(text_that_is_not_base64_is_refused),
      cmocka_unit_test(a_key_has_one_text),
      cmocka_unit_test(key_of_another_size_is_refused),
      cmocka_unit_test(key_of_equal_bytes_is_refused),
      cmocka_unit_test(one_byte_that_differs_makes_a_key),
      cmocka_unit_test(what_follows_the_text_is_not_part_of_it),
      cmocka_unit_test(text_of_any_length_is_told_apart_from_no_base64),
      cmocka_unit_test(fingerprint_is_fixed_and_differs_between_keys),
      cmocka_unit_test(fingerprint_shows_no_byte_of_the_key),
      cmocka_unit_test(fingerprints_of_two_keys_are_those_of_each),
  };
  return cmocka_run_group_tests_name("key", tests, start, NULL);
}

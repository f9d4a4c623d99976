/*
 * The encoding of the protocol, without a link. A header that is read is written back unchanged. A
 * handshake message that parses is composed again byte for byte, except for its padding. What was
 * sealed opens, unless one of its bits changed.
 */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

#include "../sim/random.h"
#include "protocol/handshake.h"

static const uint8_t base_point[SW_POINT_BYTES] = {9};

/* They precede the point, and are not parsed. */
static void copy_features(uint8_t *again, const uint8_t *plain,
                          const struct sw_handshake_message *message) {
  memcpy(again + (message->point - 4 - plain), message->point - 4, 4);
}

static void write_again(const struct sw_keys *keys, const uint8_t *plain,
                        const struct sw_handshake_message *message) {
  static uint8_t again[SW_INIT_MAX];
  static struct sw_initiation initiation;
  switch (message->type) {
  case SW_MESSAGE_INIT:
    sw_initiation_begin(&initiation, keys, message->me, message->sender);
    copy_features(initiation.plain, plain, message);
    memcpy(initiation.plain + (message->point - plain), message->point, SW_POINT_BYTES);
    sw_initiation_cookie(&initiation, message->cookie);
    assert(memcmp(initiation.plain, plain, SW_INIT_FIXED_BYTES) == 0);
    break;
  case SW_MESSAGE_RESPONSE: {
    struct sw_agreement agreement;
    const struct sw_handshake_message init = {.sender = message->receiver, .point = base_point};
    assert(sw_response_make(keys, message->me, message->sender, &init, initiation.plain,
                            SW_INIT_MIN, again, &agreement) >= SW_RESPONSE_FIXED_BYTES);
    copy_features(again, plain, message);
    memcpy(again + (message->point - plain), message->point, SW_POINT_BYTES);
    memcpy(again + (message->hash - plain), message->hash, SW_HASH_BYTES);
    assert(memcmp(again, plain, SW_RESPONSE_FIXED_BYTES) == 0);
    break;
  }
  case SW_MESSAGE_COOKIE:
    sw_cookie_message_make(message->me, message->hash, message->cookie, SW_INIT_MIN, again);
    assert(memcmp(again, plain, SW_COOKIE_MESSAGE_BYTES) == 0);
    break;
  }
}

static void seal_and_open(const struct sw_keys *keys, const uint8_t *plain, size_t length,
                          unsigned bit) {
  static uint8_t opened[SW_INIT_MAX];
  uint8_t *datagram = malloc(SW_HANDSHAKE_OVERHEAD + length);
  const size_t sealed = sw_message_seal(keys, plain, length, datagram);
  struct sw_header header = sw_header_read(keys->mask, datagram);
  assert(header.session == SW_SESSION_HANDSHAKE);
  assert(sw_message_open(keys, header, datagram, sealed, opened) == (int)length);
  assert(memcmp(opened, plain, length) == 0);
  datagram[bit / 8 % sealed] ^= (uint8_t)(1U << bit % 8);
  header = sw_header_read(keys->mask, datagram);
  assert(header.session != SW_SESSION_HANDSHAKE ||
         sw_message_open(keys, header, datagram, sealed, opened) < 0);
  free(datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sw_keys keys;
  static bool ready;
  if (!ready) {
    random_replace();
    if (sodium_init() < 0) abort();
    sw_keys_derive(&(struct sw_psk){{1, 2, 3}}, &keys);
    ready = true;
  }
  random_seed(0);
  if (size >= SW_OVERHEAD) {
    uint8_t again[SW_OVERHEAD] = {0};
    memcpy(again + SW_TAG_OFFSET, data + SW_TAG_OFFSET, SW_TAG_BYTES);
    sw_header_write(keys.mask, sw_header_read(keys.mask, data), again);
    assert(memcmp(again, data, SW_OVERHEAD) == 0);
  }
  if (size < 3) return 0;
  const unsigned bit = (unsigned)(data[0] | data[1] << 8);
  const size_t length = size - 2 < SW_INIT_MAX ? size - 2 : SW_INIT_MAX;
  uint8_t *plain = malloc(length);
  memcpy(plain, data + 2, length);
  struct sw_handshake_message message;
  if (sw_message_parse(plain, length, &message) == 0) write_again(&keys, plain, &message);
  seal_and_open(&keys, plain, length, bit);
  free(plain);
  return 0;
}

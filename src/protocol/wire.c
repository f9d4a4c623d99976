#include "protocol/wire.h"

#include <sodium.h>

_Static_assert(crypto_shorthash_siphashx24_KEYBYTES == SW_MASK_KEY_BYTES, "mask key");
_Static_assert(crypto_shorthash_siphashx24_BYTES >= SW_HEADER_BYTES, "the mask covers the header");

static struct sw_header mask_of(const uint8_t key[SW_MASK_KEY_BYTES], const uint8_t *datagram) {
  uint8_t mask[crypto_shorthash_siphashx24_BYTES];
  crypto_shorthash_siphashx24(mask, datagram + SW_TAG_OFFSET, SW_TAG_BYTES, key);
  return (struct sw_header){.session = sw_load32(mask), .word = sw_load64(mask + 4)};
}

void sw_header_write(const uint8_t key[SW_MASK_KEY_BYTES], struct sw_header header,
                     uint8_t *datagram) {
  const struct sw_header mask = mask_of(key, datagram);
  sw_store32(datagram, header.session ^ mask.session);
  sw_store64(datagram + 4, header.word ^ mask.word);
}

struct sw_header sw_header_read(const uint8_t key[SW_MASK_KEY_BYTES], const uint8_t *datagram) {
  const struct sw_header mask = mask_of(key, datagram);
  return (struct sw_header){.session = sw_load32(datagram) ^ mask.session,
                            .word = sw_load64(datagram + 4) ^ mask.word};
}

/*
 * crypto_secretbox (XSalsa20-Poly1305) for one direction of one session: a key and the nonce's
 * first 16 bytes are fixed, its last 8 are the datagram's word.
 *
 * A box is a secret: its owner wipes it.  Any thread may seal or open with a box that does not
 * change.
 */
#ifndef SALTWAY_CORE_SECRETBOX_H
#define SALTWAY_CORE_SECRETBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/protocol.h"

struct sw_secretbox {
  uint8_t key[SW_KEY_BYTES];
  uint8_t prefix[SW_PREFIX_BYTES];
};

/** Seals `length` bytes of `plain` under the nonce prefix || word: SW_TAG_BYTES of tag, and as
 * many bytes of `cipher`.  No word may be used twice with a box. */
void sw_secretbox_seal(const struct sw_secretbox *box, uint64_t word, const uint8_t *plain,
                       size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher);

/** Opens what sw_secretbox_seal made.  Returns whether the tag verified; if it did not, `plain` is
 * as it was. */
bool sw_secretbox_open(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                       size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

#endif

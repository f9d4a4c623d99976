/*
 * crypto_secretbox (XSalsa20-Poly1305; D. J. Bernstein, "Cryptography in NaCl", §7 to §10) for one
 * direction of one session: a key and the nonce's first 16 bytes are fixed, its last 8 are the
 * datagram's word.
 *
 * A box is a secret: its owner wipes it.  Any thread may seal or open with a box that does not
 * change.
 */
#ifndef SALTWAY_PROTOCOL_SECRETBOX_H
#define SALTWAY_PROTOCOL_SECRETBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

struct sw_secretbox {
  uint8_t key[SW_KEY_BYTES];
  uint8_t prefix[SW_PREFIX_BYTES];
  uint8_t subkey[SW_KEY_BYTES]; /* HSalsa20 of the two, for the fast calls */
};

/** Computes the subkey of a box whose key and prefix are set. */
void sw_secretbox_prepare(struct sw_secretbox *box);

/** Seals `length` bytes of `plain` under the nonce prefix || word: SW_TAG_BYTES of tag, and as
 * many bytes of `cipher`.  No word may be used twice with a box. */
void sw_secretbox_seal(const struct sw_secretbox *box, uint64_t word, const uint8_t *plain,
                       size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher);

/** Opens what sw_secretbox_seal made.  Returns whether the tag verified; if it did not, `plain` is
 * as it was. */
bool sw_secretbox_open(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                       size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

/*
 * The same results faster, for buffers with room.  The stream is applied in whole blocks of the
 * cipher's wide path (256 bytes), which reads and writes up to SW_SLACK bytes past the end; and it
 * begins with the 32 bytes that make the tag's key, in front of the packet.
 */

/** As sw_secretbox_seal.  The 32 bytes before `plain` are destroyed; those before `cipher` are too,
 * but for the first 4 of them, and may hold the tag.  SW_SLACK bytes behind `plain` can be read,
 * and behind `cipher` are destroyed. */
void sw_secretbox_seal_fast(const struct sw_secretbox *box, uint64_t word, uint8_t *plain,
                            size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher);

/** As sw_secretbox_open, but `plain` is zero if the tag does not verify; it does not overlap
 * `cipher`. The 32 bytes before `plain` and SW_SLACK behind it are destroyed; as many before and
 * behind `cipher` can be read, and mean nothing. */
bool sw_secretbox_open_fast(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                            size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

/** Compares the fast calls with libsodium's crypto_secretbox and, if they ever differ, makes them
 * use it from then on.  Returns whether they agree.  Before any other thread is started. */
bool sw_secretbox_self_test(void);

#endif

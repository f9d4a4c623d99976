/*
 * crypto_secretbox (XSalsa20-Poly1305; D. J. Bernstein, "Cryptography in NaCl", §7 to §10) for one
 * direction of one session.  The key and the first 16 bytes of the nonce are fixed; the last 8
 * bytes are the word of the datagram.
 *
 * A box is secret: its owner wipes it.  Several threads may seal and open with one box at the same
 * time.
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
  uint8_t subkey[SW_KEY_BYTES]; /* HSalsa20 of key and prefix, for the fast functions */
};

/** Computes the subkey of a box whose key and prefix are set. */
void sw_secretbox_prepare(struct sw_secretbox *box);

/** Seals `length` bytes of `plain` with the nonce prefix || word.  Writes SW_TAG_BYTES to `tag` and
 * `length` bytes to `cipher`.  No word may be used twice with a box. */
void sw_secretbox_seal(const struct sw_secretbox *box, uint64_t word, const uint8_t *plain,
                       size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher);

/** Opens what sw_secretbox_seal made.  Returns whether the tag verified; if it did not, `plain` is
 * unchanged. */
bool sw_secretbox_open(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                       size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

/*
 * The fast functions give the same results, but need room around the buffers.  One pass of the
 * cipher covers the 32 bytes in front of the packet, where the key of the tag is generated, and is
 * rounded up to the block size of the vectorised code (256 bytes), so that it reads and writes up
 * to SW_SLACK bytes behind the packet.
 */

/** As sw_secretbox_seal.  The 32 bytes before `plain` are overwritten.  Of the 32 bytes before
 * `cipher` the first 4 are restored and the others are overwritten; `tag` may be among them.
 * SW_SLACK bytes behind `plain` must be readable, and as many behind `cipher` are overwritten. */
void sw_secretbox_seal_fast(const struct sw_secretbox *box, uint64_t word, uint8_t *plain,
                            size_t length, uint8_t tag[SW_TAG_BYTES], uint8_t *cipher);

/** As sw_secretbox_open, but `plain` is zeroed if the tag does not verify.  `plain` must not
 * overlap `cipher`.  The 32 bytes before `plain` and SW_SLACK bytes behind it are overwritten.  As
 * many bytes around `cipher` must be readable; their values do not matter. */
bool sw_secretbox_open_fast(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                            size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

/** Compares the fast functions with libsodium's crypto_secretbox.  If they differ, the fast
 * functions call crypto_secretbox from then on.  Returns whether they agree.  To be called before
 * any other thread is started. */
bool sw_secretbox_self_test(void);

#endif

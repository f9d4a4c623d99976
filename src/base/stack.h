/*
 * What libsodium leaves behind on the stack and in registers: its hashes and ciphers spill the keys
 * that they work on.  Wiping what a key was copied to does not reach that.
 */
#ifndef SALTWAY_BASE_STACK_H
#define SALTWAY_BASE_STACK_H

#include <sodium.h>
#include <stdint.h>

/* it lies within so many bytes */
#define SW_LIBRARY_STACK 4096

/** Overwrites what functions called from here left on the stack, and in the vector registers, from
 * where it could get there again. */
static inline void sw_stack_wipe(void) {
  static const uint8_t nothing[crypto_generichash_KEYBYTES];
  uint8_t hash[crypto_generichash_BYTES];
  crypto_generichash(hash, sizeof(hash), nothing, sizeof(nothing), nothing, sizeof(nothing));
  sodium_stackzero(SW_LIBRARY_STACK);
}

#endif

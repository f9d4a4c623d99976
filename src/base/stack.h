/*
 * Wiping the stack and the vector registers.  libsodium's hashes and ciphers spill keys there, which
 * wiping the variables that held the keys does not reach.
 */
#ifndef SALTWAY_BASE_STACK_H
#define SALTWAY_BASE_STACK_H

#include <sodium.h>
#include <stdint.h>

/* the most stack that a call to libsodium uses, in bytes */
#define SW_LIBRARY_STACK 4096

/** Overwrites what functions called from here left on the stack.  The hash first overwrites the
 * vector registers, which could be spilled to the stack again. */
static inline void sw_stack_wipe(void) {
  static const uint8_t nothing[crypto_generichash_KEYBYTES];
  uint8_t hash[crypto_generichash_BYTES];
  crypto_generichash(hash, sizeof(hash), nothing, sizeof(nothing), nothing, sizeof(nothing));
  sodium_stackzero(SW_LIBRARY_STACK);
}

#endif

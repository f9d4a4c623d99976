/*
 * Runs a function on a stack of its own, and searches that stack for secrets.
 */
#ifndef SALTWAY_TESTS_STACK_H
#define SALTWAY_TESTS_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Clears the stack, and calls `function` on it. */
void stack_run(void (*function)(void));

/** Returns whether part of the secret is on the stack: any of its 8-byte words, or a 4-byte word of
 * it repeated as a vector of four. */
bool stack_holds(const uint8_t *secret, size_t length);

/** Returns whether the secret key of this X25519 public key is on the stack, aligned to a word. */
bool stack_holds_key_of(const uint8_t point[32]);

#endif

/*
 * A stack of one's own for a function under test, to look for what it leaves there.
 */
#ifndef SALTWAY_TESTS_STACK_H
#define SALTWAY_TESTS_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Clears the stack, and calls `function` on it. */
void stack_run(void (*function)(void));

/** Whether a part of this secret lies there: any of its words of 8 bytes, or one of 4 as a vector of
 * four. */
bool stack_holds(const uint8_t *secret, size_t length);

/** Whether the secret key of an X25519 public one lies there, on a word's boundary. */
bool stack_holds_key_of(const uint8_t point[32]);

#endif

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

/** Whether these bytes lie there. */
bool stack_holds(const uint8_t *secret, size_t length);

/** Whether the secret key of an X25519 public one lies there, on a word's boundary. */
bool stack_holds_key_of(const uint8_t point[32]);

#endif

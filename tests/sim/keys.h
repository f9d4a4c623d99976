/*
 * The pre-shared keys of a world.  Each has a number; two hosts that hold the same number have the
 * same key.
 */
#ifndef SIM_KEYS_H
#define SIM_KEYS_H

#include "saltway/key.h"

/* Numbers are below this. */
#define KEYS 16

struct sw_psk key_psk(unsigned number);

#endif

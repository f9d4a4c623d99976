/*
 * The differences between two configurations of one link, key by key.
 */
#ifndef SALTWAY_CONFIG_DIFFERENCE_H
#define SALTWAY_CONFIG_DIFFERENCE_H

#include <stdbool.h>

#include "config/config.h"
#include "config/table.h"

/** Whether a key has the same value in both.  What the key file holds is not looked at. */
bool sw_config_same(const struct sw_config *a, const struct sw_config *b, enum sw_config_key key);

/** Whether a running link can take over another value of the key. */
bool sw_config_changes_in_flight(enum sw_config_key key);

#endif

/*
 * The values of a configuration file: what each key's may be, and where it goes.
 */
#ifndef SALTWAY_CONFIG_VALUE_H
#define SALTWAY_CONFIG_VALUE_H

#include "base/error.h"
#include "config/config.h"
#include "config/key.h"

/** Puts one value (of a list: one entry; never empty) into `config`.  Returns 0, or with `error`
 * filled ("what is wrong; what would be right") -ENOSPC if there is no room for another, or -EINVAL
 * if it is no value for the key. */
int sw_config_value_set(struct sw_config *config, enum sw_config_key key, const char *text,
                        struct sw_error *error);

#endif

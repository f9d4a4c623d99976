/*
 * What a configuration file must hold as a whole, once all of its lines are read: required keys,
 * and values that do not go together.
 */
#ifndef SALTWAY_CONFIG_CHECKS_H
#define SALTWAY_CONFIG_CHECKS_H

#include <sys/stat.h>

#include "config/reader.h"

/** Complains about everything that is missing or contradictory.  `status` is the file's
 * (fstat(2)). */
void sw_config_check(struct sw_config_reader *reader, const struct stat *status);

#endif

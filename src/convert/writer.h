/*
 * Writes a configuration as the text of its file, which sw_config_load reads as the same.
 */
#ifndef SALTWAY_CONVERT_WRITER_H
#define SALTWAY_CONVERT_WRITER_H

#include "config/config.h"

/** Writes what saltway pair and saltway import set: all keys but MTU, Metric, NetNS, Offload and
 * Sandbox.  The key file is NAME.key beside the configuration.  `comment` is the first line. */
void sw_config_write(FILE *out, const struct sw_config *config, const char *comment);

#endif

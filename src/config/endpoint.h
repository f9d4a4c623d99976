/*
 * An endpoint as people write it: "b.example.net:51900", "192.0.2.1:51900" or
 * "[2001:db8::1]:51900".
 */
#ifndef SALTWAY_CONFIG_ENDPOINT_H
#define SALTWAY_CONFIG_ENDPOINT_H

#include "base/error.h"
#include "config/config.h"

/** Parses an endpoint; a name is not resolved.  Returns 0, or -EINVAL
 * with `error` filled; it is left as it was if there is nothing to say but that this is no
 * endpoint. */
int sw_config_endpoint_parse(const char *text, struct sw_config_endpoint *endpoint,
                             struct sw_error *error);

#endif

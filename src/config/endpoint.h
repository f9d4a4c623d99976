/*
 * Where the peer is, as people write it: "b.example.net:51900", "192.0.2.1:51900",
 * "[2001:db8::1]:51900".
 */
#ifndef SALTWAY_CONFIG_ENDPOINT_H
#define SALTWAY_CONFIG_ENDPOINT_H

#include "base/error.h"
#include "config/config.h"

/** Reads an endpoint; nothing is looked up.  Returns 0, or -EINVAL with `error` filled. */
int sw_config_endpoint_parse(const char *text, struct sw_config_endpoint *endpoint,
                             struct sw_error *error);

#endif

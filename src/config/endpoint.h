/*
 * An endpoint as it is written in a configuration: "b.example.net:51900", "192.0.2.1:51900" or
 * "[2001:db8::1]:51900".
 */
#ifndef SALTWAY_CONFIG_ENDPOINT_H
#define SALTWAY_CONFIG_ENDPOINT_H

#include "base/error.h"
#include "config/config.h"

/** Whether the text is a name or an address, without brackets, as it may be in an endpoint. */
bool sw_config_is_host(const char *text);

/** Parses a UDP port.  Returns 0 for any other text. */
uint16_t sw_config_port_parse(const char *text);

/** Parses an endpoint.  A name is not resolved.  Returns 0, or -EINVAL.  Then `error` says what is
 * wrong; it is unchanged if the text does not look like an endpoint at all. */
int sw_config_endpoint_parse(const char *text, struct sw_config_endpoint *endpoint,
                             struct sw_error *error);

#endif

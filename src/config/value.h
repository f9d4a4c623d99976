/*
 * The values of a configuration file: one function for each key (table.h), which reads a value and
 * stores it.
 *
 * `text` is one value, or one entry of a list; it is never empty.  Each function returns 0 or a
 * negative errno, -ENOSPC if the config has no room for another entry.  On failure it fills `error`
 * ("what is wrong; what would be right") if it can say more than that the text is not what the key
 * expects.
 */
#ifndef SALTWAY_CONFIG_VALUE_H
#define SALTWAY_CONFIG_VALUE_H

#include "base/error.h"
#include "config/config.h"

#define SW_VALUE_MTU_MIN 576   /* RFC 791: every IPv4 host accepts this much */
#define SW_VALUE_MTU_MAX 65479 /* SW_PACKET_MAX of saltway/link.h */
#define SW_VALUE_OVERHEAD_MAX 256
/* bits per second */
#define SW_VALUE_BANDWIDTH_MIN UINT64_C(64000)
#define SW_VALUE_BANDWIDTH_MAX UINT64_C(100000000000)

int sw_value_address(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_listen_port(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_mtu(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_table(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_metric(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_netns(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_fwmark(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_dscp(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_bandwidth(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_overhead(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_offload(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_sandbox(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_post_up(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_pre_down(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_psk_file(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_endpoint(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_allowed_ip(struct sw_config *config, const char *text, struct sw_error *error);
int sw_value_keepalive(struct sw_config *config, const char *text, struct sw_error *error);

#endif

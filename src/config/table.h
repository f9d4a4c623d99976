/*
 * The table of what a configuration file may hold: its sections, the keys of each, and what the
 * value of each key may be.  Names are compared without regard to case, as in WireGuard's tools.
 */
#ifndef SALTWAY_CONFIG_TABLE_H
#define SALTWAY_CONFIG_TABLE_H

#include <stddef.h>

#include "base/error.h"
#include "config/config.h"

enum sw_config_section {
  SW_CONFIG_SECTION_NONE,
  SW_CONFIG_SECTION_INTERFACE,
  SW_CONFIG_SECTION_PEER,
  SW_CONFIG_SECTIONS
};

enum sw_config_key {
  SW_CONFIG_KEY_NONE,
  SW_CONFIG_KEY_ADDRESS,
  SW_CONFIG_KEY_LISTEN_PORT,
  SW_CONFIG_KEY_MTU,
  SW_CONFIG_KEY_TABLE,
  SW_CONFIG_KEY_METRIC,
  SW_CONFIG_KEY_NETNS,
  SW_CONFIG_KEY_FWMARK,
  SW_CONFIG_KEY_DSCP,
  SW_CONFIG_KEY_BANDWIDTH,
  SW_CONFIG_KEY_OVERHEAD,
  SW_CONFIG_KEY_OFFLOAD,
  SW_CONFIG_KEY_SANDBOX,
  SW_CONFIG_KEY_POST_UP,
  SW_CONFIG_KEY_PRE_DOWN,
  SW_CONFIG_KEY_PSK_FILE,
  SW_CONFIG_KEY_ENDPOINT,
  SW_CONFIG_KEY_ALLOWED_IPS,
  SW_CONFIG_KEY_KEEPALIVE,
  SW_CONFIG_KEYS
};

enum sw_config_form {
  SW_CONFIG_FORM_ONCE,    /* one value; the key is given once */
  SW_CONFIG_FORM_LIST,    /* values between commas; the key may be repeated */
  SW_CONFIG_FORM_COMMAND, /* a shell command, with its comments; the key may be repeated */
};

struct sw_config_row {
  const char *name;
  enum sw_config_section section;
  enum sw_config_form form;
  int (*set)(struct sw_config *config, const char *text, struct sw_error *error); /* value.h */
  const char *expects; /* "a UDP port; write 1 to 65535"; NULL: set() fills all errors */
};

/** Returns "Interface" or "Peer". */
const char *sw_config_section_name(enum sw_config_section section);

/** Returns the section of that name, or else the one that was probably meant, or else
 * SW_CONFIG_SECTION_NONE. */
enum sw_config_section sw_config_section_find(const char *name);

/** Returns the row of a key, which is not SW_CONFIG_KEY_NONE. */
const struct sw_config_row *sw_config_row(enum sw_config_key key);

/** Returns the key of that name, or else the one that was probably meant, or else
 * SW_CONFIG_KEY_NONE. */
enum sw_config_key sw_config_key_find(const char *name);

/** Returns what to write instead of a key of WireGuard's that saltway does not have, or NULL. */
const char *sw_config_key_instead(const char *name);

/** Writes the names of a section's keys, "Address, ListenPort, ...", to `text`, as many as
 * fit, and returns it. */
char *sw_config_key_list(enum sw_config_section section, char *text, size_t size);

#endif

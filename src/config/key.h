/*
 * The names a configuration file may hold: its sections, the keys in each, and what to tell of a
 * name that is not among them.  Names are compared without regard to case, as WireGuard's are.
 */
#ifndef SALTWAY_CONFIG_KEY_H
#define SALTWAY_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>

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
  SW_CONFIG_KEY_FWMARK,
  SW_CONFIG_KEY_OFFLOAD,
  SW_CONFIG_KEY_SANDBOX,
  SW_CONFIG_KEY_POST_UP,
  SW_CONFIG_KEY_PRE_DOWN,
  SW_CONFIG_KEY_KEY_FILE,
  SW_CONFIG_KEY_ENDPOINT,
  SW_CONFIG_KEY_ALLOWED_IPS,
  SW_CONFIG_KEY_KEEPALIVE,
  SW_CONFIG_KEYS
};

enum sw_config_form {
  SW_CONFIG_FORM_SINGLE,  /* one value, given once */
  SW_CONFIG_FORM_LIST,    /* values between commas; the key may be repeated */
  SW_CONFIG_FORM_COMMAND, /* a shell command, whole; the key may be repeated */
};

struct sw_config_key_kind {
  const char *name;
  enum sw_config_section section;
  enum sw_config_form form;
};

/** Longest name that is looked at at all. */
#define SW_CONFIG_NAME_MAX 24

/** "Interface", "Peer". */
const char *sw_config_section_name(enum sw_config_section section);

/** The section of that name, or else the one whose name is near enough that it was probably meant,
 * or else SW_CONFIG_SECTION_NONE; `exact` tells the first two apart. */
enum sw_config_section sw_config_section_find(const char *name, bool *exact);

/** Name, place and form of a key other than SW_CONFIG_KEY_NONE. */
const struct sw_config_key_kind *sw_config_key_kind(enum sw_config_key key);

/** The key of that name, or else the nearest, as sw_config_section_find does. */
enum sw_config_key sw_config_key_find(const char *name, bool *exact);

/** What to do instead of a key that WireGuard has and saltway on purpose has not; else NULL. */
const char *sw_config_key_instead(const char *name);

/** Writes the names of a section's keys, "Address, ListenPort, ...", to `text`, and returns it. */
char *sw_config_key_list(enum sw_config_section section, char *text, size_t size);

#endif

#include "config/key.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const section_names[SW_CONFIG_SECTIONS] = {
    [SW_CONFIG_SECTION_NONE] = "",
    [SW_CONFIG_SECTION_INTERFACE] = "Interface",
    [SW_CONFIG_SECTION_PEER] = "Peer",
};

static const struct sw_config_key_kind kinds[SW_CONFIG_KEYS] = {
    [SW_CONFIG_KEY_ADDRESS] = {"Address", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_LIST},
    [SW_CONFIG_KEY_LISTEN_PORT] = {"ListenPort", SW_CONFIG_SECTION_INTERFACE,
                                   SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_MTU] = {"MTU", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_TABLE] = {"Table", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_FWMARK] = {"FwMark", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_OFFLOAD] = {"Offload", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_SANDBOX] = {"Sandbox", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_POST_UP] = {"PostUp", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_COMMAND},
    [SW_CONFIG_KEY_PRE_DOWN] = {"PreDown", SW_CONFIG_SECTION_INTERFACE, SW_CONFIG_FORM_COMMAND},
    [SW_CONFIG_KEY_KEY_FILE] = {"PresharedKeyFile", SW_CONFIG_SECTION_PEER, SW_CONFIG_FORM_SINGLE},
    [SW_CONFIG_KEY_ENDPOINT] = {"Endpoint", SW_CONFIG_SECTION_PEER, SW_CONFIG_FORM_LIST},
    [SW_CONFIG_KEY_ALLOWED_IPS] = {"AllowedIPs", SW_CONFIG_SECTION_PEER, SW_CONFIG_FORM_LIST},
    [SW_CONFIG_KEY_KEEPALIVE] = {"PersistentKeepalive", SW_CONFIG_SECTION_PEER,
                                 SW_CONFIG_FORM_SINGLE},
};

static const struct {
  const char *name, *instead;
} elsewhere[] = {
    {"PrivateKey", "there are no key pairs, both ends share one key; PresharedKeyFile = FILE"},
    {"PublicKey", "there are no key pairs, both ends share one key; PresharedKeyFile = FILE"},
    {"PresharedKey", "keys are kept in a file of their own; PresharedKeyFile = FILE"},
    {"DNS", "name servers are left alone; PostUp = resolvectl dns %i SERVER"},
    {"SaveConfig", "this file is never written to; remove the line"},
    {"PreUp", "there is no hook before the interface is up; use PostUp, or systemd's ExecStartPre"},
    {"PostDown", "there is no hook after the interface is gone; use PreDown, or systemd's "
                 "ExecStopPost"},
};

/* Levenshtein's, one row at a time. */
static size_t edit_distance(const char *a, const char *b) {
  size_t row[SW_CONFIG_NAME_MAX + 1];
  const size_t width = strlen(b);
  assert(width <= SW_CONFIG_NAME_MAX);
  for (size_t i = 0; i <= width; i++) row[i] = i;
  for (size_t line = 1; *a; a++, line++) {
    size_t diagonal = row[0];
    row[0] = line;
    for (size_t i = 1; i <= width; i++) {
      const bool same = tolower((unsigned char)*a) == tolower((unsigned char)b[i - 1]);
      size_t best = diagonal + !same;
      if (row[i] + 1 < best) best = row[i] + 1;
      if (row[i - 1] + 1 < best) best = row[i - 1] + 1;
      diagonal = row[i];
      row[i] = best;
    }
  }
  return row[width];
}

/* Near enough that a slip of the hand explains it: one letter, and one more for each four. */
static bool is_near(size_t distance, const char *known) {
  return distance <= 1 + strlen(known) / 4;
}

/* Keeps the index of the name nearest to `name` in `*nearest`, going over the names one by one. */
static void compare(const char *name, const char *known, int index, int *nearest, size_t *best) {
  const size_t distance = edit_distance(name, known);
  if (distance >= *best || !is_near(distance, known)) return;
  *best = distance;
  *nearest = index;
}

const char *sw_config_section_name(enum sw_config_section section) {
  return section_names[section];
}

enum sw_config_section sw_config_section_find(const char *name, bool *exact) {
  int nearest = SW_CONFIG_SECTION_NONE;
  size_t best = SW_CONFIG_NAME_MAX + 1;
  for (int i = SW_CONFIG_SECTION_NONE + 1; i < SW_CONFIG_SECTIONS; i++)
    compare(name, section_names[i], i, &nearest, &best);
  *exact = best == 0;
  return (enum sw_config_section)nearest;
}

const struct sw_config_key_kind *sw_config_key_kind(enum sw_config_key key) {
  return &kinds[key];
}

enum sw_config_key sw_config_key_find(const char *name, bool *exact) {
  int nearest = SW_CONFIG_KEY_NONE;
  size_t best = SW_CONFIG_NAME_MAX + 1;
  for (int i = SW_CONFIG_KEY_NONE + 1; i < SW_CONFIG_KEYS; i++)
    compare(name, kinds[i].name, i, &nearest, &best);
  *exact = best == 0;
  return (enum sw_config_key)nearest;
}

const char *sw_config_key_instead(const char *name) {
  for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
    if (strcasecmp(name, elsewhere[i].name) == 0) return elsewhere[i].instead;
  return NULL;
}

char *sw_config_key_list(enum sw_config_section section, char *text, size_t size) {
  size_t length = 0;
  text[0] = '\0';
  for (int i = SW_CONFIG_KEY_NONE + 1; i < SW_CONFIG_KEYS && length < size; i++)
    if (kinds[i].section == section)
      length +=
          (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", kinds[i].name);
  return text;
}

#include "config/table.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "config/value.h"

#define STRING_OF(number) #number
#define STRING(number) STRING_OF(number)

static const char *const section_names[SW_CONFIG_SECTIONS] = {"", "Interface", "Peer"};

/* clang-format off */
#define INTERFACE SW_CONFIG_SECTION_INTERFACE
#define PEER      SW_CONFIG_SECTION_PEER
#define ONCE      SW_CONFIG_FORM_ONCE
#define LIST      SW_CONFIG_FORM_LIST
#define COMMAND   SW_CONFIG_FORM_COMMAND

static const struct sw_config_row rows[SW_CONFIG_KEYS] = {
  [SW_CONFIG_KEY_ADDRESS] = {"Address", INTERFACE, LIST, sw_value_address,
      "an address; write it like 10.77.0.1/30 or fd77::1/64"},
  [SW_CONFIG_KEY_LISTEN_PORT] = {"ListenPort", INTERFACE, ONCE, sw_value_listen_port,
      "a UDP port; write 1 to 65535"},
  [SW_CONFIG_KEY_MTU] = {"MTU", INTERFACE, ONCE, sw_value_mtu,
      "a size in bytes; write auto, or a number from " STRING(SW_VALUE_MTU_MIN) " to " STRING(SW_VALUE_MTU_MAX)},
  [SW_CONFIG_KEY_TABLE] = {"Table", INTERFACE, ONCE, sw_value_table,
      "a routing table; write auto, off or 1 to 4294967295"},
  [SW_CONFIG_KEY_METRIC] = {"Metric", INTERFACE, ONCE, sw_value_metric,
      "a metric of routes; write auto or 1 to 4294967295"},
  [SW_CONFIG_KEY_NETNS] = {"NetNS", INTERFACE, ONCE, sw_value_netns,
      "a network namespace; write its name in ip netns, or an absolute path"},
  [SW_CONFIG_KEY_FWMARK] = {"FwMark", INTERFACE, ONCE, sw_value_fwmark,
      "a firewall mark; write off, 1 to 4294967295 or 0x1 to 0xffffffff"},
  [SW_CONFIG_KEY_DSCP] = {"DSCP", INTERFACE, ONCE, sw_value_dscp,
      "a traffic class of datagrams; write copy or off"},
  [SW_CONFIG_KEY_BANDWIDTH] = {"Bandwidth", INTERFACE, ONCE, sw_value_bandwidth,
      "a rate; write off, or like 95mbit, 800kbit or 1.5gbit (64kbit to 100gbit)"},
  [SW_CONFIG_KEY_OVERHEAD] = {"Overhead", INTERFACE, ONCE, sw_value_overhead,
      "a number of bytes; write 0 to " STRING(SW_VALUE_OVERHEAD_MAX)},
  [SW_CONFIG_KEY_OFFLOAD] = {"Offload", INTERFACE, ONCE, sw_value_offload,
      "a way to exchange packets with the kernel; write auto or off"},
  [SW_CONFIG_KEY_SANDBOX] = {"Sandbox", INTERFACE, ONCE, sw_value_sandbox,
      "a way to confine the engine; write on or off"},
  [SW_CONFIG_KEY_POST_UP] = {"PostUp", INTERFACE, COMMAND, sw_value_post_up, NULL},
  [SW_CONFIG_KEY_PRE_DOWN] = {"PreDown", INTERFACE, COMMAND, sw_value_pre_down, NULL},
  [SW_CONFIG_KEY_PSK_FILE] = {"PresharedKeyFile", PEER, ONCE, sw_value_psk_file, NULL},
  [SW_CONFIG_KEY_ENDPOINT] = {"Endpoint", PEER, LIST, sw_value_endpoint,
      "HOST:PORT; write it like b.example.net:51900 or [2001:db8::1]:51900"},
  [SW_CONFIG_KEY_ALLOWED_IPS] = {"AllowedIPs", PEER, LIST, sw_value_allowed_ip,
      "a range of addresses; write it like 10.2.0.0/16 or fd02::/64"},
  [SW_CONFIG_KEY_KEEPALIVE] = {"PersistentKeepalive", PEER, ONCE, sw_value_keepalive,
      "a number of seconds; write off or 0 to 65535"},
};
/* clang-format on */

static const struct {
  const char *name, *instead;
} foreign[] = {
    {"PrivateKey", "there are no key pairs, both ends share one key; PresharedKeyFile = FILE"},
    {"PublicKey", "there are no key pairs, both ends share one key; PresharedKeyFile = FILE"},
    {"PresharedKey", "keys are kept in a file of their own; PresharedKeyFile = FILE"},
    {"DNS", "name servers are left alone; PostUp = resolvectl dns %i SERVER"},
    {"SaveConfig", "this file is never written to; remove the line"},
    {"PreUp", "there is no hook before the interface is up; use PostUp, or systemd's ExecStartPre"},
    {"PostDown", "there is no hook after the interface is gone; use PreDown, or systemd's "
                 "ExecStopPost"},
};

/* Whether at most `edits` insertions, removals or replacements of one letter turn `name` into
 * `known`.  Skipping a common start first never needs more of them. */
static bool resembles(const char *name, const char *known, size_t edits) {
  while (*name && tolower((unsigned char)*name) == tolower((unsigned char)*known)) name++, known++;
  if (*name == *known) return true; /* both end */
  if (edits-- == 0) return false;
  return (*name && resembles(name + 1, known, edits)) ||
         (*known && resembles(name, known + 1, edits)) ||
         (*name && *known && resembles(name + 1, known + 1, edits));
}

/* Returns the index of the known name that `name` is or was meant to be, or 0: one letter may be
 * wrong, and one more for each four of the known name.  The known names differ by more than that:
 * none is taken for another. */
static int find(const char *name, const char *(*name_of)(int), int count) {
  for (int i = 1; i < count; i++)
    if (resembles(name, name_of(i), 1 + strlen(name_of(i)) / 4)) return i;
  return 0;
}

static const char *section_name(int index) {
  return section_names[index];
}

static const char *key_name(int index) {
  return rows[index].name;
}

const char *sw_config_section_name(enum sw_config_section section) {
  return section_names[section];
}

enum sw_config_section sw_config_section_find(const char *name) {
  return (enum sw_config_section)find(name, section_name, SW_CONFIG_SECTIONS);
}

const struct sw_config_row *sw_config_row(enum sw_config_key key) {
  return &rows[key];
}

enum sw_config_key sw_config_key_find(const char *name) {
  return (enum sw_config_key)find(name, key_name, SW_CONFIG_KEYS);
}

const char *sw_config_key_instead(const char *name) {
  for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
    if (strcasecmp(name, foreign[i].name) == 0) return foreign[i].instead;
  return NULL;
}

char *sw_config_key_list(enum sw_config_section section, char *text, size_t size) {
  size_t length = 0;
  text[0] = '\0';
  for (int i = SW_CONFIG_KEY_ADDRESS; i < SW_CONFIG_KEYS && length < size; i++)
    if (rows[i].section == section)
      length +=
          (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", rows[i].name);
  return text;
}

#include "convert/wg_quick.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/lines.h"
#include "config/table.h"
#include "config/value.h"

#define SINGLE (8 * SW_IP_BYTES)
#define LINE_MAX_READ (SW_CONFIG_LINE_MAX - 16) /* room for blanks around "=" */

struct reader {
  struct sw_ends *ends;
  struct sw_complaints *complaints;
  const char *interface; /* the old one's name */
  unsigned line;
  unsigned wanted, peers; /* the [Peer] to read, or 0; those so far */
  unsigned second;        /* the line of the second [Peer] */
  enum sw_config_section section;
};

#define complain(reader, ...) sw_complain((reader)->complaints, (reader)->line, __VA_ARGS__)
#define remark(reader, ...) sw_remark((reader)->complaints, (reader)->line, __VA_ARGS__)

/* ---- values ---- */

/* wg(8) takes a range with host bits. */
static int allow(struct reader *reader, const char *text, struct sw_error *error) {
  struct sw_prefix range;
  if (sw_prefix_parse(text, &range) != 0) return -EINVAL;
  return sw_ends_allow(&reader->ends->ours, &range, error);
}

/* Values are not repeated where they may be a key that is on the wrong line. */
static void set(struct reader *reader, enum sw_config_key key, const char *text) {
  const struct sw_config_row *row = sw_config_row(key);
  struct sw_error error = {""};
  const int failed = key == SW_CONFIG_KEY_ALLOWED_IPS ? allow(reader, text, &error)
                                                      : row->set(&reader->ends->ours, text, &error);
  if (!failed) return;
  sw_complaints_note(reader->complaints, failed);
  const bool shown = error.text[0] && strpbrk(text, ".:");
  complain(reader, "%s: %s%s", row->name, shown ? "" : "not ", shown ? error.text : row->expects);
}

static void set_list(struct reader *reader, enum sw_config_key key, char *value) {
  for (char *rest = value, *entry; (entry = strsep(&rest, ",")) != NULL;) {
    entry = sw_line_trim(entry);
    if (entry[0] != '\0') set(reader, key, entry);
  }
}

/* Whether a word of the command is wg or wg-quick. */
static bool calls_wg(const char *command) {
  for (const char *at = command; (at = strstr(at, "wg")) != NULL; at += 2) {
    const bool starts = at == command || !(isalnum((unsigned char)at[-1]) || strchr("-_.", at[-1]));
    if (starts && (at[2] == '\0' || strchr(" \t;", at[2]) || strncmp(at + 2, "-quick", 6) == 0))
      return true;
  }
  return false;
}

/* Whether the name at `at` has none of `bytes`, no letter and no digit beside it. */
static bool is_apart(const char *command, const char *at, size_t length, const char *bytes) {
  const char before = at == command ? ' ' : at[-1], after = at[length] ? at[length] : ' ';
  return !isalnum((unsigned char)before) && !strchr(bytes, before) &&
         !isalnum((unsigned char)after) && !strchr(bytes, after);
}

/* Whether the word at `at` is what is run, and not an argument. */
static bool is_run(const char *command, const char *at) {
  while (at > command && strchr(" \t", at[-1])) at--;
  return at == command || strchr(";&|(`", at[-1]);
}

/* The new interface has another name.  Where the old one is a word of its own it becomes %i, which is
 * no longer; where it may be a part of something else, as in a path, the line is named. */
static void rename_interface(struct reader *reader, const char *name, char *command) {
  const char *old = reader->interface;
  const size_t length = strlen(old);
  bool renamed = false, left = false;
  if (length < 2 || strcmp(old, reader->ends->ours.name) == 0) return;
  for (char *at = command; (at = strstr(at, old)) != NULL;) {
    if (is_apart(command, at, length, "_=+.-/%@") && !is_run(command, at)) {
      *at++ = '%';
      *at++ = 'i';
      memmove(at, at + length - 2, strlen(at + length - 2) + 1);
      renamed = true;
    } else {
      left = left || is_apart(command, at, length, "");
      at += length;
    }
  }
  if (renamed)
    remark(reader, "%s: %s, the name of the old interface, becomes %%i, that of this one", name,
           old);
  if (left)
    remark(reader,
           "%s: %s stays where it is not a word of its own; write %%i in its place if it is the "
           "interface's name",
           name, old);
}

static void set_hook(struct reader *reader, enum sw_config_key key, const char *name,
                     char *command) {
  const struct sw_config_row *row = sw_config_row(key);
  struct sw_error error = {""};
  if (calls_wg(command)) {
    remark(reader, "%s is not carried over: it calls wg, which knows nothing of this link", name);
    return;
  }
  if (command[strlen(command) - 1] == '\\') {
    complain(reader,
             "%s ends in \"\\\", but no line continues in the next one; write all of it here",
             name);
    return;
  }
  rename_interface(reader, name, command);
  const int failed = row->set(&reader->ends->ours, command, &error);
  sw_complaints_note(reader->complaints, failed);
  if (failed) complain(reader, "%s: %s", name, error.text);
  if (!failed && strcasecmp(name, row->name) != 0)
    remark(reader, "%s becomes %s: it runs before the interface is removed", name, row->name);
}

/* ---- keys ---- */

static void set_key(struct reader *reader, enum sw_config_key key, const char *name, char *value) {
  switch (key) {
  case SW_CONFIG_KEY_POST_UP:
  case SW_CONFIG_KEY_PRE_DOWN:
    set_hook(reader, key, name, value);
    break;
  case SW_CONFIG_KEY_ADDRESS:
  case SW_CONFIG_KEY_ALLOWED_IPS:
    set_list(reader, key, value);
    break;
  case SW_CONFIG_KEY_MTU:
    remark(reader, "MTU is not carried over: that of the path is found by itself (MTU = auto)");
    break;
  case SW_CONFIG_KEY_LISTEN_PORT:
    if (strcmp(value, "0") == 0) break;
    set(reader, key, value);
    break;
  case SW_CONFIG_KEY_TABLE:
  case SW_CONFIG_KEY_FWMARK:
  case SW_CONFIG_KEY_ENDPOINT:
  case SW_CONFIG_KEY_KEEPALIVE:
    set(reader, key, value);
    break;
  default:
    complain(reader, "%s is not a key of wg-quick's; remove it", name);
  }
}

static void read_key(struct reader *reader, char *text) {
  char *equals = strchr(text, '=');
  if (equals) *equals = '\0';
  const char *name = sw_line_trim(text);
  if (!equals || !sw_line_is_name(name)) {
    complain(reader, "not a key of wg-quick's; write KEY = VALUE");
    return;
  }
  char *value = sw_line_trim(equals + 1);
  const char *instead = sw_config_key_instead(name);
  if (value[0] == '\0') {
    if (!instead) complain(reader, "%s has no value; write %s = VALUE", name, name);
    return;
  }
  if (strcasecmp(name, "PostDown") == 0) {
    set_hook(reader, SW_CONFIG_KEY_PRE_DOWN, name, value);
    return;
  }
  if (instead) {
    remark(reader, "%s is not carried over: %s", name, instead);
    return;
  }
  const enum sw_config_key key = sw_config_key_find(name);
  const struct sw_config_row *row = key == SW_CONFIG_KEY_NONE ? NULL : sw_config_row(key);
  if (!row || strcasecmp(name, row->name) != 0)
    complain(reader, "%s is not a key of wg-quick's; remove it%s%s", name, row ? ", or write " : "",
             row ? row->name : "");
  else if (row->section != reader->section)
    complain(reader, "%s does not belong here; put it below [%s]", row->name,
             sw_config_section_name(row->section));
  else
    set_key(reader, key, row->name, value);
}

/* ---- lines ---- */

static void enter_section(struct reader *reader, const char *text) {
  if (strcasecmp(text, "[Interface]") == 0) {
    reader->section = SW_CONFIG_SECTION_INTERFACE;
  } else if (strcasecmp(text, "[Peer]") == 0) {
    reader->section = SW_CONFIG_SECTION_PEER;
    if (++reader->peers == 2) reader->second = reader->line;
  } else {
    complain(reader, "unknown section; there are [Interface] and [Peer]");
  }
}

static void read_line(struct reader *reader, char *line) {
  struct sw_error error;
  if (sw_line_check(line, &error) != 0) {
    complain(reader, "%s", error.text);
    return;
  }
  if (strlen(line) > LINE_MAX_READ) {
    complain(reader, "line too long; at most %d bytes are read", LINE_MAX_READ);
    return;
  }
  line[strcspn(line, "#")] = '\0'; /* as wg-quick does, even in commands */
  char *text = sw_line_trim(line);
  if (text[0] == '\0') return;
  if (text[0] == '[')
    enter_section(reader, text);
  else if (reader->section != SW_CONFIG_SECTION_PEER ||
           reader->peers == (reader->wanted ? reader->wanted : 1))
    read_key(reader, text);
}

/* ---- the other end ---- */

static bool is_v4(const struct sw_prefix *prefix) {
  return sw_ip_is_v4(prefix->ip);
}

/* Returns the network that our address and the peer's are in: that of Address, or else the smallest
 * range of AllowedIPs around it, or else itself. */
static struct sw_prefix network_of(const struct sw_config *ours, const struct sw_prefix *address) {
  struct sw_prefix network = *address;
  if (network.length != SINGLE) return network;
  for (size_t i = 0; i < ours->allowed_ip_count; i++) {
    const struct sw_prefix *range = &ours->allowed_ips[i];
    const bool smaller = network.length == SINGLE || range->length > network.length;
    if (smaller && range->length != SINGLE && !sw_config_is_all(range) &&
        sw_prefix_contains(range, address->ip))
      network.length = range->length;
  }
  return network;
}

/* A peer's own address is in its AllowedIPs, alone. */
static bool find_address(const struct sw_config *ours, const struct sw_prefix *address,
                         const struct sw_prefix *network, struct sw_prefix *found) {
  for (size_t i = 0; i < ours->allowed_ip_count; i++) {
    *found = ours->allowed_ips[i];
    if (found->length == SINGLE && is_v4(found) == is_v4(address) &&
        memcmp(found->ip, address->ip, SW_IP_BYTES) != 0 &&
        (network->length == SINGLE || sw_prefix_contains(network, found->ip)))
      return true;
  }
  return false;
}

/* The first address of the network that is not ours; of a single address, the one beside it. */
static struct sw_prefix choose_address(const struct sw_prefix *address,
                                       const struct sw_prefix *network) {
  const bool pair = network->length >= SINGLE - 1;
  struct sw_prefix chosen = *address;
  uint8_t *last = &chosen.ip[SW_IP_BYTES - 1];
  chosen.length = pair ? SINGLE : network->length;
  chosen = sw_prefix_network(&chosen);
  chosen.length = SINGLE;
  if (pair) {
    *last ^= 1;
    return chosen;
  }
  *last |= 1;
  if (memcmp(chosen.ip, address->ip, SW_IP_BYTES) == 0) *last = (uint8_t)(*last + 1);
  return chosen;
}

static void set_addresses(struct reader *reader) {
  struct sw_config *ours = &reader->ends->ours;
  for (size_t i = 0; i < ours->address_count; i++) {
    struct sw_prefix *address = &ours->addresses[i];
    const struct sw_prefix network = network_of(ours, address);
    struct sw_prefix other;
    char text[SW_PREFIX_TEXT];
    struct sw_error error = {""};
    const bool found = find_address(ours, address, &network, &other);
    if (!found) other = choose_address(address, &network);
    address->length = SINGLE; /* AllowedIPs has what is behind the link */
    if (sw_value_address(&reader->ends->theirs, sw_prefix_text(&other, text), &error) != 0)
      continue; /* two of our addresses, one of the peer */
    if (!found)
      sw_remark(reader->complaints, 0,
                "the other machine's address in the link is not in this file; it gets %s", text);
  }
}

/* Each link listens on a port of its own. */
static void set_port(struct reader *reader) {
  struct sw_config *ours = &reader->ends->ours;
  if (reader->wanted < 2 || ours->listen_port == 0) return;
  const unsigned port = ours->listen_port + reader->wanted - 1;
  if (port > UINT16_MAX) {
    complain(reader, "ListenPort: no port is left for peer %u", reader->wanted);
    return;
  }
  ours->listen_port = (uint16_t)port;
  sw_remark(reader->complaints, 0, "each link has a port of its own; this one listens on %u", port);
}

static void check_peers(struct reader *reader) {
  if (reader->peers == 0)
    complain(reader, "there is no [Peer], so there is no link");
  else if (reader->wanted > reader->peers)
    complain(reader, "there is no peer %u; this file has %u", reader->wanted, reader->peers);
  else if (reader->peers > 1 && reader->wanted == 0)
    sw_complain(reader->complaints, reader->second,
                "a second [Peer], but a link has one peer; make a link for each of the %u, with "
                "--peer 1 --name NAME, --peer 2 --name NAME and so on",
                reader->peers);
}

void sw_wg_quick_read(char *text, const char *interface, unsigned peer, struct sw_ends *ends,
                      struct sw_complaints *complaints) {
  struct reader reader = {
      .ends = ends, .complaints = complaints, .interface = interface, .wanted = peer};
  for (char *rest = sw_lines_start(text); *rest != '\0';) {
    char *line = sw_lines_next(&rest);
    reader.line++;
    read_line(&reader, line);
  }
  check_peers(&reader);
  set_addresses(&reader);
  set_port(&reader);
  ends->theirs.persistent_keepalive = ends->ours.persistent_keepalive;
}

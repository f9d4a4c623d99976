#include "config/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/lines.h"
#include "config/regular_file.h"
#include "config/value.h"

/* Far more than every list at its limit takes. */
#define FILE_BYTES_MAX 65536

#define KEEPALIVE_DEFAULT 25 /* seconds */
#define MTU_IPV6_MIN 1280    /* RFC 8200 §5 */

/* ---- from what was typed to a file and a name ---- */

/* The kernel would take more (dev_valid_name), but the name also goes into shell commands. */
static bool is_name_byte(char byte) {
  return isalnum((unsigned char)byte) || strchr("_=+.-", byte) != NULL;
}

/* Says what keeps `name` from being the name of an interface; NULL: nothing. */
static const char *refuse_name(const char *name, char *text, size_t size) {
  static const char *const taken[] = {".", "..", "all", "default", "lo"};
  if (name[0] == '\0') return "it is empty";
  if (strlen(name) >= IFNAMSIZ) {
    snprintf(text, size, "it has %zu bytes, Linux takes at most %d", strlen(name), IFNAMSIZ - 1);
    return text;
  }
  for (const char *byte = name; *byte; byte++) {
    if (is_name_byte(*byte)) continue;
    snprintf(text, size, isgraph((unsigned char)*byte) ? "'%c' is in it" : "byte 0x%02X is in it",
             (unsigned char)*byte);
    return text;
  }
  for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
    if (strcmp(name, taken[i]) == 0) return "it means something else to Linux";
  return NULL;
}

int sw_config_locate(const char *name_or_file, struct sw_config *config, FILE *complaints) {
  static const char ending[] = ".conf";
  const char *slash = strrchr(name_or_file, '/');
  const char *stem = slash ? slash + 1 : name_or_file;
  size_t length = strlen(stem);
  const bool has_ending =
      length >= sizeof(ending) - 1 && strcmp(stem + length - (sizeof(ending) - 1), ending) == 0;
  if (has_ending) length -= sizeof(ending) - 1;

  char name[PATH_MAX], text[80];
  if (length >= sizeof(name)) length = sizeof(name) - 1;
  memcpy(name, stem, length);
  name[length] = '\0';
  const char *reason = refuse_name(name, text, sizeof(text));
  if (reason) {
    fprintf(complaints,
            "%s: \"%s\" cannot be the name of a link: %s; 1 to %d letters, digits or \"_=+.-\"\n",
            name_or_file, name, reason, IFNAMSIZ - 1);
    return -EINVAL;
  }
  const char *directory = slash || has_ending ? "" : SW_CONFIG_DIRECTORY "/";
  if (snprintf(config->file, sizeof(config->file), "%s%s%s", directory, name_or_file,
               slash || has_ending ? "" : ending) >= (int)sizeof(config->file)) {
    fprintf(complaints, "%s: the path is too long; at most %zu bytes\n", name_or_file,
            sizeof(config->file) - 1);
    return -EINVAL;
  }
  memcpy(config->name, name, length + 1);
  return 0;
}

/* ---- from a file to a configuration ---- */

struct reading {
  struct sw_config *config;
  struct sw_complaints complaints;
  struct sw_config_lines lines;
  unsigned given[SW_CONFIG_KEYS]; /* the line where each key was given first; 0: nowhere */
  bool full[SW_CONFIG_KEYS];      /* complained that there are too many */
};

static void take_value(struct reading *reading, enum sw_config_key key, const char *text) {
  struct sw_error error;
  const int result = sw_config_value_set(reading->config, key, text, &error);
  if (result == 0 || (result == -ENOSPC && reading->full[key])) return;
  if (result == -ENOSPC) reading->full[key] = true;
  sw_complain(&reading->complaints, reading->lines.line, "%s: %s", sw_config_key_kind(key)->name,
              error.text);
}

static void take_list(struct reading *reading, enum sw_config_key key, const char *value) {
  char *copy = strdup(value), *rest = copy, *entry;
  if (!copy) sw_complain(&reading->complaints, reading->lines.line, "%s", strerror(errno));
  while (rest && (entry = strsep(&rest, ",")) != NULL) {
    entry += strspn(entry, " \t");
    size_t length = strlen(entry);
    while (length > 0 && strchr(" \t", entry[length - 1])) entry[--length] = '\0';
    if (length > 0)
      take_value(reading, key, entry);
    else
      sw_complain(&reading->complaints, reading->lines.line,
                  "%s: nothing before or after a comma; remove the comma",
                  sw_config_key_kind(key)->name);
  }
  free(copy);
}

static void complain_unknown(struct reading *reading, enum sw_config_section section,
                             const char *name) {
  char keys[128];
  if (section == SW_CONFIG_SECTION_NONE)
    sw_complain(&reading->complaints, reading->lines.line,
                "unknown key \"%s\"; a key stands below [Interface] or [Peer]", name);
  else
    sw_complain(&reading->complaints, reading->lines.line, "unknown key \"%s\"; [%s] has %s", name,
                sw_config_section_name(section), sw_config_key_list(section, keys, sizeof(keys)));
}

/* After a complaint about the name or the place of a key whose meaning is plain, its value is taken
 * all the same: it may hold another mistake, and the key is not missing. */
static void take(void *taker, enum sw_config_section section, const char *name, const char *value) {
  struct reading *reading = taker;
  struct sw_complaints *complaints = &reading->complaints;
  const unsigned line = reading->lines.line;
  const char *instead = sw_config_key_instead(name);
  if (instead) {
    sw_complain(complaints, line, "%s is not a key of saltway's: %s", name, instead);
    return;
  }
  bool exact;
  const enum sw_config_key key = sw_config_key_find(name, &exact);
  if (key == SW_CONFIG_KEY_NONE) {
    complain_unknown(reading, section, name);
    return;
  }
  const struct sw_config_key_kind *kind = sw_config_key_kind(key);
  if (!exact)
    sw_complain(complaints, line, "unknown key \"%s\"; did you mean \"%s\"?", name, kind->name);
  if (kind->section != section)
    sw_complain(complaints, line, "%s does not belong %s%s%s; put it below [%s]", kind->name,
                section ? "to [" : "before the first section", sw_config_section_name(section),
                section ? "]" : "", sw_config_section_name(kind->section));
  const unsigned first = reading->given[key];
  if (first == 0) reading->given[key] = line;
  if (!value) return;
  if (value[0] == '\0')
    sw_complain(complaints, line, "%s has no value; write %s = VALUE", kind->name, kind->name);
  else if (kind->form == SW_CONFIG_FORM_LIST)
    take_list(reading, key, value);
  else if (kind->form == SW_CONFIG_FORM_SINGLE && first != 0)
    sw_complain(complaints, line, "%s is given twice (first in line %u); remove one", kind->name,
                first);
  else
    take_value(reading, key, value);
}

static void check_sections(struct reading *reading) {
  const unsigned last = reading->lines.line;
  const unsigned *lines = reading->lines.section_lines, *given = reading->given;
  if (lines[SW_CONFIG_SECTION_INTERFACE] == 0)
    sw_complain(&reading->complaints, 1, "there is no [Interface]; begin with this line");
  const unsigned peer = lines[SW_CONFIG_SECTION_PEER];
  if (peer == 0) {
    sw_complain(&reading->complaints, last,
                "there is no [Peer]; add it, with PresharedKeyFile and AllowedIPs");
    return;
  }
  if (given[SW_CONFIG_KEY_KEY_FILE] == 0)
    sw_complain(&reading->complaints, peer,
                "[Peer] has no PresharedKeyFile; add PresharedKeyFile = FILE");
  if (given[SW_CONFIG_KEY_ALLOWED_IPS] == 0)
    sw_complain(&reading->complaints, peer,
                "[Peer] has no AllowedIPs; add the networks behind it, like AllowedIPs = "
                "10.2.0.0/16");
  if (given[SW_CONFIG_KEY_ENDPOINT] == 0 && given[SW_CONFIG_KEY_LISTEN_PORT] == 0)
    sw_complain(&reading->complaints, peer,
                "neither Endpoint nor ListenPort is given, so that the two ends cannot meet; add "
                "Endpoint = HOST:PORT to find the peer, or ListenPort = PORT to be found");
}

static const struct sw_prefix *first_v6(const struct sw_prefix *prefixes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!sw_ip_is_v4(prefixes[i].ip)) return &prefixes[i];
  return NULL;
}

static void check_mtu(struct reading *reading) {
  const struct sw_config *config = reading->config;
  if (config->mtu == 0 || config->mtu >= MTU_IPV6_MIN) return;
  const struct sw_prefix *v6 = first_v6(config->addresses, config->address_count);
  if (!v6) v6 = first_v6(config->allowed_ips, config->allowed_ip_count);
  if (!v6) return;
  char text[SW_PREFIX_TEXT];
  sw_complain(&reading->complaints, reading->given[SW_CONFIG_KEY_MTU],
              "MTU: %u is too small for IPv6 (%s); at least %d, or no IPv6 on this link",
              config->mtu, sw_prefix_text(v6, text), MTU_IPV6_MIN);
}

/* Who can write the file can have commands run by who starts the link. */
static void check_hooks(struct reading *reading, const struct stat *status) {
  const mode_t mode = status->st_mode;
  const bool writable = (mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool foreign = status->st_uid != 0 && status->st_uid != geteuid();
  if (!writable && !foreign) return;
  const unsigned up = reading->given[SW_CONFIG_KEY_POST_UP];
  const unsigned down = reading->given[SW_CONFIG_KEY_PRE_DOWN];
  if (up == 0 && down == 0) return;
  const bool up_first = up != 0 && (down == 0 || up < down);
  const char *key = up_first ? "PostUp" : "PreDown";
  if (writable)
    sw_complain(&reading->complaints, up_first ? up : down,
                "%s is run as root, but others can write this file (mode %04o); chmod go-w %s", key,
                mode & 07777U, reading->config->file);
  else
    sw_complain(&reading->complaints, up_first ? up : down,
                "%s is run by who starts the link, but this file is user %u's; chown %u %s", key,
                status->st_uid, geteuid(), reading->config->file);
}

static void parse(struct reading *reading, const char *text, size_t length,
                  const struct stat *status) {
  if (length == 0) {
    sw_complain(&reading->complaints, 1,
                "the file is empty; a link needs [Interface] and [Peer] with PresharedKeyFile and "
                "AllowedIPs");
    return;
  }
  if (length > FILE_BYTES_MAX) {
    sw_complain(&reading->complaints, 0, "longer than %d bytes; is this the right file?",
                FILE_BYTES_MAX);
    return;
  }
  reading->lines.next = text;
  reading->lines.end = text + length;
  sw_config_lines_read(&reading->lines);
  if (reading->lines.binary) return;
  check_sections(reading);
  check_mtu(reading);
  check_hooks(reading, status);
}

static void read_file(struct reading *reading) {
  struct sw_complaints *complaints = &reading->complaints;
  struct stat status;
  const char *kind;
  const int descriptor = sw_regular_file_open(complaints->file, &status, &kind);
  if (descriptor < 0) {
    if (kind)
      sw_complain(complaints, 0, "this is %s; a configuration is a file", kind);
    else
      sw_complain(complaints, 0,
                  "cannot open: %s; give NAME for " SW_CONFIG_DIRECTORY
                  "/NAME.conf, or the path of a file you may read",
                  strerror(-descriptor));
    return;
  }
  char *text = malloc(FILE_BYTES_MAX + 1);
  const ssize_t length =
      text ? sw_regular_file_read(descriptor, text, FILE_BYTES_MAX + 1) : -ENOMEM;
  if (length < 0)
    sw_complain(complaints, 0, "cannot read: %s", strerror((int)-length));
  else
    parse(reading, text, (size_t)length, &status);
  free(text);
  close(descriptor);
}

/* The name and the file are kept. */
static void clear(struct sw_config *config) {
  struct sw_config empty = {
      .persistent_keepalive = KEEPALIVE_DEFAULT, .offload = true, .sandbox = true};
  memcpy(empty.name, config->name, sizeof(empty.name));
  memcpy(empty.file, config->file, sizeof(empty.file));
  *config = empty;
}

int sw_config_load(struct sw_config *config, FILE *complaints) {
  struct reading reading = {
      .config = config,
      .complaints = {.out = complaints, .file = config->file},
      .lines = {.take = take, .taker = &reading, .complaints = &reading.complaints},
  };
  clear(config);
  read_file(&reading);
  if (reading.complaints.count > 0) clear(config);
  return reading.complaints.count;
}

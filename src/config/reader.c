#include "config/reader.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "config/lines.h"

#define SHOWN_MAX 64 /* bytes of a value that a complaint repeats */

#define complain(reader, ...) sw_complain(&(reader)->complaints, (reader)->line, __VA_ARGS__)

/* ---- sections ---- */

/* `text` starts with '['.  Returns the section that it is, or was probably meant to be. */
static enum sw_config_section read_header(struct sw_config_reader *reader, char *text) {
  static const char known[] = "there are [Interface] and [Peer]";
  char *bracket = strchr(text, ']');
  if (bracket) *bracket = '\0';
  const char *name = sw_line_trim_comment(text + 1);
  const char *behind = bracket ? sw_line_trim_comment(bracket + 1) : "";
  const bool is_name = sw_line_is_name(name);
  const enum sw_config_section section =
      is_name ? sw_config_section_find(name) : SW_CONFIG_SECTION_NONE;
  if (!bracket)
    complain(reader, "\"[\" without \"]\"; %s", known);
  else if (section == SW_CONFIG_SECTION_NONE && is_name)
    complain(reader, "unknown section [%s]; %s", name, known);
  else if (section == SW_CONFIG_SECTION_NONE)
    complain(reader, "unknown section; %s", known);
  else if (strcasecmp(name, sw_config_section_name(section)) != 0)
    complain(reader, "unknown section [%s]; did you mean [%s]?", name,
             sw_config_section_name(section));
  else if (behind[0] != '\0')
    complain(reader, "text follows [%s]; write it on a line of its own", name);
  return section;
}

static void enter_section(struct sw_config_reader *reader, char *text) {
  const enum sw_config_section section = read_header(reader, text);
  reader->section = section;
  reader->skipping = section == SW_CONFIG_SECTION_NONE;
  if (section == SW_CONFIG_SECTION_NONE) return;
  const unsigned first = reader->section_lines[section];
  if (first == 0) {
    reader->section_lines[section] = reader->line;
  } else if (section == SW_CONFIG_SECTION_PEER) {
    complain(reader,
             "a second [Peer] (the first is in line %u), but a link has one peer; write a file for "
             "each further site",
             first);
    reader->skipping = true;
  } else {
    complain(reader, "a second [%s] (the first is in line %u); keep all in one",
             sw_config_section_name(section), first);
  }
}

/* ---- values ---- */

/* Returns how many bytes of `text` a complaint shows: no part of a character. */
static int shown_length(const char *text) {
  size_t length = strnlen(text, SHOWN_MAX);
  while (((unsigned char)text[length] & 0xc0) == 0x80) length--;
  return (int)length;
}

/* Says after a complaint what cannot be seen in it: a space of another kind, from a web page or a chat. */
static const char *odd_byte(const char *text, char words[64]) {
  words[0] = '\0';
  while (*text != '\0' && (unsigned char)*text < 0x80) text++;
  if (*text != '\0') snprintf(words, 64, " (byte 0x%02X in it is not ASCII)", (unsigned char)*text);
  return words;
}

static void set_value(struct sw_config_reader *reader, enum sw_config_key key, const char *text) {
  char words[64];
  const struct sw_config_row *row = sw_config_row(key);
  struct sw_error error = {""};
  const int failed = row->set(reader->config, text, &error);
  if (!failed || (failed == -ENOSPC && reader->full[key])) return;
  reader->full[key] = failed == -ENOSPC;
  sw_complaints_note(&reader->complaints, failed);
  const int shown = shown_length(text);
  if (*error.text)
    complain(reader, "%s: %s", row->name, error.text);
  else
    complain(reader, "%s: \"%.*s%s\" is not %s%s", row->name, shown, text, text[shown] ? "..." : "",
             row->expects, odd_byte(text, words));
}

static void set_list(struct sw_config_reader *reader, enum sw_config_key key, char *value) {
  for (char *rest = value, *entry; (entry = strsep(&rest, ",")) != NULL;) {
    entry = sw_line_trim(entry);
    const char *name = sw_config_row(key)->name;
    const int shown = shown_length(entry);
    if (entry[0] == '\0')
      complain(reader, "%s: nothing before or after a comma; remove the comma", name);
    else if (entry[strcspn(entry, " \t;")] != '\0')
      complain(reader, "%s: \"%.*s%s\" has a blank or \";\" in it; commas separate values", name,
               shown, entry, entry[shown] ? "..." : "");
    else
      set_value(reader, key, entry);
  }
}

/* ---- keys ---- */

static void complain_unknown(struct sw_config_reader *reader, const char *name) {
  char keys[256];
  if (reader->section == SW_CONFIG_SECTION_NONE)
    complain(reader, "unknown key \"%s\"; keys belong below [Interface] or [Peer]", name);
  else
    complain(reader, "unknown key \"%s\"; [%s] has %s", name,
             sw_config_section_name(reader->section),
             sw_config_key_list(reader->section, keys, sizeof(keys)));
}

/* Returns the key that is meant by `name`, which may be misspelt or in the wrong section: its value
 * is read all the same, as it may hold another mistake, and the key is not missing. */
static enum sw_config_key find_key(struct sw_config_reader *reader, const char *name) {
  const char *instead = sw_config_key_instead(name);
  if (instead) {
    complain(reader, "%s is not a key of saltway's: %s", name, instead);
    return SW_CONFIG_KEY_NONE;
  }
  const enum sw_config_key key = sw_config_key_find(name);
  if (key == SW_CONFIG_KEY_NONE) {
    complain_unknown(reader, name);
    return key;
  }
  const struct sw_config_row *row = sw_config_row(key);
  if (strcasecmp(name, row->name) != 0)
    complain(reader, "unknown key \"%s\"; did you mean \"%s\"?", name, row->name);
  if (row->section == reader->section) return key;
  if (reader->section == SW_CONFIG_SECTION_NONE)
    complain(reader, "%s does not belong before the first section; put it below [%s]", row->name,
             sw_config_section_name(row->section));
  else
    complain(reader, "%s does not belong to [%s]; put it below [%s]", row->name,
             sw_config_section_name(reader->section), sw_config_section_name(row->section));
  return key;
}

static void read_value(struct sw_config_reader *reader, enum sw_config_key key, char *value) {
  const struct sw_config_row *row = sw_config_row(key);
  const unsigned first = reader->key_lines[key];
  /* the shell knows its own comments */
  value = row->form == SW_CONFIG_FORM_COMMAND ? sw_line_trim(value) : sw_line_trim_comment(value);
  const size_t length = strlen(value);
  if (length == 0)
    complain(reader, "%s has no value; write %s = VALUE", row->name, row->name);
  else if (value[length - 1] == '\\')
    complain(reader, "%s ends in \"\\\", but no line continues in the next one; %s", row->name,
             row->form == SW_CONFIG_FORM_LIST ? "repeat the key for more values"
                                              : "write all of it on this line");
  else if (row->form == SW_CONFIG_FORM_LIST)
    set_list(reader, key, value);
  else if (row->form == SW_CONFIG_FORM_ONCE && first != reader->line)
    complain(reader, "%s is given twice (first in line %u); remove one", row->name, first);
  else
    set_value(reader, key, value);
}

/* ---- lines ---- */

static void read_key(struct sw_config_reader *reader, char *text, bool too_long) {
  char *equals = strchr(text, '=');
  if (!equals) {
    complain(reader, "a line without \"=\"; write KEY = VALUE");
    return;
  }
  *equals = '\0';
  const char *name = sw_line_trim(text);
  if (!sw_line_is_name(name)) {
    /* not shown: it may be a secret */
    char words[64];
    complain(reader, "the text before \"=\" is not the name of a key; write KEY = VALUE%s",
             odd_byte(name, words));
    return;
  }
  const enum sw_config_key key = find_key(reader, name);
  if (key == SW_CONFIG_KEY_NONE) return;
  if (reader->key_lines[key] == 0) reader->key_lines[key] = reader->line;
  if (!too_long) read_value(reader, key, equals + 1);
}

static void read_line(struct sw_config_reader *reader, char *line) {
  const size_t length = strlen(line);
  const bool too_long = length > SW_CONFIG_LINE_MAX;
  struct sw_error error;
  if (sw_line_check(line, &error) != 0) {
    complain(reader, "%s", error.text);
    return;
  }
  if (too_long)
    complain(reader,
             "line too long: %zu bytes, at most %d are read; repeat the key for more values of a "
             "list, put a long command into a script",
             length, SW_CONFIG_LINE_MAX);
  char *text = sw_line_trim(line);
  if (text[0] == '\0' || text[0] == '#' || text[0] == ';') return;
  if (text[0] == '[')
    enter_section(reader, text);
  else if (!reader->skipping)
    read_key(reader, text, too_long);
}

void sw_config_reader_run(struct sw_config_reader *reader, char *text) {
  for (char *rest = sw_lines_start(text); *rest != '\0';) {
    char *line = sw_lines_next(&rest);
    reader->line++;
    read_line(reader, line);
  }
}

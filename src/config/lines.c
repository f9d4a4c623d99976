#include "config/lines.h"

#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

/* Longest "KEY=VALUE"; inih's buffer may be shorter (200 in Debian's build). */
#define LINE_MAX_BYTES 512

/* inih takes a ';' (or what else it was built with) after a blank for a comment.  A value that has
 * no blanks has no comments: these bytes, which no line may hold, travel in their place. */
#define SPACE_STAND_IN '\x1e'
#define TAB_STAND_IN '\x1f'

struct span {
  const char *start;
  size_t length;
};

void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs(complaints->file, complaints->out);
  if (line > 0) fprintf(complaints->out, ":%u", line);
  fputs(": ", complaints->out);
  vfprintf(complaints->out, format, arguments);
  fputc('\n', complaints->out);
  va_end(arguments);
  complaints->count++;
}

static bool is_blank(char byte) {
  return byte == ' ' || byte == '\t';
}

static struct span trim(struct span span) {
  while (span.length > 0 && is_blank(span.start[0])) span.start++, span.length--;
  while (span.length > 0 && is_blank(span.start[span.length - 1])) span.length--;
  return span;
}

/* The length of the UTF-8 sequence at the start of `span` (RFC 3629 §4), 0 if it is none. */
static size_t utf8_length(struct span span) {
  const unsigned char lead = (unsigned char)span.start[0];
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (span.length < length) return 0;
  for (size_t i = 1; i < length; i++)
    if (((unsigned char)span.start[i] & 0xc0) != 0x80) return 0;
  const unsigned char second = (unsigned char)span.start[1];
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool no_character = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || no_character ? 0 : length;
}

static bool is_text(struct sw_config_lines *lines, struct span span) {
  if (memchr(span.start, '\0', span.length)) {
    sw_complain(lines->complaints, lines->line,
                "a NUL byte, so this is not a text file; save it as UTF-8");
    lines->binary = true;
    return false;
  }
  for (size_t i = 0, length; i < span.length; i += length) {
    const unsigned char byte = (unsigned char)span.start[i];
    length = utf8_length((struct span){span.start + i, span.length - i});
    if (length == 0 || (iscntrl(byte) && byte != '\t')) {
      sw_complain(lines->complaints, lines->line, "byte 0x%02X in column %zu is %s", byte, i + 1,
                  length == 0 ? "not UTF-8; save the file as UTF-8"
                              : "a control character; remove it");
      return false;
    }
  }
  return true;
}

static struct span next_line(struct sw_config_lines *lines) {
  const size_t left = (size_t)(lines->end - lines->next);
  const char *newline = memchr(lines->next, '\n', left);
  struct span span = {lines->next, newline ? (size_t)(newline - lines->next) : left};
  lines->next += span.length + (newline ? 1 : 0);
  lines->line++;
  if (span.length > 0 && span.start[span.length - 1] == '\r') span.length--;
  return span;
}

/* A comment starts with '#' at the start or after a blank. */
static struct span without_comment(struct span span) {
  for (size_t i = 0; i < span.length; i++)
    if (span.start[i] == '#' && (i == 0 || is_blank(span.start[i - 1]))) span.length = i;
  return trim(span);
}

/* A copy of a section's or key's name, if letters and digits are all there is in it. */
static bool copy_name(struct span span, char name[SW_CONFIG_NAME_MAX + 1]) {
  if (span.length == 0 || span.length > SW_CONFIG_NAME_MAX) return false;
  for (size_t i = 0; i < span.length; i++)
    if (!isalnum((unsigned char)span.start[i])) return false;
  memcpy(name, span.start, span.length);
  name[span.length] = '\0';
  return true;
}

/* `span` starts with '['. */
static void enter_section(struct sw_config_lines *lines, struct span span) {
  static const char known[] = "there are [Interface] and [Peer]";
  const char *bracket = memchr(span.start, ']', span.length);
  struct span inside = {span.start + 1, span.length - 1}, behind = {span.start, 0};
  if (bracket) {
    inside.length = (size_t)(bracket - inside.start);
    behind = (struct span){bracket + 1, span.length - inside.length - 2};
  }
  char name[SW_CONFIG_NAME_MAX + 1];
  bool exact = false;
  enum sw_config_section section = SW_CONFIG_SECTION_NONE;
  const bool named = copy_name(without_comment(inside), name);
  if (named) section = sw_config_section_find(name, &exact);

  if (!bracket)
    sw_complain(lines->complaints, lines->line, "\"[\" without \"]\"; %s", known);
  else if (section == SW_CONFIG_SECTION_NONE)
    sw_complain(lines->complaints, lines->line, "unknown section%s%s%s; %s", named ? " [" : "",
                named ? name : "", named ? "]" : "", known);
  else if (!exact)
    sw_complain(lines->complaints, lines->line, "unknown section [%s]; did you mean [%s]?", name,
                sw_config_section_name(section));
  else if (without_comment(behind).length > 0)
    sw_complain(lines->complaints, lines->line,
                "something follows [%s]; write it on a line of its own", name);

  lines->section = section;
  lines->skipping = section == SW_CONFIG_SECTION_NONE;
  if (section == SW_CONFIG_SECTION_NONE) return;
  if (lines->section_lines[section] == 0) {
    lines->section_lines[section] = lines->line;
  } else if (section == SW_CONFIG_SECTION_PEER) {
    sw_complain(lines->complaints, lines->line,
                "a second [Peer] (the first is in line %u), but a link has one peer; a further "
                "site has a further file",
                lines->section_lines[section]);
    lines->skipping = true;
  } else {
    sw_complain(lines->complaints, lines->line,
                "a second [%s] (the first is in line %u); keep all in one",
                sw_config_section_name(section), lines->section_lines[section]);
  }
}

static struct span value_of(const char *name, struct span span) {
  bool exact;
  const enum sw_config_key key = sw_config_key_find(name, &exact);
  const bool command =
      key != SW_CONFIG_KEY_NONE && sw_config_key_kind(key)->form == SW_CONFIG_FORM_COMMAND;
  return command ? trim(span) : without_comment(span); /* the shell knows its own comments */
}

/* Writes "KEY=VALUE\n" to `out`, and returns true, if the line is so and fits. */
static bool write_key_line(struct sw_config_lines *lines, struct span span, char *out,
                           size_t size) {
  const char *equals = memchr(span.start, '=', span.length);
  if (!equals) {
    sw_complain(lines->complaints, lines->line, "a line without \"=\"; write KEY = VALUE");
    return false;
  }
  char name[SW_CONFIG_NAME_MAX + 1];
  const struct span before = trim((struct span){span.start, (size_t)(equals - span.start)});
  if (!copy_name(before, name)) {
    /* not quoted: it may be a key that was meant to be elsewhere */
    sw_complain(lines->complaints, lines->line,
                "what stands before \"=\" is not the name of a key; write KEY = VALUE");
    return false;
  }
  struct span value = {equals + 1, (size_t)(span.start + span.length - equals) - 1};
  value = value_of(name, value);
  const size_t longest = (size < LINE_MAX_BYTES ? size : LINE_MAX_BYTES) - sizeof("=\n");
  if (before.length + value.length > longest) {
    sw_complain(lines->complaints, lines->line,
                "line too long: %s and its value have %zu bytes, %zu are read; a list may go on in "
                "a further %s line, a long command may be a script",
                name, before.length + value.length, longest, name);
    lines->take(lines->taker, lines->section, name, NULL);
    return false;
  }
  char *byte = stpcpy(out, name);
  *byte++ = '=';
  for (size_t i = 0; i < value.length; i++) {
    const char from = value.start[i];
    *byte++ = from == ' ' ? SPACE_STAND_IN : from == '\t' ? TAB_STAND_IN : from;
  }
  stpcpy(byte, "\n");
  return true;
}

/* inih's reader: the next line that is worth its while. */
static char *read_line(char *out, int size, void *stream) {
  struct sw_config_lines *lines = stream;
  while (lines->next < lines->end && !lines->binary) {
    struct span span = next_line(lines);
    if (!is_text(lines, span)) continue;
    span = trim(span);
    if (span.length == 0 || span.start[0] == '#' || span.start[0] == ';') continue;
    if (span.start[0] == '[') {
      enter_section(lines, span);
    } else if (!lines->skipping && write_key_line(lines, span, out, (size_t)size)) {
      return out;
    }
  }
  return NULL;
}

/* inih's handler, called before the next line is read. */
static int handle(void *user, const char *section, const char *name, const char *value) {
  (void)section; /* ours has passed headers that inih has not seen */
  struct sw_config_lines *lines = user;
  char copy[LINE_MAX_BYTES];
  size_t i = 0;
  for (; value[i] != '\0'; i++)
    copy[i] = value[i] == SPACE_STAND_IN ? ' ' : value[i] == TAB_STAND_IN ? '\t' : value[i];
  copy[i] = '\0';
  lines->take(lines->taker, lines->section, name, copy);
  return 1;
}

void sw_config_lines_read(struct sw_config_lines *lines) {
  static const char byte_order_mark[] = "\xef\xbb\xbf"; /* Windows' editors put it in front */
  const size_t length = sizeof(byte_order_mark) - 1;
  if ((size_t)(lines->end - lines->next) >= length &&
      memcmp(lines->next, byte_order_mark, length) == 0)
    lines->next += length;
  if (ini_parse_stream(read_line, lines, handle, lines) != 0)
    sw_complain(lines->complaints, lines->line, "the inih library cannot read on; out of memory?");
}

#include "config/lines.h"

#include <ctype.h>
#include <string.h>

#define BLANKS " \t"
#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* editors of Windows write it before the first line */

char *sw_lines_start(char *text) {
  const size_t mark = strlen(BYTE_ORDER_MARK);
  return strncmp(text, BYTE_ORDER_MARK, mark) == 0 ? text + mark : text;
}

char *sw_lines_next(char **rest) {
  char *line = *rest, *end = strchrnul(line, '\n');
  *rest = *end ? end + 1 : end;
  if (end > line && end[-1] == '\r') end--;
  *end = '\0';
  return line;
}

/* Returns the length of the UTF-8 sequence that `bytes` starts with (RFC 3629 §4), or 0 if there is
 * none.  The zero byte at the end of the text is in no sequence. */
static size_t utf8_length(const unsigned char *bytes) {
  const unsigned char lead = bytes[0], second = bytes[1];
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (size_t i = 1; i < length; i++)
    if ((bytes[i] & 0xc0) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool surrogate = lead == 0xed && second > 0x9f;
  const bool too_large = lead == 0xf4 && second > 0x8f;
  return overlong || surrogate || too_large ? 0 : length;
}

int sw_line_check(const char *line, struct sw_error *error) {
  const unsigned char *bytes = (const unsigned char *)line;
  for (size_t i = 0, length; bytes[i] != '\0'; i += length) {
    length = utf8_length(bytes + i);
    if (length > 0 && (!iscntrl(bytes[i]) || bytes[i] == '\t')) continue;
    return sw_error_set(error, 0, NULL, "byte 0x%02X in column %zu is %s", bytes[i], i + 1,
                        length == 0 ? "not UTF-8; save the file as UTF-8"
                                    : "a control character; remove it");
  }
  return 0;
}

char *sw_line_trim(char *text) {
  text += strspn(text, BLANKS);
  char *end = text + strlen(text);
  while (end > text && strchr(BLANKS, end[-1])) end--;
  *end = '\0';
  return text;
}

char *sw_line_trim_comment(char *text) {
  char *hash = strchr(text, '#');
  while (hash && hash > text && !strchr(BLANKS, hash[-1])) hash = strchr(hash + 1, '#');
  if (hash) *hash = '\0';
  return sw_line_trim(text);
}

bool sw_line_is_name(const char *text) {
  const char *byte = text;
  while (isalnum((unsigned char)*byte)) byte++;
  return byte > text && byte <= text + SW_LINE_NAME_MAX && *byte == '\0';
}

/*
 * The lines of a configuration file's text: where each one ends, and which bytes may be in it.
 *
 * A line ends with LF or CRLF; the last one may end with the text.  It is UTF-8 (RFC 3629) without
 * control characters other than tabs.  Spaces and tabs at its start and its end do not count.  No
 * line continues another.
 *
 * All functions work in place, on text that the caller owns.
 */
#ifndef SALTWAY_CONFIG_LINES_H
#define SALTWAY_CONFIG_LINES_H

#include <stdbool.h>

#include "base/error.h"

/** Returns where the first line of `text` starts: behind a byte order mark, if there is one. */
char *sw_lines_start(char *text);

/** Cuts the next line off the text at `*rest`, which is not empty, and moves `*rest` behind it.
 * Returns the line without its end. */
char *sw_lines_next(char **rest);

/** Whether there are only permitted bytes in a line.  Returns 0, or -EINVAL with `error` filled. */
int sw_line_check(const char *line, struct sw_error *error);

/** Cuts off the blanks at the end of `text`, and returns where it starts behind those in front. */
char *sw_line_trim(char *text);

/** Cuts off a comment, which begins with a '#' at the start or after a blank, and trims the rest,
 * as sw_line_trim does. */
char *sw_line_trim_comment(char *text);

/** The longest name of a section or key that is looked at.  A key, which is longer, is never taken
 * for a name and repeated in an error. */
#define SW_LINE_NAME_MAX 24

/** Whether `text` is 1 to SW_LINE_NAME_MAX letters and digits. */
bool sw_line_is_name(const char *text);

#endif

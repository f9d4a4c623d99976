#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sw_error_set(struct sw_error *error, int code, const char *fix, const char *format, ...) {
  char end[SW_ERROR_TEXT / 2];
  snprintf(end, sizeof(end), "%s%s%s%s%s", code ? ": " : "", code ? strerror(code) : "",
           fix ? " (" : "", fix ? fix : "", fix ? ")" : "");
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof(error->text) - strlen(end), format, arguments);
  va_end(arguments);
  strcat(error->text, end);
  return code ? -code : -EINVAL;
}

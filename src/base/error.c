#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sw_error_set(struct sw_error *error, int code, const char *fix, const char *format, ...) {
  char what[SW_ERROR_TEXT / 2];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(what, sizeof(what), format, arguments);
  va_end(arguments);
  snprintf(error->text, sizeof(error->text), "%s%s%s%s%s%s", what, code ? ": " : "",
           code ? strerror(code) : "", fix ? " (" : "", fix ? fix : "", fix ? ")" : "");
  return code ? -code : -EINVAL;
}

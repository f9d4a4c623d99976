#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *link_name;

void sw_log_name(const char *name) {
  link_name = name;
}

void sw_log(enum sw_log_level level, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  if (getenv("JOURNAL_STREAM"))
    fprintf(stderr, "<%d>%s\n", (int)level, line);
  else
    fprintf(stderr, "%s%s%s\n", link_name ? link_name : "saltway", ": ", line);
}

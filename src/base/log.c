#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *link_name;
static bool journal;

/* Whether standard error is the journal (systemd.exec(5)) and not a file or terminal that a service
 * opened. */
static bool is_journal(void) {
  const char *stream = getenv("JOURNAL_STREAM");
  struct stat status;
  char own[64];
  if (!stream || fstat(STDERR_FILENO, &status) < 0) return false;
  snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
  return strcmp(own, stream) == 0;
}

void sw_log_start(const char *name) {
  link_name = name;
  journal = is_journal();
}

void sw_log(enum sw_log_level level, const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof(line), format, arguments);
  va_end(arguments);
  if (journal)
    fprintf(stderr, "<%d>%s\n", (int)level, line);
  else
    fprintf(stderr, "%s: %s\n", link_name ? link_name : "saltway", line);
}

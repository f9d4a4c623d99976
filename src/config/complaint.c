#include "config/complaint.h"

#include <errno.h>
#include <stdarg.h>

void sw_complaints_note(struct sw_complaints *complaints, int failed) {
  if (failed == -ENOMEM || failed == -EMFILE || failed == -ENFILE) complaints->shortage = failed;
}

static void write_line(const struct sw_complaints *complaints, unsigned line, const char *format,
                       va_list arguments) {
  fputs(complaints->file, complaints->out);
  if (line > 0) fprintf(complaints->out, ":%u", line);
  fputs(": ", complaints->out);
  vfprintf(complaints->out, format, arguments);
  fputc('\n', complaints->out);
}

void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(complaints, line, format, arguments);
  va_end(arguments);
  complaints->count++;
}

void sw_remark(const struct sw_complaints *complaints, unsigned line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(complaints, line, format, arguments);
  va_end(arguments);
}

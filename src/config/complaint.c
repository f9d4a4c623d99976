#include "config/complaint.h"

#include <errno.h>
#include <stdarg.h>

void sw_complaints_note(struct sw_complaints *complaints, int failed) {
  if (failed == -ENOMEM || failed == -EMFILE || failed == -ENFILE) complaints->shortage = failed;
}

static void write_line(FILE *out, const char *file, unsigned line, const char *format,
                       va_list arguments) {
  fputs(file, out);
  if (line > 0) fprintf(out, ":%u", line);
  fputs(": ", out);
  vfprintf(out, format, arguments);
  fputc('\n', out);
}

void sw_complain(struct sw_complaints *complaints, unsigned line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(complaints->out, complaints->file, line, format, arguments);
  va_end(arguments);
  complaints->count++;
}

void sw_remark(const struct sw_complaints *complaints, unsigned line, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  write_line(complaints->remarks ? complaints->remarks : complaints->out, complaints->file, line,
             format, arguments);
  va_end(arguments);
}

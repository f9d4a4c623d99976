#include "cli/status_frame.h"

#include <math.h>
#include <string.h>

#include "cli/status_text.h"
#include "cli/units.h"

#define LABEL 26 /* columns in front of a sparkline */
#define STEPS 8

void sw_history_add(struct sw_history *history, const json_t *link) {
  static const char *const keys[] = {"rate_in", "rate_out", "rtt_ms"};
  if (history->count == SW_HISTORY) {
    history->count--;
    for (unsigned i = 0; i < SW_COURSES; i++)
      memmove(history->values[i], history->values[i] + 1, history->count * sizeof(double));
  }
  for (unsigned i = 0; i < SW_COURSES; i++) {
    const json_t *value = json_object_get(link, keys[i]);
    history->values[i][history->count] =
        json_is_number(value) ? json_number_value(value) : (double)NAN;
  }
  history->count++;
}

static double highest(const double *values, unsigned count) {
  double most = 0;
  for (unsigned i = 0; i < count; i++)
    if (values[i] > most) most = values[i];
  return most;
}

/* From nothing at the bottom to the highest value at the top; a gap where a value is not known. */
static void draw(FILE *out, bool utf8, const double *values, unsigned count) {
  static const char *const blocks[STEPS] = {"\u2581", "\u2582", "\u2583", "\u2584",
                                            "\u2585", "\u2586", "\u2587", "\u2588"};
  static const char *const letters[STEPS] = {"_", ".", ":", "-", "=", "+", "*", "#"};
  const double most = highest(values, count);
  for (unsigned i = 0; i < count; i++) {
    const double part = most > 0 && !isnan(values[i]) ? values[i] / most : 0;
    const unsigned step = (unsigned)(part * (STEPS - 1) + 0.5);
    fputs(isnan(values[i]) ? " " : (utf8 ? blocks : letters)[step], out);
  }
  fputc('\n', out);
}

static const char *value_text(enum sw_course course, double value, char text[SW_UNITS_TEXT]) {
  if (isnan(value)) return "-";
  if (course != SW_COURSE_ROUND_TRIP) return sw_units_rate(value, text);
  snprintf(text, SW_UNITS_TEXT, "%.3f ms", value);
  return text;
}

void sw_status_frame(FILE *out, const struct sw_canvas *canvas, const json_t *link,
                     const struct sw_history *history) {
  static const char *const labels[] = {"received", "sent", "round trip"};
  const unsigned room = canvas->width > LABEL ? canvas->width - LABEL : 0;
  const unsigned shown = history->count < room ? history->count : room;
  char text[SW_UNITS_TEXT];
  sw_status_headline(out, link, canvas->colour);
  for (enum sw_course i = 0; i < SW_COURSES && history->count; i++) {
    const double *end = history->values[i] + history->count;
    fprintf(out, "  %-10s %12s ", labels[i], value_text(i, end[-1], text));
    draw(out, canvas->utf8, end - shown, shown);
  }
}

#include "cli/units.h"

#include <stdio.h>

const char *sw_units_duration(double duration, char text[SW_UNITS_TEXT]) {
  const long long seconds = (long long)duration;
  const long long minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (seconds < 60)
    snprintf(text, SW_UNITS_TEXT, "%lld s", seconds);
  else if (minutes < 60)
    snprintf(text, SW_UNITS_TEXT, "%lld min %lld s", minutes, seconds % 60);
  else if (hours < 24)
    snprintf(text, SW_UNITS_TEXT, "%lld h %lld min", hours, minutes % 60);
  else
    snprintf(text, SW_UNITS_TEXT, "%lld d %lld h", days, hours % 24);
  return text;
}

static const char *scale(double amount, double base, const char *const units[7],
                         char text[SW_UNITS_TEXT]) {
  unsigned unit = 0;
  while (amount >= base && unit < 6) {
    amount /= base;
    unit++;
  }
  const int decimals = unit == 0 || amount >= 100 ? 0 : amount >= 10 ? 1 : 2;
  snprintf(text, SW_UNITS_TEXT, "%.*f %s", decimals, amount, units[unit]);
  return text;
}

const char *sw_units_bytes(double bytes, char text[SW_UNITS_TEXT]) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  return scale(bytes, 1024, units, text);
}

const char *sw_units_rate(double bits, char text[SW_UNITS_TEXT]) {
  static const char *const units[] = {"bit/s",  "kbit/s", "Mbit/s", "Gbit/s",
                                      "Tbit/s", "Pbit/s", "Ebit/s"};
  return scale(bits, 1000, units, text);
}

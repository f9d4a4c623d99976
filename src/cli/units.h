/*
 * Numbers for people: durations, bytes, bits per second.  Each function writes to `text` and returns
 * it.
 */
#ifndef SALTWAY_CLI_UNITS_H
#define SALTWAY_CLI_UNITS_H

#define SW_UNITS_TEXT 32

/** The two largest units of a number of seconds: "4 h 12 min". */
const char *sw_units_duration(double seconds, char text[SW_UNITS_TEXT]);

/** With three or four significant digits: "1.50 GiB". */
const char *sw_units_bytes(double bytes, char text[SW_UNITS_TEXT]);

/** Bits per second, in powers of 1000: "7.20 Gbit/s". */
const char *sw_units_rate(double bits, char text[SW_UNITS_TEXT]);

#endif

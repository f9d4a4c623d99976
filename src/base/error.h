/*
 * Errors for people.  A function that meets a failure fills one of these where it knows most about
 * it, and returns the negative errno; whoever is at the edge (a subcommand, the daemon's log)
 * prints the text once.  The text names the thing, the cause and, where there is one, the fix:
 *
 *     tun: cannot open /dev/net/tun: No such file or directory (is the tun module loaded? try:
 * modprobe tun)
 */
#ifndef SALTWAY_BASE_ERROR_H
#define SALTWAY_BASE_ERROR_H

#define SW_ERROR_TEXT 512

struct sw_error {
  char text[SW_ERROR_TEXT];
};

/** Fills `error` with "format: strerror(code) (fix)" and returns -code.  `code` is a positive
 * errno, or 0 where the format says it all (then -EINVAL is returned); `fix` may be NULL. */
int sw_error_set(struct sw_error *error, int code, const char *fix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif

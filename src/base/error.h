/*
 * Errors for people.  The function that knows most about a failure fills one of these and returns
 * a negative errno.  The outermost caller (a subcommand, the parent's log) prints the text once.  The
 * text names the thing, the cause and, where there is one, the fix:
 *
 *     tun: cannot open /dev/net/tun: No such file or directory
 *     (is the tun module loaded? try: modprobe tun)
 */
#ifndef SALTWAY_BASE_ERROR_H
#define SALTWAY_BASE_ERROR_H

#define SW_ERROR_TEXT 512

struct sw_error {
  char text[SW_ERROR_TEXT];
};

/** Fills `error` with "format: strerror(code) (fix)" and returns -code.  `code` is a positive errno,
 * or 0 if the format holds the cause (then -EINVAL is returned).  `fix` may be NULL.  A text that is
 * too long loses the end of the formatted part. */
int sw_error_set(struct sw_error *error, int code, const char *fix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif

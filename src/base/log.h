/*
 * The log: one line an event, to standard error, for a terminal or for systemd's journal
 * (sd-daemon(3) prefixes, where that is what $JOURNAL_STREAM says).  Main thread only; no secret
 * ever goes in.
 */
#ifndef SALTWAY_BASE_LOG_H
#define SALTWAY_BASE_LOG_H

enum sw_log_level { SW_LOG_ERROR = 3, SW_LOG_WARNING = 4, SW_LOG_INFO = 6 }; /* as syslog(3) */

/** Names the link in every line from now on, and looks where lines go; `name` must outlive the log.
 * Before the process is confined. */
void sw_log_start(const char *name);

void sw_log(enum sw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/*
 * The log: a line for each event on standard error, which is a terminal, a file or systemd's journal.
 * Lines for the journal begin with their level (sd-daemon(3)), all others with the link's name.  Main
 * thread only.  No secret is ever logged.
 */
#ifndef SALTWAY_BASE_LOG_H
#define SALTWAY_BASE_LOG_H

enum sw_log_level { SW_LOG_ERROR = 3, SW_LOG_WARNING = 4, SW_LOG_INFO = 6 }; /* as syslog(3) */

/** Sets the link's name, which must outlive the log, and finds out whether standard error is the
 * journal.  To be called before the process is confined. */
void sw_log_start(const char *name);

/** Logs a line.  Bytes beyond the 1,023rd are left out. */
void sw_log(enum sw_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

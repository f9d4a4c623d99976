/*
 * Tells systemd the state of the service (sd_notify(3)), for units of Type=notify.
 */
#ifndef SALTWAY_PARENT_NOTIFY_H
#define SALTWAY_PARENT_NOTIFY_H

#include <stdint.h>

/** Sends `state`, lines like "READY=1\n", to $NOTIFY_SOCKET; does nothing without one. */
void sw_notify(const char *state);

/** Sends the text as STATUS=, which `systemctl status` shows.  It is one line. */
void sw_notify_status(const char *text);

/** How often this process should send WATCHDOG=1, in milliseconds: twice in the time after which
 * systemd ends it (sd_watchdog_enabled(3)).  0: systemd does not watch it. */
uint64_t sw_notify_watchdog(void);

#endif

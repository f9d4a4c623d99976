/*
 * Tells systemd the state of the service (sd_notify(3)), for units of Type=notify.
 */
#ifndef SALTWAY_PARENT_NOTIFY_H
#define SALTWAY_PARENT_NOTIFY_H

/** Sends `state`, lines like "READY=1\n", to $NOTIFY_SOCKET; does nothing without one. */
void sw_notify(const char *state);

/** Sends the text as STATUS=, which `systemctl status` shows.  It is one line. */
void sw_notify_status(const char *text);

#endif

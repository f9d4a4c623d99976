/*
 * Tells systemd the state of the service (sd_notify(3)), for units of Type=notify.
 */
#ifndef SALTWAY_PARENT_NOTIFY_H
#define SALTWAY_PARENT_NOTIFY_H

/** Sends `state` ("READY=1", "STOPPING=1") to $NOTIFY_SOCKET; does nothing without one. */
void sw_notify(const char *state);

#endif

/*
 * The kernel's settings below /proc/sys, those that are a number.  Those below net are of the network
 * namespace of the calling thread.
 */
#ifndef SALTWAY_LINUX_SYSCTL_H
#define SALTWAY_LINUX_SYSCTL_H

/** Reads the setting of this name ("net/ipv4/ip_forward").  Returns 0 or a negative errno. */
int sw_sysctl_get(const char *name, int *value);

/** Changes it.  Returns 0 or a negative errno. */
int sw_sysctl_set(const char *name, int value);

#endif

/*
 * Network namespaces (network_namespaces(7)).  What a thread opens belongs to the namespace that the
 * thread is in at that time, and stays there.
 */
#ifndef SALTWAY_LINUX_NETNS_H
#define SALTWAY_LINUX_NETNS_H

#include "base/error.h"

/** Opens a namespace: by its name, as ip-netns(8) knows it, or by the path of a file.  Returns a
 * descriptor that the caller closes, or a negative errno with `error` filled. */
int sw_netns_open(const char *name_or_path, struct sw_error *error);

/** Moves this thread into the namespace.  Returns a descriptor for sw_netns_leave, or a negative errno
 * with `error` filled: -EPERM without CAP_SYS_ADMIN. */
int sw_netns_enter(int netns, struct sw_error *error);

/** Moves it back to where it was, and closes the descriptor. */
void sw_netns_leave(int before);

#endif

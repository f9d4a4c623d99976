/*
 * Where a running link is found: its control socket NAME.sock in the runtime directory, which is
 * $RUNTIME_DIRECTORY (systemd's name), else /run/saltway for root and $XDG_RUNTIME_DIR/saltway for
 * others.
 */
#ifndef SALTWAY_BASE_RUNTIME_H
#define SALTWAY_BASE_RUNTIME_H

#include <sys/un.h>

#include "base/error.h"

#define SW_RUNTIME_SUFFIX ".sock"
#define SW_RUNTIME_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/** Writes the directory's path.  Returns 0 or a negative errno with `error` filled. */
int sw_runtime_directory(char path[SW_RUNTIME_PATH], struct sw_error *error);

/** Writes the path of the link's control socket.  Returns as above. */
int sw_runtime_socket(const char *name, char path[SW_RUNTIME_PATH], struct sw_error *error);

/** Makes the directory (mode 0755, only its owner can add to it) if it is not there. */
int sw_runtime_make(struct sw_error *error);

/** Makes a directory in it that stays empty, and writes its path.  Returns as above. */
int sw_runtime_empty(char path[SW_RUNTIME_PATH], struct sw_error *error);

/** Connects to the link's control socket.  Returns a descriptor that the caller closes, or a
 * negative errno with `error` filled: -ENOENT or -ECONNREFUSED if
 * the link is not up, -EAGAIN if it does not answer.  No call on it takes longer than a few
 * seconds. */
int sw_runtime_connect(const char *name, struct sw_error *error);

#endif

/*
 * The runtime directory, where a running link is found: $RUNTIME_DIRECTORY (systemd's name), else
 * /run/saltway for root and $XDG_RUNTIME_DIR/saltway for others.
 *
 * Links of one name may run in several network namespaces, as their interfaces may.  So a link's
 * files are called NAME@NAMESPACE.SUFFIX, where NAMESPACE is the number of the network namespace
 * (stat -L -c %i /proc/self/ns/net); '@' is in no link's name.
 */
#ifndef SALTWAY_BASE_RUNTIME_H
#define SALTWAY_BASE_RUNTIME_H

#include <stdbool.h>
#include <sys/un.h>

#include "base/error.h"

#define SW_RUNTIME_SOCKET "sock" /* answers status and down */
#define SW_RUNTIME_LOCK "lock"   /* locked by the parent while it has the link's name */
#define SW_RUNTIME_UNDO "undo"   /* the commands that undo what its hooks did */
#define SW_RUNTIME_RULES "rules" /* the rules for its default routes */

/* the longest path of a socket, with its zero byte */
#define SW_RUNTIME_PATH sizeof(((struct sockaddr_un *)0)->sun_path)

/** Whether the directory is that of a user who is not root, and so has no links of root. */
bool sw_runtime_of_user(void);

/** Writes the directory's path.  Returns 0 or a negative errno with `error` filled. */
int sw_runtime_directory(char path[SW_RUNTIME_PATH], struct sw_error *error);

/** Writes the path of a file of the link `name` in this process's network namespace.  Returns as
 * above. */
int sw_runtime_path(const char *name, const char *suffix, char path[SW_RUNTIME_PATH],
                    struct sw_error *error);

/** Whether a file of the directory is the control socket of a link in this process's network
 * namespace.  Cuts `file` down to the link's name then. */
bool sw_runtime_is_socket(char *file);

/** Makes the directory if it does not exist (mode 0755: only its owner can add files). */
int sw_runtime_make(struct sw_error *error);

/** Opens a directory that is empty and stays empty, as the root of a process that must not have a
 * file system.  It is `empty` in the runtime directory; if that cannot be made, it is a temporary
 * one that is removed at once.  Needs root.  Returns a descriptor that the caller closes, or a
 * negative errno with `error` filled. */
int sw_runtime_empty(struct sw_error *error);

/** Connects to the link's control socket.  Returns a descriptor that the caller closes, or a
 * negative errno with `error` filled: -ENOENT or -ECONNREFUSED if the link is not up, -EAGAIN if it
 * does not answer.  No call on it takes longer than a few seconds. */
int sw_runtime_connect(const char *name, struct sw_error *error);

/** Asks the link for its status.  Returns 0 with one JSON object in `*answer`, from malloc, which the
 * caller frees, and its length; or a negative errno as above, -EAGAIN for want of an answer. */
int sw_runtime_ask_status(const char *name, char **answer, size_t *length, struct sw_error *error);

#endif

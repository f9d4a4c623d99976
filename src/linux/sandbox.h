/*
 * Confining a process that touches what strangers send: it keeps the descriptors it has, and
 * nothing else of the machine.
 *
 * In two steps, as threads are started in between: privileges first, for the process; then the
 * filter, which holds for all threads.  Neither can be taken back.
 */
#ifndef SALTWAY_LINUX_SANDBOX_H
#define SALTWAY_LINUX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* who the process becomes, if it was root: this user where there is one, else nobody */
#define SW_SANDBOX_USER "saltway"
#define SW_SANDBOX_NOBODY 65534

/** Whether this build can be confined: one with sanitizers can't, as they read files and call what
 * the filter forbids. */
bool sw_sandbox_possible(void);

/** Closes all descriptors but the standard ones and these `count`, which it sorts.  Returns 0, or a
 * negative errno with `error` filled. */
int sw_sandbox_close_others(int keep[], size_t count, struct sw_error *error);

/** Gives up: as root the file system, for `directory`, which is empty and root's (-1: keeps it), and
 * the user id; as anybody all capabilities, and ever getting any.  Nobody of the same user can
 * look into the process after it; when `parent` ends the kernel kills it; and there is no io_uring.
 * Returns 0, or a negative errno with `error` filled. */
int sw_sandbox_drop(int directory, pid_t parent, struct sw_error *error);

/** Has the kernel kill the process at any system call that carrying packets does not need
 * (seccomp(2)): no opening, no sockets, no execution, no new threads.  Returns 0, or a negative
 * errno with `error` filled. */
int sw_sandbox_filter(struct sw_error *error);

#endif

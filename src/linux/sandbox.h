/*
 * Confining a process that reads what strangers send.
 *
 * A process drops privileges first and installs its system call filter last, because it starts
 * threads in between: privileges are dropped for the process, the filter holds for every thread.
 * Neither can be undone.  The engine uses the filter that allows a list of calls; the resolver,
 * whose C library may load any name service, uses the one that denies a list.
 */
#ifndef SALTWAY_LINUX_SANDBOX_H
#define SALTWAY_LINUX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* The users that processes of root become if they exist, and the user that always exists. */
#define SW_SANDBOX_USER "saltway"
#define SW_SANDBOX_RESOLVER_USER "saltway-resolver"
#define SW_SANDBOX_NOBODY 65534

/** Whether this build can be confined.  A build with sanitizers cannot: they read files and make
 * calls that the filter forbids. */
bool sw_sandbox_possible(void);

/** Whether /etc/passwd has this user. */
bool sw_sandbox_has_user(const char *name);

/** Closes all descriptors but the standard ones and these `count`, which it sorts.  Returns 0, or a
 * negative errno with `error` filled. */
int sw_sandbox_close_others(int keep[], size_t count, struct sw_error *error);

/** Gives up all capabilities and the means to gain any, io_uring, core dumps and being traced, and
 * has the kernel kill the process when `parent` ends.  As root it also becomes the first of `users`
 * (a list that ends with NULL) that /etc/passwd has, else nobody, and changes its root to `directory`, which
 * must be empty and belong to root (-1: it keeps its root).  Returns 0, or a negative errno with
 * `error` filled. */
int sw_sandbox_drop(const char *const *users, int directory, pid_t parent, struct sw_error *error);

/** Has the kernel kill the process at any system call that carrying packets does not need
 * (seccomp(2)): no opening, no sockets, no execution, no new threads.  Returns 0, or a negative
 * errno with `error` filled. */
int sw_sandbox_filter(struct sw_error *error);

/** Has the kernel kill the process at system calls that no name lookup makes: executing, tracing
 * and signalling others, namespaces, mounts, kernel modules, typing into a terminal and the like.
 * New processes, threads and io_uring are refused, because a name service may try them.  Returns as
 * above. */
int sw_sandbox_deny(struct sw_error *error);

#endif

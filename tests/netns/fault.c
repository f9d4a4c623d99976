/*
 * A library for LD_PRELOAD that makes calls of saltway to the system and to the allocator fail.
 *
 * FAULT_AT=N           the N-th call of a process fails with ENOMEM
 * FAULT_SITE=SITE      the first call from this site fails instead
 * FAULT_ON=1           all calls from the N-th on fail
 * FAULT_DESCRIPTORS=1  only calls that make a descriptor count; they fail with EMFILE
 * FAULT_TRACE=1        no call fails; each call site is printed once
 *
 * A failed call is reported on standard error as "fault: SITE, call N", and a traced one as
 * "call: SITE, call N". SITE is NAME@FILE+OFFSET: the function, the file of the caller, and the
 * offset in that file.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define SITES_MAX 4096
#define CALLER __builtin_return_address(0)

static long at, calls;
static bool descriptors, on, trace, ready;
static const char *only;
static pid_t first;
static const void *traced[SITES_MAX];

__attribute__((constructor)) static void start(void) {
  at = atol(getenv("FAULT_AT") ? getenv("FAULT_AT") : "0");
  descriptors = getenv("FAULT_DESCRIPTORS");
  on = getenv("FAULT_ON");
  trace = getenv("FAULT_TRACE");
  only = getenv("FAULT_SITE");
  first = getpid();
  ready = strcmp(program_invocation_short_name, "saltway") == 0; /* not a hook's program */
}

static void name_site(char *site, size_t size, const char *name, const void *caller) {
  Dl_info file = {0};
  if (!dladdr(caller, &file) || !file.dli_fname) file.dli_fname = "?";
  const char *slash = strrchr(file.dli_fname, '/');
  snprintf(site, size, "%s@%s+0x%zx", name, slash ? slash + 1 : file.dli_fname,
           (size_t)((const char *)caller - (const char *)file.dli_fbase));
}

/* Two sites that share a slot may be printed more than once. */
static bool is_new(const void *caller) {
  const void **slot = &traced[(uintptr_t)caller % SITES_MAX];
  if (*slot == caller) return false;
  *slot = caller;
  return true;
}

static bool is_due(void) {
  return on ? calls >= at : calls == at;
}

static bool fails_now(const char *name, const void *caller) {
  char site[128], line[192];
  calls++;
  if (trace ? !is_new(caller) : !only && !is_due()) return false;
  name_site(site, sizeof(site), name, caller);
  if (only && strcmp(site, only) != 0) return false;
  if (only) only = ""; /* the first call only */
  const int length =
      snprintf(line, sizeof(line), "%s: %s, call %ld\n", trace ? "call" : "fault", site, calls);
  return write(STDERR_FILENO, line, (size_t)length) >= 0 && !trace;
}

static bool fails(const char *name, bool descriptor, const void *caller) {
  if (!ready || (descriptors && !descriptor)) return false;
  ready = false; /* the calls that are made here do not fail */
  const bool failing = fails_now(name, caller);
  ready = true;
  if (failing) errno = descriptors ? EMFILE : ENOMEM;
  return failing;
}

/* The C library's function. dlsym allocates, and these allocations do not fail. */
static void *real(const char *name) {
  const bool was = ready;
  ready = false;
  void *function = dlsym(RTLD_NEXT, name);
  ready = was;
  return function;
}

#define FAULTY(descriptor, failure, type, name, parameters, arguments)        \
  type name parameters;                                                       \
  type name parameters {                                                      \
    static type(*function) parameters;                                        \
    if (!function) *(void **)&function = real(#name);                         \
    return fails(#name, descriptor, CALLER) ? (failure) : function arguments; \
  }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size) {
  return fails("malloc", false, CALLER) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return fails("calloc", false, CALLER) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  return fails("realloc", false, CALLER) ? NULL : __libc_realloc(memory, size);
}

FAULTY(false, MAP_FAILED, void *, mmap, (void *to, size_t n, int prot, int flags, int fd, off_t o),
       (to, n, prot, flags, fd, o))
FAULTY(true, -1, int, socket, (int family, int type, int protocol), (family, type, protocol))
FAULTY(true, -1, int, socketpair, (int family, int type, int protocol, int ends[2]),
       (family, type, protocol, ends))
FAULTY(false, -1, int, bind, (int fd, const struct sockaddr *address, socklen_t size),
       (fd, address, size))
FAULTY(false, -1, int, listen, (int fd, int backlog), (fd, backlog))
FAULTY(false, -1, int, connect, (int fd, const struct sockaddr *address, socklen_t size),
       (fd, address, size))
FAULTY(false, -1, int, getsockname, (int fd, struct sockaddr *address, socklen_t *size),
       (fd, address, size))
FAULTY(false, -1, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t size),
       (fd, level, name, value, size))
FAULTY(false, -1, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *size),
       (fd, level, name, value, size))
FAULTY(false, -1, ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
       (fd, message, flags))
FAULTY(false, -1, ssize_t, send, (int fd, const void *bytes, size_t length, int flags),
       (fd, bytes, length, flags))
FAULTY(true, -1, int, epoll_create1, (int flags), (flags))
FAULTY(false, -1, int, epoll_ctl, (int fd, int operation, int other, struct epoll_event *event),
       (fd, operation, other, event))
FAULTY(true, -1, int, eventfd, (unsigned initial, int flags), (initial, flags))
FAULTY(true, -1, int, pipe2, (int ends[2], int flags), (ends, flags))
FAULTY(false, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
FAULTY(false, -1, pid_t, fork, (void), ())
FAULTY(false, -1, int, chroot, (const char *path), (path))
FAULTY(false, -1, int, fchdir, (int fd), (fd))
FAULTY(true, -1, int, dup2, (int from, int to), (from, to))
FAULTY(false, -1, ssize_t, recv, (int fd, void *bytes, size_t length, int flags),
       (fd, bytes, length, flags))
FAULTY(false, -1, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
       (fd, message, flags))
FAULTY(false, -1, int, poll, (struct pollfd * fds, nfds_t count, int timeout),
       (fds, count, timeout))
FAULTY(false, -1, int, fstat, (int fd, struct stat *status), (fd, status))
FAULTY(false, EAGAIN, int, pthread_create,
       (pthread_t * thread, const pthread_attr_t *how, void *(*run)(void *), void *argument),
       (thread, how, run, argument))
FAULTY(false, ENOMEM, int, posix_spawn,
       (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
        const posix_spawnattr_t *how, char *const arguments[], char *const environment[]),
       (pid, path, actions, how, arguments, environment))
FAULTY(false, -1, int, setgroups, (size_t count, const gid_t *groups), (count, groups))
FAULTY(false, -1, int, setresgid, (gid_t r, gid_t e, gid_t s), (r, e, s))
FAULTY(false, -1, int, setresuid, (uid_t r, uid_t e, uid_t s), (r, e, s))
FAULTY(false, -1, int, uname, (void *names), (names))

int open(const char *path, int flags, ...) {
  static int (*function)(const char *, int, ...);
  if (!function) *(void **)&function = real("open");
  va_list arguments;
  va_start(arguments, flags);
  const int mode = va_arg(arguments, int);
  va_end(arguments);
  return fails("open", true, CALLER) ? -1 : function(path, flags, mode);
}

/* Only the parent's files fail to be read: not libuv's pipes; and the engine may not call fstat. */
ssize_t read(int fd, void *bytes, size_t length) {
  static ssize_t (*function)(int, void *, size_t);
  static int (*look)(int, struct stat *);
  struct stat status;
  if (!function) *(void **)&function = real("read");
  if (!look) *(void **)&look = real("fstat");
  const bool file = getpid() == first && look(fd, &status) == 0 && S_ISREG(status.st_mode);
  return file && fails("read", false, CALLER) ? -1 : function(fd, bytes, length);
}

int fcntl(int fd, int command, ...) {
  static int (*function)(int, int, ...);
  if (!function) *(void **)&function = real("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return fails("fcntl", false, CALLER) ? -1 : function(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*function)(int, unsigned long, ...);
  if (!function) *(void **)&function = real("ioctl");
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return fails("ioctl", false, CALLER) ? -1 : function(fd, request, argument);
}

int prctl(int option, ...) {
  static int (*function)(int, ...);
  if (!function) *(void **)&function = real("prctl");
  va_list arguments;
  va_start(arguments, option);
  const unsigned long a = va_arg(arguments, unsigned long), b = va_arg(arguments, unsigned long),
                      c = va_arg(arguments, unsigned long), d = va_arg(arguments, unsigned long);
  va_end(arguments);
  return fails("prctl", false, CALLER) ? -1 : function(option, a, b, c, d);
}

/* libuv closes descriptors with syscall(2). No kernel fails to close a descriptor. */
long syscall(long number, ...) {
  static long (*function)(long, ...);
  if (!function) *(void **)&function = real("syscall");
  va_list arguments;
  va_start(arguments, number);
  long v[6];
  for (unsigned i = 0; i < 6; i++) v[i] = va_arg(arguments, long);
  va_end(arguments);
  return number != SYS_close && fails("syscall", false, CALLER)
             ? -1
             : function(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

/*
 * Preloaded into the daemon (LD_PRELOAD): the $FAULT_AT-th call to the system or the allocator
 * fails with ENOMEM, or, of those that make a descriptor, with EMFILE if $FAULT_DESCRIPTORS is set;
 * all of them fail from there on if $FAULT_ON is set.  Standard error tells which call it was.
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

static long at, calls;
static bool descriptors, on, ready;
static pid_t first;

__attribute__((constructor)) static void start(void) {
  at = atol(getenv("FAULT_AT") ? getenv("FAULT_AT") : "0");
  descriptors = getenv("FAULT_DESCRIPTORS");
  on = getenv("FAULT_ON");
  first = getpid();
  ready = strcmp(program_invocation_short_name, "saltway") == 0; /* not what hooks run */
}

static bool fails(const char *name, bool descriptor) {
  if (!ready || (descriptors && !descriptor)) return false;
  calls++;
  if (on ? calls < at : calls != at) return false;
  char line[64];
  const int length = snprintf(line, sizeof(line), "fault: %s, call %ld\n", name, calls);
  if (write(STDERR_FILENO, line, (size_t)length) < 0) return false;
  errno = descriptors ? EMFILE : ENOMEM;
  return true;
}

/* The function as the C library has it.  dlsym allocates: what it asks for meanwhile never fails.
 */
static void *real(const char *name) {
  const bool was = ready;
  ready = false;
  void *function = dlsym(RTLD_NEXT, name);
  ready = was;
  return function;
}

#define FAULTY(descriptor, failure, type, name, parameters, arguments) \
  type name parameters;                                                \
  type name parameters {                                               \
    static type(*function) parameters;                                 \
    if (!function) *(void **)&function = real(#name);                  \
    return fails(#name, descriptor) ? (failure) : function arguments;  \
  }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size) {
  return fails("malloc", false) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
  return fails("calloc", false) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size) {
  return fails("realloc", false) ? NULL : __libc_realloc(memory, size);
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
  return fails("open", true) ? -1 : function(path, flags, mode);
}

/* of the parent's files: libuv's own pipes do not fail, and the engine may not look */
ssize_t read(int fd, void *bytes, size_t length) {
  static ssize_t (*function)(int, void *, size_t);
  static int (*look)(int, struct stat *);
  struct stat status;
  if (!function) *(void **)&function = real("read");
  if (!look) *(void **)&look = real("fstat");
  const bool file = getpid() == first && look(fd, &status) == 0 && S_ISREG(status.st_mode);
  return file && fails("read", false) ? -1 : function(fd, bytes, length);
}

int fcntl(int fd, int command, ...) {
  static int (*function)(int, int, ...);
  if (!function) *(void **)&function = real("fcntl");
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return fails("fcntl", false) ? -1 : function(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
  static int (*function)(int, unsigned long, ...);
  if (!function) *(void **)&function = real("ioctl");
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return fails("ioctl", false) ? -1 : function(fd, request, argument);
}

int prctl(int option, ...) {
  static int (*function)(int, ...);
  if (!function) *(void **)&function = real("prctl");
  va_list arguments;
  va_start(arguments, option);
  const unsigned long a = va_arg(arguments, unsigned long), b = va_arg(arguments, unsigned long),
                      c = va_arg(arguments, unsigned long), d = va_arg(arguments, unsigned long);
  va_end(arguments);
  return fails("prctl", false) ? -1 : function(option, a, b, c, d);
}

/* libuv closes by it, and no kernel leaves a descriptor open that it was told to close */
long syscall(long number, ...) {
  static long (*function)(long, ...);
  if (!function) *(void **)&function = real("syscall");
  va_list arguments;
  va_start(arguments, number);
  long v[6];
  for (unsigned i = 0; i < 6; i++) v[i] = va_arg(arguments, long);
  va_end(arguments);
  return number != SYS_close && fails("syscall", false)
             ? -1
             : function(number, v[0], v[1], v[2], v[3], v[4], v[5]);
}

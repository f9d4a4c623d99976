/*
 * A library for LD_PRELOAD that makes saltway behave as under an attacker's control, or that shows
 * what it does.  Environment variables choose what:
 *
 *   BREAKOUT=WHAT           the engine attempts this when it receives the first datagram
 *   BREAKOUT_RESOLVER=WHAT  the resolver attempts this when it looks up a name
 *   FORGE=FINGERPRINT       the engine tells the parent another fingerprint than this
 *   IO_URING=1              a process that makes an event loop prints whether it may use io_uring
 *   NAME_SERVICE=1          looking up a user leaves a connection open, as some name services do
 *   CORES=N                 the machine seems to have this many cores
 *   TELL_KEYS=1             every secret that is passed to libsodium is written to standard output,
 *                           as a letter and 32 bytes; a test looks for it in the process's memory
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *nothing(void *argument) {
  return argument;
}

static void attempt(const char *what, int fd) {
  const struct sockaddr_in somewhere = {.sin_family = AF_INET, .sin_port = htons(9)};
  pthread_t thread;
  if (strcmp(what, "open") == 0) open("/", O_RDONLY);
  if (strcmp(what, "exec") == 0) execl("/bin/sh", "sh", "-c", "true", NULL);
  if (strcmp(what, "socket") == 0) socket(AF_INET, SOCK_DGRAM, 0);
  if (strcmp(what, "connect") == 0)
    connect(fd, (const struct sockaddr *)&somewhere, sizeof(somewhere));
  if (strcmp(what, "fork") == 0 && fork() == 0) _exit(0);
  if (strcmp(what, "thread") == 0) pthread_create(&thread, NULL, nothing, NULL);
  if (strcmp(what, "ptrace") == 0) ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
  if (strcmp(what, "kill") == 0) kill(getppid(), SIGKILL);
  if (strcmp(what, "option") == 0) setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &(int){1}, sizeof(int));
  if (strcmp(what, "option of another level") == 0)
    setsockopt(fd, SOL_SOCKET, IP_RECVERR, &(int){1}, sizeof(int));
  if (strcmp(what, "code") == 0)
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fprintf(stderr, "breakout: %s returned\n", what);
}

static void *next(const char *function) {
  return dlsym(RTLD_NEXT, function);
}

int epoll_create1(int flags) {
  int (*real)(int) = next("epoll_create1");
  if (getenv("IO_URING")) {
    const long made = syscall(SYS_io_uring_setup, 1, NULL);
    fprintf(stderr, "breakout: io_uring in %s: %s\n", program_invocation_short_name,
            made < 0 ? strerrorname_np(errno) : "made");
  }
  return real(flags);
}

struct passwd *getpwnam(const char *name) {
  struct passwd *(*real)(const char *) = next("getpwnam");
  if (getenv("NAME_SERVICE") && socket(AF_UNIX, SOCK_STREAM, 0) < 0) abort();
  return real(name);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      next("getaddrinfo");
  const char *what = getenv("BREAKOUT_RESOLVER");
  if (what && strcmp(program_invocation_short_name, "saltway-names") == 0) attempt(what, -1);
  return real(host, service, hints, list);
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  int (*real)(pid_t, size_t, cpu_set_t *) = next("sched_getaffinity");
  const char *cores = getenv("CORES");
  if (!cores) return real(pid, size, set);
  CPU_ZERO_S(size, set);
  for (int i = 0; i < atoi(cores); i++) CPU_SET_S((size_t)i, size, set);
  return 0;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags,
             struct timespec *timeout) {
  int (*real)(int, struct mmsghdr *, unsigned, int, struct timespec *) = next("recvmmsg");
  static bool attempted;
  const char *what = getenv("BREAKOUT");
  if (what && !attempted) {
    attempted = true;
    attempt(what, fd);
  }
  return real(fd, messages, count, flags, timeout);
}

static void tell(char kind, const unsigned char *secret) {
  if (!getenv("TELL_KEYS")) return;
  if (write(STDOUT_FILENO, &kind, 1) != 1 || write(STDOUT_FILENO, secret, 32) != 32) abort();
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  ssize_t (*real)(int, const void *, size_t, int) = next("send");
  const char *forged = getenv("FORGE");
  unsigned char copy[8192];
  if (!forged || length > sizeof(copy)) return real(fd, bytes, length, flags);
  memcpy(copy, bytes, length);
  void *at = memmem(copy, length, forged, strlen(forged));
  if (at) memcpy(at, "deadbeef", 8);
  return real(fd, copy, length, flags);
}

/* The engine keeps its standard output, because the secrets are written to it. */
int dup2(int from, int to) {
  int (*real)(int, int) = next("dup2");
  return getenv("TELL_KEYS") && to == STDOUT_FILENO ? to : real(from, to);
}

static bool called_by_libsodium(const void *address) {
  Dl_info caller;
  return dladdr(address, &caller) && strstr(caller.dli_fname, "libsodium");
}

/* Keys of sessions, and subkeys derived from them.  The calls that libsodium makes itself, for
 * handshakes, derive subkeys of a key that is kept. */
int crypto_core_hsalsa20(unsigned char *out, const unsigned char *in, const unsigned char *key,
                         const unsigned char *constant) {
  int (*real)(unsigned char *, const unsigned char *, const unsigned char *,
              const unsigned char *) = next("crypto_core_hsalsa20");
  const int result = real(out, in, key, constant);
  if (called_by_libsodium(__builtin_return_address(0))) return result;
  if (memcmp(key, key + 1, 31) == 0) return result; /* the key of the self-test */
  tell('s', key);
  tell('s', out);
  return result;
}

/* the ephemeral secret of a handshake, and the shared secret */
int crypto_scalarmult(unsigned char *out, const unsigned char *secret, const unsigned char *point) {
  int (*real)(unsigned char *, const unsigned char *, const unsigned char *) =
      next("crypto_scalarmult");
  const int result = real(out, secret, point);
  tell('h', secret);
  tell('h', out);
  return result;
}

#include "linux/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 65536
#define WITHOUT "; or Sandbox = off does without"

bool sw_sandbox_possible(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

/* ---- descriptors ---- */

static int by_number(const void *a, const void *b) {
  return *(const int *)a - *(const int *)b;
}

/* Closes descriptors, where the kernel (before 5.9) or a container does not do it at once, one by
 * one: as many as a process has by default, or a good part of them.  Returns 0 or -errno. */
static int close_from_to(unsigned from, unsigned to) {
  if (syscall(SYS_close_range, from, to, 0) == 0) return 0;
  if (errno != ENOSYS && errno != EPERM) return -errno;
  const long limit = sysconf(_SC_OPEN_MAX);
  const unsigned last = limit < 0 || limit > DESCRIPTORS_MAX ? DESCRIPTORS_MAX : (unsigned)limit;
  for (; from <= to && from <= last; from++) close((int)from);
  return 0;
}

/* Closes all descriptors but the standard ones and these.  Returns 0 or -errno. */
static int close_others(int keep[], size_t count) {
  qsort(keep, count, sizeof(*keep), by_number);
  unsigned from = STDERR_FILENO + 1;
  for (size_t i = 0; i < count; i++) {
    const unsigned kept = (unsigned)keep[i];
    const int failed = kept > from ? close_from_to(from, kept - 1) : 0;
    if (failed) return failed;
    from = kept + 1;
  }
  return close_from_to(from, ~0U);
}

int sw_sandbox_close_others(int keep[], size_t count, struct sw_error *error) {
  const int failed = close_others(keep, count);
  return failed ? sw_error_set(error, -failed, NULL, "sandbox: cannot close descriptors") : 0;
}

/* ---- privileges ---- */

static int change_root(int directory, struct sw_error *error) {
  if (fchdir(directory) < 0 || chroot(".") < 0)
    return sw_error_set(error, errno, errno == EPERM ? "give it CAP_SYS_CHROOT" WITHOUT : NULL,
                        "sandbox: cannot leave the file system");
  return 0;
}

static const char *fix_of_id(const char *capability) {
  if (errno == EPERM) return capability;
  if (errno == EINVAL) return "this user namespace does not have it: map it" WITHOUT;
  return NULL;
}

static int change_user(uid_t user, gid_t group, struct sw_error *error) {
  if (setgroups(0, NULL) < 0)
    return sw_error_set(error, errno,
                        errno == EPERM
                            ? "give it CAP_SETGID; in a user namespace setgroups(2) must be "
                              "allowed, which unshare -r denies" WITHOUT
                            : NULL,
                        "sandbox: cannot give up supplementary groups");
  if (setresgid(group, group, group) < 0)
    return sw_error_set(error, errno, fix_of_id("give it CAP_SETGID" WITHOUT),
                        "sandbox: cannot become group %u", (unsigned)group);
  if (setresuid(user, user, user) < 0)
    return sw_error_set(error, errno, fix_of_id("give it CAP_SETUID" WITHOUT),
                        "sandbox: cannot become user %u", (unsigned)user);
  return 0;
}

/* libuv would use io_uring where there is one: it goes round a filter. */
static int refuse_io_uring(struct sw_error *error);

int sw_sandbox_drop(int directory, pid_t parent, struct sw_error *error) {
  if (geteuid() == 0) {
    const struct passwd *known = getpwnam(SW_SANDBOX_USER);
    const uid_t user = known && known->pw_uid ? known->pw_uid : SW_SANDBOX_NOBODY;
    const gid_t group = known && known->pw_uid ? known->pw_gid : SW_SANDBOX_NOBODY;
    int failed = directory >= 0 ? change_root(directory, error) : 0;
    if (!failed) failed = change_user(user, group, error);
    if (failed) return failed;
  }
  struct __user_cap_header_struct version = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  if (syscall(SYS_capset, &version, none) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up privileges");
  /* after the change of user, which would undo it; a parent that ended before does not count */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
    return sw_error_set(error, ESRCH, NULL, "sandbox: cannot end with the parent");
  return refuse_io_uring(error);
}

/* ---- system calls ---- */

/* A program of classic BPF, as constants: libseccomp's makes wrong ones, or makes them for ever,
 * where there is no memory. */
#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__arm__) && !defined(__ARMEB__)
#define MACHINE AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#else
#error "what does <linux/audit.h> call this machine?"
#endif

/* of an argument the lower half, where an int or flags are */
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define IF_ANY(bits, skip) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, skip, 0)
#define ALLOW(call) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ALLOW)
/* memory that can be executed is not made any more */
#define ALLOW_WITHOUT_EXEC(call)                                                         \
  UNLESS(SYS_##call, 4), LOAD(args[2]), IF_ANY(PROT_EXEC, 1), RETURN(SECCOMP_RET_ALLOW), \
      RETURN(SECCOMP_RET_KILL_PROCESS)

/* setsockopt(2) of this one option; to be followed by what happens to others */
#define ALLOW_OPTION(level, name)                                                      \
  LOAD(args[1]), UNLESS(level, 3), LOAD(args[2]), UNLESS(name, 1), RETURN(SECCOMP_RET_ALLOW)

static int set_filter(const struct sock_filter *program, size_t count, struct sw_error *error) {
  const struct sock_fprog filter = {.len = (unsigned short)count,
                                    .filter = (struct sock_filter *)program};
  const long failed =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (failed == 0) return 0;
  return sw_error_set(error, failed < 0 ? errno : ESRCH, /* a thread that can't be confined */
                      "the kernel needs CONFIG_SECCOMP_FILTER, and a container to allow it" WITHOUT,
                      "sandbox: cannot filter system calls");
}

static int refuse_io_uring(struct sw_error *error) {
  static const struct sock_filter program[] = {
      LOAD(nr),
      UNLESS(SYS_io_uring_setup, 1),
      RETURN(SECCOMP_RET_ERRNO | ENOSYS),
      RETURN(SECCOMP_RET_ALLOW),
  };
  return set_filter(program, sizeof(program) / sizeof(program[0]), error);
}

int sw_sandbox_filter(struct sw_error *error) {
  /* What a running engine calls: packets, time, waiting, random bytes, the log, and what the C
   * library needs for memory, locks, and an orderly or a disorderly end. */
  const struct sock_filter program[] = {
    LOAD(arch),
    UNLESS(MACHINE, 1),
    BPF_STMT(BPF_JMP | BPF_JA, 1),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    ALLOW(read),
    ALLOW(write),
    ALLOW(writev),
    ALLOW(recvmsg),
    ALLOW(recvmmsg),
    ALLOW(recvfrom),
    ALLOW(sendmmsg),
    ALLOW(sendto),
    ALLOW(getsockopt),
    ALLOW(close),
#ifdef SYS_epoll_wait /* newer machines never had it */
    ALLOW(epoll_wait),
#endif
    ALLOW(epoll_pwait),
    ALLOW(epoll_pwait2),
    ALLOW(epoll_ctl),
    ALLOW(clock_gettime),
    ALLOW(getrandom),
    ALLOW(futex),
    ALLOW(sched_yield),
    ALLOW(munmap),
    ALLOW(madvise),
    ALLOW(brk),
    ALLOW(munlock),
    ALLOW(rt_sigprocmask),
    ALLOW(rt_sigreturn),
    ALLOW(restart_syscall),
    ALLOW(getpid),
    ALLOW(gettid),
    ALLOW(exit),
    ALLOW(exit_group),
#if __WORDSIZE == 32
    ALLOW(recv),
    ALLOW(send),
    ALLOW(recvmmsg_time64),
    ALLOW(clock_gettime64),
    ALLOW(futex_time64),
    ALLOW(sigreturn),
    ALLOW_WITHOUT_EXEC(mmap2),
#else
    ALLOW_WITHOUT_EXEC(mmap),
#endif
    ALLOW_WITHOUT_EXEC(mprotect),
    UNLESS(SYS_setsockopt, 11), /* reports of the network on and off */
    ALLOW_OPTION(IPPROTO_IP, IP_RECVERR),
    ALLOW_OPTION(IPPROTO_IPV6, IPV6_RECVERR),
    RETURN(SECCOMP_RET_KILL_PROCESS),
    UNLESS(SYS_tgkill, 3), /* abort(3), by itself only */
    LOAD(args[0]),
    UNLESS((unsigned)getpid(), 1),
    RETURN(SECCOMP_RET_ALLOW),
    RETURN(SECCOMP_RET_KILL_PROCESS),
  };
  return set_filter(program, sizeof(program) / sizeof(program[0]), error);
}

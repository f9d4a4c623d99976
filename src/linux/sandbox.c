#include "linux/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h> /* FIOSETOWN */
#include <sys/syscall.h>
#include <unistd.h>

#include "linux/syscalls.h"

#define DESCRIPTORS_MAX 65536
#define WITHOUT "; or write Sandbox = off"

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

/* Without close_range(2), before Linux 5.9 or in a container, it closes them one by one, up to the
 * limit of open files or DESCRIPTORS_MAX.  Returns 0 or -errno. */
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

static bool find_user(FILE *users, const char *name, uid_t *user, gid_t *group) {
  const struct passwd *found;
  rewind(users);
  while ((found = fgetpwent(users)) && strcmp(found->pw_name, name) != 0) continue;
  if (!found || found->pw_uid == 0) return false;
  *user = found->pw_uid;
  *group = found->pw_gid;
  return true;
}

/* The users are the system's own, made by the installation.  getpwnam would load every name service
 * of the machine into the process, and could hang. */
static int find_users(const char *const *names, uid_t *user, gid_t *group, struct sw_error *error) {
  *user = *group = SW_SANDBOX_NOBODY;
  FILE *users = fopen("/etc/passwd", "re");
  if (!users && errno == ENOENT) return 0;
  if (!users) return sw_error_set(error, errno, NULL, "sandbox: cannot read /etc/passwd");
  while (*names && !find_user(users, *names, user, group)) names++;
  (void)fclose(users);
  return 0;
}

bool sw_sandbox_has_user(const char *name) {
  const char *const names[] = {name, NULL};
  struct sw_error error;
  uid_t user;
  gid_t group;
  return find_users(names, &user, &group, &error) == 0 && user != SW_SANDBOX_NOBODY;
}

static int refuse_io_uring(struct sw_error *error);

int sw_sandbox_drop(const char *const *users, int directory, pid_t parent, struct sw_error *error) {
  if (geteuid() == 0) {
    uid_t user;
    gid_t group;
    int failed = find_users(users, &user, &group, error);
    if (!failed && directory >= 0) failed = change_root(directory, error);
    if (!failed) failed = change_user(user, group, error);
    if (failed) return failed;
  }
  struct __user_cap_header_struct version = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  if (syscall(SYS_capset, &version, none) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up privileges");
  /* the change of user would reset it; a parent that ended before would send nothing */
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
    return sw_error_set(error, ESRCH, NULL, "sandbox: cannot end with the parent");
  return refuse_io_uring(error);
}

/* ---- system calls ---- */

/* Programs of classic BPF, as constants: when memory is short, libseccomp makes wrong ones or never
 * returns. */

/* the half of a 64-bit argument that has its low bits: an int, or flags */
#define LOW(n) \
  (offsetof(struct seccomp_data, args[n]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0))
#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define LOAD_CALL LOAD(offsetof(struct seccomp_data, nr))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define IF_ANY(bits, skip) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, skip, 0)
#define SKIP(count) BPF_STMT(BPF_JMP | BPF_JA, count)
#define ALLOW(call) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ALLOW)
#define KILL(call) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#define REFUSE(call, code) UNLESS(SYS_##call, 1), RETURN(SECCOMP_RET_ERRNO | (code))
/* an argument must have this value */
#define ALLOW_WITH(call, argument, value)                                                  \
  UNLESS(SYS_##call, 4), LOAD(LOW(argument)), UNLESS(value, 1), RETURN(SECCOMP_RET_ALLOW), \
      RETURN(SECCOMP_RET_KILL_PROCESS)
/* no memory that can be executed */
#define ALLOW_WITHOUT_EXEC(call)                                                        \
  UNLESS(SYS_##call, 4), LOAD(LOW(2)), IF_ANY(PROT_EXEC, 1), RETURN(SECCOMP_RET_ALLOW), \
      RETURN(SECCOMP_RET_KILL_PROCESS)
/* setsockopt(2) of one option; instructions for the other options follow */
#define ALLOW_OPTION(level, name) \
  LOAD(LOW(1)), UNLESS(level, 3), LOAD(LOW(2)), UNLESS(name, 1), RETURN(SECCOMP_RET_ALLOW)
/* a value that the loaded argument must not have */
#define FORBID(value) UNLESS(value, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
/* The kernel signals whoever is set as the owner of a descriptor when it is ready. */
#define ALLOW_WITHOUT_OWNER(call)                                             \
  UNLESS(SYS_##call, 6), LOAD(LOW(1)), FORBID(F_SETOWN), FORBID(F_SETOWN_EX), \
      RETURN(SECCOMP_RET_ALLOW)
/* The start of every filter.  It kills the process at a call of another architecture, whose numbers
 * have other meanings. */
#if defined(__x86_64__) && !defined(__ILP32__)
#define X32_CALL 0x40000000
#define BEGIN                                                                     \
  LOAD(offsetof(struct seccomp_data, arch)), UNLESS(SW_AUDIT_ARCH, 2), LOAD_CALL, \
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_CALL, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS)
#else
#define BEGIN                                                                   \
  LOAD(offsetof(struct seccomp_data, arch)), UNLESS(SW_AUDIT_ARCH, 1), SKIP(1), \
      RETURN(SECCOMP_RET_KILL_PROCESS), LOAD_CALL
#endif

static int set_filter(const struct sock_filter *program, size_t count, struct sw_error *error) {
  const struct sock_fprog filter = {.len = (unsigned short)count,
                                    .filter = (struct sock_filter *)program};
  if (SW_AUDIT_ARCH == 0)
    return sw_error_set(error, ENOSYS, "write Sandbox = off",
                        "sandbox: no filter is known for this architecture");
  const long failed =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (failed == 0) return 0;
  return sw_error_set(error, failed < 0 ? errno : ESRCH, /* a thread that cannot be confined */
                      "the kernel needs CONFIG_SECCOMP_FILTER, and a container to allow it" WITHOUT,
                      "sandbox: cannot filter system calls");
}

/* io_uring makes calls that no filter sees, and libuv uses it where it can. */
static int refuse_io_uring(struct sw_error *error) {
  static const struct sock_filter program[] = {
      BEGIN,
      REFUSE(io_uring_setup, ENOSYS),
      RETURN(SECCOMP_RET_ALLOW),
  };
  return set_filter(program, sizeof(program) / sizeof(program[0]), error);
}

int sw_sandbox_filter(struct sw_error *error) {
  /* What a running engine calls: packets, time, waiting, random bytes, the log, and what the C
   * library (glibc or musl) needs for memory, locks, and an orderly or a disorderly end. */
  const unsigned self = (unsigned)getpid();
  const struct sock_filter program[] = {
      BEGIN,
      ALLOW(read),
      ALLOW(write),
      ALLOW(writev),
      ALLOW(recvmsg),
      ALLOW(recvmmsg),
      ALLOW(recvfrom),
      ALLOW(sendmmsg),
      ALLOW(sendmsg), /* musl's sendmmsg */
      ALLOW(sendto),
      ALLOW(getsockopt),
      ALLOW(close),
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
      ALLOW_WITHOUT_EXEC(mprotect),
      UNLESS(SYS_setsockopt, 26), /* ICMP reports, fragmentation, how much waits to be sent */
      ALLOW_OPTION(IPPROTO_IP, IP_RECVERR),
      ALLOW_OPTION(IPPROTO_IPV6, IPV6_RECVERR),
      ALLOW_OPTION(IPPROTO_IP, IP_MTU_DISCOVER),
      ALLOW_OPTION(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
      ALLOW_OPTION(SOL_SOCKET, SO_SNDBUF),
      RETURN(SECCOMP_RET_KILL_PROCESS),
      ALLOW_WITH(tgkill, 0, self), /* glibc's abort(3) */
      ALLOW_WITH(tkill, 0, self),  /* musl's, in the main thread */
#ifdef SYS_mmap2 /* a system that has it passes mmap's arguments in memory, unseen by a filter */
      ALLOW_WITHOUT_EXEC(mmap2),
#elif defined(__s390x__)
      REFUSE(mmap, ENOMEM),
#else
      ALLOW_WITHOUT_EXEC(mmap),
#endif
#ifdef SYS_epoll_wait /* not on architectures that came after epoll_pwait */
      ALLOW(epoll_wait),
#endif
#ifdef SYS_send
      ALLOW(send),
      ALLOW(recv),
#endif
#ifdef SYS_sigreturn
      ALLOW(sigreturn),
#endif
#ifdef SYS_clock_gettime64 /* 32 bits */
      ALLOW(clock_gettime64),
      ALLOW(recvmmsg_time64),
      ALLOW(futex_time64),
#endif
#ifdef SYS_socketcall /* glibc's only way to sockets on i386 and s390x */
      UNLESS(SYS_socketcall, 20),
      LOAD(LOW(0)),
      ALLOW(SENDTO),
      ALLOW(RECVFROM),
      ALLOW(SEND),
      ALLOW(RECV),
      ALLOW(SENDMSG),
      ALLOW(RECVMSG),
      ALLOW(SENDMMSG),
      ALLOW(RECVMMSG),
      ALLOW(GETSOCKOPT),
      RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
      RETURN(SECCOMP_RET_KILL_PROCESS),
  };
  return set_filter(program, sizeof(program) / sizeof(program[0]), error);
}

int sw_sandbox_deny(struct sw_error *error) {
  const unsigned self = (unsigned)getpid();
  const struct sock_filter program[] = {
      BEGIN,
      /* other programs, new processes and threads */
      KILL(execve),
      KILL(execveat),
      REFUSE(clone, EAGAIN),
      REFUSE(clone3, ENOSYS),
#ifdef SYS_fork
      REFUSE(fork, EAGAIN),
#endif
#ifdef SYS_vfork
      REFUSE(vfork, EAGAIN),
#endif
      /* other processes */
      KILL(ptrace),
      KILL(process_vm_readv),
      KILL(process_vm_writev),
      KILL(process_madvise),
      KILL(kcmp),
      KILL(pidfd_getfd),
      KILL(pidfd_send_signal),
      KILL(rt_sigqueueinfo),
      KILL(rt_tgsigqueueinfo),
      ALLOW_WITH(kill, 0, self),
      ALLOW_WITH(tkill, 0, self),
      ALLOW_WITH(tgkill, 0, self),
      ALLOW_WITHOUT_OWNER(fcntl),
#ifdef SYS_fcntl64
      ALLOW_WITHOUT_OWNER(fcntl64),
#endif
      ALLOW_WITH(prlimit64, 0, 0), /* 0: its own limits */
      /* other views of the system */
      KILL(unshare),
      KILL(setns),
      KILL(chroot),
      KILL(pivot_root),
      KILL(mount),
      KILL(umount2),
      KILL(open_tree),
      KILL(move_mount),
      KILL(fsopen),
      KILL(fsconfig),
      KILL(fsmount),
      KILL(fspick),
      KILL(mount_setattr),
      KILL(open_by_handle_at),
      /* the kernel */
      KILL(init_module),
      KILL(finit_module),
      KILL(delete_module),
      KILL(kexec_load),
#ifdef SYS_kexec_file_load
      KILL(kexec_file_load),
#endif
      KILL(reboot),
      KILL(swapon),
      KILL(swapoff),
      KILL(acct),
      KILL(bpf),
      KILL(perf_event_open),
      KILL(userfaultfd),
      REFUSE(io_uring_setup, ENOSYS),
      REFUSE(add_key, ENOSYS),
      REFUSE(request_key, ENOSYS),
      REFUSE(keyctl, ENOSYS),
      /* typing into a terminal, and owners of descriptors once more */
      UNLESS(SYS_ioctl, 9),
      LOAD(LOW(1)),
      FORBID(TIOCSTI),
      FORBID(TIOCLINUX),
      FORBID(FIOSETOWN),
      FORBID(SIOCSPGRP),
      RETURN(SECCOMP_RET_ALLOW),
  };
  return set_filter(program, sizeof(program) / sizeof(program[0]), error);
}

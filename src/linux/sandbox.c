#include "linux/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define WITHOUT "; or Sandbox = off does without"

bool sw_sandbox_possible(void) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  return true;
#endif
}

/* ---- privileges ---- */

static int change_root(const char *directory, struct sw_error *error) {
  struct stat status;
  if (stat(directory, &status) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot use %s", directory);
  if (!S_ISDIR(status.st_mode) || status.st_uid != 0 || status.st_mode & (S_IWGRP | S_IWOTH))
    return sw_error_set(error, EPERM, "chown root and chmod 755 it, or remove it",
                        "sandbox: %s can be written to by others than root", directory);
  if (chroot(directory) < 0 || chdir("/") < 0)
    return sw_error_set(error, errno, errno == EPERM ? "give it CAP_SYS_CHROOT" WITHOUT : NULL,
                        "sandbox: cannot leave the file system for %s", directory);
  return 0;
}

static int change_user(uid_t user, gid_t group, struct sw_error *error) {
  if (setgroups(0, NULL) < 0 || setresgid(group, group, group) < 0 ||
      setresuid(user, user, user) < 0)
    return sw_error_set(error, errno,
                        errno == EPERM ? "give it CAP_SETUID and CAP_SETGID" WITHOUT : NULL,
                        "sandbox: cannot become user %u", (unsigned)user);
  return 0;
}

int sw_sandbox_drop(const char *directory, struct sw_error *error) {
  if (geteuid() == 0) {
    const struct passwd *known = getpwnam(SW_SANDBOX_USER);
    const uid_t user = known && known->pw_uid ? known->pw_uid : NOBODY;
    const gid_t group = known && known->pw_uid ? known->pw_gid : NOBODY;
    int failed = change_root(directory, error);
    if (!failed) failed = change_user(user, group, error);
    if (failed) return failed;
  }
  struct __user_cap_header_struct version = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  if (syscall(SYS_capset, &version, none) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up capabilities");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return sw_error_set(error, errno, NULL, "sandbox: cannot give up privileges");
  return 0;
}

/* ---- system calls ---- */

/* What a running engine calls: packets, time, waiting, random bytes, the log, and what the C
 * library needs for memory, locks, and an orderly or a disorderly end. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmmsg_time64),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recv),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(send),
    SCMP_SYS(getsockopt),
    SCMP_SYS(close),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrandom),
    SCMP_SYS(futex),
    SCMP_SYS(futex_time64),
    SCMP_SYS(sched_yield),
    SCMP_SYS(munmap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(munlock),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* memory that can be executed is not made any more */
static const int without_exec[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};

static int add_rules(scmp_filter_ctx filter) {
  const struct scmp_arg_cmp no_exec = {
      .arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
  const struct scmp_arg_cmp itself = {
      .arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};
  int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
  for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !failed; i++)
    failed = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
  for (size_t i = 0; i < sizeof(without_exec) / sizeof(without_exec[0]) && !failed; i++)
    failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, without_exec[i], 1, &no_exec);
  if (!failed) /* abort(3), by itself only */
    failed = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &itself);
  return failed ? failed : seccomp_load(filter);
}

int sw_sandbox_filter(struct sw_error *error) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  const int failed = filter ? add_rules(filter) : -ENOMEM;
  seccomp_release(filter);
  if (!failed) return 0;
  return sw_error_set(error, -failed,
                      "the kernel needs CONFIG_SECCOMP_FILTER, and a container to allow it" WITHOUT,
                      "sandbox: cannot filter system calls");
}

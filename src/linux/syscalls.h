/*
 * What the sandbox's filters need to know about the machine: its audit architecture, and the numbers
 * of system calls that are newer than the headers of Debian 11 (Linux 5.10, glibc 2.31).
 */
#ifndef SALTWAY_LINUX_SYSCALLS_H
#define SALTWAY_LINUX_SYSCALLS_H

#include <linux/audit.h>
#include <sys/syscall.h>

#ifndef AUDIT_ARCH_LOONGARCH64 /* Linux 5.19 */
#define AUDIT_ARCH_LOONGARCH64 (258 | __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE)
#endif

/* 0: an architecture without a filter */
#if defined(__x86_64__)
#define SW_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define SW_AUDIT_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define SW_AUDIT_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__) && defined(__ARMEL__)
#define SW_AUDIT_ARCH AUDIT_ARCH_ARM
#elif defined(__arm__)
#define SW_AUDIT_ARCH AUDIT_ARCH_ARMEB
#elif defined(__riscv) && __riscv_xlen == 64
#define SW_AUDIT_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define SW_AUDIT_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__powerpc64__)
#define SW_AUDIT_ARCH AUDIT_ARCH_PPC64
#elif defined(__powerpc__)
#define SW_AUDIT_ARCH AUDIT_ARCH_PPC
#elif defined(__s390x__)
#define SW_AUDIT_ARCH AUDIT_ARCH_S390X
#elif defined(__mips64) && _MIPS_SIM == _ABI64 && defined(__MIPSEL__)
#define SW_AUDIT_ARCH AUDIT_ARCH_MIPSEL64
#elif defined(__mips64) && _MIPS_SIM == _ABI64
#define SW_AUDIT_ARCH AUDIT_ARCH_MIPS64
#elif defined(__mips__) && _MIPS_SIM == _ABIO32 && defined(__MIPSEL__)
#define SW_AUDIT_ARCH AUDIT_ARCH_MIPSEL
#elif defined(__mips__) && _MIPS_SIM == _ABIO32
#define SW_AUDIT_ARCH AUDIT_ARCH_MIPS
#elif defined(__loongarch64)
#define SW_AUDIT_ARCH AUDIT_ARCH_LOONGARCH64
#else
#define SW_AUDIT_ARCH 0
#endif

/* From 424 on all architectures have the same numbers, counted from where theirs begin. */
#if defined(__mips__)
#define SW_SYSCALLS __NR_Linux
#elif defined(__x86_64__) && defined(__ILP32__)
#define SW_SYSCALLS __X32_SYSCALL_BIT
#else
#define SW_SYSCALLS 0
#endif

#ifndef SYS_clone3
#define SYS_clone3 (SW_SYSCALLS + 435)
#endif
#ifndef SYS_close_range
#define SYS_close_range (SW_SYSCALLS + 436)
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd (SW_SYSCALLS + 438)
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise (SW_SYSCALLS + 440)
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 (SW_SYSCALLS + 441)
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr (SW_SYSCALLS + 442)
#endif

#endif

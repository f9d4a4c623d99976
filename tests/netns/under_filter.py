#!/usr/bin/env python3
"""under_filter.py UNIT COMMAND...: runs the command under the system call filter of a systemd unit: its
SystemCallFilter= lines, with the groups of this machine's systemd-analyze.  What the filter does not allow fails
with EPERM.  The numbers of the calls are the compiler's."""

import ctypes
import os
import re
import struct
import subprocess
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | 1


def members(name):
    """The system calls that a name of SystemCallFilter= stands for."""
    if not name.startswith("@"):
        return {name}
    lines = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True,
                           text=True).stdout.splitlines()
    words = [line.strip() for line in lines if line.startswith(" ") and "#" not in line]
    return set().union(*(members(word) for word in words))


def allowed(unit):
    calls = set()
    with open(unit, encoding="ascii") as file:
        filters = [line.strip().partition("=")[2] for line in file if line.startswith("SystemCallFilter=")]
    assert filters and not filters[0].startswith("~")
    for names in filters:
        these = set().union(*(members(name) for name in names.lstrip("~").split()))
        calls = calls - these if names.startswith("~") else calls | these
    return calls


def numbers():
    macros = subprocess.run(["cc", "-dM", "-E", "-include", "sys/syscall.h", "-xc", "/dev/null"], check=True,
                            capture_output=True, text=True).stdout
    return {name: int(number) for name, number in re.findall(r"#define __NR_(\w+) (\d+)$", macros, re.M)}


def program(calls):
    """Classic BPF: the number of the call, a comparison for each that is allowed, and the refusal."""
    code = struct.pack("HBBI", LOAD, 0, 0, 0)
    for call in calls:
        code += struct.pack("HBBI", EQUAL, 0, 1, call) + struct.pack("HBBI", RETURN, 0, 0, ALLOW)
    return code + struct.pack("HBBI", RETURN, 0, 0, REFUSE)


def main():
    known = numbers()
    code = program(sorted(known[name] for name in allowed(sys.argv[1]) if name in known))
    buffer = ctypes.create_string_buffer(code, len(code))
    filter_of = struct.pack("HP", len(code) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_of):
        sys.exit(f"under_filter.py: {os.strerror(ctypes.get_errno())}")
    os.execvp(sys.argv[2], sys.argv[2:])


main()

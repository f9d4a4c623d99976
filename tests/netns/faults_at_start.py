#!/usr/bin/env python3
"""usage: faults_at_start.py NAMESPACE SALTWAY CONFIG LIBRARY [VARIABLE=VALUE ...]

Starts the link again and again, in the namespace, with the first, the second, ... call of the system failing
(fault.c), until a start meets no fault any more.  Each time it must end by itself with status 1 and a line that says
why, or come up and end in order when told to; and leave nothing behind.  Prints each message once.
"""
import glob
import os
import re
import signal
import subprocess
import sys
import time

namespace, saltway, config, library = sys.argv[1:5]
name = os.path.basename(config)[:-len(".conf")]
sockets = f"{os.environ['RUNTIME_DIRECTORY']}/{name}@*.sock"
DEADLINE = 20

def in_namespace(*command, **more):
    return subprocess.Popen(["ip", "netns", "exec", namespace, *command], text=True, **more)

def start(at):
    if os.path.exists(f"{config}.log"): os.unlink(f"{config}.log")
    log = open(f"{config}.log", "a+") # appended to, wherever it is being read
    return log, in_namespace("env", f"LD_PRELOAD={library}", f"FAULT_AT={at}", *sys.argv[5:], saltway, "up", config,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

def said(log):
    log.seek(0)
    return log.read()

def wait_up_or_ended(log, process):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if process.poll() is not None: return
        # the log's first line tells that the start is through
        if re.search(r"interface \w+, UDP port", said(log)): return
        time.sleep(0.005)

def wait_gone(log):
    end = time.monotonic() + DEADLINE # an engine that loses its parent needs a moment
    while in_namespace("ip", "link", "show", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait() == 0:
        if time.monotonic() > end: fail(at, "the interface is still there", log)
        time.sleep(0.05)

def fail(at, text, log):
    sys.exit(f"call {at} failing: {text}\n{said(log)}")

messages, faults, at, crashes = {}, 0, 0, 0 # glibc 2.36 crashes once, in getpwnam
while True:
    at += 1
    log, process = start(at)
    wait_up_or_ended(log, process)
    up = process.poll() is None
    if up: process.send_signal(signal.SIGTERM)
    try: status = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(at, "it does not end", log)
    text = said(log)
    own = [line for line in text.splitlines() if line.startswith((name + ": ", config + ":", "saltway"))
           and "no user saltway" not in line]
    if status not in (0, 1): fail(at, f"it ended with status {status}", log)
    if re.search("ended by signal (4|7|8|11|31) ", text):
        crashes += 1
        if crashes > 1: fail(at, "the engine crashed", log)
    if not up and (status != 1 or not own): fail(at, f"status {status} without a word on why", log)
    wait_gone(log)
    if glob.glob(sockets): fail(at, "the control socket is still there", log)
    fault = re.search(r"fault: (\w+)", text)
    if not fault and not up: fail(at, "it ended without a fault", log)
    if not fault: break
    faults += 1
    messages.setdefault((up, own[-1] if own and not up else "goes on"), set()).add(fault[1])
for (up, message), calls in sorted(messages.items()):
    print(f"{', '.join(sorted(calls))}: {message}")
print(f"{faults} faults")
if faults < 300: sys.exit("too few to be true")

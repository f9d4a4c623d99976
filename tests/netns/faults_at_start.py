#!/usr/bin/env python3
"""usage: faults_at_start.py NAMESPACE SALTWAY CONFIG LIBRARY [VARIABLE=VALUE ...]

Starts the link in the namespace again and again. The first call to the system or the allocator fails in the first start,
the second call in the second start, and so on (fault.c), until a start has no fault. Each start must end by itself, with
status 1 and a line that says why, or come up and end in order when told to. It must leave nothing behind.

How many calls there are depends on the machine's libraries. So the measure is call sites: each one that is
reached in every start without a fault must have failed once. Prints each message once.
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

def start(*variables):
    if os.path.exists(f"{config}.log"): os.unlink(f"{config}.log")
    log = open(f"{config}.log", "a+") # append mode, because several processes write to it
    return log, in_namespace("env", f"LD_PRELOAD={library}", *variables, *sys.argv[5:], saltway, "up", config,
                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)

def said(log):
    log.seek(0)
    return log.read()

def wait_up_or_ended(log, process):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if process.poll() is not None: return
        # the last line that a start prints: it runs PostUp
        if "running: true" in said(log): return
        time.sleep(0.005)

def wait_gone(variable, log):
    end = time.monotonic() + DEADLINE # an engine without a parent needs a moment to end
    while in_namespace("ip", "link", "show", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait() == 0:
        if time.monotonic() > end: fail(variable, "the interface is still there", log)
        time.sleep(0.05)

def fail(variable, text, log):
    sys.exit(f"{variable}: {text}\n{said(log)}")

messages, failed, faults = {}, set(), 0

def attempt(variable):
    """Starts once, with a fault if a call matches the variable. Returns the log."""
    global faults
    log, process = start(variable)
    wait_up_or_ended(log, process)
    up = process.poll() is None
    if up: process.send_signal(signal.SIGTERM)
    try: status = process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(variable, "it does not end", log)
    text = said(log)
    own = [line for line in text.splitlines() if line.startswith((name + ": ", config + ":", "saltway"))
           and "no user saltway" not in line]
    if status not in (0, 1): fail(variable, f"it ended with status {status}", log)
    if re.search("ended by signal (4|7|8|11|31) ", text): fail(variable, "the engine crashed", log)
    if not up and (status != 1 or not own): fail(variable, f"status {status} without a line that says why", log)
    wait_gone(variable, log)
    if glob.glob(sockets): fail(variable, "the control socket is still there", log)
    fault = re.search(r"fault: ((\w+)@\S+),", text)
    if not fault and not up: fail(variable, "it ended without a fault", log)
    if fault:
        faults += 1
        failed.add(fault[1])
        messages.setdefault((up, own[-1] if own and not up else "goes on"), set()).add(fault[2])
    return text

def sites():
    return set(re.findall(r"call: (\w+@\S+),", attempt("FAULT_TRACE=1")))

called = sites() & sites() & sites()
if not called: sys.exit("no call was seen: is fault.so loaded?")
at = 1
while "fault: " in attempt(f"FAULT_AT={at}"): at += 1
# The order of calls may differ between starts, so some sites were missed.
for site in sorted(called - failed):
    if not any("fault: " in attempt(f"FAULT_SITE={site}") for _ in range(5)): sys.exit(f"{site} is called, and never failed")
for (up, message), calls in sorted(messages.items()):
    print(f"{', '.join(sorted(calls))}: {message}")
print(f"{faults} faults at {len(failed)} call sites; {len(called)} are in every start")

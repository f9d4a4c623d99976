#!/usr/bin/env python3
"""What many links cost: a hub with 200 of them, and the 200 branches at their other ends, all on one machine.

usage: fleet.py [-n LINKS] [-s SECONDS] [-o results.json]

    hub ---- veth ---- branches 0        the branches share four namespaces; each has an interface,
     |------ veth ---- branches 1        an address, a port and a key of its own
     |------ veth ---- branches 2
     '------ veth ---- branches 3

Measured are the seconds from the first start until both ends of all links are up (twice as many ends as a hub alone has),
the processor time of all processes of the hub during SECONDS without traffic (by schedstat: most of them use less than the
tick that /proc/PID/stat counts in), the memory of an end of the hub (parent and engine: private, and Pss, which has their
part of what is shared), the time of `saltway status` and `status --json` over all links of the hub, and of the end of all its
links. The table has what is wanted of 200 links beside it, which is no pass or fail. Environment: SALTWAY=... names the
program.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
import time

import peers
from peers import TICK, sh

SALTWAY = os.path.abspath(os.environ.get("SALTWAY", "build/saltway"))
HUB = f"fl_hub_{os.getpid()}"
BRANCHES = [f"fl_b{k}_{os.getpid()}" for k in range(4)]
START_LIMIT = 300       # seconds
SETTLE = 15             # seconds after the start: the search for the MTU has ended, and a link that is up is asked less often
STATUS_RUNS = 5

FIGURES = [ # name, what it is, what is wanted
    ("up_s", "seconds until all links are up", 30),
    ("idle_percent", "percent of a core, idle", 3),
    ("idle_percent_stat", "the same in whole ticks of each process", 3),
    ("private_mib", "MiB of an end's own memory", 1),
    ("pss_mib", "MiB of an end with its part of what is shared", None),
    ("status_s", "seconds of saltway status", 1),
    ("status_json_s", "seconds of saltway status --json", 1),
    ("down_s", "seconds until all links are down", None),
]

# ---- namespaces and files ----
def net_up():
    for n in (HUB, *BRANCHES): sh(f"ip netns add {n}"); sh(f"ip -n {n} link set lo up")
    for k, n in enumerate(BRANCHES):
        sh(f"ip link add v{k} netns {HUB} type veth peer name v0 netns {n}")
        for where, device, host in ((HUB, f"v{k}", 1), (n, "v0", 2)):
            sh(f"ip -n {where} addr add 192.0.{k}.{host}/24 dev {device}")
            sh(f"ip -n {where} link set {device} up")

def net_down():
    for n in (HUB, *BRANCHES): sh(f"ip netns del {n}", check=False)

def configure(d, i):
    """Writes the key and the files of link i. The hub has a route to the network of each branch."""
    k, high, low = i % len(BRANCHES), i // 256, i % 256
    sh(f"umask 077; {SALTWAY} genkey >{d}/{i}.key")
    for name, host, port, peer, more, networks in (
            (f"h{i}", 1, 20000 + i, f"192.0.{k}.2:{30000 + i}", "", f"10.{128 + high}.{low}.0/24"),
            (f"b{i}", 2, 30000 + i, f"192.0.{k}.1:{20000 + i}", "Table = off\n", "10.0.0.0/16")):
        with open(f"{d}/{name}.conf", "w") as f:
            f.write(f"[Interface]\nAddress = 10.{64 + high}.{low}.{host}/30\nListenPort = {port}\n{more}"
                    f"[Peer]\nPresharedKeyFile = {d}/{i}.key\nEndpoint = {peer}\nAllowedIPs = {networks}\n")

# ---- processes ----
class Fleet:
    def __init__(self, d, links):
        self.d, self.links, self.hub, self.branches = d, links, [], []

    def start(self):
        for i in range(self.links):
            for procs, n, name in ((self.hub, HUB, f"h{i}"), (self.branches, BRANCHES[i % len(BRANCHES)], f"b{i}")):
                procs.append(peers.spawn(n, f"{SALTWAY} up {self.d}/{name}.conf", f"{self.d}/{name}.log"))

    def says_up(self, name):
        with open(f"{self.d}/{name}.log") as f: return " up with " in f.read()

    def wait_up(self):
        """Reads the logs, which costs the links less time than asking them."""
        left = {f"{side}{i}" for side in "hb" for i in range(self.links)}
        end = time.monotonic() + START_LIMIT
        while left := {name for name in left if not self.says_up(name)}:
            if time.monotonic() > end: raise TimeoutError(f"{len(left)} are not up: " + sh(f"tail -n 3 {self.d}/{min(left)}.log"))
            time.sleep(.1)

    def hub_pids(self):
        return [pid for p in self.hub for pid in tree(p.pid)]

    def stop(self):
        """Stops the hub, then the branches. Returns the seconds that the hub took."""
        begin, seconds = time.monotonic(), []
        for procs in (self.hub, self.branches):
            for p in procs: p.terminate()
            for p in procs:
                try: p.wait(START_LIMIT)
                finally: p.kill()
            seconds.append(time.monotonic() - begin)
        return seconds[0]

def tree(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f: children = f.read().split()
    return [pid] + [p for child in children for p in tree(int(child))]

# ---- what is measured ----
def processor_seconds(pids):
    """Returns what the scheduler counted, in nanoseconds, and what stat has of it, in ticks; both in seconds."""
    exact = ticks = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f: exact += int(f.read().split()[0])
        with open(f"/proc/{pid}/stat") as f: ticks += sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    return exact / 1e9, ticks / TICK

def idle(pids, seconds):
    before = processor_seconds(pids)
    time.sleep(seconds)
    return [(a - b) / seconds * 100 for a, b in zip(processor_seconds(pids), before)]

def memory(pids):
    """Returns the private memory and the Pss of all, in MiB."""
    private = pss = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f: kib = dict(re.findall(r"^(\w+): +(\d+) kB", f.read(), re.M))
        private += int(kib["Private_Clean"]) + int(kib["Private_Dirty"])
        pss += int(kib["Pss"])
    return private / 1024, pss / 1024

def status(links, options=""):
    """Returns the median time of some runs. Each must tell of every link, and that it is up."""
    seconds = []
    for _ in range(STATUS_RUNS):
        begin = time.monotonic()
        out = sh(f"ip netns exec {HUB} {SALTWAY} status {options}")
        seconds.append(time.monotonic() - begin)
        up = sum(link["state"] == "up" for link in json.loads(out)) if options else len(re.findall(r"^\S+: up with ", out, re.M))
        if up != links: raise RuntimeError(f"{up} of {links} links are up")
    return statistics.median(seconds)

def measure(fleet, seconds):
    begin = time.monotonic()
    fleet.start()
    fleet.wait_up()
    r = {"links": fleet.links, "up_s": time.monotonic() - begin}
    time.sleep(SETTLE)
    pids = fleet.hub_pids()
    r["processes"] = len(pids)
    r["idle_percent"], r["idle_percent_stat"] = idle(pids, seconds)
    r["private_mib"], r["pss_mib"] = (mib / fleet.links for mib in memory(pids))
    r["status_s"], r["status_json_s"] = status(fleet.links), status(fleet.links, "--json")
    r["down_s"] = fleet.stop()
    return r

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-n", type=int, default=200, metavar="LINKS", help="1 to 1000")
    p.add_argument("-s", type=int, default=30, metavar="SECONDS")
    p.add_argument("-o", metavar="results.json")
    a = p.parse_args()
    d = tempfile.mkdtemp(prefix="fleet.")
    os.environ["RUNTIME_DIRECTORY"] = os.environ["STATE_DIRECTORY"] = d
    fleet = Fleet(d, a.n)
    try:
        net_up()
        for i in range(a.n): configure(d, i)
        r = measure(fleet, a.s)
    finally:
        fleet.stop()
        net_down()
        shutil.rmtree(d, ignore_errors=True)
    print(f"{r['links']} links, {r['processes']} processes of the hub")
    for name, what, wanted in FIGURES:
        print(f"{what:48}{r[name]:8.3f}" + (f"   wanted: below {wanted}" if wanted else ""))
    if a.o:
        with open(a.o, "w") as f: json.dump(r, f, indent=1)

if __name__ == "__main__": main()

#!/usr/bin/env python3
"""`saltway test` beside iperf3, through the same link: two network namespaces, one veth.

usage: agreement.py [-r ROUNDS] [-t SECONDS]

Each round measures both directions with both, every other round backwards. The output is medians in Gbit/s and their
ratios, which should be within 10 % of 1.
"""
import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time

import peers
from peers import A, B

def own(program, secs):
    listener = subprocess.Popen(["ip", "netns", "exec", B, program, "test", "--listen", "salt1"], stderr=subprocess.DEVNULL)
    time.sleep(.3)
    try: o = json.loads(peers.ns(A, f"{program} test --json -t {secs} salt0"))
    finally: listener.terminate(); listener.wait()
    return [o[d]["bits_per_second"] / 1e9 for d in ("sending", "receiving")]

def iperf(target, secs):
    return [peers.iperf(target, f"-t {secs} {way}")["end"]["sum_received"]["bits_per_second"] / 1e9 for way in ("", "-R")]

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-r", type=int, default=5); ap.add_argument("-t", type=int, default=4)
    a = ap.parse_args()
    got = {"saltway test": [], "iperf3": []}
    with peers.cubic_allowed():
        d = tempfile.mkdtemp(prefix="peers.")
        peer, procs = peers.Saltway(d), []
        try:
            peers.net_up()
            procs = peer.start()
            peers.wait_up(peer, procs)
            for i in range(a.r):
                for name in list(got)[::-1 if i % 2 else 1]:
                    got[name].append(own(peer.program, a.t) if name != "iperf3" else iperf(peer.target(), a.t))
        finally: peers.stop(procs); peers.net_down(); shutil.rmtree(d, ignore_errors=True)
    med = {name: [statistics.median(way) for way in zip(*rounds)] for name, rounds in got.items()}
    print(f"{'Gbit/s':16}{'sending':>10}{'receiving':>10}")
    for name, ways in med.items(): print(f"{name:16}" + "".join(f"{w:10.2f}" for w in ways))
    print(f"{'ratio':16}" + "".join(f"{x / y:10.2f}" for x, y in zip(*med.values())))

if __name__ == "__main__": main()

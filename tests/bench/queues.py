#!/usr/bin/env python3
"""How long others wait while a link is busy: tunnels against nothing between, on the paths that branch offices have.

usage: queues.py [-r ROUNDS] [-s SCENARIO]... [-o results.json] [--svg chart.svg] [peer ...]

The peers are those of peers.py; "none" is the path alone. Without peers: none, saltway, and what is installed of
wireguard-go-new and fastd. Each round runs every scenario, and each scenario every peer in turn. The output is medians
beside what is wanted, and their ratios to "none" and to the other builds of a peer. What is wanted is no pass or fail.
-s selects the scenarios whose names begin so: `-s table` is all of the table, `-s call-20-4` is one line. A scenario
takes about 12 seconds a peer.

    A ---- veth, tbf at both ends ---- B               table, call, fair, ecn, busy
    A ---- veth ---- wan ---- veth ---- B              shaper, wan: the bottleneck is somewhere else

All TCP streams are cubic and go from A to B. All rates are goodput, but for wire_mbps: bytes of IP that leave A.
"""
import argparse
import contextlib
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import peers
from peers import A, B, INNER, OUTER, ns, sh

ROUTER = A + "r"
WAN = os.path.abspath(os.environ.get("WAN", "build/tests/bench/wan"))
HOST = "10.77.0.3"                  # a second host behind A
SECONDS = 8                         # of a transfer
TBF_100 = "tbf rate 100mbit burst 32k latency 50ms"
TBF_20 = "tbf rate 20mbit burst 16k latency 400ms"
TBF_1000 = "tbf rate 1gbit burst 256k latency 50ms"
TBF_SHALLOW = "tbf rate 200mbit burst 4000 limit 20000"

# ---- the path: a context in which the namespaces exist, the peer runs, and the target answers ----
def router_up():
    """Puts a namespace between A and B, in which wan will forward. Nothing segments or coalesces."""
    for n in (ROUTER, A, B): sh(f"ip netns add {n}"); sh(f"ip -n {n} link set lo up")
    ns(ROUTER, "sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
    for n, r in ((A, "ra"), (B, "rb")):
        sh(f"ip link add veth0 netns {n} type veth peer name {r} netns {ROUTER}")
        sh(f"ip -n {n} addr add {OUTER[n]}/24 dev veth0")
        for where, device in ((n, "veth0"), (ROUTER, r)):
            ns(where, f"ethtool -K {device} tx off tso off gso off gro off")
            sh(f"ip -n {where} link set {device} up")
        ns(n, "sysctl -qw net.ipv4.tcp_congestion_control=cubic")

def host_up(target):
    """Gives A a second address, which B reaches in the same way as the first."""
    sh(f"ip -n {A} addr add {HOST}/32 dev lo")
    first = OUTER[A] if target == OUTER[B] else INNER[A]
    device = {h: re.search(r"dev (\S+)", sh(f"ip -n {B} route get {h}", check=False)) for h in (first, HOST)}
    if not device[HOST] or device[HOST][1] != device[first][1]: sh(f"ip -n {B} route replace {HOST} dev {device[first][1]}")

def clean_up(procs, directory):
    """Ends the peer, and whatever else runs in the namespaces. Ctrl-C does not interrupt it."""
    before = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM)}
    peers.stop(procs)
    for n in (A, B, ROUTER):
        for pid in sh(f"ip netns pids {n} 2>/dev/null", check=False).split():
            with contextlib.suppress(OSError): os.kill(int(pid), signal.SIGKILL)
    peers.net_down(); sh(f"ip netns del {ROUTER}", check=False)
    shutil.rmtree(directory, ignore_errors=True)
    for s in before: signal.signal(s, before[s])

@contextlib.contextmanager
def running(name, tbf="", wan="", settings=""):
    d = tempfile.mkdtemp(prefix="queues.")
    procs = []
    try:
        with peers.cubic_allowed(): (router_up if wan else peers.net_up)()
        if wan: procs.append(peers.spawn(ROUTER, f"{WAN} ra rb {wan}", f"{d}/wan.log"))
        peer = peers.peer_of(name, d)
        peer.settings, peer.more_hosts = settings, f", {HOST}/32"
        procs += peer.start()
        peers.wait_up(peer, procs)
        host_up(peer.target())
        for n in (A, B) if tbf else (): sh(f"tc -n {n} qdisc add dev veth0 root {tbf}")
        yield peer
    finally: clean_up(procs, d)

# ---- what is measured ----
class Streams:
    """TCP streams from A to B, as a context. result() waits for their end."""
    def __init__(self, target, streams, seconds=SECONDS, port=5201, options=""):
        self.server = peers.spawn(B, f"iperf3 -s -1 -p {port}", "/dev/null")
        time.sleep(.3)
        self.client = subprocess.Popen(["ip", "netns", "exec", A, "iperf3", "-J", "-c", target, "-p", str(port), "-t", str(seconds),
                                        "-P", str(streams), *options.split()], text=True, stdout=subprocess.PIPE)
        self.seconds = seconds
    def __enter__(self): return self
    def __exit__(self, *_): peers.stop([self.client, self.server])
    def result(self):
        end = json.loads(self.client.communicate(timeout=self.seconds + 30)[0])["end"]
        return {"mbps": end["sum_received"]["bits_per_second"] / 1e6, "retransmits": end["sum_sent"]["retransmits"]}

def ping(target, count=100, options=""):
    out = ns(A, f"ping -q -c {count} -i 0.05 {options} {target}", check=False)
    times = re.search(r"= [\d.]+/([\d.]+)/([\d.]+)/", out)
    r = {"ping_lost": count * float(re.search(r"([\d.]+)% packet loss", out)[1]) / 100}
    return r | {"ping_ms": float(times[1]), "ping_max_ms": float(times[2])} if times else r

def socket_in(n, address):
    """Returns a UDP socket of a namespace, with the kernel's time of receipt."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{n}") as there:
        if libc.setns(there.fileno(), 0x40000000): raise OSError(ctypes.get_errno(), "setns") # CLONE_NEWNET
        try: s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        finally: libc.setns(home.fileno(), 0x40000000)
    s.setsockopt(socket.SOL_SOCKET, 35, 1) # SO_TIMESTAMPNS
    s.bind((address, 0))
    return s

class Caller:
    """One side of a call: 50 packets of 200 bytes a second, and the interarrival jitter of RFC 3550, section 6.4.1."""
    def __init__(self, n, address):
        self.socket, self.sent, self.received = socket_in(n, address), 0, 0
        self.transit, self.jitter, self.jitters = None, 0, []
    def send(self, to):
        packet = struct.pack("!Q", time.time_ns()).ljust(172, b"\0") # and 28 bytes of headers
        self.sent += 1
        try: self.socket.sendto(packet, to)
        except OSError: pass # counts as lost
    def receive(self):
        packet, ancillary, _, _ = self.socket.recvmsg(2048, 64)
        seconds, ns_ = struct.unpack("qq", ancillary[0][2])
        transit = seconds * 10**9 + ns_ - struct.unpack("!Q", packet[:8])[0]
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
            self.jitters.append(self.jitter / 1e6)
        self.transit, self.received = transit, self.received + 1

def call(target, seconds=5):
    """Both ways at once; lost is the sum, jitter the mean over the packets of the worse direction."""
    near = Caller(A, OUTER[A] if target == OUTER[B] else INNER[A]); far = Caller(B, target)
    to = {near: far.socket.getsockname(), far: near.socket.getsockname()}
    start, packets = time.monotonic(), 0
    while True:
        elapsed = time.monotonic() - start
        if packets < seconds * 50 and elapsed >= packets * .02:
            for side in to: side.send(to[side])
            packets += 1
        if elapsed > seconds + 1.5: break # the last packets may be late, not lost
        for s in select.select([near.socket, far.socket], [], [], max(0, packets * .02 - elapsed))[0]:
            (near if s is near.socket else far).receive()
    for side in to: side.socket.close()
    return {"call_lost": near.sent + far.sent - near.received - far.received,
            "jitter_ms": max(statistics.mean(side.jitters) for side in to if side.jitters)}

def ce_marks():
    names, values = (l.split() for l in ns(B, "cat /proc/net/netstat").splitlines() if l.startswith("IpExt:"))
    return int(values[names.index("InCEPkts")])

def wire_bytes():
    """Returns the bytes of IP that have left A."""
    n = [int(x) for x in ns(A, "cat /sys/class/net/veth0/statistics/tx_bytes /sys/class/net/veth0/statistics/tx_packets").split()]
    return n[0] - 14 * n[1]

# ---- the scenarios ----
def beside(name, tbf="", streams=4, options="", **path):
    """Pings beside TCP streams."""
    with running(name, tbf, **path) as peer, Streams(peer.target(), streams, options=options) as s:
        time.sleep(3 if options else 2)
        return ping(peer.target()) | s.result()

def busy(name, tbf, streams):
    """Pings beside TCP streams, while two other programs a processor calculate. The service runs at nice -10, and saltway@SCRIPT
    does so with a script of `exec nice -n -10 saltway "$@"`; a peer does not."""
    others = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * os.cpu_count())]
    try: return beside(name, tbf, streams)
    finally: peers.stop(others)

def many(name):
    """100 streams against one."""
    with running(name) as peer:
        r = {}
        for count, key in ((1, "one_gbps"), (100, "hundred_gbps")):
            with Streams(peer.target(), count, 4) as s: r[key] = s.result()["mbps"] / 1e3
        return r | {"hundred_to_one": r["hundred_gbps"] / r["one_gbps"]}

def a_call(name, tbf, streams):
    with running(name, tbf) as peer, Streams(peer.target(), streams) as s:
        time.sleep(2)
        return call(peer.target()) | s.result()

def fair_streams(name):
    """One stream, and 16 of another host. The part of the one is in parts of its due, a 17th."""
    with running(name, TBF_100) as peer, Streams(peer.target(), 16, SECONDS + 1, 5202, f"-B {HOST}") as sixteen:
        time.sleep(.5)
        with Streams(peer.target(), 1) as one:
            time.sleep(2)
            r = ping(peer.target())
            o, s = one.result()["mbps"], sixteen.result()["mbps"]
    return r | {"one_mbps": o, "sixteen_mbps": s, "part": o / (o + s) * 17}

def fair_flood(name):
    """300 Mbit/s of UDP from another host into 100."""
    with running(name, TBF_100) as peer, Streams(peer.target(), 1, SECONDS, 5202, f"-B {HOST} -u -b 300M -l 1200"):
        time.sleep(2)
        return ping(peer.target())

def ecn(name, tbf):
    with running(name, tbf) as peer:
        for n in (A, B): ns(n, "sysctl -qw net.ipv4.tcp_ecn=1")
        before = ce_marks()
        with Streams(peer.target(), 4) as s:
            time.sleep(2)
            r = ping(peer.target()) | s.result()
        return r | {"marks": ce_marks() - before}

def shaper(name):
    """Bandwidth = 50mbit behind a router of 60 Mbit/s with 300 ms of buffer; then 40mbit, by a reload under traffic."""
    saltway = name.startswith("saltway")
    with running(name, wan="0 60 300 0 0", settings="Bandwidth = 50mbit\n" if saltway else "") as peer, \
         Streams(peer.target(), 4, SECONDS + 6) as s:
        time.sleep(2)
        bytes_, start = wire_bytes(), time.monotonic()
        r = ping(peer.target())
        r["wire_mbps"] = (wire_bytes() - bytes_) * 8e-6 / (time.monotonic() - start)
        if saltway:
            for i, n in enumerate((A, B)):
                f = f"{peer.d}/salt{i}.conf"
                text = open(f).read(); open(f, "w").write(text.replace("50mbit", "40mbit"))
            reload = peers.spawn(A, f"sleep 1; {peer.program} reload {peer.d}/salt0.conf", f"{peer.d}/reload.log")
            r["reload_lost"] = call(peer.target(), 3)["call_lost"]
            if reload.wait(5): raise RuntimeError("reload: " + open(f"{peer.d}/reload.log").read())
        return r | s.result()

def knows_bandwidth(name):
    """Does the program of a peer know the key?"""
    with tempfile.TemporaryDirectory() as d:
        program = peers.peer_of(name).program
        sh(f"umask 077; {program} genkey > {d}/k")
        open(f"{d}/x.conf", "w").write(f"[Interface]\nAddress = 10.0.0.1/30\nBandwidth = 50mbit\n"
                                       f"[Peer]\nPresharedKeyFile = {d}/k\nEndpoint = 192.0.2.1:51900\nAllowedIPs = 10.0.0.2/32\n")
        return "Bandwidth" not in sh(f"{program} check {d}/x.conf", check=False)

class Scenario:
    def __init__(self, title, run, **wanted): self.title, self.run, self.wanted = title, run, wanted

def scenarios():
    no_wait = {"ping_lost": "0"}
    s = {
        "table-100": Scenario("100 Mbit/s, 50 ms of buffer, 4 streams", lambda n: beside(n, TBF_100), ping_ms="<= 10", mbps=">= 90", **no_wait),
        "table-20": Scenario("20 Mbit/s, 400 ms of buffer, 4 streams", lambda n: beside(n, TBF_20), ping_ms="<= 25", mbps=">= 18", **no_wait),
        "table-1000": Scenario("1 Gbit/s, 50 ms of buffer, 16 streams", lambda n: beside(n, TBF_1000, 16), ping_ms="<= 10", mbps=">= 900", **no_wait),
        "table-nolimit": Scenario("no limit but the processors, 1 stream", lambda n: beside(n, streams=1), ping_ms="<= 2.5", **no_wait),
        "table-shallow": Scenario("200 Mbit/s, burst 4000, limit 20000, 4 streams", lambda n: beside(n, TBF_SHALLOW), mbps=">= none"),
        "table-streams": Scenario("100 streams against 1, no limit", many, hundred_to_one=">= 0.95")}
    for rate, tbf in ((20, TBF_20), (100, TBF_100)):
        for count in (1, 4, 16):
            s[f"call-{rate}-{count}"] = Scenario(f"a call beside {count} streams at {rate} Mbit/s", lambda n, tbf=tbf, count=count: a_call(n, tbf, count),
                                                 call_lost="0", jitter_ms="<= 3")
    s["busy-100"] = Scenario("table-100 beside busy programs", lambda n: busy(n, TBF_100, 4), ping_ms="<= 10", mbps=">= 90", **no_wait)
    s["busy-1000"] = Scenario("table-1000 beside busy programs", lambda n: busy(n, TBF_1000, 16), ping_ms="<= 10", mbps=">= 900", **no_wait)
    s["fair-streams"] = Scenario("1 stream, and 16 of another host, at 100 Mbit/s", fair_streams, part="about 1")
    s["fair-flood"] = Scenario("ping beside another host's UDP flood at 100 Mbit/s", fair_flood, ping_ms="<= 15", **no_wait)
    for rate, tbf, wanted in ((20, TBF_20, "<= 25"), (100, TBF_100, "<= 10")):
        s[f"ecn-{rate}"] = Scenario(f"4 streams with ECN at {rate} Mbit/s", lambda n, tbf=tbf: ecn(n, tbf),
                                    ping_ms=wanted, retransmits="0", marks="> 0", **no_wait)
    s["shaper"] = Scenario("Bandwidth = 50mbit behind 60 Mbit/s with 300 ms of buffer", shaper, ping_ms="<= 15", wire_mbps=">= 47", reload_lost="0", **no_wait)
    for name, title, wan, streams in (("clean", "100 Mbit/s, 20 ms, 50 ms of queue, 1 stream", "10 100 50 0 0", 1),
                                      ("loss01", "the same, 0.1 % loss, 4 streams", "10 100 50 1 0", 4),
                                      ("loss1", "the same, 1 % loss, 4 streams", "10 100 50 10 0", 4),
                                      ("reorder", "the same, 2 % reordered, 4 streams", "10 100 50 0 20", 4),
                                      ("500", "500 Mbit/s, 10 ms, 5 ms of queue, 4 streams", "5 500 5 0 0", 4),
                                      ("300", "300 Mbit/s, 30 ms, 2 ms of queue, 4 streams", "15 300 2 0 0", 4)):
        s[f"wan-{name}"] = Scenario(title, lambda n, wan=wan, streams=streams: beside(n, streams=streams, options="-O 2", wan=wan), mbps=">= 0.95 none")
    return s

# ---- the output ----
def medians(runs):
    return {k: statistics.median(x[k] for x in runs if k in x) for k in dict.fromkeys(k for x in runs for k in x)}

def bases(name, names):
    return [n for n in peers.bases(name, names) | {"none": None} if n in names and n not in (name, "wireguard-go")]

def table(name, scenario, med):
    """Prints one line a quantity."""
    pairs = [(n, b) for n in med for b in bases(n, med)]
    heads = [*med, *(f"{n} / {b}" for n, b in pairs)]
    print(f"\n{name}: {scenario.title}\n{'':16}{'wanted':>14}" + "".join(f"  {h:>12}" for h in heads))
    number = lambda v, w: f"  {'-' if v is None else f'{v:.2f}':>{max(12, len(w))}}"
    for k in dict.fromkeys(k for m in med.values() for k in m):
        values = [m.get(k) for m in med.values()] + [med[n][k] / med[b][k] if k in med[n] and med[b].get(k) else None for n, b in pairs]
        print(f"{k:16}{scenario.wanted.get(k, ''):>14}" + "".join(map(number, values, heads)))

def chart(results, path):
    """Plots the ping beside streams with gnuplot, a group of bars a path."""
    groups = [s for s in ("table-20", "table-100", "table-1000") if s in results]
    names = list(dict.fromkeys(n for s in groups for n in results[s]))
    if not names: return
    rows = "\n".join(" ".join([f'"{scenarios()[s].title.replace(" of buffer, ", chr(92) + "n")}"'] + [f"{results[s].get(n, {}).get('ping_ms', 'NaN')}" for n in names])
                     for s in groups)
    colours = ["#9aa5ab", "#2f6f8f", "#c98a3d", "#7a8f4b", "#8a5a83"]
    plots = ", ".join(f'$rows using {i + 2}:xtic(1) title "{n}" lc rgb "{colours[i % len(colours)]}"' for i, n in enumerate(names))
    program = f"""set terminal svg size 640,320 font "sans,12"; set output "{path}"
set style data histograms; set style fill solid 0.8 noborder; set boxwidth 0.9; set yrange [0:*]; set grid y
set ylabel "ping beside TCP streams, ms"; set key noenhanced top right\n$rows << EOD\n{rows}\nEOD\nplot {plots}\n"""
    subprocess.run(["gnuplot"], input=program, text=True, check=False)

def interrupt(*_): raise KeyboardInterrupt

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-r", type=int, default=3, help="rounds")
    ap.add_argument("-s", action="append", default=[], metavar="SCENARIO", help=", ".join(scenarios()))
    ap.add_argument("-o"); ap.add_argument("--svg"); ap.add_argument("peer", nargs="*")
    a = ap.parse_args()
    chosen = {k: s for k, s in scenarios().items() if not a.s or k.startswith(tuple(a.s))}
    if not chosen: ap.error(f"no scenario begins with {' or '.join(a.s)}; there are {', '.join(scenarios())}")
    names = a.peer or ["none", "saltway", "wireguard-go-new", "fastd"]
    for n in [n for n in names if not peers.peer_of(n).available()]:
        print(f"{n}: {peers.peer_of(n).program} not found", file=sys.stderr); names.remove(n)
    for n in names if "shaper" in chosen else ():
        if n.startswith("saltway") and not knows_bandwidth(n):
            print(f"shaper: skipped, {n} does not know Bandwidth", file=sys.stderr); chosen.pop("shaper"); break
    for s in (signal.SIGINT, signal.SIGTERM): signal.signal(s, interrupt)
    got = {s: {n: [] for n in names} for s in chosen}
    with contextlib.suppress(KeyboardInterrupt):
        for _ in range(a.r):
            for s, scenario in chosen.items():
                for n in names:
                    load = os.getloadavg()[0] # of other programs, too: they slow down what the processors limit
                    try: got[s][n].append(scenario.run(n) | {"load": load})
                    except Exception as e: print(f"{s}, {n}: {e}", file=sys.stderr); continue
                    print(f"{s:14} {n:18} " + " ".join(f"{k}={v:.1f}" for k, v in got[s][n][-1].items()), file=sys.stderr, flush=True)
    med = {s: {n: medians(runs) for n, runs in g.items() if runs} for s, g in got.items()}
    for s in med:
        if med[s]: table(s, chosen[s], med[s])
    if a.o:
        with open(a.o, "w") as f: json.dump({"median": med, "runs": got}, f, indent=1)
    if a.svg: chart(med, a.svg)

if __name__ == "__main__": main()

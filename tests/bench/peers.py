#!/usr/bin/env python3
"""Side-by-side benchmark of tunnels on one machine: two network namespaces, one veth.

usage: peers.py [-r ROUNDS] [-t SECONDS] [-o results.json] [peer ...]

Each round runs every peer once, in turn, so that noise of the machine affects all alike; every other round runs them
backwards. 64-byte UDP and ping, which vary most, are measured three times in a round. The output is medians, and
their ratios to the reference (wireguard-go), to the plain peer of a variant, and to the other builds of a peer. Measured
are TCP (with all retransmits, and the datagrams that overflowed the receive buffers of UDP sockets), processor time of the
daemons and of the machine, 64-byte UDP, ping, and memory. A peer whose program is missing is skipped. Environment
variables name programs built by hand:
  WIREGUARD_GO_NEW=... GLORYTUN=... SALTWAY=...
All peers use cubic, which the namespaces are allowed to use during the run. With BBR, the default of some kernels, the
pacing timers cost a virtual machine more than the tunnels do.
The peer "none" is the bare veth. The variants "+nogso" and "+jumbo" of a peer run it on a path without UDP segmentation
and GRO, and on a path with an MTU of 9000. "saltway+nosandbox" has Sandbox = off. "saltway@/path/to/saltway" is another
build; all builds get the same configuration. Variants and builds run only when they are named.
The cost of the sandbox:  peers.py saltway saltway+nosandbox
The cost of a change:     peers.py -r 5 saltway saltway@/path/to/the/build/before
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

A, B = f"pb_a_{os.getpid()}", f"pb_b_{os.getpid()}"
OUTER = {A: "192.168.77.1", B: "192.168.77.2"}
INNER = {A: "10.77.0.1", B: "10.77.0.2"}
TICK = os.sysconf("SC_CLK_TCK")

def sh(cmd, check=True):
    return subprocess.run(cmd, shell=True, check=check, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

def ns(n, cmd, check=True):
    return sh(f"ip netns exec {n} {cmd}", check)

def spawn(n, cmd, log):
    return subprocess.Popen(["ip", "netns", "exec", n, "sh", "-c", "exec " + cmd],
                            stdout=open(log, "ab"), stderr=subprocess.STDOUT)

def other(n): return B if n == A else A

def path_options(variant):
    for n in (A, B):
        if variant == "nogso": ns(n, "ethtool -K veth0 tx-udp-segmentation off gro off")
        if variant == "jumbo": sh(f"ip -n {n} link set veth0 mtu 9000")

@contextlib.contextmanager
def cubic_allowed():
    name = "/proc/sys/net/ipv4/tcp_allowed_congestion_control"
    with open(name) as f: before = f.read()
    if "cubic" in before.split(): yield; return
    with open(name, "w") as f: f.write(before.strip() + " cubic")
    try: yield
    finally:
        with open(name, "w") as f: f.write(before)

def net_up():
    for n in (A, B): sh(f"ip netns add {n}"); sh(f"ip -n {n} link set lo up")
    sh(f"ip link add veth0 netns {A} type veth peer name veth0 netns {B}")
    for n in (A, B):
        sh(f"ip -n {n} addr add {OUTER[n]}/24 dev veth0"); sh(f"ip -n {n} link set veth0 up")
        ns(n, "sysctl -qw net.ipv4.tcp_congestion_control=cubic")

def net_down():
    for n in (A, B): sh(f"ip netns del {n}", check=False)

# ---- one class a peer: start() returns the daemons; the tunnel is up when INNER answers ----
class Peer:
    program = None
    settings = ""           # more lines for [Interface], where the peer is saltway
    more_hosts = ""         # more AllowedIPs of B, each after a comma
    def __init__(self, d, variant=""): self.d = d; self.variant = variant; self.mtu = 9000 if variant == "jumbo" else 1500
    def available(self): return self.program is None or shutil.which(self.program) is not None
    def target(self): return INNER[B]
    def start(self): return []

class Bare(Peer):
    def target(self): return OUTER[B]

class WireguardGo(Peer):
    program = "wireguard-go"
    def start(self):
        key = {n: sh("wg genkey").strip() for n in (A, B)}
        pub = {n: sh(f"echo {key[n]} | wg pubkey").strip() for n in (A, B)}
        procs = []
        for i, n in enumerate((A, B)):
            dev = f"wgb{i}_{os.getpid() % 10000}"
            procs.append(spawn(n, f"env WG_PROCESS_FOREGROUND=1 {self.program} -f {dev}", f"{self.d}/{i}.log"))
            for _ in range(50):
                if os.path.exists(f"/var/run/wireguard/{dev}.sock"): break
                time.sleep(.05)
            kf = f"{self.d}/{n}.key"; open(kf, "w").write(key[n])
            ns(n, f"wg set {dev} listen-port 51820 private-key {kf} peer {pub[other(n)]} "
                  f"allowed-ips 0.0.0.0/0 endpoint {OUTER[other(n)]}:51820")
            sh(f"ip -n {n} addr add {INNER[n]}/24 dev {dev}")
            sh(f"ip -n {n} link set {dev} mtu {self.mtu - 80} up")
        return procs

class WireguardGoNew(WireguardGo):
    program = os.environ.get("WIREGUARD_GO_NEW", "/nonexistent")

class OpenvpnStatic(Peer):
    program = "openvpn"
    def start(self):
        sh(f"openvpn --genkey secret {self.d}/s.key")
        return [spawn(n, f"openvpn --dev tun --remote {OUTER[other(n)]} --port 1194 --proto udp "
                         f"--ifconfig {INNER[n]} {INNER[other(n)]} --secret {self.d}/s.key {i} "
                         f"--cipher AES-256-CBC --auth SHA256 --verb 1",
                      f"{self.d}/{i}.log") for i, n in enumerate((A, B))]

class Tinc(Peer):
    program = "tincd"
    def start(self):
        for n, name in ((A, "a"), (B, "b")):
            c = f"{self.d}/{name}"; os.makedirs(c + "/hosts", exist_ok=True)
            open(c + "/tinc.conf", "w").write(f"Name = {name}\nInterface = tinc0\nDeviceType = tun\nConnectTo = {'b' if name == 'a' else 'a'}\n")
            open(c + f"/hosts/{name}", "w").write(f"Address = {OUTER[n]}\nSubnet = {INNER[n]}/32\n")
            open(c + "/tinc-up", "w").write(f"#!/bin/sh\nip addr add {INNER[n]}/24 dev $INTERFACE\nip link set $INTERFACE up\n")
            os.chmod(c + "/tinc-up", 0o755)
            sh(f"tincd -c {c} -K2048 </dev/null")
        for x, y in (("a", "b"), ("b", "a")):
            shutil.copy(f"{self.d}/{x}/hosts/{x}", f"{self.d}/{y}/hosts/{x}")
        return [spawn(n, f"tincd -D -c {self.d}/{c} --pidfile={self.d}/{c}.pid", f"{self.d}/{c}.log") for n, c in ((A, "a"), (B, "b"))]

class Fastd(Peer):
    program = "fastd"
    def start(self):
        k = {}
        for n in (A, B):
            o = sh("fastd --generate-key 2>&1")
            k[n] = (re.search(r"Secret: (\w+)", o)[1], re.search(r"Public: (\w+)", o)[1])
        procs = []
        for i, n in enumerate((A, B)):
            f = f"{self.d}/{i}.conf"
            open(f, "w").write(f'''mode tun; interface "fastd0"; method "salsa2012+umac"; bind {OUTER[n]}:10000; mtu 1420;
secret "{k[n][0]}"; on up "ip addr add {INNER[n]} peer {INNER[other(n)]} dev $INTERFACE; ip link set $INTERFACE up";
peer "o" {{ key "{k[other(n)][1]}"; remote {OUTER[other(n)]}:10000; }}\n''')
            procs.append(spawn(n, f"fastd -c {f}", f"{self.d}/{i}.log"))
        return procs

class Glorytun(Peer):
    program = os.environ.get("GLORYTUN", "/nonexistent")
    def start(self):
        open(f"{self.d}/k", "w").write(sh(f"{self.program} keygen").split()[-1] + "\n")
        procs = [spawn(n, f"{self.program} bind from addr {OUTER[n]} port 5000 to addr {OUTER[other(n)]} port 5000 "
                          f"keyfile {self.d}/k dev gt{i}", f"{self.d}/{i}.log") for i, n in enumerate((A, B))]
        time.sleep(1)
        for i, n in enumerate((A, B)):
            ns(n, f"{self.program} path dev gt{i} addr {OUTER[n]} set up rate fixed tx 1250000000 rx 1250000000", check=False)
            sh(f"ip -n {n} addr add {INNER[n]} peer {INNER[other(n)]} dev gt{i}", check=False); sh(f"ip -n {n} link set gt{i} mtu 1400 up", check=False)
        return procs

class Saltway(Peer):
    program = os.path.abspath(os.environ.get("SALTWAY", "build/saltway"))
    def start(self):
        sh(f"umask 077; {self.program} genkey > {self.d}/link.key")
        procs = []
        os.environ["RUNTIME_DIRECTORY"] = os.environ["STATE_DIRECTORY"] = self.d
        for i, n in enumerate((A, B)):
            f = f"{self.d}/salt{i}.conf"
            sandbox = "off" if self.variant == "nosandbox" else "on"
            mtu = 32 + (self.mtu - 56 - 32) // 64 * 64 # over IPv4, in whole blocks of the cipher
            open(f, "w").write(f"[Interface]\nAddress = {INNER[n]}/24\nListenPort = 51900\nMTU = {mtu}\nSandbox = {sandbox}\n{self.settings}"
                               f"[Peer]\nPresharedKeyFile = {self.d}/link.key\nEndpoint = {OUTER[other(n)]}:51900\nAllowedIPs = {INNER[other(n)]}/32{self.more_hosts if n == B else ''}\n")
            procs.append(spawn(n, f"{self.program} up {f}", f"{self.d}/{i}.log"))
        return procs

PEERS = {"none": Bare, "saltway": Saltway, "wireguard-go-new": WireguardGoNew, "wireguard-go": WireguardGo, "openvpn-static": OpenvpnStatic,
         "tinc": Tinc, "fastd": Fastd, "glorytun": Glorytun}

def peer_of(name, directory=""):
    """Returns the peer of a name: KIND, KIND+VARIANT, KIND@PROGRAM or KIND@PROGRAM+VARIANT."""
    kind, variant = re.fullmatch(r"(.*?)(?:\+(\w+))?", name).groups()
    kind, _, program = kind.partition("@")
    if kind not in PEERS: sys.exit(f"peers.py: unknown peer {kind}; known peers: {', '.join(PEERS)}")
    peer = PEERS[kind](directory, variant or "")
    if program: peer.program = os.path.abspath(program)
    return peer

def bases(name, names):
    """Returns the peers to compare a peer with: a variant with the plain peer, a build with the other builds."""
    builds = [n for n in names if "@" in n and re.sub(r"@[^+]*", "", n) == name]
    return dict.fromkeys(["wireguard-go", re.sub(r"\+\w+$", "", name)] + builds)

# ---- measuring ----
def leaves(pid):
    """Returns the process and its descendants. Normally there is one: ip netns exec and sh both exec."""
    out = [pid]
    for c in sh(f"pgrep -P {pid}", check=False).split(): out += leaves(int(c))
    return out

def cpu(procs):
    t = 0
    for p in procs:
        for pid in leaves(p.pid):
            try: f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split(); t += int(f[11]) + int(f[12])
            except OSError: pass
    return t / TICK

def rss(procs):
    m = 0
    for p in procs:
        for pid in leaves(p.pid):
            r = re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()); m = max(m, int(r[1]) if r else 0)
    return m / 1024

def busy():
    v = [int(x) for x in open("/proc/stat").readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / TICK

def socket_drops(n):
    names, values = (l.split() for l in ns(n, "cat /proc/net/snmp").splitlines() if l.startswith("Udp:"))
    return int(values[names.index("RcvbufErrors")])

def iperf(target, args):
    s = spawn(B, "iperf3 -s -1", "/dev/null"); time.sleep(.3)
    try: o = json.loads(ns(A, f"timeout 60 iperf3 -J -c {target} {args}", check=False))
    finally: s.terminate(); s.wait()
    return o

def rtt(target):
    """Returns the mean round trip of 500 pings, in microseconds."""
    out = ns(A, f"ping -q -c 500 -i 0.002 {target}", check=False)
    return float(re.search(r"= [\d.]+/([\d.]+)/", out)[1]) * 1000

def udp64(target, secs):
    """Returns the packets of 64 bytes that arrive, in thousands a second."""
    o = iperf(target, f"-u -l 64 -b 0 -w 4M -t {secs}")["end"]["sum"]
    return (o["packets"] - o["lost_packets"]) / o["seconds"] / 1e3

def wait_up(peer, procs):
    for _ in range(60):
        if " 0% packet loss" in ns(A, f"ping -c1 -W1 {peer.target()}", check=False): return
        if any(p.poll() is not None for p in procs): raise RuntimeError("daemon exited: " + sh(f"tail -qn 3 {peer.d}/*.log", check=False))
        time.sleep(.25)
    raise RuntimeError("no ping: " + sh(f"tail -qn 3 {peer.d}/*.log", check=False))

def stop(procs):
    for p in procs:
        for pid in reversed(leaves(p.pid)):
            try: os.kill(pid, signal.SIGTERM)
            except OSError: pass
    for p in procs:
        try: p.wait(5)
        except subprocess.TimeoutExpired: p.kill(); p.wait()

def measure(peer, secs):
    t, r = peer.target(), {}
    procs = peer.start()
    try:
        wait_up(peer, procs)
        r["rtt_us"] = statistics.median(rtt(t) for _ in range(3))
        for name, args in (("tcp1", ""), ("tcp1_rev", "-R"), ("tcp4", "-P 4")):
            c0, b0 = cpu(procs), busy()
            o = iperf(t, f"-t {secs} {args}")["end"]
            gb = o["sum_received"]["bytes"] / 1e9
            r[name + "_gbps"] = o["sum_received"]["bits_per_second"] / 1e9
            r["retrans"] = r.get("retrans", 0) + o["sum_sent"].get("retransmits", 0)
            if name == "tcp1": r["cpu_s_per_gb"] = (cpu(procs) - c0) / gb; r["busy_s_per_gb"] = (busy() - b0) / gb
        r["dropped"] = sum(socket_drops(n) for n in (A, B))
        r["udp64_kpps"] = statistics.median(udp64(t, max(2, secs // 2)) for _ in range(3))
        r["rss_mib"] = rss(procs) if procs else 0
    finally: stop(procs)
    return r

def chart(med, path):
    """Plots one TCP stream with gnuplot, one bar a peer."""
    rows = "\n".join(f'"{n}" {m["tcp1_gbps"]:.2f}' for n, m in med.items() if n != "none")
    program = f"""set terminal svg size 640,320 font "sans,12"; set output "{path}"
set style fill solid 0.8 noborder; set boxwidth 0.7; unset key; set yrange [0:*]; set grid y
set ylabel "Gbit/s, one TCP stream"; set xtics noenhanced font ",9"
$rows << EOD\n{rows}\nEOD\nplot $rows using 0:2:xtic(1) with boxes lc rgb "#2f6f8f\"\n"""
    subprocess.run(["gnuplot"], input=program, text=True, check=False)

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("-r", type=int, default=3); ap.add_argument("-t", type=int, default=4)
    ap.add_argument("-o"); ap.add_argument("--svg"); ap.add_argument("peer", nargs="*")
    a = ap.parse_args()
    names = [n for n in (a.peer or PEERS) if peer_of(n).available()]
    for n in a.peer:
        if n not in names: print(f"{n}: {peer_of(n).program} not found", file=sys.stderr)
    got = {n: [] for n in names}
    with cubic_allowed():
        for n in (names + names[::-1]) * (a.r // 2) + names * (a.r % 2):
            d = tempfile.mkdtemp(prefix="peers.")
            peer = peer_of(n, d)
            try:
                net_up()
                path_options(peer.variant)
                got[n].append(measure(peer, a.t))
            except Exception as e: print(f"{n}: {e}", file=sys.stderr)
            finally: net_down(); shutil.rmtree(d, ignore_errors=True)
    med = {n: {k: statistics.median(x[k] for x in v if k in x) for k in v[0]} for n, v in got.items() if v}
    cols = ["tcp1_gbps", "tcp1_rev_gbps", "tcp4_gbps", "retrans", "dropped", "cpu_s_per_gb", "busy_s_per_gb", "udp64_kpps", "rtt_us", "rss_mib"]
    width = max(map(len, med)) + 20
    print(f"{'peer':{width}}" + "".join(f"{c:>15}" for c in cols))
    for n, m in med.items(): print(f"{n:{width}}" + "".join(f"{m[c]:15.2f}" for c in cols))
    for n, m in med.items():
        for base in bases(n, med):
            reference = med.get(base)
            if reference and m is not reference:
                print(f"{n + ' / ' + base:{width}}" + "".join(f"{m[c] / reference[c]:15.2f}" if reference[c] else f"{'-':>15}" for c in cols))
    if a.o: json.dump({"median": med, "runs": got}, open(a.o, "w"), indent=1)
    if a.svg: chart(med, a.svg)

if __name__ == "__main__": main()

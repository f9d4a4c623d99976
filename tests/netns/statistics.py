#!/usr/bin/env python3
"""usage: statistics.py CAPTURE LINKS

What can be told of the datagrams in a capture (pcap of Ethernet, IPv4, UDP) of so many links, each on a port of its
own, by who has no key: fails if in the first, the second, ... datagram of all links a bit of the payload is always the
same, a byte takes too few values, or all bytes together are not as even as random ones; or if handshakes have the same
lengths, or tries come at the same intervals.
"""
import collections
import struct
import sys

def datagrams(path):
    data = open(path, "rb").read()
    at = 24
    while at + 16 <= len(data):
        seconds, micros, length = struct.unpack_from("<III", data, at)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00" and frame[23] == 17:
            udp = 14 + (frame[14] & 15) * 4
            ports = struct.unpack_from(">HH", frame, udp)
            yield seconds + micros / 1e6, ports, frame[udp + 8:]

def fail(text):
    print("TOLD BY STATISTICS: " + text)
    sys.exit(1)

def check_positions(what, payloads):
    for position in range(min(map(len, payloads))):
        column = [p[position] for p in payloads]
        for bit in range(8):
            if len({v >> bit & 1 for v in column}) == 1:
                fail(f"{what}: bit {bit} of byte {position} is constant")
        # of 256 values, n random draws take 256 (1 - (255/256)^n) on average; half of that never happens
        if 2 * len(set(column)) < 256 * (1 - (255 / 256) ** len(column)):
            fail(f"{what}: byte {position} takes {len(set(column))} values only")

def check_evenness(payloads):
    count = collections.Counter(b"".join(payloads))
    total = sum(count.values())
    chi = sum((count[v] - total / 256) ** 2 / (total / 256) for v in range(256))
    print(f"{total} bytes, chi squared {chi:.0f} (255 degrees of freedom)")
    if chi > 255 + 8 * (2 * 255) ** .5: fail("the bytes are not evenly distributed")

links, times = collections.defaultdict(list), collections.defaultdict(list)
for time, ports, payload in datagrams(sys.argv[1]):
    links[max(ports)].append(payload)
    times[max(ports)].append(time)
wanted = int(sys.argv[2])
if len(links) < wanted: fail(f"{len(links)} links are in the capture, not {wanted}")
check_evenness([p for payloads in links.values() for p in payloads])
shortest = min(map(len, links.values()))
print(f"{len(links)} links, {shortest} datagrams of each compared")
if shortest < 2: fail("too few datagrams")
for index in range(shortest):
    check_positions(f"datagram {index + 1}", [payloads[index] for payloads in links.values()])
for index in range(2):
    lengths = {len(payloads[index]) for payloads in links.values()}
    print(f"datagram {index + 1}: {len(lengths)} lengths")
    if len(lengths) < wanted / 4: fail(f"datagram {index + 1} has few lengths: {sorted(lengths)}")
gaps = [round((t[1] - t[0]) * 1000) for t in times.values()]
print(f"between the first two: {min(gaps)} to {max(gaps)} ms, {len(set(gaps))} different")
if "--tries" in sys.argv and len(set(gaps)) < wanted / 4: fail("tries come at the same intervals")

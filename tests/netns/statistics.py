#!/usr/bin/env python3
"""usage: statistics.py CAPTURE LINKS [ADDRESS]

Tests what a capture (pcap of Ethernet, IPv4, UDP) of this many links, each on its own port, shows without the key.  The first
datagrams of all links are compared with each other, then the second ones, and so on, and also the last ones, the ones before
them, and so on.  Fails if

- a bit of the payload is the same in all of them, or a byte takes too few values;
- many of them have the same length;
- they come after the same interval;
- all bytes of the capture together are not evenly distributed.

The lengths of probes of the path's MTU are not hidden (docs/protocol.md): only their bits and bytes are tested.

With an ADDRESS, the last datagram of a link is the one that follows the last from this address: the reaction to the end of the
link.
"""
import collections
import struct
import sys

PROBE = 1280 + 28  # bytes; these tests send nothing else that is so long
ANSWERED_WITHIN = .05  # after a shorter interval a datagram is an answer, and the interval shows only the round-trip time

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
            yield seconds + micros / 1e6, ".".join(map(str, frame[26:30])), max(ports), frame[udp + 8:]

def fail(text):
    print("STATISTICS SHOW: " + text)
    sys.exit(1)

def check_positions(what, payloads):
    for position in range(min(map(len, payloads))):
        column = [p[position] for p in payloads]
        for bit in range(8):
            if len({v >> bit & 1 for v in column}) == 1:
                fail(f"{what}: bit {bit} of byte {position} is constant")
        # n random draws yield 256 (1 - (255/256)^n) of the 256 values on average, and practically never half of that
        if 2 * len(set(column)) < 256 * (1 - (255 / 256) ** len(column)):
            fail(f"{what}: byte {position} takes {len(set(column))} values only")

def check_lengths(what, payloads):
    lengths = collections.Counter(map(len, payloads))
    commonest, count = lengths.most_common(1)[0]
    print(f"{what}: {len(lengths)} lengths, at most {count} of {commonest} bytes")
    if len(lengths) < len(payloads) / 4: fail(f"{what} has few lengths: {sorted(lengths)}")
    # the most frequent length of acks is the shortest one, in one of 12
    if count > len(payloads) / 3: fail(f"{what} has {commonest} bytes on {count} links")

def check_intervals(what, times):
    first, middle, third = (sorted(times)[quarter * len(times) // 4] for quarter in (1, 2, 3))
    if middle < ANSWERED_WITHIN: return
    print(f"before {what}: {first:.3f}, {middle:.3f}, {third:.3f} s at the quartiles")
    if third - first < middle / 50: fail(f"the interval before {what} is {middle:.3f} s, or nearly so")

def check_evenness(payloads):
    count = collections.Counter(b"".join(payloads))
    total = sum(count.values())
    chi = sum((count[v] - total / 256) ** 2 / (total / 256) for v in range(256))
    print(f"{total} bytes, chi squared {chi:.0f} (255 degrees of freedom)")
    if chi > 255 + 8 * (2 * 255) ** .5: fail("the bytes are not evenly distributed")

links = collections.defaultdict(list)
for time, source, port, payload in datagrams(sys.argv[1]): links[port].append((time, source, payload))
wanted = int(sys.argv[2])
if len(links) < wanted: fail(f"{len(links)} links are in the capture, not {wanted}")
if len(sys.argv) > 3:
    for port, said in links.items():
        last = max(i for i, (_, source, _) in enumerate(said) if source == sys.argv[3])
        if last + 1 == len(said): fail(f"nothing follows the end of the link on port {port}")
        links[port] = said[:last + 2]
check_evenness([payload for said in links.values() for _, _, payload in said])
probes = [payload for said in links.values() for _, _, payload in said if len(payload) >= PROBE]
if probes: check_positions("probes of the MTU", probes)
for port, said in links.items(): links[port] = [entry for entry in said if len(entry[2]) < PROBE]
shortest = min(map(len, links.values()))
print(f"{len(links)} links, {shortest} datagrams of each compared")
if shortest < 2: fail("too few datagrams")
for index in (*range(shortest), *range(-shortest, 0)):
    what = f"datagram {index + 1}" if index >= 0 else f"datagram {-index} from the end"
    payloads = [said[index][2] for said in links.values()]
    check_positions(what, payloads)
    check_lengths(what, payloads)
    if index not in (0, -shortest):
        check_intervals(what, [said[index][0] - said[index - 1][0] for said in links.values()])

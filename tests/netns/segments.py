#!/usr/bin/env python3
"""usage: segments.py INTERFACE MAC SOURCE TARGET RUN

Sends a run of TCP segments over the interface to the MAC address.  No kernel sends such runs: each is a part of a flow in
which a field changes.  RUN is a number below the one that "segments.py count" prints.
"""
import ipaddress
import socket
import struct
import sys

SEGMENTS = 12
PAYLOAD = 1200
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
# the fields that differ: in the segment in the middle; with "from", also in all after it; with "each", in all segments
RUNS = [
    {},
    {"flags": ACK | PSH}, {"flags": ACK | FIN}, {"flags": ACK | URG, "urgent": 5}, {"flags": ACK | CWR}, {"flags": ACK | ECE},
    {"flags": ACK | CWR | PSH}, {"flags": ACK | RST}, {"flags": ACK | SYN}, {"flags": 0}, {"flags": ACK | ECE, "from": True},
    {"acked": 78}, {"acked": 78, "from": True}, {"window": 9}, {"sequence": 7}, {"sequence": 7, "from": True}, {"sequence": -1200},
    {"options": b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\3"}, {"options": b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\3", "from": True}, {"options": b""},
    {"port": 81}, {"port": 81, "from": True}, {"traffic": 3}, {"traffic": 3, "from": True}, {"traffic": 0xb8}, {"hops": 9},
    {"length": 0}, {"length": 1}, {"length": 999}, {"length": 1201}, {"wrong": 1}, {"wrong": 1, "from": True},
    {"fragmentable": True}, {"fragmentable": True, "from": True}, {"fragmentable": True, "each": True},
    {"fragmentable": True, "each": True, "identification": 5}, {"flags": ACK | CWR, "each": True}, {"flags": ACK | PSH, "each": True},
    {"length": 1, "each": True}, {"length": 0, "each": True}, {"label": 5}, {"traffic": 3, "each": True},
    # AccECN (RFC 9768): AE, CWR and ECE are a counter
    {"ae": 1}, {"ae": 1, "from": True}, {"ae": 1, "each": True}, {"ae": 1, "flags": ACK | CWR | ECE, "each": True},
    {"flags": ACK | CWR, "from": True}, {"flags": ACK | CWR | ECE, "from": True},
]


def ones(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data[:len(data) // 2 * 2])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total > 0xFFFF: total = (total >> 16) + (total & 0xFFFF)
    return total


def packet(source, target, number, index, sent, change):
    value = lambda name, usual: change.get(name, usual)
    length = value("length", PAYLOAD)
    options = value("options", b"\x01\x01\x08\x0a\0\0\0\1\0\0\0\2")
    payload = bytes((index * 7 + i) & 255 for i in range(length))
    sequence = (0xFFFFF000 + sent + value("sequence", 0)) & 0xFFFFFFFF
    tcp = struct.pack(">HHIIBBHHH", 1000 + number, value("port", 80), sequence, value("acked", 77),
                      (20 + len(options)) // 4 << 4 | value("ae", 0), value("flags", ACK), value("window", 500), 0, value("urgent", 0)) + options + payload
    pseudo = source.packed + target.packed + struct.pack(">HH", 6, len(tcp))
    tcp = tcp[:16] + struct.pack(">H", (ones(pseudo + tcp) ^ 0xFFFF) ^ value("wrong", 0)) + tcp[18:]
    traffic, hops = value("traffic", 2), value("hops", 60)
    if source.version == 6:
        return struct.pack(">IHBB", 6 << 28 | traffic << 20 | value("label", 4), len(tcp), 6, hops) + source.packed + target.packed + tcp
    identification = (0xFFFA + index + value("identification", 0) * (index > SEGMENTS // 2)) & 0xFFFF
    header = struct.pack(">BBHHHBBH", 0x45, traffic, 20 + len(tcp), identification,
                         0 if value("fragmentable", False) else 0x4000, hops, 6, 0) + source.packed + target.packed
    return header[:10] + struct.pack(">H", ones(header) ^ 0xFFFF) + header[12:] + tcp


if sys.argv[1] == "count":
    print(len(RUNS))
    sys.exit()
interface, mac, source, target, number = sys.argv[1:]
source, target, run = ipaddress.ip_address(source), ipaddress.ip_address(target), dict(RUNS[int(number)])
kind = 0x0800 if source.version == 4 else 0x86DD
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
onward, each = run.pop("from", False), run.pop("each", False)
sent = 0
for index in range(SEGMENTS):
    changed = each or index == SEGMENTS // 2 or (onward and index > SEGMENTS // 2)
    change = run if changed else {}
    s.sendto(packet(source, target, int(number), index, sent, change),
             (interface, kind, 0, 0, bytes.fromhex(mac.replace(":", ""))))
    sent += change.get("length", PAYLOAD)

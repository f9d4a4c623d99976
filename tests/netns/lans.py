#!/usr/bin/env python3
"""usage: lans.py NEAR.pcap FAR.pcap

Exits with 0 if all packets that the near LAN sent arrived on the far LAN, byte for byte and in order, except for what routers
change: the hop limit, the checksum over it, and the identification of IPv4 packets that must not be fragmented, in which it
has no meaning (RFC 6864).  Prints the number of packets, and how many have each flag and ECN mark.
"""
import collections
import struct
import sys


def packets(name):
    data = open(name, "rb").read()
    assert struct.unpack_from("<I", data)[0] in (0xA1B2C3D4, 0xA1B23C4D), "not a pcap file"
    at = 24
    while at < len(data):
        length, = struct.unpack_from("<I", data, at + 8)
        yield bytearray(data[at + 16 + 14:at + 16 + length])
        at += 16 + length


def ones(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data[:len(data) // 2 * 2])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total > 0xFFFF: total = (total >> 16) + (total & 0xFFFF)
    return total


def of(packet):
    """Returns the offset of the transport header, the protocol, and the pseudo-header."""
    if packet[0] >> 4 == 4:
        header, protocol, addresses = (packet[0] & 15) * 4, packet[9], packet[12:20]
    else:
        header, protocol, addresses = 40, packet[6], packet[8:40]
    return header, protocol, addresses + struct.pack(">HH", protocol, len(packet) - header)


def normal(packet):
    packet = bytearray(packet)
    if packet[0] >> 4 == 4:
        packet[8] = packet[10] = packet[11] = 0
        if packet[6] & 0x40: packet[4] = packet[5] = 0
    else:
        packet[7] = 0
    return bytes(packet)


near, far = (list(packets(name)) for name in sys.argv[1:3])
seen = collections.Counter()
for packet in far:
    header, protocol, pseudo = of(packet)
    if packet[0] >> 4 == 4: assert ones(packet[:header]) == 0xFFFF, "the sum of an IP header is wrong"
    if protocol == 6:
        flags = packet[header + 13]
        seen.update(name for bit, name in enumerate(("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")) if flags >> bit & 1)
    seen["CE"] += (packet[1] if packet[0] >> 4 == 4 else packet[1] >> 4) & 3 == 3
    seen["wrong sum"] += ones(pseudo + packet[header:]) != 0xFFFF
near, far = [normal(packet) for packet in near], [normal(packet) for packet in far]
for index, (sent, got) in enumerate(zip(near, far)):
    if sent != got: sys.exit(f"packet {index} differs:\n{sent[:80].hex()}, {len(sent)} bytes sent\n{got[:80].hex()}, {len(got)} bytes arrived")
if len(near) != len(far): sys.exit(f"{len(near)} packets were sent, {len(far)} arrived")
if not far: sys.exit("no packet was sent")
print(f"{len(far)} packets, " + ", ".join(f"{count} {name}" for name, count in sorted(seen.items())))

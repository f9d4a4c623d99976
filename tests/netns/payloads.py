#!/usr/bin/env python3
"""usage: payloads.py CAPTURE FROM OUT [COUNT]

Writes the UDP payloads that FROM sent in the capture (pcap of Ethernet, IPv4) to OUT, for flood.c.  Each follows its length.
Writes the first COUNT of them, or all, and prints how many.
"""
import socket
import struct
import sys

data = open(sys.argv[1], "rb").read()
at, found = 24, []
while at + 16 <= len(data):
    length = struct.unpack_from("<I", data, at + 8)[0]
    frame = data[at + 16:at + 16 + length]
    at += 16 + length
    if frame[12:14] == b"\x08\x00" and frame[26:30] == socket.inet_aton(sys.argv[2]):
        found.append(frame[14 + (frame[14] & 15) * 4 + 8:])
found = found[:int(sys.argv[4])] if len(sys.argv) > 4 else found
open(sys.argv[3], "wb").write(b"".join(struct.pack("=I", len(p)) + p for p in found))
print(len(found))

#!/usr/bin/env python3
"""usage: dns.py ADDRESS FILE

A name server at ADDRESS, port 53.  It answers every question about a name with the IP addresses in FILE, one a line, which
it reads again each time.  If FILE holds the word "fail" it answers SERVFAIL, and if there is no FILE it does not answer.
"""
import ipaddress
import socket
import struct
import sys

address, file = sys.argv[1:]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((address, 53))
while True:
    query, client = server.recvfrom(512)
    end = 12
    while query[end]:
        end += query[end] + 1
    end += 5
    kind = struct.unpack("!H", query[end - 4:end - 2])[0]
    try:
        with open(file) as lines:
            words = lines.read().split()
    except FileNotFoundError:
        continue
    fail = "fail" in words
    wanted = {1: 4, 28: 6}.get(kind)
    found = [] if fail else [ip for ip in map(ipaddress.ip_address, words) if ip.version == wanted]
    records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(ip.packed)) + ip.packed for ip in found)
    header = query[:2] + struct.pack("!HHHHH", 0x8182 if fail else 0x8180, 1, len(found), 0, 0)
    server.sendto(header + query[12:end] + records, client)

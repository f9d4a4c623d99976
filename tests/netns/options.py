#!/usr/bin/env python3
"""usage: options.py receive|send ADDRESS

Sends 2 MB over TCP to port 5005, and 50 datagrams to port 5006, with IP options or extension headers: IPv4 no-ops and a
router alert, IPv6 destination options and hop-by-hop options.  Super-packets carry them, too.  The receiver returns the hash
of what it has received.
"""
import hashlib
import random
import socket
import sys

verb, address = sys.argv[1:]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
content = random.Random(5).randbytes(2000000)
datagrams = [random.Random(i).randbytes(100 + 23 * i) for i in range(50)]
PADDING = b"\x00\x00\x01\x04\x00\x00\x00\x00"  # an options header of 8 bytes with one option: padding
kinds = [(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, PADDING), (socket.IPPROTO_IPV6, socket.IPV6_HOPOPTS, PADDING)] \
    if family == socket.AF_INET6 else \
    [(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01\x01\x01\x00"), (socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x94\x04\x00\x00")]


def read(s, length):
    data = b""
    while len(data) < length and (part := s.recv(65536)): data += part
    return data


def receive():
    listener = socket.create_server((address, 5005), family=family)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    udp.bind((address, 5006))
    for _ in kinds:
        s, _ = listener.accept()
        s.sendall(hashlib.sha256(read(s, len(content))).digest())
        udp.settimeout(20)
        got = {}
        while len(got) < len(datagrams):
            data, source = udp.recvfrom(65536)
            got[len(data)] = data
            udp.sendto(hashlib.sha256(data).digest(), source)


def send():
    for level, name, value in kinds:
        s = socket.socket(family, socket.SOCK_STREAM)
        s.setsockopt(level, name, value)
        s.settimeout(60)
        s.connect((address, 5005))
        s.sendall(content)
        assert read(s, 32) == hashlib.sha256(content).digest(), "TCP"
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.setsockopt(level, name, value)
        udp.settimeout(2)
        for data in datagrams:
            for attempt in range(10):
                udp.sendto(data, (address, 5006))
                try:
                    while udp.recv(100) != hashlib.sha256(data).digest(): pass # the answer to an earlier attempt
                except TimeoutError: continue
                break
            else: raise AssertionError(f"UDP: {len(data)} bytes do not arrive")
        s.close()
    print("whole")


receive() if verb == "receive" else send()

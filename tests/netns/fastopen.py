#!/usr/bin/env python3
"""usage: fastopen.py receive|send ADDRESS

Sends data to TCP port 5004, the first part of it in the SYN (TCP Fast Open, RFC 7413).
"""
import socket, sys

DATA = bytes(i * 7 & 255 for i in range(100000))

family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM)
s.settimeout(10)
if sys.argv[1] == "send":
    sent = s.sendto(DATA[:1000], socket.MSG_FASTOPEN, (sys.argv[2], 5004))
    s.sendall(DATA[sent:])
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
else:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((sys.argv[2], 5004))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    s.listen()
    connection, _ = s.accept()
    data = b""
    while chunk := connection.recv(65536): data += chunk
    assert data == DATA, len(data)

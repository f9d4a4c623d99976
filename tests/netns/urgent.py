#!/usr/bin/env python3
"""usage: urgent.py receive | send ADDRESS

Sends data with an urgent byte in it to TCP port 5003.
"""
import socket, sys

if sys.argv[1] == "send":
    s = socket.create_connection((sys.argv[2], 5003), timeout=10)
    s.sendall(b"a" * 100000)
    s.send(b"!", socket.MSG_OOB)
    s.sendall(b"b" * 100000)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
else:
    listener = socket.create_server(("0.0.0.0", 5003))
    s, _ = listener.accept()
    s.settimeout(10)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    data = b""
    while chunk := s.recv(65536):
        data += chunk
    assert data == b"a" * 100000 + b"!" + b"b" * 100000, len(data)
    print("urgent byte !")

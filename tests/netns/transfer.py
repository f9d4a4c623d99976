#!/usr/bin/env python3
"""usage: transfer.py receive ADDRESS | send ADDRESS

Sends 50 MB through one TCP connection, 5 MB a second.  Each side prints the hash of all bytes at the end.  The receiver
prints a line after each 10 MB: how many there are, and the longest time in which nothing arrived since the line before,
in seconds.
"""
import hashlib
import random
import socket
import sys
import time

PORT, TOTAL, PART, CHUNK, RATE = 5003, 50_000_000, 10_000_000, 50_000, 5_000_000


def receive(address):
    digest, total, longest = hashlib.sha256(), 0, 0
    with socket.create_server((address, PORT), family=family(address)) as server:
        connection, _ = server.accept()
        last = time.monotonic()
        while piece := connection.recv(CHUNK):
            now = time.monotonic()
            longest, last = max(longest, now - last), now
            digest.update(piece)
            before, total = total, total + len(piece)
            if total // PART > before // PART:
                print(total // 1_000_000, f"{longest:.2f}", flush=True)
                longest = 0
    return digest


def send(address):
    digest, source = hashlib.sha256(), random.Random(1)
    with socket.create_connection((address, PORT)) as connection:
        begun = time.monotonic()
        for sent in range(0, TOTAL, CHUNK):
            time.sleep(max(0, begun + sent / RATE - time.monotonic()))
            piece = source.randbytes(CHUNK)
            digest.update(piece)
            connection.sendall(piece)
    return digest


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


what, address = sys.argv[1:]
print({"receive": receive, "send": send}[what](address).hexdigest(), flush=True)

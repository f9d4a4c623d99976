#!/usr/bin/env python3
"""usage: test_clients.py ADDRESS KIND...

Clients of `saltway test --listen` that do not keep to its protocol, one after the other. Each must be dropped, and within
a time that does not depend on what it does.
"""
import socket
import struct
import sys
import time

PORT = 51909
TOKEN = b"t" * 16
ADDRESS = sys.argv[1]

def request(kind=0, seconds=1, magic=b"swT1", tail=bytes(8)): return magic + struct.pack("!BBH", kind, 0, seconds) + TOKEN + tail

def connect():
    s = socket.create_connection((ADDRESS, PORT), timeout=60)
    return s

def begun(r):
    """Returns a connection whose request was accepted, as soon as the listener is free."""
    for _ in range(600):
        s = connect()
        s.sendall(r)
        try:
            if s.recv(1) == b"\0": return s
        except ConnectionError: pass
        s.close()
        time.sleep(.1)
    sys.exit("never accepted")

def refused(data):
    """The listener closes the connection without an answer."""
    s = connect()
    try:
        s.sendall(data)
        got = s.recv(100)
    except ConnectionError: got = b""
    assert got == b"", got
    s.close()

def garbage():
    refused(bytes(range(256)))
    refused(b"GET / HTTP/1.0\r\n\r\n" + bytes(1000))

def numbers():
    for r in (request(kind=3), request(kind=255), request(seconds=0), request(seconds=61), request(seconds=65535),
              request(magic=b"swT2"), request(tail=b"\1" * 8)): refused(r)

def silence(): refused(b"")

def slow():
    """A byte at a time, for ever."""
    s = connect()
    start = time.monotonic()
    try:
        while time.monotonic() - start < 60:
            s.sendall(b"s")
            s.settimeout(.2)
            try: got = s.recv(1)
            except TimeoutError: continue
            assert got == b""; return
    except ConnectionError: return
    sys.exit("a slow client is served for ever")

def second():
    first = begun(request(seconds=2))
    refused(request())
    first.shutdown(socket.SHUT_WR) # the first is served to its end
    got = b""
    while (part := first.recv(1000)): got += part
    assert len(got) == 64 and got[:4] == b"swTR", got

def flood_probes():
    """Without a token, with a wrong one, too short, too long: none is answered; more than a test has: no more than that."""
    s = begun(request(seconds=1))
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.connect((ADDRESS, PORT))
    good = b"swTP" + bytes(4) + TOKEN + bytes(8)
    for bad in (b"", b"x", bytes(32), good[:-1], good + b"\0", good[:8] + b"x" * 16 + good[24:], b"swTA" + good[4:], b"swTP\xff\xff\xff\xff" + good[8:]): u.send(bad)
    u.settimeout(.5)
    try: sys.exit(f"answered: {u.recv(100)}")
    except TimeoutError: pass
    for _ in range(5000): u.send(good)
    answers = 0
    try:
        while True: u.recv(100); answers += 1
    except TimeoutError: pass
    assert 0 < answers <= 3000, answers
    s.close()

def foreign_data():
    """Data from a client that asked for none ends its connection."""
    s = begun(request(kind=0))
    try:
        for _ in range(1000): s.sendall(bytes(100000))
    except ConnectionError: return
    sys.exit("data was accepted that nobody asked for")

if __name__ == "__main__":
    for kind in sys.argv[2:]: globals()[kind.replace("-", "_")](); print(kind)

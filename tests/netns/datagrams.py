#!/usr/bin/env python3
"""usage: datagrams.py send|receive|receive-runs ADDRESS

Sends datagrams of many sizes to port 5002 of ADDRESS, some as runs (UDP_SEGMENT), some larger than any MTU.  The receiver
exits with 0 when all of them have arrived whole.  receive-runs receives with UDP_GRO.
"""
import hashlib, socket, struct, sys, time

SIZES = [1, 3, 500, 1200, 1201, 1347, 1349, 2000, 9000, 30000]
RUNS = [(1000, 20), (100, 60), (1300, 40), (7, 64)]


def content(number, size):
    data = struct.pack("<I", number) + hashlib.shake_128(b"%d" % number).digest(size)
    return data[:4 + size]


def all_datagrams():
    wanted = [content(i, size) for i, size in enumerate(SIZES * 3)]
    runs = []
    for segment, count in RUNS:
        run = [content(1000 + segment * 100 + i, segment - 4) for i in range(count)]
        run.append(content(500 + segment, 0))
        if segment < 5:
            run.pop()
        runs.append((segment, run))
    return wanted, runs


def receive(s):
    """Returns one datagram, or all datagrams of a run."""
    data, control, _, _ = s.recvmsg(65536, socket.CMSG_SPACE(4))
    segment = next((struct.unpack("=i", value)[0] for level, kind, value in control if (level, kind) == (17, 104)), len(data))
    return [data[at:at + segment] for at in range(0, len(data), segment)]


def main():
    family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    s = socket.socket(family, socket.SOCK_DGRAM)
    single, runs = all_datagrams()
    if sys.argv[1] == "send":
        s.sendto(bytes(1400), (sys.argv[2], 5009))  # it is lost, and this host learns the path's MTU
        time.sleep(0.2)
        for datagram in single:
            s.sendto(datagram, (sys.argv[2], 5002))
            time.sleep(0.002)
        for segment, run in runs:
            control = [(socket.SOL_UDP if hasattr(socket, "SOL_UDP") else 17, 103, struct.pack("<H", segment))]
            run = run[:64]
            s.sendmsg([b"".join(run)], control, 0, (sys.argv[2], 5002))
            time.sleep(0.02)
        return 0
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    if sys.argv[1] == "receive-runs": s.setsockopt(17, 104, 1)
    s.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", 5002))
    s.settimeout(10)
    wanted, longest = {}, 0
    for datagram in single + [d for _, run in runs for d in run[:64]]:
        wanted[datagram] = wanted.get(datagram, 0) + 1
    total = sum(wanted.values())
    try:
        while wanted:
            arrived = receive(s)
            longest = max(longest, len(arrived))
            for got in arrived:
                if got not in wanted:
                    print(f"not what was sent: {len(got)} bytes")
                    return 1
                wanted[got] -= 1
                if not wanted[got]:
                    del wanted[got]
    except socket.timeout:
        print(f"{sum(wanted.values())} of {total} did not arrive, sizes {sorted(map(len, wanted))[:20]}")
        return 1
    print(f"{total} arrived whole, at most {longest} at once")
    return 0


sys.exit(main())

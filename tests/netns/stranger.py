#!/usr/bin/env python3
"""usage: stranger.py CAPTURE FROM TO PORT LENGTH

Sends from FROM to TO:PORT what anyone without the key can send: random datagrams of every length, every datagram of the
capture again, and one of LENGTH bytes, truncated to every length and with each byte changed.
"""
import os, socket, struct, sys, time


def payloads(path):
    data = open(path, "rb").read()
    at, found = 24, []
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] == b"\x08\x00":
            header = (frame[14] & 15) * 4
            found.append((frame[26:30], frame[14 + header + 8:]))
    return found


def main():
    capture, source, target, port = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0))
    sent = 0

    def send(datagram):
        nonlocal sent
        s.sendto(datagram, (target, port))
        sent += 1
        if sent % 200 == 0:
            time.sleep(0.01)

    for length in range(0, 1501):
        send(os.urandom(length))
    seen = payloads(capture)
    to_target = [p for address, p in seen if address != socket.inet_aton(target)]
    for _, datagram in seen:
        send(datagram)
    data = [p for p in to_target if len(p) == int(sys.argv[5])][-1]
    for length in range(len(data)):
        send(data[:length])
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        send(bytes(changed))
    print(f"{sent} datagrams sent, {len(seen)} captured")


main()

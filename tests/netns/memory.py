#!/usr/bin/env python3
"""usage: memory.py PID SECRETS KIND

Prints how many secrets of a kind are in the memory of the process, and how many there are: "FOUND of ALL".  KIND is 's' for
sessions or 'h' for handshakes, with SECRETS written by breakout.c, or 'p' for the pre-shared key, with SECRETS its file.  A
secret is found if a part of it is: 8 bytes or, because ciphers spread keys over vectors, 4 bytes that occur four times in a
row.
"""
import base64
import re
import sys

def regions(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{pid}/maps"):
            start, end, readable = re.match(r"(\w+)-(\w+) (.)", line).groups()
            if readable == "r" and "[v" not in line: # [vdso], [vvar]: the kernel's
                memory.seek(int(start, 16))
                yield memory.read(int(end, 16) - int(start, 16))

def parts(secret):
    return [secret[i:i + 8] for i in range(0, 32, 8)] + [secret[i:i + 4] * 4 for i in range(0, 32, 4)]

told = open(sys.argv[2], "rb").read()
if sys.argv[3] == "p": secrets = {base64.b64decode(told)}
else: secrets = {told[i + 1:i + 33] for i in range(0, len(told), 33) if told[i:i + 1] == sys.argv[3].encode()}
found = set()
for region in regions(sys.argv[1]):
    found |= {s for s in secrets if any(part in region for part in parts(s))}
print(f"{len(found)} of {len(secrets)}")

#!/usr/bin/env python3
"""usage: memory.py PID SECRETS KIND

Prints how many of the secrets of a kind (as breakout.c told them: 's' of sessions, 'h' of handshakes; or 'p', the
pre-shared key, of its file) are in the memory of the process, and how many there are: "FOUND of ALL".  A part is as
good as the whole: any 8 bytes of it, or, as ciphers spread keys over vectors, any 4 of them four times over.
"""
import base64
import re
import sys

def regions(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in open(f"/proc/{pid}/maps"):
            start, end, readable = re.match(r"(\w+)-(\w+) (.)", line).groups()
            if readable == "r" and "[v" not in line: # what the kernel maps for the clock
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

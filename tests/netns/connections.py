#!/usr/bin/env python3
"""usage: connections.py receive|send ADDRESS COUNT

Makes COUNT TCP connections to port 5004.  All are open before the first byte is sent.  Each carries different content, and
the receiver returns the hash of it.
"""
import asyncio
import hashlib
import random
import resource
import sys

verb, address, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, count + 100))


async def receive():
    left, done = count, asyncio.Event()

    async def serve(reader, writer):
        nonlocal left
        digest = hashlib.sha256()
        while part := await reader.read(65536): digest.update(part)
        writer.write(digest.digest())
        await writer.drain()
        writer.close()
        left -= 1
        if left == 0: done.set()

    async with await asyncio.start_server(serve, address, 5004, backlog=count):
        await done.wait()


async def send():
    opened = 0
    all_open = asyncio.Event()

    async def one(index):
        nonlocal opened
        content = random.Random(index).randbytes(20000 + 13 * index)
        reader, writer = await asyncio.open_connection(address, 5004)
        opened += 1
        if opened == count: all_open.set()
        await all_open.wait()
        writer.write(content)
        writer.write_eof()
        answer = await reader.readexactly(32)
        writer.close()
        return answer == hashlib.sha256(content).digest()

    results = await asyncio.gather(*[one(i) for i in range(count)])
    print(f"{sum(results)} of {count} whole")
    if not all(results): sys.exit(1)

asyncio.run(receive() if verb == "receive" else send())

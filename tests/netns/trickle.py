#!/usr/bin/env python3
"""usage: trickle.py serve | keep COUNT ADDRESS...

Keeps COUNT TCP connections to port 5005, of the ports 20001, 20002 and so on, to the addresses in turn.  Each sends a byte ten
times a second, and gets it back.  One that breaks is an error.  At SIGTERM it prints the longest time that one had to wait.
"""
import asyncio
import signal
import sys
import time

PORT, FIRST, INTERVAL = 5005, 20001, 0.1


async def echo(reader, writer):
    while part := await reader.read(100): writer.write(part)
    writer.close()


async def serve():
    async with await asyncio.start_server(echo, None, PORT) as server: await server.serve_forever()


async def keep(count, addresses):
    longest, opened = 0, 0

    async def one(index):
        nonlocal longest, opened
        address = addresses[index % len(addresses)]
        source = ("::" if ":" in address else "0.0.0.0", FIRST + index)
        reader, writer = await asyncio.open_connection(address, PORT, local_addr=source)
        opened += 1
        if opened == count: print("all are open", flush=True)
        while True:
            sent = time.monotonic()
            writer.write(b".")
            await reader.readexactly(1)
            longest = max(longest, time.monotonic() - sent)
            await asyncio.sleep(INTERVAL)

    work = asyncio.gather(*map(one, range(count)))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    try: await work
    except asyncio.CancelledError: print(f"of {count} connections none broke, and none waited longer than {longest:.1f} s")


if sys.argv[1] == "serve": asyncio.run(serve())
else: asyncio.run(keep(int(sys.argv[2]), sys.argv[3:]))

"""The yardstick of the uplink: a plain proxy on asyncio and `websockets`, a link for a link.

Run as a process: `python -m tools.bench_parts.asyncio_proxy PORT` passes chargers to the CSMS on
that port; it prints its own and serves until it is ended. It reads nothing of what it passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

import websockets
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

OCPP = [websockets.Subprotocol("ocpp1.6")]
End = ClientConnection | ServerConnection


async def pump(source: End, goal: End) -> None:
    with contextlib.suppress(websockets.ConnectionClosed):
        async for text in source:
            await goal.send(text)


async def run(upstream: int) -> None:
    async def charger(link: ServerConnection) -> None:
        assert link.request is not None
        where = f"ws://127.0.0.1:{upstream}{link.request.path}"
        async with connect(where, subprotocols=OCPP, compression=None) as up:
            ways = [asyncio.create_task(pump(link, up)), asyncio.create_task(pump(up, link))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()

    async with serve(charger, "127.0.0.1", 0, subprotocols=OCPP, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        print(json.dumps({"ready": "proxy", "ocpp": port}), flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1])))

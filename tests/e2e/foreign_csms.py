"""Central systems that no one here wrote, before LinkRay: `--kind package` is `ocpp-csms` on
aiohttp, `--kind plain` the `ChargePoint` of `ocpp` over `websockets`, as its README has it.

The first line on stdout is {"port": n}; then every frame that came or went (`foreign_wire.py`).
Lines on stdin: {"do": "cut"} (links are torn, nobody listens), {"do": "restore"}, {"do": "call",
"charger": id, "action": name, "with": {…}} (arguments of `ocpp.v16.call`), {"do": "refuse",
"tag": tag}. The end of stdin ends it. `--password` of every charger, `--cert` a PEM file with
certificate and key for wss.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import ssl
import sys
from datetime import UTC, datetime
from typing import Any, Protocol

from foreign_wire import Ear, say
from ocpp.v16 import call

HOST = "127.0.0.1"


class Central(Protocol):
    """What both kinds are to this file."""

    async def listen(self, port: int) -> int: ...
    async def cut(self) -> None: ...
    def point(self, charger: str) -> Any: ...


class Package:
    """`ocpp_csms.CentralSystem`, mounted in a server of our own, whose lines can be torn."""

    def __init__(self, tls: ssl.SSLContext | None, password: str, refused: set[str]) -> None:
        from ocpp_csms import AuthorizationStatus, CentralSystem, ConnectedEvent

        ear = Ear("ocpp_csms.wire")

        async def knows(_charger: str, given: str | None) -> bool:
            return not password or given == password

        async def may(_point: Any, tag: str) -> AuthorizationStatus:
            return AuthorizationStatus.BLOCKED if tag in refused else AuthorizationStatus.ACCEPTED

        def linked(event: Any) -> None:
            if isinstance(event, ConnectedEvent):
                ear.links[event.charge_point_id] += 1

        self.tls = tls
        self.system = CentralSystem(authenticate=knows, authorize=may)
        self.system.add_listener(linked)
        self.transports: set[Any] = set()
        self.runner: Any = None

    async def listen(self, port: int) -> int:
        from aiohttp import web

        async def serve(request: web.Request) -> web.StreamResponse:
            self.transports.add(request.transport)
            return await self.system.async_handle_request(request)

        app = web.Application()
        app.router.add_get("/{path:.*}", serve)
        self.runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await self.runner.setup()
        await web.TCPSite(self.runner, HOST, port, ssl_context=self.tls).start()
        return int(self.runner.addresses[0][1])

    async def cut(self) -> None:
        for transport in self.transports:
            transport.abort()
        self.transports.clear()
        await self.runner.cleanup()

    def point(self, charger: str) -> Any:
        return _Asked(self.system.charge_points[charger].async_call)


class _Asked:
    def __init__(self, call_: Any) -> None:
        self.call = call_


class Plain:
    """A central system in the fifty lines that the package's README asks for."""

    def __init__(self, tls: ssl.SSLContext | None, password: str, refused: set[str]) -> None:
        del password  # a README has none
        self.tls, self.refused = tls, refused
        self.ear = Ear("ocpp")
        self.points: dict[str, Any] = {}
        self.server: Any = None
        self.numbers = 1  # its numbers are LinkRay's, each of another transaction

    async def listen(self, port: int) -> int:
        import websockets

        self.server = await websockets.serve(
            self.serve, HOST, port, subprotocols=[websockets.Subprotocol("ocpp1.6")], ssl=self.tls,
        )  # fmt: skip
        return int(next(iter(self.server.sockets)).getsockname()[1])

    async def serve(self, connection: Any) -> None:
        import websockets

        charger = connection.request.path.rpartition("/")[2]
        self.ear.links[charger] += 1
        point = self.points[charger] = _plain_point(self, charger, connection)
        with contextlib.suppress(websockets.ConnectionClosed):
            await point.start()

    async def cut(self) -> None:
        for connection in list(self.server.connections):
            connection.transport.abort()
        self.server.close()
        await self.server.wait_closed()

    def point(self, charger: str) -> Any:
        return self.points[charger]


def _plain_point(central: Plain, charger: str, connection: Any) -> Any:
    from ocpp.routing import on
    from ocpp.v16 import ChargePoint, call_result

    def info(tag: str) -> dict[str, str]:
        return {"status": "Blocked" if tag in central.refused else "Accepted"}

    class Point(ChargePoint):
        @on("BootNotification")
        def boot(self, **_more: Any) -> Any:
            return call_result.BootNotification(datetime.now(UTC).isoformat(), 300, "Accepted")

        @on("Heartbeat")
        def heartbeat(self) -> Any:
            return call_result.Heartbeat(datetime.now(UTC).isoformat())

        @on("StatusNotification")
        def status(self, **_more: Any) -> Any:
            return call_result.StatusNotification()

        @on("Authorize")
        def authorize(self, id_tag: str) -> Any:
            return call_result.Authorize(info(id_tag))

        @on("StartTransaction")
        def start_transaction(self, id_tag: str, **_more: Any) -> Any:
            central.numbers += 1
            return call_result.StartTransaction(central.numbers, info(id_tag))

        @on("MeterValues")
        def meter_values(self, **_more: Any) -> Any:
            return call_result.MeterValues()

        @on("StopTransaction")
        def stop_transaction(self, **_more: Any) -> Any:
            return call_result.StopTransaction()

    return Point(charger, connection)


async def obey(central: Central, refused: set[str], port: int) -> None:
    """Lines on stdin, until their end."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    calls: set[asyncio.Task[Any]] = set()
    while line := await reader.readline():
        said = json.loads(line)
        if said["do"] == "cut":
            await central.cut()
        elif said["do"] == "restore":
            await central.listen(port)
        elif said["do"] == "refuse":
            refused.add(said["tag"])
        else:
            request = getattr(call, said["action"])(**said["with"])
            calls.add(asyncio.create_task(central.point(said["charger"]).call(request)))


async def run(args: argparse.Namespace) -> None:
    tls = None
    if args.cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(args.cert)
    refused: set[str] = set()
    kind = Package if args.kind == "package" else Plain
    central: Central = kind(tls, args.password, refused)
    port = await central.listen(args.port)
    say({"port": port})
    await obey(central, refused, port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("package", "plain"), required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--password", default="")
    parser.add_argument("--cert", default="")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

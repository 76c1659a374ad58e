"""The yardstick: a plain central system on asyncio, `ocpp` and `websockets`, as its README has it.

Run as a process: `python -m tools.bench_parts.asyncio_central` prints its port and serves until
it is ended. It does less than LinkRay (no records, no balancing), which makes it a fair bar.
"""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, RegistrationStatus


class Central(ChargePoint):  # type: ignore[misc]
    """Answers what chargers say."""

    @on(Action.boot_notification)  # type: ignore[untyped-decorator]
    def boot(self, **_: Any) -> call_result.BootNotification:
        now = datetime.now(UTC).isoformat()
        return call_result.BootNotification(now, 60, RegistrationStatus.accepted)

    @on(Action.heartbeat)  # type: ignore[untyped-decorator]
    def heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(datetime.now(UTC).isoformat())

    @on(Action.status_notification)  # type: ignore[untyped-decorator]
    def status(self, **_: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def meter_values(self, **_: Any) -> call_result.MeterValues:
        return call_result.MeterValues()


async def serve() -> None:
    logging.disable(logging.CRITICAL)

    async def charger(connection: websockets.ServerConnection) -> None:
        assert connection.request is not None
        point = Central(connection.request.path.strip("/"), connection)
        try:
            await point.start()
        except websockets.ConnectionClosed:
            return

    async with websockets.serve(
        charger, "127.0.0.1", 0, subprotocols=[websockets.Subprotocol("ocpp1.6")],
        compression=None, max_size=65536,
    ) as server:  # fmt: skip
        port = next(iter(server.sockets)).getsockname()[1]
        print(json.dumps({"ready": "asyncio", "ocpp": port}), flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(serve())

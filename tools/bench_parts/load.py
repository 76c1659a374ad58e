"""Load for a central system: N chargers that boot and then send MeterValues, one at a time each.

Raw WebSocket frames on asyncio streams, so that the load costs little and is the same for all.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime

SAMPLE = [
    {"measurand": "Current.Import", "phase": "L1", "unit": "A", "value": "15.9"},
    {"measurand": "Current.Import", "phase": "L2", "unit": "A", "value": "15.8"},
    {"measurand": "Current.Import", "phase": "L3", "unit": "A", "value": "15.9"},
    {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "value": "1234567"},
    {"measurand": "Power.Active.Import", "unit": "W", "value": "10911"},
]
CONFIGURATION = [
    {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
    {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "8"},
    {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "Current"},
    {"key": "MeterValueSampleInterval", "readonly": False, "value": "10"},
]


def utc() -> str:
    """Now: values that come late count as queued, and are not looked into."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def masked(text: str) -> bytes:
    """A client's text frame."""
    body = text.encode()
    mask = os.urandom(4)
    size = len(body)
    head = bytes([0x81, 0x80 | size]) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
    whole = int.from_bytes(mask * (size // 4 + 1), "big") >> (8 * (4 - size % 4))
    scrambled = (int.from_bytes(body, "big") ^ whole).to_bytes(size, "big")
    return head + mask + scrambled


@dataclass
class Charger:
    """One charger of the load."""

    name: str
    port: int
    trips: int = 0
    booted_at: float = 0.0
    profiled_at: float = 0.0
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    async def dial(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        key = base64.b64encode(os.urandom(16)).decode()
        self.writer.write(
            f"GET /{self.name} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n".encode()
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head.split(b"\r\n", 1)[0] + b" ":
            raise ConnectionError(f"{self.name}: {head[:80]!r}")
        self.listening = asyncio.create_task(self.listen())

    async def listen(self) -> None:
        while True:
            try:
                first, second = await self.reader.readexactly(2)
                size = second & 0x7F
                if size == 126:
                    size = int.from_bytes(await self.reader.readexactly(2), "big")
                body = await self.reader.readexactly(size)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if first & 0x0F == 9:
                self.writer.write(b"\x8a\x80\x00\x00\x00\x00" if not body else
                                  bytes([0x8A, 0x80 | len(body)]) + b"\0\0\0\0" + body)
            elif first & 0x0F == 1:
                self.heard(json.loads(body))

    def heard(self, frame: list[object]) -> None:
        if frame[0] in (3, 4):
            future = self.waiting.pop(str(frame[1]), None)
            if future is not None and not future.done():
                future.set_result(None)
            return
        answer: dict[str, object] = {"status": "Accepted"}
        if frame[2] == "GetConfiguration":
            answer = {"configurationKey": CONFIGURATION}
        elif frame[2] == "SetChargingProfile" and not self.profiled_at:
            self.profiled_at = asyncio.get_running_loop().time()
        self.writer.write(masked(json.dumps([3, frame[1], answer])))

    async def call(self, action: str, payload: dict[str, object]) -> None:
        number = f"{self.name}-{random.getrandbits(48)}"
        future = asyncio.get_running_loop().create_future()
        self.waiting[number] = future
        self.writer.write(masked(json.dumps([2, number, action, payload])))
        await asyncio.wait_for(future, 30)

    async def boot(self) -> None:
        await self.call("BootNotification",
                        {"chargePointVendor": "Bench", "chargePointModel": "Load"})
        await self.call("StatusNotification", {
            "connectorId": 1, "errorCode": "NoError", "status": "Available"})
        self.booted_at = asyncio.get_running_loop().time()

    async def meter_values(self, until: float, pause_s: float = 0.0) -> None:
        """Values one after another, or so far apart, until the loop's time `until`."""
        payload: dict[str, object] = {"connectorId": 1, "meterValue": [
            {"timestamp": utc(), "sampledValue": SAMPLE}]}
        loop = asyncio.get_running_loop()
        if pause_s:
            await asyncio.sleep(random.random() * pause_s)
        while loop.time() < until:
            await self.call("MeterValues", payload)
            self.trips += 1
            if pause_s:
                await asyncio.sleep(pause_s)

"""A meter that no one here wrote: pymodbus's own server, over TCP or over a pseudo-terminal pair.

    python tests/e2e/foreign_meter.py --kind sdm630 --tcp 0
    python tests/e2e/foreign_meter.py --kind b23 --serial-link /tmp/rs485

The first line on stdout is {"ready": "meter", "port": …} or {"ready": "meter", "link": …}. A line
on stdin sets what it shows, {"a": [10.5, 0, 3], "v": [230, 231, 229]}, or takes its voice,
{"silent": true}; each is answered by a line {"reads": …}. The end of stdin ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import struct
import sys
import tty
from pathlib import Path
from typing import Any

from pymodbus.framer import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

# kind → struct form; amps, then volts: registers of L1 to L3 and what one step is worth.
KINDS = {
    "sdm630": (">f", (6, 8, 10), 1.0, (0, 2, 4), 1.0),
    "b23": (">I", (23308, 23310, 23312), 0.01, (23296, 23298, 23300), 0.1),
    "b23-manual": (">I", (23308, 23310, 23312), 0.001, (23296, 23298, 23300), 0.1),
    "wem3080t": (">h", (1, 11, 21), 0.01, (0, 10, 20), 0.01),
}


def say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


class ForeignMeter:
    """The registers of one kind of meter and what they show."""

    def __init__(self, kind: str) -> None:
        self.form, self.amp_places, self.amp_step, self.volt_places, self.volt_step = KINDS[kind]
        self.amps = [0.0, 0.0, 0.0]
        self.volts = [230.0, 230.0, 230.0]
        self.is_silent = False
        self.reads = 0
        places = [*self.amp_places, *self.volt_places]
        self.first = min(places)
        words = max(places) - self.first + struct.calcsize(self.form) // 2
        self.device = SimDevice(
            id=1,
            simdata=[SimData(self.first, count=words, values=0, datatype=DataType.REGISTERS)],
            action=self.before_a_read,
        )

    async def before_a_read(
        self,
        _function: int,
        start: int,
        _address: int,
        _count: int,
        registers: list[int],
        _written: list[int] | list[bool] | None,
    ) -> None:
        self.reads += 1
        for values, places, step in (
            (self.amps, self.amp_places, self.amp_step),
            (self.volts, self.volt_places, self.volt_step),
        ):
            for value, place in zip(values, places, strict=True):
                words = self._words(value, step)
                registers[place - start : place - start + len(words)] = words

    def _words(self, value: float, step: float) -> list[int]:
        amount = value if self.form == ">f" else round(value / step)
        raw = struct.pack(self.form, amount)
        return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]

    def on_the_line(self, sending: bool, packet: bytes) -> bytes:
        return b"" if sending and self.is_silent else packet

    def told(self, line: str) -> dict[str, Any]:
        said = json.loads(line)
        self.amps = [float(a) for a in said.get("a", self.amps)]
        self.volts = [float(v) for v in said.get("v", self.volts)]
        self.is_silent = bool(said.get("silent", self.is_silent))
        return {"reads": self.reads}


class PtyPair:
    """Two pseudo-terminals back to back: what goes in at one comes out of the other."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self.masters, self.slaves = [], []
        for _end in range(2):
            master, slave = os.openpty()
            tty.setraw(slave)
            os.set_blocking(master, False)
            self.masters.append(master)
            self.slaves.append(slave)
        self.meter_end = os.ttyname(self.slaves[0])
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self.slaves[1]))
        loop = asyncio.get_running_loop()
        loop.add_reader(self.masters[0], self._carry, 0, 1)
        loop.add_reader(self.masters[1], self._carry, 1, 0)

    def _carry(self, source: int, goal: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self.masters[goal], os.read(self.masters[source], 4096))

    def close(self) -> None:
        self.link.unlink(missing_ok=True)
        for master in self.masters:
            asyncio.get_running_loop().remove_reader(master)
        for end in (*self.masters, *self.slaves):
            os.close(end)


async def lines_of_stdin() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader


async def obey_stdin(meter: ForeignMeter) -> None:
    reader = await lines_of_stdin()
    while line := await reader.readline():
        say(meter.told(line.decode()))


async def run(args: argparse.Namespace) -> None:
    meter = ForeignMeter(args.kind)
    pair = None
    if args.tcp is not None:
        server = ModbusTcpServer(
            meter.device, address=("127.0.0.1", args.tcp), trace_packet=meter.on_the_line
        )
        await server.serve_forever(background=True)
        ready = {"port": server.transport.sockets[0].getsockname()[1]}
    else:
        pair = PtyPair(args.serial_link)
        server = ModbusSerialServer(
            meter.device,
            framer=FramerType.RTU,
            port=pair.meter_end,
            baudrate=args.baud,
            trace_packet=meter.on_the_line,
        )
        await server.serve_forever(background=True)
        ready = {"link": str(args.serial_link)}
    say({"ready": "meter", **ready})
    try:
        await obey_stdin(meter)
    finally:
        await server.shutdown()
        if pair is not None:
            pair.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=sorted(KINDS), default="sdm630")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tcp", type=int, metavar="PORT", help="0 picks a free one")
    where.add_argument("--serial-link", type=Path, metavar="PATH", help="the RS-485 end lies here")
    parser.add_argument("--baud", type=int, default=9600)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

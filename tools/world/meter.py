"""A simulated Modbus meter, TCP and RTU, that can be cut, late, garbled, stuck, or plainly wrong.

Its framing and CRC are its own (`struct`), so that a mistake of linkray's is not on both sides.
"""

from __future__ import annotations

import math
import os
import random
import struct
import tty
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from tools.world.car import Three
from tools.world.meters import SDM630, Cell, cells
from tools.world.schemas import Json

REGISTERS_MAX = 125  # of one read, by the standard
SILENCE_S = 0.05  # a request broken off for so long is forgotten
BITS_A_BYTE = 10  # 8N1
THINK_S = 0.005  # before it answers


@dataclass(frozen=True)
class Measured:
    """What is on the meter's terminals now."""

    ma: Three = (0, 0, 0)
    mv: Three = (230_000, 230_000, 230_000)
    energy_wh: float = 0.0

    def amount(self, cell: Cell, factor: float) -> float:
        if cell.quantity == "A":
            return self.ma[cell.phase] / 1000 * factor
        if cell.quantity == "V":
            return self.mv[cell.phase] / 1000
        if cell.quantity == "P":
            return self.ma[cell.phase] * self.mv[cell.phase] / 1e6 * factor
        return self.energy_wh / 1000


def crc16(data: bytes) -> bytes:
    """Modbus's CRC, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
    return struct.pack("<H", crc)


class Meter:
    """One meter; `read` says what is on its terminals. Scenes change how it answers."""

    def __init__(
        self,
        read: Callable[[], Measured],
        file: Json | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.file = dict(SDM630 if file is None else file)
        self.cells = cells(self.file)
        self.units = {cell.unit for cell in self.cells}
        self.is_tcp = bool(self.file.get("tcp", False))
        self.baud = int(self.file.get("Baud", 9600))
        self.function = int(self.file.get("ReadCmd", 3))
        self.requests = 0
        self.answers = 0
        self.streams = 0  # open now
        self.streams_max: int | None = None  # a meter with room for one only (M12)
        self._read = read
        self._chance = chance or random.Random(0)
        self._previous: bytes | None = None
        self.obey()

    # -- scenes --------------------------------------------------------------------------------

    def obey(self) -> None:
        """As it should be, in every respect."""
        self.is_cut = False
        self.late_s = 0.0
        self.failing: float = 0.0  # share of requests without an answer
        self._frozen: Measured | None = None
        self._garbled = self._echoes = self._nan = self._zero = self._previous_first = False
        self._exception: int | None = None
        self._factor = 1.0
        self._blank: set[int] = set()
        self._volts: Three | None = None
        self._swapped: Three = (0, 1, 2)
        self._wrong_id = self._endless = False

    def answer_again(self) -> None:
        self.obey()

    def cut(self) -> None:
        """No answers (M1)."""
        self.is_cut = True

    def late(self, seconds: float) -> None:
        """Answers come so much later (M10)."""
        self.late_s = seconds

    def fail(self, share: float) -> None:
        """Such a share of the requests stays unanswered (M10)."""
        self.failing = share

    def garble(self) -> None:
        """A byte of each answer is wrong (M11)."""
        self._garbled = True

    def echo(self) -> None:
        """The request comes back before its answer, as a badly wired line does (M11)."""
        self._echoes = True

    def answer_the_previous(self) -> None:
        """Each request is answered as the one before it should have been (M11)."""
        self._previous_first = True

    def freeze(self) -> None:
        """The same bytes for good (M2)."""
        self._frozen = self._now()

    def nan(self) -> None:
        """NaN, 0x7FFF, 0xFFFFFFFF: whatever its types have for nothing (M3)."""
        self._nan = True

    def zero(self) -> None:
        """Zeros everywhere, as after a restart (M14)."""
        self._zero = True

    def scale(self, factor: float) -> None:
        """Currents and powers wrong by a factor (M4); -1: transformers the wrong way round (M9)."""
        self._factor = factor

    def lose_phase(self, phase: int) -> None:
        """One phase, 1 to 3, says nothing (M8)."""
        self._blank.add(phase - 1)

    def say_volts(self, mv: Three | None) -> None:
        """Voltages that it shows, whatever is true (M7)."""
        self._volts = mv

    def swap(self, phases: Three) -> None:
        """Transformers on the wrong phases: what L1, L2, L3 show, as 0 to 2 (M9)."""
        self._swapped = phases

    def refuse(self, code: int | None = 4) -> None:
        """Every request gets this exception; None: no more."""
        self._exception = code

    def wrong_ids(self) -> None:
        """TCP answers carry another transaction id, RTU answers another unit (A43)."""
        self._wrong_id = True

    def pour(self) -> None:
        """Answers are followed by rubbish without end (A43)."""
        self._endless = True

    # -- answering -----------------------------------------------------------------------------

    def _now(self) -> Measured:
        if self._frozen is not None:
            return self._frozen
        true = self._read()
        first, second, third = (true.ma[place] for place in self._swapped)
        return Measured((first, second, third), self._volts or true.mv, true.energy_wh)

    def registers(self, unit: int, start: int, count: int) -> bytes:
        """The bytes of these registers; where nothing is, zeros."""
        image = bytearray(2 * count)
        now = self._now()
        for cell in self.cells:
            if cell.unit != unit:
                continue
            raw = b"\0" * (2 * cell.words) if self._zero else self._raw(cell, now)
            for word in range(cell.words):
                place = cell.register + word - start
                if 0 <= place < count:
                    image[2 * place : 2 * place + 2] = raw[2 * word : 2 * word + 2]
        return bytes(image)

    def _raw(self, cell: Cell, now: Measured) -> bytes:
        if self._nan or cell.phase in self._blank:
            return cell.all_ones()
        return cell.write(now.amount(cell, self._factor))

    def respond(self, unit: int, pdu: bytes) -> bytes | None:
        """The answering PDU; None where a meter keeps silent."""
        self.requests += 1
        if unit not in self.units or self.is_cut or self._chance.random() < self.failing:
            return None
        function = pdu[0]
        if self._exception is not None:
            return bytes([function | 0x80, self._exception])
        if function != self.function:
            return bytes([function | 0x80, 1])
        if len(pdu) != 5:
            return bytes([function | 0x80, 3])
        start, count = struct.unpack(">HH", pdu[1:])
        if not 1 <= count <= REGISTERS_MAX:
            return bytes([function | 0x80, 3])
        raw = self.registers(unit, start, count)
        response = bytes([function, len(raw)]) + raw
        if self._previous_first:
            response, self._previous = self._previous or response, response
        self.answers += 1
        return response

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Answer on one stream until it ends, in the framing that the file names."""
        if self.streams_max is not None and self.streams >= self.streams_max:
            await stream.aclose()
            return
        self.streams += 1
        try:
            async with stream:
                await (self.serve_tcp(stream) if self.is_tcp else self.serve_rtu(stream))
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass  # the other end went, which is its right
        finally:
            self.streams -= 1

    async def serve_tcp(self, stream: trio.abc.Stream) -> None:
        """Modbus TCP: requests with their MBAP header, one after another."""
        come = b""
        while data := await stream.receive_some():
            come += bytes(data)
            while len(come) >= 7:
                ident, protocol, length, unit = struct.unpack(">HHHB", come[:7])
                if protocol != 0 or not 2 <= length <= 254:
                    return  # no Modbus: hang up
                if len(come) < 6 + length:
                    break
                request, come = come[: 6 + length], come[6 + length :]
                await self._answer_tcp(stream, ident, unit, request)

    async def _answer_tcp(
        self, stream: trio.abc.Stream, ident: int, unit: int, request: bytes
    ) -> None:
        response = self.respond(unit, request[7:])
        if response is None:
            return
        await trio.sleep(THINK_S + self.late_s)
        if self._garbled:
            response = self._spoil(response)
        ident = (ident + 1) & 0xFFFF if self._wrong_id else ident
        frame = struct.pack(">HHHB", ident, 0, len(response) + 1, unit) + response
        await stream.send_all((request if self._echoes else b"") + frame)
        await self._rubbish(stream)

    async def serve_rtu(self, stream: trio.abc.Stream) -> None:
        """Modbus RTU: requests of eight bytes; what is broken off is forgotten in the silence."""
        come = b""
        while True:
            with trio.move_on_after(SILENCE_S if come else math.inf) as silence:
                data = bytes(await stream.receive_some())
                if not data:
                    return
                come += data
            if silence.cancelled_caught:
                come = b""
                continue
            while len(come) >= 8:
                if crc16(come[:6]) == come[6:8]:
                    request, come = come[:8], come[8:]
                    await self._answer_rtu(stream, request)
                else:
                    come = come[1:]

    async def _answer_rtu(self, stream: trio.abc.Stream, request: bytes) -> None:
        response = self.respond(request[0], request[1:6])
        if response is None:
            return
        unit = request[0] % 247 + 1 if self._wrong_id else request[0]
        frame = bytes([unit]) + response
        frame += crc16(frame)
        if self._garbled:
            frame = self._spoil(frame)
        on_the_line = (len(request) + len(frame)) * BITS_A_BYTE / self.baud
        await trio.sleep(THINK_S + on_the_line + self.late_s)
        await stream.send_all((request if self._echoes else b"") + frame)
        await self._rubbish(stream)

    async def _rubbish(self, stream: trio.abc.Stream) -> None:
        while self._endless:
            await stream.send_all(self._chance.randbytes(64))
            await trio.sleep(0.05)

    def _spoil(self, frame: bytes) -> bytes:
        place = self._chance.randrange(len(frame))
        return frame[:place] + bytes([frame[place] ^ 0x55]) + frame[place + 1 :]


class Port:
    """An RS-485 adapter: a pseudo-terminal, linked at a fixed path; it can vanish and return."""

    def __init__(self, link: Path) -> None:
        self.link = link
        self._gone = trio.Event()
        self._back = trio.Event()
        self._back.set()

    def vanish(self) -> None:
        """Pulled out (M13)."""
        self._back = trio.Event()
        self._gone.set()

    def come_back(self) -> None:
        self._back.set()

    async def serve(
        self, meter: Meter, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Be the adapter with this meter on its line, until cancelled."""
        started = False
        while True:
            await self._back.wait()
            self._gone = trio.Event()
            master, slave = os.openpty()
            tty.setraw(slave)
            try:
                self._lay_link(os.ttyname(slave))
                if not started:
                    task_status.started()
                    started = True
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(meter.serve, trio.lowlevel.FdStream(master))
                    await self._gone.wait()
                    nursery.cancel_scope.cancel()
            finally:
                self.link.unlink(missing_ok=True)
                os.close(slave)

    def _lay_link(self, terminal: str) -> None:
        self.link.parent.mkdir(parents=True, exist_ok=True)
        self.link.unlink(missing_ok=True)
        self.link.symlink_to(terminal)

"""The meter's task against living meters in virtual time; their bytes are made here, by hand."""

from __future__ import annotations

import struct
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import memory_stream_pair

import linkray.meter
from linkray.hal.board import Line
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.meter.meterfile import as_settings, parse
from linkray.meter.task import MeterRoom, run_meter
from linkray.model.facts import MeterBack, MeterLost, MeterRead
from linkray.model.faults import Fault
from linkray.model.settings import MeterSettings, Settings, Site
from linkray.model.units import ZERO, Phases
from linkray.model.views import MeterView

FILES = Path(linkray.meter.__file__).parent / "files"
START = datetime(2026, 5, 1, tzinfo=UTC)
ANSWER_S = 0.03


def crc(frame: bytes) -> bytes:
    register = 0xFFFF
    for byte in frame:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xA001 if register & 1 else 0)
    return struct.pack("<H", register)


class FakeMeter:
    """A meter that lives on one end of a stream, RTU or TCP, and can be spoilt."""

    def __init__(self, *, is_tcp: bool = False, unit: int = 1) -> None:
        self.is_tcp = is_tcp
        self.unit = unit
        self.words: dict[int, int] = {}
        self.asked: list[tuple[float, int, int]] = []  # when, register, count
        self.delay_s = ANSWER_S
        self.is_cut = self.echoes = self.doubles = self.is_garbling = False
        self.every_second_fails = False
        self.hole: int | None = None  # a register it does not have
        self.spoil = lambda answer: answer

    def set_amps(self, *amps: float) -> None:
        """As the EM24 holds them: mA, 32 bits, low word first."""
        for place, amount in enumerate(amps):
            self.put(12 + 2 * place, round(amount * 1000))

    def put(self, register: int, value: int) -> None:
        high, low = struct.unpack(">HH", struct.pack(">i", value))
        self.words |= {register: low, register + 1: high}

    def cut(self) -> None:
        self.is_cut = True

    def late(self, delay_s: float) -> None:
        self.delay_s = delay_s

    def echo(self) -> None:
        self.echoes = True

    def garble(self) -> None:
        self.is_garbling = True

    def mend(self) -> None:
        self.is_cut = self.is_garbling = self.every_second_fails = False
        self.delay_s = ANSWER_S

    async def live(self, stream: trio.abc.Stream) -> None:
        """Answer requests until the other side closes."""
        buffer = b""
        length = 12 if self.is_tcp else 8
        async with trio.open_nursery() as nursery:
            try:
                while piece := await stream.receive_some():
                    buffer += piece
                    while len(buffer) >= length:
                        request, buffer = buffer[:length], buffer[length:]
                        nursery.start_soon(self._answer, stream, request)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            nursery.cancel_scope.cancel()

    async def _answer(self, stream: trio.abc.Stream, request: bytes) -> None:
        head, body = (request[:7], request[7:]) if self.is_tcp else (b"", request[:6])
        unit = head[6] if self.is_tcp else body[0]
        command, register, count = struct.unpack(">BHH", body if self.is_tcp else body[1:])
        self.asked.append((trio.current_time(), register, count))
        if self.echoes:
            await self._send(stream, request)
        if self.is_cut or unit != self.unit:
            return
        if self.every_second_fails and len(self.asked) % 2:
            return
        registers = range(register, register + count)
        if self.hole in registers:
            pdu = struct.pack(">BB", command | 0x80, 2)
        else:
            words = [self.words.get(at, 0) for at in registers]
            pdu = struct.pack(f">BB{count}H", command, 2 * count, *words)
        if self.is_tcp:
            answer = head[:4] + struct.pack(">HB", len(pdu) + 1, unit) + pdu
        else:
            answer = bytes([unit]) + pdu
            answer += crc(answer)
        if self.is_garbling:
            answer = answer[:-1] + bytes([answer[-1] ^ 0x40])
        await trio.sleep(self.delay_s)
        await self._send(stream, self.spoil(answer))
        if self.doubles:
            await self._send(stream, answer)

    async def _send(self, stream: trio.abc.Stream, answer: bytes) -> None:
        try:
            for start in range(0, len(answer), 7):
                await stream.send_all(answer[start : start + 7])
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass


class Port:
    """A serial port, or a host and port: opens one line at a time to the meter that is on it."""

    def __init__(self, nursery: trio.Nursery, meter: FakeMeter) -> None:
        self.nursery = nursery
        self.meter = meter
        self.opened: list[tuple[float, object]] = []
        self.open_now = 0
        self.most_open = 0
        self.is_gone = False
        self.streams: list[trio.abc.Stream] = []

    async def open(self, line: Line) -> trio.abc.Stream:
        return await self._open(line)

    async def dial(self, host: str, port: int) -> trio.abc.Stream:
        return await self._open((host, port))

    async def _open(self, how: object) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.opened.append((trio.current_time(), how))
        if self.is_gone:
            raise OSError("no such device")
        ours, theirs = memory_stream_pair()
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        self.streams.append(theirs)
        self.nursery.start_soon(self._hold, theirs)
        return ours

    async def _hold(self, stream: trio.abc.Stream) -> None:
        try:
            await self.meter.live(stream)
        finally:
            self.open_now -= 1

    async def pull_out(self) -> None:
        """The adapter vanishes: nothing is there, and what was open breaks."""
        self.is_gone = True
        for stream in self.streams:
            await trio.aclose_forcefully(stream)


class Scene:
    """A running meter room, its port and everything it said."""

    def __init__(self, room: MeterRoom, port: Port, facts: list[tuple[float, object]]) -> None:
        self.room = room
        self.port = port
        self.meter = port.meter
        self.facts = facts

    def seen(self, kind: type) -> list[float]:
        return [at for at, fact in self.facts if isinstance(fact, kind)]

    def amps(self) -> list[int]:
        return [fact.current_ma.l1 for _, fact in self.facts if isinstance(fact, MeterRead)]

    def change(self, **changes: object) -> None:
        settings = self.room.settings.value
        meter = msgspec.structs.replace(settings.site.meter, **changes)
        site = msgspec.structs.replace(settings.site, meter=meter)
        self.room.settings.set(msgspec.structs.replace(settings, site=site))


def file_of(name: str, **changes: object) -> dict[str, object]:
    tree = as_settings(parse((FILES / f"{name}.meter").read_text()))
    return tree | changes


@asynccontextmanager
async def scene(meter: FakeMeter | None = None, **meter_settings: object):
    """An EM24 on RS-485, or what else `file` says, read since second 0."""
    living = meter or FakeMeter(is_tcp=bool(meter_settings.get("file", {}).get("tcp")))
    living.set_amps(10.0, 5.0, 5.0)
    for place, tenths in enumerate((2300, 2310, 2320)):
        living.put(2 * place, tenths)
        living.put(18 + 2 * place, 10_000)
    chosen = {"enabled": True, "file": file_of("em24")} | meter_settings
    settings = Settings(site=Site(meter=MeterSettings(**chosen)))
    facts: list[tuple[float, object]] = []
    async with trio.open_nursery() as nursery:
        port = Port(nursery, living)
        room = MeterRoom(
            settings=Cell(settings),
            serial=port,
            dial=port.dial,
            tell=lambda fact: facts.append((trio.current_time(), fact)),
            view=Cell(MeterView()),
            faults=Flags[Fault](),
            wall=WallClock.fixed(START),
            drawn=Cell(ZERO),
        )
        await nursery.start(run_meter, room)
        yield Scene(room, port, facts)
        nursery.cancel_scope.cancel()


TCP = {"file": {**as_settings(parse((FILES / "em24.meter").read_text())), "tcp": True,
                "IP": "10.0.0.7"}}  # fmt: skip


async def test_a_meter_is_read_once_a_second_in_one_request_and_healthy_after_five() -> None:
    async with scene() as s:
        await trio.sleep(10.5)

        assert len(s.meter.asked) == 11
        assert {asked[1:] for asked in s.meter.asked} == {(0, 24)}
        assert len(s.seen(MeterRead)) == 11
        [back] = s.seen(MeterBack)
        assert 4 <= back < 4.5
        assert not s.room.faults.cell.value
        view = s.room.view.value
        assert view.healthy
        assert view.current_ma == Phases(10_000, 5_000, 5_000)
        assert view.voltage_mv == (230_000, 231_000, 232_000)


async def test_a_tcp_meter_is_read_over_one_connection_kept_open() -> None:
    async with scene(**TCP) as s:
        await trio.sleep(30.5)

        assert s.port.opened[0][1] == ("10.0.0.7", 502)
        assert len(s.port.opened) == 1
        assert len(s.seen(MeterRead)) == 31


async def test_fast_reads_back_to_back_ten_times_a_second_at_most() -> None:
    async with scene(fast=True) as s:
        await trio.sleep(10.05)
        assert 95 <= len(s.meter.asked) <= 101
        s.meter.late(0.25)
        before = len(s.meter.asked)
        await trio.sleep(10)
        assert 36 <= len(s.meter.asked) - before <= 40


async def test_m1_an_unplugged_meter_is_lost_after_5_s_and_back_after_five_good_polls() -> None:
    async with scene() as s:
        await trio.sleep(10.5)
        s.meter.cut()
        await trio.sleep(20)
        lost = s.seen(MeterLost)[-1]
        assert 14.9 <= lost <= 15.1
        [fault] = s.room.faults.cell.value
        assert fault.code == "meter"
        assert "no reply" in fault.text
        view = s.room.view.value
        assert not view.healthy
        assert view.error == "failed to read AL1, no reply"
        assert view.age_s is not None
        assert view.age_s > 18
        assert "swap A and B" in (view.hint or "")

        s.meter.mend()
        mended = trio.current_time()
        await trio.sleep(10)
        back = s.seen(MeterBack)[-1]
        assert back - mended <= 7
        assert len([at for at in s.seen(MeterRead) if mended < at <= back]) == 5
        assert not s.room.faults.cell.value


async def test_a_failed_poll_is_repeated_at_once_and_lost_polls_tell_nothing() -> None:
    async with scene(**TCP) as s:
        await trio.sleep(5.5)
        s.meter.cut()
        told = len(s.facts)
        await trio.sleep(2.0)
        times = [at for at, *_ in s.meter.asked if at >= 5.9]
        assert times[0] == 6.0
        assert times[1] == 6.5
        assert len(s.facts) == told


async def test_m3_nan_registers_fail_the_poll() -> None:
    float_file = file_of("sdm3xx")
    meter = FakeMeter()
    async with scene(meter, file=float_file) as s:
        for register in (6, 8, 10):
            meter.words |= {register: 0x4120, register + 1: 0}
        await trio.sleep(10.5)
        assert s.amps()[-1] == 10_000
        meter.words |= {8: 0x7FC0, 9: 0}
        count = len(s.amps())
        await trio.sleep(10)
        assert len(s.amps()) == count
        assert s.seen(MeterLost)[-1] > 10
        assert s.room.view.value.error == "failed to read AL2, not a number"


async def test_m5_power_below_zero_is_told_as_negative_current() -> None:
    async with scene() as s:
        s.meter.put(18, -23_000)
        await trio.sleep(1.5)
        fact = s.facts[-1][1]
        assert isinstance(fact, MeterRead)
        assert fact.current_ma == Phases(-10_000, 5_000, 5_000)


async def test_m7_m8_a_false_voltage_is_ignored_and_a_dead_phase_is_marked() -> None:
    async with scene() as s:
        s.meter.put(2, 3000)
        await trio.sleep(6.5)
        fact = s.facts[-1][1]
        assert isinstance(fact, MeterRead)
        assert fact.voltage_mv == (230_000, None, 232_000)
        assert fact.phases_read == (True, True, True)
        s.meter.put(2, 0)
        s.meter.set_amps(10, 0, 5)
        await trio.sleep(1)
        fact = s.facts[-1][1]
        assert isinstance(fact, MeterRead)
        assert fact.phases_read == (True, False, True)
        assert len(s.room.faults.cell.value) == 1


@pytest.mark.parametrize("options", [{}, TCP], ids=["rtu", "tcp"])
async def test_m10_answers_of_900_ms_are_dropped_and_the_meter_is_lost_not_misread(
    options: dict[str, object],
) -> None:
    async with scene(**options) as s:
        await trio.sleep(10.5)
        s.meter.late(0.9)
        s.meter.set_amps(77, 77, 77)
        await trio.sleep(20)
        assert 77_000 not in s.amps()
        assert s.seen(MeterLost)[-1] < 16
        s.meter.mend()
        await trio.sleep(12)
        assert s.room.view.value.healthy
        assert s.amps()[-1] == 77_000


async def test_m10_every_second_answer_lost_does_not_flap() -> None:
    async with scene(**TCP) as s:
        await trio.sleep(10.5)
        s.meter.every_second_fails = True
        await trio.sleep(120)
        assert len(s.seen(MeterLost)) == 1  # the one at the start
        assert len(s.seen(MeterBack)) == 1
        s.meter.cut()
        await trio.sleep(20)
        s.meter.is_cut = False
        await trio.sleep(60)
        assert len(s.seen(MeterBack)) == 1  # never five in a row


async def test_m11_an_echo_a_doubled_answer_and_foreign_bytes_do_not_disturb() -> None:
    async with scene() as s:
        s.meter.echo()
        s.meter.doubles = True
        for second in range(30):
            s.meter.set_amps(second, 1, 1)
            await trio.sleep(1)
            assert s.amps()[-1] == second * 1000
        assert len(s.seen(MeterLost)) == 1


async def test_m11_after_crc_errors_the_line_is_in_step_again_with_the_next_poll() -> None:
    async with scene() as s:
        await trio.sleep(10.5)
        s.meter.garble()
        await trio.sleep(2)
        assert s.room.view.value.error == "failed to read AL1, CRC error"
        assert "wiring" in (s.room.view.value.hint or "")
        s.meter.mend()
        await trio.sleep(1.5)
        assert s.room.view.value.error is None
        assert len(s.seen(MeterLost)) == 1


async def test_m12_never_two_connections_and_each_closed_before_the_next() -> None:
    async with scene(**TCP) as s:
        await trio.sleep(5.5)
        s.meter.cut()
        await trio.sleep(30)
        assert len(s.port.opened) > 2  # a silent connection is given up and opened anew
        s.meter.mend()
        await trio.sleep(10)
        s.change(file=TCP["file"] | {"Address": 1, "IP": "10.0.0.8"})
        await trio.sleep(10)
        assert s.port.opened[-1][1] == ("10.0.0.8", 502)
        assert s.port.most_open == 1
        assert s.room.view.value.healthy


async def test_m13_an_adapter_that_vanishes_is_reopened_within_10_s_of_its_return() -> None:
    async with scene() as s:
        await trio.sleep(10.5)
        await s.port.pull_out()
        await trio.sleep(60)
        assert s.seen(MeterLost)[-1] < 17
        gaps = [b[0] - a[0] for a, b in zip(s.port.opened, s.port.opened[1:], strict=False)]
        assert max(gaps[1:]) <= 10
        assert "serial port" in (s.room.view.value.error or "")
        s.port.is_gone = False
        returned = trio.current_time()
        await trio.sleep(20)
        assert s.port.opened[-1][0] - returned <= 10
        assert s.room.view.value.healthy


async def test_m2_a_meter_that_is_stuck_while_chargers_change_is_lost() -> None:
    async with scene() as s:
        await trio.sleep(30.5)
        for step in range(10):
            s.room.drawn.set(Phases(10_000 if step % 2 else 0, 0, 0))
            await trio.sleep(5)
        assert s.seen(MeterLost)[-1] > 30
        assert "unchanged" in (s.room.view.value.error or "")


async def test_m14_zeros_after_a_restart_are_not_believed_while_chargers_draw() -> None:
    async with scene() as s:
        s.room.drawn.set(Phases(9_000, 0, 0))
        await trio.sleep(10.5)
        s.meter.set_amps(0, 0, 0)
        count = len(s.amps())
        await trio.sleep(3)
        assert len(s.amps()) == count
        s.meter.set_amps(10, 5, 5)
        await trio.sleep(3)
        assert s.amps()[-1] == 10_000
        assert len(s.seen(MeterLost)) == 1


async def test_a43_a_rogue_meter_is_never_believed_and_its_connection_is_closed() -> None:
    spoilt = {
        "wrong number": lambda a: b"\xff\xff" + a[2:],
        "wrong unit": lambda a: a[:6] + b"\x09" + a[7:],
        "length 0": lambda a: a[:4] + b"\0\0" + a[6:],
        "length 65535": lambda a: a[:4] + b"\xff\xff" + a[6:],
        "endless": lambda a: (b"\xff\xff" + a[2:]) * 200,
        "half": lambda a: a[:9],
    }
    for what, spoil in spoilt.items():
        async with scene(**TCP) as s:
            await trio.sleep(5.5)
            s.meter.spoil = spoil
            s.meter.set_amps(99, 99, 99)
            await trio.sleep(10)
            assert 99_000 not in s.amps(), what
            assert len(s.seen(MeterLost)) == 2, what
            assert s.port.most_open == 1, what
            s.meter.spoil = lambda answer: answer
            await trio.sleep(20)
            assert s.amps()[-1] == 99_000, what


async def test_a_meter_that_refuses_registers_it_does_not_have_is_asked_without_them() -> None:
    async with scene() as s:
        s.meter.hole = 8  # between voltages and currents
        await trio.sleep(6.5)
        assert s.room.view.value.healthy
        assert {asked[1:] for asked in s.meter.asked[-2:]} == {(0, 6), (12, 12)}


async def test_without_a_meter_the_view_says_so_and_there_is_no_fault() -> None:
    async with scene(enabled=False) as s:
        await trio.sleep(20)
        assert not s.room.view.value.enabled
        assert not s.room.faults.cell.value
        assert not s.facts
        assert not s.port.opened
        s.change(enabled=True)
        await trio.sleep(6)
        assert s.room.view.value.healthy
        s.meter.cut()
        await trio.sleep(10)
        assert s.room.faults.cell.value
        s.change(enabled=False)
        await trio.sleep(1)
        assert not s.room.faults.cell.value
        assert s.port.open_now == 0


async def test_a_file_that_cannot_be_is_a_fault_that_names_the_key() -> None:
    async with scene(file={"Address": 300}) as s:
        await trio.sleep(1)
        [fault] = s.room.faults.cell.value
        assert "Address: expected 0 to 255, got 300" in fault.text
        assert s.room.view.value.error
        s.change(file=file_of("em24"))
        await trio.sleep(6)
        assert not s.room.faults.cell.value
        assert s.room.view.value.healthy


async def test_other_settings_do_not_disturb_the_line() -> None:
    async with scene() as s:
        await trio.sleep(5.5)
        s.change(location="building", fast=True)
        await trio.sleep(5)
        assert len(s.port.opened) == 1
        assert s.room.view.value.location == "building"
        assert len(s.seen(MeterLost)) == 1


async def test_the_line_is_opened_as_the_file_says() -> None:
    async with scene(file=file_of("em24", Baud=19_200, Parity="E", StopBits=2)) as s:
        await trio.sleep(1)
        assert s.port.opened[0][1] == Line(19_200, "E", 2)


async def test_a_fault_of_a_run_before_is_gone_when_the_meter_is_read_again() -> None:
    async with scene() as s:
        await trio.sleep(6)
        s.meter.cut()
        await trio.sleep(10)
    assert s.room.faults.cell.value
    s.meter.mend()
    async with trio.open_nursery() as nursery:
        s.port.nursery = nursery
        await nursery.start(run_meter, s.room)
        await trio.sleep(6)
        assert not s.room.faults.cell.value
        nursery.cancel_scope.cancel()


async def test_when_the_task_ends_the_view_is_unknown_and_the_line_closed() -> None:
    async with scene() as s:
        await trio.sleep(6)
    assert s.room.view.value == MeterView(enabled=True)
    assert s.port.open_now == 0

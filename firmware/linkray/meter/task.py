"""Polls the site meter: opens one line, asks once a second, hands what came to `Health`.

Owns the line. One socket or port at a time, closed before it is opened again (trust.md M12); every
wait on the outside has a limit.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
import structlog
import trio

from linkray.hal.board import Line, Serial
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.kit.core import drive
from linkray.modbus.batch import has_holes
from linkray.modbus.wire import BadReply, Refused, Request, Rtu, Tcp, WireError, characters
from linkray.model.facts import AnyFact, MeterRead, MeterSees
from linkray.model.faults import Cleared, Code, Fault, Raised, key
from linkray.model.settings import MeterSettings, Settings
from linkray.model.units import ZERO, Phases
from linkray.model.views import MeterView

from .health import Failed, Health, Item, Kind, Next, Note, Out, Polled, Ruled, Tell, View
from .meterfile import BadMeterFile, MeterFile, from_settings
from .reading import Nonsense, Reader, Rules, Wait
from .sense import Sense

POLL_S = 1.0  # metering.md, Reading
FAST_S = 0.1
ANSWER_S = 0.5
LATE_S = 0.5  # RTU: how long a line is heard out for the answer that did not come in time
REST_S = 0.05  # RTU: and for the rest of a garbled one, which drivers hand over in pieces
OPEN_S = 3.0
CLOSE_S = 2.0
PAUSE_S, PAUSE_S_MAX = 1.0, 6.0  # between openings, doubling; with OPEN_S and POLL_S ≤ 10 s
FAILURES_REOPEN = 6  # failed polls in a row (three with their repeats) that close a silent line
PIECE_BYTES = 512

log = structlog.get_logger(source="MODBUS")

Dial = Callable[[str, int], Awaitable[trio.abc.Stream]]


@dataclass
class MeterRoom:
    """What the room needs: settings in, facts, a view and a fault out.

    `drawn` is what all chargers draw together, `drawn_by` what each draws, by phase of the site;
    None while that is not known of each. `tell` does not wait.
    """

    settings: Cell[Settings]
    serial: Serial
    dial: Dial
    tell: Callable[[AnyFact], None]
    view: Cell[MeterView]
    faults: Flags[Fault]
    wall: WallClock
    drawn: Cell[Phases] = field(default_factory=lambda: Cell(ZERO))
    drawn_by: Cell[Mapping[str, Phases] | None] = field(default_factory=lambda: Cell(None))


class _Broken(Exception):
    """The line cannot be opened or is gone."""


class _Silent(Exception):
    """No answer in time; `request` is what was asked."""

    def __init__(self, request: Request) -> None:
        super().__init__("no reply")
        self.request = request


async def run_meter(
    room: MeterRoom, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Read the meter that the settings name, for ever; a changed meter is taken up at once."""
    room.faults.clear(key(Code.METER))  # of a run before this one
    room.faults.clear(key(Code.METER_DOUBT))
    task_status.started()
    try:
        while True:
            seq, settings = room.settings.seq, room.settings.value
            meter = settings.site.meter
            file = _meter_file(room, meter)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_until_changed, room, seq, meter, nursery.cancel_scope)
                if file is not None:
                    nursery.start_soon(_serve, room, file)
            room.faults.clear(key(Code.METER))
            room.faults.clear(key(Code.METER_DOUBT))
    finally:
        room.view.set(MeterView(enabled=room.settings.value.site.meter.enabled))


def _meter_file(room: MeterRoom, meter: MeterSettings) -> MeterFile | None:
    """The meter to read; None where there is none, said in the view and, if wanted, as a fault."""
    if not meter.enabled:
        room.view.set(MeterView(enabled=False, location=meter.location))
        return None
    why = "no meter is chosen"
    if meter.file is not None:
        try:
            return from_settings(meter.file)
        except BadMeterFile as error:
            why = str(error)
    log.warning("there is no meter to read", cause=why)
    room.view.set(
        MeterView(enabled=True, location=meter.location, error=why,
                  hint="Choose a meter from the list or correct its file")
    )  # fmt: skip
    _raise(room, Raised(Code.METER, detail=why))
    return None


async def _until_changed(
    room: MeterRoom, seq: int, meter: MeterSettings, scope: trio.CancelScope
) -> None:
    """Cancels when another meter is to be read, or none, or one at last."""
    while True:
        seq, settings = await room.settings.wait_newer(seq)
        now = settings.site.meter
        if (now.enabled, now.file) != (meter.enabled, meter.file) or (
            not meter.enabled and now.location != meter.location
        ):
            scope.cancel()
            return


async def _serve(room: MeterRoom, file: MeterFile) -> None:
    """One meter, as long as it is the one: a poller feeds `Health`, what that says is done."""
    into, inbox = trio.open_memory_channel[Item](0)
    say, turns = trio.open_memory_channel[Next](1)

    async def do(out: Out) -> None:
        if isinstance(out, Next):
            say.send_nowait(out)
        else:
            _do(room, out, file.name, sense)

    sense = Sense(room.settings.value.site.measurand_interval_s)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(drive, Health(file.name, is_tcp=file.tcp), inbox, do)
        nursery.start_soon(_poll_for_ever, room, file, into, turns)


def _do(room: MeterRoom, out: Out, name: str, sense: Sense) -> None:
    if isinstance(out, Tell):
        room.tell(out.fact)
        if isinstance(out.fact, MeterRead) and all(out.fact.phases_read):
            _compare(room, out.fact, sense)
    elif isinstance(out, View):
        room.view.set(
            msgspec.structs.replace(
                out.view, findings=sense.findings(), follows=sense.follows()
            )
        )
    elif isinstance(out, Raised):
        _raise(room, out)
    elif isinstance(out, Cleared):
        room.faults.clear(key(out.code, out.subject))
    elif isinstance(out, Note):
        if out.is_good:
            log.info(out.text, meter=name)
        else:
            log.warning(out.text, meter=name)


def _compare(room: MeterRoom, read: MeterRead, sense: Sense) -> None:
    """Hold a reading against the chargers; tell what that has proved (trust.md M9, M15)."""
    before = sense.findings()
    if not sense.feed(read.current_ma, room.drawn_by.value, read.at):
        return
    found = sense.findings()
    if found == before:
        return
    at_grid = room.settings.value.site.meter.location == "grid"
    wrong = [f for f in found if at_grid or f.what != "excluded"]
    if not at_grid and sense.follows():
        log.warning("the meter sees the chargers although it is set to see the building alone",
                    action="they are counted twice, until the location is put right")  # fmt: skip
    for finding in wrong:
        if finding not in before:
            log.warning("the meter does not fit the chargers", cause=finding.text,
                        action=f"seen {finding.steps} times")  # fmt: skip
    if wrong:
        _raise(room, Raised(Code.METER_DOUBT, detail=wrong[0].text))
    else:
        room.faults.clear(key(Code.METER_DOUBT))
    excluded = any(f.what == "excluded" for f in found)
    room.tell(MeterSees("building" if excluded else "grid", read.at))


def _raise(room: MeterRoom, out: Raised) -> None:
    fault = Fault.of(out.code, room.wall.stamp(), out.subject, out.detail)
    room.faults.raise_(key(out.code, out.subject), fault)


async def _poll_for_ever(
    room: MeterRoom,
    file: MeterFile,
    into: trio.MemorySendChannel[Item],
    turns: trio.MemoryReceiveChannel[Next],
) -> None:
    """Poll, hand over, and poll again when `Health` says so; the rhythm does not drift."""
    poller = _Poller(room, file)
    rules: Rules | None = None
    next_at = trio.current_time()
    try:
        while True:
            if (newer := Rules.of(room.settings.value)) != rules:
                rules = newer
                await into.send(Ruled(rules))
            item = await poller.poll(rules)
            await into.send(item)
            if (await turns.receive()).at_once:
                continue
            fast = room.settings.value.site.meter.fast and isinstance(item, Polled)
            next_at = max(next_at + (FAST_S if fast else POLL_S), trio.current_time())
            await trio.sleep_until(next_at)
    finally:
        await poller.close()


class _Poller:
    """The line to one meter, opened when needed, and the questions of one poll."""

    def __init__(self, room: MeterRoom, file: MeterFile) -> None:
        self._room = room
        self._file = file
        self._reader = Reader(file)
        self._wire: Rtu | Tcp = Tcp() if file.tcp else Rtu()
        self._stream: trio.abc.Stream | None = None
        self._with_holes = True
        self._failures = 0
        self._pause_s = PAUSE_S
        self._open_at = -math.inf  # not to be opened before
        self._why_closed = ""
        bits = 9 + file.stop_bits + (file.parity != "N")
        self._char_s = bits / file.baud
        self._quiet_s = max(3.5 * self._char_s, 0.00175)  # Modbus over serial line 1.02, 2.5.1.1
        self._late_until = -math.inf  # RTU: an answer may still come until then

    async def poll(self, rules: Rules) -> Item:
        """One poll: its reading, or why there is none."""
        started = trio.current_time()
        try:
            await self._open()
            answers = {}
            for request in self._reader.requests(with_holes=self._with_holes):
                answers[request] = await self._ask(request)
            reading = self._reader.read(answers, rules, started)
        except _Broken as error:
            return Failed("meter", str(error), "line")
        except _Silent as error:
            return await self._fail(self._reader.first_in(error.request), "no reply", "timeout")
        except Nonsense as error:
            self._answered()  # the line is well, the meter is not
            return Failed(error.what, error.text, "implausible")
        except Wait as error:
            self._answered()
            return Failed("kWh", str(error), "waiting")
        except _Wrong as error:
            kind: Kind = "refused" if isinstance(error.cause, Refused) else "garbled"
            return await self._fail(
                self._reader.first_in(error.request), str(error.cause), kind
            )
        self._answered()
        return Polled(reading, self._room.drawn.value)

    def _answered(self) -> None:
        self._failures = 0
        self._pause_s = PAUSE_S

    async def _fail(self, what: str, text: str, kind: Kind) -> Failed:
        """Count it; a line that has been silent for long is opened anew with the next poll."""
        self._failures += 1
        if self._failures >= FAILURES_REOPEN:
            self._failures = 0
            await self.close()
        return Failed(what, text, kind)

    async def _open(self) -> None:
        """Open the line if it is closed and its pause is over; `_Broken` if not."""
        if self._stream is not None:
            return
        now = trio.current_time()
        if now < self._open_at:
            raise _Broken(self._why_closed)
        file = self._file
        where = f"{file.ip}:{file.port}" if file.tcp else "the serial port"
        try:
            with trio.fail_after(OPEN_S):
                if file.tcp:
                    self._stream = await self._room.dial(file.ip, file.port)
                else:
                    line = Line(file.baud, file.parity, file.stop_bits)
                    self._stream = await self._room.serial.open(line)
        except (OSError, trio.TooSlowError, trio.BrokenResourceError) as error:
            cause = "no connection in time" if isinstance(error, trio.TooSlowError) else str(error)
            self._rest(f"cannot open {where}: {cause or type(error).__name__}")
            raise _Broken(self._why_closed) from None
        self._wire = Tcp() if file.tcp else Rtu()

    def _rest(self, why: str) -> None:
        """Not to be opened again before the pause is over, which doubles."""
        self._why_closed = why
        self._open_at = trio.current_time() + self._pause_s
        self._pause_s = min(2 * self._pause_s, PAUSE_S_MAX)

    async def close(self) -> None:
        """Close the line, if it is open; it is closed when this returns (trust.md M12)."""
        stream, self._stream = self._stream, None
        if stream is not None:
            with trio.move_on_after(CLOSE_S, shield=True):
                await trio.aclose_forcefully(stream)

    async def _break(self, why: str) -> _Broken:
        await self.close()
        self._rest(why)
        return _Broken(why)

    async def _ask(self, request: Request) -> tuple[int, ...]:
        """The registers of one request, or `_Silent`, `_Wrong`, `_Broken`."""
        try:
            if isinstance(self._wire, Rtu):
                await self._hear_out()
            registers = await self._exchange(request)
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            raise await self._break(f"the line broke: {error or type(error).__name__}") from None
        except WireError as error:
            self._wire.give_up()
            self._late_until = trio.current_time() + REST_S
            if isinstance(error, BadReply) and error.lost_step:
                await self._break(str(error))
            if isinstance(error, Refused) and error.code == 2 and self._with_holes:
                self._with_holes = not has_holes(request, self._reader.spans.values())
            raise _Wrong(request, error) from None
        if registers is None:
            self._wire.give_up()
            self._late_until = trio.current_time() + LATE_S
            raise _Silent(request)
        return registers

    async def _exchange(self, request: Request) -> tuple[int, ...] | None:
        """Send, and hear until the answer is there; None when the time is over."""
        assert self._stream is not None
        answer_s = ANSWER_S
        if not self._file.tcp:  # below 2400 baud the bytes alone take long
            answer_s = max(ANSWER_S, 2 * characters(request) * self._char_s)
        is_sent = False
        with trio.move_on_after(answer_s):
            await self._stream.send_all(self._wire.ask(request))
            is_sent = True
            while True:
                registers = self._wire.feed(await self._hear())
                if registers is not None:
                    return registers
        if not is_sent:  # half a request may be out: the other side has lost step
            raise trio.BrokenResourceError("it takes no request")
        return None

    async def _hear(self) -> bytes:
        assert self._stream is not None
        piece = bytes(await self._stream.receive_some(PIECE_BYTES))
        if not piece:
            raise trio.BrokenResourceError("closed by the other side")
        return piece

    async def _hear_out(self) -> None:
        """RTU: the silence before a request; what is heard in it answers nothing and is dropped.

        After a timeout first for the answer that may still come: RTU numbers no answers, so it
        would be taken for the next one's (trust.md M10, M11). A line that is never silent is not
        waited for longer than `LATE_S`.
        """
        now = trio.current_time()
        if now < self._late_until:
            with trio.move_on_at(self._late_until):
                await self._hear()
        self._late_until = -math.inf
        with trio.move_on_after(LATE_S):
            is_silent = False
            while not is_silent:
                with trio.move_on_after(self._quiet_s) as silence:
                    await self._hear()
                is_silent = silence.cancelled_caught


class _Wrong(Exception):
    """An answer came, and it is none; `cause` says why."""

    def __init__(self, request: Request, cause: WireError) -> None:
        super().__init__(str(cause))
        self.request = request
        self.cause = cause

"""Every board keeps the same promises, whatever is behind it (house.md, The board).

A backend joins by a line in `WIRINGS`. What plays the far side of its lines comes with it.
"""

from __future__ import annotations

import contextlib
import os
import pty
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import trio

from linkray.hal.board import Board, Line
from linkray.hal.boards import load
from linkray.hal.sim import MemorySerial, make

pytestmark = pytest.mark.realtime

SIM = Path(__file__).parents[2] / "board" / "sim" / "board.toml"
SOON_S = 5.0


class FarSide:
    """Who sits at the other end of the RS-485 line."""

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        receive: Callable[[], Awaitable[bytes]],
        pull_out: Callable[[], Awaitable[None]],
    ) -> None:
        self.send, self.receive, self.pull_out = send, receive, pull_out


class InMemory:
    """The simulated board with its line inside the process."""

    def __init__(self, state: Path) -> None:
        self.line = MemorySerial()
        self.board: Board = make(SIM.read_bytes(), state, self.line)

    async def far_side(self) -> FarSide:
        _line, stream = await self.line.other_end()
        return FarSide(stream.send_all, stream.receive_some, stream.aclose)

    def unplug(self) -> None:
        self.line.present = False

    async def aclose(self) -> None:
        """Nothing outside the process was opened."""


class OnAPseudoTerminal:
    """The simulated board with `serial0` linked to a pseudo-terminal."""

    def __init__(self, state: Path) -> None:
        self.board: Board = load(SIM, state)
        self.state = state
        ours, theirs = pty.openpty()
        tty.setraw(theirs)
        (state / "serial0").symlink_to(os.ttyname(theirs))
        os.close(theirs)
        self.stream = trio.lowlevel.FdStream(ours)

    async def far_side(self) -> FarSide:
        return FarSide(self.stream.send_all, self.stream.receive_some, self.stream.aclose)

    def unplug(self) -> None:
        (self.state / "serial0").unlink()

    async def aclose(self) -> None:
        await self.stream.aclose()


WIRINGS = {"sim, in memory": InMemory, "sim, pseudo-terminal": OnAPseudoTerminal}


@pytest.fixture(params=WIRINGS)
def wire(request, tmp_path):
    """How a test gets a board: inside its loop, because some backends need one."""

    @contextlib.asynccontextmanager
    async def up() -> AsyncIterator[SimpleNamespace]:
        wiring = WIRINGS[request.param](tmp_path)
        with trio.fail_after(SOON_S):
            yield wiring
            await wiring.aclose()

    return up


# -- RS-485 --------------------------------------------------------------------------------------


async def test_bytes_pass_both_ways_unchanged(wire):
    every = bytes(range(256))
    async with wire() as at:
        port = await at.board.serial.open(Line())
        far = await at.far_side()
        await port.send_all(every)
        assert await take(far.receive, 256) == every
        await far.send(every[::-1])
        assert await take(port.receive_some, 256) == every[::-1]
        await port.aclose()


async def take(receive: Callable[[], Awaitable[bytes]], count: int) -> bytes:
    got = b""
    while len(got) < count:
        got += await receive()
    return got


async def test_a_port_that_is_taken_away_reads_nothing_and_refuses_writes(wire):
    async with wire() as at:
        port = await at.board.serial.open(Line())
        far = await at.far_side()
        await far.pull_out()
        assert await port.receive_some(64) == b""
        assert await port.receive_some(64) == b""
        with pytest.raises(trio.BrokenResourceError):
            await port.send_all(b"anyone there?")
        await port.aclose()


async def test_a_reader_that_waits_hears_that_the_port_is_gone(wire):
    heard: list[bytes] = []
    async with wire() as at:
        port = await at.board.serial.open(Line())
        far = await at.far_side()

        async def read() -> None:
            heard.append(await port.receive_some(64))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert heard == []
            await far.pull_out()
        assert heard == [b""]
        await port.aclose()


async def test_a_port_that_we_closed_is_closed_for_us(wire):
    async with wire() as at:
        port = await at.board.serial.open(Line())
        await port.aclose()
        await port.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await port.receive_some(64)
        with pytest.raises(trio.ClosedResourceError):
            await port.send_all(b"x")


async def test_waiting_for_an_answer_can_be_given_up(wire):
    async with wire() as at:
        port = await at.board.serial.open(Line())
        far = await at.far_side()
        with trio.move_on_after(0.05) as limit:
            await port.receive_some(64)
        assert limit.cancelled_caught
        await far.send(b"late")
        assert await take(port.receive_some, 4) == b"late"
        await port.aclose()


async def test_an_open_port_is_not_opened_twice_and_a_closed_one_again(wire):
    async with wire() as at:
        port = await at.board.serial.open(Line())
        with pytest.raises(OSError, match="open already"):
            await at.board.serial.open(Line())
        await port.aclose()
        again = await at.board.serial.open(Line(baud=19_200, parity="E", stop_bits=1))
        await again.aclose()


async def test_a_port_that_is_not_there_is_told_in_words(wire):
    async with wire() as at:
        at.unplug()
        with pytest.raises(OSError, match="expected a serial port"):
            await at.board.serial.open(Line())


# -- everything else -----------------------------------------------------------------------------


async def test_the_leds_take_every_state(wire):
    async with wire() as at:
        for red in (True, False):
            for green in (True, False):
                at.board.leds.show(red=red, green=green)
        assert [shown[1:] for shown in at.board.leds.shown] == [
            (True, True), (True, False), (False, True), (False, False),
        ]  # fmt: skip


async def test_every_reader_of_the_button_hears_each_change_once(wire):
    async with wire() as at:
        one, two = at.board.button.changes(), at.board.button.changes()
        at.board.button.press()
        at.board.button.press()
        at.board.button.release()
        for reader in (one, two):
            assert [await reader.receive(), await reader.receive()] == [True, False]
            with pytest.raises(trio.WouldBlock):
                reader.receive_nowait()
        one.close()
        at.board.button.press()
        assert await two.receive()


async def test_a_button_that_nobody_reads_holds_nobody_up(wire):
    async with wire() as at:
        at.board.button.changes()
        for _press in range(100):
            at.board.button.press()
            at.board.button.release()


async def test_identity_has_a_serial_and_a_mac(wire):
    async with wire() as at:
        assert at.board.identity.serial
        assert len(at.board.identity.mac.split(":")) == 6


async def test_a_reboot_is_seen_by_whoever_waits_for_it(wire):
    async with wire() as at:
        system = at.board.system
        assert not system.rebooting.is_set()
        assert system.uptime_s() >= 0
        async with trio.open_nursery() as nursery:
            nursery.start_soon(system.rebooting.wait)
            system.reboot()
        assert system.rebooting.is_set()


async def test_two_slots_one_booted_and_it_can_be_marked_good(wire):
    async with wire() as at:
        before = at.board.slots.slots()
        assert [slot.name for slot in before] == ["A", "B"]
        assert [slot.booted for slot in before].count(True) == 1
        at.board.slots.mark_good()
        assert [slot.good for slot in at.board.slots.slots() if slot.booted] == [True]


async def test_the_network_tells_its_links_and_takes_a_preference(wire):
    async with wire() as at:
        links = at.board.network.links()
        assert {link.kind for link in links} == {"ethernet", "wifi", "cellular"}
        at.board.network.prefer(links[0].name)
        with pytest.raises(OSError, match="expected one of"):
            at.board.network.prefer("eth99")


async def test_the_modem_tells_its_state_and_can_be_restarted(wire):
    async with wire() as at:
        assert at.board.modem.state().sim in ("absent", "locked", "ok")
        for depth in ("connection", "modem", "power"):
            at.board.modem.restart(depth)


async def test_what_the_board_keeps_lies_in_the_state_folder(wire, tmp_path):
    async with wire() as at:
        at.board.slots.mark_good()
        assert {path.name for path in tmp_path.iterdir()} <= at.board.keeps

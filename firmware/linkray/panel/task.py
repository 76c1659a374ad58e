"""The LED and the reset button at work: two cores on one board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import trio

from linkray.hal.board import Button as BoardButton
from linkray.hal.board import Leds
from linkray.kit.cell import Cell
from linkray.kit.core import drive
from linkray.model.faults import Fault
from linkray.model.views import LedView

from .button import Button, Pressed, Wanted
from .look import Armed, Beat, Faulty, Identify, Look, Looks, Seen, Show, Started

INBOX_PLACES = 16
WANTED_S = 30.0  # the disk's time for the audit line; no answer is an answer

log = structlog.get_logger(source="PANEL")


class Panel:
    """What the panel watches, and what it tells.

    `wanted` is called with `FactoryReset` or `ReopenFirstLogin` when the button says so.
    """

    def __init__(
        self,
        leds: Leds,
        button: BoardButton,
        *,
        beat: Cell[float],
        faults: Cell[tuple[Fault, ...]],
        started: Cell[bool],
        led: Cell[LedView],
        wanted: Callable[[Wanted], Awaitable[None]],
    ) -> None:
        self.leds = leds
        self.button = button
        self.beat = beat
        self.faults = faults
        self.started = started
        self.led = led
        self.wanted = wanted
        self.inbox, self.items = trio.open_memory_channel[Seen](INBOX_PLACES)

    def identify(self) -> bool:
        """Red and green in turn for 30 s; False: the panel is not listening."""
        try:
            self.inbox.send_nowait(Identify())
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        return True


async def run_panel(panel: Panel) -> None:
    """Show how it stands and listen to the button, until cancelled."""
    presses, pressed = trio.open_memory_channel[Pressed](INBOX_PLACES)
    async with trio.open_nursery() as nursery:
        # A panel that is kept and started again reads on from the same inbox.
        nursery.start_soon(drive, Look(), panel.items.clone(), _shower(panel))
        nursery.start_soon(drive, Button(), pressed, _listener(panel))
        nursery.start_soon(_watch_button, panel, presses)
        nursery.start_soon(_watch_beat, panel)
        nursery.start_soon(_watch_started, panel)
        nursery.start_soon(_watch_faults, panel)


def _shower(panel: Panel) -> Callable[[Show | Looks], Awaitable[None]]:
    async def do(out: Show | Looks) -> None:
        await trio.lowlevel.checkpoint()
        if isinstance(out, Looks):
            panel.led.set(out.view)
            return
        try:
            panel.leds.show(red=out.red, green=out.green)
        except OSError as error:
            log.warning("LED not set", cause=str(error), action="tried again at its next turn")

    return do


def _listener(panel: Panel) -> Callable[[Armed | Wanted], Awaitable[None]]:
    async def do(out: Armed | Wanted) -> None:
        if isinstance(out, Armed):
            await panel.inbox.send(out)
            return
        log.info("reset button", wanted=type(out).__name__)
        with trio.move_on_after(WANTED_S) as limit:
            await panel.wanted(out)
        if limit.cancelled_caught:
            log.warning("reset button had no effect", cause=f"no answer within {WANTED_S:.0f} s")

    return do


async def _watch_button(panel: Panel, presses: trio.MemorySendChannel[Pressed]) -> None:
    async with presses:
        async for pressed in panel.button.changes():
            await presses.send(Pressed(pressed))


async def _watch_beat(panel: Panel) -> None:
    seq = panel.beat.seq
    while True:
        seq, _at = await panel.beat.wait_newer(seq)
        await panel.inbox.send(Beat())


async def _watch_started(panel: Panel) -> None:
    seq = -1
    while True:
        seq, started = await panel.started.wait_newer(seq)
        await panel.inbox.send(Started(started))


async def _watch_faults(panel: Panel) -> None:
    seq = -1
    while True:
        seq, faults = await panel.faults.wait_newer(seq)
        await panel.inbox.send(Faulty(bool(faults)))

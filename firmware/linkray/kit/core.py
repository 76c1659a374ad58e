"""The one contract of the house: a core decides, `drive` carries it out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

import trio

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
In = TypeVar("In")
Out = TypeVar("Out")


class Core(Protocol[In_contra, Out_co]):
    """An object that decides: no clock, no I/O, no await; `now` is monotonic seconds."""

    def feed(self, item: In_contra, now: float) -> Iterable[Out_co]:
        """Something has happened; what should be done about it, in order."""
        ...

    def due(self) -> float:
        """When it wants to be woken; `math.inf` is never."""
        ...

    def wake(self, now: float) -> Iterable[Out_co]:
        """That time has come; `due()` is later than `now` afterwards."""
        ...


async def drive(
    core: Core[In, Out],
    inbox: trio.MemoryReceiveChannel[In],
    do: Callable[[Out], Awaitable[None]],
) -> None:
    """Feed the core what comes, wake it when due, do what it says in its order.

    All outputs of one step are computed before the first is done, so no await falls into the
    middle of a decision. Ends when every sender of `inbox` has closed.
    """
    async with inbox:
        while True:
            try:
                with trio.move_on_at(core.due()) as alarm:
                    item = await inbox.receive()
            except trio.EndOfChannel:
                return
            now = trio.current_time()
            if alarm.cancelled_caught:
                outs = list(core.wake(now))
                assert core.due() > now, f"{core!r} wakes without end"
            else:
                outs = list(core.feed(item, now))
            for out in outs:
                await do(out)

"""Where the disk's work is done: in one thread of its own, or at once (in simulation)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import trio

T = TypeVar("T")


class Runner(Protocol):
    """Runs one blocking piece of work at a time."""

    async def run(self, work: Callable[[], T]) -> T: ...


class InThread:
    """One thread behind one limiter: a slow disk never stops the loop (trust.md P11)."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(1)

    async def run(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


class Inline:
    """At once, in the loop: for virtual time, where a thread would let the clock jump."""

    async def run(self, work: Callable[[], T]) -> T:
        await trio.lowlevel.checkpoint()
        return work()


def beside(runner: Runner) -> Runner:
    """Where long work is done that nobody waits for: never in the thread of those who commit."""
    return InThread() if isinstance(runner, InThread) else runner

"""Virtual time that costs nothing to pass, for a run without sockets, files or threads to wait on.

`MockClock` with autojump asks the system whether anything has happened before each jump. Here
nothing can: everything is in memory, so that the clock is set to the next deadline at once.
"""

from __future__ import annotations

import math
from typing import Any

import trio
import trio._core._run as trio_run  # the runner has no public name

LOOK_EVERY = 2_000  # turns of the loop: Ctrl-C must still be heard


class VirtualClock(trio.abc.Clock):
    """Time that jumps to the next deadline whenever no task can run."""

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """Nothing runs by itself."""

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        if deadline == math.inf:
            return 1.0  # only the system can wake anybody: Trio itself, at the end of a run
        self._now = max(self._now, deadline)
        return 0.0


class _Deaf:
    """The runner's way to the system, taken seldom."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._turns = 0

    def get_events(self, timeout: float) -> Any:
        self._turns += 1
        if timeout <= 0 and self._turns % LOOK_EVERY:
            return ()
        return self._real.get_events(timeout)

    def process_events(self, events: Any) -> None:
        if events:
            self._real.process_events(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def do_not_ask_the_system() -> None:
    """From now on this `trio.run` looks for the system's events once in two thousand turns."""
    runner: Any = trio_run.GLOBAL_RUN_CONTEXT.runner
    runner.io_manager = _Deaf(runner.io_manager)

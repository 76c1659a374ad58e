"""How a process ends when it is told to (SIGTERM, SIGINT): in order, from its first moment on."""

from __future__ import annotations

import signal
from collections.abc import Callable

import trio

SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def heed_signals(
    told: Callable[[str], None], task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Calls `told` with the name of each signal that comes, and of one that has waited since
    they were blocked (`__main__.py`). Never ends; cancel it last.
    """
    with trio.open_signal_receiver(*SIGNALS) as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        task_status.started()
        async for number in signals:
            told(signal.Signals(number).name)

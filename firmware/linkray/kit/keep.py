"""Where our own mistakes are caught: the only file with a broad `except`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
import trio

PAUSE_S = 0.5  # house.md, Nurseries 7
PAUSE_S_MAX = 30.0
CALM_S = 60.0
FAILURES_MAX = 5
VITAL_FAILURES_MAX = 3  # house.md, Decided: store and balance

log = structlog.get_logger(source="KEEP")


class KeptDown(RuntimeError):
    """A kept task failed too often within a minute: the process ends, systemd starts it anew."""


async def keep(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    vital: bool = False,
    strict: bool = False,
) -> None:
    """Run `run`, restart it with growing pauses when it fails, give up loudly.

    A vital task is started again at once, twice; its third failure within a minute raises
    `KeptDown`, as does the fifth of any other. `strict` raises the first failure (tests).
    """
    failures: list[float] = []
    pause_s = PAUSE_S
    while True:
        started = trio.current_time()
        try:
            await run()
        except Exception as error:
            now = trio.current_time()
            if strict:
                raise
            failures = [t for t in failures if now - t < CALM_S] + [now]
            if now - started >= CALM_S:
                pause_s = PAUSE_S
            most = VITAL_FAILURES_MAX if vital else FAILURES_MAX
            log.exception("task failed", task=name, failures=len(failures), of=most)
            if len(failures) >= most:
                raise KeptDown(f"{name} failed {len(failures)} times within a minute") from error
            if not vital:
                await trio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_S_MAX)
        else:
            return


async def contain(name: str, run: Callable[[], Awaitable[None]], *, strict: bool = False) -> None:
    """Run `run`; let it die alone: a failure is logged and ends here."""
    try:
        await run()
    except Exception:
        if strict:
            raise
        log.exception("link failed, its neighbours go on", link=name)

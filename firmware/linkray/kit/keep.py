"""Where our own mistakes are caught: the only file with a broad `except`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
import trio

PAUSE_S = 0.5  # house.md, Nurseries 7
PAUSE_S_MAX = 30.0
CALM_S = 60.0
REST_S = 60.0  # of a room that charging does not need, before it is tried again
FAILURES_MAX = 5
VITAL_FAILURES_MAX = 3  # house.md, Decided: store and balance

log = structlog.get_logger(source="KEEP")

T = TypeVar("T")


class KeptDown(RuntimeError):
    """A kept task failed too often within a minute: the process ends, systemd starts it anew."""


async def keep(
    name: str,
    run: Callable[[], Awaitable[None]],
    *,
    vital: bool = False,
    rests: bool = False,
    strict: bool = False,
) -> None:
    """Run `run`, restart it with growing pauses when it fails, give up loudly.

    A vital task is started again at once, twice; its third failure within a minute raises
    `KeptDown`, as does the fifth of any other. One that `rests` is something charging does not
    need: after five failures it is left alone for a minute, and ends nobody.
    `strict` raises the first failure (tests).
    """
    failures: list[float] = []
    pause_s = PAUSE_S
    while True:
        started = trio.current_time()
        try:
            await run()
        except Exception as error:
            now = trio.current_time()
            if strict or _ends_the_process(error):
                raise
            failures = [t for t in failures if now - t < CALM_S] + [now]
            if now - started >= CALM_S:
                pause_s = PAUSE_S
            most = VITAL_FAILURES_MAX if vital else FAILURES_MAX
            log.exception("task failed", task=name, failures=len(failures), of=most)
            if rests and len(failures) >= most:
                log.warning("task rests", task=name, seconds=int(REST_S),
                            cause=f"failed {len(failures)} times within a minute")  # fmt: skip
                failures.clear()
                pause_s = PAUSE_S
                await trio.sleep(REST_S)
                continue
            if len(failures) >= most:
                raise KeptDown(f"{name} failed {len(failures)} times within a minute") from error
            if not vital:
                await trio.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_S_MAX)
        else:
            return


def _ends_the_process(error: Exception) -> bool:
    """Whether somebody below has given up already; what comes out of a nursery is a group."""
    if isinstance(error, ExceptionGroup):
        return error.subgroup(KeptDown) is not None
    return isinstance(error, KeptDown)


async def contain(name: str, run: Callable[[], Awaitable[None]], *, strict: bool = False) -> None:
    """Run `run`; let it die alone: a failure is logged and ends here."""
    try:
        await run()
    except Exception:
        if strict:
            raise
        log.exception("link failed, its neighbours go on", link=name)


def tried(run: Callable[[], T]) -> T | Exception:
    """What `run` gives, or the mistake it made: for whoever has a safe way on (trust.md B9)."""
    try:
        return run()
    except Exception as error:  # noqa: BLE001 - given back
        return error

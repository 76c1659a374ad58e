"""structlog set-up: one event is one line; repeated lines are counted; secrets are masked."""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Mapping, MutableMapping
from typing import TextIO

import structlog

from linkray.kit.clock import WallClock

RING_LINES = 2000  # what the Debug page can look back on, held in memory
LINE_CHARS_MAX = 2048  # trust.md A20
REPEAT_S = 60.0  # a line that says the same again within a minute is counted, not written
SECRETS = ("password", "authorization", "authorizationkey", "psk", "token", "secret", "key")

Event = MutableMapping[str, object]


def plain(text: object) -> str:
    """One line without control or bidi characters, at most 2 KiB (trust.md A20)."""
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return line if len(line) <= LINE_CHARS_MAX else line[: LINE_CHARS_MAX - 1] + "…"


def render(event: Mapping[str, object]) -> str:
    """`2024-07-30T16:06:44.917Z: [MODBUS ] failed to read AL2, no reply` (manual, 26)."""
    source = plain(event.get("source", "LINKRAY"))
    skip = ("event", "source", "level", "timestamp", "exception")
    rest = " ".join(f"{k}={plain(v)}" for k, v in event.items() if k not in skip)
    words = f"{event['timestamp']}: [{source:<8}] {plain(event['event'])}"
    if rest:
        words += f" ({rest})"
    if event.get("exception"):
        words += " | " + plain(event["exception"])
    return words[:LINE_CHARS_MAX]


def mask(_logger: object, _name: str, event: Event) -> Event:
    """Secrets never reach a line, by name of the field."""
    for name in event:
        if any(name.lower() == s or name.lower().endswith("_" + s) for s in SECRETS):
            event[name] = "***"
    return event


class Repeats:
    """Counts what repeats: the same words again within a minute are told as `Repeated n times`."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, int]] = {}

    def admit(self, words: str, now: float) -> tuple[bool, int]:
        """Whether to write the line, and how many were swallowed since it was last written."""
        first, count = self._last.get(words, (-REPEAT_S, 0))
        if 0 <= now - first < REPEAT_S:  # a clock that was put back silences nothing (T2)
            self._last[words] = (first, count + 1)
            return False, 0
        if len(self._last) > RING_LINES:
            self._last.clear()
        self._last[words] = (now, 0)
        return True, count


class LogRing:
    """The newest lines in memory, for the page and the support bundle."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=RING_LINES)
        self.written = 0  # how many lines there ever were, so that a reader knows what is new

    def add(self, line: str) -> None:
        self.lines.append(line)
        self.written += 1


def set_level(level: int) -> None:
    """From which level on lines are written: `logging.INFO`, or `logging.DEBUG` for all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))


def set_up(
    clock: WallClock, ring: LogRing, out: TextIO | None = None, level: int = logging.INFO
) -> None:
    """Every log line of this process goes to `ring` and to `out` (stderr unless given)."""
    repeats = Repeats()
    stream = out if out is not None else sys.stderr

    def write(_logger: object, _name: str, event: Event) -> str:
        event["timestamp"] = clock.stamp()
        line = render(event)
        now = clock.utc().timestamp()
        wanted, swallowed = repeats.admit(line.split(": ", 1)[1], now)
        if not wanted:
            raise structlog.DropEvent
        if swallowed:
            ring.add(f"Repeated {swallowed} times")
            print(f"Repeated {swallowed} times", file=stream)
        ring.add(line)
        return line

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            mask,
            structlog.processors.format_exc_info,
            write,
        ],
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    set_level(level)

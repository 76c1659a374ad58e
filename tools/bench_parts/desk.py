"""Reads the control process's own figures from its desk, as any face would."""

from __future__ import annotations

from pathlib import Path

import msgspec
import trio

from linkray.faces.client import ask_once
from linkray.model.asks import LOCAL, Answer, AnyAsk, ReadSnapshot, Who
from linkray.model.views import Snapshot

BENCH = Who("bench", LOCAL, "loopback")


def snapshot(state: Path) -> Snapshot:
    """The newest snapshot of a running control process."""
    return msgspec.json.decode(ask(state, ReadSnapshot()).data, type=Snapshot)


def ask(state: Path, wish: AnyAsk) -> Answer:
    return trio.run(ask_once, state, wish, BENCH)

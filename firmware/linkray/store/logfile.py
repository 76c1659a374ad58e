"""The LinkRay log as an SQLite file, for whoever wants to ask it questions (decided.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable

import apsw

_LINE = re.compile(r"(\d\S+Z): \[([^\]]*)\] (.*)", re.DOTALL)


def as_database(lines: Iterable[str]) -> bytes:
    """A database with one table `log`: number, UTC time, source and text of each line."""
    db = apsw.Connection(":memory:")
    try:
        with db:
            db.execute("CREATE TABLE log (number INTEGER PRIMARY KEY, at TEXT, source TEXT,"
                       " text TEXT NOT NULL)")  # fmt: skip
            db.executemany("INSERT INTO log (at, source, text) VALUES (?, ?, ?)",
                           map(_parts, lines))  # fmt: skip
        return db.serialize("main")
    finally:
        db.close()


def _parts(line: str) -> tuple[str | None, str | None, str]:
    """`2024-07-30T16:06:44.917Z: [MODBUS ] failed to read AL2`; what is no such line as it is."""
    found = _LINE.fullmatch(line)
    return (found[1], found[2].strip(), found[3]) if found else (None, None, line)

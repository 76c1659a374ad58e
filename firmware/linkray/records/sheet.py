"""Sessions as a table for a spreadsheet: RFC 4180, and harmless there (trust.md A18, A19)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from linkray.model.sessions import Choices, Measured, SessionRow

HEADER = (
    "TX ID", "Time Start", "Time End", "Time Duration", "Energy Used [kWh]", "RFID Tag",
    "Charger", "Friendly Name", "Finished",
)  # fmt: skip
SEPARATORS = (",", ";", "\t")
DECIMALS = (".", ",")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for more than text
END = "\r\n"
SPECIAL = re.compile('["\r\n]')


class Sheet:
    """Writes the sessions' CSV piece by piece; times are the site's."""

    needs_samples = False

    def __init__(self, choices: Choices, zone: tzinfo) -> None:
        self._choices = choices
        self._zone = zone

    def begin(self) -> str:
        return ("\ufeff" if self._choices.bom else "") + line(HEADER, self._choices.separator)

    def add(self, sessions: Sequence[Measured]) -> str:
        return "".join(line(self._cells(one.row), self._choices.separator) for one in sessions)

    def end(self) -> str:
        return ""

    def _cells(self, row: SessionRow) -> tuple[str, ...]:
        return (
            str(row.id), local(row.started, self._zone), local(row.ended, self._zone),
            clock_of(row.duration_s), kwh(row.energy_wh, self._choices.decimal),
            harmless(row.tag), harmless(row.charger), harmless(row.name), str(int(row.finished)),
        )  # fmt: skip


def line(cells: Iterable[str], separator: str) -> str:
    """One record: a cell with the separator, a quote or the end of a line in it is quoted."""
    return separator.join(_quoted(cell, separator) for cell in cells) + END


def _quoted(cell: str, separator: str) -> str:
    if separator in cell or SPECIAL.search(cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def harmless(text: str) -> str:
    """What somebody else has written, so that no spreadsheet reckons with it."""
    return "'" + text if text.startswith(FORMULA) else text


def kwh(energy_wh: int, decimal: str) -> str:
    """All three decimals: they are the watt-hours, and none is rounded away."""
    return f"{energy_wh // 1000}{decimal}{energy_wh % 1000:03}"


def clock_of(seconds: int) -> str:
    """`HH:MM:SS`, with more hours than a day has where it takes them."""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def local(at: str | None, zone: tzinfo) -> str:
    """As the manual's table shows it, with seconds; empty: not yet."""
    if at is None:
        return ""
    there = datetime.fromisoformat(at).astimezone(zone)
    return there.isoformat(" ", "seconds")[: len("2026-11-21 08:00:00")].replace("-", "/")

"""Charge data records: one line a session, for those who bill (records.md, Transactions)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from linkray.model.sessions import Choices, Measured, SessionRow

from .sheet import clock_of, harmless, kwh, line, local

HEADER = (
    "Charge number", "Charger", "Connector", "Transaction ID", "RFID Tag", "Type of charge",
    "Start time", "End time", "Energy [kWh]", "Connector type", "Duration", "Comment",
)  # fmt: skip
PAUSED_S_MIN = 60  # what is shorter nobody asks about
TYPES = {1: "AC_SINGLE_PHASE", 2: "AC_TWO_PHASE", 3: "AC_THREE_PHASE"}


class Records:
    """Writes the records piece by piece; `phases`: how each charger is wired now.

    The connector's type stays empty: no message of OCPP 1.6 says it.
    """

    needs_samples = False

    def __init__(self, choices: Choices, zone: tzinfo, phases: Mapping[str, int]) -> None:
        self._choices = choices
        self._zone = zone
        self._phases = phases

    def begin(self) -> str:
        return ("\ufeff" if self._choices.bom else "") + line(HEADER, self._choices.separator)

    def add(self, sessions: Sequence[Measured]) -> str:
        return "".join(line(self._cells(one.row), self._choices.separator) for one in sessions)

    def end(self) -> str:
        return ""

    def _cells(self, row: SessionRow) -> tuple[str, ...]:
        return (
            str(row.id), harmless(row.charger), str(row.connector),
            str(row.id if row.csms_id is None else row.csms_id), harmless(row.tag),
            TYPES.get(self._phases.get(row.charger, 0), ""),
            local(row.started, self._zone), local(row.ended, self._zone),
            kwh(row.energy_wh, self._choices.decimal), "", clock_of(row.duration_s),
            harmless(comment(row)),
        )  # fmt: skip


def comment(row: SessionRow) -> str:
    """Why it ended, what is not right with it, and how long it was paused."""
    said = [row.reason or ""]
    said += ["charging"] * (not row.finished)
    said += ["start unknown"] * row.incomplete
    said += ["register jumped"] * row.flagged
    if (row.paused_s or 0) >= PAUSED_S_MIN:
        said.append(f"paused {clock_of(row.paused_s or 0)}")
    return ", ".join(filter(None, said))

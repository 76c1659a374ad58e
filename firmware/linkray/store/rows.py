"""Rows of the database as words of the model, and the columns they are read from."""

from __future__ import annotations

import msgspec

from linkray.model.asks import Account, Key
from linkray.model.passport import Finding
from linkray.model.records import Transaction

from .audit import AuditLine

TRANSACTIONS = (
    "id, charger, connector, tag, started, given, meter_start_wh, ended, stop_given,"
    " meter_last_wh, energy_wh, reason, finished, incomplete, flagged, friendly_name,"
    " authorised_by, (SELECT max(at) FROM samples WHERE transaction_id = transactions.id)"
)
AUDIT = "seq, at, who, level, source, what, old, new, hash"
ACCOUNTS = "name, level, hash, first, changed"
KEYS = "digest, scope, expires, name, made"
FINDINGS = "vendor, model, firmware, what, about, found, at, charger, offered, measured"

SQLiteValue = int | float | bytes | str | None
Row = tuple[SQLiteValue, ...]


def _int(value: SQLiteValue) -> int:
    assert isinstance(value, int)  # STRICT tables hold what they say
    return value


def _text(value: SQLiteValue) -> str:
    assert isinstance(value, str)
    return value


def transaction_of(row: Row) -> Transaction:
    """A row of `TRANSACTIONS`."""
    return Transaction(
        id=_int(row[0]),
        charger=_text(row[1]),
        connector=_int(row[2]),
        tag=_text(row[3]),
        started=_text(row[4]),
        given=_text(row[5]),
        meter_start_wh=_int(row[6]),
        ended=None if row[7] is None else _text(row[7]),
        stop_given=None if row[8] is None else _text(row[8]),
        meter_last_wh=None if row[9] is None else _int(row[9]),
        energy_wh=_int(row[10]),
        reason=None if row[11] is None else _text(row[11]),
        finished=bool(row[12]),
        incomplete=bool(row[13]),
        flagged=bool(row[14]),
        friendly_name=_text(row[15]),
        authorised_by=_text(row[16]),
        sampled=None if row[17] is None else _text(row[17]),
    )


def line_of(row: Row) -> AuditLine:
    """A row of `AUDIT`."""
    seq, at, who, level, source, what, old, new, closed = row
    return AuditLine(
        _int(seq), _text(at), _text(who), _int(level), _text(source), _text(what), _text(old),
        _text(new), _text(closed),
    )  # fmt: skip


def account_of(row: Row) -> Account:
    """A row of `ACCOUNTS`."""
    name, level, hashed, first, changed = row
    return Account(_text(name), _int(level), _text(hashed), bool(first), _text(changed))


def key_of(row: Row) -> Key:
    """A row of `KEYS`."""
    digest, scope, expires, name, made = row
    return Key(_text(digest), _text(scope), _text(expires), _text(name), _text(made))


def finding_of(row: Row) -> tuple[tuple[str, str, str], Finding]:
    """A row of `FINDINGS`: vendor, model and firmware, and what was found."""
    vendor, model, firmware, *rest = row
    finding = msgspec.convert(
        dict(zip(("what", "about", "found", "at", "charger", "offered", "measured"), rest,
                 strict=True)),
        type=Finding,
    )  # fmt: skip
    return (_text(vendor), _text(model), _text(firmware)), finding

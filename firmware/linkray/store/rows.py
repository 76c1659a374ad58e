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
    " authorised_by, (SELECT max(at) FROM samples WHERE transaction_id = transactions.id),"
    " csms_id, at_charger, csms"
)
AUDIT = "seq, at, who, level, source, what, old, new, hash"
ACCOUNTS = "name, level, hash, first, changed, second, second_used"
KEYS = "digest, scope, expires, name, made, by, off"
FINDINGS = "vendor, model, firmware, what, about, found, at, charger, offered, measured"

SQLiteValue = int | float | bytes | str | None
Row = tuple[SQLiteValue, ...]


def int_of(value: SQLiteValue) -> int:
    assert isinstance(value, int)  # STRICT tables hold what they say
    return value


def text_of(value: SQLiteValue) -> str:
    assert isinstance(value, str)
    return value


def bytes_of(value: SQLiteValue) -> bytes:
    assert isinstance(value, bytes)
    return value


def transaction_of(row: Row) -> Transaction:
    """A row of `TRANSACTIONS`."""
    return Transaction(
        id=int_of(row[0]),
        charger=text_of(row[1]),
        connector=int_of(row[2]),
        tag=text_of(row[3]),
        started=text_of(row[4]),
        given=text_of(row[5]),
        meter_start_wh=int_of(row[6]),
        ended=None if row[7] is None else text_of(row[7]),
        stop_given=None if row[8] is None else text_of(row[8]),
        meter_last_wh=None if row[9] is None else int_of(row[9]),
        energy_wh=int_of(row[10]),
        reason=None if row[11] is None else text_of(row[11]),
        finished=bool(row[12]),
        incomplete=bool(row[13]),
        flagged=bool(row[14]),
        friendly_name=text_of(row[15]),
        authorised_by=text_of(row[16]),
        sampled=None if row[17] is None else text_of(row[17]),
        csms_id=None if row[18] is None else int_of(row[18]),
        at_charger=None if row[19] is None else int_of(row[19]),
        csms=text_of(row[20]),
    )


def line_of(row: Row) -> AuditLine:
    """A row of `AUDIT`."""
    seq, at, who, level, source, what, old, new, closed = row
    return AuditLine(
        int_of(seq), text_of(at), text_of(who), int_of(level), text_of(source), text_of(what),
        text_of(old), text_of(new), text_of(closed),
    )  # fmt: skip


def account_of(row: Row) -> Account:
    """A row of `ACCOUNTS`."""
    name, level, hashed, first, changed, second, used = row
    return Account(
        text_of(name), int_of(level), text_of(hashed), bool(first), text_of(changed),
        text_of(second), int_of(used),
    )  # fmt: skip


def key_of(row: Row) -> Key:
    """A row of `KEYS`."""
    digest, scope, expires, name, made, by, off = row
    return Key(
        text_of(digest), text_of(scope), text_of(expires), text_of(name), text_of(made),
        text_of(by), text_of(off),
    )  # fmt: skip


def finding_of(row: Row) -> tuple[tuple[str, str, str], Finding]:
    """A row of `FINDINGS`: vendor, model and firmware, and what was found."""
    vendor, model, firmware, *rest = row
    finding = msgspec.convert(
        dict(zip(("what", "about", "found", "at", "charger", "offered", "measured"), rest,
                 strict=True)),
        type=Finding,
    )  # fmt: skip
    return (text_of(vendor), text_of(model), text_of(firmware)), finding

"""What can still be read of a damaged database: its transactions, their sendings, and what waits
for the CSMS, one by one (trust.md P5).

A damaged page costs the rows that lie in it, not those of its neighbours. Settings are not taken:
their last good copy is whole, and half of them is worse than old ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import apsw
import msgspec

from linkray.model.delivery import Sending

from . import deliveries
from .courses import PAUSES, course_of
from .files import Files
from .rows import Row

COLUMNS = (
    "id, charger, connector, tag, friendly_name, authorised_by, started, given, meter_start_wh,"
    " meter_last_wh, ended, stop_given, stop_of, reason, finished, incomplete, flagged,"
    " csms_id, at_charger, csms, course, delivery"
)
_WHOSE = "(SELECT csms FROM outbox WHERE transaction_id = transactions.id LIMIT 1)"
_BEFORE = COLUMNS.replace("course, delivery", "NULL, NULL")
READ_AS = (  # what can be had first: of databases of before without what they do not have yet
    COLUMNS,
    _BEFORE,
    _BEFORE.replace("at_charger, csms", f"at_charger, coalesce({_WHOSE}, '')"),
    _BEFORE.replace("at_charger, csms", "at_charger, ''"),
    _BEFORE.replace("csms_id, at_charger, csms", "NULL, NULL, ''"),
)
QUEUED = (
    "number, charger, csms, message_id, action, payload, transaction_id, at, aside, aside_at"
)
ENDS = ("SELECT min(number) FROM outbox", "SELECT max(number) FROM outbox")
ACTIONS = ("StartTransaction", "StopTransaction", "MeterValues")
LATEST_MAX = 100_000  # records.md: so many are kept
QUEUE_GAP_MAX = 200  # messages in a row that cannot be read: more than lie in a page or two
SENDINGS_MAX = 10_000  # looked for: a file a day for longer than sessions are kept
GAP_MAX = 1_000  # ids that give nothing in a row, where nobody knows the last


class Queue(msgspec.Struct, frozen=True):
    """What waits for the CSMS, in the order of `QUEUED`, and what is known to have been taken."""

    rows: tuple[Row, ...] = ()
    gone: tuple[int, ...] = ()


class Salvaged(msgspec.Struct, frozen=True):
    """A transaction in the order of `COLUMNS`, its samples (slot, time, register) and its pauses
    (beginning, end, code, group).
    """

    row: Row
    samples: tuple[Row, ...]
    pauses: tuple[Row, ...] = ()


def salvaged(file: Path, files: Files, after: int, running: Iterable[int]) -> Iterator[Salvaged]:
    """What can be read of the transactions with an id above `after`, and of those in `running`."""
    db = _opened(file, files)
    if db is None:
        return
    try:
        for number in running:
            yield from _one(db, number)
        yield from _later(db, after)
    finally:
        db.close(True)


def queue(file: Path, files: Files, kept: Iterable[int]) -> Queue:
    """What can be read of the queue to the CSMS; `kept`: the numbers that a copy of it holds."""
    db = _opened(file, files)
    if db is None:
        return Queue()
    try:
        numbers = sorted(kept)
        gone = tuple(number for number in numbers if _is_gone(db, number))
        return Queue(tuple(_queued(db, numbers[-1] if numbers else 0)), gone)
    finally:
        db.close(True)


def sendings(
    file: Path, files: Files, after: int, unsent: Iterable[int], undelivered: Iterable[int]
) -> deliveries.Found:
    """What can be read of the sendings with a number above `after` and of `unsent`, and to which of
    them these sessions belong.
    """
    db = _opened(file, files)
    if db is None:
        return deliveries.Found()
    try:
        newest = _last(db, "deliveries") or 0
        if not 0 < newest <= deliveries.NUMBER_MAX:
            newest = 0
        first = max(after, newest - SENDINGS_MAX) + 1
        numbers = [*unsent, *range(first, newest + 1)]
        rows = tuple(row for number in numbers for row in _sending(db, number))
        of = [(one, number) for one in (undelivered if newest > after else ())
              for number in _delivery(db, one)]  # fmt: skip
        return deliveries.Found(rows, newest, tuple(of))
    finally:
        db.close(True)


def _sending(db: apsw.Connection, number: int) -> list[Row]:
    """The sending, if it can be read and makes sense."""
    with suppress(apsw.Error, UnicodeDecodeError, AssertionError, msgspec.ValidationError):
        rows = list(db.execute(f"SELECT {deliveries.COLUMNS} FROM deliveries"  # noqa: S608
                               " WHERE id = ?", (number,)))  # fmt: skip
        return [row for row in rows if _is_sending(deliveries.sending_of(row))]
    return []


def _is_sending(one: Sending) -> bool:
    texts = (one.made, one.until, one.name, one.by, one.tried, one.place)
    return one.id > 0 and bool(one.name) and all(text.isprintable() for text in texts)


def _delivery(db: apsw.Connection, number: int) -> list[int]:
    """The sending of a session, where it is in one."""
    with suppress(apsw.Error):
        found = list(db.execute("SELECT delivery FROM transactions WHERE id = ?", (number,)))
        return [row[0] for row in found if isinstance(row[0], int)]
    return []


def _opened(file: Path, files: Files) -> apsw.Connection | None:
    if not files.exists(file):
        return None
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
    try:
        db = apsw.Connection(f"file:{quote(str(file))}?psow=0", flags, vfs=files.vfs or None)
    except apsw.Error:
        return None
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # what is set aside stays as it was found
    return db


def _is_gone(db: apsw.Connection, number: int) -> bool:
    """Whether a message is readably there no more: the CSMS has it."""
    with suppress(apsw.Error):
        return not list(db.execute("SELECT 1 FROM outbox WHERE number = ?", (number,)))
    return False


def _queued(db: apsw.Connection, after: int) -> Iterator[Row]:
    """The messages above a number; those of a page that cannot be read are passed over."""
    number, missed = after, 0
    if not any(_reads(db, end) for end in ENDS):
        return  # its root is gone
    while missed < QUEUE_GAP_MAX:
        try:
            rows = list(db.execute(
                f"SELECT {QUEUED} FROM outbox WHERE number > ?"  # noqa: S608  # our own names
                " ORDER BY number LIMIT 1", (number,)))  # fmt: skip
        except (apsw.Error, UnicodeDecodeError):
            number, missed = number + 1, missed + 1
            continue
        if not rows or not isinstance(rows[0][0], int):
            return
        number, missed = rows[0][0], 0
        if _is_message(rows[0]):
            yield rows[0]


def _reads(db: apsw.Connection, question: str) -> bool:
    try:
        list(db.execute(question))
    except apsw.Error:
        return False
    return True


def _is_message(row: Row) -> bool:
    """Whether every word is of its kind."""
    if row[4] not in ACTIONS or not isinstance(row[6], int):
        return False
    if not all(isinstance(text, str) and text.isprintable() for text in row[1:6]):
        return False
    try:
        msgspec.json.decode(str(row[5]))
    except msgspec.DecodeError:
        return False
    return True


def _later(db: apsw.Connection, after: int) -> Iterator[Salvaged]:
    last = _last(db)
    if last is not None and last <= after:
        return
    number = after if last is None else max(after, last - LATEST_MAX)
    missed = 0
    while number != last and missed < (GAP_MAX if last is None else LATEST_MAX):
        number += 1
        missed += 1
        for one in _one(db, number):
            missed = 0
            yield one


def _last(db: apsw.Connection, of: str = "transactions") -> int | None:
    with suppress(apsw.Error):
        found = list(db.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (of,)))
        if found and isinstance(found[0][0], int):
            return int(found[0][0])
    return None


def _one(db: apsw.Connection, number: int) -> list[Salvaged]:
    """The transaction, if it can be read and makes sense."""
    rows: list[Row] = []
    samples: list[Row] = []
    for columns in READ_AS:
        with suppress(apsw.Error, UnicodeDecodeError):
            rows = list(db.execute(
                f"SELECT {columns} FROM transactions WHERE id = ?", (number,)  # noqa: S608
            ))  # fmt: skip
            break
    if not rows or not _makes_sense(rows[0]):
        return []
    with suppress(apsw.Error, UnicodeDecodeError):
        found = db.execute(
            "SELECT slot, at, register_wh FROM samples WHERE transaction_id = ?", (number,)
        )
        samples.extend(row for row in found if _is_time(row[1]))  # up to where it cannot be read
    pauses: list[Row] = []
    with suppress(apsw.Error, UnicodeDecodeError):
        found = db.execute(f"SELECT {PAUSES} FROM pauses WHERE transaction_id = ?",  # noqa: S608
                           (number,))  # fmt: skip
        pauses.extend(row for row in found if _is_pause(row))
    return [Salvaged(rows[0], tuple(samples), tuple(pauses))]


def _is_pause(row: Row) -> bool:
    began, ended, *words = row
    times = (began,) if ended is None else (began, ended)
    return all(map(_is_time, times)) and all(
        isinstance(word, str) and word.isprintable() for word in words
    )


def _makes_sense(row: Row) -> bool:
    """Whether every word is of its kind: what a flipped bit made of one is not taken."""
    texts, numbers = (row[1], row[3], row[4], row[5], row[6], row[7]), (row[2], row[8])
    return (
        all(isinstance(text, str) and text.isprintable() for text in texts)
        and all(isinstance(number, int) and number >= 0 for number in numbers)
        and bool(row[1])
        and _is_time(row[6])
        and (row[10] is None or _is_time(row[10]))
        and all(flag in {0, 1} for flag in row[14:17])
        and all(number is None or isinstance(number, int) for number in row[17:19])
        and isinstance(row[19], str)
        and row[19].isprintable()
        and (row[20] is None or course_of(row[20]) is not None)
        and (row[21] is None or isinstance(row[21], int))
    )


def _is_time(word: object) -> bool:
    try:
        return isinstance(word, str) and datetime.fromisoformat(word).tzinfo is not None
    except ValueError:
        return False

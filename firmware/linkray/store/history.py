"""The site's past in the database: minutes of 31 days, then quarters of an hour of two years.

A row holds a quarter of an hour, and each minute is written into it: one page a minute. What is
older than 31 days becomes one mean. Retention goes by one row a minute, so that a clock that is
wrong for an hour takes no month with it. A connector's current is kept in tenths of an ampere.
A row that a damaged page has made unreadable is as none: whoever writes deletes it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import apsw
import msgspec
import structlog

from linkray.kit.keep import tried
from linkray.model.history import MINUTES, Point, Site, Slot, mean_of, rounded
from linkray.model.records import MinuteKept
from linkray.model.units import Phases

from .rows import SQLiteValue, bytes_of, int_of

QUARTERS_A_DAY = 96
MINUTES_KEPT = 31 * QUARTERS_A_DAY
QUARTERS_KEPT = 731 * QUARTERS_A_DAY
UNIT_MA = 100  # of a connector's current
PACKED = 6  # zlib's level: the next two win 1 % and take twice as long
POINTS_MAX = 8_192  # connectors: of as many chargers as there may be, four and more of each
GIVEN_UP_AT_ONCE = 96  # quarters with their minutes, where the disk is full …
MEANS_GIVEN_UP_AT_ONCE = 2_000  # … or without

Amounts = tuple[int, int, int] | int | None  # of a connector: 0 is no current, None a gap


class _Packed(msgspec.Struct, frozen=True, array_like=True):
    """A slot as a row holds it; `points` by their number less one."""

    covered_s: int
    voltage_mv: Phases | None
    limit_ma: Phases | None
    degraded: bool
    site: Site | None
    points: tuple[Amounts, ...]


Numbers = dict[Point, int]
_FREE = (  # the lowest number that no connector has
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM history_points WHERE number = 1) UNION ALL"
    " SELECT number + 1 FROM history_points AS one WHERE NOT EXISTS"
    " (SELECT 1 FROM history_points WHERE number = one.number + 1) ORDER BY 1 LIMIT 1"
)
_write = msgspec.msgpack.Encoder()
_read = msgspec.msgpack.Decoder(_Packed)
_read_minutes = msgspec.msgpack.Decoder(dict[int, _Packed])

log = structlog.get_logger(source="HISTORY")


# -- writing -----------------------------------------------------------------------------------


def put(db: apsw.Connection, kept: MinuteKept) -> None:
    """A minute goes to its quarter. One that is there already (the clock was set back, LinkRay
    began anew within it) stays if more of it was measured; else the newer one counts.
    """
    quarter, minute = divmod(kept.minute, MINUTES)
    names = _named(db, kept.slot.points)
    found = list(db.execute("SELECT minutes FROM history_minutes WHERE quarter = ?", (quarter,)))
    minutes = (_unpacked(bytes_of(found[0][0])) if found else None) or {}
    if found and not minutes:
        _say_lost(quarter)
    before = minutes.get(minute)
    if before is None or kept.slot.covered_s >= before.covered_s:
        minutes[minute] = _packed(kept.slot, names)
        words = zlib.compress(_write.encode(dict(sorted(minutes.items()))), PACKED)
        db.execute("INSERT OR REPLACE INTO history_minutes VALUES (?, ?)", (quarter, words))
    aged = tried(lambda: _age(db, quarter))
    if isinstance(aged, apsw.Error):
        raise aged
    if isinstance(aged, Exception):  # a mistake of ours with the old costs nothing of the new
        log.error("what is old stays as it is", exc_info=aged)


def _named(db: apsw.Connection, points: Iterable[Point]) -> Numbers:
    """Their numbers, those of new ones the lowest that are free; where there are as many as there
    may be, a new one has none, and is not kept.
    """
    names: Numbers = {}
    for point in points:
        found = list(db.execute(
            "SELECT number FROM history_points WHERE charger = ? AND connector = ?", point
        )) or list(db.execute(_FREE))  # fmt: skip
        number = int_of(found[0][0])
        if number > POINTS_MAX:
            log.warning("currents not kept", peer=point[0], connector=point[1], cause="no room")
            continue
        db.execute("INSERT OR IGNORE INTO history_points VALUES (?, ?, ?)", (number, *point))
        names[point] = number
    return names


def _age(db: apsw.Connection, now: int) -> None:
    """What is too old becomes a mean, or goes: one row of each at a time."""
    _condense(db, "WHERE quarter < ? ORDER BY quarter LIMIT 1", (now - MINUTES_KEPT,))
    db.execute(
        "DELETE FROM history_quarters WHERE quarter ="
        " (SELECT min(quarter) FROM history_quarters WHERE quarter < ?)", (now - QUARTERS_KEPT,)
    )  # fmt: skip


def _condense(
    db: apsw.Connection, which: str, values: tuple[SQLiteValue, ...]
) -> int:
    """Rows with minutes become means; how many."""
    found = list(db.execute(f"SELECT quarter, minutes FROM history_minutes {which}",  # noqa: S608
                            values))  # fmt: skip  # our own words
    names = numbers(db) if found else {}
    points = {number: point for point, number in names.items()}
    for quarter, words in found:
        minutes = _unpacked(bytes_of(words))
        if minutes:
            slot = mean_of([_slot(one, points) for one in minutes.values()])
            db.execute("INSERT OR REPLACE INTO history_quarters VALUES (?, ?)",
                       (quarter, _write.encode(_packed(slot, names))))  # fmt: skip
        else:
            _say_lost(int_of(quarter))
        db.execute("DELETE FROM history_minutes WHERE quarter = ?", (quarter,))
    return len(found)


def thin(db: apsw.Connection) -> int:
    """The disk is full: the oldest minutes become means, then the oldest means go; how many rows
    that were.
    """
    condensed = _condense(db, "ORDER BY quarter LIMIT ?", (GIVEN_UP_AT_ONCE,))
    if condensed:
        return condensed
    db.execute(
        "DELETE FROM history_quarters WHERE quarter IN"
        " (SELECT quarter FROM history_quarters ORDER BY quarter LIMIT ?)",
        (MEANS_GIVEN_UP_AT_ONCE,),
    )
    return db.changes()


def in_use(db: apsw.Connection) -> frozenset[int]:
    """The numbers of the connectors that any row tells of. It reads everything there is."""
    found: set[int] = set()
    for (words,) in db.execute("SELECT minutes FROM history_minutes"):
        for one in (_unpacked(bytes_of(words)) or {}).values():
            found.update(_told_of(one))
    for (words,) in db.execute("SELECT mean FROM history_quarters"):
        mean = _unpacked_mean(bytes_of(words))
        if mean is not None:
            found.update(_told_of(mean))
    return frozenset(found)


def _told_of(packed: _Packed) -> Iterator[int]:
    return (number for number, amounts in enumerate(packed.points, 1) if amounts is not None)


def forget(db: apsw.Connection, used: frozenset[int], points: set[Point]) -> int:
    """Every number goes that is neither one of these nor that of one of these points; how many."""
    gone = [(number,) for point, number in numbers(db).items()
            if number not in used and point not in points]  # fmt: skip
    db.executemany("DELETE FROM history_points WHERE number = ?", gone)
    return len(gone)


def is_empty(db: apsw.Connection) -> bool:
    """Whether `thin` would find nothing."""
    return not list(db.execute(
        "SELECT 1 FROM history_minutes UNION ALL SELECT 1 FROM history_quarters LIMIT 1"))


# -- reading -----------------------------------------------------------------------------------


def minutes_of(db: apsw.Connection, first: int, last: int) -> Iterator[tuple[int, Slot]]:
    """Each minute (since 1970) that there is of these quarters, `last` not among them, in order."""
    points = {number: point for point, number in numbers(db).items()}
    for quarter, words in _rows(db, "minutes", first, last).items():
        for minute, one in sorted((_unpacked(words) or {}).items()):
            yield quarter * MINUTES + minute, _slot(one, points)


def quarters_of(db: apsw.Connection, first: int, last: int) -> Iterator[tuple[int, Slot]]:
    """Each quarter that there is, `last` not among them, in order: by its minutes as long as they
    are kept.
    """
    points = {number: point for point, number in numbers(db).items()}
    fine, coarse = _rows(db, "minutes", first, last), _rows(db, "quarters", first, last)
    for quarter in sorted({*fine, *coarse}):
        minutes = _unpacked(fine[quarter]) if quarter in fine else None
        mean = _unpacked_mean(coarse[quarter]) if quarter in coarse else None
        if minutes:
            yield quarter, mean_of([_slot(one, points) for one in minutes.values()])
        elif mean is not None:
            yield quarter, _slot(mean, points)


def numbers_between(db: apsw.Connection, first: int, last: int) -> list[int]:
    """The quarters of which there is anything, `last` not among them, in order."""
    return [int_of(quarter) for (quarter,) in db.execute(
        "SELECT quarter FROM history_minutes WHERE quarter >= ?1 AND quarter < ?2"
        " UNION SELECT quarter FROM history_quarters WHERE quarter >= ?1 AND quarter < ?2"
        " ORDER BY 1", (first, last))]  # fmt: skip


def _rows(db: apsw.Connection, what: str, first: int, last: int) -> dict[int, bytes]:
    column = {"minutes": "minutes", "quarters": "mean"}[what]
    found = db.execute(
        f"SELECT quarter, {column} FROM history_{what}"  # noqa: S608  # our own names
        " WHERE quarter >= ? AND quarter < ? ORDER BY quarter", (first, last))  # fmt: skip
    return {int_of(quarter): bytes_of(words) for quarter, words in found}


def numbers(db: apsw.Connection) -> Numbers:
    """The number of each connector that a row may tell of."""
    return {
        (str(charger), int_of(connector)): int_of(number)
        for number, charger, connector in db.execute(
            "SELECT number, charger, connector FROM history_points ORDER BY number"
        )
    }


# -- packing -----------------------------------------------------------------------------------


def _packed(slot: Slot, names: Numbers) -> _Packed:
    row: list[Amounts] = [None] * max(names.values(), default=0)
    for point, current_ma in slot.points.items():
        if point not in names:
            continue
        l1, l2, l3 = (rounded(ma, UNIT_MA) for ma in current_ma)
        row[names[point] - 1] = (l1, l2, l3) if l1 or l2 or l3 else 0
    while row and row[-1] is None:
        row.pop()
    return _Packed(slot.covered_s, slot.voltage_mv, slot.limit_ma, slot.degraded, slot.site,
                   tuple(row))  # fmt: skip


def _slot(packed: _Packed, points: dict[int, Point]) -> Slot:
    known: dict[Point, Phases] = {}
    for number, amounts in enumerate(packed.points, 1):
        if amounts is not None and number in points:
            l1, l2, l3 = (0, 0, 0) if isinstance(amounts, int) else amounts
            known[points[number]] = Phases(l1 * UNIT_MA, l2 * UNIT_MA, l3 * UNIT_MA)
    return Slot(packed.covered_s, packed.voltage_mv, packed.limit_ma, packed.degraded,
                packed.site, known)  # fmt: skip


def _unpacked(words: bytes) -> dict[int, _Packed] | None:
    """None: they cannot be read."""
    try:
        return _read_minutes.decode(zlib.decompress(words))
    except (zlib.error, msgspec.DecodeError):
        return None


def _unpacked_mean(words: bytes) -> _Packed | None:
    try:
        return _read.decode(words)
    except msgspec.DecodeError:
        return None


def _say_lost(quarter: int) -> None:
    log.error("minutes of a quarter of an hour cannot be read", quarter=quarter, action="deleted")

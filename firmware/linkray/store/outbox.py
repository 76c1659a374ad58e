"""What waits for the CSMS, as rows (csms.md, Offline). Knows SQLite, not who sends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import apsw
import msgspec

from linkray.model.records import (
    Called,
    Delivered,
    IdLearned,
    Outgoing,
    Refused,
    SetAside,
    TagAccepted,
    UplinkKept,
)

from .rows import int_of, text_of

NOT_GONE = "number NOT IN (SELECT value FROM json_each(?))"

Kept = Refused | Called | Delivered | IdLearned | Outgoing | SetAside | TagAccepted | UplinkKept
TAGS_KEPT = 10_000


def put(db: apsw.Connection, record: Kept) -> None:
    """Write one record down; a repeat changes nothing."""
    match record:
        case Outgoing():
            db.execute(
                "INSERT INTO outbox (number, charger, message_id, action, payload,"
                " transaction_id, at, csms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (number) DO NOTHING",
                (record.number, record.charger, record.message_id, record.action, record.payload,
                 record.transaction, record.at, record.csms),
            )  # fmt: skip
        case Delivered(number):
            db.execute("DELETE FROM outbox WHERE number = ?", (number,))
        case SetAside(number, why, at):
            db.execute("UPDATE outbox SET aside = ?, aside_at = ? WHERE number = ?",
                       (why, at, number))  # fmt: skip
        case IdLearned(transaction, csms_id):
            db.execute("UPDATE transactions SET csms_id = ? WHERE id = ?", (csms_id, transaction))
        case Called(number, at_charger):
            db.execute("UPDATE transactions SET at_charger = ? WHERE id = ?", (at_charger, number))
        case Refused(number):
            db.execute("UPDATE transactions SET authorised_by = '' WHERE id = ?", (number,))
        case TagAccepted(tag, at):
            db.execute("INSERT INTO tags_accepted VALUES (?, ?)"
                       " ON CONFLICT DO UPDATE SET at = excluded.at", (tag.casefold(), at))
            db.execute("DELETE FROM tags_accepted WHERE tag NOT IN"
                       " (SELECT tag FROM tags_accepted ORDER BY at DESC LIMIT ?)", (TAGS_KEPT,))
        case UplinkKept():
            db.execute("INSERT INTO uplinks VALUES (?, ?)"
                       " ON CONFLICT DO UPDATE SET kept = excluded.kept",
                       (record.charger, msgspec.json.encode(record).decode()))  # fmt: skip


def everyone(db: apsw.Connection) -> Iterator[str]:
    """Every charger for which something waits, at whichever address: a step of the index each, for
    the queue may be a month's.
    """
    words = (
        "SELECT charger FROM outbox WHERE aside IS NULL AND charger > ? ORDER BY charger LIMIT 1"
    )
    charger = ""
    while rows := list(db.execute(words, (charger,))):
        charger = text_of(rows[0][0])
        yield charger


def let_go(db: apsw.Connection, charger: str, csms: str, through: int, most: int) -> int:
    """Delete so many of what waits of a charger for an address, up to this number; how many."""
    db.execute(
        "DELETE FROM outbox WHERE number IN (SELECT number FROM outbox WHERE aside IS NULL"
        " AND charger = ? AND csms = ? AND number <= ? LIMIT ?)", (charger, csms, through, most),
    )  # fmt: skip
    return db.changes()


def is_empty(db: apsw.Connection, csms: str) -> bool:
    """Whether nothing waits for this address; without one: for any."""
    return not (chargers(db, csms) if csms else list(everyone(db)))


def newest(db: apsw.Connection) -> int:
    """The highest number that was ever given."""
    rows = list(db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'"))
    return int_of(rows[0][0]) if rows else 0


def waiting(
    db: apsw.Connection, charger: str, csms: str, gone: Iterable[int] = ()
) -> tuple[int, int, int]:
    """How many messages of a charger wait for this address, were set aside, and the last number;
    `gone`: numbers of what the CSMS has, though the disk does not know it yet.
    """
    (count, last), = db.execute(
        "SELECT count(*), coalesce(max(number), 0) FROM outbox"  # noqa: S608 - our own words
        f" WHERE charger = ? AND csms = ? AND aside IS NULL AND {NOT_GONE}",
        (charger, csms, listed_numbers(gone)),
    )
    (aside,), = db.execute(
        "SELECT count(*) FROM outbox INDEXED BY outbox_aside"
        " WHERE charger = ? AND aside IS NOT NULL", (charger,),
    )
    return int_of(count), int_of(aside), int_of(last)


def load(
    db: apsw.Connection, charger: str, csms: str, after: int, limit: int, gone: Iterable[int] = ()
) -> tuple[tuple[Outgoing, ...], bool]:
    """The next messages of a charger in their order, and whether there are others after them."""
    rows = list(db.execute(
        "SELECT number, charger, message_id, action, payload,"  # noqa: S608 - our own words
        " transaction_id, at, csms"
        " FROM outbox WHERE charger = ? AND csms = ? AND number > ?"
        f" AND aside IS NULL AND {NOT_GONE} ORDER BY number LIMIT ?",
        (charger, csms, after, listed_numbers(one for one in gone if one > after), limit + 1),
    ))
    found = tuple(
        Outgoing(int_of(r[0]), text_of(r[1]), text_of(r[2]), text_of(r[3]), text_of(r[4]),
                 int_of(r[5]), text_of(r[6]), text_of(r[7]))
        for r in rows[:limit]
    )  # fmt: skip
    return found, len(rows) > limit


def chargers(db: apsw.Connection, csms: str, gone: Iterable[int] = ()) -> list[str]:
    """Every charger for which something waits."""
    words = (
        "SELECT 1 FROM outbox WHERE charger = ?"  # noqa: S608 - our own words
        f" AND csms = ? AND aside IS NULL AND {NOT_GONE} LIMIT 1"
    )
    held = listed_numbers(gone)
    return [one for one in everyone(db) if list(db.execute(words, (one, csms, held)))]


def listed_numbers(numbers: Iterable[int]) -> str:
    """As `NOT_GONE` takes them."""
    return msgspec.json.encode(list(numbers)).decode()


def uplinks(db: apsw.Connection) -> list[UplinkKept]:
    """What outlives a restart of every uplink."""
    return [
        msgspec.json.decode(text_of(kept), type=UplinkKept)
        for (kept,) in db.execute("SELECT kept FROM uplinks")
    ]


def tags(db: apsw.Connection) -> dict[str, str]:
    """The tags that the CSMS has accepted, casefolded, and when it did so last."""
    rows = db.execute("SELECT tag, at FROM tags_accepted")
    return {text_of(tag): text_of(at) for tag, at in rows}

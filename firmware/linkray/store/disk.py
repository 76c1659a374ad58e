"""The database itself, synchronous: statements, migrations, what a failing disk means.

Knows SQLite and the records, not who waits for them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import apsw
import msgspec
import structlog

from linkray.kit.clock import stamp
from linkray.kit.keep import tried
from linkray.model.asks import OFF_PASSWORD, Account, Key, Who
from linkray.model.passport import OF_A_CHARGER, Finding, Passport, is_probed
from linkray.model.records import (
    AlertGone,
    AlertKept,
    AnyRecord,
    ChargerSeen,
    MinuteKept,
    PassportForgotten,
    PassportFound,
    SessionWent,
    StopUnknown,
    TagRejected,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.settings import BadSettings, Settings, read_kept

from . import alerts, courses, history, outbox
from .audit import START, AuditLine, differences, hash_of
from .files import REAL, Files
from .first import FIRST_ACCOUNTS
from .rows import (
    ACCOUNTS,
    AUDIT,
    FINDINGS,
    KEYS,
    TRANSACTIONS,
    SQLiteValue,
    account_of,
    finding_of,
    int_of,
    key_of,
    line_of,
    transaction_of,
)
from .salvage import COLUMNS, QUEUED, Queue, Salvaged

BUSY_MS = 5_000  # a reader holds a checkpoint up no longer
CHECKED_AT_ONCE = 32 * 2**20  # bytes of a database that is looked through before it is used
LARGE = (  # of a larger one these are looked through later
    "transactions", "samples", "outbox", "history_minutes", "history_quarters",
)  # fmt: skip
DOUBT = ".doubt"  # the database's name with this: the next start looks at every page of it
REVISIONS_KEPT = 20
TAGS_REJECTED_KEPT = 10_000
QUARTER_S = 900
WAL_BYTES_MAX = 4 * 1024 * 1024  # what the log shrinks back to after a busy hour
HEAD = "audit.head"
REPLACED = "database replaced"
ITSELF = Who("linkray", 4, "itself")
PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a commit returns after its sync
    "temp_store = MEMORY",  # no file beside the database, that may find no room
    f"journal_size_limit = {WAL_BYTES_MAX}",
    "foreign_keys = ON",
    "secure_delete = FAST",  # a password's old hash does not linger in a page
    "trusted_schema = OFF",
)

THINNABLE = (
    "SELECT s.transaction_id, s.slot FROM samples AS s"
    " JOIN transactions AS t ON t.id = s.transaction_id"
    " WHERE t.finished = 1 AND EXISTS (SELECT 1 FROM samples AS later"
    "  WHERE later.transaction_id = s.transaction_id AND later.slot > s.slot"
    "  AND later.slot / 4 = s.slot / 4)"
)

log = structlog.get_logger(source="STORE")

Write = Callable[["Disk"], object]
T = TypeVar("T")


class StoreError(Exception):
    """The disk did not do what was asked, in words; nothing of it was written."""

    DISK = "the disk does not take writes"
    FULL = "the disk is full"
    SLOW = "too much waits for the disk"
    NOT_WRITTEN = "what was to be written with it failed"
    QUEUE = "what waits for the CSMS is more than there is room for"


class DiskFull(StoreError):
    """There is no room for it."""


class Defect(StoreError):
    """What one caller wants written fails by a mistake of ours; the others' is written."""

    def __init__(self, error: Exception) -> None:
        super().__init__(f"not written: {error!r}")
        self.error = error


class BadDatabase(Exception):
    """A file that cannot be used as our database, and why."""


#: What SQLite says of a disk that does not write; what it has written can still be read.
WONT_WRITE = (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.ReadOnlyError)
#: What one caller's words can do wrong without the disk being at fault.
REFUSED = (
    apsw.ConstraintError, apsw.TooBigError, apsw.MismatchError, OverflowError, UnicodeError,
    ValueError,
)  # fmt: skip


def shipped_migrations() -> dict[int, str]:
    """Number and text of every migration that this version brings."""
    found: dict[int, str] = {}
    for file in resources.files("linkray.store").joinpath("schema").iterdir():
        if file.name.endswith(".sql"):
            found[int(file.name.split("_", 1)[0])] = file.read_text("utf-8")
    return dict(sorted(found.items()))


class Disk:
    """One connection, used by one thread at a time. `path` None: in memory."""

    def __init__(self, path: Path | None, files: Files = REAL) -> None:
        self.path = path
        self.files = files
        self._closed = False
        self._settled = False  # nothing in the log rests on a sync that failed
        self.trouble: str | None = None  # why it takes no writes, where that is known already
        self._reader: apsw.Connection | None = None  # of another thread
        self._db = self._connect()

    def _opened(self, more: int = 0) -> apsw.Connection:
        # psow=0: a sector that is lost takes what stands beside in it; a commit fills its own.
        name = ":memory:" if self.path is None else f"file:{quote(str(self.path))}?psow=0"
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI | more
        db = apsw.Connection(name, flags, vfs=self.files.vfs or None)
        db.set_busy_timeout(BUSY_MS)
        return db

    def _connect(self) -> apsw.Connection:
        db = self._opened(apsw.SQLITE_OPEN_CREATE)
        try:
            for pragma in PRAGMAS:
                db.execute(f"PRAGMA {pragma}")
            self._settle(db)
        except WONT_WRITE as error:
            if is_unreadable(error):
                db.close(True)
                raise
            self.trouble = f"{StoreError.DISK}: {error}"
        except apsw.Error:
            db.close(True)
            raise
        return db

    def _settle(self, db: apsw.Connection) -> None:
        """Empty the log into the file, unless nothing in it is in doubt.

        What an earlier process left there may be in memory only: its last sync may have failed.
        What a failed commit of ours left there would come true when the log is read anew. Nothing
        is built on either (trust.md P3).
        """
        if self._settled:
            return
        self.interrupt()  # who reads would hold the log
        busy = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy is not None and busy[0]:
            raise apsw.BusyError("a reader holds the log")
        self._settled = True

    def close(self) -> None:
        """Checkpoint and close; closing twice does no harm."""
        self._closed = True
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except apsw.Error:  # the log stays, the next open reads it: nothing is lost
            self.abandon()
        else:
            self._db.close()

    def abandon(self) -> None:
        """Close without a checkpoint: the file and its log stay as they are."""
        with suppress(apsw.ConnectionClosedError):
            self._db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._db.close(True)

    def close_whole(self) -> None:
        """Close a database that is to stand without its log; raises `apsw.Error` if it cannot."""
        self._settled = False
        self._settle(self._db)
        self._db.close()

    # -- health and migrations ------------------------------------------------------------------

    def version(self) -> int:
        return int(self._one("PRAGMA user_version")[0])

    def check(self, newest: int) -> None:
        """Raise `BadDatabase` unless we know its version and SQLite finds every page in order."""
        self._check_version(newest)
        self._look_through("1")

    def check_in_time(self, newest: int) -> bool:
        """The same, but of a large database's largest tables, which `check_beside` looks through:
        control must be back within two seconds (trust.md P7). Whether all was looked at.
        """
        assert self.path is not None
        self._check_version(newest)
        if self.bytes_used() <= CHECKED_AT_ONCE or self.files.exists(self._doubt(self.path)):
            self._look_through("1")
            return True
        tables = self._db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for name in ("sqlite_schema", *(str(table) for (table,) in tables)):
            if name not in LARGE:
                self._look_through(name)
        return False

    def _check_version(self, newest: int) -> None:
        if self.version() > newest:
            raise BadDatabase(f"it is of version {self.version()}, this LinkRay knows {newest}")

    def _look_through(self, what: str) -> None:
        """All pages (1: up to the first mistake), or those of a table."""
        found = str(self._one(f"PRAGMA quick_check({what})")[0])
        if found != "ok":
            raise BadDatabase(found)

    def check_beside(self) -> str | None:
        """What is wrong with a page, from another thread, while this one writes; None: nothing."""
        with self._reading() as db:
            try:
                ((found,),) = db.execute("PRAGMA quick_check(1)")
            except (apsw.CorruptError, apsw.NotADBError) as error:
                found = str(error)
        return None if found == "ok" else str(found)

    def read_beside(self, read: Callable[[apsw.Connection], T]) -> T:
        """What of history is asked, from another thread, while this one writes."""
        with self._reading() as db:
            return read(db)

    def interrupt(self) -> None:
        """Who reads in another thread stops; it may do so again later."""
        reader = self._reader
        if reader is not None:
            with suppress(apsw.ConnectionClosedError):
                reader.interrupt()

    @contextmanager
    def _reading(self) -> Iterator[apsw.Connection]:
        """Another connection, for one thread at a time: it sees what is there now, and nobody who
        writes waits for it.
        """
        db = self._opened()
        try:
            db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # the log is not its own
            db.execute("PRAGMA temp_store = MEMORY")
            self._reader = db
            yield db
        finally:
            self._reader = None
            db.close(True)

    @staticmethod
    def _doubt(path: Path) -> Path:
        return path.with_name(path.name + DOUBT)

    def leave_in_doubt(self) -> None:
        """A page cannot be right: the next start looks at all of them, and replaces the database if
        it must. Raises `OSError`.
        """
        if self.path is not None and not self.files.exists(self._doubt(self.path)):
            self.files.make(self._doubt(self.path))
            self.files.sync(self.path.parent)

    def leave_no_doubt(self) -> None:
        """All pages were looked at. Raises `OSError`."""
        if self.path is not None and self.files.exists(self._doubt(self.path)):
            self.files.remove(self._doubt(self.path))
            self.files.sync(self.path.parent)

    def _met(self, error: BaseException) -> None:
        if isinstance(error, apsw.CorruptError | apsw.NotADBError) or is_unreadable(error):
            with suppress(OSError):
                self.leave_in_doubt()

    def migrate(self, migrations: dict[int, str]) -> None:
        """Every migration that is missing, each in one transaction."""
        for number, script in migrations.items():
            if number > self.version():
                with self._db:
                    self._db.execute(script)
                    self._db.execute(f"PRAGMA user_version = {number:d}")

    def make_first(self, at: str) -> None:
        """What a database has before anyone writes: the three accounts."""
        with self._db:
            for account in FIRST_ACCOUNTS:
                self._db.execute(
                    "INSERT INTO accounts (name, level, hash, first, changed)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (account.name, account.level, account.hash, account.first, at),
                )

    def begin_again(self, why: str, words: str, ids_from: int, at: str) -> None:
        """What a database knows that takes another's place: whose, why, and which ids it gave."""
        with self._db:
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = 'transactions'")
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('transactions', ?)", (ids_from,))
            self.audit(ITSELF, REPLACED, why, words, at)

    def take(self, found: Iterable[Salvaged]) -> int:
        """Transactions read out of another database, newer words over older; how many."""
        taken = 0
        names = [name.strip() for name in COLUMNS.split(",")]
        newer = ", ".join(f"{name} = excluded.{name}" for name in names[9:])
        with self._db:
            for one in found:
                with suppress(apsw.ConstraintError), self._db:
                    self._db.execute(
                        f"INSERT INTO transactions ({COLUMNS})"  # noqa: S608  # our own names
                        f" VALUES ({', '.join('?' * len(names))})"
                        f" ON CONFLICT (id) DO UPDATE SET {newer}",
                        one.row,
                    )
                    self._db.executemany(
                        "INSERT OR REPLACE INTO samples VALUES (?, ?, ?, ?)",
                        [(one.row[0], *sample) for sample in one.samples],
                    )
                    self._db.executemany(
                        "INSERT OR REPLACE INTO pauses VALUES (?, ?, ?, ?, ?)",
                        [(one.row[0], *pause) for pause in one.pauses],
                    )
                    taken += 1
        return taken

    def queued(self) -> list[int]:
        """The numbers of all that waits for a CSMS, or was set aside."""
        return [int_of(number) for (number,) in self._db.execute("SELECT number FROM outbox")]

    def take_queue(self, found: Queue) -> None:
        """What waits for the CSMS, read out of another database."""
        with self._db:
            self._db.executemany(
                f"INSERT OR IGNORE INTO outbox ({QUEUED})"  # noqa: S608  # our own names
                f" VALUES ({', '.join('?' * len(QUEUED.split(',')))})", found.rows,
            )  # fmt: skip
            self._db.executemany("DELETE FROM outbox WHERE number = ?",
                                 [(number,) for number in found.gone])  # fmt: skip

    def replaced(self) -> str | None:
        """In words: what the newest replacement of the database cost; None: there was none."""
        found = list(self._db.execute(
            "SELECT new FROM audit WHERE what = ? ORDER BY seq DESC LIMIT 1", (REPLACED,)))
        return str(found[0][0]) if found else None

    def copy_to(self, target: Path) -> None:
        """A whole, compact copy; `target` must be empty. It is not synced. From any thread: who
        writes meanwhile does not wait for it.
        """
        with self._reading() as db:
            db.execute("VACUUM INTO ?", (str(target),))

    # -- the gathered write ----------------------------------------------------------------------

    def write(self, writes: Sequence[Write]) -> list[object]:
        """All of them in one transaction; returns when it is durable.

        A write that is refused for what it says, or fails by a defect of its own, has its
        `StoreError` in its place, and no other suffers. Where the disk fails, the log is emptied
        and all are tried once more (trust.md P3); then `StoreError` is raised, `DiskFull` where
        room is what it lacks, and nothing was written.
        """
        if self._closed:
            raise StoreError("the store is closed")
        try:
            return self._write_once(writes)
        except apsw.FullError as error:
            self._settled = False
            raise DiskFull(StoreError.FULL) from error
        except apsw.Error as first:
            self._settled = False
            try:
                return self._write_once(writes)
            except apsw.Error as second:
                self._met(second)
                words = f"{StoreError.DISK}: {second or first}"
                raise StoreError(words) from second

    def read(self, read: Callable[[Disk], T]) -> T:
        """`read`, with SQLite's errors in our words."""
        try:
            return read(self)
        except apsw.Error as error:
            self._met(error)
            raise StoreError(f"the database cannot be read: {error}") from error

    def _write_once(self, writes: Sequence[Write]) -> list[object]:
        self._settle(self._db)
        self._db.execute("BEGIN IMMEDIATE")
        try:
            outcomes = [self._one_write(write) for write in writes]
            self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        return outcomes

    def _one_write(self, write: Write) -> object:
        self._db.execute("SAVEPOINT one")
        outcome = tried(lambda: write(self))
        if isinstance(outcome, REFUSED):
            outcome = StoreError(f"refused: {outcome}")
        elif isinstance(outcome, apsw.Error):
            raise outcome
        elif isinstance(outcome, Exception) and not isinstance(outcome, StoreError):
            log.error("a write failed", exc_info=outcome)
            outcome = Defect(outcome)
        if isinstance(outcome, StoreError):
            self._db.execute("ROLLBACK TO one")
        self._db.execute("RELEASE one")
        return outcome

    # -- records ---------------------------------------------------------------------------------

    def put(self, records: Sequence[tuple[AnyRecord, int]]) -> None:
        """Records in their order; the number is the id of the row where one must be made."""
        for record, row_id in records:
            match record:
                case TransactionBegan():
                    self._put_began(record)
                case TransactionSampled():
                    self._put_sample(record)
                case TransactionEnded():
                    self._put_ended(record)
                case StopUnknown():
                    self._put_stop_unknown(record, row_id)
                case ChargerSeen():
                    self._put_seen(record)
                case TagRejected():
                    self._put_rejected(record)
                case PassportFound():
                    self._put_findings(record)
                case PassportForgotten():
                    self._forget_findings(record)
                case MinuteKept():
                    history.put(self._db, record)
                case SessionWent():
                    courses.put(self._db, record)
                case AlertKept() | AlertGone():
                    alerts.put(self._db, record)
                case _:
                    outbox.put(self._db, record)

    def outbox(self, read: Callable[[apsw.Connection], T]) -> T:
        """What of `outbox` is asked."""
        return read(self._db)

    def _put_began(self, began: TransactionBegan) -> None:
        self._db.execute(
            "INSERT INTO transactions (id, charger, connector, tag, friendly_name, authorised_by,"
            " started, given, meter_start_wh, csms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO NOTHING",
            (began.id, began.charger, began.connector, began.tag, began.friendly_name,
             began.authorised_by, began.started, began.given, began.meter_start_wh, began.csms),
        )  # fmt: skip
        kept = self._one("SELECT charger, connector, given FROM transactions WHERE id = ?",
                         began.id)  # fmt: skip
        if kept != (began.charger, began.connector, began.given):
            raise StoreError(
                f"refused: transaction {began.id} of {began.charger} connector {began.connector} "
                f"is on disk already, of {kept[0]} connector {kept[1]}"
            )

    def _put_sample(self, sample: TransactionSampled) -> None:
        self._db.execute(
            "UPDATE transactions SET meter_last_wh = ?, flagged = flagged OR ?"
            " WHERE id = ? AND finished = 0",
            (sample.register_wh, sample.flagged, sample.id),
        )
        if self._db.changes():
            self._put_quarter(sample.id, sample.at, sample.register_wh)

    def _put_quarter(self, transaction_id: int, at: str, register_wh: int) -> None:
        self._db.execute(
            "INSERT INTO samples VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET at = excluded.at, register_wh = excluded.register_wh",
            (transaction_id, quarter_of(at), at, register_wh),
        )

    def bytes_used(self) -> int:
        """What the database holds, without what it could give back."""
        pages = int(self._one("PRAGMA page_count")[0]) - int(self._one("PRAGMA freelist_count")[0])
        return pages * int(self._one("PRAGMA page_size")[0])

    def is_thin(self) -> bool:
        """Whether `thin` would find nothing."""
        return not self._db.execute(f"{THINNABLE} LIMIT 1").fetchall()

    def thin(self, most: int) -> int:
        """Delete samples of the oldest ended sessions but each hour's last and each session's;
        how many went. Starts and stops stay, whatever happens.
        """
        self._db.execute(
            f"DELETE FROM samples WHERE (transaction_id, slot) IN ({THINNABLE}"  # noqa: S608
            " ORDER BY s.transaction_id, s.slot LIMIT ?)",
            (most,),
        )
        return self._db.changes()

    def _put_ended(self, ended: TransactionEnded) -> None:
        """The first end counts, but the charger's own word replaces LinkRay's guess."""
        self._db.execute(
            "UPDATE transactions SET meter_last_wh = coalesce(?, meter_last_wh), ended = ?,"
            " reason = ?, stop_given = ?, finished = 1"
            " WHERE id = ? AND (finished = 0 OR (stop_given = '' AND ? <> ''))",
            (ended.meter_stop_wh, ended.ended, ended.reason, ended.given, ended.id, ended.given),
        )
        if self._db.changes():
            if ended.meter_stop_wh is not None:
                self._put_quarter(ended.id, ended.ended, ended.meter_stop_wh)
        elif not list(self._db.execute("SELECT 1 FROM transactions WHERE id = ?", (ended.id,))):
            raise StoreError(f"refused: no transaction {ended.id} on disk that could end")

    def _put_stop_unknown(self, stop: StopUnknown, row_id: int) -> None:
        self._db.execute(
            "INSERT INTO transactions (id, charger, connector, tag, friendly_name, authorised_by,"
            " started, given, meter_start_wh, meter_last_wh, ended, stop_given, stop_of, reason,"
            " finished, incomplete)"
            " VALUES (?, ?, 0, ?, '', '', ?, '', ?, ?, ?, ?, ?, ?, 1, 1)"
            " ON CONFLICT (charger, stop_of, stop_given, meter_last_wh, tag)"
            " WHERE incomplete = 1 DO NOTHING",
            (row_id, stop.charger, stop.tag, stop.at, stop.meter_stop_wh, stop.meter_stop_wh,
             stop.at, stop.given, stop.transaction_id, stop.reason),
        )  # fmt: skip

    def _put_seen(self, seen: ChargerSeen) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO chargers_seen VALUES (?, ?)",
            (seen.charger, msgspec.json.encode(seen).decode()),
        )

    def _put_rejected(self, rejected: TagRejected) -> None:
        self._db.execute(
            "INSERT INTO tags_rejected (tag, charger, at) VALUES (?, ?, ?)",
            (rejected.tag, rejected.charger, rejected.at),
        )
        self._db.execute(
            "DELETE FROM tags_rejected WHERE id <= (SELECT max(id) FROM tags_rejected) - ?",
            (TAGS_REJECTED_KEPT,),
        )

    # -- passports -------------------------------------------------------------------------------

    def _put_findings(self, found: PassportFound) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO passport_findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (found.vendor, found.model, found.firmware, f.what, f.about, f.found, f.at,
                 f.charger, f.offered, f.measured)
                for f in found.findings
            ],
        )  # fmt: skip

    def _forget_findings(self, gone: PassportForgotten) -> None:
        make = (gone.vendor, gone.model, gone.firmware)
        for passport in self.passports():
            if passport.make == make:
                for finding in passport.findings:
                    if is_probed(finding, gone.charger):
                        self._db.execute(
                            "DELETE FROM passport_findings WHERE vendor = ? AND model = ?"
                            " AND firmware = ? AND what = ? AND about = ?",
                            (*make, *finding.key),
                        )

    def import_passports(
        self, passports: tuple[Passport, ...], who: Who, at: str
    ) -> None:
        """Audit line and findings in one commit; what is there of other things stays."""
        makes = "; ".join(" ".join(p.make) for p in passports[:20])
        self.audit(who, f"{len(passports)} passports imported", "", makes, at)
        for passport in passports:
            self._put_findings(PassportFound(*passport.make, passport.findings))

    def passports(self) -> list[Passport]:
        rows = self._db.execute(f"SELECT {FINDINGS} FROM passport_findings"  # noqa: S608
                                " ORDER BY vendor, model, firmware, at, what, about")
        found: dict[tuple[str, str, str], list[Finding]] = {}
        for row in rows:
            make, finding = finding_of(row)
            found.setdefault(make, []).append(finding)
        return [Passport(*make, tuple(findings)) for make, findings in found.items()]

    # -- settings, audit, accounts, keys, small facts --------------------------------------------

    def change_settings(self, settings: Settings, who: Who, what: str, at: str) -> int:
        before, revision, _words = self.settings()
        old, new = differences(msgspec.to_builtins(before), msgspec.to_builtins(settings))
        self.audit(who, what, old, new, at)
        tree = msgspec.json.encode(settings).decode()
        self._db.execute(
            "INSERT INTO settings SELECT coalesce(max(revision), 0) + 1, ?, ?, ? FROM settings",
            (at, tree, digest_of(tree)),
        )
        revision = int(self._one("SELECT max(revision) FROM settings")[0])
        self._db.execute("DELETE FROM settings WHERE revision <= ?", (revision - REVISIONS_KEPT,))
        return revision

    def settings(self) -> tuple[Settings, int, str | None]:
        """The newest settings that are whole, their revision, and what is missing if not all is."""
        return newest_settings(self._db)

    def audit(self, who: Who, what: str, old: str, new: str, at: str) -> None:
        before = self.audit_head() or START
        seq = int(self._one("SELECT coalesce(max(seq), 0) + 1 FROM audit")[0])
        line = AuditLine(seq, at, who.name, who.level, who.source, what, old, new)
        closed = hash_of(line, before)
        self._db.execute(
            "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (seq, at, who.name, who.level, who.source, what, old, new, closed),
        )
        self.remember(HEAD, closed)

    def audit_head(self) -> str | None:
        found = list(self._db.execute("SELECT value FROM kv WHERE key = ?", (HEAD,)))
        return str(found[0][0]) if found else None

    def audit_lines(self, newest: int | None) -> list[AuditLine]:
        rows = self._db.execute(
            f"SELECT {AUDIT} FROM audit ORDER BY seq DESC LIMIT ?",  # noqa: S608  # our own names
            (-1 if newest is None else newest,),
        )
        return [line_of(row) for row in rows][::-1]

    def remember(self, key: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO kv VALUES (?, ?)", (key, value))

    def kv(self) -> dict[str, str]:
        return {str(k): str(v) for k, v in self._db.execute("SELECT key, value FROM kv")}

    def set_account(self, account: Account, who: Who, at: str) -> None:
        """With it go the keys that the account made, where it has another password (A7)."""
        old = next((one for one in self.accounts() if one.name == account.name), None)
        other = old is None or old.second != account.second
        if old is None or old.hash != account.hash or not other:
            what = f"password of {account.name}" if account.hash else f"{account.name} closed"
            self._db.execute(
                "UPDATE keys SET off = ? WHERE by = ? AND off = ''", (OFF_PASSWORD, account.name)
            )
            ended = self._db.changes()
            self.audit(who, what, "", f"API keys that it made, now off: {ended}" if ended else "",
                       at)  # fmt: skip
        if account.second if old is None else other:
            self.audit(who, f"second factor of {account.name}", "",
                       "on" if account.second else "off", at)  # fmt: skip
        self._db.execute(
            f"INSERT OR REPLACE INTO accounts ({ACCOUNTS})"  # noqa: S608  # our own names
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (account.name, account.level, account.hash, account.first, account.changed,
             account.second, account.second_used),
        )  # fmt: skip

    def note(self, who: Who, what: str, used: int, at: str) -> None:
        """What was seen of a person; a code that was used is used for ever."""
        self.audit(who, what, "", "", at)
        if used:
            self._db.execute(
                "UPDATE accounts SET second_used = ? WHERE name = ?", (used, who.name)
            )

    def accounts(self) -> list[Account]:
        rows = self._db.execute(f"SELECT {ACCOUNTS} FROM accounts ORDER BY level")  # noqa: S608
        return [account_of(row) for row in rows]

    def add_key(self, key: Key, who: Who, at: str, *, in_place: bool) -> None:
        said = f"{key.scope}, until {key.expires}"
        if in_place:
            self._db.execute("DELETE FROM keys WHERE name = '' AND scope = ?", (key.scope,))
            said += ", in place of any before"
        self.audit(who, f"API key {key.name!r} made", "", said, at)
        self._db.execute(
            f"INSERT INTO keys ({KEYS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            (key.digest, key.scope, key.expires, key.name, key.made, key.by, key.off),
        )

    def change_key(self, key: Key, who: Who, at: str) -> None:
        """On or off."""
        said = f"{key.scope}, {key.id}, {'off' if key.off else 'on'}"
        self.audit(who, f"API key {key.name!r}", "", said, at)
        self._db.execute("UPDATE keys SET off = ? WHERE digest = ?", (key.off, key.digest))

    def remove_key(self, key: Key, who: Who, at: str) -> None:
        self.audit(who, f"API key {key.name!r} removed", f"{key.scope}, {key.id}", "", at)
        self._db.execute("DELETE FROM keys WHERE digest = ?", (key.digest,))

    def keys(self) -> list[Key]:
        rows = self._db.execute(f"SELECT {KEYS} FROM keys ORDER BY made")  # noqa: S608
        return [key_of(row) for row in rows]

    # -- chargers and transactions ---------------------------------------------------------------

    def recent(self, charger: str, limit: int) -> list[Transaction]:
        rows = self._db.execute(
            f"SELECT {TRANSACTIONS} FROM transactions"  # noqa: S608
            " WHERE charger = ? ORDER BY id DESC LIMIT ?",
            (charger, limit),
        )
        return [transaction_of(row) for row in rows]

    def running(self) -> list[Transaction]:
        rows = self._db.execute(
            f"SELECT {TRANSACTIONS} FROM transactions WHERE finished = 0 ORDER BY id"  # noqa: S608
        )
        return [transaction_of(row) for row in rows]

    def last_transaction_id(self) -> int:
        found = list(
            self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'transactions'")
        )
        return int(str(found[0][0])) if found else 0

    def seen(self) -> list[ChargerSeen]:
        rows = self._db.execute("SELECT told FROM chargers_seen ORDER BY charger")
        return [msgspec.json.decode(str(row[0]), type=ChargerSeen) for row in rows]

    def forget_charger(self, charger: str) -> None:
        self._db.execute("DELETE FROM chargers_seen WHERE charger = ?", (charger,))
        for what in sorted(OF_A_CHARGER):  # what comes back as new may be another device
            self._db.execute(
                "DELETE FROM passport_findings WHERE what = ? AND about = ?", (what, charger)
            )

    def energy_since(self, utc_iso: str) -> int:
        since = stamp(datetime.fromisoformat(utc_iso))
        found = self._one(
            "SELECT coalesce(sum(max(0, meter_last_wh - coalesce("
            "  (SELECT register_wh FROM samples AS s WHERE s.transaction_id = t.id AND s.at <= ?1"
            "   ORDER BY slot DESC LIMIT 1), meter_start_wh))), 0)"
            " FROM transactions AS t"
            " WHERE (finished = 0 OR ended > ?1) AND incomplete = 0 AND meter_last_wh IS NOT NULL",
            since,
        )
        return int(found[0])

    def _one(self, statement: str, *values: SQLiteValue) -> tuple[str | int, ...]:
        """The first row; a statement that must have one."""
        for row in list(self._db.execute(statement, values)):
            return tuple(value if isinstance(value, int) else str(value) for value in row)
        raise StoreError(f"expected a row, got none: {statement[:60]}")


def quarter_of(at: str) -> int:
    """Quarters of an hour since 1970."""
    return int(datetime.fromisoformat(at).timestamp()) // QUARTER_S


def digest_of(tree: str) -> str:
    return hashlib.sha256(tree.encode()).hexdigest()


def newest_settings(db: apsw.Connection) -> tuple[Settings, int, str | None]:
    """The newest settings that are whole, their revision, and what is missing if not all is."""
    lost: list[int] = []
    rows = db.execute("SELECT revision, tree, digest FROM settings ORDER BY revision DESC")
    for revision, tree, digest in rows:
        settings = _whole(str(tree), str(digest))
        if settings is not None:
            rows.close()
            return settings, max([int(str(revision)), *lost]), _lost_words(lost)
        lost.append(int(str(revision)))
    return Settings(), max(lost, default=0), _lost_words(lost)


def _whole(tree: str, digest: str) -> Settings | None:
    """The settings, if they are as they were written and still make sense (trust.md P6)."""
    if digest_of(tree) != digest:
        return None
    try:
        return read_kept(tree)
    except BadSettings:
        return None


def _lost_words(revisions: list[int]) -> str | None:
    if not revisions:
        return None
    names = re.sub(r"[\[\]]", "", str(sorted(revisions)))
    return f"settings of revision {names} are damaged; the last whole ones are in force"


def is_unreadable(error: BaseException) -> bool:
    """Whether a part of the file cannot be read: no database to go on with (trust.md P5)."""
    return getattr(error, "extendedresult", 0) in {
        apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS,
    }  # fmt: skip

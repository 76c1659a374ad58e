"""A charger's transactions: which run, which answer a repeat gets, what is written down (C17, C18).

Knows no frame and no balancer. A session is never guessed from its connector alone (quirks.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from linkray.kit.clock import stamp
from linkray.model.facts import SessionBegan, SessionEnded
from linkray.model.records import (
    AnyRecord,
    StopUnknown,
    Transaction,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.tags import Decision
from linkray.ocpp.lenient import moment
from linkray.ocpp.messages import StartTransaction, StopTransaction

from .told_time import SLEWED_S

WAITED_S = 10.0  # what comes sooner is of now: the way there, and clocks (trust.md 1, P 5: δ)
QUEUED_S = 60.0  # a start that comes later than this waited in the charger
REMEMBERED_MAX = 64  # starts, ends and orphans of a charger that are known again
AHEAD_SEEN_S = 5.0  # so nearly alike are a start's lead and its values', the way there included
AHEAD_S_MAX = 300.0  # a charger's timestamp further ahead than this is its clock's mistake
BEHIND_S_MAX = 30 * 86_400.0  # further behind than its queue can be
EMERGENCY = "EmergencyStop"  # balancing.md: what LinkRay's record says, whatever the charger does

StartKey = tuple[int, str, int, str]
Doubted = tuple[int, float, float]  # a session's number, how late it came, so much in doubt
K = TypeVar("K")
V = TypeVar("V")


class Running(msgspec.Struct):
    """A transaction that runs."""

    id: int
    connector: int
    tag: str
    meter_start_wh: int
    since: float  # monotonic, as old as its charger counts it
    order: float  # UTC seconds: FIFO, also across a restart
    started: str
    accepted: bool = True
    vip: bool = False
    register_wh: int | None = None  # the newest sample
    flagged: bool = False
    ending: str = ""  # why LinkRay ends it; goes into the record
    stop_at: float = math.inf  # when RemoteStopTransaction goes out next
    stops: int = 0
    quiet_at: float = math.inf  # when it is given up: its connector has said Available
    heard_at: float = -math.inf  # when its start came; never: it was found running
    late_s: float = 0.0  # how long before that it began, by its charger's clock
    doubt_s: float = 0.0  # so much of its age is by that clock alone
    lead_s: float = 0.0  # so much older it is, where that clock is ahead by as much
    called: int | None = None  # by its charger; None: by our number
    waits: bool = False  # for the CSMS: the charger has no answer to its start yet
    call_id: str = ""  # of that start

    @property
    def at_charger(self) -> int:
        """What the charger calls it: the CSMS's number where that was told, else ours."""
        return self.id if self.called is None else self.called

    @property
    def energy_wh(self) -> int:
        """Never negative (trust.md C12)."""
        newest = self.meter_start_wh if self.register_wh is None else self.register_wh
        return max(0, newest - self.meter_start_wh)

    def began(self, charger: str, now: float, *, found: bool = False) -> SessionBegan:
        return SessionBegan(
            charger, self.connector, self.id, self.tag, now, self.order, self.vip, found
        )

    def ended(self, charger: str, now: float) -> SessionEnded:
        return SessionEnded(charger, self.connector, self.id, now)


class Ending(msgspec.Struct, frozen=True):
    """What a StopTransaction means: what is written down, and which session it ends."""

    records: tuple[AnyRecord, ...] = ()
    run: Running | None = None
    known: bool = True  # False: an id we never gave this charger (C18)


def believed(given: str, utc: datetime, ahead_s: float = 0.0) -> datetime:
    """The charger's time where it can be, else ours; `ahead_s`: we told it a time so far ahead."""
    at = moment(given)
    if at is None:
        return utc
    at -= timedelta(seconds=ahead_s)
    behind_s = (utc - at).total_seconds()
    return at if -AHEAD_S_MAX <= behind_s <= BEHIND_S_MAX else utc


def _is_past(at: datetime, own: datetime) -> bool:
    """Whether a charger whose clock reads `own` may have begun something then."""
    return -SLEWED_S <= (own - at).total_seconds() <= BEHIND_S_MAX


def _waited_s(late_s: float, behind_s: float) -> float:
    """How long before it came something began, by a clock that is so far behind."""
    age_s = late_s - behind_s
    return age_s if WAITED_S < age_s <= BEHIND_S_MAX else 0.0


class Sessions:
    """The transactions of one charger, those of the store at first."""

    __slots__ = (
        "_called", "_charger", "_csms", "_doubted", "_ends", "_orphans", "_starts", "ahead_s",
        "running",
    )  # fmt: skip

    def __init__(
        self, charger: str, kept: Sequence[Transaction], now: float, utc: datetime,
        ahead_s: float = 0.0, doubted: Sequence[Doubted] = (),
    ) -> None:  # fmt: skip
        self._charger = charger
        self.ahead_s = ahead_s  # how far its clock is ahead of ours, by our word (told_time.py)
        self.running: dict[int, Running] = {}  # by connector
        self._doubted = {number: (late_s, doubt_s) for number, late_s, doubt_s in doubted}
        self._starts: dict[StartKey, tuple[int, bool]] = {}
        self._ends: dict[int, str] = {}  # id → timestamp; empty: LinkRay's guess
        self._called: dict[int, int] = {}  # what the charger calls it → id; the newest
        self._csms: dict[int, str] = {}  # id → the address that has its start, or will
        self._orphans: dict[tuple[int, str, int], None] = {}
        for kept_one in kept:
            if not kept_one.finished and kept_one.connector >= 1:
                self._put_before_now(kept_one, utc)
                self._put_after_jump(kept_one, utc)
        for kept_one in sorted(kept, key=lambda transaction: transaction.id):
            self._recall(kept_one, now, utc)

    def _put_before_now(self, kept: Transaction, utc: datetime) -> None:
        """What runs began before now, also where our clock was set back since."""
        own_s = (self._own_start(kept, datetime.fromisoformat(kept.started)) - utc).total_seconds()
        if own_s <= self.ahead_s + SLEWED_S:
            return
        given = moment(kept.given)
        if given is not None and _is_past(given, utc):  # ours was ahead, its own was not
            self.ahead_s = max(0.0, self.ahead_s)
        else:
            self.ahead_s = own_s

    def _put_after_jump(self, kept: Transaction, utc: datetime) -> None:
        """Ours was set ahead, further than a session lasts, while we were down (T2): its clock
        was not, and goes on from when it was heard last.
        """
        given = moment(kept.given)
        if given is None:
            return
        began = datetime.fromisoformat(kept.started)
        heard = datetime.fromisoformat(kept.sampled or kept.started)
        own = max(self._own_start(kept, began), heard + timedelta(seconds=self.ahead_s))
        off_s = (own - utc).total_seconds()
        given_s = (given - utc).total_seconds()
        if max(off_s, given_s) - self.ahead_s < -BEHIND_S_MAX:
            self.ahead_s = off_s

    def _own_start(self, kept: Transaction, began: datetime) -> datetime:
        """When it began on the charger's clock, which was told to be ahead by then, or since."""
        later = began + timedelta(seconds=self.ahead_s)
        given = moment(kept.given)
        return later if given is not None and abs(given - later) < abs(given - began) else began

    def _recall(self, kept: Transaction, now: float, utc: datetime) -> None:
        if kept.connector < 1:  # an orphan: the store's row for a stop that belongs to nothing
            return
        accepted = kept.authorised_by != ""
        key = (kept.connector, kept.tag, kept.meter_start_wh, kept.given)
        called = kept.id if kept.at_charger is None else kept.at_charger
        _remember(self._starts, key, (called, accepted))
        _remember(self._called, called, kept.id)
        if kept.csms:
            _remember(self._csms, kept.id, kept.csms)
        if kept.finished:
            _remember(self._ends, kept.id, kept.stop_given or "")
            return
        order = believed(kept.started, utc)
        own = utc + timedelta(seconds=self.ahead_s)
        started = datetime.fromisoformat(kept.started)
        began = self._own_start(kept, believed(kept.started, own))
        given, lead_s = moment(kept.given), 0.0
        if given is not None and _is_past(given, own) and (
            began + timedelta(seconds=SLEWED_S) < given or not _is_past(started, own)
        ):  # fmt: skip
            # Our clock was behind as it began, or ahead, and is right again: on the charger's,
            # which goes steadily, it began then. A fail-safe later than told is none (P 5).
            # Or the charger's is ahead, which its values will show (`clock_is`).
            lead_s = max(0.0, (given - began).total_seconds())
            began = given
        age_s = max(0.0, (own - began).total_seconds())  # as its clock counts it
        late_s, doubt_s = self._doubted.get(kept.id, (0.0, 0.0))
        self.running[kept.connector] = Running(
            id=kept.id, connector=kept.connector, tag=kept.tag, started=kept.started,
            meter_start_wh=kept.meter_start_wh, since=now - age_s, order=order.timestamp(),
            accepted=accepted, register_wh=kept.meter_last_wh, flagged=kept.flagged,
            late_s=late_s, doubt_s=doubt_s, lead_s=lead_s, called=kept.at_charger,
        )  # fmt: skip

    def repeated(self, start: StartTransaction) -> tuple[int, bool] | None:
        """What the charger was told to call this very start before, and whether it was accepted
        (C17).
        """
        return self._starts.get(_start_key(start))

    def begin(
        self,
        start: StartTransaction,
        transaction_id: int,
        decision: Decision,
        *,
        now: float,
        utc: datetime,
        name: str,
        behind_s: float = 0.0,
        waits: bool = False,
        csms: str = "",
    ) -> tuple[Running, Running | None, tuple[AnyRecord, ...]]:
        """A new transaction; a running one of the connector ends, incomplete.

        One that waited in the charger is as old as it counts itself: its Relative schedule began
        with it (balancing.md 4). `behind_s`: its clock is known to be so far behind what we told.
        `waits`: the CSMS is asked first; `answered` says what the charger was told. `csms`: whose
        it is, by address; empty: nobody's but ours.
        """
        older = self.running.get(start.connector_id)
        records = list(self.give_up(older, utc)) if older is not None else []
        given = moment(start.timestamp)
        late_s = -math.inf if given is None else (utc - given).total_seconds() + self.ahead_s
        age_s = _waited_s(late_s, behind_s)
        at = utc  # it has just begun: our one clock puts it in its place
        if age_s >= QUEUED_S:
            at -= timedelta(seconds=age_s)
        run = Running(
            id=transaction_id, connector=start.connector_id, tag=start.id_tag,
            meter_start_wh=start.meter_start, since=now - age_s, order=at.timestamp(),
            started=stamp(at), accepted=decision.accepted, vip=decision.vip, heard_at=now,
            late_s=late_s, doubt_s=age_s, waits=waits,
        )  # fmt: skip
        self.running[start.connector_id] = run
        if csms:
            _remember(self._csms, run.id, csms)
        if not waits:
            self.answered(run, start, transaction_id)
        records.append(
            TransactionBegan(
                id=transaction_id, charger=self._charger, connector=start.connector_id,
                tag=start.id_tag, meter_start_wh=start.meter_start, started=run.started,
                given=start.timestamp, friendly_name=name, authorised_by=decision.authorised_by,
                csms=csms,
            )
        )  # fmt: skip
        return run, older, tuple(records)

    def answered(self, run: Running, start: StartTransaction, at_charger: int) -> None:
        """The charger is told what to call a transaction, and whether its tag was accepted."""
        run.waits, run.called = False, None if at_charger == run.id else at_charger
        _remember(self._starts, _start_key(start), (at_charger, run.accepted))
        _remember(self._called, at_charger, run.id)

    def waiting(self, start: StartTransaction) -> Running | None:
        """The transaction of this very start, where its answer is waited for."""
        run = self.running.get(start.connector_id)
        if run is None or not run.waits:
            return None
        same = (run.tag, run.meter_start_wh) == (start.id_tag, start.meter_start)
        return run if same else None

    def csms(self, number: int) -> str:
        """The address of the CSMS that knows of it, or will: there what follows can be named, and
        at no other (trust.md K13). Empty: none.
        """
        return self._csms.get(number, "")

    def is_called(self, at_charger: int) -> bool:
        """Whether the charger already calls a transaction so."""
        return at_charger in self._called

    def number(self, at_charger: int) -> int:
        """Our number of what the charger calls so; 0: none that is known."""
        return self._called.get(at_charger, 0)

    def clock_is(self, behind_s: float) -> None:
        """Its clock is seen to be so far behind: what seemed to have waited in it may be of now.
        Never the other way, for its clock may have been set right since (trust.md C28). Seen as far
        ahead as the start of what was found running was stamped, that is as old as we knew it:
        local time written as UTC (quirks.md, Time) makes no session younger over a restart.
        """
        for run in self.running.values():
            if run.lead_s > AHEAD_SEEN_S and abs(run.lead_s + behind_s) <= AHEAD_SEEN_S:
                run.since, run.lead_s = run.since - run.lead_s, 0.0
            age_s = _waited_s(run.late_s, behind_s)
            if age_s < run.doubt_s:
                run.since, run.doubt_s = run.since + run.doubt_s - age_s, age_s

    def doubted(self) -> tuple[Doubted, ...]:
        """The sessions whose age is in doubt, as they are to be known again."""
        return tuple(
            (run.id, run.late_s, run.doubt_s) for run in self.running.values() if run.doubt_s
        )

    def give_up(self, run: Running, utc: datetime) -> tuple[AnyRecord, ...]:
        """End a transaction whose StopTransaction did not come; its last sample counts."""
        del self.running[run.connector]
        _remember(self._ends, run.id, "")
        return (
            *_last_sample(run, utc),
            TransactionEnded(run.id, None, stamp(utc), run.ending or "Other"),
        )

    def meant(self, named: int, connector: int) -> int:
        """Our number of the transaction that values of a connector name; 0: none that is known.

        One whose start still waits has no number at its charger: it says 0 or -1 (trust.md C19).
        """
        run = self.running.get(connector)
        if named <= 0 and run is not None and run.waits:
            return run.id
        return self.number(named)

    def by_id(self, transaction_id: int) -> Running | None:
        """The running transaction that its charger calls so, of whichever connector; by 0 or -1
        the one whose start still waits (C19), where there is but one.
        """
        if transaction_id <= 0:
            unnamed = [run for run in self.running.values() if run.waits]
            return unnamed[0] if len(unnamed) == 1 else None
        return next(
            (r for r in self.running.values() if r.at_charger == transaction_id and not r.waits),
            None,
        )

    def end(self, stop: StopTransaction, utc: datetime) -> Ending:
        """What a StopTransaction means; a repeat means nothing new."""
        run = self.by_id(stop.transaction_id)
        if run is not None:
            del self.running[run.connector]
            ended_now = self._ended(stop, run.id, run.ending, utc)
            return Ending((*_last_sample(run, utc, stop.meter_stop), ended_now), run)
        number = self.number(stop.transaction_id)
        ended = self._ends.get(number)
        if ended is not None:
            # the charger's own word takes the place of our guess, once
            return Ending((self._ended(stop, number, "", utc),) if ended == "" else ())
        orphan = (stop.transaction_id, stop.timestamp, stop.meter_stop or 0)
        if orphan in self._orphans:
            return Ending(known=False)
        _remember(self._orphans, orphan, None)
        record = StopUnknown(
            self._charger, stop.transaction_id, stop.id_tag or "", stop.meter_stop or 0,
            stop.timestamp, stop.reason or "Local", stamp(utc),
        )  # fmt: skip
        return Ending((record,), known=False)

    def _ended(
        self, stop: StopTransaction, number: int, ending: str, utc: datetime
    ) -> TransactionEnded:
        given = stop.timestamp or stamp(utc)
        _remember(self._ends, number, given)
        return TransactionEnded(
            number, stop.meter_stop, stamp(believed(stop.timestamp, utc, self.ahead_s)),
            ending or stop.reason or "Local", given,
        )  # fmt: skip

    def has_ended(self, transaction_id: int) -> bool:
        """Whether what the charger calls so is known to have ended here."""
        return self.number(transaction_id) in self._ends


def _start_key(start: StartTransaction) -> StartKey:
    return (start.connector_id, start.id_tag, start.meter_start, start.timestamp)


def _last_sample(
    run: Running, utc: datetime, meter_stop_wh: int | None = None
) -> tuple[TransactionSampled, ...]:
    """The sample that counts where no register came, and the flag where one went back (C12)."""
    if meter_stop_wh is None:
        if run.register_wh is None:
            return ()
        return (TransactionSampled(run.id, run.register_wh, stamp(utc), run.flagged),)
    lowest = max(run.meter_start_wh, run.register_wh or 0)
    if meter_stop_wh >= lowest and not run.flagged:
        return ()
    return (TransactionSampled(run.id, meter_stop_wh, stamp(utc), flagged=True),)


def _remember(kept: dict[K, V], key: K, value: V) -> None:
    """Put it last; what is oldest falls out."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > REMEMBERED_MAX:
        del kept[next(iter(kept))]

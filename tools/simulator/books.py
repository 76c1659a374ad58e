"""What may be in force in a charger, read from the wire: the possible set of trust.md 1, rules 1-7.

Written from the rules alone, beside the firmware's own books and without a look at them, so that
a mistake of one does not stand in the other. Profiles are read as OCPP 1.6, chapter 3.13 has
them: by purpose, stack level and period. Where the truth is known (a make's obey time, how it
counts a schedule) the truth is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

TX, OWN_DEFAULT, DEFAULT, CAP = range(4)  # which rules before which; the cap caps all
OBEY_S, OBEY_S_MIN, OBEY_S_MAX = 10.0, 5.0, 120.0  # trust.md 1, Model
OVER_MA, OVER_SHARE = 1_000, 0.05  # ε: decided.md, Not obeying
SAMPLE_S = 1.0  # so old may a value be when it comes
Slot = tuple[int, int]  # rank and stack level, the highest level as the most negative


@dataclass(frozen=True)
class Told:
    """A SetChargingProfile as it went over the wire."""

    connector: int
    profile_id: int
    purpose: str
    stack: int
    unit: str
    starts_s: tuple[float, ...]
    limits: tuple[float, ...]
    phases: tuple[int | None, ...]
    is_relative: bool
    duration_s: float | None
    transaction_id: int | None

    @property
    def slot(self) -> Slot:
        """Its place among the others: what is in the same place it replaces."""
        if self.purpose == "ChargePointMaxProfile":
            return CAP, -self.stack
        if self.purpose == "TxProfile":
            return TX, -self.stack
        return (OWN_DEFAULT if self.connector else DEFAULT), -self.stack

    def at(self, elapsed_s: float) -> tuple[float, float, float]:
        """The limit at this time of its schedule, when it ends, and the limit after it."""
        place = max(
            (n for n, start_s in enumerate(self.starts_s) if start_s <= elapsed_s), default=0
        )
        if place + 1 < len(self.starts_s):
            left_s = self.starts_s[place + 1] - elapsed_s
            return self.limits[place], left_s, self.limits[place + 1]
        return self.limits[place], math.inf, self.limits[place]


def read_told(asked: dict[str, Any]) -> Told:
    """The payload of a SetChargingProfile."""
    said = asked["csChargingProfiles"]
    schedule = said["chargingSchedule"]
    periods = schedule["chargingSchedulePeriod"]
    return Told(
        connector=asked["connectorId"],
        profile_id=said["chargingProfileId"],
        purpose=said["chargingProfilePurpose"],
        stack=said["stackLevel"],
        unit=schedule["chargingRateUnit"],
        starts_s=tuple(float(p["startPeriod"]) for p in periods),
        limits=tuple(float(p["limit"]) for p in periods),
        phases=tuple(p.get("numberPhases") for p in periods),
        is_relative=said["chargingProfileKind"] == "Relative",
        duration_s=schedule.get("duration"),
        transaction_id=said.get("transactionId"),
    )


@dataclass
class Entry:
    """One value that may be in force since it was issued."""

    call: str  # the message's id
    profile_id: int
    ma: int
    issued_at: float
    ends_at: float = math.inf  # the period's
    lasts_s: float = math.inf  # the same, from the start of its schedule
    after_ma: int = 0  # what the period after it says
    has_floor: bool = True  # False: a duration ends it, and what lies under it rules
    is_accepted: bool = False

    def top_ma(self, now: float) -> int:
        """The most it may say now; from its end on also what comes then (rule 5, uncredited)."""
        return self.ma if now < self.ends_at else max(self.ma, self.after_ma)


def _at_most(lawful_ma: int) -> float:
    """What one that obeys draws at most: v + ε (rule 3)."""
    return lawful_ma + max(OVER_MA, lawful_ma * OVER_SHARE)


@dataclass
class ObeyTime:
    """τ: what may be counted on. The true one, as soon as it could have been seen; one that has
    obeyed soon again and is late anew must be seen anew.
    """

    lowest_s: float = OBEY_S
    is_known_late: bool = False
    is_seen_slow: bool = False  # it needed more than the 5 s in which one sheds (INV-5b)

    def sheds_late(self, true_s: float) -> bool:
        """INV-5b, "τ[c] learnt: 5 s": who was seen as fast counts so until it is seen slower."""
        self.is_seen_slow = self.is_seen_slow and true_s > OBEY_S_MIN
        return true_s > OBEY_S_MIN and (self.lowest_s > OBEY_S_MIN or self.is_seen_slow)

    def counted_s(self, true_s: float) -> float:
        """Obey time to reckon with at the least, where `true_s` is how soon it truly obeys."""
        self.lowest_s = min(self.lowest_s, true_s)
        self.is_known_late = self.is_known_late and true_s > OBEY_S
        if self.is_known_late:
            return min(OBEY_S_MAX, max(OBEY_S_MIN, true_s))
        return max(OBEY_S_MIN, min(OBEY_S, self.lowest_s))


@dataclass
class Possible:
    """The possible set of one connector, and what it comes to."""

    most_ma: int  # M, as configured now
    slots: dict[Slot, list[Entry]] = field(default_factory=dict)
    is_unknown: bool = True  # rule 1: {M}
    forgot_at: float = -math.inf  # … since then
    is_caught: bool = False  # rule 3: contradicted, {M} meanwhile
    is_doubted: bool = False  # the same of one whose proof was a sample: {M}, and no time is over
    shown_at: float = -math.inf  # the newest sample that proved something
    over_since: float | None = None
    ruled: list[tuple[float, int]] = field(default_factory=list)  # until when, what was lawful
    proofs: dict[Slot, tuple[float, Entry]] = field(default_factory=dict)  # accepted when, what
    obey: ObeyTime = field(default_factory=ObeyTime)
    changed_at: float = -math.inf  # the newest value issued or accepted
    drawn_ma: int = 0  # by the newest sample
    spread: float = 1.0  # so much more than its values it may draw and pass for inefficient

    # -- rules 2 to 4 ----------------------------------------------------------------------

    def issue(self, told: Told, entry: Entry) -> None:
        """Rule 2: before the bytes leave it is possible."""
        self.slots.setdefault(told.slot, []).append(entry)
        self.changed_at = entry.issued_at

    def find(self, call: str) -> tuple[Slot, Entry] | None:
        """The newest value of that id: after a restart the ids begin anew."""
        found = [(slot, e) for slot, entries in self.slots.items()
                 for e in entries if e.call == call]  # fmt: skip
        return max(found, key=lambda f: f[1].issued_at, default=None)

    def accepted(self, call: str, now: float) -> bool:
        """Rule 3 begins: what was issued before it in its place leaves after the obey time."""
        found = self.find(call)
        if found is None or found[1].is_accepted:
            return False
        slot, entry = found
        lawful_ma = self.lawful_ma(now)
        entry.is_accepted = True
        self.changed_at = now
        if lawful_ma is not None and (self.lawful_ma(now) or 0) < lawful_ma:
            self.ruled = [(until, ma) for until, ma in self.ruled if until > now - OBEY_S_MAX]
            self.ruled.append((now, lawful_ma))
        if self.is_unknown and not self.proofs:
            self.over_since = None  # rule 3, no *later* contradiction: so far {M} was possible
        before = self.proofs.get(slot)
        if before is None or before[1].issued_at <= entry.issued_at:
            # … else it is an old answer, come late. The same value once more, with nothing higher
            # between them, begins no new obey time: the older ones leave by the first.
            is_same = before is not None and all(
                e.ma == entry.ma for e in self.slots[slot] if e.issued_at >= before[1].issued_at
            )
            at = before[0] if before is not None and is_same else now
            self.proofs[slot] = (at, entry)
        if self.over_since is not None and self.drawn_ma <= _at_most(self.lawful_ma(now) or 0):
            self.over_since = None  # what it draws is within what it took now: no contradiction
        return True

    def rejected(self, call: str) -> bool:
        """Rule 4: this value leaves, no other."""
        found = self.find(call)
        if found is None or found[1].is_accepted:
            return False
        self.slots[found[0]].remove(found[1])
        return True

    def cleared(self, profile_id: int) -> None:
        """ClearChargingProfile was accepted for this id."""
        for slot, entries in list(self.slots.items()):
            self.slots[slot] = [e for e in entries if e.profile_id != profile_id]
            if slot in self.proofs and self.proofs[slot][1].profile_id == profile_id:
                del self.proofs[slot]

    def proves_at(self, true_s: float) -> float:
        """When the next accepted value is proved without a sample; infinity: nothing waits."""
        if not self.proofs:
            return math.inf
        return min(at for at, _ in self.proofs.values()) + self.obey.counted_s(true_s)

    def prove(self, now: float, true_s: float) -> None:
        """Rule 3 ends for all whose obey time is over without a contradiction."""
        if self.over_since is None:
            due = now - self.obey.counted_s(true_s) + 1e-9
            for slot in [s for s, (at, _) in self.proofs.items() if at <= due]:
                self._prove(slot)

    def _prove(self, slot: Slot) -> None:
        """All that is older in its place has left, and so has the unknown."""
        _, proved = self.proofs.pop(slot)
        self.is_unknown = False
        self.slots[slot] = [e for e in self.slots[slot] if e.issued_at >= proved.issued_at]
        for other, entries in self.slots.items():  # the same id replaces, on whatever level
            self.slots[other] = [
                e for e in entries
                if e.profile_id != proved.profile_id or e.issued_at >= proved.issued_at
            ]

    # -- rules 1, 3, 7: what is heard --------------------------------------------------------

    def forget(self, now: float) -> None:
        """Rule 1: start, adoption, reboot; a mean that began before it says nothing now."""
        self.is_unknown, self.forgot_at, self.changed_at = True, now, now
        self.is_caught = self.is_doubted = False
        self.over_since = None
        self.ruled.clear()
        self.proofs.clear()

    def session_began(self, now: float) -> None:
        """A default that counts from the session's start counts from now on."""
        for slot, entries in self.slots.items():
            if slot[0] in (OWN_DEFAULT, DEFAULT):
                for e in entries:
                    e.ends_at = now + e.lasts_s

    def session_ended(self) -> None:
        """TxProfiles go with their transaction; a doubt of it too."""
        self.slots = {slot: entries for slot, entries in self.slots.items() if slot[0] != TX}
        self.proofs = {slot: proof for slot, proof in self.proofs.items() if slot[0] != TX}
        if self.over_since is not None:  # the stop brought it down: how late it obeys was not seen
            self.obey.is_known_late = False
        self.is_caught = self.is_doubted = False
        self.over_since = None
        self.ruled.clear()

    def sampled(
        self, drawn_ma: int, at: float, now: float, true_s: float, over_s: float = 0.0
    ) -> None:
        """A fresh value of what it draws: proves what was accepted before it, or contradicts.

        A mean of so many seconds may hold what was lawful before: it speaks of its beginning.
        """
        lawful_ma = self.lawful_ma(now)
        at -= over_s
        if lawful_ma is None or (over_s and at < self.changed_at):
            return
        self.drawn_ma = drawn_ma
        if drawn_ma > _at_most(lawful_ma):
            if self.over_since is None and any(at - SAMPLE_S < a for a, _ in self.proofs.values()):
                return  # rule 3, no *later* contradiction: it may be from before the answer
            self.is_doubted = self.is_doubted or self.shown_at > self.changed_at
            since = min((a for a, _ in self.proofs.values()), default=at)
            self.over_since = since if self.over_since is None else self.over_since
            told_at = min(self.over_since, self.changed_at)
            self.obey.is_seen_slow = self.obey.is_seen_slow or at - told_at > OBEY_S_MIN
            if at - self.over_since >= OBEY_S:
                self.obey.is_known_late = True
            # A value is up to a step of the world older than its arrival: what was measured before
            # the obey time was over contradicts nothing (rule 3).
            obey_s = max(OBEY_S, self.obey.counted_s(true_s)) + SAMPLE_S
            # Each value has its own (rule 3): who comes down late to one limit while it has taken a
            # lower one has the time of that one too; who is over both has not (INV-10).
            due_ma = max([lawful_ma, *(ma for until, ma in self.ruled if until > at - obey_s)])
            is_due = at - self.over_since >= obey_s and drawn_ma > _at_most(due_ma)
            self.is_caught = self.is_caught or is_due
            return
        self.over_since = None
        self.is_caught = self.is_doubted = False
        for slot in [s for s, (a, e) in self.proofs.items() if at >= a and drawn_ma <= e.ma]:
            self._prove(slot)
            self.shown_at = at

    def lawful_ma(self, now: float) -> int | None:
        """The most it may draw by what it has accepted, or was told since; None: nothing yet.

        Of one in watts with all that may pass for its loss: whoever does not know its efficiency
        plans with 0.85, and learns it from what it draws (decided.md, DC efficiency).
        """
        replaced: dict[int, float] = {}  # OCPP 1.6, 5.16.1: the same id replaces on whatever level
        for e in (e for entries in self.slots.values() for e in entries if e.is_accepted):
            replaced[e.profile_id] = max(e.issued_at, replaced.get(e.profile_id, e.issued_at))
        top: int | None = None
        cap: int | None = None  # rules over all, and alone where there is nothing else
        is_ruled = False
        for slot in sorted(self.slots):
            entries = [
                e for e in self.slots[slot] if e.issued_at >= replaced.get(e.profile_id, 0.0)
            ]
            newest = max((e.issued_at for e in entries if e.is_accepted), default=None)
            if newest is None:
                continue
            holds = max(e.top_ma(now) for e in entries if e.issued_at >= newest)
            if slot[0] == CAP:
                cap = holds
            elif not is_ruled:
                top = max(holds, top or 0)
                is_ruled = any(e.is_accepted and (e.has_floor or now < e.ends_at) for e in entries)
        lawful = [ma for ma in (top, cap) if ma is not None]
        if not lawful:
            return None
        held = min(lawful)  # a maximum that was lowered since takes nothing from it
        return max(held, min(self.most_ma, round(held * self.spread)))

    # -- what it comes to ----------------------------------------------------------------------

    def top_ma(self, now: float, *, in_session: bool) -> int:
        """U before wiring: the highest that may be in force.

        A maximum that is lowered is a lower source (INV-7): its room is free when the cut is
        "*proved*, not merely sent" (INV-3).
        """
        if self.is_unknown or self.is_caught or self.is_doubted:
            return self.most_ma
        top = self._ruling_ma(now, in_session=in_session)
        cap = [e for slot, entries in self.slots.items() if slot[0] == CAP for e in entries]
        if any(e.is_accepted for e in cap):
            top = min(top, max(e.top_ma(now) for e in cap))
        return top  # each was capped by the M of its time: it may draw that until told less

    def _ruling_ma(self, now: float, *, in_session: bool) -> int:
        """The highest level that surely holds a value rules; above it lies what may be there."""
        top = 0
        for slot in sorted(self.slots):
            if slot[0] == CAP or (slot[0] == TX and not in_session):
                continue
            entries = self.slots[slot]
            top = max([top, *(e.top_ma(now) for e in entries)])
            if any(e.is_accepted and (e.has_floor or now < e.ends_at) for e in entries):
                return top
        return self.most_ma

    def least_ma(self, *, in_session: bool) -> int:
        """The current minimum: above it nothing is issued while a limit is passed (INV-1).

        The lowest of what it took newest and was told since. What it took before that is in the
        set because it may draw as much still, not because it may be held as low. Of what it was
        told before its limits were unknown nothing counts, also where a TxProfile was proved since:
        of its default that says nothing. {M} where it was told nothing since.
        """
        least, since = self.most_ma, self.forgot_at
        for slot in sorted(self.slots):
            if slot[0] == CAP or (slot[0] == TX and not in_session):
                continue
            entries = [e for e in self.slots[slot] if e.issued_at >= since]
            newest = max((e.issued_at for e in entries if e.is_accepted), default=-math.inf)
            least = min([least, *(e.ma for e in entries if e.issued_at >= newest)])
            if newest > -math.inf:
                break
        return least

    def next_end(self, now: float) -> float:
        """When the next period of what may be in force ends."""
        ends = [e.ends_at for entries in self.slots.values() for e in entries]
        return min((at for at in ends if at > now), default=math.inf)

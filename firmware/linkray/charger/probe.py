"""Tries out on a charger what only a trial shows: its lease, and what 0 A does (quirks.md).

In a first session, once, and only ever downwards from what it is offered: the offer with a short
dead-man that is not renewed must fall to the fallback by itself, 0 A must come, and the car must be
back within a minute. Whatever changes meanwhile ends the trial at once; the offer is told again.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from linkray.model.passport import Finding, Passport

from .passport import Evidence

STEADY_S = 60.0  # so long the same offer and a current that follows it, before anything is tried
DRAWS_MA = 5_000  # least current that is worth a trial
SEEN_MA = 2_000  # by which a fall must show
IDLE_MA = 500
LEASE_S = 30  # the short dead-man
LATE_S = 10.0  # a charger and its car have this long to follow
HOLD_S = 10.0  # at 0 A, before it is told to come back
RETURN_S = 60.0  # quirks.md, Order of attempts 5
AGAIN_S = 30.0  # not back by then: told once more (quirks.md, by theme, 0 A)
PAUSE_S = 300.0  # after a trial that something ended
TRIES_MAX = 3  # of one link
AGE_S_MAX = 600.0  # of a session, for a lease that may count from its profile's arrival
INTERVAL_S_MAX = 60  # values that come more rarely show no fall, unless they can be asked for
VALUES_S = (2.5, 4.7, LATE_S + 0.1)  # when values are asked for, after a fall is due

Phase = Literal["idle", "lease", "zero", "back"]
Do = Literal["lease", "zero", "resend", "end", "values"]


class Act(NamedTuple):
    """What should be done on a connector: a trial begun or ended, an offer or values asked for."""

    do: Do
    connector: int


class Look(NamedTuple):
    """One connector at a moment. `free`: its offer is told, accepted and may be tried upon."""

    connector: int
    tx: int | None
    limit_ma: int  # what it is offered, on its busiest phase
    fallback_ma: int
    form: str
    leased: bool
    on_trial: bool
    free: bool
    age_s: float
    drawn_ma: int | None  # fresh
    drawn_at: float
    interval_s: int
    can_ask: bool  # RemoteTrigger
    status: str | None

    @property
    def draws(self) -> bool:
        return self.drawn_ma is not None and self.drawn_ma >= DRAWS_MA


class Probe:
    """The trials of one charger, one connector at a time."""

    __slots__ = ("_asked", "_before_ma", "_began", "_fallen_at", "_ignored", "_limit_ma",
                 "_not_before", "_over_at", "_resent", "_steady", "_to_zero", "_tries", "_tx",
                 "connector", "phase")  # fmt: skip

    def __init__(self) -> None:
        self.phase: Phase = "idle"
        self.connector = 0
        self._tx: int | None = None
        self._limit_ma = 0
        self._before_ma = 0
        self._to_zero = False  # what is tried ends at 0 A
        self._began = math.inf  # when what is tried was accepted; of a return, when it was told
        self._over_at = -math.inf
        self._fallen_at: float | None = None
        self._asked = 0
        self._resent = False
        self._ignored = False  # 0 A, once
        self._tries = 0
        self._not_before = -math.inf
        self._steady: dict[int, tuple[tuple[int | None, int], float]] = {}

    def again(self) -> None:
        """A person wants it all tried anew."""
        self._tries, self._ignored = 0, False
        self._not_before = -math.inf

    def due(self, now: float) -> float:
        """When it wants to look again, if nothing happens before."""
        if self.phase == "idle":
            steady = [since + STEADY_S for _, since in self._steady.values()]
            return min((at for at in steady if at > now), default=math.inf)
        return now + 0.5 if self._began < math.inf else math.inf

    # -- idle ------------------------------------------------------------------------------------

    def wants(self, look: Look, passport: Passport, zero: str, charger: str) -> Phase | None:
        """What there is to try here: its lease, or what 0 A does; None: nothing, or not now."""
        if look.interval_s > INTERVAL_S_MAX and not look.can_ask:
            return None
        if (
            look.leased
            and passport.get("lease", charger) is None
            and (zero != "never" or look.fallback_ma > 0)
            and (look.drawn_ma or 0) >= look.fallback_ma + SEEN_MA
            and (look.age_s <= AGE_S_MAX or passport.get("relative") is not None)
        ):
            return "lease"
        if passport.get("zero") is None and zero != "never":
            return "zero"
        return None

    def steady(self, look: Look, now: float) -> bool:
        """Whether the same offer has stood, and been drawn, for a minute."""
        key = (look.tx, look.limit_ma)
        if not look.free or look.tx is None or not look.draws:
            self._steady.pop(look.connector, None)
            return False
        held = self._steady.get(look.connector)
        if held is None or held[0] != key:
            self._steady[look.connector] = (key, now)
            return False
        return (
            now >= held[1] + STEADY_S and self._tries < TRIES_MAX and now >= self._not_before
        )

    def begin(self, phase: Phase, look: Look) -> list[Act]:
        """Try it here."""
        self.connector, self._tx, self._limit_ma = look.connector, look.tx, look.limit_ma
        self._before_ma = look.drawn_ma or 0
        self._to_zero = look.fallback_ma == 0
        self._tries += 1
        self._steady.clear()
        return self._enter(phase)

    def _enter(self, phase: Phase) -> list[Act]:
        self.phase = phase
        self._began = math.inf
        self._over_at = -math.inf
        self._fallen_at = None
        self._asked = 0
        self._resent = False
        return [Act("zero" if phase == "zero" else "lease", self.connector)]

    # -- on trial --------------------------------------------------------------------------------

    def accepted(self, now: float) -> None:
        """The charger has taken what is tried."""
        if self.phase in ("lease", "zero") and self._began == math.inf:
            self._began = now

    def step(
        self, look: Look, passport: Passport, zero: str, seen: Evidence, now: float
    ) -> tuple[list[Act], list[Finding]]:
        """Something has happened, or its time has come, while something is tried."""
        if look.tx != self._tx:
            return self.abort(now), []
        if self.phase == "back":
            return self._back(look, seen, now)
        if not look.on_trial or look.limit_ma != self._limit_ma:
            return self.abort(now), []
        if look.drawn_at >= self._began and look.drawn_ma is not None:
            floor_ma = IDLE_MA if self.phase == "zero" else look.fallback_ma + 1_000
            if look.drawn_ma > floor_ma:
                self._over_at, self._fallen_at = look.drawn_at, None
            elif self._fallen_at is None:
                self._fallen_at = look.drawn_at
        return (self._lease if self.phase == "lease" else self._zero)(
            look, passport, zero, seen, now
        )

    def _lease(
        self, look: Look, passport: Passport, zero: str, seen: Evidence, now: float
    ) -> tuple[list[Act], list[Finding]]:
        ends = self._began + LEASE_S
        offered = f"{_amps(self._limit_ma)} for {LEASE_S} s, then {_amps(look.fallback_ma)}"
        shown_at = now if self._fallen_at is None else self._fallen_at
        measured = f"{_amps(look.drawn_ma or 0)} after {shown_at - self._began:.0f} s"
        slack_s = LATE_S + (5.0 if look.can_ask else 2.0 * look.interval_s)
        may_be_later = "/Relative/" in look.form and passport.get("relative") is None
        if self._fallen_at is not None:
            if self._fallen_at < ends - 2.0:
                return self.abort(now), []  # the car's own doing: it shows nothing
            if self._over_at >= ends + LATE_S:
                later = self._began + look.age_s - (now - self._began) + LEASE_S
                if may_be_later and abs(self._fallen_at - later) <= slack_s:
                    counts = seen.finding("relative", "arrival", "", offered, measured)
                    return [*self._over(now), Act("end", self.connector)], [counts]
                return self._not_honoured(passport, zero, offered, measured, seen, now)
            if look.fallback_ma == 0 and now < self._fallen_at + HOLD_S:
                return [], []
            proof = [seen.finding("lease", "honoured", seen.charger, offered, measured)]
            if passport.get("relative") is None and "/Relative/" in look.form:
                proof.append(seen.finding("relative", "start", "", offered, measured))
            if look.fallback_ma == 0 and passport.get("zero") is None:
                return self._come_back(now), proof
            return [*self._over(now), Act("end", self.connector)], proof
        last = ends + slack_s
        if may_be_later:  # counted from its arrival, the whole age of the session comes on top
            last += look.age_s - (now - self._began)
        if now >= last:
            return self._not_honoured(passport, zero, offered, measured, seen, now)
        return self._ask(look, ends, now), []

    def _not_honoured(
        self, passport: Passport, zero: str, offered: str, measured: str, seen: Evidence,
        now: float,
    ) -> tuple[list[Act], list[Finding]]:  # fmt: skip
        found = seen.finding("lease", "not honoured", seen.charger, offered, measured)
        if passport.get("zero") is None and zero != "never":
            return self._enter("zero"), [found]
        return [*self._over(now), Act("end", self.connector)], [found]

    def _zero(
        self, look: Look, _passport: Passport, _zero: str, seen: Evidence, now: float
    ) -> tuple[list[Act], list[Finding]]:
        if self._fallen_at is not None:
            if now < self._fallen_at + HOLD_S:
                return [], []
            return self._come_back(now), []
        # What it ignores is told otherwise at once: no limit that it may draw more than stands for
        # longer than its obey time, and what a contradiction would reserve is for no one (P 3).
        if self._over_at >= self._began + LATE_S:
            if not self._ignored:  # one charger's bad minute is no way of its whole make
                self._ignored = True
                return self.abort(now), []
            found = seen.finding(
                "zero", "ignored", "", f"0 A instead of {_amps(self._limit_ma)}",
                f"{_amps(look.drawn_ma or 0)} after {now - self._began:.0f} s",
            )  # fmt: skip
            return [*self._over(now), Act("end", self.connector)], [found]
        if now >= self._began + 6.0 * LATE_S:  # no values came: nothing is shown
            return self.abort(now), []
        return self._ask(look, self._began, now), []

    def _come_back(self, now: float) -> list[Act]:
        self.phase, self._began, self._resent = "back", now, False
        self._asked = 0
        return [Act("end", self.connector)]

    def _back(
        self, look: Look, seen: Evidence, now: float
    ) -> tuple[list[Act], list[Finding]]:
        """0 A was told and seen; the offer is told again: does the car come back?"""
        after_s = now - self._began
        if look.limit_ma < DRAWS_MA:
            return self._give_up(now), []  # cut for another reason: nothing is shown
        enough_ma = min(self._before_ma, look.limit_ma) // 2
        if look.drawn_ma is not None and look.drawn_at > self._began and (
            look.drawn_ma >= enough_ma
        ):
            text = f"{_amps(look.drawn_ma)} again after {after_s:.0f} s"
            found = seen.finding(
                "zero", "pauses", "", f"0 A, then {_amps(look.limit_ma)}",
                text + (", told twice" if self._resent else ""),
            )  # fmt: skip
            return self._over(now), [found]
        if after_s >= RETURN_S and look.status != "SuspendedEVSE":
            return self._give_up(now), []  # it is the car that sleeps: nothing of the charger
        if after_s >= RETURN_S:
            found = seen.finding("zero", "stays", "", f"0 A, then {_amps(look.limit_ma)}",
                                 f"{_amps(look.drawn_ma or 0)} after {after_s:.0f} s")  # fmt: skip
            return self._over(now), [found]
        if after_s >= AGAIN_S and not self._resent:
            self._resent = True
            return [Act("resend", self.connector)], []
        return self._ask(look, self._began + 5.0, now), []

    def _ask(self, look: Look, since: float, now: float) -> list[Act]:
        """Values are asked for when the current should have moved."""
        if not look.can_ask or self._asked >= len(VALUES_S) or now < since + VALUES_S[self._asked]:
            return []
        self._asked += 1
        return [Act("values", self.connector)]

    # -- ends ------------------------------------------------------------------------------------

    def ended(
        self, connector: int, reason: str | None, seen: Evidence, now: float
    ) -> list[Finding]:
        """The session on a connector is over: at 0 A, by the charger's own will, a finding."""
        if self.phase == "idle" or connector != self.connector:
            return []
        falls_at = self._began + (LEASE_S - 2.0 if self.phase == "lease" else 0.0)
        at_zero = self.phase != "lease" or self._to_zero
        was_told = falls_at <= now <= falls_at + RETURN_S
        offered = f"0 A instead of {_amps(self._limit_ma)}"
        self._give_up(now)
        if not (at_zero and was_told and reason in (None, "Other")):
            return []
        return [seen.finding("zero", "stops", "", offered, "the session ended")]

    def abort(self, now: float) -> list[Act]:
        """Something else has changed: the offer is told again, whatever it is now."""
        if self.phase == "idle":
            return []
        back = self.phase == "back"
        self._give_up(now)
        return [] if back else [Act("end", self.connector)]

    def _give_up(self, now: float) -> list[Act]:
        self._over(now)
        self._not_before = now + PAUSE_S
        return []

    def _over(self, now: float) -> list[Act]:
        self.phase = "idle"
        self._began = math.inf
        self._not_before = now + STEADY_S
        self._fallen_at = None
        return []


def _amps(ma: int) -> str:
    return f"{ma / 1000:.1f} A"

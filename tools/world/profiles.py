"""Charging profiles as a charger keeps them: purpose, stack level, kind, periods, duration.

OCPP 1.6, chapter 3.13, read by someone who has not seen LinkRay's reading of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from tools.world.schemas import Json

VOLTS = 230  # what a charger reckons with when it turns W into A
Purpose = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]
RECUR_S = {"Daily": 86_400.0, "Weekly": 604_800.0}


@dataclass(frozen=True)
class Period:
    """From `start_s` of the schedule on this limit, in the schedule's unit."""

    start_s: int
    limit: float
    phases: int | None


@dataclass(frozen=True)
class Running:
    """What a profile may need to know of a session."""

    transaction_id: int | None
    began: float  # on the charger's clock


@dataclass(frozen=True)
class Profile:
    """One installed profile. Times are seconds of the charger's own clock."""

    connector: int
    id: int
    purpose: Purpose
    stack: int
    kind: str
    recurrency: str | None
    valid_from: float | None
    valid_to: float | None
    transaction_id: int | None
    start: float | None
    duration_s: int | None
    unit: str
    periods: tuple[Period, ...]
    arrived: float

    def elapsed_s(self, now: float, running: Running | None, *, from_arrival: bool) -> float:
        """How far into its schedule it is."""
        if self.kind == "Recurring" and self.start is not None:
            return (now - self.start) % RECUR_S[self.recurrency or "Daily"]
        if self.kind == "Absolute" and self.start is not None:
            return now - self.start
        if from_arrival:
            return now - self.arrived
        return now - running.began if running else 0.0

    def period(self, now: float, running: Running | None, *, from_arrival: bool) -> Period | None:
        """The period in force; None when the profile says nothing now."""
        if self.valid_from is not None and now < self.valid_from:
            return None
        if self.valid_to is not None and now >= self.valid_to:
            return None
        at = self.elapsed_s(now, running, from_arrival=from_arrival)
        if at < 0 or (self.duration_s is not None and at >= self.duration_s):
            return None
        return next((p for p in reversed(self.periods) if p.start_s <= at), None)


@dataclass(frozen=True)
class Limit:
    """What a connector may draw: mA on each of so many phases."""

    ma: int
    phases: int


def seconds(text: str | None) -> float | None:
    """A dateTime of OCPP as seconds; without a zone it is UTC."""
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def read_profile(connector: int, said: Json, now: float) -> Profile:
    """`csChargingProfiles` of a frame that has passed its schema."""
    schedule = said["chargingSchedule"]
    periods = tuple(
        Period(int(p["startPeriod"]), float(p["limit"]), p.get("numberPhases"))
        for p in schedule["chargingSchedulePeriod"]
    )
    return Profile(
        connector=connector,
        id=said["chargingProfileId"],
        purpose=said["chargingProfilePurpose"],
        stack=said["stackLevel"],
        kind=said["chargingProfileKind"],
        recurrency=said.get("recurrencyKind"),
        valid_from=seconds(said.get("validFrom")),
        valid_to=seconds(said.get("validTo")),
        transaction_id=said.get("transactionId"),
        start=seconds(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
        unit=schedule["chargingRateUnit"],
        periods=periods,
        arrived=now,
    )


class Book:
    """The profiles of one charger and what they come to."""

    def __init__(
        self, phases: int, max_ma: int, *, from_arrival: bool = False, volts: float = VOLTS,
        replaces_ids: bool = True,
    ) -> None:  # fmt: skip
        self.phases = phases
        self.max_ma = max_ma
        self.from_arrival = from_arrival  # a make that counts Relative from the frame's arrival
        self.volts = volts  # what it reckons with, its efficiency in them
        self.replaces_ids = replaces_ids  # or keeps two of one id on different levels
        self.changes = 0  # so often the profiles have changed
        self._profiles: list[Profile] = []

    @property
    def profiles(self) -> list[Profile]:
        """What is installed; put a new list, never change this one."""
        return self._profiles

    @profiles.setter
    def profiles(self, profiles: list[Profile]) -> None:
        self._profiles = profiles
        self.changes += 1

    def next_turn(self, now: float, running: Running | None) -> float:
        """The first time after `now` at which some profile may say something else."""
        turn = math.inf
        for profile in self._profiles:
            if profile.recurrency is not None:
                return now
            began = now - profile.elapsed_s(now, running, from_arrival=self.from_arrival)
            edges = [began, *(began + p.start_s for p in profile.periods)]
            if profile.duration_s is not None:
                edges.append(began + profile.duration_s)
            for edge in (*edges, profile.valid_from, profile.valid_to):
                if edge is not None and now < edge < turn:
                    turn = edge
        return turn

    def install(self, profile: Profile) -> None:
        """The same id replaces, and so does the same purpose and level on the same connector."""
        place = (profile.connector, profile.purpose, profile.stack)
        self.profiles = [
            old
            for old in self.profiles
            if (old.id != profile.id or not self.replaces_ids)
            and (old.connector, old.purpose, old.stack) != place
        ] + [profile]

    def clear(
        self,
        profile_id: int | None = None,
        connector: int | None = None,
        purpose: str | None = None,
        stack: int | None = None,
    ) -> bool:
        """Drop what fits all that is said; whether there was any."""

        def goes(profile: Profile) -> bool:
            if profile_id is not None:
                return profile.id == profile_id
            return (
                connector in (None, profile.connector)
                and purpose in (None, profile.purpose)
                and stack in (None, profile.stack)
            )

        left = [profile for profile in self.profiles if not goes(profile)]
        found = len(left) < len(self.profiles)
        self.profiles = left
        return found

    def transaction_ended(self, connector: int) -> None:
        self.clear(connector=connector, purpose="TxProfile")

    def limit(self, connector: int, now: float, running: Running | None) -> Limit:
        """TxProfile before TxDefaultProfile (its own connector before 0), else the hardware."""
        for among in (
            self._of("TxProfile", connector, running) if running else (),
            self._of("TxDefaultProfile", connector, None),
            self._of("TxDefaultProfile", 0, None),
        ):
            found = self._highest(among, now, running)
            if found is not None:
                return found
        return Limit(self.max_ma, self.phases)

    def cap_ma(self, now: float) -> int | None:
        """What all connectors together may draw on each phase (ChargePointMaxProfile)."""
        found = self._highest(self._of("ChargePointMaxProfile", 0, None), now, None)
        return None if found is None else found.ma

    def _of(self, purpose: Purpose, connector: int, running: Running | None) -> list[Profile]:
        def fits(profile: Profile) -> bool:
            if profile.transaction_id is None or running is None:
                return True
            return profile.transaction_id == running.transaction_id

        mine = [
            p
            for p in self.profiles
            if p.purpose == purpose and p.connector == connector and fits(p)
        ]
        return sorted(mine, key=lambda profile: -profile.stack)

    def _highest(
        self, among: Iterable[Profile], now: float, running: Running | None
    ) -> Limit | None:
        for profile in among:
            period = profile.period(now, running, from_arrival=self.from_arrival)
            if period is not None:
                return self._in_ma(profile.unit, period)
        return None

    def _in_ma(self, unit: str, period: Period) -> Limit:
        phases = min(period.phases or self.phases, self.phases)
        amps = period.limit if unit == "A" else period.limit / (self.volts * phases)
        return Limit(min(self.max_ma, round(amps * 1000)), phases)

    def composite(
        self, connector: int, now: float, running: Running | None, duration_s: int, unit: str
    ) -> list[Json]:
        """The periods that GetCompositeSchedule tells."""
        told: list[Json] = []
        for at in self._turns(now, running, duration_s):
            limit = self.limit(connector, now + at, running)
            cap = self.cap_ma(now + at)
            ma = limit.ma if cap is None else min(cap, limit.ma)
            amount = ma / 1000 if unit == "A" else ma * limit.phases * self.volts / 1000
            period = {"limit": round(amount, 1), "numberPhases": limit.phases}
            if not told or {k: told[-1][k] for k in period} != period:
                told.append({"startPeriod": at, **period})
        return told

    def _turns(self, now: float, running: Running | None, duration_s: int) -> list[int]:
        """The seconds from now at which some profile may change its mind."""
        turns = {0}
        for profile in self.profiles:
            at = profile.elapsed_s(now, running, from_arrival=self.from_arrival)
            ends = [profile.duration_s] if profile.duration_s is not None else []
            for edge in [p.start_s for p in profile.periods] + ends:
                turns.add(round(edge - at))
        return sorted(turn for turn in turns if 0 <= turn < duration_s)

"""An offer as the charging profiles that tell it to a charger, in every form worth trying.

balancing.md 4, Telling the chargers. Pure: `utc` is the wall clock's word, `age_s` the session's.
What is told is never above the offer: amounts are rounded down to what the charger knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from linkray.model import failsafe
from linkray.model.passport import base
from linkray.model.plan import Offer
from linkray.model.settings import Charger
from linkray.model.units import round_down
from linkray.ocpp.messages import (
    ChargingSchedule,
    ChargingSchedulePeriod,
    ClearChargingProfile,
    CsChargingProfiles,
    Purpose,
    RateUnit,
    SetChargingProfile,
)

from .measured import Wiring
from .quirks import PLAIN, Quirk

Kind = Literal["Relative", "Absolute"]
Shape = Literal["2", "pair", "1"]  # two periods; a stacked pair of one each; no fallback at all

START_PAST_S = 5  # an Absolute schedule starts a few seconds past (balancing.md 4)
CLOCK_OFF_S_MAX = 5.0  # trust.md 1, Model 5: a charger's clock further off earns no lease
WHOLE_MA = 1000
PROFILES_EACH = 10  # profile ids of connector n are 10 n + 1 … 10 n + 9
IDS: dict[Purpose, int] = {"TxProfile": 1, "TxDefaultProfile": 3, "ChargePointMaxProfile": 5}


class Ability(msgspec.Struct, frozen=True):
    """What a charger has said it can do (GetConfiguration); None: it did not say."""

    stack_level_max: int | None = None  # ChargeProfileMaxStackLevel
    rate_units: tuple[RateUnit, ...] = ()  # ChargingScheduleAllowedChargingRateUnit
    connectors: int = 1  # NumberOfConnectors
    periods_max: int | None = None  # ChargingScheduleMaxPeriods


class Session(msgspec.Struct, frozen=True):
    """The running transaction: its number and how long it has run."""

    transaction_id: int
    age_s: float


class Form(msgspec.Struct, frozen=True):
    """One way to tell an offer: the calls in their order; it is told when all are `Accepted`.

    `key` names the way without its amounts: what a charger took once is tried first again.
    `falls`: the offer falls back by itself. `leased`: surely after the dead-man time, and not by a
    clock that nobody knows. `steady`: what it falls back to is the offer itself, so that nothing
    is gained by renewing it.
    """

    key: str  # `TxProfile/Relative/A/2`
    calls: tuple[SetChargingProfile, ...]
    leased: bool
    steady: bool = False
    falls: bool = False

    @property
    def purpose(self) -> Purpose:
        """Whether it is for a transaction, for any, or for the charger as a whole."""
        return self.calls[0].cs_charging_profiles.charging_profile_purpose

    @property
    def level(self) -> int:
        """The stack level it stands on."""
        return self.calls[0].cs_charging_profiles.stack_level


class _Way(msgspec.Struct, frozen=True):
    """A form without its amounts."""

    purpose: Purpose
    kind: Kind
    unit: RateUnit
    shape: Shape
    whole: bool = False  # whole amps
    lowest: bool = False  # stack level 0

    @property
    def key(self) -> str:
        key = f"{self.purpose}/{self.kind}/{self.unit}/{self.shape}"
        return key + ("/whole" if self.whole else "") + ("/level0" if self.lowest else "")


def rate_units(text: str) -> tuple[RateUnit, ...]:
    """What ChargingScheduleAllowedChargingRateUnit means: `Current`, `Power`, `A,W` …"""
    words = {word.strip().lower() for word in text.split(",")}
    found: list[RateUnit] = []
    if words & {"current", "a", "amp", "amps", "ampere"}:
        found.append("A")
    if words & {"power", "w", "watt", "watts"}:
        found.append("W")
    return tuple(found)


def fallback_ma(charger: Charger, quirk: Quirk = PLAIN) -> int:
    """What the charger may draw per phase once it has lost LinkRay (balancing.md 4, Dead-man)."""
    make = failsafe.Make(min_ma=quirk.min_ma or 0, pauses_at_0=quirk.zero == "pauses")
    return failsafe.fallback_ma(charger, make)


def profile(
    offer: Offer,
    charger: Charger,
    *,
    session: Session | None,
    ability: Ability,
    quirk: Quirk = PLAIN,
    dead_man_s: int,
    utc: datetime,
    taken: str | None = None,
    wiring: Wiring | None = None,
    clock_off_s: float | None = None,
    refused: frozenset[str] = frozenset(),
) -> tuple[Form, ...]:
    """The forms of an offer, best first; `taken`: the key of the form that this charger took last.

    `refused`: keys of forms that its make refused or did not obey: those are tried last.
    `dead_man_s` 0: no fallback. `wiring`: without it an offer is not told in the other unit.
    `clock_off_s`: how far the charger's clock is off, None: not known, an Absolute form earns no
    lease and falls to no more than the offer. No forms at all: the offer is 0 and this charger must
    not be told 0 (its quirk); only a stop brings it to 0.
    """
    writer = _Writer(offer, charger, session, ability, quirk, dead_man_s, utc, wiring, clock_off_s)
    forms: list[Form] = []
    for way in _ways(session is not None, dead_man_s, ability, quirk, writer.units()):
        form = writer.form(way)
        if form is not None and (form.key == taken or form.calls not in [f.calls for f in forms]):
            forms.append(form)
    return tuple(sorted(forms, key=lambda form: (
        form.key != taken, form.key in refused or base(form.key) in refused
    )))  # fmt: skip


def cleared(
    connector: int, ability: Ability, quirk: Quirk = PLAIN
) -> tuple[ClearChargingProfile, ...]:
    """What takes away the profiles that LinkRay left on a connector (chargers.md, Commissioning 4).

    By their ids, and nothing of anyone else's.
    """
    purposes: list[Purpose] = ["TxProfile", "TxDefaultProfile"] if quirk.tx_profile else [
        "TxDefaultProfile"]  # fmt: skip
    if _may_max(ability, quirk):
        purposes.append("ChargePointMaxProfile")
    return purposes_cleared(connector, purposes)


def purposes_cleared(
    connector: int, purposes: Iterable[Purpose]
) -> tuple[ClearChargingProfile, ...]:
    """What takes away the profiles of these purposes that LinkRay left on a connector."""
    ids = [_id(connector, purpose) for purpose in purposes]
    return tuple(ClearChargingProfile(id=each + under) for each in ids for under in (0, 1))


def _id(connector: int, purpose: Purpose) -> int:
    """Unique per connector and purpose: a newer profile replaces the older. +1: the pair's."""
    return PROFILES_EACH * connector + IDS[purpose]


def _may_max(ability: Ability, quirk: Quirk) -> bool:
    """Whether ChargePointMaxProfile may stand for a connector's offer: if it is the only one."""
    return quirk.charge_point_max and ability.connectors == 1


def _is_on_0(ability: Ability, quirk: Quirk) -> bool:
    """Whether its offer goes to connector 0: two sockets' would rule over one another there, and no
    TxProfile belongs there (OCPP 1.6, 5.16).
    """
    return quirk.connector_zero and ability.connectors == 1


def _ways(
    in_session: bool,
    dead_man_s: int,
    ability: Ability,
    quirk: Quirk,
    units: tuple[RateUnit, ...],
) -> Iterator[_Way]:
    """The order of attempts (balancing.md 4; quirks.md, Order of attempts)."""
    purposes: list[Purpose] = ["TxDefaultProfile"]
    if in_session and quirk.tx_profile and not _is_on_0(ability, quirk):
        purposes.insert(0, "TxProfile")
    kinds: tuple[Kind, ...] = ("Relative", "Absolute") if quirk.kind is None else (quirk.kind,)
    shapes = _shapes(dead_man_s, ability, quirk)
    for purpose in purposes:
        for shape in shapes:
            yield _Way(purpose, kinds[0], units[0], shape)
    ends = tuple(shape for shape in shapes if shape != "pair")
    for purpose in purposes:
        for kind in kinds[1:]:
            for shape in ends:
                yield _Way(purpose, kind, units[0], shape)
        for unit in units[1:]:
            for shape in ends:
                yield _Way(purpose, kinds[0], unit, shape)
        if "A" in units and quirk.step_ma < WHOLE_MA and not quirk.steps_ma:
            for shape in ends:
                yield _Way(purpose, kinds[0], "A", shape, whole=True)
        if quirk.stack_level is None:
            yield _Way(purpose, kinds[0], units[0], ends[0], lowest=True)
    if _may_max(ability, quirk):  # Relative means nothing where no transaction is meant
        for shape in ends:
            yield _Way("ChargePointMaxProfile", "Absolute", units[0], shape)


def _shapes(dead_man_s: int, ability: Ability, quirk: Quirk) -> tuple[Shape, ...]:
    if dead_man_s <= 0:
        return ("1",)
    if not quirk.two_periods or ability.periods_max == 1:
        return ("pair", "1")
    return ("2", "pair", "1")


class _Writer(msgspec.Struct, frozen=True):
    """Writes one offer's profiles."""

    offer: Offer
    charger: Charger
    session: Session | None
    ability: Ability
    quirk: Quirk
    dead_man_s: int
    utc: datetime
    wiring: Wiring | None
    clock_off_s: float | None

    def units(self) -> tuple[RateUnit, ...]:
        """The units in which the offer can be told, best first."""
        first: RateUnit = "A" if self.offer.limit_w is None else "W"
        if self.quirk.rate_unit is not None:
            return (self.quirk.rate_unit,)
        other: RateUnit = "W" if first == "A" else "A"
        said = self.ability.rate_units
        if other in said and first not in said:
            first, other = other, first
        # A charger set in kW may be a DC one: its amps would be the battery's, not the site's.
        can = {"A": self.charger.highest_w() is None or self.offer.limit_w is None, "W": True}
        return tuple(unit for unit in (first, other) if can[unit])

    def form(self, way: _Way) -> Form | None:
        """The form, where there is one."""
        step = WHOLE_MA if way.whole else self.quirk.step_ma
        limit = self._limit(way.unit, step)
        if limit is None or (limit == 0 and self.quirk.zero == "never"):
            return None
        if way.shape == "1":
            calls = (self._call(way, [(0, limit)]),)
            return Form(way.key, calls, leased=False)
        after = self._fallback(way.unit, step)
        if after is None:
            return None
        leased = way.kind == "Relative" or self._clock_is_right()
        steady = after == limit
        if not leased:
            # By its clock the end may have come already: the books hold no more than the offer
            # while it is renewed, so that no period may be above it (trust.md 1, INV-1).
            after = min(after, limit)
        if way.shape == "2":
            calls = (self._call(way, [(0, limit), (self._ends_s(way), after)]),)
            return Form(way.key, calls, leased, steady=steady, falls=True)
        if self._level(way) == 0:
            return None  # no level below it
        upper = self._call(way, [(0, limit)], duration_s=self._ends_s(way))
        lower = self._call(way, [(0, after)], under=1)
        return Form(way.key, (upper, lower), leased, steady=steady, falls=True)

    def _clock_is_right(self) -> bool:
        return self.clock_off_s is not None and abs(self.clock_off_s) <= CLOCK_OFF_S_MAX

    def _ends_s(self, way: _Way) -> int:
        """When the offer's period ends, from the start of its schedule."""
        if way.kind == "Absolute":
            return START_PAST_S + self.dead_man_s
        if self.session is None or not self.quirk.relative_from_start:
            return self.dead_man_s
        # OCPP 1.6: a Relative schedule counts from the transaction's start (balancing.md 4)
        return math.ceil(self.session.age_s) + self.dead_man_s

    def _limit(self, unit: RateUnit, step_ma: int) -> int | None:
        """The offer in mA or W, rounded down to what can be told; None: it cannot be told so."""
        offer = self.offer
        if unit == "A":
            per_phase = offer.limit_ma if offer.limit_w is None else offer.offer_ma.highest()
            return self._down_ma(per_phase, step_ma)
        if offer.limit_w is not None:
            return self._down_w(offer.limit_w)
        return self._in_watts(offer.limit_ma)

    def _fallback(self, unit: RateUnit, step_ma: int) -> int | None:
        """What it may draw on its own, in mA or W."""
        per_phase = fallback_ma(self.charger, self.quirk)
        if unit == "A":
            return self._down_ma(per_phase, step_ma)
        lowest_w = max(self.quirk.min_w or 0, self.charger.lowest_w() or 0)
        if per_phase > 0 and self.charger.fallback_ma is None and lowest_w:
            return lowest_w
        return self._in_watts(per_phase)

    def _in_watts(self, per_phase_ma: int) -> int | None:
        if per_phase_ma == 0:
            return 0
        if self.wiring is None:
            return None
        return self._down_w(per_phase_ma * self.wiring.all_mv() // 1_000_000)

    def _down_ma(self, amount_ma: int, step_ma: int) -> int:
        down = round_down(amount_ma, step_ma)
        if self.quirk.steps_ma:
            down = max((s for s in self.quirk.steps_ma if s <= amount_ma), default=0)
        return down if down >= (self.quirk.min_ma or 0) else 0

    def _down_w(self, amount_w: int) -> int:
        return amount_w if amount_w >= (self.quirk.min_w or 0) else 0

    def _level(self, way: _Way) -> int:
        """The stack level: the highest, less for each further connector (manual, 1.3.2)."""
        if way.lowest:
            return 0
        if self.quirk.stack_level is not None:
            return self.quirk.stack_level
        each = 2 if way.shape == "pair" else 1
        said = self.ability.stack_level_max
        top = each * self.ability.connectors if said is None else said
        return max(0, top - self.quirk.stack_level_below_max - each * (self.offer.connector - 1))

    def _call(
        self,
        way: _Way,
        periods: list[tuple[int, int]],
        *,
        duration_s: int | None = None,
        under: int = 0,
    ) -> SetChargingProfile:
        """A profile of these periods (start in s, limit in mA or W), `under` levels down."""
        phases = min(self.charger.phases, 3) if self.charger.phases != 2 else 1
        told = self.quirk.number_phases and self.charger.highest_w() is None
        is_max = way.purpose == "ChargePointMaxProfile"
        start = self.utc.astimezone(UTC) - timedelta(seconds=START_PAST_S)
        schedule = ChargingSchedule(
            way.unit,
            tuple(
                ChargingSchedulePeriod(
                    start_s, limit / 1000 if way.unit == "A" else limit, phases if told else None
                )
                for start_s, limit in periods
            ),
            duration_s,
            f"{start:%Y-%m-%dT%H:%M:%SZ}" if way.kind == "Absolute" else None,
        )
        is_tx = way.purpose == "TxProfile"
        return SetChargingProfile(
            0 if is_max or _is_on_0(self.ability, self.quirk) else self.offer.connector,
            CsChargingProfiles(
                _id(self.offer.connector, way.purpose) + under,
                self._level(way) - under,
                way.purpose,
                way.kind,
                schedule,
                self.session.transaction_id if is_tx and self.session is not None else None,
            ),
        )

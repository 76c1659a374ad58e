"""What a connector draws, by the ladder of chargers.md (Sessions), from the values it sends.

Per phase of the charger, then laid on the phases of the site. Pure: one `Measured` per connector.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Sequence
from datetime import datetime

import msgspec

from linkray.model.facts import Drawn, Source
from linkray.model.units import Connection, Phases, site_phases, wired
from linkray.ocpp.lenient import moment
from linkray.ocpp.messages import MeterValue, SampledValue

STALE_INTERVALS = 3  # chargers.md, Sessions; trust.md C9
BAD_IN_A_ROW_MAX = 10  # trust.md C10
RUNG_INTERVALS = 1.5  # so long a lower rung does not replace a better one
SLOPE_S_MIN = 5.0
SLOPE_ERROR_W = 500.0  # a register too coarse for this within three intervals has no slope
JUMP_FACTOR, JUMP_WH = 1.5, 200.0  # what a register may gain beyond the charger's maximum
DROPPED_MAX = 20  # reasons told of one message
VOLTS_LOW, VOLTS_HIGH = 50.0, 1000.0  # of a sample that can be true
VOLTS_AC_LOW, VOLTS_AC_HIGH = 80.0, 300.0  # of one that is a phase's, not a battery's

OWN_PHASE = {"L1": 0, "L1-N": 0, "L2": 1, "L2-N": 1, "L3": 2, "L3-N": 2}
BETWEEN = ("L1-L2", "L2-L3", "L3-L1")
PLACES = {"Outlet": 0, "Cable": 1, "Inlet": 2}  # where is believed before where
KNOWN_PLACES = frozenset((*PLACES, "EV", "Body"))  # the last two are not what a connector draws
# contexts that say nothing of the current now
NOT_NOW = frozenset(("Interruption.Begin", "Interruption.End", "Transaction.End"))
CONTEXTS = frozenset(
    (*NOT_NOW, "Sample.Clock", "Sample.Periodic", "Transaction.Begin", "Trigger", "Other")
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:\.([0-9]{0,12}))?(?:[eE]([+-]?[0-9]{1,2}))?")


class _Rule(msgspec.Struct, frozen=True):
    """Which numbers of a measurand can be true, and what its units are worth."""

    units: dict[str | None, float]  # None: it was left out
    most: float
    noise: float = 0.0  # so far below zero is zero


RULES = {
    "Current.Import": _Rule({"A": 1.0, None: 1.0}, 1_000.0, 0.1),
    "Power.Active.Import": _Rule({"W": 1.0, "kW": 1000.0, None: 1.0}, 2_000_000.0, 20.0),
    "Energy.Active.Import.Register": _Rule({"Wh": 1.0, "kWh": 1000.0, None: 1.0}, 1e11),
    "Voltage": _Rule({"V": 1.0, None: 1.0}, VOLTS_HIGH),
}


class Wiring(msgspec.Struct, frozen=True):
    """How a charger is wired, and the volts to reckon with (a healthy meter's, else the site's)."""

    phases: int = 1
    connection: Connection = "L1"
    voltage_mv: tuple[int, int, int] = (230_000, 230_000, 230_000)
    split_mode: str = "off"
    highest_w: int = 400_000  # most the charger can draw; what a register gains is held against it
    in_watts: bool = False  # a charger in watts: a current without phase may be its battery side's

    def own_mv(self, own: int) -> int:
        """The volts of its own phase, or between its two legs (balancing.md, The site)."""
        legs = site_phases(self.connection)
        if len(legs) == 2 and self.split_mode == "240":
            return self.voltage_mv[legs[0]] + self.voltage_mv[legs[1]]
        if len(legs) == 2:
            return round((self.voltage_mv[legs[0]] + self.voltage_mv[legs[1]]) * math.sqrt(3) / 2)
        return self.voltage_mv[legs[min(own, len(legs) - 1)]]


    def all_mv(self) -> int:
        """All its phases' volts together: watts over this are amps per phase."""
        return self.own_mv(0) if self.phases == 2 else sum(map(self.own_mv, range(self.phases)))


class Reading(msgspec.Struct, frozen=True):
    """What one MeterValues told."""

    drawn: Drawn | None  # None: nothing in it says what is drawn now
    register_wh: int | None = None  # the newest energy register, as sent
    flagged: bool = False  # the register went back or jumped since the last (trust.md C12)
    dropped: tuple[str, ...] = ()  # samples not used, each with its reason
    sensor_fault: bool | None = None  # True: ten bad ones in a row; False: over; None: no change


class _Register(msgspec.Struct, frozen=True):
    """A register read at a time; `stamp` is the charger's word for it."""

    wh: float
    quantum_wh: float
    at: float
    stamp: datetime | None


class _Bad(ValueError):
    """A sample that cannot be true, and why."""


class _Seen:
    """The values of one message by measurand and own phase; None: without phase."""

    def __init__(self) -> None:
        self._values: dict[str, dict[int | None, tuple[int, float]]] = {}

    def put(self, measurand: str, phase: int | None, place: int, value: float) -> None:
        held = self._values.setdefault(measurand, {})
        if phase not in held or place <= held[phase][0]:
            held[phase] = (place, value)

    def get(self, measurand: str, phase: int | None) -> float | None:
        held = self._values.get(measurand, {}).get(phase)
        return None if held is None else held[1]

    def by_phase(self, measurand: str) -> dict[int, float]:
        """What was said by phase."""
        held = self._values.get(measurand, {})
        return {own: held[own][1] for own in range(3) if own in held}


class Measured:
    """What is known of one connector's currents."""

    def __init__(self, charger: str, connector: int) -> None:
        self._charger = charger
        self._connector = connector
        self._drawn: Drawn | None = None
        self._interval_s = 10.0
        self._bad = 0
        self._faulty = False
        self._registers: deque[_Register] = deque(maxlen=64)
        self._newest: datetime | None = None
        self._energy_wh: float | None = None  # of the running transaction, never less than before

    def feed(
        self, values: Sequence[MeterValue], wiring: Wiring, now: float, *, interval_s: float,
        age_s: float = 0.0, coarse_s: float = 0.0,
    ) -> Reading:  # fmt: skip
        """A MeterValues of this connector (also `transactionData` of a StopTransaction).

        `age_s`: so long before now they were measured, and prove no limit that was accepted since;
        `coarse_s`: so much less it may be.
        """
        self._interval_s = interval_s
        was_faulty = self._faulty
        dropped: list[str] = []
        seen = _Seen()
        register: _Register | None = None
        flagged = False
        for value in values:
            stamp = moment(value.timestamp)
            if self._is_old(stamp, now):
                dropped.append(f"older than what is known: {value.timestamp[:40]}")
                continue
            self._newest = stamp or self._newest
            found = self._take(value.sampled_value, seen, dropped, wiring)
            if found is not None:
                register = _Register(found[0], found[1], now, stamp)
                flagged = self._advance(register, wiring) or flagged
        drawn = self._climb(seen, register, wiring, now, age_s)
        if drawn is not None and coarse_s:
            drawn = self._drawn = msgspec.structs.replace(drawn, coarse_s=coarse_s)
        return Reading(
            drawn,
            None if register is None else math.floor(register.wh),
            flagged,
            tuple(dropped[:DROPPED_MAX]),
            None if self._faulty == was_faulty else self._faulty,
        )

    def began(self, meter_start_wh: int, now: float) -> None:
        """A transaction began: what was measured before counts no more."""
        self._drawn = None
        self._registers.clear()
        self._registers.append(_Register(float(meter_start_wh), math.inf, now, None))
        self._energy_wh = 0.0

    def ended(self) -> None:
        """The transaction ended: nothing is known again."""
        self._drawn = None
        self._registers.clear()
        self._energy_wh = None

    def current(self, now: float) -> Drawn | None:
        """The newest, not older than three intervals; None: stale or nothing known (C9)."""
        return self._drawn if now < self.stale_at() else None

    def stale_at(self) -> float:
        """When `current` turns to None; `math.inf` where nothing is known."""
        if self._drawn is None:
            return math.inf
        return self._drawn.at + STALE_INTERVALS * self._interval_s

    def assumed(self, offer_ma: Phases, now: float) -> Drawn:
        """Failing all: the offered current counts as used (source `assumed`)."""
        return self._fact(offer_ma, "assumed", now)

    def _fact(
        self, current_ma: Phases, source: Source, now: float, over_s: float = 0.0
    ) -> Drawn:
        energy = None if self._energy_wh is None else math.floor(self._energy_wh)
        return Drawn(self._charger, self._connector, current_ma, source, now, energy, over_s)

    def _is_old(self, stamp: datetime | None, now: float) -> bool:
        """Whether a value is from an offline queue while fresh ones come (trust.md C20)."""
        if stamp is None or self._newest is None or stamp >= self._newest:
            return False
        return self.current(now) is not None  # its clock was set back: believed when all is stale

    def _take(
        self, samples: Sequence[SampledValue], seen: _Seen, dropped: list[str], wiring: Wiring
    ) -> tuple[float, float] | None:
        """Put what can be true into `seen`; the register and its smallest step, if one came."""
        whole: tuple[float, float] | None = None
        parts: dict[int, tuple[float, float]] = {}
        for sample in samples:
            rule = RULES.get(sample.measurand)
            if rule is None or sample.format != "Raw" or sample.phase == "N":
                continue  # not ours to judge; a neutral's current is in its phases (Injet)
            try:
                value, own = _judged(sample, rule, wiring)
            except _Bad as bad:
                dropped.append(f"{sample.measurand}: {bad}")
                self._count_bad()
                continue
            self._bad, self._faulty = 0, False
            if sample.measurand.startswith("Energy"):
                found = (round(value, 6), _step(sample))  # 1.023 kWh are 1,023 Wh
                if own is None:
                    whole = found
                else:
                    parts[own] = found
            elif sample.context not in NOT_NOW and sample.location in PLACES:
                seen.put(sample.measurand, own, PLACES[sample.location], value)
        if whole is None and parts:
            whole = (sum(v for v, _ in parts.values()), sum(q for _, q in parts.values()))
        return whole

    def _count_bad(self) -> None:
        self._bad += 1
        if self._bad >= BAD_IN_A_ROW_MAX:
            self._faulty = True

    def _advance(self, register: _Register, wiring: Wiring) -> bool:
        """Note a register; whether it went back or jumped (trust.md C12)."""
        flagged = False
        if self._registers:
            last = self._registers[-1]
            gained = register.wh - last.wh
            most = wiring.highest_w * _between_s(last, register) / 3600 * JUMP_FACTOR + JUMP_WH
            flagged = gained < 0 or (gained > most and not math.isinf(last.quantum_wh))
            if flagged:
                self._registers.clear()
            elif self._energy_wh is not None:
                self._energy_wh += gained
        self._registers.append(register)
        return flagged

    def _climb(
        self, seen: _Seen, register: _Register | None, wiring: Wiring, now: float,
        age_s: float,
    ) -> Drawn | None:  # fmt: skip
        """The ladder: the best rung that this message reaches."""
        found = _from_current(seen, wiring) or _from_power(seen, wiring)
        over_s = 0.0
        if found is None and register is not None and (slope := self._slope(register)) is not None:
            found, over_s = (_shared(slope[0], wiring, None), "energy"), slope[1]
        if found is None:
            return None
        own_ma, source = found
        held = self._drawn
        if (
            held is not None
            and LADDER.index(source) > LADDER.index(held.source)
            and now - held.at < RUNG_INTERVALS * self._interval_s
        ):
            return None
        self._drawn = self._fact(wired(wiring.connection, own_ma), source, now, over_s + age_s)
        return self._drawn

    def _slope(self, register: _Register) -> tuple[float, float] | None:
        """The mean watts by the register over at most three intervals, and over how long."""
        longest_s = STALE_INTERVALS * self._interval_s
        for earlier in reversed(self._registers):
            gap_s = _between_s(earlier, register)
            step_wh = max(register.quantum_wh, earlier.quantum_wh)
            if gap_s > longest_s:
                return None
            if gap_s >= SLOPE_S_MIN and step_wh * 3600 / gap_s <= SLOPE_ERROR_W:
                return (register.wh - earlier.wh) * 3600 / gap_s, gap_s
        return None


LADDER: tuple[Source, ...] = ("phases", "total", "power", "energy", "assumed")


def _between_s(earlier: _Register, later: _Register) -> float:
    """Seconds between two registers, by the charger's stamps where they make sense, else ours."""
    if earlier.stamp is not None and later.stamp is not None:
        gap_s = (later.stamp - earlier.stamp).total_seconds()
        if gap_s > 0:
            return gap_s
    return later.at - earlier.at


def _judged(sample: SampledValue, rule: _Rule, wiring: Wiring) -> tuple[float, int | None]:
    """The value in A, V, W or Wh and its own phase (None: without); raises `_Bad`."""
    if sample.context not in CONTEXTS:
        raise _Bad(f"unknown context {sample.context[:30]!r}")
    if sample.location not in KNOWN_PLACES:
        raise _Bad(f"unknown location {sample.location[:30]!r}")
    worth = rule.units.get(sample.unit)
    if worth is None:
        raise _Bad(f"unknown unit {str(sample.unit)[:30]!r}")
    own = None if sample.phase is None else OWN_PHASE.get(sample.phase)
    if own is None and sample.phase is not None:
        own = _between(sample, wiring)
    text = sample.value.strip()
    if not _NUMBER.fullmatch(text):
        raise _Bad(f"expected a number, got {sample.value[:30]!r}")
    value = float(text) * worth
    if not -rule.noise <= value <= rule.most:
        raise _Bad(f"expected 0 to {rule.most:g}, got {sample.value[:30]!r}")
    return max(0.0, value), own


def _step(sample: SampledValue) -> float:
    """The smallest step that a register's text can tell: `12.3` kWh is one of 100 Wh."""
    found = _NUMBER.fullmatch(sample.value.strip())
    assert found is not None, "judged before"
    worth = RULES[sample.measurand].units[sample.unit]
    return worth * 10.0 ** (int(found[2] or 0) - len(found[1] or ""))


def _between(sample: SampledValue, wiring: Wiring) -> int:
    """Where a value between two phases, or of no phase at all, belongs.

    Between two legs is the whole of a split-mode charger; of a three-phase one only its voltage is
    ever told so, which is no phase's.
    """
    if sample.phase not in BETWEEN:
        raise _Bad(f"unknown phase {str(sample.phase)[:30]!r}")
    if wiring.phases == 2:
        return 0
    if sample.measurand == "Voltage":
        return ASIDE
    raise _Bad(f"expected a phase, got {sample.phase!r}")


ASIDE = 3  # a place that no phase has


def _from_current(seen: _Seen, wiring: Wiring) -> tuple[tuple[int, ...], Source] | None:
    """`Current.Import` by phase, or without: the same on each phase."""
    by_phase = seen.by_phase("Current.Import")
    if by_phase:
        return _laid(by_phase, wiring)
    total = seen.get("Current.Import", None)
    if total is None or wiring.in_watts:
        return None
    return (round(total * 1000),) * wiring.phases, "total"


def _laid(amps: dict[int, float], wiring: Wiring) -> tuple[tuple[int, ...], Source]:
    """Amps by own phase; a three-phase charger that leaves phases out is assumed equal there.

    What is absent is not zero (quirks.md, Meter values), and nothing may be released by it.
    """
    highest = round(max(amps.values()) * 1000)
    if wiring.phases < 3:
        return (highest,), "phases"
    if len(amps) < 3:
        return tuple(round(amps[n] * 1000) if n in amps else highest for n in range(3)), "total"
    return tuple(round(amps[n] * 1000) for n in range(3)), "phases"


def _from_power(seen: _Seen, wiring: Wiring) -> tuple[tuple[int, ...], Source] | None:
    """`Power.Active.Import` over voltage, by phase or in all."""
    by_phase = seen.by_phase("Power.Active.Import")
    if by_phase and wiring.phases != 2:
        amps = {own: w * 1000 / _volts_mv(seen, wiring, own) for own, w in by_phase.items()}
        return _laid(amps, wiring)[0], "power"
    total = sum(by_phase.values()) if by_phase else seen.get("Power.Active.Import", None)
    if total is None:
        return None
    return _shared(total, wiring, seen), "power"


def _shared(watts: float, wiring: Wiring, seen: _Seen | None) -> tuple[int, ...]:
    """A power in all as mA, equal on the phases the charger has."""
    if wiring.phases == 2:
        return (round(watts * 1_000_000 / wiring.all_mv()),)
    volts_mv = [_volts_mv(seen, wiring, own) for own in range(wiring.phases)]
    return (round(watts * 1_000_000 / sum(volts_mv)),) * wiring.phases


def _volts_mv(seen: _Seen | None, wiring: Wiring, own: int) -> float:
    """The charger's own voltage of this phase where it tells one that can be, else the site's."""
    if seen is not None and not wiring.in_watts:
        for phase in (own, None):
            told = seen.get("Voltage", phase)
            if told is not None and VOLTS_AC_LOW <= told <= VOLTS_AC_HIGH:
                return told * 1000
    return float(wiring.own_mv(own))

"""From registers to a reading in mA and mV; what cannot be true dies here (trust.md M2–M8, M14).

Knows a meter's file and arithmetic, not the line that the registers came over. NaN, infinity and
fill patterns never leave this file as numbers.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from typing import Final, Literal, cast

import msgspec

from linkray.modbus.batch import Span, gather, words
from linkray.modbus.wire import Request
from linkray.model.settings import AMPS_MA_MAX, Settings
from linkray.model.units import Phases

from .meterfile import PHASES, WIDTH, DataType, MeterFile, Scale

VOLTAGE_MV_MIN, VOLTAGE_MV_MAX = 90_000, 260_000  # manual, 27: else the entry is ignored
LIMIT_TIMES: Final = 10  # metering.md, Reading
DRAWING_MA: Final = 1_000  # chargers that draw this much show on a meter at the grid
STEP_MA: Final = 3_000  # metering.md, Reading
STUCK_S: Final = 60.0
STUCK_STEPS: Final = 3
ENERGY_STEP_WH: Final = 10.0  # SDM72D-M counts 0.01 kWh
ENERGY_FIRST_S: Final = 15.0  # without a step for so long, the power is at most 2.4 kW
ENERGY_WINDOW_S: Final = 30.0
POWER_TIMES: Final = 1.3  # trust.md M4: power is volts times amps within 30 %
POWER_SURE_W: Final = 2_000  # below it rounding and a restless load could say so too

FILLS: dict[DataType, tuple[int, ...]] = {  # what meters and gateways send for "not measured"
    "Short": (0x7FFF, 0x8000),
    "Ushort": (0x7FFF, 0xFFFF),
    "Long": (0x7FFFFFFF, 0x80000000),
    "Ulong": (0x7FFFFFFF, 0xFFFFFFFF),
    "Float": (0x7FFFFFFF, 0xFFFFFFFF),
}

PerPhase = tuple[int | None, int | None, int | None]


class Rules(msgspec.Struct, frozen=True):
    """What of the settings decides whether a reading can be true."""

    limit_ma: Phases = Phases.each(100_000)
    voltage_mv: int = 230_000
    location: Literal["grid", "building"] = "grid"
    sample_s: int = 10

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        site = settings.site
        return cls(
            limit_ma=site.limit_ma.phases(),
            voltage_mv=site.voltage_mv,
            location=site.meter.location,
            sample_s=site.measurand_interval_s,
        )


class Reading(msgspec.Struct, frozen=True):
    """One good poll. A phase's current is None where the meter has lost that phase (M8)."""

    current_ma: PerPhase
    voltage_mv: PerPhase
    power_w: int
    at: float
    energy_wh: int | None = None
    is_slow: bool = False  # from the energy's slope
    ignored: tuple[str, ...] = ()  # phases whose voltage cannot be (M7)


class Nonsense(Exception):
    """A value that cannot be; `what` names it as the log does (`AL2`)."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(f"{what}, {text}")
        self.what = what
        self.text = text


class Wait(Exception):
    """Nothing is wrong, but the energy has not moved long enough to tell the power."""


class Reader:
    """Which registers a file asks for, and what they say."""

    def __init__(self, file: MeterFile) -> None:
        self.file = file
        self.spans = _spans(file)
        self._slope = Slope()

    def requests(self, *, with_holes: bool = True) -> tuple[Request, ...]:
        """The few requests of one poll."""
        if with_holes:
            return gather(self.spans.values())
        return gather(self.spans.values(), hole_max=0)

    def first_in(self, request: Request) -> str:
        """The name of the first value that a request reads, for the log (`AL1`)."""
        for name, span in self.spans.items():
            if words({request: (0,) * request.count}, span) is not None:
                return name
        return "meter"

    def read(
        self, answers: Mapping[Request, tuple[int, ...]], rules: Rules, now: float
    ) -> Reading:
        """The reading, or `Nonsense` (a failed poll), or `Wait`."""
        found: dict[str, tuple[int, ...]] = {}
        for name, span in self.spans.items():
            got = words(answers, span)
            assert got is not None, f"{name} was not read"
            found[name] = got
        voltage_mv, is_dead = self._voltages(found)
        energy_wh = self._energy(found)
        if self.file.is_energy_only:
            assert energy_wh is not None
            return self._from_energy(energy_wh, rules, now)
        current_ma, power_w = self._currents(found, rules)
        if power_w is None:
            power_w = _power_w(current_ma, voltage_mv, self.file.phases_reported, rules)
        shown = tuple(
            None if self._is_missing(phase, current_ma, is_dead, voltage_mv, rules) else amount
            for phase, amount in enumerate(current_ma)
        )
        ignored = tuple(
            name for name, mv in zip(PHASES, voltage_mv, strict=True)
            if mv is None and f"V{name}" in found
        )  # fmt: skip
        return Reading(
            cast(PerPhase, shown), voltage_mv, power_w, now, energy_wh, ignored=ignored
        )

    def _voltages(self, found: Mapping[str, tuple[int, ...]]) -> tuple[PerPhase, list[bool]]:
        """Each phase's voltage, None where ignored (M7); and where it reads as nothing at all."""
        shown: list[int | None] = [None, None, None]
        is_dead = [False, False, False]
        for phase, name in enumerate(PHASES):
            got = found.get(f"V{name}")
            volts = None if got is None else number(got, self.file.scale_v, self.file.word_order)
            if volts is None:
                continue
            mv = round(volts * 1000)
            is_dead[phase] = abs(mv) < VOLTAGE_MV_MIN
            if VOLTAGE_MV_MIN <= mv <= VOLTAGE_MV_MAX:
                shown[phase] = mv
        return cast(PerPhase, tuple(shown)), is_dead

    def _energy(self, found: Mapping[str, tuple[int, ...]]) -> int | None:
        """The energy counter in Wh; it must be readable only where nothing else tells the power."""
        if "kWh" not in found:
            return None
        kwh = number(found["kWh"], self.file.scale_energy, self.file.word_order)
        if kwh is None or kwh < 0:
            if self.file.is_energy_only:
                raise Nonsense("kWh", "not a number")
            return None
        return round(kwh * 1000)

    def _currents(
        self, found: Mapping[str, tuple[int, ...]], rules: Rules
    ) -> tuple[list[int], int | None]:
        """Amps of each phase with their sign, and the power where the meter tells it.

        A total without phases may lie on any one of them, and a phase that is not reported may
        carry what the reported one does: both count on every phase. What is missing never makes
        room (metering.md, Reading).
        """
        if self.file.a_total is not None:
            total = self._amps("A", found["A"], rules)
            return [total, total, total], None
        phases = PHASES[: self.file.phases_reported]
        _check_filler([found[f"A{p}"] for p in phases], self.file.scale_a)
        amounts = [self._amps(f"A{p}", found[f"A{p}"], rules) for p in phases]
        power_w: int | None = None
        if self.file.p_registers[0] is not None:
            watts = [self._watts(f"P{p}", found[f"P{p}"]) for p in phases]
            power_w = sum(watts)
            _check_power(amounts, watts, rules)
            amounts = [
                -abs(ma) if w < 0 else abs(ma) for ma, w in zip(amounts, watts, strict=True)
            ]
        if self.file.phases_reported == 1:
            amounts = amounts * 3
        return amounts, power_w

    def _amps(self, name: str, got: tuple[int, ...], rules: Rules) -> int:
        amps = number(got, self.file.scale_a, self.file.word_order)
        if amps is None:
            raise Nonsense(name, "not a number")
        most_ma = LIMIT_TIMES * (rules.limit_ma.highest() or AMPS_MA_MAX)
        if abs(amps) * 1000 > most_ma:
            raise Nonsense(name, f"out of range: {amps:.3g} A, the site has {most_ma // 10_000} A")
        return round(amps * 1000)

    def _watts(self, name: str, got: tuple[int, ...]) -> int:
        watts = number(got, self.file.scale_p, self.file.word_order)
        if watts is None or abs(watts) > 1e9:
            raise Nonsense(name, "not a number" if watts is None else "out of range")
        return math.floor(watts) if watts < 0 else math.ceil(watts)

    def _is_missing(
        self,
        phase: int,
        current_ma: Sequence[int],
        is_dead: Sequence[bool],
        voltage_mv: PerPhase,
        rules: Rules,
    ) -> bool:
        """Whether the meter has lost a phase of the site (M8): no volts and no amps on it.

        Its neighbours live, so it is not the whole supply; a phase without a limit is not in use.
        """
        return (
            is_dead[phase]
            and current_ma[phase] == 0
            and rules.limit_ma[phase] > 0
            and any(mv is not None for mv in voltage_mv)
        )

    def _from_energy(self, energy_wh: int, rules: Rules, now: float) -> Reading:
        power_w = self._slope.power_w(energy_wh, now)
        if power_w is None:
            raise Wait("the energy has not moved long enough to tell the power")
        each_ma = math.ceil(
            power_w * 1_000_000 / (rules.voltage_mv * self.file.phases_reported)
        )
        if each_ma > LIMIT_TIMES * (rules.limit_ma.highest() or AMPS_MA_MAX):
            raise Nonsense("kWh", f"out of range: {power_w} W")
        return Reading(
            (each_ma, each_ma, each_ma), (None, None, None), power_w, now, energy_wh, is_slow=True
        )


def _check_power(amounts_ma: Sequence[int], watts: Sequence[int], rules: Rules) -> None:
    """More power than volts times amps can be: the amps are told too low (trust.md M4).

    Less is possible, as a building's power factor may be low.
    """
    for phase, ma, w in zip(PHASES, amounts_ma, watts, strict=False):
        apparent_va = abs(ma) * rules.voltage_mv / 1e6
        if abs(w) > POWER_SURE_W and abs(w) > POWER_TIMES * apparent_va:
            raise Nonsense(f"P{phase}", f"{w} W does not go with {ma / 1000:.3g} A")


def _spans(file: MeterFile) -> dict[str, Span]:
    """Every value that the file asks for, by the name it has in the log."""
    spans: dict[str, Span] = {}

    def add(name: str, unit: int, register: int | None, scale: Scale) -> None:
        if register is not None:
            spans[name] = Span(unit, file.read_cmd, register, WIDTH[scale.type])

    add("A", file.address_a, file.a_total, file.scale_a)
    phases = PHASES[: file.phases_reported]
    for place, phase in enumerate(phases):
        add(f"A{phase}", file.address_a, file.a_registers[place], file.scale_a)
        add(f"V{phase}", file.address_v, file.v_registers[place], file.scale_v)
        add(f"P{phase}", file.address_a, file.p_registers[place], file.scale_p)
    add("kWh", file.address_a, file.energy_register, file.scale_energy)
    return spans


def number(
    got: tuple[int, ...], scale: Scale, word_order: Literal["big", "little"]
) -> float | None:
    """The registers of one value as a number; None if they are none (M3)."""
    raw = _raw(got if word_order == "big" else got[::-1])
    if raw in FILLS[scale.type]:
        return None
    value: float
    if scale.type == "Float":
        value = struct.unpack(">f", struct.pack(">I", raw))[0]
        if not math.isfinite(value):
            return None
    elif scale.type in ("Short", "Long"):
        top = 1 << (16 * len(got))
        value = raw - top if raw >= top // 2 else raw
    else:
        value = raw
    return value * scale.multiply


def _raw(got: tuple[int, ...]) -> int:
    raw = 0
    for word in got:
        raw = raw << 16 | word
    return raw


def _check_filler(phases: Sequence[tuple[int, ...]], scale: Scale) -> None:
    """All ones on every phase are a gateway's filler, though one alone is -1 of a signed type."""
    if scale.type in ("Short", "Long") and all(set(got) == {0xFFFF} for got in phases):
        raise Nonsense("AL1", "not a number")


def _power_w(
    current_ma: Sequence[int], voltage_mv: PerPhase, phases: int, rules: Rules
) -> int:
    """Volts times amps of the phases that are reported; the configured volts where none are."""
    micro_w = sum(
        (voltage_mv[phase] or rules.voltage_mv) * current_ma[phase] for phase in range(phases)
    )
    return round(micro_w / 1_000_000)


class Slope:
    """Power from an energy counter that moves in steps: an upper bound between them.

    The higher of the last step's power and the window's holds until the next step is overdue, then
    what one step in the time since would be: so a load that ends is seen to end, and one that
    begins at the next step.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[float, int]] = []  # when the counter had moved, and to what
        self._is_moved = False  # the first entry is when we began to look, not a step

    def power_w(self, energy_wh: int, now: float) -> int | None:
        """The power in W, rounded up; None while nothing can be said."""
        if not self._steps or energy_wh < self._steps[-1][1]:
            self._steps = [(now, energy_wh)]  # began, or the counter was reset
            self._is_moved = False
            return None
        if energy_wh > self._steps[-1][1]:
            if not self._is_moved:
                self._is_moved = True
                self._steps = [(now, energy_wh)]
            else:
                self._steps.append((now, energy_wh))
                while len(self._steps) > 2 and now - self._steps[1][0] >= ENERGY_WINDOW_S:
                    self._steps.pop(0)
        since = self._steps[-1][0]
        rate = self._rate()
        if now - since <= 0:
            return rate
        overdue = math.ceil(max(ENERGY_STEP_WH, self._last_step()) * 3600 / (now - since))
        if rate is not None:
            return min(rate, overdue)
        return overdue if now - since >= ENERGY_FIRST_S else None

    def _last_step(self) -> float:
        if len(self._steps) < 2:
            return 0.0
        return float(self._steps[-1][1] - self._steps[-2][1])

    def _rate(self) -> int | None:
        """Wh over time: of the whole window or of its last step, whichever is more."""
        if len(self._steps) < 2:
            return None
        last_at, last_wh = self._steps[-1]
        return max(
            math.ceil((last_wh - wh) * 3600 / (last_at - at))
            for at, wh in (self._steps[0], self._steps[-2])
        )


class Doubts:
    """Watches readings against what the chargers draw: zeros (M14) and a stuck value (M2).

    Only a meter at the grid sees the chargers. Their own values come late, by up to two sample
    intervals, so a step of theirs contradicts the meter only when it comes later than that after
    the meter has last moved.
    """

    def __init__(self) -> None:
        self._value: PerPhase | None = None
        self._since = 0.0
        self._step_from: Phases | None = None
        self._steps = 0

    def of(self, reading: Reading, drawn: Phases, rules: Rules) -> str | None:
        """Why this reading cannot be true; None if it can."""
        if rules.location != "grid" or reading.is_slow:
            self._value = None
            return None
        if all(not ma for ma in reading.current_ma) and drawn.highest() >= DRAWING_MA:
            return "zero on every phase while chargers draw"
        return self._stuck(reading, drawn, rules)

    def _stuck(self, reading: Reading, drawn: Phases, rules: Rules) -> str | None:
        if reading.current_ma != self._value:
            self._value = reading.current_ma
            self._since = reading.at
            self._step_from = None
            self._steps = 0
            return None
        age = reading.at - self._since
        if age < 2 * rules.sample_s:
            return None
        if self._step_from is None:
            self._step_from = drawn
        elif _differs(drawn, self._step_from):
            self._step_from = drawn
            self._steps += 1
        if self._steps >= STUCK_STEPS or (self._steps and age >= STUCK_S):
            return f"unchanged for {age:.0f} s while the chargers' current changed"
        return None


def _differs(one: Phases, other: Phases) -> bool:
    return any(abs(difference) > STEP_MA for difference in one - other)

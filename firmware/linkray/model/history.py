"""What is kept of the site's past: means of a minute and of a quarter of an hour (metering.md,
History; records.md, Site graphs).

None is a gap: less than half of the slot was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from linkray.model.units import Phases

MINUTE_S, QUARTER_S = 60, 900
MINUTES = QUARTER_S // MINUTE_S  # of a quarter
HALF = (MINUTES + 1) // 2  # so many of a quarter's minutes make its mean

Point = tuple[str, int]  # a charger's id and the connector


class Span(msgspec.Struct, frozen=True, array_like=True):
    """The lowest or the highest that was seen: at the supply, chargers and building together."""

    current_ma: Phases
    power_w: Phases
    total_w: int


class Site(msgspec.Struct, frozen=True, array_like=True):
    """What the meter told, as means: at the supply, chargers and building together.

    `total_w` is the meter's own word where it tells power, and may be less than the phases' sum of
    current times voltage. `building_ma` is what is left without the chargers that are known.
    """

    current_ma: Phases
    power_w: Phases
    total_w: int
    building_ma: Phases
    low: Span | None = None  # of a minute alone
    high: Span | None = None


class Slot(msgspec.Struct, frozen=True):
    """A minute, or a quarter of an hour."""

    covered_s: int = 0  # so long the recorder ran in it
    voltage_mv: Phases | None = None  # by which a charger's current is power
    limit_ma: Phases | None = None  # the lowest site limit that was in force
    degraded: bool = False  # at some time it was the limit for a lost meter
    site: Site | None = None
    points: dict[Point, Phases] = {}  # mean current of each connector that was measured


def rounded(total: int, parts: int) -> int:
    """The quotient as a whole number, halves upwards."""
    return (2 * total + parts) // (2 * parts)


def mean_of(minutes: Sequence[Slot]) -> Slot:
    """A quarter's slot by the minutes that there are of it."""
    sites = [one.site for one in minutes if one.site is not None]
    volts = [one.voltage_mv for one in minutes if one.voltage_mv is not None]
    limits = [one.limit_ma for one in minutes if one.limit_ma is not None]
    seen: dict[Point, list[Phases]] = {}
    for one in minutes:
        for point, current_ma in one.points.items():
            seen.setdefault(point, []).append(current_ma)
    return Slot(
        covered_s=sum(one.covered_s for one in minutes),
        voltage_mv=mean(volts) if volts else None,
        limit_ma=lowest(limits) if limits else None,
        degraded=any(one.degraded for one in minutes),
        site=_mean_site(sites) if len(sites) >= HALF else None,
        points={point: mean(all_) for point, all_ in seen.items() if len(all_) >= HALF},
    )


def _mean_site(sites: Sequence[Site]) -> Site:
    return Site(
        current_ma=mean([one.current_ma for one in sites]),
        power_w=mean([one.power_w for one in sites]),
        total_w=rounded(sum(one.total_w for one in sites), len(sites)),
        building_ma=mean([one.building_ma for one in sites]),
    )


def mean(all_: Sequence[Phases]) -> Phases:
    return _by_phase(all_, lambda amounts: rounded(sum(amounts), len(all_)))


def lowest(all_: Iterable[Phases]) -> Phases:
    return _by_phase(all_, min)


def _by_phase(all_: Iterable[Phases], of: Callable[[tuple[int, ...]], int]) -> Phases:
    l1, l2, l3 = zip(*all_, strict=True)
    return Phases(of(l1), of(l2), of(l3))


def power_w(current_ma: Phases, voltage_mv: Phases) -> Phases:
    """Apparent power of each phase."""
    l1, l2, l3 = (
        rounded(ma * mv, 1_000_000) for ma, mv in zip(current_ma, voltage_mv, strict=True)
    )
    return Phases(l1, l2, l3)

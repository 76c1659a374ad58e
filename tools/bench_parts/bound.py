"""What could have been delivered on a day: the most there is, and what simpler ways would give.

The bound is a linear programme over the whole day, which knows when every car comes, how full it
is, and what the building will draw. It may split amps as finely as it likes and knows no minimum,
no lag and no measuring interval, so that nothing real can pass it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_matrix

VOLTS = 230.0
LEAST_A = 6.0  # IEC 61851: below it there is only 0
STEP_S = 300.0  # of the programme; the building counts with its mean, which favours the bound
FULL_A = 1e-6  # so little is none
PLAY_S = 10.0  # of the simpler ways


@dataclass(frozen=True)
class Visit:
    """One car at one connector, as it came. Amps are per phase, legs those of the site (0 to 2)."""

    charger: str
    from_s: float
    to_s: float
    legs: tuple[int, ...]
    most_a: float
    battery_wh: float
    soc: float
    taper_from: float = 0.8


@dataclass(frozen=True)
class SiteDay:
    """A day: limits, who was there, and what the building drew (amps per phase, every step)."""

    limit_a: tuple[float, float, float]
    groups: dict[str, float] = field(default_factory=dict)
    parents: dict[str, str | None] = field(default_factory=dict)
    member: dict[str, str | None] = field(default_factory=dict)  # charger → group
    visits: tuple[Visit, ...] = ()
    building_a: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    building_step_s: float = 1.0

    @property
    def length_s(self) -> float:
        return len(self.building_a) * self.building_step_s

    def building(self, from_s: float, to_s: float) -> np.ndarray:
        """The mean of the building over a span, per phase; export counts as nothing."""
        first = int(from_s / self.building_step_s)
        last = max(first + 1, int(to_s / self.building_step_s))
        mean: np.ndarray = np.maximum(self.building_a[first:last], 0.0).mean(axis=0)
        return mean

    def chain(self, charger: str) -> list[str]:
        """The groups above a charger."""
        found, name = [], self.member.get(charger)
        while name is not None:
            found.append(name)
            name = self.parents.get(name)
        return found


class _Programme:
    """Rows and columns of the linear programme, gathered sparsely."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.columns: list[int] = []
        self.values: list[float] = []
        self.most: list[float] = []

    def row(self, terms: Sequence[tuple[int, float]], at_most: float) -> None:
        for column, value in terms:
            self.rows.append(len(self.most))
            self.columns.append(column)
            self.values.append(value)
        self.most.append(at_most)

    def matrix(self, columns: int) -> coo_matrix:
        shape = (len(self.most), columns)
        return coo_matrix((self.values, (self.rows, self.columns)), shape=shape)


def bound_wh(day: SiteDay, step_s: float = STEP_S) -> float:
    """The most energy that any allocator could have delivered under the day's limits."""
    steps = max(1, int(np.ceil(day.length_s / step_s)))
    under, equal = _Programme(), _Programme()
    tops: list[float] = []
    worth: list[float] = []
    nodes: dict[tuple[str, int, int], list[tuple[int, float]]] = {}
    for visit in day.visits:
        _add_visit(day, visit, step_s, steps, (under, equal), tops, worth, nodes)
    for (node, leg, step), terms in nodes.items():
        if node == "":
            drawn = day.building(step * step_s, min(day.length_s, (step + 1) * step_s))[leg]
            under.row(terms, max(0.0, day.limit_a[leg] - drawn))
        else:
            under.row(terms, day.groups[node])
    if not tops:
        return 0.0
    solved = linprog(
        [-each for each in worth], A_ub=under.matrix(len(tops)), b_ub=under.most,
        A_eq=equal.matrix(len(tops)) if equal.most else None, b_eq=equal.most or None,
        bounds=[(0.0, top) for top in tops], method="highs",
    )  # fmt: skip
    if not solved.success:
        raise RuntimeError(f"expected the bound's programme to be solved, got: {solved.message}")
    return float(-solved.fun)


def _add_visit(
    day: SiteDay, visit: Visit, step_s: float, steps: int,
    programmes: tuple[_Programme, _Programme], tops: list[float], worth: list[float],
    nodes: dict[tuple[str, int, int], list[tuple[int, float]]],
) -> None:  # fmt: skip
    """Columns for a car's amps and charge in each step, and the rows that bind them."""
    under, equal = programmes
    wh = VOLTS * len(visit.legs) * step_s / 3600  # of one amp in one step
    charge: int | None = None
    for step in range(int(visit.from_s // step_s), steps):
        present = min(visit.to_s, (step + 1) * step_s) - max(visit.from_s, step * step_s)
        if present <= 0:
            break
        amps = len(tops)
        tops.append(visit.most_a * present / step_s)
        worth.append(wh)
        after = len(tops)
        tops.append(visit.battery_wh * (1 - visit.soc))
        worth.append(0.0)
        equal.row(
            [(after, 1.0), (amps, -wh), *([(charge, -1.0)] if charge is not None else [])], 0.0
        )
        # From the taper on the most falls in a straight line to the least that a car draws:
        # above what cars do, and concave.
        fall = (visit.most_a - min(LEAST_A, visit.most_a)) / (1 - visit.taper_from)
        if charge is not None and fall > 0:
            under.row(
                [(amps, 1.0), (charge, fall / visit.battery_wh)],
                visit.most_a + fall * (visit.taper_from - visit.soc),
            )
        charge = after
        for node in ("", *day.chain(visit.charger)):
            for leg in visit.legs:
                nodes.setdefault((node, leg, step), []).append((amps, 1.0))


Way = Callable[[SiteDay, list[Visit], list[float], np.ndarray], list[float]]


def played_wh(day: SiteDay, way: Way) -> float:
    """What a simpler way would have delivered, with cars that follow at once."""
    soc = [visit.soc for visit in day.visits]
    total = 0.0
    for step in range(int(day.length_s / PLAY_S)):
        at_s = step * PLAY_S
        here = [n for n, v in enumerate(day.visits) if v.from_s <= at_s < v.to_s and soc[n] < 1]
        visits = [day.visits[n] for n in here]
        most = [_most_a(day.visits[n], soc[n]) for n in here]
        given = way(day, visits, most, day.building(at_s, at_s + PLAY_S))
        for n, visit, most_a, amps in zip(here, visits, most, given, strict=True):
            drawn = min(amps, most_a) if amps >= LEAST_A else 0.0
            wh = min(drawn * VOLTS * len(visit.legs) * PLAY_S / 3600,
                     (1 - soc[n]) * visit.battery_wh)  # fmt: skip
            soc[n] += wh / visit.battery_wh
            total += wh
    return total


def _most_a(visit: Visit, soc: float) -> float:
    if soc <= visit.taper_from:
        return visit.most_a
    left = (1 - soc) / (1 - visit.taper_from)
    return max(min(LEAST_A, visit.most_a), visit.most_a * left)


def _room(day: SiteDay, building: np.ndarray) -> dict[tuple[str, int], float]:
    room = {("", leg): max(0.0, day.limit_a[leg] - building[leg]) for leg in range(3)}
    return room | {(name, leg): limit for name, limit in day.groups.items() for leg in range(3)}


def _limits(day: SiteDay, visit: Visit) -> list[tuple[str, int]]:
    return [(node, leg) for node in ("", *day.chain(visit.charger)) for leg in visit.legs]


def equal_split(
    day: SiteDay, visits: list[Visit], _most: list[float], _building: np.ndarray
) -> list[float]:
    """Without measuring: the limit less the building's highest, in equal parts for who is there."""
    room = _room(day, day.building_a.max(axis=0))
    sharers: dict[tuple[str, int], int] = {}
    for visit in visits:
        for limit in _limits(day, visit):
            sharers[limit] = sharers.get(limit, 0) + 1
    return [
        min(visit.most_a, *(room[limit] / sharers[limit] for limit in _limits(day, visit)))
        for visit in visits
    ]


def first_come(
    day: SiteDay, visits: list[Visit], most: list[float], building: np.ndarray
) -> list[float]:
    """FIFO with a meter: each in the order of coming all that it can use."""
    room = _room(day, building)
    given = [0.0] * len(visits)
    for n in sorted(range(len(visits)), key=lambda n: visits[n].from_s):
        limits = _limits(day, visits[n])
        amps = min(most[n], *(room[limit] for limit in limits))
        if amps >= LEAST_A:
            given[n] = amps
            for limit in limits:
                room[limit] -= amps
    return given


def fair_share(
    day: SiteDay, visits: list[Visit], most: list[float], building: np.ndarray
) -> list[float]:
    """What balancing.md 3 asks for, at once and without error: all rise together until a phase of
    a limit is full or the car has all that it takes; those held there stay, the rest go on.
    """
    room = _room(day, building)
    given = [0.0] * len(visits)
    chains = [_limits(day, visit) for visit in visits]
    rising = {n for n in range(len(visits)) if most[n] > 0}
    while rising:
        load = Counter(limit for n in rising for limit in chains[n])
        step = min(
            *(most[n] - given[n] for n in rising),
            *(max(0.0, room[limit]) / count for limit, count in load.items()),
        )
        for n in rising:
            given[n] += step
        for limit, count in load.items():
            room[limit] -= step * count
        full = {limit for limit in load if room[limit] <= FULL_A}
        rising = {
            n for n in rising
            if most[n] - given[n] > FULL_A and not full.intersection(chains[n])
        }  # fmt: skip
    return given


def worst_phase(
    day: SiteDay, visits: list[Visit], most: list[float], building: np.ndarray
) -> list[float]:
    """With a meter, but one number for three phases: the worst one's room, shared by all."""
    room = _room(day, building)
    nodes = {"", *day.groups}
    scalar = {node: min(room[node, leg] for leg in range(3)) for node in nodes}
    given = [0.0] * len(visits)
    rising = set(range(len(visits)))
    while rising:
        counts = {
            node: sum(1 for n in rising if node in ("", *day.chain(visits[n].charger)))
            for node in nodes
        }
        step = min(
            [scalar[node] / count for node, count in counts.items() if count]
            + [most[n] - given[n] for n in rising]
        )
        for n in rising:
            given[n] += step
        for node, count in counts.items():
            scalar[node] -= step * count
        full = {node for node, left in scalar.items() if left < 1e-6}
        stopped = {
            n for n in rising
            if most[n] - given[n] < 1e-6 or full & {"", *day.chain(visits[n].charger)}
        }
        if not stopped:
            break
        rising -= stopped
    return given

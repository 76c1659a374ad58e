"""Who gets what: weighted max-min fairness and FIFO over a tree of limits, in mA (balancing.md 3).

Knows numbers only. Connectors are places in lists; those that lie under the same limits are one
class, so that a thousand connectors cost a few hundred sums. A limit is a place in `room`: node
times three plus phase, holding what is left on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

DEMAND = -1  # in `bound`: held by its own demand, not by a limit


class Field(msgspec.Struct):
    """The connectors to be served: their lists by place, and the limits above each class."""

    weight: list[int]  # the maximum: all rise at the same percentage of it
    want: list[int]  # the demand, at least the minimum
    least: list[int]  # the minimum; below it there is only 0
    kind: list[int]  # the class
    limits: list[tuple[int, ...]]  # of each class: places in `room`


class Share(msgspec.Struct):
    """What each connector got, and the limit that held it (`DEMAND`: none)."""

    got: list[int]
    bound: list[int]

    @classmethod
    def empty(cls, count: int) -> Share:
        return cls([0] * count, [DEMAND] * count)


def fill(active: Sequence[int], field: Field, room: list[int], share: Share) -> None:
    """Let all rise together by percentage until a limit is full or their demand is met.

    Takes what it gives from `room`. The result is the one in which nobody can gain except from
    one with a lower percentage; exact to the mA below.
    """
    want, kind, limits, got, bound = field.want, field.kind, field.limits, share.got, share.bound
    wanted: dict[int, int] = {}
    for i in active:
        wanted[kind[i]] = wanted.get(kind[i], 0) + want[i]
    need: dict[int, int] = {}
    for k, amount in wanted.items():
        for r in limits[k]:
            need[r] = need.get(r, 0) + amount
    tight = {r for r, amount in need.items() if amount > room[r]}
    given: dict[int, int] = {}
    rising: dict[int, list[int]] = {}
    held = {k: tuple(r for r in limits[k] if r in tight) for k in wanted}
    for i in active:
        k = kind[i]
        if held[k]:
            rising.setdefault(k, []).append(i)
        else:
            got[i], bound[i] = want[i], DEMAND
            given[k] = given.get(k, 0) + want[i]
    if rising:
        left = {r: max(0, room[r]) for r in tight}
        _Rising(field, share, held, left, given).run(rising)
    for k, amount in given.items():
        for r in limits[k]:
            room[r] -= amount


class _Rising:
    """Those who are held somewhere: frozen class by class at the lowest limit."""

    def __init__(
        self,
        field: Field,
        share: Share,
        held: dict[int, tuple[int, ...]],
        left: dict[int, int],
        given: dict[int, int],
    ) -> None:
        self._field, self._share, self._held = field, share, held
        self._left, self._given = left, given
        self._load = dict.fromkeys(left, 0)  # weight that still rises under each limit

    def run(self, rising: dict[int, list[int]]) -> None:
        """Until all are frozen: at each limit first those whose demand is met before it."""
        want, weight = self._field.want, self._field.weight
        load, left = self._load, self._left
        under: dict[int, list[int]] = {r: [] for r in left}
        for k, members in rising.items():
            members.sort(key=lambda i: want[i] / weight[i], reverse=True)
            total = sum(weight[i] for i in members)
            for r in self._held[k]:
                load[r] += total
                under[r].append(k)
        while (lowest := self._lowest()) != DEMAND:
            room, among = left[lowest], load[lowest]
            met = [k for k in under[lowest] if self._meet(k, rising[k], room, among)]
            if not met:
                for k in under[lowest]:
                    self._stop(k, rising[k], lowest, room, among)
                load[lowest] = 0

    def _lowest(self) -> int:
        """The limit that is full first when all go on rising."""
        lowest, level = DEMAND, 0.0
        for r, total in self._load.items():
            if total > 0:
                here = self._left[r] / total
                if lowest == DEMAND or here < level:
                    lowest, level = r, here
        return lowest

    def _meet(self, k: int, members: list[int], room: int, among: int) -> bool:
        """Freeze those of a class whose demand is met before the limit; whether there were any."""
        want, weight = self._field.want, self._field.weight
        took = lighter = 0
        while members and want[members[-1]] * among <= room * weight[members[-1]]:
            i = members.pop()
            self._share.got[i], self._share.bound[i] = want[i], DEMAND
            took += want[i]
            lighter += weight[i]
        self._book(k, took, lighter)
        return lighter > 0

    def _stop(self, k: int, members: list[int], limit: int, room: int, among: int) -> None:
        """Freeze the rest of a class at the limit, each at the same percentage."""
        took = lighter = 0
        for i in members:
            got = self._field.weight[i] * room // among
            self._share.got[i], self._share.bound[i] = got, limit
            took += got
            lighter += self._field.weight[i]
        members.clear()
        self._book(k, took, lighter)

    def _book(self, k: int, took: int, lighter: int) -> None:
        if lighter:
            self._given[k] = self._given.get(k, 0) + took
            for r in self._held[k]:
                self._left[r] -= took
                self._load[r] -= lighter


def share_band(
    band: Sequence[int],
    field: Field,
    room: list[int],
    share: Share,
    rank: Callable[[int], tuple[float, ...]],
) -> list[int]:
    """Share among a band, each 0 or at least its minimum; returns who was paused, in turn order.

    Where sharing leaves some below their minimum, those of highest `rank` are paused until the
    rest are at or above it (balancing.md 3).
    """
    before = room.copy()
    fill(band, field, room, share)
    got, least = share.got, field.least
    if all(got[i] >= least[i] for i in band):
        return []
    ranked = sorted(band, key=rank)
    admitted = _admit(ranked, field, before.copy())
    while True:
        room[:] = before
        for i in band:
            got[i] = 0
        fill(admitted, field, room, share)
        below = [i for i in admitted if got[i] < least[i]]
        if not below:
            kept = set(admitted)
            return [i for i in ranked if i not in kept]
        admitted = _drop(below, admitted, field, share)


def _admit(ranked: Sequence[int], field: Field, room: list[int]) -> list[int]:
    """In order, those whose minimum still fits under every limit above them."""
    admitted = []
    for i in ranked:
        limits = field.limits[field.kind[i]]
        least = field.least[i]
        if all(room[r] >= least for r in limits):
            for r in limits:
                room[r] -= least
            admitted.append(i)
    return admitted


def _drop(below: list[int], admitted: list[int], field: Field, share: Share) -> list[int]:
    """Without the last in rank under each limit that leaves someone below the minimum."""
    gone: set[int] = set()
    for r in {share.bound[i] for i in below}:
        last = next(
            i for i in reversed(admitted) if r == DEMAND or r in field.limits[field.kind[i]]
        )
        gone.add(last)
    return [i for i in admitted if i not in gone]


def serve_in_order(
    band: Sequence[int], field: Field, room: list[int], share: Share
) -> None:
    """FIFO: each in turn gets all it can use, or 0 where its minimum does not fit."""
    for i in band:
        limits = field.limits[field.kind[i]]
        tightest = min(limits, key=room.__getitem__)
        amount, bound = field.want[i], DEMAND
        if room[tightest] < amount:
            amount, bound = room[tightest], tightest
        if amount < field.least[i]:
            amount = 0
        share.got[i], share.bound[i] = amount, bound
        if amount:
            for r in limits:
                room[r] -= amount

"""Who gets what: weighted max-min fairness and FIFO over a tree of limits, in mA (balancing.md 3).

Knows numbers only. Connectors are places in lists; those that lie under the same limits are one
class, so that a thousand connectors cost a few hundred sums. A limit is a place in `room`: node
times three plus phase, holding what is left on it.
"""

from __future__ import annotations

from collections.abc import Sequence

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


class Band(msgspec.Struct):
    """A band in the order in which its connectors are kept, where not all minimums fit."""

    ranked: list[int]
    queued: set[int]  # paused until now: in their order nobody is let in before them …
    charging: set[int]  # … but those that charge may go on as long as there is room
    borrowing: set[int] = set()  # of the queue: in a place that was too small for an earlier one
    due: set[int] = set()  # of the queue: for them what becomes free is kept, and not lent any more
    lent: set[int] = set()  # found by sharing: in such a place now
    paused: list[int] = []  # found by sharing: left out, in the order of `ranked`
    wanted: set[int] = set()  # limits under which one of the queue is held up


READMITTED_MAX = 6  # so many are tried again, each for the price of one more sharing


def share_band(band: Sequence[int], field: Field, room: list[int], share: Share) -> bool:
    """Share among all of a band; whether everyone got at least its minimum."""
    fill(band, field, room, share)
    got, least = share.got, field.least
    return all(got[i] >= least[i] for i in band)


def share_among_some(band: Band, field: Field, room: list[int], share: Share) -> None:
    """Share among as many of a band as get at least their minimum, the others 0.

    Where sharing leaves some below their minimum, those ranked last are paused until the rest
    are at or above it (balancing.md 3).
    """
    before = room.copy()
    got, least = share.got, field.least
    admitted = _admit(band, field, room.copy(), share)
    dropped = False
    while True:
        below = _fill_anew(admitted, band.ranked, before, field, room, share)
        if not below:
            break
        dropped = True
        admitted = _drop(below, admitted, band, before, field, share)
    if dropped:
        admitted = _readmit(admitted, band, before, field, room, share)
    band.lent = _lend(admitted, band, before, field, room, share)
    admitted = [*admitted, *band.lent]
    kept = set(admitted)
    band.paused = [i for i in band.ranked if i not in kept]
    for i in band.paused:
        got[i] = 0
        limits = field.limits[field.kind[i]]
        short = [r for r in limits if before[r] < least[i]]
        if short:  # no place for it at all
            share.bound[i] = min(short, key=before.__getitem__)
        elif share.bound[i] not in limits:
            share.bound[i] = min(limits, key=room.__getitem__)


def _fill_anew(
    admitted: Sequence[int], band: Sequence[int], before: list[int], field: Field,
    room: list[int], share: Share,
) -> list[int]:  # fmt: skip
    """Share among the admitted alone; those that are left below their minimum."""
    room[:] = before
    got, least = share.got, field.least
    for i in band:
        got[i] = 0
    fill(admitted, field, room, share)
    return [i for i in admitted if got[i] < least[i]]


def _admit(band: Band, field: Field, room: list[int], share: Share) -> list[int]:
    """In order, those whose minimum still fits under every limit above them.

    Who waits longest keeps the room that becomes free until it is enough for it: what is smaller
    is not let in before it, else it would starve.
    """
    before = room.copy()
    admitted = []
    held: dict[int, int] = {}
    for i in band.ranked:
        limits, least = field.limits[field.kind[i]], field.least[i]
        full = [r for r in limits if room[r] < least]
        if not full and held and i not in band.charging:
            full = [r for r in limits if room[r] - held.get(r, 0) < least]
        if not full:
            for r in limits:
                room[r] -= least
            admitted.append(i)
            continue
        share.bound[i] = full[0]
        if i in band.queued and all(before[r] >= least for r in limits):
            band.wanted.update(full)
            for r in limits:
                held[r] = held.get(r, 0) + least
    return admitted


def _drop(
    below: list[int], admitted: list[int], band: Band, before: list[int], field: Field,
    share: Share,
) -> list[int]:  # fmt: skip
    """Without the last in rank under each limit that leaves someone below the minimum."""
    gone: set[int] = set()
    by_limit: dict[int, list[int]] = {}
    for i in below:
        by_limit.setdefault(share.bound[i], []).append(i)
    for r, short in sorted(by_limit.items()):
        under = [i for i in admitted if i not in gone and r in field.limits[field.kind[i]]]
        for i in _too_many(under, set(short) - gone, before[r], r, field, share):
            gone.add(i)
            share.bound[i] = r
            if i in band.queued:
                band.wanted.add(r)
    return [i for i in admitted if i not in gone]


def _too_many(
    under: list[int], short: set[int], room: int, limit: int, field: Field, share: Share
) -> list[int]:
    """The last in rank without whom those that are below their minimum reach it under a limit."""
    weight, want, least = field.weight, field.want, field.least
    gone: list[int] = []
    while short and len(under) > 1:
        most = max(short, key=lambda i: least[i] / weight[i])

        def takes(i: int, most: int = most) -> int:
            if share.bound[i] != limit:
                return share.got[i]  # held elsewhere, or met
            return min(want[i], -(-weight[i] * least[most] // weight[most]))

        total = sum(takes(i) for i in under)
        while total > room and len(under) > 1 and most in short:
            last = under.pop()
            gone.append(last)
            short.discard(last)
            total -= takes(last)
        if most in short:
            if not gone:  # rounding alone leaves it below
                gone.append(under.pop())
            break
    return gone


def _readmit(
    admitted: list[int], band: Band, before: list[int], field: Field, room: list[int],
    share: Share,
) -> list[int]:  # fmt: skip
    """With those for whom others were dropped in vain, as far as nobody of the queue is passed."""
    kept, held = set(admitted), set[int]()
    left = before.copy()
    for i in admitted:
        for r in field.limits[field.kind[i]]:
            left[r] -= field.least[i]
    tries = 0
    for i in band.ranked:
        limits, least = field.limits[field.kind[i]], field.least[i]
        if i in kept or any(before[r] < least for r in limits):
            continue
        passes = i not in band.charging and not held.isdisjoint(limits)
        fits = not passes and all(left[r] >= least for r in limits)
        if fits and tries < READMITTED_MAX:
            tries += 1
            if not _fill_anew([*admitted, i], band.ranked, before, field, room, share):
                admitted = [*admitted, i]
                for r in limits:
                    left[r] -= least
                continue
        if i in band.queued:
            held.update(limits)
    _fill_anew(admitted, band.ranked, before, field, room, share)
    return admitted


def _lend(
    admitted: list[int], band: Band, before: list[int], field: Field, room: list[int],
    share: Share,
) -> set[int]:  # fmt: skip
    """Those left out for whom there is room beside the admitted: what is left is too small for
    those before them, and only as many are paused as must be (balancing.md 3).
    """
    apart = set(admitted)
    out = [i for i in band.ranked if i not in apart]
    held = {
        r for i in out
        if i in band.due and i not in band.borrowing
        and all(before[r] >= field.least[i] for r in field.limits[field.kind[i]])
        for r in field.limits[field.kind[i]]
    }  # fmt: skip
    left = before.copy()
    for i in admitted:
        for r in field.limits[field.kind[i]]:
            left[r] -= field.least[i]
    lent: list[int] = []
    tries = 0
    for i in sorted(out, key=lambda i: i not in band.borrowing):
        limits, least = field.limits[field.kind[i]], field.least[i]
        if any(left[r] < least for r in limits) or tries == READMITTED_MAX:
            continue
        if i not in band.borrowing and not held.isdisjoint(limits):
            continue
        tries += 1
        if not _fill_anew([*admitted, *lent, i], band.ranked, before, field, room, share):
            lent.append(i)
            for r in limits:
                left[r] -= least
    if tries:
        _fill_anew([*admitted, *lent], band.ranked, before, field, room, share)
    return set(lent)


def serve_in_order(
    band: Sequence[int], field: Field, room: list[int], share: Share,
    resting: frozenset[int] = frozenset(), charging: frozenset[int] = frozenset(),
) -> None:  # fmt: skip
    """FIFO: each in turn gets all it can use, or 0 where its minimum does not fit.

    One that rests after a pause gets nothing yet, and none that does not charge takes its place.
    """
    held: dict[int, int] = {}
    for i in band:
        limits = field.limits[field.kind[i]]
        tightest = min(limits, key=room.__getitem__)
        amount, bound, least = field.want[i], DEMAND, field.least[i]
        if room[tightest] < amount:
            amount, bound = room[tightest], tightest
        if i in resting and amount >= least:
            amount = 0
            for r in limits:
                held[r] = held.get(r, 0) + least
        elif held and amount and i not in charging:
            short = [r for r in limits if room[r] - held.get(r, 0) < least]
            if short:
                amount, bound = 0, short[0]
        if amount < least:
            amount = 0
        share.got[i], share.bound[i] = amount, bound
        if amount:
            for r in limits:
                room[r] -= amount

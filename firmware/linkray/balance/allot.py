"""Who gets what in one plan: the bands, pauses and turns, sleeping cars, the imbalance limit.

Lists by the connectors' places. Shares may be found several times over (`imbalance.py`); what
lasts in the connectors is written once, at the end (balancing.md 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from . import imbalance
from .budget import UNBOUND
from .connector import Connector
from .share import Band, Field, Share, serve_in_order, share_among_some, share_band
from .survey import ACTIVE, ASLEEP, Ground
from .turns import (
    REST_S,
    borrows,
    has_place,
    is_due,
    is_starting,
    keep_turns,
    lend,
    pause,
    rank,
)

WIDER_TRIES = 4  # of giving back what the imbalance limit took too much


class Served(msgspec.Struct):
    """What became of one band."""

    ready: list[int]
    resting: list[int]  # paused so shortly ago that they stay so
    room: list[int]  # what was left to this band
    band: Band | None = None  # where not all minimums fit


class Allotment:
    """The shares of one plan; `room` is what they leave under every limit."""

    def __init__(
        self, connectors: Sequence[Connector], ground: Ground, standing: Sequence[int],
        kind: list[int], room: list[int], now: float,
    ) -> None:  # fmt: skip
        self.connectors, self.ground, self.now = connectors, ground, now
        tree = ground.tree
        self.room = room
        room += [UNBOUND] * (tree.count_all - tree.count)
        self.field = Field(
            [c.amounts.most_ma for c in connectors], [0] * len(connectors),
            [c.amounts.least_ma for c in connectors], kind, tree.shared,
        )  # fmt: skip
        self.share = Share.empty(len(connectors))
        self.bands: tuple[list[int], list[int]] = ([], [])
        self.asleep: list[int] = []
        self._demands(standing)
        self.order = [*self.bands[0], *self.bands[1], *self.asleep]
        self.after_high = room  # what high priority left
        self.queue: list[int] = []  # who waits for a turn, in their order
        self.served: list[Served] = []
        self._has_room: list[bool] = []

    def _demands(self, standing: Sequence[int]) -> None:
        field = self.field
        for i, c in enumerate(self.connectors):
            c.allowed_ma = self._allowed_ma(c) if c.line.csms else None
            if c.allowed_ma is not None and c.allowed_ma < field.least[i]:
                continue  # it may not charge: the least it can is more than that
            if standing[i] == ACTIVE:
                want = c.demand.want_ma
                field.want[i] = (
                    field.weight[i]
                    if want is None
                    else min(field.weight[i], max(field.least[i], want))
                )
                if c.allowed_ma is not None:
                    field.want[i] = min(field.want[i], c.allowed_ma)
                self.bands[0 if c.high else 1].append(i)
            elif standing[i] == ASLEEP:
                field.want[i] = field.least[i]
                self.asleep.append(i)
        for band in self.bands:
            band.sort(key=lambda i: (self.connectors[i].order, i))

    def _allowed_ma(self, c: Connector) -> int | None:
        """What the CSMS's profiles allow a connector, per phase; None: they say nothing of it."""
        sessions = sum(1 for o in self.connectors if o.line is c.line and o.tx is not None)
        return c.bound_by_csms(sessions)

    def run(self) -> None:
        """Share, and note in the connectors whose turn it is."""
        start = self.room.copy()
        self._divide()
        if self.ground.imbalance_ma is not None and self.ground.tree.pairs is not None:
            self._level(start, self.ground.imbalance_ma, self.ground.tree.pairs)
        for served in self.served:
            self._settle(served)
        for i, has_room in zip(self.asleep, self._has_room, strict=True):
            self.connectors[i].demand.served(self.now, has_room=has_room)
        self.queue.sort(key=self._waits_since)

    def _waits_since(self, i: int) -> tuple[bool, float, float]:
        c = self.connectors[i]
        return not c.high, self.now if c.queued_at is None else c.queued_at, c.order

    # the shares

    def _divide(self) -> None:
        """High priority first, what is left to normal, what nobody needs to sleeping cars."""
        room, field = self.room, self.field
        self.served = []
        for place, band in enumerate(self.bands):
            if band:
                self._share_band(band)
            if place == 0 and band:
                self._hold_for_resting(self.served[0])
                self.after_high = room.copy()
        self._has_room = []
        for i in self.asleep:
            limits = field.limits[field.kind[i]]
            has_room = all(room[r] >= field.least[i] for r in limits)
            self.share.got[i] = 0
            if has_room and self.connectors[i].demand.may_keep(self.now):
                serve_in_order([i], field, room, self.share)
            self._has_room.append(has_room)

    def _share_band(self, band: list[int]) -> None:
        cs, now = self.connectors, self.now
        latest = now - REST_S  # `is_resting`, for all of them
        resting = [i for i in band if cs[i].paused_at > latest]
        served = Served(band, resting, self.room.copy())
        self.served.append(served)
        if self.ground.fifo:
            charging = {i for i in band if not is_starting(cs[i])} if resting else ()
            serve_in_order(band, self.field, self.room, self.share,
                           frozenset(resting), frozenset(charging))  # fmt: skip
            return
        if resting:
            apart = set(resting)
            served.ready = [i for i in band if i not in apart]
            for i in resting:
                self.share.got[i] = 0
                limits = self.field.limits[self.field.kind[i]]
                self.share.bound[i] = min(limits, key=self.room.__getitem__)
        if share_band(served.ready, self.field, self.room, self.share):
            return
        self.room[:] = served.room
        order = self.ground.shed_order
        queued = {i for i in served.ready if cs[i].queued_at is not None}
        served.band = Band(
            sorted(served.ready, key=lambda i: rank(cs[i], i, order, now)),
            queued,
            {i for i in served.ready if has_place(cs[i], now)},
            {i for i in queued if borrows(cs[i])},
            {i for i in queued if is_due(cs[i], now)},
        )
        share_among_some(served.band, self.field, self.room, self.share)

    def _hold_for_resting(self, high: Served) -> None:
        """What a high one will use when its pause may end is no normal one's meanwhile."""
        room, field = self.room, self.field
        for i in high.resting:
            limits = field.limits[field.kind[i]]
            amount = min(field.want[i], *(room[r] for r in limits))
            if amount >= field.least[i]:
                for r in limits:
                    room[r] -= amount

    # the imbalance limit

    def _sums(self) -> imbalance.Sums:
        kinds, kind, got = self.ground.tree.kinds, self.field.kind, self.share.got
        by_kind: dict[int, int] = {}
        for i in self.order:
            by_kind[kind[i]] = by_kind.get(kind[i], 0) + got[i]
        return imbalance.sums((kinds[k].legs, amount) for k, amount in by_kind.items())

    def _level(self, start: list[int], limit_ma: int, pairs: int) -> None:
        """Share anew under the rooms that the shares leave, until they hold the limit."""
        rooms = [UNBOUND] * len(imbalance.PAIRS)
        tries = 0
        while not imbalance.is_level(total := self._sums(), limit_ma):
            tries += 1
            found = imbalance.rooms(total, limit_ma)
            rooms = [min(was, is_now) for was, is_now in zip(rooms, found, strict=True)]
            if tries > imbalance.ROUNDS:
                rooms = [limit_ma] * len(rooms)
            self._divide_under(start, rooms, pairs)
        for _ in range(WIDER_TRIES if tries else 0):
            # On the way down a room may have become smaller than what is now on its other phase.
            wider = imbalance.rooms(self._sums(), limit_ma)
            if all(found <= was for found, was in zip(wider, rooms, strict=True)):
                break
            self._divide_under(start, wider, pairs)
            if not imbalance.is_level(self._sums(), limit_ma):
                self._divide_under(start, rooms, pairs)
                break
            rooms = wider
        self.room[pairs:] = imbalance.slack(self._sums(), limit_ma)

    def _divide_under(self, start: list[int], rooms: list[int], pairs: int) -> None:
        self.room[:] = start
        self.room[pairs:] = rooms
        self._divide()

    # what lasts

    def _settle(self, served: Served) -> None:
        """Note pauses and turns; who waits for one joins the queue."""
        cs, now, band = self.connectors, self.now, served.band
        if self.ground.fifo:  # takes no turns
            for i in served.ready:
                if self.share.got[i] == 0 and cs[i].books.offer_ma > 0:
                    cs[i].paused_at = now
            return
        if band is None and not served.resting:
            for i in served.ready:
                cs[i].queued_at = None
            return
        out = band.paused if band is not None else []
        resting = [cs[i] for i in served.resting]
        gone = set(out)
        lent = set[int]()
        if band is not None:
            lent = band.lent | {i for i in band.borrowing & band.charging if i not in gone}
        charging = [i for i in served.ready if i not in gone and i not in lent]
        wanted = band.wanted if band is not None else set[int]()
        field = self.field
        is_wanted = [False] * len(charging)
        if wanted:
            is_wanted = [not wanted.isdisjoint(field.limits[field.kind[i]]) for i in charging]
        keep_turns([cs[i] for i in charging], is_wanted, resting, now)
        for i in lent:
            lend(cs[i], now)
        for i in out:
            pause(cs[i], now)
        for i in (*out, *served.resting):
            limits = field.limits[field.kind[i]]
            if all(served.room[r] >= field.least[i] for r in limits):
                self.queue.append(i)

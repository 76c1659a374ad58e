"""The recorder's task: looks once a second at what is published, writes each minute down.

It reads cells and waits for the disk alone: nobody waits for it. Minutes that the disk does not
take are held, an hour of them at the most, and tried again with the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.model.history import MINUTE_S, power_w
from linkray.model.plan import Plan
from linkray.model.records import MinuteKept, SessionWent
from linkray.model.settings import Settings
from linkray.model.units import ZERO, Phases
from linkray.model.views import ChargerView, ConnectorView, MeterView
from linkray.records.courses import Cause, Courses, Going

from .recorder import Read, Recorder, Seen

LOOK_S = 1.0
MINUTE = len("2026-11-23T10:00")  # of a stamp
HELD_MAX = 60  # minutes, while the disk takes nothing
SUSPENDED = ("SuspendedEV",)
CAR_PAUSED: Cause = ("car_not_asking", "")
FRESH_S = 5.0  # metering.md, Reading: an older reading is none

log = structlog.get_logger(source="HISTORY")


class Look:
    """What is published, as the core wants to see it."""

    def __init__(
        self, settings: Cell[Settings], plan: Cell[Plan], meter: Cell[MeterView],
        views: Mapping[str, Cell[ChargerView]], clock: WallClock,
    ) -> None:  # fmt: skip
        self._settings, self._plan, self._meter = settings, plan, meter
        self._views, self._clock = views, clock
        self._known: dict[str, tuple[ChargerView, bool]] = {}
        self._own: frozenset[str] = frozenset()  # chargers that are set: of others nothing is kept
        self._own_of = -1  # the settings
        self._drawn: dict[str, Phases] = {}
        self._sum = ZERO  # of them
        self._unseen: set[str] = set()  # who charges, and how much is not known
        self._causes: dict[tuple[str, int], Cause] = {}  # of sessions that are offered nothing
        self._causes_of = -1  # the plan

    def seen(self) -> Seen:
        """At this moment."""
        points = self._changes()
        plan, meter = self._plan.value, self._meter.value
        voltage_mv = self._voltage(meter)
        return Seen(
            minute=int(self._clock.utc().timestamp()) // MINUTE_S if self._clock.is_set else None,
            voltage_mv=voltage_mv, limit_ma=plan.limit_ma if plan.seq else None,
            degraded=plan.degraded or plan.held is not None, read=self._read(meter, voltage_mv),
            points=points,
        )  # fmt: skip

    def sessions(self) -> Iterator[Going]:
        """The sessions that run, and why those are paused that are."""
        plan = self._plan.value
        if plan.seq != self._causes_of:
            self._causes_of = plan.seq
            self._causes = {
                (one.charger, one.connector): (one.reason.code, one.reason.group or "")
                for one in plan.offers if one.session and one.offer_ma == ZERO
            }  # fmt: skip
        for charger, cell in self._views.items():
            view = cell.value
            for one in view.connectors:
                if one.transaction_id is not None:
                    itself = CAR_PAUSED if one.status in SUSPENDED else None
                    cause = self._causes.get((charger, one.id), itself)
                    yield Going(one.transaction_id, drawn(view, one), cause, view.connected)

    def now(self) -> str:
        """UTC."""
        return self._clock.stamp()

    def _voltage(self, meter: MeterView) -> Phases:
        """As measured; as set where nothing is measured."""
        site_mv = self._settings.value.site.voltage_mv
        l1, l2, l3 = ((mv if meter.healthy else None) or site_mv for mv in meter.voltage_mv)
        return Phases(l1, l2, l3)

    def _read(self, meter: MeterView, voltage_mv: Phases) -> Read | None:
        current_ma = meter.current_ma
        if current_ma is None or not meter.healthy or (meter.age_s or 0.0) > FRESH_S:
            return None
        if not all(meter.phases_read):  # trust.md M8: what stands there for it is no current
            return None
        if meter.location == "grid":
            return Read(current_ma, meter.power_w, current_ma - self._sum)
        if self._unseen:  # who charges unseen is on no meter
            return None
        chargers_w = sum(power_w(self._sum, voltage_mv))
        total_w = None if meter.power_w is None else meter.power_w + chargers_w
        return Read(current_ma + self._sum, total_w, current_ma)

    def _changes(self) -> tuple[tuple[str, tuple[tuple[int, Phases | None], ...]], ...]:
        changed: list[tuple[str, tuple[tuple[int, Phases | None], ...]]] = []
        if self._settings.seq != self._own_of:
            self._own_of = self._settings.seq
            self._own = frozenset(one.id for one in self._settings.value.chargers)
        for charger, cell in self._views.items():
            view, is_own = cell.value, charger in self._own
            known, was_own = self._known.get(charger, (None, False))
            if known is not view or was_own != is_own:
                self._known[charger] = view, is_own
                points = tuple((one.id, drawn(view, one)) for one in view.connectors)
                self._take(charger, *_together(view, points))
                changed.append((charger, points if is_own else ()))
        if len(self._known) > len(self._views):
            for charger in self._known.keys() - self._views.keys():
                del self._known[charger]
                self._take(charger, ZERO, known=True)
                changed.append((charger, ()))
        return tuple(changed)

    def _take(self, charger: str, current_ma: Phases, known: bool) -> None:
        self._sum += current_ma - self._drawn.get(charger, ZERO)
        self._drawn[charger] = current_ma
        if known:
            self._unseen.discard(charger)
        else:
            self._unseen.add(charger)


def drawn(view: ChargerView, connector: ConnectorView) -> Phases | None:
    """What a connector draws; None: it was not measured. What is assumed was not."""
    if connector.drawn_ma is not None:
        return None if connector.source == "assumed" else connector.drawn_ma
    return ZERO if view.connected and connector.transaction_id is None else None


def _together(
    view: ChargerView, points: tuple[tuple[int, Phases | None], ...]
) -> tuple[Phases, bool]:
    charges = {one.id for one in view.connectors if one.transaction_id is not None}
    known = all(ma is not None for number, ma in points if number in charges)
    return sum((ma for _number, ma in points if ma is not None), start=ZERO), known


async def run_recorder(
    look: Look, commit: Callable[[list[MinuteKept]], Awaitable[None]],
    failures: tuple[type[Exception], ...],
    courses: Courses, later: Callable[[Sequence[SessionWent]], None],
) -> None:  # fmt: skip
    """Looks, and writes by `commit`, which raises one of `failures` where nothing was written. How
    sessions went is given to `later` just before: the minute's commit takes it along. Never ends.
    """
    held: deque[MinuteKept] = deque(maxlen=HELD_MAX)
    send, over = trio.open_memory_channel[MinuteKept](HELD_MAX)

    async def write() -> None:
        async for minute in over:
            held.append(minute)
            try:
                await commit(list(held))
            except failures as error:
                log.warning("minute not written", cause=str(error), held=len(held))
            else:
                held.clear()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(write)
        recorder, told = Recorder(), ""
        while True:
            now, at = trio.current_time(), look.now()
            due, told = at[:MINUTE] != told, at[:MINUTE]
            if went := courses.feed(look.sessions(), now, at, due=due):
                later(went)
            for minute in recorder.feed(look.seen(), now):
                try:
                    send.send_nowait(minute)
                except trio.WouldBlock:  # the disk hangs since an hour
                    log.warning("minute lost", cause="the disk hangs")
            await trio.sleep(LOOK_S)

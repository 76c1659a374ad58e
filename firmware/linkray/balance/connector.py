"""One connector as the balancer knows it: its settings, its session, what it draws, its books."""

from __future__ import annotations

from linkray.model.facts import Drawn, Status
from linkray.model.plan import Ceiling, Offer, Reason
from linkray.model.settings import Charger, Site
from linkray.model.units import PHASES, Phases, site_phases

from .demand import Demand
from .possible import OBEY_S, Books

STEP_MA = 100  # what a charger in amps can be told: balancing.md, head
ETA_PERCENT = 85  # decided.md, DC efficiency: until learned
STALE_INTERVALS = 3  # chargers.md, Sessions
NOT_USED_MA = 500  # a phase that carries less …
USED_MA = 3_000  # … while another carries more
RELEASE_SAMPLES = 3  # trust.md 1, P 7
RELEASE_S = 30.0  # chargers.md, Sessions
RISE_INTERVALS = 2  # for so long meter growth may be a raise (balancing.md 1)
FOLLOW_S = 3.0  # a car that obeys has come down to an accepted limit by then (INV-9: 2 s)
FALL_S = 1.5  # a reading of the meter may be so much older than a value of a charger
NEVER = float("-inf")
NO_CAR: frozenset[Status | None] = frozenset({"Available", "Unavailable", "Faulted", "Reserved"})
OUT_OF_ORDER: frozenset[Status | None] = frozenset({"Faulted", "Unavailable"})
DRAWING: frozenset[Status | None] = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})


class Line:
    """What is known of a charger's link, also of one that is not (yet) in the settings."""

    __slots__ = ("lease_proven", "linked", "lost_at", "numbers")

    def __init__(self) -> None:
        self.linked = False
        self.lost_at = NEVER
        self.lease_proven = False
        self.numbers: tuple[int, ...] = (1,)


class Amounts:
    """A charger's bounds in mA per phase, and what it is told: amps, or watts planned safely."""

    __slots__ = ("_divisor", "_in_watts", "least_ma", "most_ma", "most_w")

    def __init__(self, conf: Charger, site: Site, voltage_mv: int) -> None:
        milli_phases = {1: 1_000, 2: 2_000 if site.split_mode == "240" else 1_732, 3: 3_000}
        even = site.voltage_mv * milli_phases[conf.phases]  # watts to amps at η 1, as configured
        self._divisor = voltage_mv * milli_phases[conf.phases] * ETA_PERCENT
        self._in_watts = conf.unit == "W"
        highest_w, lowest_w = conf.highest_w(), conf.lowest_w()
        if not self._in_watts:
            self.most_w = 0
            self.most_ma = conf.highest_ma() if highest_w is None else highest_w * 10**9 // even
            least = conf.lowest_ma() if lowest_w is None else -(-lowest_w * 10**9 // even)
            least = -(-max(6_000, least) // STEP_MA) * STEP_MA
            self.least_ma = min(least, self.most_ma // STEP_MA * STEP_MA)
            return
        if highest_w is None:
            self.most_ma = conf.highest_ma()
            self.most_w = self.most_ma * even // 10**9
        else:
            self.most_w = highest_w
            self.most_ma = self.drawn_at(highest_w)
        if lowest_w is None:  # an AC charger in watts must not be told less than 6 A
            lowest_w = -(-conf.lowest_ma() * even // 10**9)
        self.least_ma = min(self.most_ma, self.drawn_at(lowest_w))

    def drawn_at(self, watts: int) -> int:
        """The most it may draw per phase when told so many watts."""
        return -(-watts * 10**11 // self._divisor)

    def told(self, amount_ma: int) -> tuple[int, int | None]:
        """The highest it can be told within `amount_ma`: what that may draw, and its watts."""
        if amount_ma <= 0:
            return 0, 0 if self._in_watts else None
        if not self._in_watts:
            return min(amount_ma, self.most_ma) // STEP_MA * STEP_MA, None
        if amount_ma >= self.most_ma:
            return self.most_ma, self.most_w
        watts = amount_ma * self._divisor // 10**11
        return self.drawn_at(watts), watts


class Connector:
    """All that a plan needs to know of one connector; the balancer alone writes here."""

    __slots__ = (
        "_idle_count", "_idle_since", "amounts", "books", "ceilings", "charged_s", "charger",
        "conf", "demand", "drawn", "drawn_at", "fall", "fall_until", "high", "is_stranger",
        "is_unheard", "key_parts", "kind", "kind_slow", "legs", "line", "measured", "number",
        "offer", "offer_w", "order", "path", "paused_at", "raised_at", "reason", "released",
        "resend", "retry_at", "rise_until", "stage", "stage_at", "status", "stop", "turn_at",
        "tx", "used_ma", "vip", "waits_since",
    )  # fmt: skip

    def __init__(self, charger: str, number: int, line: Line) -> None:
        self.charger, self.number, self.line = charger, number, line
        self.conf: Charger
        self.amounts: Amounts
        self.path: tuple[int, ...] = ()
        self.legs: tuple[int, ...] = ()
        self.kind = self.kind_slow = 0
        self.books = Books(0)
        self.status: Status | None = None
        self.offer_w: int | None = None
        self.resend = True  # the charger has not been told anything yet
        self.retry_at = NEVER
        self.high = False
        self.is_unheard = False  # its session was found running, no value has come yet
        self.is_stranger = False  # not adopted, or without a place under the licence
        self.stop = False
        self.stage, self.stage_at = 0, NEVER
        self.rise_until = self.fall_until = NEVER
        self.fall: tuple[int, int, int] = (0, 0, 0)
        self.key_parts: object = None
        self.ceilings: tuple[Ceiling, ...] = ()
        self.reason = Reason("no_car")
        self.offer: Offer | None = None
        self.tx: int | None = None
        self.order = 0.0
        self.vip = False
        self._forget_session()

    def _forget_session(self) -> None:
        self.demand = Demand()
        self.drawn: Phases | None = None
        self.used_ma = 0  # the highest of its phases
        self.drawn_at = NEVER
        self.measured = False
        self.released: frozenset[int] = frozenset()
        self._idle_count = [0, 0, 0]
        self._idle_since = [0.0, 0.0, 0.0]
        self.charged_s = 0.0
        self.turn_at = self.paused_at = self.raised_at = NEVER
        self.waits_since: float | None = None

    def configure(self, conf: Charger, amounts: Amounts, path: tuple[int, ...]) -> None:
        """Its settings, new or changed."""
        legs = site_phases(conf.connection)
        if legs != self.legs:
            self.released = frozenset()
        self.conf, self.amounts, self.path, self.legs = conf, amounts, path, legs
        if self.books.offer_id == 0 and not self.books.answered:
            self.books = Books(amounts.most_ma)
        self.books.set_max(amounts.most_ma)
        self.high = conf.priority == "high" or self.vip

    def begin(
        self, transaction_id: int, order: float, *, vip: bool, found: bool = False
    ) -> bool:
        """A transaction runs; returns whether it is new."""
        is_new = self.tx != transaction_id
        if is_new:
            self._forget_session()
            self.stop, self.stage = False, 0
            self.is_unheard = found
        self.tx, self.order, self.vip = transaction_id, order, vip
        self.high = self.conf.priority == "high" or vip
        return is_new

    def end(self, now: float) -> None:
        """Its transaction is over: it draws nothing, the meter may see that a little later."""
        self._fell(self.drawn, None, now)
        self._forget_session()
        self.tx, self.vip, self.stop, self.stage = None, False, False, 0
        self.high = self.conf.priority == "high"
        self.books.ended()
        self.resend = True
        if self.status in DRAWING:
            self.status = "Finishing"

    def forget_limits(self) -> None:
        """A new link, or a reboot: nothing that was told it is sure to be known (P 1)."""
        self.books.forget()
        self.released = frozenset()
        self._idle_count = [0, 0, 0]
        self.resend = True
        self.stage = 0

    def sample(self, fact: Drawn, at: float, threshold_ma: int, now: float) -> bool:
        """What it draws now; returns whether the phases in use have changed."""
        self._fell(self.drawn, fact.current_ma, now)
        self.drawn, self.drawn_at = fact.current_ma, at
        self.used_ma = max(fact.current_ma[leg] for leg in self.legs)
        self.measured = fact.source != "assumed"
        if not self.measured:
            return False
        books = self.books
        books.sample(self.used_ma, at)
        if self.tx is not None:
            in_force = books.accepted_ma if books.accepted_id else 0
            self.demand.sample(self.used_ma, in_force, self.amounts.least_ma, threshold_ma, at)
        return self._release(fact, at)

    def _fell(self, before: Phases | None, after: Phases | None, now: float) -> None:
        """What it no longer draws may be on the meter for a little longer: not building."""
        if before is None:
            return
        fall = [max(0, before[p] - (after[p] if after is not None else 0)) for p in range(3)]
        if any(fall):
            self.fall, self.fall_until = (fall[0], fall[1], fall[2]), now + FALL_S

    def _release(self, fact: Drawn, at: float) -> bool:
        """P 7: a phase that the car does not use carries nothing, until a sample says else."""
        if fact.source != "phases" or len(self.legs) != 3:
            return False
        released = set(self.released)
        for leg in self.legs:
            if fact.current_ma[leg] >= NOT_USED_MA:
                self._idle_count[leg] = 0
                released.discard(leg)
            elif self.used_ma > USED_MA and self.tx is not None:
                if self._idle_count[leg] == 0:
                    self._idle_since[leg] = at
                self._idle_count[leg] += 1
                if (
                    self._idle_count[leg] >= RELEASE_SAMPLES
                    and at - self._idle_since[leg] >= RELEASE_S
                ):
                    released.add(leg)
            else:
                self._idle_count[leg] = 0
        changed = released != self.released
        self.released = frozenset(released)
        return changed

    def in_use(self) -> tuple[int, ...]:
        """The phases of the site that its car uses, as far as is proved."""
        return tuple(leg for leg in self.legs if leg not in self.released)

    def visible(self, interval_s: int, now: float) -> Phases | None:
        """What it draws by a fresh sample; None where that is not known."""
        if self.drawn is None or now - self.drawn_at > STALE_INTERVALS * interval_s:
            return None
        return self.drawn

    def drawing(self, interval_s: int, now: float) -> Phases | None:
        """What it draws now: its fresh sample, and no more than what it has accepted since."""
        seen, books = self.visible(interval_s, now), self.books
        if seen is None or not books.accepted_id or books.accepted_ma >= self.used_ma:
            return seen
        slow = books.obey_s if books.obey_s > OBEY_S else FOLLOW_S
        if self.drawn_at >= books.accepted_at + slow or now < books.accepted_at + slow:
            return seen
        return seen.at_most(Phases.each(books.accepted_ma))

    def allowance(
        self, now: float, falling: list[int], rising: list[int], unheard: list[int]
    ) -> None:
        """Adds what the meter may show of it beyond its own values: still, soon, and unheard."""
        if now < self.rise_until:
            for leg in self.legs:
                own = 0 if self.drawn is None else self.drawn[leg]
                if self.drawn is None and self.is_unheard:  # all that may be in force
                    rising[leg] += self.books.top_ma
                    unheard[leg] += self.books.top_ma
                else:
                    most_ma = min(self.books.top_ma, self.books.offer_ma)
                    rising[leg] += max(0, most_ma - own)
        if now < self.fall_until:
            for leg in self.legs:
                falling[leg] += self.fall[leg]


_LAID: dict[tuple[tuple[int, ...], int], Phases] = {}
_LAID_MAX = 20_000


def laid(legs: tuple[int, ...], amount_ma: int) -> Phases:
    """An amount on some phases. Kept, since the same few are asked for every second."""
    key = (legs, amount_ma)
    found = _LAID.get(key)
    if found is None:
        if len(_LAID) >= _LAID_MAX:
            _LAID.clear()
        found = _LAID[key] = Phases(*(amount_ma if p in legs else 0 for p in range(len(PHASES))))
    return found

"""One connector as the balancer knows it: its settings, its session, what it draws, its books."""

from __future__ import annotations

import math

from linkray.model.facts import Drawn, Status
from linkray.model.plan import Ceiling, Offer, Reason
from linkray.model.settings import Charger, Site
from linkray.model.units import PHASES, Phases, site_phases

from .budget import Draws
from .demand import Demand
from .eta import ETA_MAX, ETA_MIN, LEAST_MA, Efficiency
from .possible import OBEY_S, Books

STEP_MA = 100  # what a charger in amps can be told: balancing.md, head
STALE_INTERVALS = 3  # chargers.md, Sessions
NOT_USED_MA = 500  # a phase that carries less …
USED_MA = 3_000  # … while another carries more
RELEASE_SAMPLES = 3  # trust.md 1, P 7
RELEASE_S = 30.0  # chargers.md, Sessions
RISE_INTERVALS = 2  # for so long meter growth may be a raise (balancing.md 1)
RAMP_TIMES = 3  # a car that begins late to follow a raise goes on so much faster than it seems
FOLLOW_S = 3.0  # a car that obeys has come down to an accepted limit by then (INV-9: 2 s)
FALL_S = 1.5  # a reading of the meter may be so much older than a value of a charger
QUEUE_S = 10.0  # after it was linked a charger sends what it has kept meanwhile
NEVER = float("-inf")
NO_CAR: frozenset[Status | None] = frozenset({"Available", "Unavailable", "Faulted", "Reserved"})
OUT_OF_ORDER: frozenset[Status | None] = frozenset({"Faulted", "Unavailable"})
TAKES_PERCENT = 95  # of its offer in watts: the voltage is seldom the lowest that is planned with
ASK_EVERY_S = 5.0  # values out of turn are asked of one connector at most so often …
ASK_OVER_S = 2.0  # … and while the meter is over the limit: has what it was told come? (INV-9)
DRAWING: frozenset[Status | None] = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})


class Line:
    """What is known of a charger's link, also of one that is not (yet) in the settings."""

    __slots__ = (
        "csms", "eta", "lease_proven", "least", "linked", "linked_at", "lost_at", "numbers",
        "obey_s",
        "silent_since", "takes_zero",
    )  # fmt: skip

    def __init__(self) -> None:
        self.linked = False
        self.silent_since: float | None = None  # it answers nothing, though its link stands
        self.linked_at = self.lost_at = NEVER
        self.lease_proven = False
        self.obey_s: float | None = None  # as its passport says
        self.eta = Efficiency()
        self.least = 0, 0  # what its make charges with at least, mA and W
        self.takes_zero = True  # it may be told 0
        self.numbers: tuple[int, ...] = (1,)
        # what the CSMS's profiles allow: by connector, 0 for all together; mA per phase, W in all
        self.csms: dict[int, tuple[int | None, int | None]] = {}


class Amounts:
    """A charger's bounds in mA per phase, and what it is told: amps, or watts planned safely."""

    __slots__ = (
        "_even", "_in_watts", "divisor", "eta", "least_ma", "milli_phases", "most_ma", "most_w",
    )  # fmt: skip

    def __init__(
        self, conf: Charger, site: Site, voltage_mv: int, eta: int = ETA_MIN,
        make_least: tuple[int, int] = (0, 0),
    ) -> None:  # fmt: skip
        self.milli_phases = site.milli_phases(conf.phases)
        even = self._even = site.voltage_mv * self.milli_phases  # W to A at η 1, as configured
        self.divisor = voltage_mv * self.milli_phases * eta
        self._in_watts = conf.unit == "W"
        self.eta = eta if self._in_watts else ETA_MAX
        highest_w, lowest_w = conf.highest_w(), conf.lowest_w()
        lowest_ma = max(conf.lowest_ma(), make_least[0])
        if not self._in_watts:
            self.most_w = 0
            self.most_ma = conf.highest_ma() if highest_w is None else highest_w * 10**9 // even
            least = lowest_ma if lowest_w is None else -(-lowest_w * 10**9 // even)
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
            lowest_w = -(-lowest_ma * even // 10**9)
        lowest_w = max(lowest_w, make_least[1])
        self.least_ma = min(self.most_ma, self.drawn_at(lowest_w))

    def drawn_at(self, watts: int) -> int:
        """The most it may draw per phase when told so many watts."""
        return -(-watts * 10**12 // self.divisor)

    def bounded(self, limit_ma: int | None, limit_w: int | None) -> int | None:
        """The lower of two bounds of another's, in mA per phase; None: neither is set."""
        if limit_w is None:
            return limit_ma
        watts_ma = self.drawn_at(limit_w) if self._in_watts else limit_w * 10**9 // self._even
        return watts_ma if limit_ma is None else min(limit_ma, watts_ma)

    def within(self, amount_ma: int) -> int:
        """The most watts that draw no more than this: of `drawn_at` what it was given."""
        return amount_ma * self.divisor // 10**12

    def takes_all(self, amount_ma: int) -> int:
        """The least that a car draws which takes all of an offer: in watts, of a charger that is
        better than it is planned with.
        """
        if not self._in_watts:
            return amount_ma
        return amount_ma * self.eta * TAKES_PERCENT // (ETA_MAX * 100)

    def offer_for(self, used_ma: int) -> int:
        """The offer of which a car that takes all draws this much at least."""
        if not self._in_watts:
            return used_ma
        return used_ma * ETA_MAX * 100 // (self.eta * TAKES_PERCENT)

    def told(self, amount_ma: int) -> tuple[int, int | None]:
        """The highest it can be told within `amount_ma`: what that may draw, and its watts."""
        if amount_ma <= 0:
            return 0, 0 if self._in_watts else None
        if not self._in_watts:
            return min(amount_ma, self.most_ma) // STEP_MA * STEP_MA, None
        if amount_ma >= self.most_ma:
            return self.most_ma, self.most_w
        watts = self.within(amount_ma)
        return self.drawn_at(watts), watts


class Connector:
    """All that a plan needs to know of one connector; the balancer alone writes here."""

    __slots__ = (
        "_idle_count", "_idle_since", "allowed_ma", "amounts", "asked_at", "books", "by_phase",
        "ceilings",
        "charged_mas", "charged_s", "charger", "conf", "default_at", "default_ma", "demand",
        "drawn", "drawn_at", "fall", "fall_until", "high", "inoperative", "is_missed",
        "is_status_old", "is_stranger", "is_unheard", "key_parts", "kind", "kind_slow", "legs",
        "line", "lowered_at", "measured", "number", "offer", "offer_w", "order", "path",
        "paused_at", "queued_at", "quiet_since", "raised_at", "ramp_ma_s", "reason", "released",
        "resend", "retry_at", "rise_at", "rise_base_ma", "rise_from_ma", "rise_to_ma", "rise_until",
        "stage", "stage_at", "status", "stop", "turn_at", "tx", "used_ma", "values_wanted", "vip",
        "waits_since",
    )  # fmt: skip

    def __init__(self, charger: str, number: int, line: Line) -> None:
        self.charger, self.number, self.line = charger, number, line
        self.allowed_ma: int | None = None  # by the CSMS's profiles
        self.conf: Charger
        self.amounts: Amounts
        self.path: tuple[int, ...] = ()
        self.legs: tuple[int, ...] = ()
        self.kind = self.kind_slow = 0
        self.books = Books(0)
        self.status: Status | None = None
        self.is_status_old = False  # of an earlier link: a car may have come since
        self.offer_w: int | None = None
        self.resend = True  # the charger has not been told anything yet
        self.retry_at = NEVER
        self.high = False
        self.is_unheard = False  # its session was found running, no value has come yet
        self.is_stranger = False  # not adopted, or without a place under the licence
        self.stop = False
        self.stage, self.stage_at = 0, NEVER  # of the ladder for those that do not obey (INV-10)
        self.inoperative = False  # its last step
        self.is_missed = False  # and somebody asks for it: a person, a boot, a new session
        self.quiet_since = math.inf  # since when it has drawn nothing
        self.default_ma: int | None = None  # what it has accepted for when no session runs …
        self.default_at = NEVER  # … and from when on it is sure to rule
        self.values_wanted, self.asked_at = 0, NEVER
        self.rise_at = self.rise_until = self.fall_until = NEVER
        self.ramp_ma_s: int | None = None  # how fast it rose by the first value after a raise
        self.rise_base_ma = 0  # its offer before the newest raise, if values told of it
        self.rise_from_ma = 0  # the offer before the raises that the meter may not show yet …
        self.rise_to_ma = 0  # … and the highest of them, which a later cut need not have ended
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
        self.by_phase = True  # its value says so of each phase; else it is shared out evenly
        self.released: frozenset[int] = frozenset()
        self._idle_count = [0, 0, 0]
        self._idle_since = [0.0, 0.0, 0.0]
        self.charged_s = self.charged_mas = 0.0
        self.queued_at: float | None = None  # since when it waits for a turn
        self.turn_at = self.paused_at = self.raised_at = self.lowered_at = NEVER
        self.waits_since: float | None = None

    def configure(self, conf: Charger, amounts: Amounts, path: tuple[int, ...]) -> None:
        """Its settings, new or changed."""
        legs = site_phases(conf.connection)
        if legs != self.legs:
            self.released = frozenset()
        was = self.amounts if self.legs and self.conf.unit == conf.unit == "W" else None
        self.conf, self.amounts, self.path, self.legs = conf, amounts, path, legs
        if self.books.offer_id == 0 and not self.books.answered:
            self.books = Books(amounts.most_ma)
            if self.line.obey_s is not None:
                self.books.known(self.line.obey_s)
        elif was is not None and was.divisor != amounts.divisor:
            self.books.rescale(lambda ma: amounts.drawn_at(was.within(ma)))
            self.books.offer_ma = amounts.drawn_at(self.offer_w or 0)
            if self.default_ma is not None:
                self.default_ma = amounts.drawn_at(was.within(self.default_ma))
        self.books.set_max(amounts.most_ma)
        self.high = conf.priority == "high" or self.vip

    def begin(
        self, transaction_id: int, order: float, *, vip: bool, found: bool = False
    ) -> bool:
        """A transaction runs; returns whether it is new."""
        is_new = self.tx != transaction_id
        if is_new:
            self._forget_session()
            self.books.session_ended()  # what was seen in between shows nothing of how it obeys
            self.stop, self.stage = False, 0
            self.is_unheard = found
            self.quiet_since = math.inf
        self.tx, self.order, self.vip = transaction_id, order, vip
        self.high = self.conf.priority == "high" or vip
        return is_new

    def end(self, now: float) -> None:
        """Its transaction is over: it draws nothing, the meter may see that a little later."""
        self._fell(None, now)
        self._forget_session()
        self.tx, self.vip, self.stop, self.stage = None, False, False, 0
        self.high = self.conf.priority == "high"
        self.books.session_ended()
        self.resend = True
        self.quiet_since = min(self.quiet_since, now)
        if self.status in DRAWING:
            self.status = "Finishing"

    def forget_limits(self) -> None:
        """A new link, or a reboot: nothing that was told it is sure to be known (P 1: {M}; that
        its default outlasts a reboot is not taken as proven of any charger).
        """
        self.books.forget()
        self.default_ma = None
        self.count_all()
        self.resend = True
        self.stage = 0

    def took_default(self) -> None:
        """It has accepted what rules while no session runs; what was before has its obey time."""
        books = self.books
        if self.default_ma is None or books.accepted_ma < self.default_ma:
            self.default_at = books.accepted_at + books.obey_s
        self.default_ma = books.accepted_ma

    def fallback_ma(self) -> int:
        """What it may draw on its own: as a lease ends, or by its default (balancing.md 4)."""
        set_to = self.conf.fallback_ma
        return min(self.books.max_ma, self.amounts.least_ma if set_to is None else set_to)

    def bound_by_csms(self, sessions: int) -> int | None:
        """What the CSMS's profiles allow it: its own bound, and its part of one for all connectors
        of the charger, of which so many have a session (csms.md).
        """
        own = self.amounts.bounded(*self.line.csms.get(self.number, (None, None)))
        whole = self.amounts.bounded(*self.line.csms.get(0, (None, None)))
        if whole is None:
            return own
        part = whole // max(1, sessions)
        return part if own is None else min(own, part)

    def sheds_soon(self) -> bool:
        """Whether it comes down within 5 s of the command, as far as is known (INV-5b)."""
        return self.line.silent_since is None and self.books.sheds_soon()

    def fail_safe_ma(self) -> int:
        """What it is told where nothing else is sure."""
        fallback = self.conf.fallback_ma or 0
        return fallback if fallback >= self.amounts.least_ma else 0

    def want_values(self, now: float, every_s: float = ASK_EVERY_S) -> bool:
        """Ask for fresh values out of turn; False: it cannot answer, or was asked just now."""
        if not self.line.linked or self.tx is None or now < self.asked_at + every_s:
            return False
        # Grows also over a restart of the balancer, while the links live on.
        self.values_wanted = max(self.values_wanted + 1, int(now))
        self.asked_at = now
        return True

    def sample(self, fact: Drawn, at: float, threshold_ma: int, now: float) -> bool:
        """What it draws now; returns whether the phases in use have changed."""
        self._fell(fact.current_ma, now)
        was_ma, was_at = self.used_ma, max(self.drawn_at, self.rise_at)
        self.drawn, self.drawn_at = fact.current_ma, at
        self.used_ma = max(fact.current_ma[leg] for leg in self.legs)
        self.measured = fact.source != "assumed"
        self.by_phase = fact.source == "phases"
        if self.measured and at >= self.rise_at + self.follow_s():
            # balancing.md 1: growth is the charger's until its next values; a ramp goes on.
            grown_ma = max(0, self.used_ma - was_ma)
            self.ramp_ma_s = int(grown_ma / max(1.0, at - was_at)) if grown_ma > NOT_USED_MA else 0
        if not self.measured:
            return False
        if self.used_ma >= NOT_USED_MA:
            self.quiet_since = math.inf
        else:
            self.quiet_since = min(self.quiet_since, at)
        books = self.books
        # What comes as soon as it is linked may be from its queue, minutes old (trust.md C20).
        may_be_old = now < self.line.linked_at + QUEUE_S
        over_s = max(fact.over_s, QUEUE_S) if may_be_old else fact.over_s
        coarse_s = 0.0 if may_be_old else fact.coarse_s
        books.sample(self.used_ma, at, over_s, coarse_s, is_queued=may_be_old)
        if self.tx is not None:
            self.demand.sample(
                self.used_ma, self.all_taken_ma(), self.amounts.least_ma, threshold_ma, at,
                self.amounts.offer_for,
            )  # fmt: skip
        return self._release(fact, at)

    def charges_unheard(self) -> bool:
        """It says that it charges, was told 0 A, and no value yet shows what came of that: of a
        meter at `building` no reading would (INV-10).
        """
        books = self.books
        return (
            self.status == "Charging" and books.accepted_id != 0 and books.accepted_ma == 0
            and self.drawn_at < books.accepted_at + FOLLOW_S
        )

    def all_taken_ma(self) -> int:
        """What a car draws at least that takes all of what is in force."""
        return self.amounts.takes_all(self.books.accepted_ma) if self.books.accepted_id else 0

    def eta_shown(self, fact: Drawn, volts_mv: int, at: float) -> int | None:
        """What part of its power it passes on by this value, in 1/1000; None: it does not say.

        Only where the newest offer has stood for its obey time. By the highest voltage, so that
        what is learned is the least that can be true.
        """
        books = self.books
        used_ma = max(fact.current_ma[leg] for leg in self.legs)
        if (
            not self.offer_w or self.tx is None or fact.source == "assumed"
            or books.accepted_id != books.offer_id or at < books.accepted_at + books.obey_s
            or used_ma < LEAST_MA
        ):  # fmt: skip
            return None
        return self.offer_w * 10**12 // (volts_mv * self.amounts.milli_phases * used_ma)

    def _fell(self, after: Phases | None, now: float) -> None:
        """What it no longer draws may be on the meter for a little longer: not building. What it
        was not taken to draw any more fell before.
        """
        if self.drawn is None:
            return
        before = self._followed(self.drawn, now)
        fall = [max(0, before[p] - (after[p] if after is not None else 0)) for p in range(3)]
        if any(fall):
            self.fall, self.fall_until = (fall[0], fall[1], fall[2]), now + FALL_S

    def _release(self, fact: Drawn, at: float) -> bool:
        """P 7: a phase that the car does not use carries nothing, until a sample says else; a total
        may be of any phase.
        """
        if len(self.legs) != 3:
            return False
        released = set(self.released)
        for leg in self.legs:
            if fact.current_ma[leg] >= NOT_USED_MA:
                self._idle_count[leg] = 0
                released.discard(leg)
            elif fact.source != "phases":
                continue
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

    def count_all(self) -> bool:
        """Its values have stopped: what it may draw is its limit on each phase (trust.md C9), and
        what they showed until then releases none. Whether one was released.
        """
        changed = bool(self.released)
        self.released = frozenset()
        self._idle_count = [0, 0, 0]
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
        seen = self.visible(interval_s, now)
        return None if seen is None else self._followed(seen, now)

    def _followed(self, seen: Phases, now: float) -> Phases:
        """What is left of a value once it follows what it has accepted since."""
        books = self.books
        if not books.accepted_id or books.accepted_ma >= self.used_ma:
            return seen
        shows_at = books.accepted_at + self.follow_s()
        if self.drawn_at >= shows_at or now < shows_at:
            return seen
        return seen.at_most(Phases.each(books.accepted_ma))

    def follow_s(self) -> float:
        """A value so long after a limit shows what came of it."""
        return self.books.obey_s if self.books.obey_s > OBEY_S else FOLLOW_S

    def rises(self, at: float, until: float) -> None:
        """It may draw more since then, and the meter may see that before its values tell: by the
        raise alone, where its values had shown that what was offered before is not taken.
        """
        if self.ramp_ma_s is not None:
            self.rise_base_ma = self.rise_from_ma if self.ramp_ma_s == 0 else 0
        self.rise_at, self.rise_until, self.ramp_ma_s = at, until, None

    def _ramp_ma(self, now: float) -> int:
        """So much more than its newest value it may draw by now, on its way to a raise."""
        if self.ramp_ma_s is None or self.drawn is None:
            return self.books.max_ma
        return int(RAMP_TIMES * self.ramp_ma_s * max(0.0, now - self.drawn_at))

    def _spares(self, leg: int) -> bool:
        """By its newest value its car charges without this phase: no raise shows there."""
        return (
            self.drawn is not None and self.measured and self.by_phase
            and self.used_ma > USED_MA and self.drawn[leg] < NOT_USED_MA
        )

    def unproved(self, seen: Phases, unproved: list[int]) -> None:
        """Adds what it is only taken to draw on each phase (trust.md C11): of a total, no one
        knows which of three phases carry it; a value that is assumed says nothing of any.
        """
        if len(self.legs) == 3 or not self.measured:
            for p, amount in enumerate(seen):
                unproved[p] += amount

    def allowance(self, now: float, draws: Draws) -> None:
        """Adds what the meter may show of it beyond its own values: still, soon, and unheard.

        `rising`: up to what it was told last, which is what excuses a growth; `granted`: up to
        what it was told meanwhile and may draw yet, which is what no other gets (INV-2).
        """
        rising, granted, unheard = draws.rising, draws.granted, draws.unheard
        if now < self.rise_until:
            for leg in self.legs:
                own = 0 if self.drawn is None else self.drawn[leg]
                if self.drawn_at < self.raised_at:  # and that value may be from before a cut
                    own = min(own, self.rise_from_ma)
                if self.drawn is None and self.is_unheard:  # all that may be in force
                    rising[leg] += self.books.top_ma
                    granted[leg] += self.books.top_ma
                    unheard[leg] += self.books.top_ma
                else:
                    top_ma, offer_ma = self.books.top_ma, self.books.offer_ma
                    if not self._spares(leg):
                        grown = max(0, min(top_ma, offer_ma) - max(own, self.rise_base_ma))
                        rising[leg] += min(self._ramp_ma(now), grown)
                    granted[leg] += max(0, min(top_ma, max(offer_ma, self.rise_to_ma)) - own)
        if now < self.fall_until:
            for leg in self.legs:
                draws.falling[leg] += self.fall[leg]


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

"""The charging profiles of a CSMS for one charger: what they allow now, when that changes, and as
the composite schedule that it reads back (OCPP 1.6 edition 2, 3.13).

Knows no charger, site or socket. Transaction ids are the charger's own; whoever passes messages on
translates them. `now` is UTC in seconds since 1970, and whole seconds rule: a recurring schedule
repeats every 86,400 or 604,800 s, for a time in OCPP names no zone whose clocks could be put back.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

import msgspec

from .lenient import moment
from .messages import (
    ChargingSchedule,
    ChargingSchedulePeriod,
    ClearChargingProfile,
    ConfigurationKey,
    CsChargingProfiles,
    GetCompositeScheduleResponse,
    Purpose,
    RateUnit,
)

PROFILES_MAX = 32  # awaited ones too: calendars stack a few; one that only adds fills no disk
PERIODS_MAX = 200  # of a schedule, also of the composite one: a week by the hour is 168
STACK_LEVEL_MAX = 100  # chargers of today name 3 to 99: what was made for one fits here too
AMOUNT_MAX = 10**12  # mA or mW: a limit above is meant as none, and fits 64 bits so
PHASES_MAX = 3
AWAITED_S = 600  # a driver plugs in within ConnectionTimeOut, minutes; later it is another start
AWAITED_EARLY_S = 60  # the charger's clock may be so far behind ours
DAY_S, WEEK_S = 86_400, 604_800
LOOK_AHEAD_S = DAY_S  # for the next change: what a daily schedule does not do by then it never does
COMPOSITE_S_MAX = WEEK_S  # after a week all recurs
STEPS_MAX = 1000  # of a composite schedule: a week of quarter hours is 672; the loop waits for it
LOOKS_MAX = 200  # for the next change: a day of quarter hours, hidden twice; beyond it, ask again
YEARS = (1, 9999)  # `never` is written as the first or the last year
FOREVER = math.inf

CONFIGURATION = (  # 9.4, for whoever answers GetConfiguration
    ConfigurationKey("ChargeProfileMaxStackLevel", readonly=True, value=str(STACK_LEVEL_MAX)),
    ConfigurationKey(
        "ChargingScheduleAllowedChargingRateUnit", readonly=True, value="Current,Power"
    ),
    ConfigurationKey("ChargingScheduleMaxPeriods", readonly=True, value=str(PERIODS_MAX)),
    ConfigurationKey("MaxChargingProfilesInstalled", readonly=True, value=str(PROFILES_MAX)),
)


class Verdict(msgspec.Struct, frozen=True):
    """Whether a profile was taken; if not, what was expected, what came and where."""

    status: Literal["Accepted", "Rejected"]
    reason: str = ""


ACCEPTED = Verdict("Accepted")


class Supply(msgspec.Struct, frozen=True):
    """What turns amps into watts on a connector.

    `voltage_mv`: of one phase as set for the site, not as measured (7.12). `phases`: those that a
    car may draw on. `switches`: whether the charger keeps a car to fewer where a profile says so
    (ConnectorSwitch3to1PhaseSupported); where it does not, `numberPhases` promises nothing, and a
    power is spread over all that are wired, so that the total is never passed.
    """

    voltage_mv: int
    phases: int = PHASES_MAX
    switches: bool = False

    def phases_of(self, bound: Bound) -> int:
        """How many phases carry the current under this bound."""
        if self.switches and bound.phases is not None:
            return min(bound.phases, self.phases)
        return self.phases


class Bound(msgspec.Struct, frozen=True):
    """What may be drawn at the most. Both amounts hold; None: nothing is said of it.

    `phases`: on how many a car may charge. `least_ma` and `least_mw` bound nothing: the car is said
    to charge badly below (minChargingRate, 7.13).
    """

    ma: int | None = None  # on each phase
    mw: int | None = None  # in all
    phases: int | None = None
    least_ma: int | None = None
    least_mw: int | None = None

    def at_most(self, other: Bound) -> Bound:
        """What both allow (3.13.3)."""
        return Bound(
            _lower(self.ma, other.ma),
            _lower(self.mw, other.mw),
            _lower(self.phases, other.phases),
            _higher(self.least_ma, other.least_ma),
            _higher(self.least_mw, other.least_mw),
        )

    def per_phase_ma(self, supply: Supply) -> int | None:
        """All that is said, in mA on each phase, rounded down."""
        if self.mw is None:
            return self.ma
        return _lower(self.ma, self.mw * 1000 // (supply.voltage_mv * supply.phases_of(self)))

    def in_all_mw(self, supply: Supply) -> int | None:
        """All that is said, in mW, rounded down."""
        if self.ma is None:
            return self.mw
        return _lower(self.mw, self.ma * supply.voltage_mv * supply.phases_of(self) // 1000)


FREE = Bound()


class Installed(msgspec.Struct, frozen=True):
    """A profile as it came, where and when (s since 1970)."""

    connector: int
    set_s: int
    profile: CsChargingProfiles


class Session(msgspec.Struct, frozen=True):
    """A running transaction and when it began (s since 1970)."""

    connector: int
    transaction: int
    began_s: int


class Awaited(msgspec.Struct, frozen=True):
    """A profile for the session that a RemoteStartTransaction begins; connector None: any."""

    connector: int | None
    id_tag: str
    asked_s: int
    profile: CsChargingProfiles


class Kept(msgspec.Struct, frozen=True):
    """All that must outlive a restart, for the disk: as a charger's own profiles would (3.13.6)."""

    profiles: tuple[Installed, ...] = ()
    sessions: tuple[Session, ...] = ()
    awaited: tuple[Awaited, ...] = ()


NOTHING = Kept()


class _Rule(msgspec.Struct, frozen=True):
    """A profile made ready to be asked: `says[n]` from `starts_s[n]` on, counted from its start."""

    level: int
    starts_s: tuple[int, ...]
    says: tuple[Bound, ...]
    lasts_s: float
    begins_s: int | None  # None: with the session
    every_s: int | None  # it begins again
    from_s: float
    to_s: float

    def at(self, t_s: int, session_s: int | None) -> tuple[Bound | None, float]:
        """What it says at a moment (None: nothing), and until when at least.

        `session_s`: when the session began; None: none runs, and one is taken to begin just then.
        """
        if t_s >= self.to_s:
            return None, FOREVER
        if t_s < self.from_s:
            return None, self.from_s
        begins_s = session_s if self.begins_s is None else self.begins_s
        if begins_s is None:
            return self.says[0], self.to_s
        if t_s < begins_s and self.begins_s is not None:
            return None, min(begins_s, self.to_s)
        if self.every_s is not None:
            begins_s += (t_s - begins_s) // self.every_s * self.every_s
        age_s = max(0, t_s - begins_s)  # a session's start may be ahead of us by a charger's clock
        ends_s = min(self.to_s, FOREVER if self.every_s is None else begins_s + self.every_s)
        if age_s >= self.lasts_s:
            return None, ends_s
        place = bisect_right(self.starts_s, age_s)
        if place < len(self.starts_s):
            ends_s = min(ends_s, begins_s + self.starts_s[place])
        return self.says[place - 1], min(ends_s, begins_s + self.lasts_s)

    def is_over(self, t_s: int) -> bool:
        """Whether it never says anything again."""
        once = self.begins_s is not None and self.every_s is None
        return t_s >= self.to_s or (once and t_s >= (self.begins_s or 0) + self.lasts_s)


class Profiles:
    """The charging profiles that a CSMS has set on one charger, and the sessions they are for.

    `connectors`: how many the charger has, 1 or more; raise it when more are found. After each call
    that changes something, `kept()` is what belongs on disk before the answer goes out.
    """

    def __init__(self, connectors: int, kept: Kept = NOTHING) -> None:
        assert connectors >= 1, f"expected 1 connector or more, got {connectors}"
        self.connectors = connectors
        self._installed = {one.profile.charging_profile_id: one for one in kept.profiles}
        self._rules = {key: _rule(one) for key, one in self._installed.items()}
        self._sessions = {one.connector: one for one in kept.sessions}
        self._awaited = list(kept.awaited)
        self._stacks: dict[tuple[Purpose, int], tuple[_Rule, ...]] = {}

    def kept(self) -> Kept:
        """What must outlive a restart."""
        return Kept(
            tuple(self._installed.values()), tuple(self._sessions.values()), tuple(self._awaited)
        )

    def set(self, connector: int, profile: CsChargingProfiles, now: float) -> Verdict:
        """Take a profile (5.16); it takes the place of those of its id, or of its purpose, stack
        level and connector. One that is refused changes nothing.
        """
        at_s = math.floor(now)
        wrong = next(self._misplaced(connector, profile), None) or next(
            _wrongs(profile, "$.csChargingProfiles"), None
        )
        if wrong is not None:
            return Verdict("Rejected", wrong)
        one = Installed(connector, at_s, profile)
        if not self._has_room(at_s, self._replaced_by(one)):
            return _full("$.csChargingProfiles")
        self._install(one)
        return ACCEPTED

    def set_for_next(
        self, connector: int | None, id_tag: str, profile: CsChargingProfiles, now: float
    ) -> Verdict:
        """Keep the profile of a RemoteStartTransaction for the session that it begins (5.16.2).

        Call it before the request goes on to the charger, and `forget_next` where that refuses.
        """
        at_s, path = math.floor(now), "$.chargingProfile"
        wrong = next(self._wrong_for_next(connector, profile, path), None) or next(
            _wrongs(profile, path), None
        )
        if wrong is not None:
            return Verdict("Rejected", wrong)
        self.forget_next(connector, id_tag)
        if not self._has_room(at_s, frozenset()):
            return _full(path)
        self._awaited.append(Awaited(connector, id_tag, at_s, profile))
        return ACCEPTED

    def forget_next(self, connector: int | None, id_tag: str) -> None:
        """The remote start that this was asked with will not begin a session."""
        self._awaited = [
            one for one in self._awaited
            if one.connector != connector or not _same(one.id_tag, id_tag)
        ]  # fmt: skip

    def clear(self, asked: ClearChargingProfile) -> Literal["Accepted", "Unknown"]:
        """Forget one profile by its id, or all that match what is given (5.5, 6.13)."""
        gone = [key for key, one in self._installed.items()
                if _is_meant(asked, one.connector, one.profile)]  # fmt: skip
        awaited = [one for one in self._awaited
                   if not _is_meant(asked, one.connector, one.profile)]  # fmt: skip
        if not gone and len(awaited) == len(self._awaited):
            return "Unknown"
        self._awaited = awaited
        self._forget(gone)
        return "Accepted"

    def began(self, connector: int, transaction: int, at: float, id_tag: str = "") -> None:
        """A session has begun at `at`; said again of the same transaction, nothing happens.

        What was awaited for it is its profile now. Those of the session before it are gone.
        """
        before = self._sessions.get(connector)
        if before is not None and before.transaction == transaction:
            return
        if before is not None:
            self.ended(connector, before.transaction)
        at_s = math.floor(at)
        self._sessions[connector] = Session(connector, transaction, at_s)
        fitting = [
            one for one in self._awaited
            if one.connector in (None, connector) and _same(one.id_tag, id_tag)
            and -AWAITED_EARLY_S <= at_s - one.asked_s <= AWAITED_S
        ]  # fmt: skip
        if fitting:
            meant = max(fitting, key=lambda one: (one.connector is not None, one.asked_s))
            self._awaited.remove(meant)
            self._install(Installed(connector, at_s, meant.profile))

    def ended(self, connector: int, transaction: int) -> None:
        """A session is over, and with it the profiles that were for it alone (3.13.1)."""
        session = self._sessions.get(connector)
        if session is None or session.transaction != transaction:
            return
        del self._sessions[connector]
        self._forget([
            key for key, one in self._installed.items()
            if one.connector == connector and one.profile.charging_profile_purpose == "TxProfile"
        ])  # fmt: skip

    def bound(self, connector: int, now: float) -> tuple[Bound, int | None]:
        """What a connector may draw, and until when, as things are set (UTC s; None: for ever).

        It changes at that moment, unless that is LOOK_AHEAD_S away (or LOOKS_MAX steps): then ask
        again. Connector 0: what all connectors may draw together (3.13.3). Without a session: what
        one would get that began now.
        """
        at_s = math.floor(now)
        bound, until_s = self._at(connector, at_s, None)
        for _ in range(LOOKS_MAX):
            if until_s == FOREVER:
                return bound, None
            later, after_s = self._at(connector, int(until_s), None)
            if later != bound or until_s >= at_s + LOOK_AHEAD_S:
                break
            until_s = after_s
        return bound, int(until_s)

    def composite(
        self,
        connector: int,
        now: float,
        duration_s: int,
        unit: RateUnit,
        supply: Supply,
        allowed: Bound,
    ) -> GetCompositeScheduleResponse:
        """The answer to GetCompositeSchedule (5.7): what holds from now on, in whole tenths.

        `allowed`: what LinkRay allows at the most, with or without profiles; it names mA or mW.
        Where no session runs, one is taken to begin now. Connector 0: the least of what holds for
        all together and the sum of what each may draw. It is as long as asked, but for a week at
        the most and PERIODS_MAX periods: its `duration` says how long.
        """
        if not 0 <= connector <= self.connectors or duration_s < 1:
            return GetCompositeScheduleResponse("Rejected")
        begins_s = math.floor(now)
        end_s = begins_s + min(duration_s, COMPOSITE_S_MAX)
        periods: list[ChargingSchedulePeriod] = []
        t_s: float = begins_s
        for _ in range(STEPS_MAX if connector else STEPS_MAX // (self.connectors + 1)):
            amount, phases, until_s = self._allowed(
                connector, int(t_s), begins_s, unit, supply, allowed
            )
            tenths = amount // 100 / 10
            if not periods or (periods[-1].limit, periods[-1].number_phases) != (tenths, phases):
                if len(periods) == PERIODS_MAX:
                    break
                periods.append(ChargingSchedulePeriod(int(t_s) - begins_s, tenths, phases))
            t_s = min(until_s, end_s)
            if t_s == end_s:
                break
        return GetCompositeScheduleResponse(
            "Accepted",
            connector,
            f"{datetime.fromtimestamp(begins_s, UTC):%Y-%m-%dT%H:%M:%SZ}",
            ChargingSchedule(unit, tuple(periods), int(t_s) - begins_s),
        )

    def _allowed(
        self,
        connector: int,
        t_s: int,
        begins_s: int,
        unit: RateUnit,
        supply: Supply,
        allowed: Bound,
    ) -> tuple[int, int, float]:
        """The amount in mA or mW at a moment, its phases, and until when it holds at least."""
        bound, until_s = self._at(connector, t_s, begins_s)
        bound = bound.at_most(allowed)
        amount = _in_unit(bound, unit, supply)
        if connector == 0:
            each = [self._at(n, t_s, begins_s) for n in range(1, self.connectors + 1)]
            until_s = min(until_s, *(one_s for _, one_s in each))
            all_in = sum(_in_unit(one.at_most(allowed), unit, supply) for one, _ in each)
            amount = min(amount, all_in)
        return amount, supply.phases_of(bound), until_s

    def _at(self, connector: int, t_s: int, idle_s: int | None) -> tuple[Bound, float]:
        """What holds at a moment, and until when at least.

        `idle_s`: when the session of a connector that has none is taken to begin; None: always now.
        """
        bound, until_s = _ruling(self._stack("ChargePointMaxProfile", 0), t_s, idle_s)
        if connector == 0:
            return bound or FREE, until_s
        session = self._sessions.get(connector)
        said: Bound | None = None
        if session is not None:
            said, own_s = _ruling(self._stack("TxProfile", connector), t_s, session.began_s)
            until_s = min(until_s, own_s)
        if said is None:
            since_s = idle_s if session is None else session.began_s
            said, own_s = _ruling(self._stack("TxDefaultProfile", connector), t_s, since_s)
            until_s = min(until_s, own_s)
        return (bound or FREE).at_most(said or FREE), until_s

    def _stack(self, purpose: Purpose, connector: int) -> tuple[_Rule, ...]:
        """The profiles of a purpose that are for a connector, the highest level first.

        A default of the connector's own stands in the place of one for all (3.13.1).
        """
        if (purpose, connector) not in self._stacks:
            levels: dict[int, _Rule] = {}
            for place in (0, connector):
                levels |= {
                    self._rules[key].level: self._rules[key]
                    for key, one in self._installed.items()
                    if one.connector == place and one.profile.charging_profile_purpose == purpose
                }
            self._stacks[purpose, connector] = tuple(
                levels[level] for level in sorted(levels, reverse=True)
            )
        return self._stacks[purpose, connector]

    def _install(self, one: Installed) -> None:
        self._forget(self._replaced_by(one))
        self._installed[one.profile.charging_profile_id] = one
        self._rules[one.profile.charging_profile_id] = _rule(one)

    def _replaced_by(self, new: Installed) -> frozenset[int]:
        """The ids of those whose place a profile takes (5.16.3, 5.16.4)."""

        def place(one: Installed) -> tuple[int, Purpose, int]:
            return one.connector, one.profile.charging_profile_purpose, one.profile.stack_level

        return frozenset(
            key for key, one in self._installed.items()
            if key == new.profile.charging_profile_id or place(one) == place(new)
        )  # fmt: skip

    def _forget(self, ids: Iterable[int]) -> None:
        for key in ids:
            del self._installed[key], self._rules[key]
        self._stacks.clear()

    def _has_room(self, at_s: int, leaving: frozenset[int]) -> bool:
        """Whether one more fits. Those that are over go only to make room, and those awaited in
        vain: a clock that is wrong for a while makes LinkRay forget nothing else.
        """
        if len(self._installed) - len(leaving) + len(self._awaited) < PROFILES_MAX:
            return True
        self._awaited = [one for one in self._awaited if at_s - one.asked_s <= AWAITED_S]
        self._forget([key for key, rule in self._rules.items() if rule.is_over(at_s)])
        return len(self._installed) + len(self._awaited) < PROFILES_MAX

    def _misplaced(self, connector: int, profile: CsChargingProfiles) -> Iterator[str]:
        """Why a profile cannot be for this connector, or for this moment."""
        path = "$.csChargingProfiles"
        session = self._sessions.get(connector)
        if not 0 <= connector <= self.connectors:
            yield _expected(f"0 to {self.connectors}", connector, "$.connectorId")
        match profile.charging_profile_purpose:
            case "ChargePointMaxProfile" if connector != 0:
                yield _expected("0 for a ChargePointMaxProfile", connector, "$.connectorId")
            case "TxProfile" if connector == 0:
                yield _expected("a connector above 0 for a TxProfile", 0, "$.connectorId")
            case "TxProfile" if session is None:
                yield _expected(
                    f"a running transaction on connector {connector} for a TxProfile", "none",
                    f"{path}.chargingProfilePurpose",
                )  # fmt: skip
            case "TxProfile" if session and profile.transaction_id not in (
                None, session.transaction,
            ):  # fmt: skip
                yield _expected(
                    f"the transaction of connector {connector}, {session.transaction}",
                    profile.transaction_id, f"{path}.transactionId",
                )  # fmt: skip
        if profile.charging_profile_purpose != "TxProfile" and profile.transaction_id is not None:
            yield _expected(
                f"no transaction for a {profile.charging_profile_purpose}",
                profile.transaction_id, f"{path}.transactionId",
            )  # fmt: skip

    def _wrong_for_next(
        self, connector: int | None, profile: CsChargingProfiles, path: str
    ) -> Iterator[str]:
        """Why a profile cannot come with a RemoteStartTransaction (5.16.2)."""
        if connector is not None and not 1 <= connector <= self.connectors:
            yield _expected(f"1 to {self.connectors}", connector, "$.connectorId")
        if profile.charging_profile_purpose != "TxProfile":
            purpose = profile.charging_profile_purpose
            yield _expected("TxProfile", purpose, f"{path}.chargingProfilePurpose")
        if profile.transaction_id is not None:
            yield _expected(
                "no transaction before it has begun", profile.transaction_id,
                f"{path}.transactionId",
            )  # fmt: skip


def _ruling(
    stack: tuple[_Rule, ...], t_s: int, session_s: int | None
) -> tuple[Bound | None, float]:
    """What the highest one says that says anything, and until when at least."""
    until_s = FOREVER
    for rule in stack:
        said, own_s = rule.at(t_s, session_s)
        until_s = min(until_s, own_s)
        if said is not None:
            return said, until_s
    return None, until_s


def _rule(one: Installed) -> _Rule:
    """A profile that was found right, made ready."""
    profile, schedule = one.profile, one.profile.charging_schedule
    from_s = _seconds(profile.valid_from)
    to_s = _seconds(profile.valid_to)
    begins_s = None
    if profile.charging_profile_kind != "Relative":
        begins_s = _seconds(schedule.start_schedule)
    if begins_s is None and profile.charging_profile_kind == "Recurring":
        begins_s = from_s  # so it is meant by those who leave the start out
    if begins_s is None and profile.charging_profile_purpose == "ChargePointMaxProfile":
        # For no transaction: the start is ours to determine (7.9).
        begins_s = one.set_s if from_s is None else max(one.set_s, from_s)
    is_daily = profile.recurrency_kind == "Daily"
    starts_s: list[int] = []
    says: list[Bound] = []
    for period in schedule.charging_schedule_period:
        said = _said(schedule, period)
        if not says or said != says[-1]:
            starts_s.append(period.start_period)
            says.append(said)
    return _Rule(
        profile.stack_level,
        tuple(starts_s),
        tuple(says),
        FOREVER if schedule.duration is None else schedule.duration,
        begins_s,
        (DAY_S if is_daily else WEEK_S) if profile.charging_profile_kind == "Recurring" else None,
        -FOREVER if from_s is None else from_s,
        FOREVER if to_s is None else to_s,
    )


def _said(schedule: ChargingSchedule, period: ChargingSchedulePeriod) -> Bound:
    amount = _milli(period.limit)
    least = None if schedule.min_charging_rate is None else _milli(schedule.min_charging_rate)
    if schedule.charging_rate_unit == "A":
        return Bound(ma=amount, phases=period.number_phases, least_ma=least)
    return Bound(mw=amount, phases=period.number_phases, least_mw=least)


def _wrongs(profile: CsChargingProfiles, path: str) -> Iterator[str]:
    """What is wrong with a profile, wherever it is set."""
    if not 0 <= profile.stack_level <= STACK_LEVEL_MAX:
        yield _expected(f"0 to {STACK_LEVEL_MAX}", profile.stack_level, f"{path}.stackLevel")
    for name, text in (("validFrom", profile.valid_from), ("validTo", profile.valid_to)):
        yield from _wrong_time(text, f"{path}.{name}")
    from_s, to_s = _seconds(profile.valid_from), _seconds(profile.valid_to)
    if from_s is not None and to_s is not None and from_s >= to_s:
        yield _expected(f"a time after validFrom, {profile.valid_from}", profile.valid_to,
                        f"{path}.validTo")  # fmt: skip
    if profile.charging_profile_kind == "Recurring":
        if profile.recurrency_kind is None:
            yield _expected("Daily or Weekly", "nothing", f"{path}.recurrencyKind")
        if profile.charging_schedule.start_schedule is None and from_s is None:
            yield _expected("a time from which it recurs", "nothing",
                            f"{path}.chargingSchedule.startSchedule")  # fmt: skip
    yield from _wrong_schedule(profile.charging_schedule, f"{path}.chargingSchedule")


def _wrong_schedule(schedule: ChargingSchedule, path: str) -> Iterator[str]:
    yield from _wrong_time(schedule.start_schedule, f"{path}.startSchedule")
    if schedule.duration is not None and schedule.duration < 1:
        yield _expected("1 s or more", schedule.duration, f"{path}.duration")
    yield from _wrong_amount(schedule.min_charging_rate, f"{path}.minChargingRate")
    periods = schedule.charging_schedule_period
    if not 1 <= len(periods) <= PERIODS_MAX:
        yield _expected(f"1 to {PERIODS_MAX} periods", len(periods),
                        f"{path}.chargingSchedulePeriod")  # fmt: skip
    before_s = -1
    for n, period in enumerate(periods):
        at = f"{path}.chargingSchedulePeriod[{n}]"
        if n == 0 and period.start_period != 0:
            yield _expected("0 for the first period", period.start_period, f"{at}.startPeriod")
        if period.start_period <= before_s:
            yield _expected(f"more than {before_s} s, the period before", period.start_period,
                            f"{at}.startPeriod")  # fmt: skip
        before_s = period.start_period
        yield from _wrong_amount(period.limit, f"{at}.limit")
        if period.number_phases is not None and not 1 <= period.number_phases <= PHASES_MAX:
            yield _expected(f"1 to {PHASES_MAX}", period.number_phases, f"{at}.numberPhases")


def _wrong_amount(amount: float | None, path: str) -> Iterator[str]:
    if amount is not None and not 0 <= amount < math.inf:
        yield _expected("an amount of 0 or more", amount, path)


def _wrong_time(text: str | None, path: str) -> Iterator[str]:
    if text is not None and _seconds(text) is None:
        yield _expected("a time like 2026-01-31T12:00:00Z", repr(text[:40]), path)


def _is_meant(
    asked: ClearChargingProfile, connector: int | None, profile: CsChargingProfiles
) -> bool:
    """Whether a profile is one of those to clear. An id alone decides (errata 3.26)."""
    if asked.id is not None:
        return asked.id == profile.charging_profile_id
    return (
        asked.connector_id in (None, connector)
        and asked.charging_profile_purpose in (None, profile.charging_profile_purpose)
        and asked.stack_level in (None, profile.stack_level)
    )


def _seconds(text: str | None) -> int | None:
    """A time as whole seconds since 1970, rounded down; None: none, or not believable."""
    at = None if text is None else moment(text, YEARS)
    return None if at is None else math.floor(at.timestamp())


def _milli(amount: float) -> int:
    """Thousandths, rounded down: 16.6 A is 16,600 mA, though as a float it is a little less."""
    return min(AMOUNT_MAX, int(Decimal(repr(amount)) * 1000))


def _in_unit(bound: Bound, unit: RateUnit, supply: Supply) -> int:
    amount = bound.per_phase_ma(supply) if unit == "A" else bound.in_all_mw(supply)
    assert amount is not None, "expected what LinkRay allows in mA or mW, got neither"
    return amount


def _same(tag: str, other: str) -> bool:
    """Tags know no case (IdToken, 7.28)."""
    return tag.casefold() == other.casefold()


def _lower(one: int | None, other: int | None) -> int | None:
    return min((amount for amount in (one, other) if amount is not None), default=None)


def _higher(one: int | None, other: int | None) -> int | None:
    return max((amount for amount in (one, other) if amount is not None), default=None)


def _expected(expected: str, came: object, path: str) -> str:
    return f"expected {expected}, got {came} - at {path}"


def _full(path: str) -> Verdict:
    return Verdict("Rejected", _expected(f"at most {PROFILES_MAX} profiles", "one more", path))

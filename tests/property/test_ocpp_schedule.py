"""Charging profiles against an oracle that looks at every second by itself, in OCPP's own words.

The oracle keeps what a CSMS wrote as it wrote it and has no notion of when something changes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from linkray.ocpp.lenient import read_exactly
from linkray.ocpp.messages import ClearChargingProfile, SetChargingProfile
from linkray.ocpp.schedule import LOOK_AHEAD_S, Bound, Kept, Profiles, Supply

T = datetime(2026, 3, 29, tzinfo=UTC)  # the clocks change in Europe on this day
T_S = int(T.timestamp())
CONNECTORS = 2
SECONDS = 700  # looked at one by one
Wire = dict[str, Any]


# what a CSMS may write

offsets = st.integers(-400, 600) | st.sampled_from([0, 300])
periods = st.lists(st.integers(1, 300), max_size=4, unique=True).flatmap(
    lambda starts: st.tuples(*(
        st.fixed_dictionaries(
            {"startPeriod": st.just(start), "limit": st.sampled_from([0, 6, 10, 16.6])},
            optional={"numberPhases": st.integers(1, 3)},
        )
        for start in [0, *sorted(starts)]
    ))
)  # fmt: skip


@st.composite
def texts(draw: st.DrawFn, days_ago: tuple[int, ...] = (0,)) -> str:
    """A time near T, or near it on an earlier day, in UTC or with an offset."""
    at = T + timedelta(seconds=draw(offsets), days=-draw(st.sampled_from(days_ago)))
    hours = draw(st.sampled_from([None, 2, -5]))
    if hours is None:
        return f"{at:%Y-%m-%dT%H:%M:%SZ}"
    return f"{at + timedelta(hours=hours):%Y-%m-%dT%H:%M:%S}{hours:+03d}:00"


@st.composite
def wires(draw: st.DrawFn) -> Wire:
    """A profile in JSON, right in itself."""
    unit = draw(st.sampled_from(["A", "A", "W"]))
    kind = draw(st.sampled_from(["Absolute", "Recurring", "Relative"]))
    rows = [dict(row) for row in draw(periods)]
    if unit == "W":
        for row in rows:
            row["limit"] = row["limit"] * 500
    wire: Wire = {
        "chargingProfileId": draw(st.integers(1, 12)),
        "stackLevel": draw(st.integers(0, 3)),
        "chargingProfilePurpose": draw(
            st.sampled_from(["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"])
        ),
        "chargingProfileKind": kind,
        "chargingSchedule": {"chargingRateUnit": unit, "chargingSchedulePeriod": rows},
    }
    if kind == "Recurring" or draw(st.sampled_from([True, True, False])):
        earlier = (0, 1, 7, 9) if kind == "Recurring" else (0,)
        wire["chargingSchedule"]["startSchedule"] = draw(texts(earlier))
    if kind == "Recurring":
        wire["recurrencyKind"] = draw(st.sampled_from(["Daily", "Weekly"]))
    if draw(st.booleans()):
        wire["chargingSchedule"]["duration"] = draw(st.integers(1, 400) | st.just(86_400))
    if draw(st.sampled_from([False, False, False, True])):
        wire["chargingSchedule"]["minChargingRate"] = draw(st.sampled_from([1, 8.1]))
    if draw(st.sampled_from([False, False, True])):
        wire["validFrom"] = draw(texts())
    if draw(st.sampled_from([False, False, True])):
        from_s = seconds(wire["validFrom"]) if "validFrom" in wire else T_S
        ends = datetime.fromtimestamp(from_s + draw(st.integers(1, 900)), UTC)
        wire["validTo"] = f"{ends:%Y-%m-%dT%H:%M:%SZ}"
    return wire


def placed(wire: Wire) -> Any:
    """A doing: the profile is set where its purpose belongs, or now and then anywhere."""
    right = {"ChargePointMaxProfile": st.just(0), "TxProfile": sockets}
    where = right.get(wire["chargingProfilePurpose"], connectors)
    return st.tuples(st.just("set"), where | where | connectors, st.just(wire))


connectors = st.integers(0, CONNECTORS)
sockets = st.integers(1, CONNECTORS)
began = st.tuples(st.just("began"), sockets, st.integers(1, 3))
others = st.one_of(
    began,
    st.tuples(st.just("ended"), sockets, st.integers(1, 3)),
    st.tuples(st.just("next"), sockets | st.none(), wires()),
    st.tuples(
        st.just("clear"),
        st.fixed_dictionaries({}, optional={
            "id": st.integers(1, 12), "connector_id": connectors, "stack_level": st.integers(0, 3),
        }),
    ),
)  # fmt: skip
sets = wires().flatmap(placed)
pauses = st.integers(0, 60)
days = st.tuples(
    st.lists(st.tuples(pauses, began), max_size=2),
    st.lists(st.tuples(pauses, sets), min_size=2, max_size=8),
    st.lists(st.tuples(pauses, sets | others), max_size=6),
).map(lambda parts: [doing for part in parts for doing in part])


# the oracle


@cache
def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


class Oracle:
    """What a charger would hold and allow, one second at a time."""

    def __init__(self) -> None:
        self.profiles: list[tuple[int, Wire, int]] = []  # connector, profile, when it came
        self.sessions: dict[int, tuple[int, int]] = {}  # connector: transaction, when it began
        self.awaited: list[tuple[int | None, Wire, int]] = []

    def set(self, connector: int, wire: Wire, at: int) -> bool:
        purpose = wire["chargingProfilePurpose"]
        if purpose == "ChargePointMaxProfile" and connector != 0:
            return False
        if purpose == "TxProfile" and connector not in self.sessions:
            return False
        self.profiles = [
            (where, other, when)
            for where, other, when in self.profiles
            if other["chargingProfileId"] != wire["chargingProfileId"]
            and (where, other["chargingProfilePurpose"], other["stackLevel"])
            != (connector, purpose, wire["stackLevel"])
        ]
        self.profiles.append((connector, wire, at))
        return True

    def began(self, connector: int, transaction: int, at: int) -> None:
        if connector in self.sessions:
            if self.sessions[connector][0] == transaction:
                return
            self.ended(connector, self.sessions[connector][0])
        self.sessions[connector] = (transaction, at)
        for wanted in (connector, None):
            for one in self.awaited:
                if one[0] == wanted and at - one[2] <= 600:
                    self.awaited.remove(one)
                    self.set(connector, one[1], at)
                    return

    def ended(self, connector: int, transaction: int) -> None:
        if connector in self.sessions and self.sessions[connector][0] == transaction:
            del self.sessions[connector]
            self.profiles = [
                one for one in self.profiles
                if one[0] != connector or one[1]["chargingProfilePurpose"] != "TxProfile"
            ]  # fmt: skip

    def next(self, connector: int | None, wire: Wire, at: int) -> bool:
        if wire["chargingProfilePurpose"] != "TxProfile":
            return False
        self.awaited = [one for one in self.awaited if one[0] != connector]
        self.awaited.append((connector, wire, at))
        return True

    def clear(self, what: dict[str, int]) -> bool:
        def goes(connector: int | None, wire: Wire) -> bool:
            if "id" in what:
                return bool(wire["chargingProfileId"] == what["id"])
            if "connector_id" in what and what["connector_id"] != connector:
                return False
            return "stack_level" not in what or bool(wire["stackLevel"] == what["stack_level"])

        held = len(self.profiles) + len(self.awaited)
        self.profiles = [one for one in self.profiles if not goes(one[0], one[1])]
        self.awaited = [one for one in self.awaited if not goes(one[0], one[1])]
        return len(self.profiles) + len(self.awaited) < held

    def says(self, one: tuple[int, Wire, int], t: int, session: int) -> Bound | None:
        """What a profile says in a second; `session`: when the session began."""
        _, wire, came = one
        schedule = wire["chargingSchedule"]
        if "validFrom" in wire and t < seconds(wire["validFrom"]):
            return None
        if "validTo" in wire and t >= seconds(wire["validTo"]):
            return None
        if wire["chargingProfileKind"] != "Relative" and "startSchedule" in schedule:
            age = t - seconds(schedule["startSchedule"])
            if age < 0:
                return None
            if wire["chargingProfileKind"] == "Recurring":
                age %= 86_400 if wire["recurrencyKind"] == "Daily" else 604_800
        elif wire["chargingProfilePurpose"] == "ChargePointMaxProfile":
            age = t - max(came, seconds(wire["validFrom"]) if "validFrom" in wire else came)
        else:
            age = max(0, t - session)
        if age < 0 or ("duration" in schedule and age >= schedule["duration"]):
            return None
        row = [row for row in schedule["chargingSchedulePeriod"] if row["startPeriod"] <= age][-1]
        name = "ma" if schedule["chargingRateUnit"] == "A" else "mw"
        said = {name: round(row["limit"] * 1000), "phases": row.get("numberPhases")}
        if "minChargingRate" in schedule:
            said[f"least_{name}"] = round(schedule["minChargingRate"] * 1000)
        return Bound(**said)

    def purpose(self, purpose: str, connector: int, t: int, session: int) -> Bound | None:
        """What the highest level says that says anything."""
        for level in (3, 2, 1, 0):
            there = [one for one in self.profiles if one[1]["stackLevel"] == level
                     and one[1]["chargingProfilePurpose"] == purpose]  # fmt: skip
            own = [one for one in there if one[0] == connector]
            for one in own or [one for one in there if one[0] == 0]:
                said = self.says(one, t, session)
                if said is not None:
                    return said
        return None

    def at(self, connector: int, t: int, idle: int | None = None) -> Bound:
        """What a connector may draw; `idle`: when a session is taken to begin where none runs."""
        found = [self.purpose("ChargePointMaxProfile", 0, t, t)]
        if connector:
            _, began = self.sessions.get(connector, (0, t if idle is None else idle))
            own = None
            if connector in self.sessions:
                own = self.purpose("TxProfile", connector, t, began)
            found.append(own or self.purpose("TxDefaultProfile", connector, t, began))
        said = [bound for bound in found if bound is not None]

        def of(pick: Any, name: str) -> int | None:
            values = [getattr(bound, name) for bound in said if getattr(bound, name) is not None]
            return pick(values) if values else None

        return Bound(
            of(min, "ma"), of(min, "mw"), of(min, "phases"), of(max, "least_ma"),
            of(max, "least_mw"),
        )  # fmt: skip


def read(wire: Wire) -> Any:
    raw = msgspec.json.encode({"connectorId": 1, "csChargingProfiles": wire})
    return read_exactly(SetChargingProfile, raw).cs_charging_profiles


def played(day: list[tuple[int, Any]]) -> tuple[Profiles, Oracle, int]:
    """A day's doings on both; both say the same of each. The second at its end."""
    profiles, oracle, at = Profiles(CONNECTORS), Oracle(), T_S
    for pause, (what, *given_) in day:
        at += pause
        match what, given_:
            case "set", [connector, wire]:
                verdict = profiles.set(connector, read(wire), at + 0.5)
                assert (verdict.status == "Accepted") == oracle.set(connector, wire, at), verdict
            case "next", [connector, wire]:
                verdict = profiles.set_for_next(connector, "tag", read(wire), at)
                assert (verdict.status == "Accepted") == oracle.next(connector, wire, at), verdict
            case "began", [connector, transaction]:
                profiles.began(connector, transaction, at, "TAG")
                oracle.began(connector, transaction, at)
            case "ended", [connector, transaction]:
                profiles.ended(connector, transaction)
                oracle.ended(connector, transaction)
            case "clear", [asked]:
                answer = profiles.clear(ClearChargingProfile(**asked))
                assert (answer == "Accepted") == oracle.clear(asked)
        for connector in range(CONNECTORS + 1):
            assert profiles.bound(connector, at)[0] == oracle.at(connector, at)
    return profiles, oracle, at


moments = st.tuples(offsets, st.sampled_from([0, 0, 0, 86_400, 604_800])).map(
    lambda pair: T_S + sum(pair)
)


@settings(max_examples=80, deadline=None)
@given(days, st.lists(moments, min_size=1, max_size=6), st.floats(0, 0.99))
def test_what_holds_is_what_the_oracle_says_also_after_a_restart(
    day: list[tuple[int, Any]], asked: list[int], fraction: float
) -> None:
    profiles, oracle, _ = played(day)
    disk = msgspec.json.encode(profiles.kept())
    again = Profiles(CONNECTORS, msgspec.json.decode(disk, type=Kept))

    for t in asked:
        for connector in range(CONNECTORS + 1):
            bound, until = profiles.bound(connector, t + fraction)
            assert bound == oracle.at(connector, t)
            assert again.bound(connector, t) == (bound, until)


@settings(max_examples=60, deadline=None)
@given(days, moments, connectors, st.randoms(use_true_random=False))
def test_the_next_change_is_truly_the_next(
    day: list[tuple[int, Any]], now: int, connector: int, chance: Any
) -> None:
    profiles, oracle, _ = played(day)

    bound, until = profiles.bound(connector, now)

    end = now + LOOK_AHEAD_S if until is None else until
    one_by_one = range(now, min(end, now + SECONDS))
    far = [chance.randrange(now, end) for _ in range(40)] + [end - 1]
    assert {oracle.at(connector, t) for t in (*one_by_one, *far)} == {bound}
    if until is None:
        later = (end, end + 604_800, end + chance.randrange(10**7))
        assert {oracle.at(connector, t) for t in later} == {bound}
    elif until < now + LOOK_AHEAD_S:
        assert oracle.at(connector, until) != bound


def amount(bound: Bound, allowed: Bound, unit: str, supply: Supply) -> int:
    """In mA or mW what both allow, rounded down, by 7.12 alone."""
    phases = supply.phases
    if supply.switches and bound.phases is not None:
        phases = min(phases, bound.phases)
    watts_of_one = Fraction(supply.voltage_mv * phases, 1000)
    all_of_them: list[Fraction] = []
    for one in (bound, allowed):
        if one.ma is not None:
            all_of_them.append(one.ma * (1 if unit == "A" else watts_of_one))
        if one.mw is not None:
            all_of_them.append(one.mw / (watts_of_one if unit == "A" else Fraction(1)))
    return int(min(all_of_them))


@settings(max_examples=60, deadline=None)
@given(
    days, moments, connectors, st.integers(1, SECONDS) | st.just(2 * 86_400),
    st.sampled_from(["A", "W"]), st.sampled_from([Bound(ma=13_000), Bound(mw=5_000_000)]),
    st.builds(Supply, st.sampled_from([230_000, 239_900]), st.integers(1, 3), st.booleans()),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_what_is_read_back_is_what_holds_at_every_second(
    day: list[tuple[int, Any]], now: int, connector: int, duration: int, unit: Any,
    allowed: Bound, supply: Supply, chance: Any,
) -> None:  # fmt: skip
    profiles, oracle, _ = played(day)

    answer = profiles.composite(connector, now + 0.25, duration, unit, supply, allowed)

    assert seconds(answer.schedule_start or "") == now
    schedule = answer.charging_schedule
    assert schedule is not None
    assert schedule.duration == duration
    rows = schedule.charging_schedule_period
    assert all(row.start_period < later.start_period for row, later in pairwise(rows))
    ages = [*range(min(duration, SECONDS)), duration - 1]
    ages += [chance.randrange(duration) for _ in range(20)]
    for age in ages:
        due = amount(oracle.at(connector, now + age, now), allowed, unit, supply)
        if connector == 0:
            sockets_ = range(1, CONNECTORS + 1)
            due = min(due, sum(
                amount(oracle.at(n, now + age, now), allowed, unit, supply) for n in sockets_
            ))  # fmt: skip
        read_back = [row for row in rows if row.start_period <= age][-1].limit
        assert read_back == due // 100 / 10, age


@given(wires(), st.data())
def test_whatever_is_wrong_with_a_profile_it_is_taken_or_refused_with_words(
    wire: Wire, data: st.DataObject
) -> None:
    ints = st.integers(-(2**63), 2**63 - 1)
    schedule = wire["chargingSchedule"]
    for holder in (wire, schedule, schedule["chargingSchedulePeriod"][-1]):
        for key, value in holder.items():
            if isinstance(value, int) and data.draw(st.booleans()):
                holder[key] = data.draw(ints)
            elif isinstance(value, float) and data.draw(st.booleans()):
                holder[key] = data.draw(st.floats(allow_nan=False, allow_infinity=False))
            elif key in {"validFrom", "validTo", "startSchedule"} and data.draw(st.booleans()):
                holder[key] = data.draw(st.text(max_size=25) | st.sampled_from(
                    ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00"]
                ))  # fmt: skip
    profiles = Profiles(CONNECTORS)
    profiles.began(1, 7, T_S)

    verdict = profiles.set(data.draw(connectors), read(wire), T_S)

    if verdict.status == "Rejected":
        assert verdict.reason.startswith("expected ")
        assert " - at $." in verdict.reason
        assert profiles.kept().profiles == ()
    for connector in range(CONNECTORS + 1):
        profiles.bound(connector, T_S)
        answer = profiles.composite(connector, T_S, 3600, "A", Supply(230_000), Bound(ma=32_000))
        msgspec.json.encode((answer, profiles.kept()))

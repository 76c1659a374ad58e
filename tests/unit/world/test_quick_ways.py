"""What the world does the quick way is what it would do the slow way."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.world import Car
from tools.world.oracle import Oracle
from tools.world.profiles import Book, Running, read_profile
from tools.world.schemas import CALL, RESULT, exact, quick, validator, wrongs

ACTIONS = ("Authorize", "BootNotification", "MeterValues", "SetChargingProfile",
           "StartTransaction", "StatusNotification", "StopTransaction")  # fmt: skip
GOOD: dict[str, Any] = {
    "Authorize": {"idTag": "TAG1"},
    "BootNotification": {"chargePointVendor": "V", "chargePointModel": "M"},
    "MeterValues": {"connectorId": 1, "meterValue": [{
        "timestamp": "2026-06-15T12:00:00Z", "sampledValue": [{"value": "1", "unit": "A"}]}]},
    "SetChargingProfile": {"connectorId": 1, "csChargingProfiles": {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.6, "numberPhases": 3}]}}},
    "StartTransaction": {"connectorId": 1, "idTag": "T", "meterStart": 0,
                         "timestamp": "2026-06-15T12:00:00Z"},
    "StatusNotification": {"connectorId": 1, "errorCode": "NoError", "status": "Available"},
    "StopTransaction": {"transactionId": 1, "meterStop": 5, "timestamp": "2026-06-15T12:00:00Z"},
}  # fmt: skip
JUNK: tuple[Any, ...] = (None, True, 3, -1, 16.65, 16.6, "", "x" * 60, "Charging", [], {}, [{}])


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else (
        enumerate(tree) if isinstance(tree, list) else ()
    )
    for key, item in items:
        found.extend(places(item, (*path, key)))
    return found


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place; `KeyError` takes it out."""
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if len(path) == 1 and value is KeyError:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], value)
    return copy


@pytest.mark.parametrize("action", ACTIONS)
def test_the_quick_judge_never_lets_pass_what_the_schema_forbids(action: str) -> None:
    judge = validator(CALL, action)
    assert judge is not None
    is_right = quick(judge.schema)
    assert is_right is not None
    good = GOOD[action]
    assert is_right(good)
    assert wrongs(CALL, action, good) == []
    for path in places(good):
        for value in (*JUNK, KeyError):
            frame = changed(good, path, value)
            if is_right(frame):
                assert list(judge.iter_errors(exact(frame))) == [], (path, value)
        frame = changed(good, path[:-1], {"surprise": 1}) if path[:-1] else {"surprise": 1}
        assert wrongs(CALL, action, frame) != []


def test_a_schema_with_words_it_does_not_know_is_left_to_the_slow_judge() -> None:
    assert quick({"type": "object", "properties": {"a": {"$ref": "#/definitions/A"}},
                  "additionalProperties": False}) is None  # fmt: skip
    assert quick({"type": "string", "pattern": "^a"}) is None
    assert wrongs(RESULT, "NoSuchAction", {}) != []


def profile(limit: float, **more: Any) -> dict[str, Any]:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [
        {"startPeriod": 0, "limit": limit}, {"startPeriod": 180, "limit": 6}]}  # fmt: skip
    return {"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative", "chargingSchedule": schedule, **more}  # fmt: skip


@given(
    starts=st.lists(st.integers(0, 600), max_size=4),
    began=st.integers(0, 500),
    kinds=st.lists(st.sampled_from(["Relative", "Absolute"]), min_size=4, max_size=4),
)
def test_a_limit_stands_until_the_turn_that_the_book_names(
    starts: list[int], began: int, kinds: list[str]
) -> None:
    book = Book(3, 32_000)
    for number, start in enumerate(starts):
        said = profile(10.0 + number, chargingProfileId=number, stackLevel=number)
        said["chargingProfileKind"] = kinds[number]
        said["validTo"] = f"1970-01-01T00:{10 + number}:00Z"
        if kinds[number] == "Absolute":
            said["chargingSchedule"]["startSchedule"] = f"1970-01-01T00:{start // 60:02d}:00Z"
            said["chargingSchedule"]["duration"] = 300
        book.install(read_profile(1, said, float(start)))
    running = Running(7, float(began))
    now = float(began)
    for _ in range(40):
        turn = book.next_turn(now, running)
        limit = book.limit(1, now, running)
        last = min(turn, now + 2_000.0) - 0.001
        assert book.limit(1, (now + last) / 2, running) == limit
        assert book.limit(1, last, running) == limit
        if turn == math.inf:
            break
        assert turn > now
        now = turn
    else:
        pytest.fail("the turns have no end")


@pytest.mark.parametrize("seed", range(5))
def test_a_car_at_rest_charges_as_one_that_is_reckoned_anew_each_step(seed: int) -> None:
    chance = random.Random(seed)
    quick_car, slow_car = Car(soc=0.5), Car(soc=0.5)
    for _ in range(400):
        pilot = chance.choice((16_000, 16_000, 16_000, 10_000, 0, 32_000))
        if chance.random() < 0.05:
            most = chance.choice((8_000, 16_000, 32_000))
            quick_car.max_ma = slow_car.max_ma = most
        for _ in range(20):
            slow_car._steady = None
            volts = (230_000, 231_000, 229_000)
            assert quick_car.step(pilot, 3, volts, 1.0) == slow_car.step(pilot, 3, volts, 1.0)
            assert quick_car.soc == slow_car.soc


def test_what_is_passed_under_an_excuse_is_not_counted_as_passed() -> None:
    oracle = Oracle()
    oracle.set_limit("site", (10_000, 10_000, 10_000))
    for second in range(30):
        oracle.excuse = second < 15
        oracle.note({"site": (12_000, 0, 0)}, (12_000, 0, 0), 1.0)

    assert oracle.over == ("site",)
    assert oracle.excused_s == 10.0  # the first five are lawful in any case
    assert oracle.limit_exceeded_s == 15.0
    assert oracle.worst_load() == ("site L1", 120.0)
    assert oracle.seconds == 30.0


def test_a_building_that_is_over_alone_warms_no_fuse_of_ours() -> None:
    oracle = Oracle()
    oracle.set_limit("site", (10_000, 10_000, 10_000))
    for _ in range(600):
        oracle.note({"site": (20_000, 0, 0)}, (0, 0, 0), 1.0)

    assert oracle.building_over_s == 600.0
    assert oracle.fuse_percent_max() < 80.0
    assert oracle.over == ()


def test_what_a_charger_draws_that_does_wrong_is_not_held_against_those_beside_it() -> None:
    oracle = Oracle()
    oracle.set_limit("site", (10_000, 10_000, 10_000))
    oracle.set_limit("Row", (10_000, 10_000, 10_000))
    oracle.wrong_ma = {"site": (3_000, 0, 0)}
    for _ in range(30):
        oracle.note({"site": (12_000, 0, 0)}, (12_000, 0, 0), 1.0)
    assert oracle.limit_exceeded_s == 0

    for _ in range(15):
        oracle.note({"site": (14_000, 0, 0)}, (14_000, 0, 0), 1.0)
    assert oracle.limit_exceeded_s == 10, "by what the others draw alone"
    for _ in range(15):
        oracle.note({"site": (12_000, 0, 0), "Row": (12_000, 0, 0)}, (12_000, 0, 0), 1.0)
    assert oracle.limit_exceeded_s == 20, "below another limit nobody does wrong"


def test_a_charger_that_does_wrong_alone_warms_its_fuse_until_it_trips() -> None:
    oracle = Oracle()
    oracle.set_limit("site", (10_000, 10_000, 10_000))
    oracle.wrong_ma = {"site": (20_000, 0, 0)}
    for _ in range(600):
        oracle.note({"site": (20_000, 0, 0)}, (20_000, 0, 0), 1.0)

    assert oracle.fuse_percent_max() > 100.0

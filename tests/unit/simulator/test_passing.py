"""As if nobody stood between: what differs in a byte, an id, the order, or comes too often."""

from __future__ import annotations

import json

import pytest
from tools.simulator.passing import disciplined, passed, returned
from tools.world.csms_book import Asked, Book
from tools.world.reported import Reported

BOOT = '[2, "b1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]'
STATUS = '[2, "s1", "StatusNotification", {"connectorId": 1, "status": "Available"}]'
VALUES = '[2, "v1", "MeterValues", {"connectorId": 1, "transactionId": 4, "meterValue": []}]'
STOP = '[2, "e1", "StopTransaction", {"transactionId": 4, "meterStop": 1.50}]'
SAID = (BOOT, STATUS, VALUES, STOP)


class Both:
    """A charger that said all of SAID and was answered, and a CSMS that a test tells something."""

    def __init__(self) -> None:
        self.reported = Reported("C1")
        self.reported.keeps_frames = True
        self.book = Book()
        for text in SAID:
            self.reported.framed(0.0, 1, "out", text)
            self.reported.framed(0.0, 1, "in", json.dumps([3, json.loads(text)[1], {}]))

    def told(self, *texts: str, is_live: bool = False) -> list[str]:
        """What is wrong where the CSMS is told this."""
        for number, text in enumerate(texts):
            frame = json.loads(text)
            self.book.note(float(number), "C1", 1, frame[1], frame[2], text)
        found = passed([self.reported], self.book, is_live=is_live)
        assert {one.invariant for one in found} <= {"passing"}
        return [one.state["what"] for one in found]


def test_what_was_said_is_told_as_it_was() -> None:
    assert Both().told(*SAID, is_live=True) == []


def test_how_a_frame_is_spaced_around_its_payload_is_nobodys_business() -> None:
    spaced = STATUS.replace('[2, "s1", ', '[2,"s1",')
    assert Both().told(BOOT, spaced, VALUES, STOP, is_live=True) == []


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (BOOT, BOOT.replace('"M"', '"N"')),
        (STATUS, STATUS.replace(": 1,", ":1,")),
        (STOP, STOP.replace("1.50", "1.5")),
    ],
)
def test_a_byte_of_a_payload_that_changed_is_found(was: str, now: str) -> None:
    [what] = Both().told(*(now if text == was else text for text in SAID))
    assert what.startswith("the payload was changed")
    assert was in what


def test_where_an_id_is_translated_the_other_judge_looks() -> None:
    assert Both().told(BOOT, STATUS, VALUES, STOP.replace(": 4", ": 71")) == []


def test_an_id_that_the_charger_did_not_give_is_found() -> None:
    [what] = Both().told(BOOT, STATUS, VALUES, STOP.replace("e1", "e2"))
    assert what == "a call has an id that its charger did not give it"


def test_a_boot_and_a_status_may_be_told_once_more_as_they_were() -> None:
    assert Both().told(BOOT.replace("b1", "x1"), STATUS.replace("s1", "x2")) == []
    other = STATUS.replace("s1", "x2").replace("Available", "Charging")
    assert Both().told(other) == ["what its charger never said"]


def test_on_links_that_stand_the_order_is_the_same_and_all_is_there() -> None:
    [what] = Both().told(STATUS, BOOT, VALUES, STOP, is_live=True)
    assert what.startswith("it comes after")
    assert Both().told(BOOT, STATUS, STOP, is_live=True) == []  # samples may be thinned
    assert Both().told(BOOT, VALUES, STOP, is_live=True) == ["it was answered and not passed on"]
    assert Both().told(BOOT, VALUES, STOP) == []


# -- the other way ---------------------------------------------------------------------------------


def asked(action: str, payload: str, said: str = '{"status": "Accepted"}') -> Asked:
    made = Asked(0.0, "C1", 1, "c1", action, f'[2, "c1", "{action}", {payload}]')
    made.answer, made.said = json.loads(said), f'[3, "c1", {said}]'
    return made


def wrong(one: Asked, *frames: tuple[str, str]) -> list[str]:
    reported, book = Reported("C1"), Book()
    reported.keeps_frames = True
    for way, text in frames:
        reported.framed(0.0, 1, "in" if way == "in" else "out", text)
    book.asked.append(one)
    return [found.state["what"] for found in returned([reported], book)]


RESET = ("in", '[2,"l7","Reset",{"type": "Soft"}]')
YES = ("out", '[3,"l7",{"status": "Accepted"}]')


def test_a_call_reaches_the_charger_and_its_own_answer_returns() -> None:
    one = asked("Reset", '{"type": "Soft"}')
    assert wrong(one, RESET, YES) == []
    assert wrong(one, RESET) == ["a call was answered that its charger did not answer"]
    assert wrong(one) == ["a call was answered that never reached its charger"]
    assert wrong(asked("Reset", '{"type": "Hard"}'), RESET, YES) == [
        "a call was answered that never reached its charger"
    ]
    [what] = wrong(one, RESET, ("out", '[3,"l7",{"status": "Rejected"}]'))
    assert what.startswith("the answer was changed")


def test_what_was_not_answered_or_is_answered_by_linkray_needs_no_charger() -> None:
    assert wrong(asked("SetChargingProfile", "{}")) == []
    one = asked("Reset", '{"type": "Soft"}')
    one.answer, one.error = None, "GenericError"
    assert wrong(one) == []


def test_the_id_of_a_transaction_may_be_translated_on_its_way_to_the_charger() -> None:
    stop = ("in", '[2,"l7","RemoteStopTransaction",{"transactionId": 4}]')
    assert wrong(asked("RemoteStopTransaction", '{"transactionId": 71}'), stop, YES) == []


def test_frames_that_are_none_mean_nothing() -> None:
    one = asked("Reset", '{"type": "Soft"}')
    assert wrong(one, ("in", "[2"), ("in", "[2]"), ("in", "{}"), RESET, YES) == []


# -- attempts --------------------------------------------------------------------------------------


def test_inv_17_two_attempts_within_a_minute_are_found() -> None:
    book = Book()
    for at, charger in ((0.0, "C1"), (30.0, "C2"), (60.0, "C1"), (119.0, "C1"), (119.5, "")):
        book.knock(at).charger = charger
    [found] = disciplined(book, seed=4)
    assert (found.seed, found.time, found.invariant) == (4, 119.0, "INV-17")
    assert found.state["before"] == 60.0

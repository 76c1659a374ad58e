"""What the log and the API say of an offer is what the pages say, word for word."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from linkray.model import causes
from linkray.model.causes import CAUSES, filled, nth, sentence
from linkray.model.plan import Ceiling, Code, Reason
from linkray.model.units import ZERO

UI = Path(__file__).parents[2] / "firmware/linkray/faces/web/ui/src"
EN: dict[str, str] = json.loads((UI / "lang/en.json").read_text())
CODES: tuple[Code, ...] = get_args(Code)
FULL = {
    "phase": "L2", "group": "Row 2", "charger": "C1", "connector": 2, "place": 3, "seconds": 3_700,
}  # fmt: skip
NAMES = {"C1": "Bay 1"}


@pytest.mark.parametrize("code", CODES)
def test_every_cause_has_the_words_of_the_pages(code: Code) -> None:
    assert CAUSES[code] == EN[f"why.{code}"]


def test_the_words_around_the_causes_are_those_of_the_pages_too() -> None:
    assert (EN["why.lost"], EN["why.held"]) == (causes.LOST, causes.HELD)
    assert {name: EN[f"line.{name}"] for name in causes.LINES} == causes.LINES
    assert {
        key.removeprefix("by."): text for key, text in EN.items()
        if key.startswith("by.") and key != "by.at"
    } == causes.WHO  # fmt: skip
    assert EN["by.at"] == causes.AT
    assert EN["time.soon"] == causes.SOON
    assert EN["time.about"] == causes.ABOUT
    assert [nth(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102)] == [
        filled(EN[f"nth.{form}"], {"v": n})
        for n, form in ((1, "one"), (2, "two"), (3, "few"), (4, "other"), (11, "other"),
                        (12, "other"), (13, "other"), (21, "one"), (102, "two"))
    ]  # fmt: skip
    assert causes.duration(95) == filled(EN["time.s"], {"v": 95})
    assert causes.duration(3_700) == " ".join(
        (filled(EN["time.h"], {"v": 1}), filled(EN["time.min"], {"v": 1}))
    )
    assert causes.duration(90_000) == " ".join(
        (filled(EN["time.d"], {"v": 1}), filled(EN["time.h"], {"v": 1}))
    )


def test_the_pages_read_no_parameter_that_a_sentence_does_not_know() -> None:
    asked = {name for text in CAUSES.values() for name in re.findall(r"\{(\w+)\}", text)}
    assert asked <= set(causes._params(Reason("turn"), {}, None))
    assert '"why.held"' in (UI / "why.ts").read_text()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("given", [{}, FULL], ids=["bare", "full"])
def test_a_sentence_is_whole_with_and_without_its_parameters(
    code: Code, given: dict[str, object]
) -> None:
    reason = Reason(code, **given, by="Assembler")  # type: ignore[arg-type]
    said = sentence(reason, names=NAMES)

    assert said
    assert not re.search(r"[\[\]{}]|None|  |^ | $", said), said
    if code != "emergency_stop":  # a ceiling does not say who did it
        ceiling = Ceiling(code, ZERO, True, **given)  # type: ignore[arg-type]
        assert sentence(ceiling, names=NAMES) == said


@pytest.mark.parametrize(("reason", "said"), [
    (Reason("group_limit", group="Level 2", phase="L1"), "shared cable Level 2, L1"),
    (Reason("group_limit"), "shared cable"),
    (Reason("turn", place=2, phase="L1", group="North", seconds=130),
     "paused: 2nd in line on L1 of North; its turn at the latest in about 3 min"),
    (Reason("turn", place=1, charger="C1", seconds=20),
     "paused: 1st in line on the supply of Bay 1; its turn at the latest in less than a minute"),
    (Reason("turn", place=11, phase="L3"), "paused: 11th in line on L3 of the site"),
    (Reason("wait_for_cut", charger="C2", connector=1),
     "waits until C2, connector 1, has come down"),
    (Reason("schedule", seconds=119), "a time without charging, for 119 s"),
    (Reason("emergency_stop", by="key:3 at 2026-11-21T09:03:35Z"),
     "all charging is stopped by the API (key 3) at 2026-11-21T09:03:35Z"),
    (Reason("emergency_stop", by="UI"), "all charging is stopped by the pages"),
    (Reason("emergency_stop", by="Jo"), "all charging is stopped by Jo"),
    (Reason("degraded_limit", phase="L1"), "meter silent: degraded limit on L1"),
])  # fmt: skip
def test_causes_as_people_read_them(reason: Reason, said: str) -> None:
    assert sentence(reason, names=NAMES) == said


def test_a_meter_that_is_back_and_a_charger_that_is_away_have_words_of_their_own() -> None:
    held = Reason("degraded_limit", phase="L1", seconds=40)
    assert sentence(held, until="2026-11-22T12:00:40Z") == (
        "the meter is back; its degraded limit on L1 still holds until 2026-11-22T12:00:40Z"
    )
    assert sentence(Reason("fail_safe"), lost=True) == "it is not connected"
    assert sentence(Reason("fail_safe")) == "fail-safe until all is known"
    assert sentence(Reason("not_adopted"), lost=True) == "not adopted yet"

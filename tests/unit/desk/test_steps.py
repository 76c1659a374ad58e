"""The wizard's steps: what is kept of them, and what comes before the last (web.md, Wizard)."""

from __future__ import annotations

import msgspec
import pytest

from linkray.desk.steps import noted, walk_of
from linkray.model.asks import Answer, NoteStep, Who
from linkray.model.views import CommissioningWalk, StepEnded

WHO = Who("Installer", 2)
AT = "2026-06-15T12:00:00.000Z"


def walked(*steps: str) -> CommissioningWalk:
    walk = CommissioningWalk()
    for step in steps:
        walk = noted(walk, NoteStep(step), WHO, AT)  # type: ignore[arg-type, assignment]
        assert isinstance(walk, CommissioningWalk)
    return walk


def test_a_step_says_who_ended_it_and_when_and_outlives_its_keeping() -> None:
    walk = walk_of(msgspec.json.encode(walked("language", "site")).decode())

    assert walk.ended == dict.fromkeys(("language", "site"), StepEnded("Installer", AT))


def test_a_step_that_is_opened_again_is_not_ended() -> None:
    walk = noted(walked("meter", "site"), NoteStep("meter", done=False), WHO, AT)

    assert isinstance(walk, CommissioningWalk)
    assert set(walk.ended) == {"site"}


@pytest.mark.parametrize("before", [(), ("site",), ("passwords",), ("language", "meter")])
def test_the_check_is_not_ended_before_passwords_and_site(before: tuple[str, ...]) -> None:
    refused = noted(walked(*before), NoteStep("check"), WHO, AT)

    assert isinstance(refused, Answer)
    assert not refused.ok
    for step in {"passwords", "site"} - set(before):
        assert step in refused.text.split("check, ")[1]


def test_all_other_steps_may_be_left_out() -> None:
    assert set(walked("passwords", "site", "check").ended) == {"passwords", "site", "check"}


@pytest.mark.parametrize("kept", [None, "", "{", '{"ended": {"tea": {"by": "", "at": ""}}}', "[]"])
def test_what_cannot_be_read_is_begun_anew(kept: str | None) -> None:
    assert walk_of(kept) == CommissioningWalk()

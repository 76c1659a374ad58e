"""Restarts: what is remembered of the starts, and what waits for the last car."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from linkray.model.asks import ActAtCharger, Restart, Who
from linkray.upkeep import restarts
from linkray.upkeep.restarts import STARTS_KEPT, UNKNOWN, Waiting, began, ended

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
WHO = Who("Installer", 2)
ANYWAY = Restart("control")
IDLE = Restart("control", when_idle=True)


def kept(starts) -> str:
    return msgspec.json.encode(starts).decode()


def test_a_start_says_how_the_one_before_it_had_ended_and_which_version_it_was():
    first = began(None, None, "1.0", "T1")
    second = began(kept(first), ended(first, "restart asked for by Installer"), "1.0", "T2")
    third = began(kept(second), ended(first, "of another start"), "1.1", "T3")

    assert [one.why for one in third] == [
        UNKNOWN, "restart asked for by Installer", "the first start that is known",
    ]  # fmt: skip
    assert [one.updated_from for one in third] == ["1.0", "", ""]


@pytest.mark.parametrize("broken", ["", "[", '{"at": 1}', "[1]"])
def test_what_cannot_be_read_of_former_starts_is_begun_anew(broken):
    assert len(began(broken, None, "1.0", "T1")) == 1


def test_the_newest_starts_are_kept():
    starts: tuple[restarts.Began, ...] = ()
    for number in range(STARTS_KEPT + 5):
        starts = began(kept(starts), ended(starts, "told to end"), "1.0", f"T{number}")

    assert len(starts) == STARTS_KEPT
    assert starts[0].at == f"T{STARTS_KEPT + 4}"


def taken(waiting: Waiting, sessions: dict[str, int]) -> list:
    return [ask for ask, _who in waiting.take(sessions, {"CP1", "CP2"}.__contains__)]


def test_control_starts_anew_at_once_or_when_no_session_runs_anywhere():
    waiting = Waiting()
    waiting.put(IDLE, WHO, NOW)
    assert taken(waiting, {"CP2": 1}) == []
    assert waiting.listed()[0].by == "Installer"
    assert taken(waiting, {}) == [IDLE]
    assert not waiting

    waiting.put(IDLE, WHO, NOW)
    waiting.put(ANYWAY, WHO, NOW)
    assert taken(waiting, {"CP2": 1}) == [ANYWAY]


def test_a_charger_waits_for_its_own_sessions_alone_and_is_dropped_when_it_is_forgotten():
    waiting = Waiting()
    mine = ActAtCharger("CP1", "reset_hard", when_idle=True)
    gone = ActAtCharger("CP9", "reset_soft", when_idle=True)
    waiting.put(mine, WHO, NOW)
    waiting.put(gone, WHO, NOW)

    assert taken(waiting, {"CP1": 1, "CP9": 1}) == []
    assert [(one.charger, one.kind) for one in waiting.listed()] == [("CP1", "reset_hard")]
    assert taken(waiting, {"CP2": 3}) == [mine]


def test_what_waits_can_be_called_off_once():
    waiting = Waiting()
    waiting.put(IDLE, WHO, NOW)

    assert waiting.drop("")
    assert not waiting.drop("")
    assert taken(waiting, {}) == []

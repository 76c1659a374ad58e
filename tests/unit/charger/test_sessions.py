"""A charger's transactions by themselves: repeats, guesses, orphans, what is remembered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from linkray.charger.sessions import REMEMBERED_MAX, Sessions
from linkray.model.records import (
    Transaction,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.tags import Decision
from linkray.ocpp.messages import StartTransaction, StopTransaction

UTC_NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
YES = Decision("Accepted", "open")


def start(connector: int = 1, meter: int = 0, stamp: str = "2026-06-15T11:59:00Z"):
    return StartTransaction(connector, "TAG", meter, stamp)


def stop(transaction: int, meter: int | None = 10, stamp: str = "2026-06-15T12:00:00Z"):
    return StopTransaction(meter, stamp, transaction)


def begun(sessions: Sessions, transaction: int = 1, **how: object):
    return sessions.begin(start(**how), transaction, YES, now=0.0, utc=UTC_NOW, name="Yard")


def test_a_believable_time_of_the_charger_is_taken_and_what_it_wrote_is_kept() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)

    _run, _older, records = begun(sessions)

    began = records[0]
    assert isinstance(began, TransactionBegan)
    assert (began.started, began.given) == ("2026-06-15T11:59:00.000Z", "2026-06-15T11:59:00Z")
    assert began.friendly_name == "Yard"


def test_p5_a_session_that_waited_in_its_charger_is_as_old_as_that_counts_it() -> None:
    """Its Relative schedule began with it: told as if new, its fail-safe would rule at once."""
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    run, _older, _records = begun(sessions, stamp="2026-06-15T11:40:00Z")
    assert (run.since, run.heard_at, run.doubt_s) == (-1_200.0, 0.0, 1_200.0)

    run, _older, _records = begun(sessions, 3, connector=3, stamp="2026-06-15T11:59:30Z")
    assert (run.since, run.order) == (-30.0, UTC_NOW.timestamp()), "in the order as it came"

    run, _older, _records = begun(sessions, 2, connector=2, stamp="2026-06-15T11:59:50Z")
    assert (run.since, run.doubt_s) == (0.0, 0.0), "the way there, and clocks"


def test_p5_the_age_of_a_session_follows_a_clock_that_we_told_to_be_ahead() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW, ahead_s=3_600.0)
    run, _older, _records = begun(sessions, stamp="2026-06-15T12:40:00Z")
    assert run.since == -1_200.0


def test_c28_a_session_of_a_charger_whose_clock_is_known_to_be_behind_is_no_older_for_it() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    run, _older, _records = sessions.begin(
        start(stamp="2026-06-15T09:40:00Z"), 1, YES, now=0.0, utc=UTC_NOW, name="",
        behind_s=7_200.0,
    )  # fmt: skip
    assert (run.since, run.doubt_s) == (-1_200.0, 1_200.0)


def test_c28_a_session_of_a_clock_that_is_known_to_be_far_off_is_as_old_as_it_is() -> None:
    for given, behind_s, age_s in (
        ("2026-06-16T02:00:00Z", -50_400.0, 0.0), ("2026-06-16T01:40:00Z", -50_400.0, 1_200.0),
        ("1970-01-01T00:00:00Z", 0.0, 0.0), ("yesterday", -50_400.0, 0.0),
    ):  # fmt: skip
        sessions = Sessions("CP1", (), 0.0, UTC_NOW)
        run, _older, _records = sessions.begin(
            start(stamp=given), 1, YES, now=0.0, utc=UTC_NOW, name="", behind_s=behind_s
        )
        assert -run.since == age_s, given
        assert UTC_NOW.timestamp() - run.order == age_s, "its record and its place in the order"


def test_c28_a_clock_that_shows_itself_behind_makes_a_session_younger_and_never_older() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    run, _older, _records = begun(sessions, stamp="2026-06-15T10:00:00Z")
    assert run.since == -7_200.0
    sessions.clock_is(7_199.0)
    assert (run.since, run.doubt_s) == (0.0, 0.0)
    sessions.clock_is(0.0)  # a heartbeat has set it right
    assert (run.since, run.doubt_s) == (0.0, 0.0)


def test_p5_the_age_of_a_session_is_in_doubt_also_on_a_link_that_finds_it_running() -> None:
    before = Sessions("CP1", (), 0.0, UTC_NOW)
    begun(before, stamp="2026-06-15T10:00:00Z")
    kept = Transaction(1, "CP1", 1, "TAG", "2026-06-15T10:00:00.000Z", "2026-06-15T10:00:00Z", 0)
    later = UTC_NOW + timedelta(seconds=600)

    found = Sessions("CP1", (kept,), 600.0, later, doubted=before.doubted())
    run = found.running[1]
    assert (run.since, run.doubt_s) == (-7_200.0, 7_200.0)
    assert found.doubted() == before.doubted()
    found.clock_is(7_199.0)
    assert (run.since, run.doubt_s) == (0.0, 0.0)


def test_c28_a_time_that_cannot_be_is_replaced_by_ours_and_kept_as_given() -> None:
    for given in ("1970-01-01T00:00:00Z", "2026-06-16T02:00:00Z", "yesterday", ""):
        sessions = Sessions("CP1", (), 0.0, UTC_NOW)

        _run, _older, records = begun(sessions, stamp=given)

        assert records[0].started == "2026-06-15T12:00:00.000Z", given
        assert records[0].given == given


def test_each_connector_has_a_session_of_its_own() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    begun(sessions, 1, connector=1)
    begun(sessions, 2, connector=2)

    ending = sessions.end(stop(1), UTC_NOW)

    assert ending.run is not None
    assert ending.run.connector == 1
    assert set(sessions.running) == {2}


def test_a_session_given_up_leaves_its_last_sample_and_may_still_end_by_itself_once() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    run, _older, _records = begun(sessions, meter=100)
    run.register_wh = 700

    records = sessions.give_up(run, UTC_NOW)
    own_word = sessions.end(stop(1, 720), UTC_NOW)
    again = sessions.end(stop(1, 720), UTC_NOW)

    assert [type(r) for r in records] == [TransactionSampled, TransactionEnded]
    assert [r.meter_stop_wh for r in own_word.records] == [720]
    assert own_word.run is None
    assert again.records == ()


def test_c12_energy_is_what_the_register_gained_and_never_less_than_nothing() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    run, _older, _records = begun(sessions, meter=1000)

    assert run.energy_wh == 0
    run.register_wh = 1500
    assert run.energy_wh == 500
    run.register_wh = 20
    assert run.energy_wh == 0


def test_what_is_remembered_has_a_limit() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    for number in range(10 * REMEMBERED_MAX):
        begun(sessions, number, meter=number)
        sessions.end(stop(number), UTC_NOW)
        sessions.end(stop(-number - 1), UTC_NOW)

    kept = (sessions._starts, sessions._ends, sessions._orphans)

    assert [len(each) for each in kept] == [REMEMBERED_MAX] * 3


def test_the_order_of_fifo_is_the_order_of_the_starts_in_utc() -> None:
    sessions = Sessions("CP1", (), 0.0, UTC_NOW)
    first, _, _ = begun(sessions, 1, connector=1, stamp="2026-06-15T10:00:00Z")
    second, _, _ = begun(sessions, 2, connector=2, stamp="2026-06-15T11:00:00Z")

    assert second.order - first.order == timedelta(hours=1).total_seconds()

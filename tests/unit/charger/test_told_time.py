"""The time that a charger is told: ours, but without a jump while it charges (INV-5, T2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.unit.charger import person
from tests.unit.charger.person import Played

from linkray.charger.told_time import ToldTime
from linkray.charger.wire import Gone, Record
from linkray.model.facts import Booted, OfferAnswered
from linkray.model.records import ChargerSeen, Transaction, TransactionBegan, TransactionEnded

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize("step_s", [-3600.0, -8.0, 9.46e8])
def test_a_jump_waits_until_nothing_charges(step_s: float) -> None:
    time = ToldTime()
    time.tell(NOON, 0.0, is_charging=False)

    assert time.tell(later(60 + step_s), 60.0, is_charging=True) == later(60)
    assert time.off_at(later(90 + step_s), 90.0) == -step_s
    assert time.tell(later(120 + step_s), 120.0, is_charging=False) == later(120 + step_s)
    assert time.off_s == 0.0


def test_what_a_clock_is_slewed_by_is_told_at_once() -> None:
    time = ToldTime()
    time.tell(NOON, 0.0, is_charging=True)

    assert time.tell(later(60.4), 60.0, is_charging=True) == later(60.4)


def test_what_was_told_before_a_restart_goes_on() -> None:
    time = ToldTime(off_s=3600.0)

    assert time.tell(NOON, 5.0, is_charging=True) == later(3600)
    assert time.tell(later(60), 65.0, is_charging=True) == later(3660)


def test_t2_a_step_between_a_restart_and_its_first_word_is_kept_from_it() -> None:
    """flats63, seed 904: ours went back to where the charger's was, which then went back as far."""
    time = ToldTime(off_s=-9.46e8)
    time.goes_on(later(9.46e8), 0.0, -9.46e8)

    assert time.tell(later(20), 20.0, is_charging=True) == later(20)
    assert time.off_s == 0.0


class Stepped(Played):
    """A charger whose box has its wall clock set."""

    def set_clock(self, monkeypatch: pytest.MonkeyPatch, by_s: float) -> None:
        monkeypatch.setattr(person, "ZERO_AT", person.ZERO_AT + timedelta(seconds=by_s))


@pytest.fixture
def charging() -> Stepped:
    played = Stepped()
    played.commission()
    played.status("Charging")
    played.start()
    played.offer(16_000, 1, session=True)
    played.yes()
    return played


def beat(played: Played) -> datetime:
    return datetime.fromisoformat(played.ask("Heartbeat", {})[2]["currentTime"])


def test_t2_a_heartbeat_in_a_session_does_not_set_the_charger_s_clock(
    charging: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, since = beat(charging), charging.now
    charging.set_clock(monkeypatch, -3600.0)
    charging.wait(60)

    assert beat(charging) == before + timedelta(seconds=charging.now - since)
    seen = charging.records(ChargerSeen)[-1]
    assert seen.clock_off_s == pytest.approx(3600.0)


def test_t2_records_carry_our_time_and_the_clock_is_set_when_the_session_is_over(
    charging: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    charging.set_clock(monkeypatch, -3600.0)
    charging.wait(60)
    held = beat(charging)
    began = charging.records(TransactionBegan)[-1]

    charging.stop(began.id, stamp=f"{held:%Y-%m-%dT%H:%M:%SZ}")

    ended = charging.records(TransactionEnded)[-1]
    assert ended.ended.startswith(f"{person.utc(charging.now):%Y-%m-%dT%H:%M}")
    assert beat(charging) == person.utc(charging.now)
    assert charging.records(ChargerSeen)[-1].clock_off_s == 0.0


def test_t2_values_of_a_charger_whose_clock_is_held_are_of_now(
    charging: Stepped, monkeypatch: pytest.MonkeyPatch
) -> None:
    charging.set_clock(monkeypatch, 3600.0)
    held = beat(charging)

    charging.meter(12.0, stamp=f"{held:%Y-%m-%dT%H:%M:%SZ}")

    assert charging.facts()  # told at once, not taken for hours old


def found(
    *, started: float, given: float, sampled: float | None = None, seen: ChargerSeen | None = None
) -> Played:
    """A new process finds a session running; the times are our wall clock's less its zero."""
    kept = Transaction(
        id=77, charger="CP1", connector=1, tag="TAG", started=person.at(started),
        given=person.at(given), meter_start_wh=1000,
        sampled=None if sampled is None else person.at(sampled),
    )  # fmt: skip
    return Stepped(kept=(kept,), seen=seen)


def ends_s(played: Played) -> int:
    """When the offer ends that it is told, from the start of its session on its clock."""
    played.offer(16_000, 1, session=True)
    told = played.calls[-1][2]["csChargingProfiles"]["chargingSchedule"]
    return int(told["chargingSchedulePeriod"][1]["startPeriod"])


def test_t2_a_clock_set_back_before_a_restart_does_not_set_the_charger_s_back_in_its_session(
) -> None:
    played = found(started=86_400.0, given=86_400.0)  # at 100 s it began a day later than now
    assert ends_s(played) == 180
    played.wait(10)

    held = beat(played)

    assert held == person.utc(86_410)  # its schedule has begun, and goes on
    assert played.records(ChargerSeen)[-1].clock_off_s == pytest.approx(86_300.0)


def test_t2_a_session_begun_on_a_clock_that_is_held_is_as_old_after_a_restart() -> None:
    held = ChargerSeen("CP1", clock_off_s=3600.0)

    assert ends_s(found(started=40.0, given=3640.0, seen=held)) == 60 + 180  # begun while held
    assert ends_s(found(started=40.0, given=40.0, seen=held)) == 3660 + 180  # before the step


def test_t2_a_session_begun_while_our_clock_was_set_back_is_no_day_older_for_it() -> None:
    assert ends_s(found(started=40.0 - 86_400.0, given=40.0)) == 60 + 180
    assert ends_s(found(started=40.0, given=86_440.0)) == 60 + 180  # its clock's own mistake


@pytest.mark.parametrize(("value_s", "age_s"), [(3600.0, 4000.0), (0.0, 400.0), (1800.0, 400.0)])
def test_c28_a_session_is_as_old_after_a_restart_although_its_charger_s_clock_is_ahead(
    value_s: float, age_s: float
) -> None:
    """depot, seed 10024: its offers ended before they began, and its car was taken for asleep."""
    played = found(started=100.0 - 4000.0, given=100.0 - 400.0)
    played.commission()
    for _ in range(4):
        played.meter(0.0, stamp=person.at(played.now + value_s))
        played.wait(10)
    played.yes()

    assert ends_s(played) == age_s + 40 + 180


@pytest.mark.parametrize("off_s", [0.0, -9.46e8])
def test_t2_a_session_begun_while_our_clock_was_ahead_is_as_old_as_its_charger_counts(
    off_s: float,
) -> None:
    """office8, seed 913: the charger's clock was held right, and ours is right again."""
    seen = ChargerSeen("CP1", clock_off_s=off_s)
    played = found(started=40.0 + 9.46e8, given=40.0, seen=seen)

    assert ends_s(played) == 60 + 180
    assert beat(played) == person.utc(played.now)


@pytest.mark.parametrize("sampled_s", [None, 30.0])
def test_t2_a_clock_set_ahead_by_decades_before_a_restart_does_not_set_the_charger_s_ahead(
    sampled_s: float | None,
) -> None:
    """home, seed 10: it was told 2056 in its session, and its fail-safe ruled until the end."""
    then = -3e8
    played = found(
        started=then + 40, given=then + 40, sampled=sampled_s and then + 40 + sampled_s
    )
    assert ends_s(played) == (sampled_s or 0) + 180
    played.wait(10)

    assert beat(played) == person.utc(then + 40 + (sampled_s or 0) + 10)
    assert played.records(ChargerSeen)[-1].clock_off_s == pytest.approx(then, abs=100)


def test_t2_a_charger_whose_own_clock_is_right_is_not_held_where_ours_was_in_1970() -> None:
    played = found(started=40.0 - 1.7e9, given=40.0, sampled=70.0 - 1.7e9)

    assert ends_s(played) == 60 + 180
    assert beat(played) == person.utc(played.now)


def test_t2_a_session_of_many_weeks_that_was_sampled_lately_says_nothing_of_our_clock() -> None:
    played = found(started=-3e6, given=-3e6, sampled=90.0)

    assert beat(played) == person.utc(played.now)


def test_t2_a_clock_that_is_held_as_a_session_begins_is_written_down_before_the_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played = Stepped()
    played.commission()
    played.set_clock(monkeypatch, -3600.0)
    played.start()

    kinds = [type(r) for out in played.out if isinstance(out, Record) for r in out.records]
    assert kinds[:2] == [ChargerSeen, TransactionBegan]
    assert played.records(ChargerSeen)[-1].clock_off_s == pytest.approx(3600.0)


def set_back_as_it_begins(
    monkeypatch: pytest.MonkeyPatch, *, knows_trigger: bool = True, time: ToldTime | None = None
) -> tuple[Stepped, str]:
    """Our clock was an hour ahead and is right again: the answer that says so crosses the start of
    a session. Also the start's stamp.
    """
    played = Stepped(knows_trigger=knows_trigger, time=time)
    played.commission()
    played.set_clock(monkeypatch, 3600.0)
    ahead = beat(played)
    played.set_clock(monkeypatch, -3600.0)
    assert beat(played) == ahead - timedelta(hours=1)
    return played, f"{ahead:%Y-%m-%dT%H:%M:%SZ}"


def test_t2_a_clock_set_back_as_a_session_begins_is_told_its_old_time_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """us_208, seed 20301: by OCPP 1.6 its schedule would begin in an hour."""
    played, stamp = set_back_as_it_begins(monkeypatch)
    played.start(stamp=stamp)

    assert played.asked("TriggerMessage") == [{"requestedMessage": "Heartbeat"}]
    played.yes()
    assert f"{beat(played):%Y-%m-%dT%H:%M:%SZ}" == stamp
    assert played.records(ChargerSeen)[-1].clock_off_s == pytest.approx(3600.0)
    assert ends_s(played) == 180


def test_t2_what_is_accepted_before_the_clock_is_right_again_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played, stamp = set_back_as_it_begins(monkeypatch)
    played.start(stamp=stamp)
    played.offer(16_000, 1, session=True)
    played.yes()
    assert not played.facts(OfferAnswered, all_of_them=True)

    beat(played)
    assert len(played.profiles()) == 1, "told anew"
    played.yes()

    assert [f.outcome for f in played.facts(OfferAnswered)] == ["accepted"]


@pytest.mark.parametrize("knows_trigger", [True, False])
def test_t2_one_that_cannot_be_asked_for_a_heartbeat_counts_with_its_maximum(
    knows_trigger: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    played, stamp = set_back_as_it_begins(monkeypatch, knows_trigger=knows_trigger)
    played.start(stamp=stamp)
    if knows_trigger:
        assert not played.facts(Booted)
        played.answer({"status": "Rejected"}, "TriggerMessage")

    assert not played.asked("TriggerMessage")
    assert len(played.facts(Booted)) == 1


@pytest.mark.parametrize("answers", [True, False])
def test_t2_one_that_sends_no_heartbeat_though_asked_counts_with_its_maximum(
    answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    played, stamp = set_back_as_it_begins(monkeypatch)
    played.start(stamp=stamp)
    if answers:
        played.answer({"status": "Accepted"}, "TriggerMessage")

    played.wait(9.5)
    assert not played.facts(Booted, all_of_them=True)
    played.wait(2)
    assert len(played.facts(Booted)) == 1

    played.wait(40)
    assert len(played.facts(Booted, all_of_them=True)) == 1


def test_c28_a_start_ahead_by_its_charger_s_own_way_sets_no_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Local time as UTC (quirks.md, Time): in the minute of a jump too, and long after one."""
    played, stamp = set_back_as_it_begins(monkeypatch)
    played.wait(61)
    played.start(stamp=stamp)
    assert beat(played) == person.utc(played.now)

    local, _ = set_back_as_it_begins(monkeypatch)
    local.start(stamp=person.at(local.now + 2 * 3600))
    assert beat(local) == person.utc(local.now)


@pytest.mark.parametrize("ahead_s", [3.0, 7_200.0])
def test_c28_a_start_less_ahead_than_the_clock_was_set_back_sets_no_clock(
    ahead_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told the old time again, it would be a day ahead for the whole session."""
    played = Stepped()
    played.commission()
    for step_s in (86_400.0, -86_400.0):
        played.set_clock(monkeypatch, step_s)
        beat(played)

    played.start(stamp=person.at(played.now + ahead_s))

    assert beat(played) == person.utc(played.now)


def test_t2_a_start_that_crosses_late_and_is_stamped_in_minutes_is_told_its_old_time_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played, stamp = set_back_as_it_begins(monkeypatch)
    played.wait(55)
    played.start(stamp=f"{stamp[:17]}00Z")

    assert played.asked("TriggerMessage") == [{"requestedMessage": "Heartbeat"}]


@pytest.mark.parametrize("in_this_process", [True, False])
def test_t2_a_new_link_to_one_whose_clock_is_not_right_yet_counts_with_its_maximum(
    in_this_process: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its link drops before the Heartbeat; the new one begins without a BootNotification, in this
    process or, knowing no more than is written down, in the next.
    """
    time = ToldTime() if in_this_process else None
    played, stamp = set_back_as_it_begins(monkeypatch, time=time)
    played.start(stamp=stamp)
    began = played.records(TransactionBegan)[-1]
    kept = Transaction(
        id=began.id, charger="CP1", connector=1, tag="TAG", started=began.started, given=stamp,
        meter_start_wh=1000,
    )  # fmt: skip
    played.feed(Gone("lost"))

    again = Stepped(
        kept=(kept,), seen=played.records(ChargerSeen)[-1], start=played.now + 5, time=time,
        quirks='resend_on_connect = true\nwhy = "w"\nseen = ["x"]\n[[match]]\nvendor = "Acme"\n',
    )  # fmt: skip
    again.offer(16_000, 1, session=True)
    assert len(again.profiles()) == 1
    again.yes()
    assert len(again.facts(Booted, all_of_them=True)) == 1
    assert not again.facts(OfferAnswered, all_of_them=True)

    assert f"{beat(again):%Y-%m-%dT%H:%M}" == stamp[:16]
    again.yes()
    assert [f.outcome for f in again.facts(OfferAnswered)] == ["accepted"]
    assert not again.records(ChargerSeen)[-1].behind


def test_t2_a_session_left_open_for_weeks_holds_no_clock_that_is_seen_to_be_right() -> None:
    """Its end never came. By our word it is weeks ago, which its start belies."""
    weeks_s = 36 * 86_400.0
    played = found(started=-weeks_s, given=-weeks_s, sampled=3600.0 - weeks_s)
    assert beat(played) == person.utc(3600.0 - weeks_s), "our clock may have been set ahead"

    played.start()
    played.offer(16_000, 1, session=True)
    played.yes()
    assert not played.facts(OfferAnswered, all_of_them=True), "its clock may be weeks behind"

    assert beat(played) == person.utc(played.now)
    assert played.records(ChargerSeen)[-1].clock_off_s == 0.0
    played.yes()
    assert [f.outcome for f in played.facts(OfferAnswered)] == ["accepted"]


def test_t2_a_session_that_begins_on_a_clock_that_is_held_weeks_behind_keeps_it_so() -> None:
    """Set ahead, the fail-safe would rule until its end."""
    weeks_s = 36 * 86_400.0
    played = found(started=-weeks_s, given=-weeks_s, sampled=3600.0 - weeks_s)
    held = beat(played)

    played.start(stamp=f"{held:%Y-%m-%dT%H:%M:%SZ}")

    assert beat(played) == held
    assert ends_s(played) == 180

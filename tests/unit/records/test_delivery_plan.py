"""When charge data records are due, and what is tried how often (records.md, Transactions)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from linkray.kit.clock import stamp
from linkray.model.delivery import SESSIONS_MAX, Outcome, Sending
from linkray.model.settings import Delivery
from linkray.records.delivery.plan import (
    AGAIN_S,
    EVER,
    PAUSES_S,
    Clock,
    Ended,
    Handled,
    Keep,
    Made,
    Make,
    Mended,
    NotMade,
    Plan,
    SendNow,
    Terms,
    Try,
)
from linkray.records.delivery.times import ended_before, newest_due, next_due

SYDNEY, BERLIN, BEIRUT = (ZoneInfo(f) for f in ("Australia/Sydney", "Europe/Berlin", "Asia/Beirut"))
HAVANA = ZoneInfo("America/Havana")
TO = Delivery(frequency="daily", protocol="ftp", server="ftp.example")
AT = "2026-11-23T00:01:05.000Z"
TAKEN, REFUSED = Outcome(taken=True, text="taken"), Outcome(taken=False, text="it hung up")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sending(number: int, sessions: int = 3, **more) -> Sending:
    return Sending(number, AT, AT, sessions, f"records-{number}.csv", **more)


class Scene:
    """A plan in Berlin, and a server that answers as it is told."""

    def __init__(self, at: str, kept=(), handled: str | None = None, to: Delivery = TO) -> None:
        self.now = 0.0
        self.wall = utc(at)
        self.to = to
        self.plan = Plan(Terms(to, BERLIN), kept, handled, self.now)
        self.number = 100

    def clock(self, at: str | None):
        if at is None:
            return self.feed(Clock(None))
        self.wall = utc(at)
        return self.feed(Clock(self.wall))

    def feed(self, item):
        return list(self.plan.feed(item, self.now))

    def made(self, sessions: int = 3):
        self.number += 1
        return self.feed(Made(sending(self.number, sessions) if sessions else None))

    def ended(self, outcome: Outcome, number: int = 0):
        return self.feed(Ended(number or self.number, outcome, AT, "ftp://ftp.example:21"))

    def wake(self):
        self.now = self.plan.due()
        assert self.now < math.inf, "nobody would wake it"
        outs = list(self.plan.wake(self.now))
        assert self.plan.due() > self.now
        return outs


# -- when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frequency", "zone", "now", "newest", "following"),
    [
        ("daily", UTC, "2026-11-23T00:00:59", "2026-11-22T00:01", "2026-11-23T00:01"),
        ("daily", UTC, "2026-11-23T00:01:00", "2026-11-23T00:01", "2026-11-24T00:01"),
        ("daily", BERLIN, "2026-11-22T23:01:00", "2026-11-22T23:01", "2026-11-23T23:01"),
        ("weekly", UTC, "2026-11-23T00:01:00", "2026-11-23T00:01", "2026-11-30T00:01"),
        ("weekly", UTC, "2026-11-22T23:59:00", "2026-11-16T00:01", "2026-11-23T00:01"),
        ("weekly", UTC, "2026-11-23T00:00:30", "2026-11-16T00:01", "2026-11-23T00:01"),
        ("monthly", UTC, "2026-03-01T00:00:30", "2026-02-01T00:01", "2026-03-01T00:01"),
        ("monthly", UTC, "2028-02-29T12:00:00", "2028-02-01T00:01", "2028-03-01T00:01"),
        ("monthly", UTC, "2026-12-31T23:00:00", "2026-12-01T00:01", "2027-01-01T00:01"),
        ("monthly", SYDNEY, "2026-10-31T13:00:30", "2026-09-30T14:01", "2026-10-31T13:01"),
        # the clocks change: 23 and 25 hours between one and the next
        ("daily", BERLIN, "2026-03-29T12:00:00", "2026-03-28T23:01", "2026-03-29T22:01"),
        ("daily", BERLIN, "2026-10-25T12:00:00", "2026-10-24T22:01", "2026-10-25T23:01"),
        # they leap at midnight: the day begins at 01:00
        ("daily", BEIRUT, "2026-03-28T22:30:00", "2026-03-28T22:01", "2026-03-29T21:01"),
        # they go back from 01:00 to 00:00, and 00:01 is shown twice: once
        ("daily", HAVANA, "2026-11-01T05:01:30", "2026-11-01T04:01", "2026-11-02T05:01"),
    ],
)
def test_records_are_due_at_one_minute_past_the_sites_midnight(
    frequency, zone, now, newest, following
):
    assert newest_due(frequency, utc(now), zone) == utc(newest)
    assert next_due(frequency, utc(now), zone) == utc(following)


def test_t4_in_every_zone_each_day_has_one_due_time_and_it_is_reached():
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for start in ("2026-03-05T13:00", "2026-10-30T13:00"):
            now = utc(start)
            for frequency in ("daily", "weekly", "monthly"):
                due = next_due(frequency, now, zone)
                assert newest_due(frequency, due, zone) == due, (name, frequency)
                assert newest_due(frequency, due - timedelta(seconds=1), zone) < due
                assert due.astimezone(zone).minute % 15 == 1, name


def test_nothing_is_due_where_it_is_off_or_the_time_is_none():
    assert newest_due("off", utc("2026-11-23T08:00"), UTC) is None
    assert next_due("off", utc("2026-11-23T08:00"), UTC) is None
    assert newest_due("daily", datetime.max.replace(tzinfo=UTC), BERLIN) is None


# -- what ------------------------------------------------------------------------------------------


def test_what_ended_before_midnight_is_sent_at_one_minute_past():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    assert scene.clock("2026-11-22T23:00:50") == []
    (make,) = scene.clock("2026-11-22T23:01:10")
    assert make == Make(
        "2026-11-22T23:00:00.000Z", "", "daily 2026-11-22T23:01:10.000Z"
    )
    assert scene.clock("2026-11-22T23:01:30") == [], "while it is made, nothing else is"
    assert scene.made() == [Try(sending(101))]
    (kept,) = scene.ended(TAKEN)
    assert isinstance(kept, Keep)
    assert (kept.sending.state, kept.sending.tries) == ("sent", 1)
    assert scene.clock("2026-11-22T23:02:00") == []
    assert scene.plan.due() == math.inf


def test_where_it_is_switched_on_the_next_time_is_the_first():
    scene = Scene("2026-11-22T12:00", handled="off ")
    assert scene.clock("2026-11-22T12:00") == [Handled("daily 2026-11-22T12:00:00.000Z")]
    assert scene.clock("2026-11-22T12:01") == []
    assert isinstance(scene.clock("2026-11-22T23:01")[0], Make)


def test_where_it_is_switched_off_nothing_is_due_and_on_again_nothing_is_made_up_for():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    scene.clock("2026-11-22T12:00")
    assert scene.feed(Terms(Delivery(frequency="off"), BERLIN)) == []
    assert scene.clock("2026-11-22T12:01") == [Handled("off ")]
    assert scene.clock("2026-11-25T12:01") == []
    scene.feed(Terms(TO, BERLIN))
    assert scene.clock("2026-11-25T12:02") == [Handled("daily 2026-11-25T12:02:00.000Z")]


def test_a_box_that_was_off_sends_what_it_missed_in_one_file():
    scene = Scene("2026-11-26T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    (make,) = scene.clock("2026-11-26T12:00")
    assert make.until == "2026-11-25T23:00:00.000Z"
    assert scene.made(0) == []
    assert scene.clock("2026-11-26T12:01") == []


def test_nothing_is_sent_where_no_session_has_ended():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    scene.clock("2026-11-22T23:01:10")
    assert scene.made(0) == []
    assert scene.plan.due() == math.inf


def test_a_site_with_more_sessions_than_a_file_holds_sends_several():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    (make,) = scene.clock("2026-11-22T23:01:10")
    again, first = scene.made(SESSIONS_MAX)
    assert again == make
    assert first == Try(sending(101, SESSIONS_MAX))
    assert scene.made(7) == [], "one at a time"
    _keep, second = scene.ended(TAKEN, 101)
    assert second == Try(sending(102, 7))


def test_t1_while_nobody_knows_the_time_nothing_is_due():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    assert scene.clock(None) == []
    assert isinstance(scene.clock("2026-11-24T12:00")[0], Make)


def test_t2_a_clock_that_was_years_ahead_holds_nothing_back():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    scene.clock("2056-11-22T12:00")
    scene.made(0)
    assert scene.clock("2026-11-22T12:05") == [Handled("daily 2026-11-22T12:05:00.000Z")]
    assert isinstance(scene.clock("2026-11-22T23:01")[0], Make)


def test_t2_a_clock_set_back_over_the_time_asks_once_more_and_finds_nothing():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    scene.clock("2026-11-22T23:01:10")
    scene.made()
    scene.ended(TAKEN)
    assert scene.clock("2026-11-22T22:30:00") == [Handled("daily 2026-11-22T22:30:00.000Z")]
    assert isinstance(scene.clock("2026-11-22T23:01:10")[0], Make)
    assert scene.made(0) == []


# -- how often -------------------------------------------------------------------------------------


def failing(scene: Scene) -> None:
    scene.clock("2026-11-22T23:01:10")
    scene.made()


def test_what_is_not_taken_is_tried_for_24_hours_and_then_said_to_have_failed():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    failing(scene)
    began = scene.now
    for tries, _pause in enumerate(PAUSES_S, 1):
        (keep,) = scene.ended(REFUSED)
        assert (keep.sending.state, keep.sending.tries) == ("waits", tries)
        assert not scene.plan.failed
        (again,) = scene.wake()
        assert again.sending.name == "records-101.csv", "under the same name"
    assert scene.now - began == 24 * 3600.0
    (keep,) = scene.ended(REFUSED)
    assert keep.sending.state == "failed"
    assert [one.id for one in scene.plan.failed] == [101]
    assert scene.plan.due() == math.inf


def test_what_has_failed_is_tried_again_before_the_next_that_is_due():
    old = sending(7, state="failed", tries=29)
    scene = Scene("2026-11-22T12:00", [old], "daily 2026-11-21T23:01:00.000Z")
    assert scene.plan.failed == [old]
    assert scene.plan.due() == math.inf
    scene.clock("2026-11-22T23:01:10")
    assert scene.made() == [Try(old)]
    keep, following = scene.ended(REFUSED, 7)
    assert keep.sending.state == "failed", "until it is there"
    assert following.sending.id == 101
    scene.ended(TAKEN)
    assert scene.wake() == [Try(keep.sending)]
    scene.ended(TAKEN, 7)
    assert not scene.plan.failed


def test_after_a_restart_what_waits_is_tried_after_a_minute_and_a_box_in_a_loop_uses_nothing_up():
    for _start in range(100):
        scene = Scene("2026-11-22T12:00", [sending(7)], "daily 2026-11-21T23:01:00.000Z")
        assert scene.wake() == [Try(sending(7))]
        assert scene.now == 60.0
        (keep,) = scene.ended(REFUSED, 7)
        assert keep.sending.state == "waits"
    tried = 0
    while keep.sending.state == "waits":
        scene.wake()
        (keep,) = scene.ended(REFUSED, 7)
        tried += 1
    assert tried == len(PAUSES_S) + 1
    assert scene.now == 60.0 + PAUSES_S[0] + 24 * 3600.0


def test_send_now_takes_what_has_ended_so_far_and_tries_all_that_waits_at_once():
    scene = Scene("2026-11-22T12:00", [sending(7)], "daily 2026-11-21T23:01:00.000Z")
    make, first = scene.feed(SendNow("Installer"))
    assert make == Make(EVER, "Installer", "daily 2026-11-21T23:01:00.000Z")
    assert first == Try(sending(7))
    assert scene.feed(SendNow("Installer")) == [], "it is at it"
    assert scene.made() == []
    assert scene.ended(TAKEN, 7)[1].sending.id == 101


def test_a_disk_that_takes_nothing_is_asked_again():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    (make,) = scene.clock("2026-11-22T23:01:10")
    assert scene.feed(NotMade()) == []
    assert scene.wake() == [make]
    assert scene.now == AGAIN_S
    assert scene.made() == [Try(sending(101))]


@pytest.mark.parametrize(
    "mended", [Terms(Delivery(protocol="ftp", server="other.example"), BERLIN), Mended()]
)
def test_whoever_mends_the_settings_does_not_wait_an_hour(mended):
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    failing(scene)
    scene.ended(REFUSED)
    assert scene.plan.next_at == PAUSES_S[0]
    assert [out.sending.id for out in scene.feed(mended)] == [101]
    assert scene.plan.sending == 101


def test_another_time_zone_alone_tries_nothing_again():
    scene = Scene("2026-11-22T12:00", handled="daily 2026-11-21T23:01:00.000Z")
    failing(scene)
    scene.ended(REFUSED)
    assert scene.feed(Terms(TO, SYDNEY)) == []


def test_the_day_that_a_file_is_of_is_whole():
    due = newest_due("daily", utc("2026-03-28T22:30:00"), BEIRUT)
    assert stamp(ended_before(due)) == "2026-03-28T22:00:00.000Z"


def test_what_was_sent_is_not_sent_again_where_the_disk_only_does_not_know_it():
    scene = Scene("2026-11-23T10:00")
    scene.feed(SendNow("Installer"))
    scene.made()
    scene.ended(TAKEN)
    scene.feed(SendNow("Installer"))
    sent, broken_off = sending(scene.number), sending(scene.number + 1)
    assert scene.feed(NotMade((sent, broken_off))) == [Try(broken_off)]
    assert scene.feed(NotMade((sent, broken_off))) == []

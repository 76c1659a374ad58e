"""The history of faults: what begins and ends, what is the same once more, what a restart leaves,
its bounds and its filter.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from linkray.kit.clock import stamp
from linkray.model.asks import ReadAlerts
from linkray.model.faults import Alert, Code, Fault
from linkray.model.records import AlertGone, AlertKept
from linkray.upkeep.alerts import ALERTS_A_KIND, ALERTS_MAX, AlertBook, BadSpan, losses

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def at(s: float) -> datetime:
    return START + timedelta(seconds=s)


def meter(s: float, detail: str = "") -> Fault:
    return Fault.of(Code.METER, stamp(at(s)), detail=detail)


def away(s: float, charger: str = "CP1") -> Fault:
    return Fault.of(Code.CHARGER_OFFLINE, stamp(at(s)), charger)


def read(book: AlertBook, s: float = 10_000, zone=UTC, names=None, **asked):
    return book.read(ReadAlerts(**asked), at(s), zone, names or {})


def after(*steps: tuple[float, list[Fault]]) -> AlertBook:
    """A book that has seen the faults stand so, each from its moment on."""
    book = AlertBook(now=START - timedelta(hours=1))
    for s, faults in steps:
        book.feed(faults, at(s))
    return book


def test_a_fault_that_comes_and_goes_is_one_alert_with_its_time():
    book = after((0, []), (5, [meter(5)]), (6, [meter(5)]), (65, []))

    (one,) = read(book).alerts

    assert (one.code, one.bit, one.since, one.cleared, one.times) == (
        "meter", 1, stamp(at(5)), stamp(at(65)), 1,
    )  # fmt: skip
    assert read(book).lasted_s == 60


def test_what_comes_again_within_a_minute_is_the_same_alert_once_more():
    book = after((5, [meter(5)]), (10, []), (60, [meter(60)]), (70, []), (140, [meter(140)]))

    newest, first = read(book).alerts

    assert (first.since, first.cleared, first.times) == (stamp(at(5)), stamp(at(70)), 2)
    assert (newest.since, newest.cleared, newest.times) == (stamp(at(140)), None, 1)
    assert (read(book).times, read(book).open, read(book).total) == (3, 1, 2)


def test_a_text_that_changes_is_no_new_alert_and_no_write():
    book = after((5, [meter(5)]))
    book.unsaved()

    book.feed([meter(6, "silent for 40 s")], at(6))

    assert book.unsaved() == []
    assert read(book).alerts[0].text.endswith("(silent for 40 s)")
    assert read(book).alerts[0].since == stamp(at(5))


def test_what_a_restart_finds_open_goes_on_where_it_is_raised_again():
    before = after((0, [meter(0), away(0)]))
    kept = [record.alert for record in before.unsaved() if isinstance(record, AlertKept)]

    book = AlertBook(kept, at(1_000))
    book.feed([], at(1_000))
    book.feed([meter(1_006)], at(1_006))
    assert read(book).open == 2
    book.feed([meter(1_006)], at(1_200))

    gone, goes_on = read(book).alerts
    assert (goes_on.code, goes_on.since, goes_on.cleared) == ("meter", stamp(at(0)), None)
    assert (gone.code, gone.cleared) == ("charger_offline", stamp(at(1_000)))
    assert len(book.unsaved()) == 1


def test_what_a_start_raises_until_all_are_there_is_no_alert_for_the_history():
    book = AlertBook(now=START)
    book.feed([meter(0), away(0), away(0, "CP2"), Fault.of(Code.CLOCK, stamp(at(0)))], at(0))
    book.unsaved()
    book.feed([away(0, "CP2")], at(40))
    assert {type(record) for record in book.unsaved()} == {AlertGone, AlertKept}
    assert [one.code for one in read(book).alerts] == ["clock", "charger_offline"]

    book.see([read(book).alerts[1].id], "Installer", at(50))
    book.feed([], at(60))
    book.feed([meter(190)], at(190))
    book.feed([], at(200))

    found = {one.code: one.cleared for one in read(book).alerts}
    assert found == {
        "charger_offline": stamp(at(60)), "meter": stamp(at(200)), "clock": stamp(at(40)),
    }  # fmt: skip


def test_who_has_seen_it_is_kept_and_the_first_word_stands():
    book = after((0, [meter(0), away(0)]))
    first = read(book).alerts[0].id

    assert len(book.see([first, 99], "Installer", at(5))) == 1
    assert book.see([first], "Assembler", at(6)) == []

    seen = read(book).alerts[0]
    assert (seen.seen_by, seen.seen_at) == ("Installer", stamp(at(5)))
    assert read(book).unseen == 1


def test_only_what_has_changed_is_written_and_only_once():
    book = after((0, [meter(0)]))
    assert [type(record) for record in book.unsaved()] == [AlertKept]
    assert book.unsaved() == []
    book.feed([], at(5))
    book.feed([meter(6)], at(6))
    (record,) = book.unsaved()
    assert isinstance(record, AlertKept)
    assert (record.alert.times, record.alert.cleared) == (2, None)


def test_one_that_comes_and_goes_for_ever_takes_no_other_room():
    book = after((0, [away(0, "CP9")]), (1, []))
    for turn in range(ALERTS_A_KIND + 50):
        begun = 100.0 * (turn + 1)
        book.feed([away(begun)], at(begun))
        book.feed([], at(begun + 5))

    found = read(book, limit=ALERTS_MAX)

    assert sum(one.subject == "CP1" for one in found.alerts) == ALERTS_A_KIND
    assert found.alerts[-1].subject == "CP9"


def test_the_history_is_bounded_and_what_is_open_stays():
    book = after((0, [meter(0)]))
    for turn in range(ALERTS_MAX + 10):
        charger = away(100.0 * turn, f"CP{turn}")
        book.feed([meter(0), charger], at(100.0 * turn))
        book.feed([meter(0)], at(100.0 * turn + 5))

    assert len(book.all) == ALERTS_MAX
    assert book.all[0].code == "meter"
    assert sum(isinstance(record, AlertGone) for record in book.unsaved()) == 11


def test_a_clock_that_is_put_back_ends_nothing_before_it_began():
    book = after((500, [meter(500)]), (100, []))

    (one,) = read(book).alerts

    assert one.cleared == one.since
    assert read(book).lasted_s == 0


@pytest.mark.parametrize(("asked", "codes"), [
    ({}, ["charger_offline", "meter"]),
    ({"code": "meter"}, ["meter"]),
    ({"charger": "CP1"}, ["charger_offline"]),
    ({"text": "bay 3 CONNECTED"}, ["charger_offline"]),
    ({"text": "bay 4"}, []),
    ({"open_only": True}, ["charger_offline"]),
    ({"begin": "2026-11-21T08:01:30Z"}, ["charger_offline"]),
    ({"end": "2026-11-21T08:00:30.000Z"}, ["meter"]),
    ({"begin": "2026-11-22", "end": "2026-11-22"}, ["charger_offline"]),
    ({"end": "2026-11-20"}, []),
])  # fmt: skip
def test_the_filter_takes_words_kinds_chargers_and_spans(asked, codes):
    book = after((0, [meter(0)]), (60, [away(60)]))

    found = read(book, names={"CP1": "Bay 3"}, **asked)

    assert [one.code for one in found.alerts] == codes


def test_a_day_is_one_of_the_sites_zone():
    book = after((-7 * 3_600 - 600, [meter(-7 * 3_600 - 600)]), (-7 * 3_600, []))  # 00:50 to 01:00
    berlin = ZoneInfo("Europe/Berlin")
    honolulu = ZoneInfo("Pacific/Honolulu")

    assert read(book, zone=berlin, begin="2026-11-21").total == 1
    assert read(book, zone=honolulu, begin="2026-11-21").total == 0
    assert read(book, zone=honolulu, begin="2026-11-20", end="2026-11-20").total == 1


@pytest.mark.parametrize("day", ["yesterday", "2026-02-30", "9999-12-31", "2026-11-21T99:00"])
def test_a_day_that_is_none_is_refused_in_words(day):
    with pytest.raises(BadSpan, match="Expected a day"):
        read(AlertBook(), end=day)


def test_losses_tell_how_often_a_charger_was_away_and_how_long_at_most():
    alerts = [
        Alert(1, "charger_offline", 2, "", stamp(at(0)), stamp(at(30)), 4, "CP1"),
        Alert(2, "charger_offline", 2, "", stamp(at(100)), None, 1, "CP1"),
        Alert(3, "meter", 1, "", stamp(at(0)), None),
    ]

    assert losses(alerts, at(400)) == {"CP1": (5, 300)}

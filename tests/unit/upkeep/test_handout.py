"""The books of what chargers fetch and leave: tokens and their ends, updates, names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from linkray.kit.clock import stamp
from linkray.upkeep.handout.books import (
    DIAGNOSTICS_MAX,
    KEPT_MAX,
    Books,
    Handouts,
    name_trouble,
    read_books,
)
from linkray.upkeep.ocpplog import FrameLog

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
AT = stamp(NOON)
LATER = NOON + timedelta(minutes=61)
HERE = "10.0.0.9"


def begun(charger: str = "C1", token: str = "t1") -> Handouts:
    """A charger has been told to fetch a file."""
    hands = Handouts(Books())
    hands.grant(charger, token, HERE, NOON, "firmware-0")
    hands.note(charger, "a.bin", "sent", AT, before="1.0")
    return hands


def state(hands: Handouts, now: datetime = NOON) -> str:
    return hands.shown({"C1": "1.1"}, now)[0].state


def test_a17_a_token_opens_for_an_hour_as_often_as_it_is_asked_and_then_never_again() -> None:
    hands = begun()

    assert [hands.open("t1", HERE, "", NOON) is not None for _ in range(3)] == [True] * 3
    assert hands.open("t1", HERE, "", LATER) is None
    assert (state(hands), state(hands, LATER)) == ("sent", "over")


def test_a17_another_address_another_token_and_a_newer_update_open_nothing() -> None:
    hands = begun()
    hands.grant("C1", "t2", HERE, NOON, "firmware-1")

    assert hands.open("t1", HERE, "", NOON) is None
    assert hands.open("t2", "10.0.0.8", "", NOON) is None
    assert hands.open("t2", "10.0.0.8", "10.0.0.8", NOON)  # where its charger is linked from now
    assert hands.open("t2", f"::ffff:{HERE}", "", NOON)
    assert hands.open("", "", "", NOON) is None


def test_a_token_ends_with_the_update_and_what_a_charger_says_later_changes_nothing() -> None:
    hands = begun()
    for status in ("fetched", "Downloading", "Downloaded", "Installing"):
        assert hands.goes("C1", status, AT, NOON)
        assert hands.open("t1", HERE, "", NOON)

    assert not hands.goes("C1", "Idle", AT, NOON)
    assert hands.goes("C1", "Installed", AT, NOON)
    assert hands.open("t1", HERE, "", NOON) is None
    assert not hands.goes("C1", "DownloadFailed", AT, NOON)
    assert state(hands, LATER) == "Installed"


def test_a_failed_download_may_be_tried_again_under_the_same_token() -> None:
    hands = begun()

    hands.goes("C1", "DownloadFailed", AT, NOON)

    assert hands.open("t1", HERE, "", NOON)
    assert hands.goes("C1", "Downloading", AT, NOON)
    assert not hands.goes("C2", "Downloading", AT, NOON)  # of a CSMS, not of ours


def test_the_books_outlive_a_restart_tell_no_token_and_rubbish_is_an_empty_book() -> None:
    hands = begun(token="a-word-nobody-may-read")

    text = msgspec.json.encode(hands.books).decode()
    again = Handouts(read_books(text))

    assert "a-word-nobody-may-read" not in text
    assert again.open("a-word-nobody-may-read", HERE, "", NOON)
    assert read_books("{}") == read_books("rubbish") == read_books(None) == Books()


def test_no_more_is_kept_than_there_is_use_for() -> None:
    hands = Handouts(Books())
    for n in range(KEPT_MAX + 9):
        hands.note(f"C{n}", "a.bin", "left_out", AT)
    stored = []
    for n in range(DIAGNOSTICS_MAX + 3):
        stored.append(hands.asked(f"C{n}", AT))
        hands.came(f"C{n}", f"diagnostics-{n}", 9, "x.log", AT)

    assert len(hands.books.updates) == KEPT_MAX
    assert len(hands.books.left) == DIAGNOSTICS_MAX
    assert stored[-1] == "diagnostics-2"  # the oldest goes, and its file


@pytest.mark.parametrize("name", [
    "", ".", "..", ".hidden", "a/b", "a\\b", "a b.bin", "a%2e.bin", "a?x", "a#x", "é.bin",
    "a\n.bin", "<b>.bin", '"x"', "x" * 101, "a:b",
])  # fmt: skip
def test_a16_a_name_that_a_charger_could_not_fetch_or_a_disk_would_follow_is_refused(
    name: str,
) -> None:
    assert name_trouble(name)


@pytest.mark.parametrize("name", ["TAC3Z9119006710273-V1.8.21.bin", "a", "fw_1.2-3.tar.gz"])
def test_a_vendors_name_is_taken(name: str) -> None:
    assert name_trouble(name) is None


def test_the_ocpp_log_tells_no_token() -> None:
    frames = FrameLog(lambda: NOON)
    url = "http://10.0.0.1:80/charger-files/Ab-_9/f.bin"

    frames.add("C1", "out", f'[2,"1","UpdateFirmware",{{"location":"{url}"}}]')

    told = frames.read(0, 9, "", ()).frames[0].text
    assert told.endswith('{"location":"http://10.0.0.1:80/charger-files/…/f.bin"}]')

"""What a handshake says, licence places, freshness and buckets: the small pure files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from linkray.charger.bucket import Bucket
from linkray.charger.door import identity, mended, subprotocol
from linkray.charger.freshness import Freshness
from linkray.charger.places import places

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("path", "expected"), [
    ("/CP1", "CP1"),
    ("//CP1", "CP1"),
    ("/CP1/", "CP1"),
    ("/ocpp/1.6//CP1//", "CP1"),
    ("/CP1?token=x", "CP1"),
    ("/C%20P%2B1", "C P+1"),
    ("/a*b-c_d=e:f+g|h@i.j", "a*b-c_d=e:f+g|h@i.j"),
    ("/" + "x" * 48, "x" * 48),
])  # fmt: skip
def test_a31_the_identity_is_the_last_part_of_the_path_decoded_once(
    path: str, expected: str
) -> None:
    assert identity(path) == expected


@pytest.mark.parametrize("path", [
    "", "/", "//", "/?CP1", "/" + "x" * 49, "/CP%2F1", "/CP%00", "/CP%0A1", "/%2520", "/..", "/.",
    "/a%2E%2E/%2e%2e", "/CPé", "/CP%C3%A9", "/CP%", "/CP%zz", "/CP<1>", "/CP\x001", "/CP;1",
    "/CP'1", "/ ",
])  # fmt: skip
def test_a31_an_identity_that_ocpp_does_not_allow_is_none(path: str) -> None:
    assert identity(path) is None


def test_the_subprotocol_is_ours_or_none_at_all() -> None:
    assert subprotocol(["ocpp1.6"]) == (True, "ocpp1.6")
    assert subprotocol(["ocpp2.0.1", "ocpp1.6"]) == (True, "ocpp1.6")
    assert subprotocol(["OCPP1.6"]) == (True, "OCPP1.6")
    assert subprotocol([]) == (True, None)
    assert subprotocol(["ocpp2.0.1", "ocpp1.5"]) == (False, None)


def test_a_handshake_without_connection_upgrade_is_mended() -> None:
    head = b"GET /CP1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k"

    assert b"Connection: Upgrade\r\n" in mended(head)
    assert mended(head).startswith(b"GET /CP1 HTTP/1.1\r\n")
    assert mended(mended(head)) == mended(head)
    kept = mended(head.replace(b"Host: x", b"Connection: keep-alive\r\nHost: x"))
    assert kept.count(b"Connection:") == 1


def test_what_is_no_websocket_handshake_is_not_mended() -> None:
    for head in (b"GET / HTTP/1.1\r\nHost: x", b"", b"\x16\x03\x01",
                 b"GET / HTTP/1.1\r\nUpgrade: h2c"):  # fmt: skip
        assert mended(head) == head


def test_places_go_to_the_lowest_connectors_first_in_the_order_of_the_settings() -> None:
    known = {"A": 2, "B": 2, "C": 0}

    assert places(("A", "B", "C"), known, 8) == {"A": 2, "B": 2, "C": 1}
    assert places(("A", "B", "C"), known, 4) == {"A": 2, "B": 1, "C": 1}
    assert places(("A", "B", "C"), known, 3) == {"A": 1, "B": 1, "C": 1}
    assert places(("A", "B", "C"), known, 2) == {"A": 1, "B": 1, "C": 0}
    assert places(("A",), known, 0) == {"A": 0}


def test_who_has_a_place_keeps_it_against_one_of_the_same_number_alone() -> None:
    known = {"A": 2, "B": 2}

    assert places(("A", "B"), known, 3) == {"A": 2, "B": 1}
    assert places(("A", "B"), known, 3, {"B": 2}) == {"A": 1, "B": 2}
    assert places(("A", "B", "C"), known, 3, {"B": 2}) == {"A": 1, "B": 1, "C": 1}


def test_values_are_live_when_young_or_steadily_wrong_and_not_when_queued() -> None:
    fresh = Freshness()
    assert fresh.is_live(NOW - timedelta(seconds=60), NOW)
    assert fresh.is_live(NOW + timedelta(seconds=60), NOW)
    assert fresh.is_live(None, NOW)

    queued = [fresh.is_live(NOW - timedelta(hours=3) + timedelta(seconds=10 * n),
                            NOW + timedelta(seconds=0.05 * n)) for n in range(100)]  # fmt: skip
    assert not any(queued)

    steady = [fresh.is_live(NOW - timedelta(hours=14) + timedelta(seconds=10 * n),
                            NOW + timedelta(seconds=10 * n)) for n in range(10)]  # fmt: skip
    assert steady.count(True) == 7


def test_a_bucket_lets_through_its_burst_then_its_rate() -> None:
    bucket = Bucket(rate=2.0, burst=5.0)

    at_once = sum(bucket.take(10.0) for _ in range(100))
    later = sum(bucket.take(10.0 + n / 100) for n in range(1, 1001))

    assert at_once == 5
    assert 19 <= later <= 21
    assert not bucket.take(20.0)
    assert bucket.take(bucket.next_at())

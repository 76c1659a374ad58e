"""A current that stands flat below its offer, session after session (quirks.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from linkray.charger.own_limit import OwnLimit, Sample, known_ma
from linkray.charger.passport import Evidence, lines
from linkray.model.passport import Finding, Passport, check_findings

NIGHT_S = 86_400.0
BEGAN = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


@dataclass
class Nights:
    """A connector, one session a night, a sample every ten seconds."""

    own: OwnLimit = field(default_factory=lambda: OwnLimit(1))
    passport: Passport = field(default_factory=lambda: Passport("Acme", "One"))
    found: list[Finding] = field(default_factory=list)
    nights: int = 0

    def night(
        self, *drawn_ma: int, offer_ma: int = 16_000, keeps_ma: int | None = None,
        minutes: float = 20, status: bool = True, ends: bool = True, gap_s: float = 10.0,
    ) -> None:  # fmt: skip
        """One session: the samples of `drawn_ma` share its time. After a minute LinkRay offers
        little above what is drawn, or `keeps_ma`.
        """
        self.nights += 1
        zero, count = self.nights * NIGHT_S, int(minutes * 60 / gap_s)
        told_at, limit_ma = zero, offer_ma
        for n in range(count):
            now = zero + (n + 1) * gap_s
            drawn = drawn_ma[n * len(drawn_ma) // count]
            if now - zero > 70 and limit_ma == offer_ma:
                told_at = now
                limit_ma = drawn + 1_000 if keeps_ma is None else keeps_ma
            sample = Sample(self.nights, now - zero, drawn, limit_ma, told_at, status, now)
            self._keep(self.own.drew(sample, self.passport, self._seen(now)))
        if ends:
            self._keep(self.own.ended(self.passport, self._seen(zero + minutes * 60)))

    def _seen(self, now: float) -> Evidence:
        utc = BEGAN + timedelta(seconds=now - NIGHT_S)
        return Evidence("C1", utc.strftime("%Y-%m-%dT%H:%M:%SZ"))

    def _keep(self, findings: list[Finding]) -> None:
        self.found += findings
        self.passport = self.passport.with_findings(tuple(findings))

    @property
    def ceiling_ma(self) -> int | None:
        return known_ma(self.passport, "C1", 1)


def test_three_sessions_flat_below_their_offer_are_told_with_what_was_offered_and_drawn() -> None:
    one = Nights()
    one.night(10_000)
    one.night(9_800)
    assert one.found == []
    one.night(10_100)
    (found,) = one.found
    assert (found.what, found.found, found.about) == ("own_limit", "10100", "C1 connector 1")
    assert found.offered == "16.0 A"
    assert found.measured == (
        "10.1 A on 2026-11-20 18:00, 2026-11-21 18:00, 2026-11-22 18:00 UTC"
    )
    check_findings(tuple(one.found), "$")
    (line,) = lines(one.passport, "C1")
    assert (line.what, line.label) == ("own_limit", "draws no more than")
    assert line.found.startswith("10.1 A on connector 1, whatever it is offered: look for its own")
    assert "cars" in line.found
    assert lines(one.passport, "C2") == ()


def test_it_is_written_once_however_many_sessions_follow() -> None:
    one = Nights()
    for _ in range(12):
        one.night(10_000)
    assert len(one.found) == 1


def test_one_session_that_draws_more_takes_it_back_and_the_row_begins_anew() -> None:
    one = Nights()
    for _ in range(3):
        one.night(10_000)
    one.night(15_800)
    assert [f.found for f in one.found] == ["10000", "none"]
    assert one.ceiling_ma is None
    assert lines(one.passport, "C1") == ()
    one.night(10_000)
    one.night(10_000)
    assert one.ceiling_ma is None
    one.night(10_000)
    assert one.ceiling_ma == 10_000


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
def test_more_is_more_whenever_it_is_drawn(late: bool) -> None:
    one = Nights()
    for _ in range(3):
        one.night(10_000)
    drawn = (10_000,) * 9 + (15_000,) if late else (15_000, 10_000)
    one.night(*drawn, minutes=100 if late else 20)
    assert one.ceiling_ma is None


def test_a_taper_is_no_ceiling() -> None:
    one = Nights()
    for _ in range(5):
        one.night(12_000, 11_500, 11_000, 10_000, 9_000, 8_000)
    assert one.found == []


def test_a_car_that_comes_up_slowly_and_then_stands_flat_counts() -> None:
    one = Nights()
    for _ in range(3):
        one.night(6_000, 8_000, *(10_000,) * 60, minutes=20, keeps_ma=15_000)
    assert one.ceiling_ma == 10_000


def test_the_tapering_end_of_a_long_session_does_not_count_against_it() -> None:
    one = Nights()
    for _ in range(3):
        one.night(*(10_000,) * 8, 8_000, 6_500, minutes=100)
    assert one.ceiling_ma == 10_000


@pytest.mark.parametrize("night", [
    {"offer_ma": 11_500},  # never clearly more
    {"offer_ma": 10_400, "keeps_ma": 10_400},  # the offer holds it
    {"minutes": 9},
    {"status": False},
    {"gap_s": 240.0, "minutes": 60},  # too few values to say so
])  # fmt: skip
def test_what_says_nothing_counts_neither_for_nor_against(night: dict[str, float]) -> None:
    one = Nights()
    for _ in range(5):
        one.night(10_000, **night)  # type: ignore[arg-type]
    assert one.found == []
    one.night(10_000)
    one.night(10_000, **night)  # type: ignore[arg-type]
    one.night(10_000)
    one.night(10_000, **night)  # type: ignore[arg-type]
    one.night(10_000)
    assert one.ceiling_ma == 10_000


def test_cars_with_ceilings_of_their_own_are_no_row() -> None:
    one = Nights()
    for n in range(9):
        one.night((10_000, 13_000, 7_000)[n % 3])
    assert one.found == []


def test_a_session_whose_end_nobody_told_is_over_when_the_next_one_draws() -> None:
    one = Nights()
    for _ in range(3):
        one.night(10_000, ends=False)
    assert one.found == []
    one.night(10_000, ends=False, minutes=1)
    assert one.ceiling_ma == 10_000


def test_another_device_or_a_new_search_begins_the_row_anew() -> None:
    one = Nights()
    one.night(10_000)
    one.night(10_000)
    one.own.forget()
    one.night(10_000)
    assert one.found == []


def test_no_proof_falls_out_of_a_full_passport_for_a_notice() -> None:
    proofs = tuple(Finding("lease", "honoured", f"C{n}") for n in range(200))
    full = Passport("Acme", "One", "", proofs)
    grown = full.with_findings((Finding("own_limit", "10000", "C1 connector 1", charger="C1"),))
    assert grown.findings == proofs

"""32 chargers on a CSMS that comes and goes: how their attempts lie (csms.md, Connecting; A40)."""

from __future__ import annotations

import itertools
from collections import Counter

from tests.unit.csms.central import BOOT, Central

from linkray.csms.turns import Turns
from linkray.model.uplink import Boot, Here

CHARGERS, HOURS, BEGINS = 32, 1, 1_000.0


def flapping(hours: float = HOURS, *, stands_s: float = 5.0) -> list[Central]:
    """So long a CSMS that closes each link soon after it was opened; all chargers come at once."""
    turns = Turns()
    all_of_them = [Central(charger=f"C{n:02}", turn=turns.take) for n in range(CHARGERS)]
    for one in all_of_them:
        one.feed(Here(here=True), Boot(BOOT))
    closes: dict[int, float] = {}
    seen = [0] * CHARGERS
    now = BEGINS
    while now < BEGINS + hours * 3_600:
        for n, one in enumerate(all_of_them):
            if min(one.relay.due(), closes.get(n, now + 1)) > now:
                continue
            one.until(now)
            if closes.get(n, now + 1) <= now:
                del closes[n]
                one.cut("closed")
            if len(one.dials) > seen[n]:
                seen[n] = len(one.dials)
                one.link()
                closes[n] = now + stands_s
        wakes = [one.relay.due() for one in all_of_them if one.relay.due() > now]
        now = min([*wakes, *closes.values()])
    return all_of_them


def test_a40_attempts_are_one_a_minute_for_each_and_two_a_second_for_all() -> None:
    all_of_them = flapping()
    dials = sorted(at for one in all_of_them for at in one.dials)

    for one in all_of_them:
        assert len(one.dials) <= HOURS * 60 + 1
        assert all(b - a >= 60 for a, b in itertools.pairwise(one.dials))
    a_second = Counter(int(at) for at in dials)
    assert max(a_second.values()) <= 2 < CHARGERS / 10
    assert all(c - a > 0.99 for a, _, c in zip(dials, dials[1:], dials[2:], strict=False))


def test_32_chargers_that_come_at_once_are_dialled_for_one_after_the_other() -> None:
    all_of_them = flapping(hours=0.01)
    firsts = sorted(one.dials[0] for one in all_of_them)

    assert firsts == [BEGINS + n / 2 for n in range(CHARGERS)]


def test_a_csms_that_is_back_is_called_by_all_within_75_s_and_not_by_all_at_once() -> None:
    all_of_them = flapping(hours=0.5)
    a_minute = [at for one in all_of_them for at in one.dials if BEGINS + 600 <= at < BEGINS + 675]

    assert len(a_minute) >= CHARGERS
    tens = Counter(int(at / 10) for at in a_minute)
    assert max(tens.values()) <= CHARGERS / 2


def test_a_turn_that_a_charger_did_not_wait_for_is_not_kept_for_it() -> None:
    turns = Turns()
    all_of_them = [Central(charger=f"C{n:02}", turn=turns.take) for n in range(CHARGERS)]
    for is_here in (True, False):  # a site that has power for a moment
        for one in all_of_them:
            one.feed(Here(here=is_here), *([Boot(BOOT)] if is_here else []))
    for one in all_of_them:
        one.until(BEGINS + 120)
        one.feed(Here(here=True))
    for one in all_of_them:
        one.until(BEGINS + 160)

    dials = sorted(at for one in all_of_them for at in one.dials)
    assert max(Counter(int(at) for at in dials).values()) <= 2

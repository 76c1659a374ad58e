"""Guessing is slow, and nobody can lock out somebody else (trust.md A5)."""

from __future__ import annotations

import pytest

from linkray.access.throttle import (
    ACCOUNT_DELAY_S_MAX,
    LONG_DELAY_S,
    SOURCES_MAX,
    Throttle,
    delay_s,
)

TABLE = [(0, 0), (4, 0), (5, 1), (6, 2), (7, 4), (8, 8), (9, 16), (10, 900), (11, 900), (99, 900)]


@pytest.mark.parametrize(("failures", "pause_s"), TABLE)
def test_a5_five_failures_slow_a_source_down_and_the_tenth_for_15_minutes(failures, pause_s):
    assert delay_s(failures) == pause_s


def test_a5_a_day_of_guessing_gets_at_most_200_tries():
    throttle, tries, now = Throttle(), 0, 0.0
    while now < 24 * 3600:
        wait = throttle.begin("Assembler", "192.0.2.66", now)
        tries += wait == 0
        now += max(wait, 0.1)

    assert 50 < tries <= 200


def test_a5_the_owner_from_another_address_is_in_within_2_s_all_day():
    throttle, now, longest = Throttle(), 0.0, 0.0
    while now < 6 * 3600:
        throttle.begin("Assembler", "192.0.2.66", now)
        if int(now) % 600 == 0:
            waited = throttle.begin("Assembler", "192.0.2.7", now + 0.1)
            longest = max(longest, waited)
            if not waited:
                throttle.succeed("Assembler", "192.0.2.7")
        now += 1.0

    assert longest <= ACCOUNT_DELAY_S_MAX


def test_tries_at_the_same_moment_gain_nothing():
    throttle = Throttle()
    allowed = sum(throttle.begin("EV", "192.0.2.66", 5.0) == 0 for _ in range(100))

    assert allowed == 5


def test_a_right_password_clears_the_count_of_its_source_and_account():
    throttle = Throttle()
    for _ in range(4):
        throttle.begin("EV", "192.0.2.7", 0.0)
    throttle.begin("EV", "192.0.2.7", 0.0)
    throttle.succeed("EV", "192.0.2.7")

    assert throttle.begin("EV", "192.0.2.7", 0.0) == 0


def test_a_right_password_of_another_account_buys_no_tries():
    throttle, now, tries = Throttle(), 0.0, 0
    while now < 3600:
        tries += throttle.begin("Assembler", "192.0.2.66", now) == 0
        if throttle.begin("EV", "192.0.2.66", now + 0.5) == 0:
            throttle.succeed("EV", "192.0.2.66")
        now += 1.0

    assert tries <= 14
    assert throttle.begin("EV", "192.0.2.7", now) == 0


def test_a5_wrong_codes_count_by_account_and_the_right_one_clears_them():
    throttle, now, waits = Throttle(), 100.0, []
    for _ in range(11):
        waits.append(throttle.begin_code("Assembler", now))
        if 0 < waits[-1] < LONG_DELAY_S:
            now += waits[-1]
            assert throttle.begin_code("Assembler", now) == 0

    assert waits == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, LONG_DELAY_S]
    throttle.succeed("Assembler", "192.0.2.66")  # the password alone
    assert throttle.begin_code("Assembler", now) == LONG_DELAY_S
    assert throttle.begin_code("EV", now) == 0
    throttle.code_right("Assembler")
    assert throttle.begin_code("Assembler", now) == 0


def test_a_day_of_calm_forgets():
    throttle = Throttle()
    now = 0.0
    for _ in range(10):
        now += throttle.begin("EV", "192.0.2.66", now)
        throttle.begin("EV", "192.0.2.66", now)

    assert throttle.begin("EV", "192.0.2.66", now + 1) > LONG_DELAY_S / 2
    assert throttle.begin("EV", "192.0.2.66", now + 24 * 3600 + 1000) == 0


def test_the_first_password_has_five_tries_a_minute():
    throttle = Throttle()
    waits = [throttle.begin_first("192.0.2.7", float(second)) for second in range(6)]

    assert waits == [0, 0, 0, 0, 0, 55.0]
    assert throttle.begin_first("192.0.2.8", 6.0) == 0
    assert throttle.begin_first("192.0.2.7", 60.0) == 0


def test_inv17_the_tables_have_a_greatest_size():
    throttle = Throttle()
    for number in range(SOURCES_MAX + 500):
        throttle.begin("EV", f"source {number}", float(number) * 3)
        throttle.begin_first(f"source {number}", float(number))

    assert len(throttle._sources) == SOURCES_MAX
    assert len(throttle._first) == SOURCES_MAX

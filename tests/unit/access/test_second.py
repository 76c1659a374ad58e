"""Codes of a second factor: RFC 6238's own, each good once, and no faster guessed than a password.
"""

from __future__ import annotations

import base64
import secrets
from urllib.parse import parse_qs, unquote, urlparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkray.access.failures import AT_ONCE, EVERY_S, Failures
from linkray.access.second import SECRET, STEP_S, address, new_secret, step_of

RFC = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B
NOW = 1_795_000_000


def code_at(unix_s: float, secret: str = RFC) -> str:
    from pyotp import TOTP

    return TOTP(secret).at(int(unix_s))


@pytest.mark.parametrize(("unix_s", "code"), [
    (59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"),
    (1_234_567_890, "005924"), (2_000_000_000, "279037"), (20_000_000_000, "353130"),
])  # fmt: skip
def test_the_codes_of_the_standard_are_right(unix_s, code):
    assert step_of(RFC, code, unix_s, 0) == unix_s // STEP_S


@pytest.mark.parametrize("off_s", [-STEP_S, 0, STEP_S])
def test_a_phone_may_be_a_step_off(off_s):
    assert step_of(RFC, code_at(NOW + off_s), NOW, 0) == (NOW + off_s) // STEP_S


@pytest.mark.parametrize("off_s", [-2 * STEP_S, 2 * STEP_S, 3600, -3600])
def test_a_code_of_another_time_opens_nothing(off_s):
    assert step_of(RFC, code_at(NOW + off_s), NOW, 0) is None


@pytest.mark.parametrize("code", ["", "00000", "0000000", "12345a", "１２３４５６", "-12345", "1 2 3"])
def test_what_is_no_code_opens_nothing(code):
    assert step_of(RFC, code, NOW, 0) is None


def test_a_code_may_be_typed_with_a_space():
    code = code_at(NOW)
    assert step_of(RFC, f"{code[:3]} {code[3:]}", NOW, 0)


@given(first=st.integers(-1, 1), then=st.integers(-1, 1), later_s=st.integers(0, 120))
def test_a_code_that_was_used_is_refused_and_so_is_any_before_it(first, then, later_s):
    used = step_of(RFC, code_at(NOW + first * STEP_S), NOW, 0)
    assert used == NOW // STEP_S + first

    again = (NOW + later_s) // STEP_S + then
    found = step_of(RFC, code_at(again * STEP_S), NOW + later_s, used)

    assert found == (again if again > used else None)


def test_a_clock_that_was_far_ahead_locks_nobody_out():
    ahead = step_of(RFC, code_at(NOW + 10**8), NOW + 10**8, 0)

    assert step_of(RFC, code_at(NOW), NOW, ahead) == NOW // STEP_S


def test_a8_secrets_are_of_160_bits_and_never_the_same():
    made = {new_secret(secrets.token_bytes(32)) for _ in range(1000)}

    assert len(made) == 1000
    assert all(SECRET.match(one) for one in made)


@pytest.mark.parametrize("site", ["Car park", "", 'a"<b>&?/%:é', "x" * 200])
def test_the_address_of_the_qr_code_says_whose_code_it_is(site):
    parts = urlparse(address(RFC, "Assembler", site))

    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert unquote(parts.path).startswith("/LinkRay:Assembler")
    assert site in unquote(parts.path)
    asked = parse_qs(parts.query)
    assert (asked["secret"], asked["issuer"]) == ([RFC], ["LinkRay"])


def test_inv17_a_flood_of_failures_fills_no_audit_log_and_is_counted():
    failures = Failures()
    said = [failures.feed("failed", float(second)) for second in range(24 * 3600)]

    written = [one for one in said if one is not None]
    assert written[:AT_ONCE] == ["failed"] * AT_ONCE
    assert len(written) <= AT_ONCE + 24 * 3600 / EVERY_S
    told = sum(int(one.split("; ")[1].split()[0]) for one in written if "; " in one)
    assert len(written) + told >= len(said) - EVERY_S - 1


def test_what_people_mistype_is_all_written_down():
    failures = Failures()
    assert None not in [failures.feed("failed", hour * 600.0) for hour in range(100)]

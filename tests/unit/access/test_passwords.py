"""The policy of access.md and trust.md A4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkray.access.passwords import PRINTED, STEMS, weakness

GOOD = ["correct horse battery staple", "blue-Whale-93-fox", "gR7kq9Zp2WvX", "Tr0ub4dor&3xyz",
        "go up by it", "mijn fiets is gestolen vandaag", "öäü ist noch kein wort"]  # fmt: skip
BAD = ["", "short", "elevenchars", "Password1234", "P@ssw0rd!!!!!", "passwordpassword",
       "123456789012", "aaaaaaaaaaaa", "abcabcabcabc", "qwertyuiop12", "qwertyuiopasdf",
       "Installer1234", "!!!installer!!!", "1nst4ller2024", "linkraylinkray", "manufacturer",
       "one one one one", "a b c d", "Charger2026!!", "098765432109", "with\nnew line here",
       "x" * 257, "zxcvbnmasdfghjkl"]  # fmt: skip


@pytest.mark.parametrize("password", GOOD)
def test_a4_a_long_password_or_four_words_will_do(password):
    assert weakness(password, "Installer") is None


@pytest.mark.parametrize("password", BAD)
def test_a4_what_is_short_common_or_the_name_will_not(password):
    assert weakness(password, "Installer")


@pytest.mark.parametrize("password", [*PRINTED, "howru2RU2IC3", "HOWRU2RU2IC3"])
def test_a4_no_default_of_a_manual_will_do(password):
    assert "manual" in weakness(password, "EV")


def test_a4_neither_the_serial_nor_the_sites_name_will_do():
    names = ("LR-SERIAL-ABCDEF", "Meadow Lane Yard")

    assert weakness("LR-SERIAL-ABCDEF", "EV", names)
    assert weakness("meadowlaneyard77", "EV", names)
    assert weakness("meadows are greener", "EV", names) is None


@given(st.sampled_from(sorted(STEMS)), st.integers(0, 99_999_999), st.sampled_from("!.?-_#"))
def test_a4_no_padding_makes_a_common_word_good(stem, number, sign):
    for password in (f"{stem}{number:08}{sign}", f"{number:08}{stem.upper()}{sign * 4}"):
        assert weakness(password, "EV")


@given(st.text(max_size=11))
def test_a4_under_twelve_characters_only_words_pass(password):
    if weakness(password, "EV") is None:
        assert len({w for w in password.replace("-", " ").split() if len(w) >= 2}) >= 2


@given(st.text())
def test_every_text_gets_a_verdict(password):
    verdict = weakness(password, "EV", ("serial",))

    assert verdict is None or verdict

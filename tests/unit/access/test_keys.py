"""API keys: shown once, kept hashed, over when they are over (trust.md A8, A9, T3)."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest

from linkray.access.door import Door
from linkray.access.keys import FORM, BadSpan, expiry, find, level, new_key
from linkray.kit.clock import stamp
from linkray.model.asks import Key

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def kept(scope: str = "read", days: float = 1) -> tuple[str, Key]:
    shown, digest = new_key(secrets.token_bytes(32))
    return shown, Key(digest, scope, stamp(NOW + timedelta(days=days)))


def test_a8_the_key_itself_is_not_kept():
    shown, key = kept()

    assert FORM.match(shown)
    assert shown not in str(key)
    assert find((key,), shown, NOW) == key


@pytest.mark.parametrize(("scope", "least"), [("read", 1), ("write", 2), ("admin", 0), ("", 0)])
def test_a9_the_scope_is_a_level(scope, least):
    shown, key = kept(scope)

    assert level(key) == least
    assert (find((key,), shown, NOW) is not None) == (least > 0)


def test_a9_an_expired_key_or_one_without_a_clear_end_is_none():
    shown, key = kept(days=1)

    assert find((key,), shown, NOW + timedelta(hours=23, minutes=59))
    assert find((key,), shown, NOW + timedelta(days=1)) is None
    for ends in ("", "never", "2030-01-01", "2030-01-01T00:00:00"):
        assert find((Key(key.digest, "read", ends),), shown, NOW) is None


@pytest.mark.parametrize("wrong", ["", "lr_", "x" * 46, "lr_" + "A" * 43, "lr_" + "é" * 43])
def test_a9_other_texts_are_no_key(wrong):
    assert find((kept()[1],), wrong, NOW) is None


def test_t3_a_clock_set_back_revives_no_expired_key():
    door = Door(lambda: secrets.token_bytes(32))
    shown, key = kept(days=1)

    assert door.key((key,), shown, NOW) == (key, 1)
    assert door.key((key,), shown, NOW + timedelta(days=2)) is None
    assert door.key((key,), shown, NOW) is None


@pytest.mark.parametrize(("span", "hours"), [("90m", 1.5), ("12h", 12), ("1d", 24), ("2w", 336)])
def test_a_span_is_read(span, hours):
    assert expiry(span, NOW) == NOW + timedelta(hours=hours)


@pytest.mark.parametrize("span", ["", "1", "d", "0d", "-1d", "1.5d", "1y", "99999w", "１d"])
def test_another_span_is_refused_in_words(span):
    with pytest.raises(BadSpan, match="Expected"):
        expiry(span, NOW)

"""What a charger's Authorization header proves: the small pure file."""

from __future__ import annotations

import base64

import pytest

from linkray.charger.proof import (
    REFUSALS_MAX,
    Kept,
    Proofs,
    basic,
    is_it,
    kept_of,
    read_proofs,
    unfit,
)
from linkray.model.clients import Clients, read_clients

WORD = "0123456789abcdef0123456789abcdef01234567"
SALT = b"s" * 16


def header(charger: str, password: bytes | str) -> str:
    raw = password if isinstance(password, bytes) else password.encode()
    return "Basic " + base64.b64encode(charger.encode() + b":" + raw).decode()


@pytest.mark.parametrize(("given", "password"), [
    (header("CP1", WORD), WORD.encode()),
    (header("CP1", "with:colon"), b"with:colon"),
    (header("CP1", b"\xff\x00"), b"\xff\x00"),
    (header("CP1", WORD).replace("Basic", "basic"), WORD.encode()),
    (header("CP2", WORD), None),  # of another charger
    ("Bearer abc", None), ("Basic", None), ("Basic ", None), ("Basic !!!", None), ("", None),
    ("Basic " + base64.b64encode(b"CP1").decode(), None),
])  # fmt: skip
def test_a30_only_a_basic_header_that_names_this_charger_has_a_password(
    given: str, password: bytes | None
) -> None:
    assert basic(given, "CP1") == password


@pytest.mark.parametrize("kept", ["torn", '{"CP1":7}', "", None])
def test_what_is_kept_and_cannot_be_read_is_none_and_ends_nobody(kept: str | None) -> None:
    assert read_proofs(kept) == {}
    assert read_clients(kept) == Clients()


def test_a30_an_identity_with_colons_of_its_own_proves_itself_too() -> None:
    proofs = Proofs({"CP:01:B": Kept(now=kept_of(WORD, SALT))})
    assert proofs.judge("CP:01:B", header("CP:01:B", WORD)) == "proved"
    assert proofs.judge("CP:01:B", header("CP", f"01:B:{WORD}")) == "proved"  # the same bytes
    assert proofs.judge("CP:01:B", header("CP:01", f"B{WORD}")) == "refused"


def test_a30_a_charger_that_takes_the_key_for_hexadecimal_is_known_too() -> None:
    kept = kept_of(WORD, SALT)
    assert is_it(kept, WORD.encode())
    assert is_it(kept, bytes.fromhex(WORD))
    assert is_it(kept_of(WORD.upper(), SALT), bytes.fromhex(WORD))
    assert not is_it(kept, WORD[:-1].encode())
    assert not is_it(kept, b"")
    assert not is_it("", b"")


def test_a30_without_a_password_anybody_is_let_in_and_with_one_only_who_has_it() -> None:
    proofs = Proofs({"CP1": Kept(now=kept_of(WORD, SALT))})
    assert proofs.judge("CP1", header("CP1", WORD)) == "proved"
    assert proofs.judge("CP1", header("CP1", WORD + "x")) == "refused"
    assert proofs.judge("CP1", "") == "refused"
    assert proofs.judge("CP2", "") == "open"


def test_what_it_was_told_is_required_only_once_it_has_come_with_it() -> None:
    proofs = Proofs({"CP1": Kept(now=kept_of(WORD, SALT), new=kept_of(WORD[::-1], SALT)),
                     "CP2": Kept(new=kept_of(WORD, SALT))})  # fmt: skip
    assert proofs.judge("CP1", header("CP1", WORD)) == "proved"
    assert proofs.judge("CP1", header("CP1", WORD[::-1])) == "proved_new"
    assert proofs.judge("CP1", "") == "refused"
    assert proofs.judge("CP2", "") == "open"
    assert proofs.judge("CP2", header("CP2", WORD)) == "proved_new"


@pytest.mark.parametrize("word", ["short", "x" * 41, "with a blank in it", "ümlaut-is-not-one", ""])
def test_a4_a_password_that_chargers_cannot_keep_is_refused_in_words(word: str) -> None:
    assert unfit(word).startswith("Expected 16 to 40")
    assert unfit("x" * 16) == unfit(WORD) == ""


def test_refusals_are_counted_for_so_many_chargers_and_no_more() -> None:
    proofs = Proofs()
    for number in range(REFUSALS_MAX + 5):
        proofs.refused(f"CP{number}", "192.0.2.9", "why", "2026-11-21T08:00:00.000Z")
    proofs.refused("CP0", "192.0.2.10", "why", "2026-11-21T08:00:01.000Z")
    assert len(proofs.refusals) == REFUSALS_MAX
    assert (proofs.refusals["CP0"].count, proofs.refusals["CP0"].source) == (2, "192.0.2.10")

"""Licence files: what is taken, and every kind of file that is not (access.md, Licence)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tools.licence import issue, known_key, make_key, public_hex, read_key

from linkray.access.licence import BadLicence, Licence, check_end, read
from linkray.hal.sim import TEST_KEY

PUBLIC = bytes.fromhex(TEST_KEY)
GOOD = Licence("LR-1", 40, "2026-11-21", "2027-11-20", "Acme", "4711")
KEY = known_key()


def test_the_simulated_boards_key_is_the_tools_known_key() -> None:
    assert public_hex(KEY) == TEST_KEY


def test_a_licence_of_this_box_is_read_whole_with_a_mark_of_windows_too() -> None:
    file = issue(GOOD, KEY)

    assert read(file, PUBLIC, "LR-1") == GOOD
    assert read(b"\xef\xbb\xbf" + file.replace(b"\n", b"\r\n"), PUBLIC, "LR-1") == GOOD


def test_every_byte_of_it_is_signed() -> None:
    tree = json.loads(issue(GOOD, KEY))
    for place in range(len(tree["licence"])):
        changed = dict(tree)
        other = "0" if tree["licence"][place] != "0" else "1"
        changed["licence"] = tree["licence"][:place] + other + tree["licence"][place + 1 :]
        with pytest.raises(BadLicence, match="signature is not right"):
            read(json.dumps(changed).encode(), PUBLIC, "LR-1")


def test_an_extra_space_in_what_was_signed_is_another_licence() -> None:
    tree = json.loads(issue(GOOD, KEY))
    with pytest.raises(BadLicence, match="signature is not right"):
        read(json.dumps({**tree, "licence": tree["licence"] + " "}).encode(), PUBLIC, "LR-1")


@pytest.mark.parametrize("signature", ["", "AAAA", "====", "é", "A" * 88])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    tree = json.loads(issue(GOOD, KEY))
    with pytest.raises(BadLicence):
        read(json.dumps({**tree, "signature": signature}).encode(), PUBLIC, "LR-1")


def test_a_licence_that_somebody_else_signed_is_refused() -> None:
    with pytest.raises(BadLicence, match="not of LinkRay's maker"):
        read(issue(GOOD, Ed25519PrivateKey.generate()), PUBLIC, "LR-1")


def test_another_boxs_licence_names_both_serials() -> None:
    with pytest.raises(BadLicence, match="for the box 'LR-1', and this one is 'LR-2'"):
        read(issue(GOOD, KEY), PUBLIC, "LR-2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"connectors": 0}, "1 to 1000"), ({"connectors": 1001}, "1 to 1000"),
        ({"expires": "soon"}, "a date of it is none"), ({"issued": ""}, "a date of it is none"),
        ({"customer": "x" * 101}, "at most 100"),
    ],
)  # fmt: skip
def test_what_the_maker_signed_by_mistake_is_named(change: dict, words: str) -> None:
    with pytest.raises(BadLicence, match=words):
        read(issue(msgspec.structs.replace(GOOD, **change), KEY), PUBLIC, "LR-1")


@pytest.mark.parametrize(
    "file",
    [b"", b"{}", b"[]", b"\xff\xfe", b"{" * 5000, b'{"licence": 1, "signature": "x"}',
     b'{"licence": "{}", "signature": "", "more": 1}', b'{"licence": "\\ud800", "signature": ""}',
     b" " * 9000],
)  # fmt: skip
def test_what_is_no_licence_file_is_refused(file: bytes) -> None:
    with pytest.raises(BadLicence):
        read(file, PUBLIC, "LR-1")


def test_it_holds_through_its_last_day() -> None:
    check_end(GOOD, datetime(2027, 11, 20, 23, 59, tzinfo=UTC))
    with pytest.raises(BadLicence, match="expired on 2027-11-20"):
        check_end(GOOD, datetime(2027, 11, 21, 0, 0, tzinfo=UTC))
    check_end(msgspec.structs.replace(GOOD, expires=None), datetime(2999, 1, 1, tzinfo=UTC))


def test_a_makers_key_is_its_owners_alone_and_never_overwritten(tmp_path) -> None:
    path = tmp_path / "maker.pem"
    made = make_key(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert public_hex(read_key(path)) == public_hex(made)
    with pytest.raises(FileExistsError):
        make_key(path)

"""What is secret is fresh on every box, and nothing secret lies in the code (trust.md A3, A8, A23).
"""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from linkray.access.door import Door
from linkray.access.passwords import PRINTED, weakness
from linkray.kit import secret, tls
from linkray.model.asks import Account
from linkray.store.first import PRINTED_HASH

ROOT = Path(__file__).parents[2]
FIRMWARE = ROOT / "firmware"
SECRETS = {
    "a private key": re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}"),
    "an API key": re.compile(rb"\blr_[A-Za-z0-9_\-]{43}\b"),
    "a password's hash": re.compile(rb"\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22,}\$"),
}
KNOWN = {  # the printed password's hash, which is public, and the one that nobody has
    "a password's hash": {"firmware/linkray/store/first.py", "firmware/linkray/kit/secret.py"},
}


def shipped() -> list[Path]:
    out = subprocess.run(
        ["git", "ls-files", "--", "firmware", "board", "rootfs"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in out.splitlines() if (ROOT / name).is_file()]


@pytest.mark.parametrize("what", SECRETS)
def test_a3_no_secret_lies_in_what_is_shipped(what):
    found = {str(p.relative_to(ROOT)) for p in shipped() if SECRETS[what].search(p.read_bytes())}

    assert found <= KNOWN.get(what, set())


def test_a3_the_scan_sees_a_planted_secret():
    key = b"-----BEGIN EC PRIVATE KEY-----\n" + b"A" * 64
    assert SECRETS["a private key"].search(key)
    assert SECRETS["an API key"].search(b'key = "lr_' + b"x" * 43 + b'"')
    assert SECRETS["a password's hash"].search(PRINTED_HASH.encode())


def test_a3_two_boxes_have_no_key_in_common(tmp_path):
    first, second = tls.own_certificate(tmp_path / "a"), tls.own_certificate(tmp_path / "b")

    assert first.read_bytes() != second.read_bytes()
    keys = [re.search(rb"PRIVATE KEY-----(.+?)-----END", p.read_bytes(), re.DOTALL)
            for p in (first, second)]  # fmt: skip
    assert keys[0] and keys[1]
    assert keys[0][1] != keys[1][1]


def test_a3_no_account_but_the_three_and_only_one_has_a_password_at_first():
    from linkray.store.first import FIRST_ACCOUNTS

    assert [(one.name, bool(one.hash), one.first) for one in FIRST_ACCOUNTS] == [
        ("EV", False, False), ("Installer", False, False), ("Assembler", True, True),
    ]  # fmt: skip


@pytest.mark.parametrize("password", PRINTED)
@pytest.mark.parametrize("account", ["EV", "Installer", "Assembler"])
def test_a1_no_printed_password_is_ever_taken_again(password, account):
    assert weakness(password, account) is not None


def test_a4_passwords_are_kept_as_argon2id_of_19_mib_and_two_passes():
    kept = secret.hash_password("red whale sings loud")

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert secret.is_password(kept, "red whale sings loud")
    assert not secret.is_password(kept, "red whale sings low")
    assert not secret.is_password("", "")


def test_a8_chance_in_the_firmware_is_the_systems_and_never_a_guessable_one():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FIRMWARE.rglob("*.py")
        if "node_modules" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Import) and any(a.name == "random" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "random")
    ]

    assert found == []


def test_a8_a_hundred_thousand_tokens_are_all_different_and_every_byte_as_likely():
    made = [secret.fresh() for _ in range(100_000)]

    assert len(set(made)) == len(made)
    counts = [0] * 256
    for one in made:
        for byte in one[:4]:
            counts[byte] += 1
    expected = len(made) * 4 / 256
    chi = sum((count - expected) ** 2 / expected for count in counts)
    assert 130 < chi < 420  # 255 degrees of freedom: outside once in 10⁹ runs


def test_a8_session_tokens_csrf_tokens_and_keys_are_not_made_of_each_other():
    door = Door(secret.fresh)
    token, session = door.enter(Account("EV", 1, "x"), "192.0.2.7", 0.0)

    assert len(token) == len(session.csrf) == 43  # 256 bit of base64url
    assert token != session.csrf
    assert token not in str(vars(door.sessions))


def test_a23_no_shell_and_no_statement_put_together_by_hand_in_the_firmware():
    """Ruff's rules on shells and statements (S602, S605, S608) are on in all of it besides."""
    bad = re.compile(r"shell\s*=\s*True|os\.system\(|os\.popen\(|\beval\(|\bexec\(")
    found = [
        str(path.relative_to(ROOT))
        for path in FIRMWARE.rglob("*.py")
        if "node_modules" not in path.parts and bad.search(path.read_text())
    ]

    assert found == []
    assert 'select = ["ALL"]' in (ROOT / "pyproject.toml").read_text()

"""Issues licences: signs what a box may have with the maker's Ed25519 key.

The key is a PEM file that only its owner can read; its public half, in 64 hex digits, stands as
`licence_key` in the board's description. The key of the simulated board is no secret: it is made
from a sentence that stands here, so that anybody can try licences out, and it opens no other board.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from linkray.access.licence import CONNECTORS_MAX, Licence, Signed, signed_part

TEST_SENTENCE = b"LinkRay's test key for licences of simulated boards, known to everybody"


def known_key() -> Ed25519PrivateKey:
    """The simulated board's."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(TEST_SENTENCE).digest())


def public_hex(key: Ed25519PrivateKey) -> str:
    """What stands in a board's description."""
    return key.public_key().public_bytes_raw().hex()


def issue(licence: Licence, key: Ed25519PrivateKey) -> bytes:
    """The file of a licence."""
    text = msgspec.json.encode(licence).decode()
    signature = base64.b64encode(key.sign(signed_part(text))).decode()
    return msgspec.json.format(msgspec.json.encode(Signed(text, signature)), indent=2) + b"\n"


def make_key(path: Path) -> Ed25519PrivateKey:
    """A fresh key in a file of its own; raises FileExistsError rather than lose one."""
    key = Ed25519PrivateKey.generate()
    words = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(words)
    return key


def read_key(path: Path) -> Ed25519PrivateKey:
    """The key in a file; raises ValueError where it is none."""
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"expected an Ed25519 key, got {type(key).__name__}")  # noqa: TRY004
    return key


def day(text: str) -> str:
    """A date as ISO 8601."""
    return date.fromisoformat(text).isoformat()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tools/licence", description=__doc__)
    acts = top.add_subparsers(dest="act", required=True)
    make = acts.add_parser("make-key", help="make a key and print its public half")
    make.add_argument("file", type=Path)
    public = acts.add_parser("public-key", help="print the public half of a key")
    issued = acts.add_parser("issue", help="print a licence")
    for one in (public, issued):
        which = one.add_mutually_exclusive_group(required=True)
        which.add_argument("--key", type=Path, help="the maker's key")
        which.add_argument("--test-key", action="store_true", help="the simulated board's")
    issued.add_argument("--serial", required=True, help="of the box it is for")
    issued.add_argument("--connectors", type=int, required=True)
    issued.add_argument("--expires", type=day, help="its last day, YYYY-MM-DD; none: it has no end")
    issued.add_argument("--customer", default="")
    issued.add_argument("--number", default="")
    return top


def main() -> int:
    """One command; exit 1 and a sentence where a key cannot be read or is there already."""
    options = parser().parse_args()
    try:
        if options.act == "make-key":
            print(public_hex(make_key(options.file)))
            return 0
        key = known_key() if options.test_key else read_key(options.key)
    except (OSError, ValueError, TypeError) as error:
        print(f"tools/licence: {error}", file=sys.stderr)
        return 1
    if options.act == "public-key":
        print(public_hex(key))
        return 0
    if not 1 <= options.connectors <= CONNECTORS_MAX:
        print(f"tools/licence: expected 1 to {CONNECTORS_MAX} connectors", file=sys.stderr)
        return 1
    licence = Licence(
        options.serial, options.connectors, datetime.now(UTC).date().isoformat(), options.expires,
        options.customer, options.number,
    )  # fmt: skip
    sys.stdout.write(issue(licence, key).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())

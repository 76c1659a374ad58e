"""Fresh secrets, and Argon2id as everyone here uses it: 19 MiB, two passes, one lane.

Argon2id is imported when first used and slow by intent (30 ms on a laptop, 0.3 s on the board):
call it in a thread, one at a time.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argon2 import PasswordHasher

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
# In whose names these stand, their values are shown to nobody.
NAMES = ("authorizationkey", "passw", "pwd", "secret", "psk", "token", "credential", "apikey")
NAMED = re.compile("|".join(NAMES) + r"|^pin$|private_?key|api_key", re.IGNORECASE)
# A password nobody has: compared with where there is no account, so that both take equally long.
NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZSByYW5kb20gc2FsdA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)


def fresh() -> bytes:
    """256 bits that nobody can guess (trust.md A8)."""
    return secrets.token_bytes(32)


def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def hash_password(password: str) -> str:
    """A fresh salted hash, as text that says how it was made."""
    return _hasher().hash(password)


def is_password(kept: str, password: str) -> bool:
    """Whether the password is the one that `kept` was made of; an empty `kept` is nobody's."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return _hasher().verify(kept or NOBODY, password) and bool(kept)
    except (VerificationError, InvalidHashError):
        return False

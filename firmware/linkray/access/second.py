"""The optional second factor: codes of an authenticator application (RFC 6238; access.md, People).

Six digits of HMAC-SHA-1 over the 30 s that it is, as every such application knows them.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32encode

STEP_S = 30  # RFC 6238, 5.2
DRIFT_STEPS = 1  # the phone's clock, or the typing, is this far off at most
SECRET_BYTES = 20  # RFC 4226, 4, R6: as long as SHA-1's digest
SECRET = re.compile(r"^[A-Z2-7]{32}$")  # the same in base32
CODE = re.compile(r"^[0-9]{6}$", re.ASCII)


def new_secret(fresh: bytes) -> str:
    """A secret as applications take it; `fresh` is new randomness."""
    assert len(fresh) >= SECRET_BYTES
    return b32encode(fresh[:SECRET_BYTES]).decode()


def address(secret: str, account: str, box: str) -> str:
    """The `otpauth:` address that a QR code carries: whose code it is, and of which box."""
    from pyotp import TOTP

    name = f"{account}, {box}" if box else account
    return TOTP(secret).provisioning_uri(name=name, issuer_name="LinkRay")


def was_used(secret: str, code: str, unix_s: float, used: int) -> bool:
    """Whether it is refused only because it, or a later one, has opened already: a replay."""
    again = step_of(secret, code, unix_s, 0)
    return again is not None and step_of(secret, code, unix_s, used) is None


def step_of(secret: str, code: str, unix_s: float, used: int) -> int | None:
    """The time step whose code this is; None: it is wrong, too old, or was used.

    `used` is the step of the newest code that opened. It opens nothing again, nor does one of the
    steps before it that could still hold; steps further back mean that the clock was set back, and
    nobody is locked out for that (trust.md T3 speaks of keys and sessions, not of codes).
    """
    from pyotp import TOTP

    bare = code.replace(" ", "")
    if CODE.match(bare) is None or SECRET.match(secret) is None:
        return None
    codes = TOTP(secret)
    now = int(unix_s) // STEP_S
    found = None
    for step in range(now - DRIFT_STEPS, now + DRIFT_STEPS + 1):
        again = used - 2 * DRIFT_STEPS <= step <= used
        if hmac.compare_digest(codes.generate_otp(max(step, 0)), bare) and not again:
            found = step
    return found

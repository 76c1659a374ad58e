"""Who is signed in: a table of hashed tokens with an idle and an absolute end (trust.md A7, A8)."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Collection

import msgspec

IDLE_S = 15 * 60.0  # access.md, People
LONGEST_S = 12 * 3600.0
MUST_CHANGE_S = 15 * 60.0  # trust.md 4, rule 3
ID_CHARS = 16  # of a token's digest: how a session is called where all are listed
TOKEN_BYTES = 32  # 256 bit, twice what trust.md A8 asks
CONFIRMED_S = 5 * 60.0  # web.md, Danger: for so long a password given again opens changes
SESSIONS_MAX = 200  # the one idle for longest is ended first


class Session(msgspec.Struct):
    """A signed-in person."""

    account: str
    level: int
    csrf: str
    made: float
    used: float
    must_change: bool = False  # the first password: three routes only (trust.md A1)
    password: str = ""  # a mark of the one it was opened with; another ends the session
    source: str = ""  # the address it was opened from
    confirmed: float | None = None  # when the password was given again
    second: str = ""  # the secret of a second factor that is being set up


def text_of(secret: bytes) -> str:
    """Random bytes as a cookie holds them."""
    return urlsafe_b64encode(secret).rstrip(b"=").decode()


def digest(token: str) -> str:
    """What is kept instead of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


class Sessions:
    """The table. Tokens are not in it, only their SHA-256; `secret` is fresh randomness."""

    def __init__(self) -> None:
        self._open: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(
        self,
        account: str,
        level: int,
        now: float,
        secret: bytes,
        *,
        must_change: bool = False,
        password: str = "",
        source: str = "",
    ) -> tuple[str, Session]:
        """A new session and its token; the CSRF token is another hash of the same secret."""
        assert len(secret) >= TOKEN_BYTES
        token = text_of(secret)
        csrf = text_of(hmac.digest(secret, b"csrf", "sha256"))
        session = Session(account, level, csrf, now, now, must_change, password, source)
        if len(self._open) >= SESSIONS_MAX:
            del self._open[min(self._open, key=lambda held: self._open[held].used)]
        self._open[digest(token)] = session
        return token, session

    def find(self, token: str, now: float, *, used: bool) -> Session | None:
        """The session of a token, or None. `used` False is the live stream: it keeps none alive."""
        held = digest(token)
        session = self._open.get(held)
        if session is None:
            return None
        if self._over(session, now):
            del self._open[held]
            return None
        if used:
            session.used = now
        return session

    def end(self, token: str) -> None:
        self._open.pop(digest(token), None)

    def opened(self, now: float) -> list[tuple[str, Session]]:
        """All that have not ended, the newest first, by a name that opens nothing."""
        live = [(held[:ID_CHARS], s) for held, s in self._open.items() if not self._over(s, now)]
        return sorted(live, key=lambda one: one[1].made)[::-1]

    def end_named(self, names: Collection[str]) -> int:
        """Those of these names end; how many that were."""
        gone = [held for held in self._open if held[:ID_CHARS] in names]
        for held in gone:
            del self._open[held]
        return len(gone)

    def end_older(self, passwords: dict[str, str]) -> None:
        """All whose account has another password than at sign-in, or is gone."""
        self._open = {
            h: s for h, s in self._open.items() if passwords.get(s.account) == s.password
        }

    def _over(self, session: Session, now: float) -> bool:
        longest = MUST_CHANGE_S if session.must_change else LONGEST_S
        return now - session.used >= IDLE_S or now - session.made >= longest

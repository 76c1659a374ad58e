"""The door that the pages stand behind: sign-in, sessions and keys, handed over as one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from linkray.model.asks import Account, Key

from .keys import find, level
from .passwords import weakness
from .sessions import Session, Sessions, digest
from .throttle import Throttle


class Door:
    """What `faces/web` asks of access. Holds no password and no key; `now` is monotonic.

    `fresh` gives new randomness for a session (`kit.secret.fresh`).
    """

    def __init__(self, fresh: Callable[[], bytes]) -> None:
        self.sessions = Sessions()
        self.throttle = Throttle()
        self._fresh = fresh
        self._latest: datetime | None = None

    def may_try(self, account: str, source: str, now: float, *, first: bool) -> float:
        """0: go on (counted as failed until `right`); else the seconds to wait."""
        if first:
            wait = self.throttle.begin_first(source, now)
            if wait > 0:
                return wait
        return self.throttle.begin(account, source, now)

    def right(self, account: str, source: str) -> None:
        self.throttle.succeed(account, source)

    def enter(self, account: Account, now: float) -> tuple[str, Session]:
        """A new session for an account whose password was right."""
        return self.sessions.open(
            account.name, account.level, now, self._fresh(),
            must_change=account.first, password=_mark(account),
        )  # fmt: skip

    def session(self, token: str, now: float, *, used: bool) -> Session | None:
        return self.sessions.find(token, now, used=used)

    def leave(self, token: str) -> None:
        self.sessions.end(token)

    def passwords_changed(self, accounts: tuple[Account, ...]) -> None:
        """Sessions from before a change of their account's password end."""
        self.sessions.end_older({account.name: _mark(account) for account in accounts})

    def key(self, keys: tuple[Key, ...], presented: str, utc: datetime) -> tuple[Key, int] | None:
        """The key presented and its level. A wall clock set back revives none (trust.md T3)."""
        self._latest = utc if self._latest is None else max(self._latest, utc)
        found = find(keys, presented, self._latest)
        return None if found is None else (found, level(found))

    def weakness(self, password: str, account: str, names: tuple[str, ...] = ()) -> str | None:
        """Why a new password will not do, in words; None when it will."""
        return weakness(password, account, names)


def _mark(account: Account) -> str:
    """Another one with every new password, whatever the wall clock said when it was set."""
    return digest(account.hash + account.changed)

"""The door that the pages stand behind: sign-in, sessions and keys, handed over as one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from linkray.model.asks import Account, Key

from .failures import Failures
from .keys import expiry, find, level, new_key
from .passwords import weakness
from .second import address, new_secret, step_of, was_used
from .sessions import CONFIRMED_S, ID_CHARS, Session, Sessions, digest
from .throttle import Throttle


class Door:
    """What `faces/web` asks of access. Holds no password and no key; `now` is monotonic.

    `fresh` gives new randomness for a session (`kit.secret.fresh`).
    """

    def __init__(self, fresh: Callable[[], bytes]) -> None:
        self.sessions = Sessions()
        self.throttle = Throttle()
        self._failures = Failures()
        self._fresh = fresh
        self._used: dict[str, int] = {}  # by account: also while the disk takes nothing
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

    def failed(self, what: str, now: float) -> str | None:
        """What the audit log is told of a failure; None where it has heard of too many."""
        return self._failures.feed(what, now)

    def enter(self, account: Account, source: str, now: float) -> tuple[str, Session]:
        """A new session for an account whose password was right."""
        return self.sessions.open(
            account.name, account.level, now, self._fresh(),
            must_change=account.first, password=_mark(account), source=source,
        )  # fmt: skip

    # -- the second factor -----------------------------------------------------------------------

    def begin_second(self, token: str, box: str, now: float) -> tuple[str, str]:
        """A new secret and its address for a QR code; it holds once a code of it was given."""
        secret = new_secret(self._fresh())
        session = self.session(token, now, used=True)
        if session is not None:
            session.second = secret
        return secret, address(secret, "" if session is None else session.account, box)

    def may_code(self, account: str, now: float) -> float:
        """0: a code may be looked at (counted as wrong until `code_right`); else the seconds to
        wait. Asked only once the password was right.
        """
        return self.throttle.begin_code(account, now)

    def code_right(self, account: str) -> None:
        self.throttle.code_right(account)

    def second_step(self, account: str, secret: str, code: str, utc: datetime, used: int) -> int:
        """The time step of a right code, taken: it opens nothing again.

        0: it is not right. -1: it was, and has opened already (a replay).
        """
        newest = max(used, self._used.get(account, 0))
        step = step_of(secret, code, utc.timestamp(), newest)
        if step is None:
            return -1 if was_used(secret, code, utc.timestamp(), newest) else 0
        self._used[account] = step
        return step

    # -- sessions --------------------------------------------------------------------------------

    def confirm(self, token: str, now: float) -> None:
        """The password was given again: for a short while changes of who may what are open."""
        session = self.session(token, now, used=True)
        if session is not None:
            session.confirmed = now

    def is_confirmed(self, token: str, now: float) -> bool:
        """Whether the session's person has given the password again a short while ago."""
        session = self.session(token, now, used=False)
        confirmed = None if session is None else session.confirmed
        return confirmed is not None and now - confirmed < CONFIRMED_S

    def opened(self, now: float) -> list[tuple[str, Session]]:
        """Who is signed in, the newest first, each by a name that opens nothing."""
        return list(self.sessions.opened(now))

    def name_of(self, token: str) -> str:
        """The name of a session in that list."""
        return digest(token)[:ID_CHARS]

    def end_named(self, names: Collection[str]) -> int:
        return self.sessions.end_named(names)

    def session(self, token: str, now: float, *, used: bool) -> Session | None:
        return self.sessions.find(token, now, used=used)

    def leave(self, token: str) -> None:
        self.sessions.end(token)

    def passwords_changed(self, accounts: tuple[Account, ...]) -> None:
        """Sessions from before a change of their account's password end."""
        self.sessions.end_older({account.name: _mark(account) for account in accounts})

    # -- keys ------------------------------------------------------------------------------------

    def new_key(self, span: str, utc: datetime) -> tuple[str, str, datetime]:
        """A key as it is shown once, the digest that is kept, and when it ends.

        Raises `ValueError` in words for a span that is none.
        """
        until = expiry(span, utc)
        return (*new_key(self._fresh()), until)

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

"""What the pages need of others, as protocols: the desk's client, the door, the slow hashing.

The roof hands them over; faces imports no room.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Protocol

import msgspec

from linkray.kit.cell import Cell
from linkray.model.asks import Account, Answer, AnyAsk, Key, Who
from linkray.model.sessions import Choices, FileKind, Measured, OfSite, Quarter, Range


class Session(Protocol):
    """A signed-in person, as the door keeps it."""

    account: str
    level: int
    csrf: str
    made: float
    used: float
    must_change: bool
    source: str
    second: str


class Door(Protocol):
    """Sign-in, sessions and keys (`linkray.access.door.Door`)."""

    def may_try(self, account: str, source: str, now: float, *, first: bool) -> float: ...
    def right(self, account: str, source: str) -> None: ...
    def failed(self, what: str, now: float) -> str | None: ...
    def enter(self, account: Account, source: str, now: float) -> tuple[str, Session]: ...
    def begin_second(self, token: str, box: str, now: float) -> tuple[str, str]: ...
    def may_code(self, account: str, now: float) -> float: ...
    def code_right(self, account: str) -> None: ...
    def second_step(
        self, account: str, secret: str, code: str, utc: datetime, used: int
    ) -> int: ...
    def confirm(self, token: str, now: float) -> None: ...
    def is_confirmed(self, token: str, now: float) -> bool: ...
    def opened(self, now: float) -> Sequence[tuple[str, Session]]: ...
    def name_of(self, token: str) -> str: ...
    def end_named(self, names: Collection[str]) -> int: ...
    def new_key(self, span: str, utc: datetime) -> tuple[str, str, datetime]: ...
    def session(self, token: str, now: float, *, used: bool) -> Session | None: ...
    def leave(self, token: str) -> None: ...
    def passwords_changed(self, accounts: tuple[Account, ...]) -> None: ...
    def key(
        self, keys: tuple[Key, ...], presented: str, utc: datetime
    ) -> tuple[Key, int] | None: ...
    def weakness(self, password: str, account: str, names: tuple[str, ...]) -> str | None: ...


class Control(Protocol):
    """The desk's client (`linkray.faces.client.DeskClient`)."""

    @property
    def snapshot(self) -> Cell[bytes | None]: ...

    async def ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...


class Hashing(Protocol):
    """Argon2id, one at a time and off the loop."""

    async def hash(self, password: str) -> str: ...
    async def is_password(self, kept: str, password: str) -> bool: ...


class Writer(Protocol):
    """Writes one file of sessions, piece by piece."""

    @property
    def needs_samples(self) -> bool: ...
    def begin(self) -> str: ...
    def add(self, sessions: Sequence[Measured]) -> str: ...
    def end(self) -> str: ...


class Books(Protocol):
    """Times, energies and files of sessions (`linkray.records.books.Books`)."""

    def span(
        self, name: Range, now: datetime, zone: tzinfo
    ) -> tuple[str | None, str | None]: ...
    def moment(self, text: str, zone: tzinfo, *, is_end: bool) -> str: ...  # raises ValueError
    def quarters(self, of: Measured) -> tuple[Quarter, ...]: ...
    def writer(
        self, kind: FileKind, choices: Choices, site: OfSite, zone: tzinfo,
        now: datetime, chargers: Iterable[str],
    ) -> Writer: ...  # fmt: skip


class Asker(msgspec.Struct, frozen=True):
    """Who sent a request: nobody (level 0), a person with a session, or a key."""

    who: Who
    session: Session | None = None
    token: str = ""
    is_key: bool = False
    confirmed: bool = False  # the password was given again a short while ago


class Call(msgspec.Struct, frozen=True):
    """A request that has passed the guard: read whole, its sender known and allowed."""

    asker: Asker
    source: str  # the address it came from
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]  # lower-case names
    body: bytes = b""
    parts: AsyncGenerator[bytes, None] | None = None  # the body, where the route reads it itself

"""What the pages need of others, as protocols: the desk's client, the door, the slow hashing.

The roof hands them over; faces imports no room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Protocol

import msgspec

from linkray.kit.cell import Cell
from linkray.model.asks import Account, Answer, AnyAsk, Key, Who


class Session(Protocol):
    """A signed-in person, as the door keeps it."""

    account: str
    level: int
    csrf: str
    must_change: bool


class Door(Protocol):
    """Sign-in, sessions and keys (`linkray.access.door.Door`)."""

    def may_try(self, account: str, source: str, now: float, *, first: bool) -> float: ...
    def right(self, account: str, source: str) -> None: ...
    def enter(self, account: Account, now: float) -> tuple[str, Session]: ...
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


class Asker(msgspec.Struct, frozen=True):
    """Who sent a request: nobody (level 0), a person with a session, or a key."""

    who: Who
    session: Session | None = None
    token: str = ""
    is_key: bool = False


class Call(msgspec.Struct, frozen=True):
    """A request that has passed the guard: read whole, its sender known and allowed."""

    asker: Asker
    source: str  # the address it came from
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[str, str]  # lower-case names
    body: bytes = b""
    parts: AsyncIterator[bytes] | None = None  # of the body, where the route reads it itself

"""Charge data records on their way: what is sent, what became of it, and what the page shows."""

from __future__ import annotations

from typing import Literal

import msgspec

from .settings import Delivery

SESSIONS_MAX = 10_000  # in one file: some 1.5 MB, which every mailbox takes; the rest is the next
KEPT_MAX = 1_000  # of what was sent: three years of days
LISTED_MAX = 100

State = Literal["waits", "sent", "failed"]


class Sending(msgspec.Struct, frozen=True):
    """One file with the sessions that it is made of, from when it was due until it is there.

    Its sessions, its name and its message id never change, so that a repeat takes the place of
    what may be there already. Times are UTC. `failed`: it was tried for 24 h; the next one tries it
    again.
    """

    id: int
    made: str
    until: str  # sessions that had ended by then
    sessions: int
    name: str  # of the file
    by: str = ""  # who asked for it; empty: it was its time
    state: State = "waits"
    tries: int = 0
    tried: str = ""  # when last; empty: not yet
    text: str = ""  # what came of that, in words
    place: str = ""  # where it was sent to last


class DeliveryView(msgspec.Struct, frozen=True):
    """What the page shows. `sendings` is the newest of them, newest first."""

    frequency: str
    protocol: str
    server: str
    next: str | None  # UTC; None: it is off, or the clock is not set
    clock_set: bool
    waiting: int  # sessions that have ended and belong to no sending yet, `waiting_max` at most
    waiting_max: int
    has_password: bool
    sending: int | None  # the one that is being sent now
    again: str | None  # when what waits is tried again (UTC)
    sendings: tuple[Sending, ...]


class DeliveryTested(msgspec.Struct, frozen=True):
    """What came of a test: whether the server took it, and in words."""

    taken: bool
    text: str


class Job(msgspec.Struct, frozen=True):
    """What the process that carries a file is told; on its standard input, for it has a secret.

    `number` 0: a test, without any session.
    """

    database: str
    number: int
    name: str
    made: str
    message_id: str
    subject: str
    text: str
    zone: str
    phases: dict[str, int]
    to: Delivery
    password: str = ""
    within_s: float = 60.0  # each step that waits for the other side
    loopback: bool = False


class Outcome(msgspec.Struct, frozen=True):
    """What came of it: the server has taken the file, or why not."""

    taken: bool
    text: str

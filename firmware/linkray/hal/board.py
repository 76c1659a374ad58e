"""The board: small protocols, each fallible, none with set-up in it (board.md).

Every method that touches hardware may raise `OSError`; rooms treat it as the world's fault.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec
import trio


class Line(msgspec.Struct, frozen=True):
    """How a serial line is set: 9600 8N1 unless the meter's file says otherwise."""

    baud: int = 9600
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1


class Leds(Protocol):
    """The dual LED."""

    def show(self, *, red: bool, green: bool) -> None: ...


class Button(Protocol):
    """The reset button: True when pressed, False when released, debounced."""

    def changes(self) -> trio.MemoryReceiveChannel[bool]: ...


class Serial(Protocol):
    """The RS-485 port.

    `open` gives a stream; a port that is taken away reads `b""` and refuses writes with
    `trio.BrokenResourceError`, on both backends.
    """

    async def open(self, line: Line) -> trio.abc.Stream: ...


class Watchdog(Protocol):
    """Bites when it has not been petted for its time."""

    def pet(self) -> None: ...


class Identity(Protocol):
    """Who the box is."""

    @property
    def serial(self) -> str: ...
    @property
    def mac(self) -> str: ...


EXIT_RESTART = 76  # how a process ends that is started anew by its runner, alone
EXIT_REBOOT = 75  # how the process ends for a reboot on the simulated board; its runner starts anew


class System(Protocol):
    """The machine as a whole.

    `rebooting` is set when a reboot has been asked for: the process ends in order.
    """

    @property
    def rebooting(self) -> trio.Event: ...
    def reboot(self) -> None: ...
    def uptime_s(self) -> float: ...


class LinkState(msgspec.Struct, frozen=True):
    """One network interface as it stands."""

    name: str
    kind: Literal["ethernet", "wifi", "cellular"]
    up: bool
    address: str | None = None  # CIDR
    gateway: str | None = None


class Network(Protocol):
    """Ethernet, Wi-Fi and the routes. `route`: the link that carries the way to the internet."""

    @property
    def preferred(self) -> str: ...
    def links(self) -> tuple[LinkState, ...]: ...
    def prefer(self, name: str) -> None: ...
    def route(self) -> str | None: ...


class ModemState(msgspec.Struct, frozen=True):
    """The LTE modem as it stands."""

    sim: Literal["absent", "locked", "ok"]
    registered: bool
    signal_dbm: int | None
    operator: str = ""


class Modem(Protocol):
    """The LTE Cat-M1 modem."""

    def state(self) -> ModemState: ...
    def restart(self, depth: Literal["connection", "modem", "power"]) -> None: ...


class Slot(msgspec.Struct, frozen=True):
    """One of the two places an image lives in."""

    name: Literal["A", "B"]
    version: str
    booted: bool
    good: bool


class Slots(Protocol):
    """The update slots."""

    def slots(self) -> tuple[Slot, ...]: ...
    def mark_good(self) -> None: ...


class Board(Protocol):
    """All of it. `simulated` is for showing, never for deciding.

    `keeps` names what in the state folder is the board's own and outlives a factory reset.
    `licence` is how many connectors it is shipped with, `licence_key` the Ed25519 key (32 bytes) of
    whoever signs licences for it (access.md, Licence).
    """

    @property
    def name(self) -> str: ...
    @property
    def keeps(self) -> frozenset[str]: ...
    @property
    def licence(self) -> int: ...
    @property
    def licence_key(self) -> bytes: ...
    @property
    def simulated(self) -> bool: ...
    @property
    def leds(self) -> Leds: ...
    @property
    def button(self) -> Button: ...
    @property
    def serial(self) -> Serial: ...
    @property
    def watchdog(self) -> Watchdog: ...
    @property
    def identity(self) -> Identity: ...
    @property
    def system(self) -> System: ...
    @property
    def network(self) -> Network: ...
    @property
    def modem(self) -> Modem: ...
    @property
    def slots(self) -> Slots: ...

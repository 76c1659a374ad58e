"""The simulated board: every part is a small model that a test or a person can play with."""

from __future__ import annotations

import secrets
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import trio

from linkray import __version__
from linkray.hal import notify
from linkray.hal.board import Line, LinkState, ModemState, Serial, Slot
from linkray.hal.files import write_synced
from linkray.hal.serial import Port, PortTaken

IDENTITY = "identity.json"
SLOTS = "slots"
SHOWN_KEPT = 1_000
CHANGES_MAX = 32  # presses that wait to be read; more are a broken button
WATCHDOG_S = 10.0
TEST_KEY = "3c0221c39236f1e58110abe473b892d2d6492107ef08b8d3d4551fe6737c3415"  # of tools/licence


class Wiring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`board/sim/board.toml`."""

    name: str
    backend: Literal["sim"]
    rs485: str = "serial0"  # a device path; a relative one lies in the state folder
    watchdog_s: float = WATCHDOG_S
    licence: int = 32  # connectors (access.md, Licence: the simulated board)
    licence_key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")] = TEST_KEY
    ethernet: str = "eth0"
    wifi: str = "wlan0"
    cellular: str = "wwan0"


class SimLeds:
    """The dual LED as it stands, and what it showed before."""

    def __init__(self) -> None:
        self.red = False
        self.green = True  # lit by the boot loader before any firmware runs (board.md, LED)
        self.shown: deque[tuple[float, bool, bool]] = deque(maxlen=SHOWN_KEPT)

    def show(self, *, red: bool, green: bool) -> None:
        self.red, self.green = red, green
        self.shown.append((trio.current_time(), red, green))


class SimButton:
    """A button that is pressed by calling it."""

    def __init__(self) -> None:
        self._readers: list[trio.MemorySendChannel[bool]] = []
        self.pressed = False

    def changes(self) -> trio.MemoryReceiveChannel[bool]:
        send, receive = trio.open_memory_channel[bool](CHANGES_MAX)
        self._readers.append(send)
        return receive

    def press(self) -> None:
        self._change(True)

    def release(self) -> None:
        self._change(False)

    async def hold(self, hold_s: float) -> None:
        """Press, wait, release; released too when cancelled."""
        self.press()
        try:
            await trio.sleep(hold_s)
        finally:
            self.release()

    def _change(self, pressed: bool) -> None:
        if pressed == self.pressed:
            return
        self.pressed = pressed
        for reader in list(self._readers):
            try:
                with suppress(trio.WouldBlock):  # nobody reads: what it missed is over
                    reader.send_nowait(pressed)
            except trio.BrokenResourceError:
                self._readers.remove(reader)


class MemoryPort(trio.abc.Stream):
    """Our end of a line inside the process."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.closed = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        self.closed = True
        await self._stream.aclose()


class MemorySerial:
    """An RS-485 line inside the process: whoever plays the meter takes the other end."""

    def __init__(self) -> None:
        self._openings = trio.open_memory_channel[tuple[Line, trio.abc.Stream]](1)
        self._ours: MemoryPort | None = None
        self.present = True  # False: no adapter is plugged in

    async def open(self, line: Line) -> trio.abc.Stream:
        from trio.testing import memory_stream_pair  # only where a line is played

        await trio.lowlevel.checkpoint()
        if not self.present:
            raise OSError("expected a serial port, there is none")
        if self._ours is not None and not self._ours.closed:
            raise PortTaken("the port is open already")
        ours, theirs = memory_stream_pair()
        send, receive = self._openings
        with suppress(trio.WouldBlock):
            receive.receive_nowait()  # nobody took the last opening: it is over
        send.send_nowait((line, theirs))
        self._ours = MemoryPort(ours)
        return self._ours

    async def other_end(self) -> tuple[Line, trio.abc.Stream]:
        """The newest opening's settings and far end; close it to take the port away."""
        return await self._openings[1].receive()


class SimWatchdog:
    """Notes when a real one would have bitten; armed by the first petting."""

    def __init__(self, time_s: float = WATCHDOG_S) -> None:
        self.time_s = time_s
        self.bites: list[float] = []
        self._petted: float | None = None

    def pet(self) -> None:
        now = trio.current_time()
        if self.hungry(now) and self._petted is not None:
            self.bites.append(self._petted + self.time_s)
        self._petted = now
        notify.pet()  # under systemd the process is watched for real

    def hungry(self, now: float) -> bool:
        """Whether it has gone unpetted for longer than its time."""
        return self._petted is not None and now - self._petted > self.time_s


class SimSystem:
    """A machine whose reboot is the end of the process: it leaves with `EXIT_REBOOT`."""

    def __init__(self) -> None:
        self.rebooting = trio.Event()
        self._started = time.monotonic()

    def reboot(self) -> None:
        self.rebooting.set()

    def uptime_s(self) -> float:
        return time.monotonic() - self._started


class SimNetwork:
    """Three links that can be cut; the preferred one that is up carries the route."""

    def __init__(self, links: tuple[LinkState, ...]) -> None:
        self._links = {link.name: link for link in links}
        self.preferred = links[0].name

    def links(self) -> tuple[LinkState, ...]:
        return tuple(self._links.values())

    def prefer(self, name: str) -> None:
        if name not in self._links:
            raise OSError(f"expected one of {', '.join(self._links)}, got {name!r}")
        self.preferred = name

    def cut(self, name: str) -> None:
        self._set(name, up=False)

    def mend(self, name: str) -> None:
        self._set(name, up=True)

    def route(self) -> str | None:
        """The link that carries the route to the internet: one without a gateway never does."""
        first = (self._links[self.preferred], *self._links.values())
        return next((link.name for link in first if link.up and link.gateway), None)

    def _set(self, name: str, *, up: bool) -> None:
        self._links[name] = msgspec.structs.replace(self._links[name], up=up)


class SimModem:
    """A modem whose SIM, registration and signal are what a test says."""

    def __init__(self) -> None:
        self.now = ModemState(sim="absent", registered=False, signal_dbm=None)
        self.restarts: list[str] = []

    def state(self) -> ModemState:
        return self.now

    def restart(self, depth: Literal["connection", "modem", "power"]) -> None:
        self.restarts.append(depth)


class Identified(msgspec.Struct, frozen=True):
    """Who the simulated box is: made at its first start, kept through every reset."""

    serial: str
    mac: str

    @classmethod
    def kept_in(cls, state: Path) -> Identified:
        """Read it, or make it up and keep it."""
        file = state / IDENTITY
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except FileNotFoundError:
            pass
        except msgspec.DecodeError as error:
            raise OSError(f"expected serial and mac in {file}: {error}") from error
        chance = secrets.token_hex(5)
        mac = ":".join(["02", *(chance[at : at + 2] for at in range(0, 10, 2))])
        made = cls(serial=f"SIM-{chance[2:].upper()}", mac=mac)
        write_synced(file, msgspec.json.encode(made))
        return made


class SimSlots:
    """Two folders, each with the version that lies in it; one of them is booted."""

    def __init__(self, folder: Path, version: str) -> None:
        self._folder = folder
        if not (folder / "booted").exists():
            for name in ("A", "B"):
                (folder / name).mkdir(parents=True, exist_ok=True)
                (folder / name / "version").write_text(version)
            write_synced(folder / "booted", b"A")

    def slots(self) -> tuple[Slot, ...]:
        return self._slot("A"), self._slot("B")

    def mark_good(self) -> None:
        write_synced(self._folder / self._booted() / "good", b"")

    def _booted(self) -> str:
        return (self._folder / "booted").read_text().strip()

    def _slot(self, name: Literal["A", "B"]) -> Slot:
        place = self._folder / name
        version = (place / "version").read_text().strip()
        return Slot(name, version, booted=self._booted() == name, good=(place / "good").exists())


class SimBoard:
    """The board of `tools/run`, of the tests and of every laptop."""

    simulated = True

    def __init__(
        self, wiring: Wiring, identity: Identified, slots: SimSlots, serial: Serial
    ) -> None:
        self.name = wiring.name
        self.licence = wiring.licence
        self.licence_key = bytes.fromhex(wiring.licence_key)
        self.leds = SimLeds()
        self.button = SimButton()
        self.serial = serial
        self.watchdog = SimWatchdog(wiring.watchdog_s)
        self.identity = identity
        self.system = SimSystem()
        self.network = SimNetwork(
            (
                LinkState(wiring.ethernet, "ethernet", True, "192.0.2.10/24", "192.0.2.1"),
                LinkState(wiring.wifi, "wifi", False),
                LinkState(wiring.cellular, "cellular", False),
            )
        )
        self.modem = SimModem()
        self.slots = slots
        self.keeps = frozenset({IDENTITY, SLOTS, wiring.rs485})


def make(description: bytes, state: Path, serial: Serial | None = None) -> SimBoard:
    """The board that `board/sim/board.toml` describes; `serial` replaces its port (simulation)."""
    wiring = msgspec.toml.decode(description, type=Wiring)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)  # rootfs/README.md: ours alone
    identity = Identified.kept_in(state)
    slots = SimSlots(state / SLOTS, __version__)
    return SimBoard(wiring, identity, slots, serial or Port(state / wiring.rs485))

"""The chargers' connections on the wire: handshake, duplicates, silence, garbage, limits.

A real trio-websocket client over memory streams in virtual time, in plain JSON: nothing of it is
written with our own `ocpp` package.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import msgspec
import pytest
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair
from trio_websocket import ConnectionClosed, connect_websocket, wrap_client_stream

from linkray.access.tags import may_charge
from linkray.app import shipped_quirks
from linkray.charger import task
from linkray.charger.link import Link
from linkray.charger.task import ChargerRoom, Wire, run_chargers, serve_stream
from linkray.kit.cell import Cell, Flags
from linkray.kit.clock import WallClock
from linkray.kit.log import LogRing, set_up
from linkray.kit.tls import own_certificate, server_context
from linkray.model.asks import LOCAL, StartCharging, StopCharging, Who
from linkray.model.facts import (
    AnyFact,
    ChargerKnown,
    Drawn,
    LinkLost,
    LinkUp,
    OfferAnswered,
    SessionBegan,
    SessionEnded,
)
from linkray.model.faults import Fault
from linkray.model.plan import NO_PLAN, Offer, Plan, Reason
from linkray.model.records import ChargerSeen, TransactionBegan
from linkray.model.settings import Charger, Settings, Site
from linkray.model.tags import Decision
from linkray.model.units import Phases
from linkray.model.views import ChargerView
from linkray.store.db import Store
from linkray.store.runner import Inline

NOON = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
HERE = Who("test", LOCAL)
QUIRKS = shipped_quirks()


class Box:
    """The room of the chargers with a store in memory and a balancer that only listens."""

    def __init__(self, store: Store, wall: WallClock, nursery: trio.Nursery, licence: int) -> None:
        self.store = store
        self.nursery = nursery
        self.facts: list[AnyFact] = []
        self.full = False
        self.plan: Cell[Plan] = Cell(NO_PLAN)
        self.emergency: Cell[bool] = Cell(False)
        self.faults: Flags[Fault] = Flags()
        self.views: dict[str, Cell[ChargerView]] = {}
        self.frames: list[tuple[str, str, str]] = []
        self.ring = LogRing()
        set_up(wall, self.ring, StringIO())
        self.room = ChargerRoom(
            settings=store.settings, plan=self.plan, store=store, tell=self.tell, clock=wall,
            quirks=QUIRKS, may_charge=self.may_charge, add_charger=self.add,
            licence_total=licence, emergency=self.emergency, faults=self.faults,
            views=self.views, strict=False,
            ocpp_log=lambda charger, way, text: self.frames.append((charger, way, text)),
        )  # fmt: skip

    def tell(self, fact: AnyFact) -> bool:
        if not self.full:
            self.facts.append(fact)
        return not self.full

    def may_charge(self, tag: str, *, by_hand: bool) -> Decision:
        return may_charge(tag, settings=self.store.settings.value,
                          emergency=self.emergency.value, utc=self.room.clock.utc(),
                          by_hand=by_hand)  # fmt: skip

    async def add(self, charger: Charger) -> None:
        old = self.store.settings.value
        await self.change(chargers=(*old.chargers, charger))

    async def change(self, **parts: object) -> None:
        old = self.store.settings.value
        await self.store.change_settings(
            Settings(**{"site": old.site, "chargers": old.chargers, **parts}), HERE, "test"
        )

    def told(self, kind: type) -> list:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def raised(self) -> set[tuple[str, str | None]]:
        return {(fault.code, fault.subject) for fault in self.faults.cell.value}

    def lines(self, words: str) -> list[str]:
        return [line for line in self.ring.lines if words in line]

    def connect(self, address: str = "10.0.0.5", *, lockstep: bool = False) -> trio.abc.Stream:
        """A byte stream to the box, from this address."""
        pair = lockstep_stream_pair() if lockstep else memory_stream_pair()
        here, there = pair
        self.nursery.start_soon(serve_stream, self.room, there, address)
        return here

    async def dial(self, path: str = "/CP1", address: str = "10.0.0.5", *,
                   protocols: tuple[str, ...] = ("ocpp1.6",)) -> Peer:  # fmt: skip
        stream = self.connect(address)
        ws = await wrap_client_stream(self.nursery, stream, "box", path, subprotocols=protocols)
        return Peer(ws, stream)

    async def refused(self, path: str = "/CP1", address: str = "10.0.0.5",
                      protocols: str = "ocpp1.6") -> tuple[int, str]:  # fmt: skip
        """Dial by hand and be refused; the status and the text. 101 is no refusal."""
        stream = self.connect(address)
        await stream.send_all(
            f"GET {path} HTTP/1.1\r\nHost: box\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: {protocols}\r\n\r\n".encode()
        )
        said = b""
        with trio.fail_after(15):
            while b" 101 " not in said and (more := bytes(await stream.receive_some())):
                said += more
        head, _, body = said.partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> float:
        began = trio.current_time()
        while not holds():
            assert trio.current_time() - began < within_s, "not in time"
            await trio.sleep(0.05)
        return trio.current_time() - began


class Peer:
    """The charger's end of a link."""

    def __init__(self, ws, stream: trio.abc.Stream) -> None:
        self.ws = ws
        self.stream = stream
        self.number = 0
        self.asked: list[str] = []
        self.profiles: list[dict] = []

    async def call(self, action: str, payload: dict) -> list:
        """Ask, and say `Accepted` to whatever is asked meanwhile."""
        self.number += 1
        name = f"n{self.number}"
        await self.ws.send_message(json.dumps([2, name, action, payload]))
        with trio.fail_after(30):
            while True:
                frame = await self.frame()
                if frame[0] in (3, 4) and frame[1] == name:
                    return frame

    async def frame(self) -> list:
        frame = json.loads(await self.ws.get_message())
        if frame[0] == 2:
            self.asked.append(frame[2])
            if frame[2] == "SetChargingProfile":
                self.profiles.append(frame[3])
            answer = {} if frame[2] == "GetConfiguration" else {"status": "Accepted"}
            await self.ws.send_message(json.dumps([3, frame[1], answer]))
        return frame

    async def serve(self) -> None:
        """Answer until the link ends."""
        with suppress(ConnectionClosed):
            while True:
                await self.frame()

    async def boot(self) -> list:
        return await self.call("BootNotification",
                               {"chargePointVendor": "Acme", "chargePointModel": "One"})

    async def start(
        self, meter: int = 0, stamp: str = "2026-06-15T12:00:00Z", connector: int = 1
    ) -> dict:
        return (await self.call("StartTransaction", {
            "connectorId": connector, "idTag": "TAG", "meterStart": meter, "timestamp": stamp}))[2]

    async def closed(self, within_s: float = 200.0) -> tuple[int, str | None]:
        """Wait for the end of the link; its code and reason."""
        with trio.fail_after(within_s):
            while True:
                try:
                    await self.frame()
                except ConnectionClosed as closed:
                    assert closed.reason is not None
                    return closed.reason.code, closed.reason.reason

    def cut(self) -> None:
        """The cable is pulled: nothing goes either way, and nobody is told."""
        for end in (self.stream.send_stream, self.stream.receive_stream):
            end.send_all_hook = end.receive_some_hook = None
        self.stream.send_stream = Nowhere()


class Nowhere(trio.abc.SendStream):
    """Takes everything, delivers nothing."""

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def box(settings: Settings | None = None, licence: int = 32) -> AsyncIterator[Box]:
    wall = WallClock.fixed(NOON)
    store = await Store.open(":memory:", Inline(), wall)
    await store.change_settings(settings or Settings(), HERE, "test")
    async with trio.open_nursery() as nursery:
        a_box = Box(store, wall, nursery, licence)
        await nursery.start(run_chargers, a_box.room)
        yield a_box
        nursery.cancel_scope.cancel()
    await store.close()


def offer(limit_ma: int, number: int, charger: str = "CP1", **more: object) -> Offer:
    return Offer(charger, 1, Phases(limit_ma), None, Reason("fair_share"), (), id=number,
                 limit_ma=limit_ma, **more)  # fmt: skip


# -- handshake ----------------------------------------------------------


async def test_a_charger_connects_is_added_and_is_known_by_its_path() -> None:
    async with box() as b:
        peer = await b.dial("//some/prefix//C%20P1/")

        assert (await peer.boot())[2]["status"] == "Accepted"
        assert peer.ws.subprotocol == "ocpp1.6"
        assert [c.id for c in b.store.settings.value.chargers] == ["C P1"]
        assert b.views["C P1"].value.connected
        assert b.told(LinkUp)[0].charger == "C P1"
        assert ("C P1", "in") in [frame[:2] for frame in b.frames]


@pytest.mark.parametrize("path", ["/", "/" + "x" * 49, "/CP%2F1", "/..", "/CP%00"])
async def test_a31_an_identity_that_cannot_be_is_refused_with_400(path: str) -> None:
    async with box() as b:
        status, text = await b.refused(path)

        assert status == 400
        assert "1 to 48" in text
        assert b.lines("connection refused")
        assert b.room.links == {}


async def test_a_charger_without_subprotocol_is_let_in_and_noted() -> None:
    async with box() as b:
        peer = await b.dial(protocols=())
        await peer.boot()
        await trio.sleep(2)

        assert peer.ws.subprotocol is None
        assert any("no subprotocol" in note for note in b.views["CP1"].value.notes)


async def test_a_charger_with_only_other_subprotocols_is_refused_with_the_list() -> None:
    async with box() as b:
        status, text = await b.refused(protocols="ocpp2.0.1, ocpp1.5")

        assert status == 400
        assert "supported: ocpp1.6" in text


async def test_a_handshake_without_connection_upgrade_is_taken() -> None:
    async with box() as b:
        stream = b.connect()
        await stream.send_all(
            b"GET /CP1 HTTP/1.1\r\nHost: box\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

        head = bytes(await stream.receive_some())

        assert head.startswith(b"HTTP/1.1 101")


async def test_a34_a_handshake_that_is_not_finished_in_10_s_is_closed() -> None:
    async with box() as b:
        stream = b.connect("10.0.0.66")
        await stream.send_all(b"GET /CP1 HTTP/1.1\r\n")

        with trio.fail_after(10.5):
            assert await stream.receive_some() == b""

        await b.until(lambda: b.room.handshakes == 0, 0.2)
        assert b.lines("handshake failed")


@pytest.mark.parametrize("junk", [
    b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n",
    b"POST /CP1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", b"x" * 20_000,
    b"GET /CP1 HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n",
])  # fmt: skip
async def test_a34_what_is_no_handshake_ends_at_once_and_disturbs_nobody(junk: bytes) -> None:
    async with box() as b:
        good = await b.dial("/GOOD", "10.0.0.7")
        await good.boot()
        stream = b.connect("10.0.0.66")

        await stream.send_all(junk)
        with trio.fail_after(10.5):
            while await stream.receive_some():
                pass

        await b.until(lambda: b.room.handshakes == 0, 0.2)
        assert not b.lines("link failed"), "no traceback"
        assert (await good.call("Heartbeat", {}))[0] == 3


async def test_a34_a_source_that_connects_too_often_is_let_in_at_its_rate() -> None:
    async with box() as b:
        let_in = [b.room.admits("10.0.0.66") for _ in range(5000)]
        await trio.sleep(1)
        more = [b.room.admits("10.0.0.66") for _ in range(1000)]

        assert sum(let_in) == task.CONNECTS_BURST
        assert sum(more) == task.CONNECTS_RATE
        assert b.room.admits("10.0.0.7"), "others are not held back"


# -- new chargers, licence ----------------------------------------------------------


async def test_with_ask_first_a_new_charger_waits_until_it_is_adopted() -> None:
    async with box(Settings(site=Site(new_chargers="ask"))) as b:
        peer = await b.dial()
        await peer.boot()
        authorized = await peer.call("Authorize", {"idTag": "T"})
        assert authorized[2]["idTagInfo"]["status"] == "Blocked"
        assert b.store.settings.value.chargers == ()
        assert b.raised() == set()

        await b.change(chargers=(Charger("CP1"),))
        await trio.sleep(0.1)

        assert (await peer.call("Authorize", {"idTag": "T"}))[2]["idTagInfo"]["status"] == (
            "Accepted"
        )


async def test_of_a_charger_that_waits_nothing_is_kept_until_it_is_adopted() -> None:
    async with box(Settings(site=Site(new_chargers="ask"))) as b:
        for number in range(3):
            peer = await b.dial(f"/CP{number}")
            await peer.boot()
            await peer.call("StatusNotification", {
                "connectorId": 2, "errorCode": "NoError", "status": "Available"})
            if number:
                await peer.ws.aclose()
        await b.until(lambda: len(b.room.links) == 1)

        assert await b.store.seen() == []
        assert (b.room.seen, set(b.room.connectors)) == ({}, {"CP0"})
        assert set(b.views) == {"CP0"}

        await b.change(chargers=(Charger("CP0"),))
        await trio.sleep(0.1)

        kept = await b.store.seen()
        assert [(c.charger, c.vendor, c.connectors) for c in kept] == [("CP0", "Acme", 2)]


async def test_what_is_set_during_a_handshake_reaches_the_link(monkeypatch) -> None:
    async with box(Settings(chargers=(Charger("CP1"),))) as b:
        start = b.room.start

        async def start_slowly(*given: object) -> Link:
            link = await start(*given)
            await trio.sleep(1)
            return link

        monkeypatch.setattr(b.room, "start", start_slowly)
        b.nursery.start_soon(b.dial)
        await trio.sleep(0.5)
        await b.change(chargers=(Charger("CP1", name="Yard", max_ma=16_000),))
        b.emergency.set(True)
        await b.until(lambda: "CP1" in b.room.links)
        await trio.sleep(0.1)

        link = b.room.links["CP1"].core
        assert link.terms.charger.max_ma == 16_000
        assert link.is_stopped


async def test_what_never_says_who_it_is_is_counted_told_0_and_not_added() -> None:
    async with box() as b:
        peer = await b.dial()
        b.plan.set(Plan(offers=(offer(16_000, 1),)))
        assert (await peer.start())["idTagInfo"]["status"] == "Blocked"
        with trio.move_on_after(60):
            while True:  # it answers all but TriggerMessage's wish for a BootNotification
                await peer.frame()

        assert "TriggerMessage" in peer.asked
        assert b.store.settings.value.chargers == ()
        assert b.raised() == set(), "and no place under the licence is missing for it"
        assert "has not said who it is" in str(b.views["CP1"].value.notes)
        assert {period["limit"] for profile in peer.profiles for period in
                profile["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
                } <= {0}  # fmt: skip
        await peer.boot()
        assert [c.id for c in b.store.settings.value.chargers] == ["CP1"]
        await peer.ws.aclose()
        await b.until(lambda: ("charger_offline", "CP1") in b.raised())


async def test_a_stranger_that_is_gone_leaves_nothing_behind() -> None:
    async with box() as b:
        peer = await b.dial()
        assert "CP1" in b.room.links
        await peer.ws.aclose()
        await b.until(lambda: bool(b.told(LinkLost)))

        await trio.sleep(1)
        assert b.store.settings.value.chargers == ()
        assert b.raised() == set()
        assert "CP1" not in b.views


async def test_c26_past_the_licence_a_charger_stays_connected_blocked_and_named() -> None:
    async with box(Settings(chargers=(Charger("CP1"),)), licence=1) as b:
        first = await b.dial("/CP1")
        second = await b.dial("/CP2")
        await first.boot()
        await second.boot()

        assert (await first.start())["idTagInfo"]["status"] == "Accepted"
        assert (await second.start())["idTagInfo"]["status"] == "Blocked"
        assert b.raised() == {("licence", "CP2")}
        assert [c.id for c in b.store.settings.value.chargers] == ["CP1"]

        await b.change(chargers=())
        await trio.sleep(1)

        assert [c.id for c in b.store.settings.value.chargers] == ["CP2"]
        assert b.raised() == set()


async def test_another_licence_holds_at_once_and_ends_no_link() -> None:
    async with box(Settings(chargers=(Charger("CP1"),)), licence=1) as b:
        first = await b.dial("/CP1")
        second = await b.dial("/CP2")
        await first.boot()
        await second.boot()
        assert b.raised() == {("licence", "CP2")}

        await b.room.take_places(2)

        assert [c.id for c in b.store.settings.value.chargers] == ["CP1", "CP2"]
        assert b.raised() == set()
        assert (await second.start())["idTagInfo"]["status"] == "Accepted"

        await b.room.take_places(1)

        assert b.raised() == {("licence", "CP2")}
        assert sorted(b.room.links) == ["CP1", "CP2"]
        assert (await first.start())["idTagInfo"]["status"] == "Accepted"


async def test_the_last_place_goes_to_one_of_two_connectors_that_are_found_at_once() -> None:
    both = (Charger("CP1"), Charger("CP2"))
    async with box(Settings(chargers=both), licence=3) as b:
        peers = [await b.dial(f"/{charger.id}") for charger in both]
        for peer in peers:
            await peer.boot()
        said: dict[str, str] = {}

        async def start(charger: str, peer: Peer) -> None:
            said[charger] = (await peer.start(connector=2))["idTagInfo"]["status"]

        async with trio.open_nursery() as nursery:
            for charger, peer in zip(both, peers, strict=True):
                nursery.start_soon(start, charger.id, peer)
        await trio.sleep(1)

        assert sorted(said.values()) == ["Accepted", "Blocked"]
        assert sum(b.room.places.values()) == 3
        assert b.raised() == {("licence", next(c for c in said if said[c] == "Blocked"))}


@pytest.mark.parametrize("seen", [1, 2])
async def test_a_found_connector_keeps_its_place_over_a_restart(seen: int) -> None:
    """Also where the power was cut between the session's record and its charger's own."""
    async with box(Settings(chargers=(Charger("CP1"), Charger("CP2"))), licence=3) as b:
        refused = TransactionBegan(6, "CP1", 2, "T", 0, "2026-06-15T11:00:00Z", "",
                                   authorised_by="")  # fmt: skip
        charges = msgspec.structs.replace(refused, id=7, charger="CP2", authorised_by="open")
        seen_so = [ChargerSeen(c, connectors=seen) for c in ("CP1", "CP2")]
        await b.store.commit((refused, charges, *seen_so))

        async with trio.open_nursery() as nursery:
            await nursery.start(run_chargers, b.room)
            peer = await b.dial("/CP1")
            await peer.boot()

            assert (await peer.start(connector=2))["idTagInfo"]["status"] == "Blocked"
            assert b.room.places == {"CP1": 1, "CP2": 2}
            nursery.cancel_scope.cancel()


async def test_c25_a_deleted_charger_is_disconnected_and_returns_as_new() -> None:
    async with box(Settings(chargers=(Charger("CP1", name="Yard"),))) as b:
        peer = await b.dial()
        await peer.boot()
        with trio.move_on_after(1):
            await peer.serve()

        await b.change(chargers=())
        code, reason = await peer.closed()

        assert (code, reason) == (1000, "deleted")
        assert "CP1" not in b.views
        assert b.raised() == set()
        again = await b.dial()
        await again.boot()
        assert b.store.settings.value.chargers == (Charger("CP1"),)


async def test_a_configured_charger_that_is_not_connected_is_a_fault_and_is_shown() -> None:
    async with box(Settings(chargers=(Charger("CP1", name="Yard"),))) as b:
        assert b.raised() == {("charger_offline", "CP1")}
        assert not b.views["CP1"].value.connected
        assert b.views["CP1"].value.name == "Yard"

        peer = await b.dial()
        await peer.boot()
        assert b.raised() == set()
        await peer.ws.aclose()
        await b.until(lambda: bool(b.told(LinkLost)))

        assert b.raised() == {("charger_offline", "CP1")}
        assert not b.views["CP1"].value.connected


async def test_inv_10_what_is_out_of_service_is_told_before_any_link_stands() -> None:
    async with box(Settings(chargers=(Charger("CP1"),))) as b:
        b.room.know([ChargerSeen("CP1", connectors=2, inoperative=(2,))], [])
        known = [fact for fact in b.room.known() if isinstance(fact, ChargerKnown)]
        assert [fact.inoperative for fact in known] == [(2,)]


# -- duplicates and half-open links ----------------------------------------------------------


async def test_a30_a_live_link_is_not_replaced_from_another_address_and_both_are_named() -> None:
    async with box() as b:
        peer = await b.dial("/CP1", "10.0.0.5")
        await peer.boot()

        for _ in range(20):
            assert (await b.refused("/CP1", "10.0.0.66"))[0] == 409

        line = b.lines("second connection of a live charger")[0]
        assert "10.0.0.66" in line
        assert "10.0.0.5" in line
        assert (await peer.call("Heartbeat", {}))[0] == 3
        assert b.told(LinkLost) == []


async def test_a30_a_newcomer_from_the_same_address_replaces_the_link_at_once() -> None:
    async with box() as b:
        old = await b.dial()
        await old.boot()
        await old.start()

        new = await b.dial()
        await new.boot()

        assert (await old.closed())[0] == 1000
        assert len(b.room.links) == 1
        assert [type(f) for f in b.facts if isinstance(f, LinkUp | LinkLost)] == [
            LinkUp, LinkLost, LinkUp,
        ]  # fmt: skip
        assert [f.transaction_id for f in b.told(SessionBegan)] == [1, 1]


async def test_c13_a_half_open_link_is_replaced_from_another_address_within_10_s() -> None:
    async with box() as b:
        old = await b.dial("/CP1", "10.0.0.5")
        await old.boot()
        started = await old.start()
        old.cut()
        began = trio.current_time()

        new = await b.dial("/CP1", "10.0.0.99")
        await new.boot()

        assert trio.current_time() - began <= 10
        assert await new.start() == started, "the transaction is kept"
        assert list(b.room.links) == ["CP1"], "one identity is counted once"
        assert len(b.told(LinkLost)) == 1


async def test_two_newcomers_at_once_never_leave_two_links() -> None:
    async with box() as b:
        old = await b.dial("/CP1", "10.0.0.5")
        await old.boot()
        old.cut()
        outcomes = []

        async def dial(address: str) -> None:
            outcomes.append((await b.refused("/CP1", address))[0])

        async with trio.open_nursery() as nursery:
            for last in range(5):
                nursery.start_soon(dial, f"10.0.1.{last}")

        assert sorted(outcomes) == [101] + [409] * 4


async def test_a_link_that_answered_pings_and_falls_silent_ends_after_30_s() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()
        b.nursery.start_soon(peer.serve)
        await trio.sleep(60)
        assert b.told(LinkLost) == [], "pongs alone keep it"
        peer.cut()

        took_s = await b.until(lambda: bool(b.told(LinkLost)), 45)

        assert 20 <= took_s <= 31
        assert b.lines("nothing heard for")
        assert b.raised() == {("charger_offline", "CP1")}


async def test_a_link_that_never_answered_a_ping_lives_by_its_frames() -> None:
    async with box() as b:
        here, there = memory_stream_pair()
        deaf = Deaf(here)
        b.nursery.start_soon(serve_stream, b.room, there, "10.0.0.5")
        ws = await wrap_client_stream(b.nursery, deaf, "box", "/CP1", subprotocols=("ocpp1.6",))
        peer = Peer(ws, here)
        await peer.boot()
        for _ in range(20):
            await trio.sleep(80)
            await peer.call("Heartbeat", {})
        assert b.told(LinkLost) == []
        assert len(b.room.links["CP1"]._ws._pings) <= task.PINGS_UNANSWERED_MAX

        took_s = await b.until(lambda: bool(b.told(LinkLost)), 100)

        assert 85 <= took_s <= 91


class Deaf(trio.abc.Stream):
    """A charger's stream that loses every pong it would send."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes) -> None:
        if data[:1] != b"\x8a":
            await self._stream.send_all(data)

    async def receive_some(self, most: int | None = None) -> bytes:
        return bytes(await self._stream.receive_some(most))

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


# -- bad peers ----------------------------------------------------------


async def test_a32_a_frame_over_64_kib_ends_the_link_with_1009() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()
        b.frames.clear()

        await peer.ws.send_message("[" + "1," * 40_000 + "1]")

        assert (await peer.closed())[0] == 1009
        await b.until(lambda: bool(b.told(LinkLost)))


async def test_garbage_is_answered_where_it_can_be_and_ends_the_link_after_20() -> None:
    async with box() as b:
        good = await b.dial("/GOOD", "10.0.0.7")
        await good.boot()
        peer = await b.dial("/BAD")
        await peer.boot()

        await peer.ws.send_message('[2,"g1","Heartbeat",{"x":NaN}]')
        while (frame := await peer.frame())[0] != 4:
            pass
        assert frame[1:3] == ["g1", "FormationViolation"]
        for _ in range(18):
            await peer.ws.send_message("\x00nonsense")
        assert (await peer.call("Heartbeat", {}))[0] == 3
        await peer.ws.send_message(b"binary")

        assert (await peer.closed())[0] == 1002
        assert (await good.call("Heartbeat", {}))[0] == 3
        assert [f.charger for f in b.told(LinkLost)] == ["BAD"]


async def test_bad_utf_8_and_unmasked_frames_end_their_link_without_a_traceback() -> None:
    for junk in (b"\x81\x82\x00\x00\x00\x00\xff\xfe", b"\x81\x02{}", b"\xf1\x80\x00\x00\x00\x00",
                 b"\x89\xfe\x01\x00\x00\x00\x00\x00"):  # fmt: skip
        async with box() as b:
            peer = await b.dial()
            await peer.boot()

            await peer.stream.send_all(junk)

            await b.until(lambda: bool(b.told(LinkLost)))
            assert not b.lines("link failed")


async def test_a34_a_charger_that_does_not_read_loses_its_link_after_10_s() -> None:
    async with box() as b:
        stream = b.connect(lockstep=True)
        ws = await wrap_client_stream(b.nursery, stream, "box", "/CP1", subprotocols=("ocpp1.6",))
        peer = Peer(ws, stream)
        await peer.boot()

        async def nothing(_most: int) -> bytes:
            await trio.sleep_forever()

        stream.receive_stream.receive_some = nothing

        with suppress(ConnectionClosed):
            await ws.send_message('[2,"h","Heartbeat",{}]')
            await ws.send_message('[2,"i","Heartbeat",{}]')
        await b.until(lambda: bool(b.told(LinkLost)), 25)

        assert b.lines("does not read")


async def test_a_mistake_of_ours_in_one_link_ends_that_link_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Link._heartbeat

    def stumble(link: Link, *call: object) -> list:
        if link._charger == "BAD":
            raise RuntimeError("planted")
        return real(link, *call)

    monkeypatch.setitem(Link._answers, "Heartbeat", stumble)
    async with box() as b:
        good = await b.dial("/GOOD", "10.0.0.7")
        await good.boot()
        bad = await b.dial("/BAD")
        await bad.boot()

        await bad.ws.send_message('[2,"h","Heartbeat",{}]')
        await b.until(lambda: "BAD" not in b.room.links)

        assert b.lines("link failed, its neighbours go on")
        assert (await good.call("Heartbeat", {}))[0] == 3
        assert ("charger_offline", "BAD") in b.raised()
        again = await b.dial("/BAD")
        assert (await again.boot())[2]["status"] == "Accepted"


async def test_a34_a_flood_of_meter_values_is_slowed_and_others_are_served_at_once() -> None:
    async with box() as b:
        good = await b.dial("/GOOD", "10.0.0.7")
        await good.boot()
        flood = await b.dial("/FLOOD")
        await flood.boot()
        b.nursery.start_soon(flood.serve)
        stop = trio.current_time() + 10
        values = json.dumps([2, "v", "MeterValues", {"connectorId": 1, "meterValue": [
            {"timestamp": "2026-06-15T12:00:00Z", "sampledValue": [{"value": "5"}]}]}])

        async def send() -> None:
            with suppress(ConnectionClosed):
                while trio.current_time() < stop:
                    for _ in range(20):
                        await flood.ws.send_message(values)
                    await trio.sleep(0.01)

        b.nursery.start_soon(send)
        slowest = 0.0
        while trio.current_time() < stop:
            asked_at = trio.current_time()
            await good.call("Heartbeat", {})
            slowest = max(slowest, trio.current_time() - asked_at)
            await trio.sleep(0.5)

        taken = len([1 for charger, way, _ in b.frames if (charger, way) == ("FLOOD", "in")])
        assert taken <= 10 * task.FRAMES_RATE_MAX + 2 * task.FRAMES_COUNTED + 50
        assert slowest < 0.2
        assert len(b.told(Drawn)) <= 20 + 2 * 12


# -- what goes through ----------------------------------------------------------


async def test_an_offer_of_the_plan_reaches_its_charger_alone_and_its_answer_the_balancer() -> None:
    async with box() as b:
        one, two = await b.dial("/CP1"), await b.dial("/CP2", "10.0.0.6")
        for peer in (one, two):
            await peer.boot()
            b.nursery.start_soon(peer.serve)
        await trio.sleep(1)

        b.plan.set(Plan(1, offers=(offer(0, 1), offer(0, 1, "CP2"))))
        await trio.sleep(0.5)
        b.plan.set(Plan(2, offers=(offer(7_000, 2), offer(0, 1, "CP2"))))
        await trio.sleep(0.5)

        def limits(peer: Peer) -> list[float]:
            return [p["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0][
                "limit"] for p in peer.profiles]

        assert limits(one) == [0, 7]
        assert limits(two) == [0]
        answered = [(f.charger, f.offer_id, f.outcome) for f in b.told(OfferAnswered)]
        assert sorted(answered) == [
            ("CP1", 1, "accepted"), ("CP1", 2, "accepted"), ("CP2", 1, "accepted"),
        ]  # fmt: skip


async def test_a_person_s_commands_get_the_charger_s_answer_or_the_time_that_passed() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()
        assert (await b.room.ask("NOBODY", StopCharging("NOBODY", 1))).code == "unknown"
        assert (await b.room.ask("CP1", StopCharging("CP1", 1))).code == "refused"
        b.nursery.start_soon(peer.serve)

        answer = await b.room.ask("CP1", StartCharging("CP1", 1))
        assert answer.ok
        assert "RemoteStartTransaction" in peer.asked
        peer.cut()
        late = await b.room.ask("CP1", StartCharging("CP1", 1), 2.0)

        assert (late.ok, late.code) == (False, "timeout")
        assert b.room.links["CP1"]._answers == {}


async def test_a_command_on_a_link_that_ends_is_answered_at_once() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()
        got = []

        async def ask() -> None:
            got.append(await b.room.ask("CP1", StartCharging("CP1", 1)))

        b.nursery.start_soon(ask)
        await trio.sleep(1)
        await peer.ws.aclose()
        await b.until(lambda: bool(got), 2)

        assert got[0].code == "failed"


async def test_the_emergency_stop_reaches_every_link() -> None:
    async with box() as b:
        peers = [await b.dial(f"/CP{n}", f"10.0.0.{n}") for n in range(3)]
        for peer in peers:
            await peer.boot()
            await peer.start()
            b.nursery.start_soon(peer.serve)

        b.emergency.set(True)
        await trio.sleep(1)

        assert all("RemoteStopTransaction" in peer.asked for peer in peers)


async def test_facts_that_find_the_balancer_s_inbox_full_are_told_again_in_order() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()
        b.nursery.start_soon(peer.serve)
        await trio.sleep(5)
        b.facts.clear()
        b.full = True
        await peer.ws.send_message(json.dumps([2, "s", "StartTransaction", {
            "connectorId": 1, "idTag": "T", "meterStart": 0,
            "timestamp": "2026-06-15T12:00:00Z"}]))
        await trio.sleep(1)
        await peer.ws.send_message(json.dumps([2, "e", "StopTransaction", {
            "transactionId": 1, "meterStop": 5, "timestamp": "2026-06-15T12:00:01Z"}]))
        await trio.sleep(1)
        assert b.facts == []

        b.full = False
        await trio.sleep(0.5)

        assert [type(f) for f in b.facts] == [SessionBegan, SessionEnded]


async def test_a_transaction_is_on_disk_when_it_is_answered() -> None:
    async with box() as b:
        peer = await b.dial()
        await peer.boot()

        started = await peer.start()

        assert [t.id for t in await b.store.running()] == [started["transactionId"]]


async def test_a_write_that_was_cut_short_is_the_last_one() -> None:
    here, there = lockstep_stream_pair()
    wire = Wire(there)
    with trio.move_on_after(1):
        await wire.send_all(b"half")
    del here

    with pytest.raises(trio.BrokenResourceError):
        await wire.send_all(b"more")


# -- real sockets ----------------------------------------------------------------------------------


@pytest.mark.realtime
@pytest.mark.parametrize("secure", [False, True])
async def test_chargers_come_in_over_tcp_and_tls(secure: bool, tmp_path: Path) -> None:
    settings = server_context(own_certificate(tmp_path))
    server = (lambda: settings) if secure else None
    client = ssl.create_default_context() if secure else False
    if client:
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    async with box() as b:
        port = await b.nursery.start(task.listen, b.room, "127.0.0.1", 0, server)
        with trio.fail_after(20):
            ws = await connect_websocket(b.nursery, "127.0.0.1", port, "/CP1", use_ssl=client,
                                         subprotocols=["ocpp1.6"])  # fmt: skip
            peer = Peer(ws, None)
            assert (await peer.boot())[2]["status"] == "Accepted"
            assert b.views["CP1"].value.address == "127.0.0.1"
            await ws.aclose()
            await b.until(lambda: b.room.links == {})


@pytest.mark.realtime
async def test_a_peer_that_does_not_speak_tls_is_named_and_closed(tmp_path: Path) -> None:
    async with box() as b:
        settings = server_context(own_certificate(tmp_path))
        server = lambda: settings  # noqa: E731
        port = await b.nursery.start(task.listen, b.room, "127.0.0.1", 0, server)
        with trio.fail_after(20):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                await stream.send_all(b"GET /CP1 HTTP/1.1\r\n\r\n")
                with suppress(trio.BrokenResourceError):
                    while await stream.receive_some():
                        pass
            await b.until(lambda: bool(b.lines("TLS handshake failed")))

        assert b.room.handshakes == 0


@pytest.mark.realtime
async def test_a34_a_source_over_its_rate_is_closed_without_a_handshake() -> None:
    async with box() as b:
        port = await b.nursery.start(task.listen, b.room, None, 0)
        while b.room.admits("127.0.0.1"):
            pass
        with trio.fail_after(20):
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                with suppress(trio.BrokenResourceError):
                    assert await stream.receive_some() == b""

        assert b.lines("too many connections")

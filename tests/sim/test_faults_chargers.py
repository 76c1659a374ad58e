"""Chargers that fail, lie and attack (trust.md 2 C, 3 A30–A34), through the whole firmware.

Every scene: what truly flowed kept all limits, the log names peer, cause and action, the
neighbours noticed nothing, and the case's own expectation within its bound.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable

import pytest
import trio
from tools.simulator.scene import Scene, amps, hungry, scene, single, site, three
from tools.world import Make
from tools.world.charger import Charger as WorldCharger
from tools.world.profiles import Period
from wsproto.frame_protocol import CloseReason

from linkray.model.asks import StopCharging

C = [single(f"C{n}") for n in range(1, 9)]
TWO = Make(phases=1, connectors=2)
HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: box\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
)


async def charging(s: Scene, *names: str, car: Callable[[], object] | None = None) -> None:
    """Somebody charges at each, with current."""
    s.charge(*names, car=car)
    await s.until(
        lambda: all(s.world.charger(n).true_current_ma() != (0, 0, 0) for n in names), 90,
        lambda: s.pilots_a(*names),
    )  # fmt: skip


def view(s: Scene, charger: str, connector: int = 1) -> object:
    return s.house.views[charger].value.connectors[connector - 1]


async def measured(s: Scene, *names: str) -> None:
    """Until each has told what it draws."""
    await s.until(lambda: all(view(s, n).source == "phases" for n in names), 30)


def value(measurand: str, text: str, unit: str | None = None, **more: str) -> dict[str, str]:
    return {"measurand": measurand, "value": text, **({"unit": unit} if unit else {}), **more}


# -- C: the charger link ---------------------------------------------------------------------------


async def test_c9_values_that_stop_are_stale_and_never_historic() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        await measured(s, "C1")
        near = s.watch("C2", "C3")
        s.world.charger("C1").say_values(lambda _at: [])
        took_s = await s.until(lambda: view(s, "C1").drawn_ma is None, 45)

        assert took_s <= 3 * 10 + 2  # three sample intervals
        s.said("C1", "meter values stopped", "30 s")
        await s.until(lambda: s.offer("C1").drawn_ma is None, 3)
        await trio.sleep(120)
        assert s.offers_a("C1", "C2", "C3") == [20, 20, 20]  # what it may draw is reserved whole
        s.went_on(near, 90)
        s.world.charger("C1").say_values(None)
        await s.until(lambda: view(s, "C1").drawn_ma is not None, 15)
        s.is_safe()


GARBAGE = [
    [value("Current.Import", "NaN", "A")],
    [value("Current.Import", "-20", "A")],
    [value("Current.Import", "1e9", "A")],
    [value("Current.Import", "plenty", "A")],
    [value("Current.Import", "12", "kA")],
    [value("Current.Import", "Infinity", "A", phase="L1")],
    [value("Current.Import", "12", "A", phase="L9")],
    [value("Current.Import", "12", "A", context="Whenever")],
    [value("Power.Active.Import", "1e999", "W")],
    [value("Energy.Active.Import.Register", "-5", "Wh")],
]


async def test_c10_garbage_is_dropped_with_its_reason_and_ten_in_a_row_are_a_fault() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await measured(s, "C1")
        near = s.watch("C2", "C3")
        wrong = itertools.cycle(GARBAGE)
        s.world.charger("C1").say_values(lambda _at: next(wrong))
        await s.until(lambda: "sensor" in s.faults("C1"), 130)
        line = s.said("meter values not used", "charger=C1", "peer=10.0.0.9", "cause=")

        assert "expected" in line or "unknown" in line
        await s.until(lambda: view(s, "C1").drawn_ma is None, 45)
        assert s.offers_a("C1", "C2", "C3") == [20, 20, 20]
        assert s.world.charger("C1").dials == 1  # bad values end no link
        s.went_on(near, 90)
        s.world.charger("C1").say_values(None)
        await s.until(lambda: "sensor" not in s.faults("C1"), 30)
        s.is_safe()


async def test_c11_a_total_is_taken_as_equal_and_the_limit_is_reserved() -> None:
    total = Make(phases=3, measures="total")
    async with scene(site(40, three("C1"), three("C2")), makes={"C1": total}) as s:
        s.charge("C1")  # a single-phase car: its charger says one current without a phase
        s.charge("C2", car=lambda: hungry(3))
        await s.offered(20, 20)
        near = s.watch("C2")
        await trio.sleep(120)

        assert view(s, "C1").source == "total"
        drawn = view(s, "C1").drawn_ma
        assert drawn.l1 == drawn.l2 == drawn.l3 > 0
        # No phase is handed out on the word of a total: none was proved to be free.
        assert [s.offer(c).offer_ma.l3 for c in ("C1", "C2")] == [20_000, 20_000]
        s.went_on(near, 380)
        s.is_safe()


async def test_c11_what_a_total_hides_is_no_relief_when_the_building_steps_up() -> None:
    """Its car uses two phases, L1 is not one of them: to cut it there helps nobody."""
    total = Make(phases=3, measures="total")
    chargers = three("C1", connection="L2-L3-L1"), single("C2")
    async with scene(site(60, *chargers), meter="SDM3xx", makes={"C1": total}) as s:
        s.world.building.hold((10_000, 10_000, 10_000))
        s.charge("C1", car=lambda: hungry(2))
        s.charge("C2")
        await s.until(lambda: s.world.chargers_ma() == (25_000, 25_000, 25_000), 120,
                      s.world.chargers_ma)  # fmt: skip
        await trio.sleep(60)
        assert s.world.charger("C1").true_current_ma()[0] == 0
        assert view(s, "C1").drawn_ma.l1 > 15_000
        since = trio.current_time()
        s.world.building.step(1, 43_000)
        await s.until(lambda: s.house.meter.value.current_ma.l1 > 60_000, 2)
        await s.until(
            lambda: s.world.chargers_ma()[0] + s.world.building.ma[0] <= 60_000, 6,
            lambda: s.offers_a("C1", "C2"),
        )  # fmt: skip
        assert trio.current_time() - since <= 4.0  # INV-9: the first cut was enough
        await trio.sleep(60)
        s.is_safe()


@pytest.mark.parametrize("by_wh", [-50_000, 4_000_000_000])
async def test_c12_a_register_that_goes_back_or_jumps_is_kept_raw_and_flagged(by_wh: int) -> None:
    async with scene(site(60, *C[:2])) as s:
        first = s.world.charger("C1")
        first.connector(1).energy_mwh = 100_000_000  # 100 kWh before anybody came
        await charging(s, "C1", "C2")
        await trio.sleep(30)
        near = s.watch("C2")
        at = first.connector(1)
        at.energy_mwh += by_wh * 1000
        await trio.sleep(60)

        assert view(s, "C1").energy_wh >= 0
        s.said("energy register", "charger=C1", "peer=10.0.0.9")
        first.present_tag("TAG1")
        await s.until(lambda: view(s, "C1").transaction_id is None, 20)
        (kept,) = await s.store.recent("C1")
        assert kept.flagged
        assert kept.energy_wh >= 0
        assert kept.meter_last_wh == at.energy_wh  # as it was told
        s.went_on(near, 50)
        s.is_safe()


async def test_c13_a_half_open_link_is_taken_up_anew_and_counts_once() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C2", "C3")
        first = s.world.charger("C1")
        session, dials = first.connector(1).transaction.id, first.dials
        began = trio.current_time()
        first.pull_cable()
        await s.until(lambda: first.dials > dials, 10)

        s.said("link replaced", "charger=C1", "peer=10.0.0.9", "action=the older link is ended")
        await s.until(lambda: view(s, "C1").transaction_id == session, 10)
        assert trio.current_time() - began <= 10
        assert [o.charger for o in s.house.plan.value.offers] == ["C1", "C2", "C3"]
        assert len(await s.store.recent("C1")) == 1
        await s.offered(20, 20, 20, within_s=60)
        assert first.connector(1).transaction.id == session
        await trio.sleep(30)
        s.went_on(near, 30)
        s.is_safe()


async def test_c13_a_person_who_waits_for_the_lost_link_is_answered() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        first = s.world.charger("C1")
        near = s.watch("C2")
        first.stop_answering()
        told: list[object] = []

        async def stop() -> None:
            told.append(await s.house.chargers.ask("C1", StopCharging("C1", 1), 20))

        s.nursery.start_soon(stop)
        await trio.sleep(1)
        first.pull_cable()
        first.answer_again()
        await s.until(lambda: bool(told), 15)

        assert not told[0].ok and told[0].text
        await trio.sleep(30)
        s.went_on(near, 10)
        s.is_safe()


async def test_c16_a_charger_that_boots_in_a_session_is_told_anew_before_anyone_gets_more() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C2", "C3")
        first = s.world.charger("C1")
        first.book.profiles.clear()  # it comes back without what it was told, its session runs on
        booted_at = trio.current_time()
        first.tell_boot()
        s.world.charger("C3").unplug()  # room, which nobody may have yet
        await s.until(lambda: bool(again_told(s, booted_at)), 5)

        s.said("charger restarted", "charger=C1", "peer=10.0.0.9", "action=")
        raised = [at for at, told in s.told("C2", "SetChargingProfile")
                  if at > booted_at and first_limit(told) > 20]  # fmt: skip
        assert not raised or raised[0] > again_told(s, booted_at)[0]
        await s.offered(30, 30, within_s=60)
        s.went_on(near[:1], 10)
        s.is_safe()


def again_told(s: Scene, since: float) -> list[float]:
    return [at for at, _ in s.told("C1", "SetChargingProfile") if at >= since]


def first_limit(told: dict[str, object]) -> float:
    profile = told["csChargingProfiles"]
    return profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]


async def test_c17_the_same_start_twice_gives_one_record_and_one_id() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C2")
        near = s.watch("C2")
        first = s.world.charger("C1")
        first.say_again("StartTransaction", 2)
        await charging(s, "C1")
        await s.until(lambda: first.wire.pending("StartTransaction") == 0, 20)

        given = [json.loads(f.text) for f in s.frames if f.charger == "C1" and f.way == "out"]
        ids = {f[2]["transactionId"] for f in given if f[0] == 3 and "transactionId" in f[2]}
        assert len(ids) == 1
        assert sum(f[0] == 3 and "transactionId" in f[2] for f in given) == 3
        assert [t.id for t in await s.store.recent("C1")] == list(ids)
        first.say_again("StopTransaction", 1)
        first.unplug()
        await s.until(lambda: view(s, "C1").transaction_id is None, 20)
        await s.until(lambda: first.wire.pending("StopTransaction") == 0, 20)
        assert len(await s.store.recent("C1")) == 1
        s.said("StartTransaction", "repeated", "charger=C1", "peer=10.0.0.9")
        s.went_on(near, 1)
        s.is_safe()


@pytest.mark.parametrize("transaction_id", [0, -1, 999_999, "its neighbour's"])
async def test_c18_a_stop_of_a_transaction_that_is_not_its_own_is_an_orphan(
    transaction_id: int | str,
) -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C2", "C1")
        other = s.world.charger("C2").connector(1).transaction.id
        wrong = other if isinstance(transaction_id, str) else transaction_id
        s.world.charger("C1").say(json.dumps([2, "orphan", "StopTransaction", {
            "transactionId": wrong, "meterStop": 5000, "timestamp": "2026-06-15T12:01:00Z",
        }]))  # fmt: skip
        await s.until(lambda: bool(s.answers("orphan")), 10)

        assert s.answers("orphan") == [[3, "orphan", {}]]
        s.said("stop of an unknown transaction", "charger=C1", "peer=10.0.0.9", f"={wrong}",
               "action=kept, incomplete")  # fmt: skip
        kept = [t for t in await s.store.recent("C1") if t.incomplete]
        assert len(kept) == 1 and kept[0].finished
        assert other in {t.id for t in await s.store.running()}
        await trio.sleep(60)
        s.went_on(near, 50)
        s.is_safe()


async def test_c21_an_error_to_our_call_a_stray_answer_and_a_call_meanwhile_are_handled() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C2")
        first = s.world.charger("C1")
        first.stop_answering()  # a scene of ours answers for it
        since = trio.current_time()
        await s.change(limit_ma=amps(40))
        await s.until(lambda: bool(again_told(s, since)), 5)
        call = next(f for f in reversed(s.frames)
                    if f.charger == "C1" and f.way == "out" and "SetChargingProfile" in f.text)
        first.say(json.dumps([2, "meanwhile", "Heartbeat", {}]))  # while ours is open
        first.answer_again()  # to what comes after it
        first.say(json.dumps([4, json.loads(call.text)[1], "InternalError", "out of order", {}]))
        for _ in range(30):
            first.say('[3,"never-asked",{}]')
            first.say('[4,"never-asked-too","GenericError","",{}]')
        await s.until(lambda: bool(s.answers("meanwhile")), 5)
        s.world.set_limit((40_000, 0, 0))
        await s.offered(20, 20, within_s=60)

        s.said("stray frame", "charger=C1", "peer=10.0.0.9", "never-asked", "action=ignored")
        assert len(s.lines("'never-asked'")) == 1  # once a minute
        assert first.dials == 1
        await trio.sleep(15)
        s.went_on(near, 10)
        assert s.world.complaints == []


async def test_c22_a_connector_that_faults_leaves_the_other_to_charge() -> None:
    async with scene(site(60, C[0], C[1]), makes={"C1": TWO}) as s:
        first = s.world.charger("C1")
        await charging(s, "C1", "C2")
        first.plug(hungry(), 2)
        first.present_tag("TAG2", 2)
        await s.until(lambda: first.connector(2).drawn_ma[0] > 0, 60)
        near = s.watch("C1", "C2")
        first.fault(2)
        await s.until(lambda: s.offer("C1", 2).reason.code == "charger_fault", 10)

        assert s.offer("C1", 2).offer_ma.highest() == 0
        s.said("connector faulted", "charger=C1", "connector=2", "GroundFailure")
        await s.offered(30, 30, within_s=60)
        await trio.sleep(10)
        s.went_on(near, 5)
        first.mend(2)
        first.present_tag("TAG2", 2)
        await s.until(lambda: first.connector(2).drawn_ma[0] > 0, 90)
        s.is_safe()


async def test_c29_a_storm_from_one_reaches_nobody_else() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C2", "C3")
        plans = s.house.plan.seq
        began = trio.current_time()
        for _ in range(20):
            s.world.charger("C1").storm(100)
            await trio.sleep(1)
        passed_s = trio.current_time() - began

        assert (s.house.plan.seq - plans) / passed_s <= 5  # it does not drive the balancer
        s.said("too many", "charger=C1", "peer=10.0.0.9")
        since = trio.current_time()
        s.world.charger("C1").storm(500)
        await s.change(limit_ma=amps(45))
        s.world.set_limit((45_000, 0, 0))
        await s.until(lambda: max(s.pilots_a("C2", "C3")) <= 15, 3)
        assert trio.current_time() - since <= 3
        s.went_on(near, 20)
        s.is_safe()


# -- A30, A31: who may pose as whom ----------------------------------------------------------------


async def test_a30_an_impostor_never_evicts_a_charger_that_lives() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        evil = WorldCharger("C1", make=Make(redial_s=0.5, redial_max_s=0.5))
        s.nursery.start_soon(evil.run, s.dial("10.6.6.6"))
        await trio.sleep(300)

        s.said("second connection of a live charger", "charger=C1", "peer=10.6.6.6",
               "stands=10.0.0.9", "action=the newcomer is refused")  # fmt: skip
        assert evil.dials == 0
        s.went_on(near, 300)
        s.is_safe()


async def test_a30_the_true_one_is_adopted_after_a_pulled_cable_while_an_impostor_tries() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C2")
        first = s.world.charger("C1")
        for _ in range(5):
            dials = first.dials
            first.pull_cable()
            took_s = await s.until(lambda d=dials: first.dials > d and first.is_connected, 10)
            assert took_s <= 10
            await trio.sleep(30)

        assert first.connector(1).transaction is not None
        s.said("link replaced", "charger=C1", "peer=10.0.0.9")
        s.went_on(near, 50)
        s.is_safe()


HOSTILE_PATHS = [
    "/", "//", "/%00", "/C%0a1", "/C1%2f..%2f", "/..", "/%2e%2e", "/" + "A" * 49, "/C%ff",
    "/<script>", "/C1%00", "/%E2%80%AEC1", "/C1;rm", "/C1'--", "/%ZZ", "/{C1}", "/C%251",
]  # fmt: skip


async def test_a31_hostile_identities_are_refused_by_name() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        for path in HOSTILE_PATHS:
            stream = await s.dial("10.6.6.6")()
            await stream.send_all(HANDSHAKE.format(path=path).encode())
            with trio.fail_after(15):
                said = await stream.receive_some()
            assert said.startswith(b"HTTP/1.1 400"), (path, said[:60])
            await stream.aclose()

        s.said("connection refused", "peer=10.6.6.6", "cause=Expected", "action=HTTP 400")
        assert set(s.house.views) == {"C1", "C2"}
        assert len(s.store.settings.value.chargers) == 2
        await trio.sleep(30)
        s.went_on(near, 10)
        s.is_safe()


async def test_a31_a_prefix_and_doubled_slashes_are_the_same_charger() -> None:
    doubled = Make(phases=1, path="//ocpp//{id}/")
    async with scene(site(60, *C[:2]), makes={"C1": doubled}) as s:
        await charging(s, "C1", "C2")

        assert s.house.views["C1"].value.connected
        s.is_safe()


# -- A32, A33: frames and what is in them ----------------------------------------------------------


def masked(first: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """A client's frame: first byte, length, a mask of zeros, payload."""
    size = len(payload) if length is None else length
    if size < 126:
        head = bytes([first, 0x80 | size])
    elif size < 1 << 16:
        head = bytes([first, 0x80 | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, 0x80 | 127]) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


TEXT, MORE, PING = 0x81, 0x80, 0x89
STRANGER_A = 32  # what a charger never seen before may draw, and is reserved
BOMBS = {
    "a huge frame": ([masked(TEXT, b"[" * 70_000)], CloseReason.MESSAGE_TOO_BIG),
    "a frame that announces exabytes": ([masked(TEXT, b"x", 1 << 62)], None),
    "endless fragments": (
        [masked(0x01, b"["), *[masked(0x00, b"x" * 512)] * 200], CloseReason.MESSAGE_TOO_BIG,
    ),
    "bad UTF-8": ([masked(TEXT, b"\xc3\x28")], CloseReason.INVALID_FRAME_PAYLOAD_DATA),
    "an unmasked frame": ([b"\x81\x02[]"], CloseReason.PROTOCOL_ERROR),
    "reserved bits": ([masked(0xF1, b"[]")], CloseReason.PROTOCOL_ERROR),
    "a reserved opcode": ([masked(0x83, b"[]")], CloseReason.PROTOCOL_ERROR),
    "a compressed bomb": ([masked(0xC1, b"\x00" * 100)], CloseReason.PROTOCOL_ERROR),
    "a long ping": ([masked(PING, b"p" * 126)], CloseReason.PROTOCOL_ERROR),
    "a continuation of nothing": ([masked(MORE, b"x")], CloseReason.PROTOCOL_ERROR),
}  # fmt: skip


async def close_code(stream: trio.abc.Stream) -> int | None:
    """The code that a WebSocket server closes with; None: it only hung up."""
    heard = b""
    try:
        with trio.move_on_after(40):
            while piece := await stream.receive_some():
                heard += piece
    except trio.BrokenResourceError:
        pass
    place = heard.rfind(b"\x88")
    return int.from_bytes(heard[place + 2 : place + 4], "big") if place >= 0 else None


async def raw_link(s: Scene, identity: str, address: str = "10.6.6.6") -> trio.abc.Stream:
    """A WebSocket of a stranger, byte by byte in our hands."""
    stream = await s.dial(address)()
    await stream.send_all(HANDSHAKE.format(path=f"/{identity}").encode())
    said = b""
    with trio.fail_after(15):
        while b"\r\n\r\n" not in said:
            said += await stream.receive_some(1)
    assert said.startswith(b"HTTP/1.1 101"), said
    return stream


@pytest.mark.parametrize("name", list(BOMBS))
async def test_a32_a_frame_bomb_ends_its_own_link_only(name: str) -> None:
    pieces, code = BOMBS[name]
    async with scene(site(60 + STRANGER_A, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        stream = await raw_link(s, "EVIL")
        try:
            for piece in pieces:
                await stream.send_all(piece)
        except trio.BrokenResourceError:
            pass
        told = await close_code(stream)
        await stream.aclose()
        await s.until(lambda: "EVIL" not in s.house.chargers.links, 120)

        assert told == code or code is None
        s.said("link lost", "charger=EVIL", "peer=10.6.6.6", "cause=")
        await trio.sleep(30)
        s.went_on(near, 10)
        s.is_safe()


async def test_a32_a_flood_of_pings_disturbs_nobody() -> None:
    async with scene(site(60 + STRANGER_A, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        stream = await raw_link(s, "EVIL")
        try:
            for _ in range(20):
                await stream.send_all(masked(PING, b"p") * 1000)
                await trio.sleep(0.5)
        except trio.BrokenResourceError:
            pass
        await s.change(limit_ma=amps(30 + STRANGER_A))
        s.world.set_limit((30_000 + STRANGER_A * 1000, 0, 0))
        await s.until(lambda: s.pilots_a("C1", "C2") == [15, 15], 3)

        s.went_on(near, 1)
        await stream.aclose()
        s.is_safe()


CALL = '[2,"x{n}","Heartbeat",{payload}]'
HOSTILE_JSON = {
    "depth": '[2,"x","DataTransfer",{"vendorId":"v","data":' + "[" * 1000 + "]" * 1000 + "}]",
    "NaN": '[2,"x","DataTransfer",{"vendorId":"v","data":NaN}]',
    "Infinity": '[2,"x","DataTransfer",{"vendorId":"v","data":-Infinity}]',
    "1e999": '[2,"x","MeterValues",{"connectorId":1e999,"meterValue":[]}]',
    "5000 digits": '[2,"x","MeterValues",{"connectorId":' + "9" * 5000 + ',"meterValue":[]}]',
    "2^63": '[2,"x","StopTransaction",{"transactionId":9223372036854775808,"meterStop":1,'
            '"timestamp":"2026-06-15T12:00:00Z"}]',
    "twice": '[2,"x","Authorize",{"idTag":"A","idTag":"B"}]',
    "surrogate": '[2,"x","Authorize",{"idTag":"\\ud800"}]',
    "NUL": '[2,"x","Authorize",{"idTag":"A\\u0000B"}]',
    "wrong type": '[2,"x","Authorize",{"idTag":["A"]}]',
    "wide digits": '[2,"x","MeterValues",{"connectorId":"\uff11\uff16","meterValue":[]}]',
    "underscores": '[2,"x","MeterValues",{"connectorId":"1_0","meterValue":[]}]',
    "no object": '[2,"x","Authorize",7]',
    "unknown action": '[2,"x","FormatDisk",{}]',
    "no such type": '[9,"x","Authorize",{}]',
    "no frame": "hello",
    "empty": "",
    "half": '[2,"x","Authori',
}  # fmt: skip


@pytest.mark.parametrize("name", list(HOSTILE_JSON))
async def test_a33_hostile_json_is_an_error_to_its_sender_and_nothing_else(name: str) -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        s.world.charger("C1").say(HOSTILE_JSON[name])
        await trio.sleep(1)

        wrong = [f for f in s.answers("x") if f[0] == 4]
        readable = HOSTILE_JSON[name].startswith('[2,"x"') and name != "half"
        assert len(s.answers("x")) == len(wrong)
        assert not readable or wrong, name
        s.said("charger=C1", "peer=10.0.0.9", "cause=")
        await trio.sleep(30)
        s.went_on(near, 10)
        s.is_safe()


async def test_a33_twenty_protocol_errors_a_minute_end_the_link_of_who_makes_them() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C2")
        first = s.world.charger("C1")
        session = first.connector(1).transaction.id
        for _ in range(20):
            first.say("no frame")
        await s.until(lambda: first.dials == 2, 15)

        s.said("link lost", "charger=C1", "20 protocol errors within 60 s")
        await s.until(lambda: view(s, "C1").transaction_id == session, 15)
        await trio.sleep(30)
        s.went_on(near, 10)
        s.is_safe()


# -- A34: floods -----------------------------------------------------------------------------------


async def cut_to(s: Scene, limit_a: float, *names: str) -> float:
    """The site's limit falls; how long until every car has been told."""
    await s.change(limit_ma=amps(limit_a))
    s.world.set_limit((round(limit_a * 1000), 0, 0))
    since = trio.current_time()

    def told() -> bool:
        return all(any(at >= since - 1 and first_limit(said) <= limit_a / len(names)
                       for at, said in s.told(name, "SetChargingProfile"))
                   for name in names)  # fmt: skip

    return await s.until(told, 5)


async def test_a34_a_thousand_connects_take_nothing_from_the_good() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        near = s.watch("C1", "C2", "C3")

        async def connect() -> None:
            stream = await s.dial("10.6.6.6")()
            with trio.move_on_after(20):
                await stream.send_all(HANDSHAKE.format(path="/EVIL").encode())
                await stream.receive_some()
            await trio.aclose_forcefully(stream)

        async with trio.open_nursery() as flood:
            for _ in range(1000):
                flood.start_soon(connect)
            await trio.sleep(0.01)
            await s.change(limit_ma=amps(45))
            s.world.set_limit((45_000, 0, 0))
            await s.until(lambda: max(s.pilots_a("C1", "C2", "C3")) <= 15, 2)

        s.said("connection refused", "peer=10.6.6.6", "action=HTTP 409")
        await trio.sleep(30)
        s.went_on(near, 5)
        assert len(s.house.chargers.links) <= 4
        assert len(s.store.settings.value.chargers) == 3, "what never said who it is, is not added"
        s.is_safe()


@pytest.mark.parametrize("storm", ["boots", "values"])
async def test_a34_a_storm_of_calls_slows_no_cut(storm: str) -> None:
    boot = {"chargePointVendor": "V", "chargePointModel": "M"}
    values = {"connectorId": 1, "meterValue": [{"timestamp": "2026-06-15T12:00:30Z",
              "sampledValue": [value("Current.Import", "16.0", "A", phase="L1")]}]}  # fmt: skip
    action, said = ("BootNotification", boot) if storm == "boots" else ("MeterValues", values)
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        near = s.watch("C2", "C3")
        first = s.world.charger("C1")

        async def pour() -> None:
            for number in range(2000):
                first.say(json.dumps([2, f"{storm}-{number}", action, said]))
                await trio.sleep(0.01)

        async with trio.open_nursery() as flood:
            flood.start_soon(pour)
            await trio.sleep(5)
            plans = s.house.plan.seq
            await trio.sleep(5)
            assert s.house.plan.seq - plans <= 60
            assert await cut_to(s, 45, "C2", "C3") <= 1.0
        await trio.sleep(30)
        s.went_on(near, 5)
        s.is_safe()


async def test_a34_one_that_never_answers_holds_nobody_up() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C2", "C3")
        s.world.charger("C1").stop_answering()
        assert await cut_to(s, 54, "C2", "C3") <= 1.0
        await s.until(lambda: "not_controllable" in s.faults() or s.lines("no answer"), 120,
                      lambda: s.lines("C1"))  # fmt: skip

        assert max(s.offers_a("C2", "C3")) <= 20  # what it may draw stays reserved
        s.went_on(near, 5)
        assert s.world.oracle.fuse_percent_max() < 100


async def test_a34_one_that_never_reads_is_hung_up_on() -> None:
    async with scene(site(60 + STRANGER_A, *C[:2])) as s:
        await charging(s, "C1", "C2")
        near = s.watch("C1", "C2")
        stream = await raw_link(s, "EVIL")
        call = masked(TEXT, b'[2,"h","Heartbeat",{}]')

        async def pour() -> None:
            try:
                for _ in range(3000):
                    await stream.send_all(call)
                    await trio.sleep(0.02)
            except trio.BrokenResourceError:
                pass

        await pour()
        await s.until(lambda: "EVIL" not in s.house.chargers.links, 200)
        s.said("link lost", "charger=EVIL", "peer=10.6.6.6", "cause=")
        s.went_on(near, 10)
        s.is_safe()


async def test_c26_a_stranger_that_waits_to_be_adopted_counts_and_gets_nothing() -> None:
    async with scene(site(60, *C[:2], new_chargers="ask")) as s:
        await charging(s, "C1", "C2")
        await s.offered(30, 30)
        stranger = s.world.add_charger("STRANGER", make=Make(phases=1), connection="L1")
        stranger.stop_answering()
        s.nursery.start_soon(stranger.link, s.dial("10.0.0.77"))
        await s.offered(14, 14, within_s=60)

        assert s.house.plan.value.reserved_ma.l1 == 32_000
        assert s.offer("STRANGER").reason.code == "not_adopted"
        stranger.answer_again()
        await s.offered(30, 30, within_s=120)
        stranger.plug(hungry())
        stranger.present_tag("TAG9")
        await trio.sleep(30)
        assert s.world.charger("STRANGER").true_current_ma() == (0, 0, 0)
        s.is_safe()


async def test_p1_what_was_left_is_cleared_and_every_charger_has_its_default_again() -> None:
    """Its make is cleared of everything, also of the default that it was just told."""
    make = Make(vendor="Easee", model="Charge", phases=1)
    async with scene(site(20, *C[:2]), makes={c.id: make for c in C[:2]}) as s:
        s.charge("C1")
        await s.offered(20, names="C1")
        book, since = s.world.charger("C2").book, trio.current_time()
        (default,) = book.profiles
        book.install(dataclasses.replace(
            default, id=11, stack=default.stack + 1, periods=(Period(0, 32.0, None),)))
        await s.restart()

        await trio.sleep(60)
        assert [p.id for p in book.profiles] == [13]
        cleared = [at for at, _ in s.told("C1", "ClearChargingProfile") if at > since]
        assert cleared == [], "not while a car charges there"
        s.charge("C2")
        await s.offered(10, 10, within_s=120)
        s.is_safe()

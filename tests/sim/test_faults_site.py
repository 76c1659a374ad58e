"""Faults and acts of the site as a whole (trust.md 2 B), through the whole firmware.

Steps of the building, limits and settings changed at run time, nonsense at the desk, the emergency
stop, deletions, restarts, and what is asked by hand.
"""

from __future__ import annotations

import json
import math

import msgspec
import pytest
import trio
from tools.simulator.scene import HERE, Frame, Scene, amps, hungry, scene, single, site, three
from tools.world import Make

from linkray.model.asks import (
    EV,
    INSTALLER,
    Answer,
    AnyAsk,
    DeleteCharger,
    ImportSettings,
    PatchSettings,
    SetEmergencyStop,
    SetPassword,
    SetPriority,
    StartCharging,
    StopCharging,
    Who,
)
from linkray.model.settings import Group

C = [single(f"C{n}") for n in range(1, 9)]
METER = "SDM3xx"
A_HASH = "$argon2id$v=19$m=65536,t=3,p=1$c29tZXNhbHQ$bm90IGEgcGFzc3dvcmQ"
SOMEBODY = Who("EV", EV, "10.0.0.50")


async def charging(s: Scene, *names: str) -> None:
    s.charge(*names)
    await s.until(
        lambda: all(s.world.charger(n).true_current_ma() != (0, 0, 0) for n in names), 90,
        lambda: s.pilots_a(*names),
    )  # fmt: skip


async def passwords(s: Scene) -> None:
    """The printed password is gone: people of each level may do what is theirs."""
    for account in ("Assembler", "Installer", "EV"):
        assert (await s.ask(SetPassword(account, A_HASH))).ok


async def patch(s: Scene, change: object, who: Who = HERE) -> Answer:
    """A PATCH of the settings, as the page and the API make it."""
    raw = change if isinstance(change, str) else json.dumps(change)
    return await s.house.desk.ask(PatchSettings(msgspec.Raw(raw.encode())), who)


# -- B: site and balancer --------------------------------------------------------------------------


async def test_b1_a_step_of_the_whole_limit_is_made_room_for_in_time() -> None:
    async with scene(site(60, *C[:3]), meter=METER) as s:
        s.world.building.hold((0, 10_000, 10_000))
        await charging(s, "C1", "C2", "C3")
        await s.until(lambda: s.world.chargers_ma()[0] >= 59_000, 150,
                      lambda: s.offers_a("C1", "C2", "C3"))  # fmt: skip
        await trio.sleep(30)
        since = trio.current_time()
        s.world.building.step(1, 60_000)
        await s.until(lambda: s.house.meter.value.current_ma.l1 > 60_000, 2)
        seen_at = trio.current_time()
        await s.until(lambda: total_told_a(s, since) == 0, 2)
        assert trio.current_time() - seen_at <= 1
        await s.until(lambda: s.world.chargers_ma()[0] == 0, 6)
        assert trio.current_time() - since <= 7  # INV-9: 5 s after the command

        await trio.sleep(120)
        assert s.world.chargers_ma()[0] == 0
        s.world.building.step(1, -60_000)
        back_s = await s.until(lambda: s.world.chargers_ma()[0] > 0, 120)
        assert back_s >= 60
        await s.until(lambda: s.world.chargers_ma()[0] >= 59_000, 120)
        s.is_safe()


def total_told_a(s: Scene, since: float) -> float:
    """What the newest profiles since then let the chargers draw; those told nothing: all."""
    total = 0.0
    for name in ("C1", "C2", "C3"):
        told = [said for at, said in s.told(name, "SetChargingProfile") if at >= since]
        if not told:
            return math.inf
        schedule = told[-1]["csChargingProfiles"]["chargingSchedule"]
        total += schedule["chargingSchedulePeriod"][0]["limit"]
    return total


@pytest.mark.parametrize("how", ["site", "group", "charger"])
async def test_b4_a_limit_lowered_at_run_time_is_kept_at_once(how: str) -> None:
    kept = [msgspec.structs.replace(c, group="Row") for c in C[:2]]
    async with scene(site(80, *kept, C[2], groups=(Group("Row", 60_000),))) as s:
        await charging(s, "C1", "C2", "C3")
        await s.until(lambda: sum(s.offers_a("C1", "C2", "C3")) >= 79, 60)
        near = s.watch("C1", "C2", "C3")
        row = {"name": "Row", "limit_ma": 30_000}
        changes: dict[str, tuple[object, float]] = {
            "site": ({"site": {"limit_ma": [30_000, 30_000, 30_000]}}, 30),
            "group": ({"groups": [row]}, 62),
            "charger": ({"chargers": [{**whole, "max_ma": 10_000} for whole in
                         msgspec.to_builtins([*kept, C[2]])]}, 30),
        }  # fmt: skip
        change, most_a = changes[how]
        answer = await patch(s, change)
        assert answer.ok, answer.text
        if how == "site":
            s.world.set_limit((30_000, 30_000, 30_000))
        if how == "group":
            s.world.oracle.set_limit("Row", (30_000, 30_000, 30_000))
        await s.until(lambda: sum(s.pilots_a("C1", "C2", "C3")) <= most_a, 3,
                      lambda: s.pilots_a("C1", "C2", "C3"))  # fmt: skip
        await s.until(lambda: s.world.chargers_ma()[0] <= most_a * 1000, 5)

        await trio.sleep(60)
        s.went_on(near, 20)
        s.said("asked", "PatchSettings", "who=test", "answer=ok")
        assert any("PatchSettings" in line.what or "settings" in line.what
                   for line in await s.store.audit_lines())  # fmt: skip
        s.is_safe()


NONSENSE = {
    "negative": {"site": {"limit_ma": [-1, 60_000, 60_000]}},
    "huge": {"site": {"limit_ma": [60_000, 60_000, 10**12]}},
    "beyond 64 bits": '{"site": {"limit_ma": [' + "9" * 30 + ", 1, 1]}}",
    "NaN": '{"site": {"limit_ma": [NaN, 60000, 60000]}}',
    "infinite": '{"site": {"limit_ma": [1e999, 60000, 60000]}}',
    "fraction": {"site": {"limit_ma": [60_000.5, 60_000, 60_000]}},
    "text": {"site": {"limit_ma": "60"}},
    "two phases": {"site": {"limit_ma": [60_000, 60_000]}},
    "no volts": {"site": {"voltage_mv": 0}},
    "min above max": {"chargers": [{"id": "C1", "max_ma": 10_000, "min_ma": 16_000}]},
    "one phase on L4": {"chargers": [{"id": "C1", "connection": "L4"}]},
    "one phase on three": {"chargers": [{"id": "C1", "phases": 1, "connection": "L1-L2-L3"}]},
    "no such group": {"chargers": [{"id": "C1", "group": "Nowhere"}]},
    "twice": {"chargers": [{"id": "C1"}, {"id": "C1"}]},
    "a group that feeds itself": {"groups": [{"name": "A", "limit_ma": 1, "parent": "A"}]},
    "a hostile identity": {"chargers": [{"id": "../C1"}]},
    "an unknown field": {"site": {"limit": 60}},
    "a meter that cannot be": {"site": {"meter": {"enabled": True, "file": {"Address": "one"}}}},
    "no object": "[]",
    "no JSON": '{"site":',
    "depth": '{"site":' * 2000 + "1" + "}" * 2000,
}


@pytest.mark.parametrize("name", list(NONSENSE))
async def test_b8_nonsense_is_refused_with_its_reason_and_nothing_changes(name: str) -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        await s.offered(30, 30)
        near = s.watch("C1", "C2")
        old, revision = s.store.settings.value, s.store.revision
        answer = await patch(s, NONSENSE[name])

        assert not answer.ok
        assert answer.code == "invalid"
        assert answer.text
        assert msgspec.json.decode(answer.data)["path"].startswith("$")
        assert s.store.settings.value == old
        assert s.store.revision == revision
        s.said("asked", "PatchSettings", "answer=invalid", "cause=", "who=test")
        if not isinstance(NONSENSE[name], str):
            file = json.dumps({"version": 1, **NONSENSE[name]}).encode()
            whole = await s.ask(ImportSettings(msgspec.Raw(file)))
            assert not whole.ok, whole.text
            assert s.store.settings.value == old
        await trio.sleep(60)
        assert s.offers_a("C1", "C2") == [30, 30]
        s.went_on(near, 20)
        s.is_safe()


# -- transactions and restarts ---------------------------------------------------------------------


async def test_a_transaction_is_on_disk_before_its_charger_is_answered() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C2")
        first = s.world.charger("C1")

        def cut_at_answer(frame: Frame) -> None:
            if frame.way == "out" and '"transactionId"' in frame.text and frame.text[1] == "3":
                s.on_frame = None
                s.end()  # the power goes while the answer goes out

        s.on_frame = cut_at_answer
        s.charge("C1")
        await s.until(lambda: first.connector(1).transaction is not None, 30)
        await s.until(lambda: s.on_frame is None, 30)
        kept = [t for t in await s.store.running() if t.charger == "C1"]
        assert len(kept) == 1
        await s.restart()
        await s.until(lambda: first.connector(1).transaction.id is not None, 60)

        assert first.connector(1).transaction.id == kept[0].id  # the repeat is the same session
        assert [t.id for t in await s.store.recent("C1")] == [kept[0].id]
        await s.offered(30, 30, within_s=90)
        s.is_safe()


async def test_an_end_is_on_disk_before_its_charger_is_answered() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        first = s.world.charger("C1")
        session = first.connector(1).transaction.id
        call_id: list[str] = []

        def cut_at_answer(frame: Frame) -> None:
            told = json.loads(frame.text)
            if frame.way == "in" and told[0] == 2 and told[2] == "StopTransaction":
                call_id.append(told[1])
            if frame.way == "out" and call_id and told[:2] == [3, call_id[0]]:
                s.on_frame = None
                s.end()

        s.on_frame = cut_at_answer
        first.unplug()
        await s.until(lambda: s.on_frame is None, 30)
        (kept,) = await s.store.recent("C1")

        assert kept.id == session and kept.finished and not kept.incomplete
        await s.restart()
        await s.until(lambda: first.wire.pending("StopTransaction") == 0, 60)
        assert len(await s.store.recent("C1")) == 1
        s.is_safe()


async def test_a_restart_tells_its_first_offers_above_all_that_stands_from_before() -> None:
    """These chargers replace a profile by its level, whatever its identifier (OCPP 1.6, 5.16.4)."""
    make = Make(phases=1, replaces_ids=False)
    async with scene(site(20, *C[:2]), makes={c.id: make for c in C[:2]}) as s:
        await charging(s, "C1", "C2")
        await s.offered(10, 10, within_s=60)
        await s.restart()
        s.world.charger("C2").unplug()
        await s.offered(20, names="C1", within_s=120)
        await s.until(lambda: s.pilots_a("C1") == [20], 30, lambda: s.pilots_a("C1"))

        told = [p["csChargingProfiles"] for p in s.world.charger("C1").profiles_told]
        of_session = [p for p in told if p["chargingProfilePurpose"] == "TxProfile"]
        assert {p["stackLevel"] for p in of_session} == {8}
        s.is_safe()


async def test_a_restart_keeps_sessions_their_ids_and_the_order_of_fifo() -> None:
    async with scene(site(60, *C[:3], fifo=True)) as s:
        for name in ("C2", "C3", "C1"):
            s.charge(name)
            await s.until(lambda n=name: s.offer(n).session, 20, name)
            await trio.sleep(2)
        await s.offered(32, 28, 0, names="C2 C3 C1")
        ids = {n: s.world.charger(n).connector(1).transaction.id for n in ("C1", "C2", "C3")}
        await s.restart()
        await s.until(lambda: len(s.house.plan.value.offers) == 3, 30)
        await s.offered(32, 28, 0, names="C2 C3 C1", within_s=120)

        assert {n: s.world.charger(n).connector(1).transaction.id for n in ids} == ids
        assert {t.charger: t.id for t in await s.store.running()} == ids
        s.world.charger("C2").unplug()
        await s.offered(32, 28, names="C3 C1", within_s=60)
        new = s.world.charger("C2")
        s.charge("C2")
        await s.until(lambda: new.connector(1).transaction is not None
                      and new.connector(1).transaction.id is not None, 30)  # fmt: skip
        assert new.connector(1).transaction.id > max(ids.values())
        s.is_safe()


# -- the emergency stop ----------------------------------------------------------------------------


async def emergency(s: Scene, on: bool, who: Who = HERE) -> Answer:
    return await s.house.desk.ask(SetEmergencyStop(on), who)


async def test_inv8_an_emergency_stop_reaches_every_connector_in_two_seconds() -> None:
    settings = site(200, *C, three("T1"))
    async with scene(settings, makes={"T1": Make(connectors=2)}) as s:
        names = [c.id for c in C]
        await charging(s, *names)
        both = s.world.charger("T1")
        for number in (1, 2):
            both.plug(hungry(3), number)
            both.present_tag(f"TAG{number}", number)
        await s.until(lambda: all(c.drawn_ma[0] for c in both.connectors), 60)
        await passwords(s)
        since = trio.current_time()
        assert (await emergency(s, True, SOMEBODY)).ok
        await s.until(lambda: all(was_stopped(s, n, since) for n in (*names, "T1")), 2)

        assert trio.current_time() - since <= 2
        await s.until(lambda: s.world.chargers_ma() == (0, 0, 0), 5)
        await s.until(lambda: s.world.sessions_now() == 0, 15)
        assert "emergency_stop" in s.faults()
        s.said("asked", "SetEmergencyStop", "who=EV", "peer=10.0.0.50")
        kept = [t for n in names for t in await s.store.recent(n)]
        assert {t.reason for t in kept} == {"EmergencyStop"}
        s.is_safe()


def was_stopped(s: Scene, name: str, since: float) -> bool:
    """Told 0 or RemoteStop on each of its connectors since then."""
    charger = s.world.charger(name)
    stops = [at for at, _ in s.told(name, "RemoteStopTransaction") if at >= since]
    zeros = [said for at, said in s.told(name, "SetChargingProfile") if at >= since and
             said["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]
             == 0]  # fmt: skip
    return len(stops) + len(zeros) >= len(charger.connectors)


async def test_b12_an_emergency_stop_survives_a_restart_until_it_is_cleared() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C1", "C2")
        await emergency(s, True)
        await s.until(lambda: s.world.sessions_now() == 0, 15)
        await s.restart()
        await s.until(lambda: "emergency_stop" in s.faults(), 10)
        first = s.world.charger("C1")
        await s.until(lambda: s.house.views["C1"].value.connected, 60)
        first.unplug()
        s.charge("C1")
        await trio.sleep(60)

        assert first.connector(1).transaction is None
        s.said("tag refused", "charger=C1", "cause=emergency stop", "action=Blocked")
        started = await s.ask(StartCharging("C1", 1))
        assert not started.ok and "Emergency stop" in started.text
        assert s.world.chargers_ma() == (0, 0, 0)
        await passwords(s)
        refused = await emergency(s, False, SOMEBODY)
        assert refused.code == "forbidden"  # stopping is everyone's, allowing again is not
        assert (await emergency(s, False)).ok
        assert "emergency_stop" not in s.faults()
        first.present_tag("TAG1")
        await s.until(lambda: first.connector(1).drawn_ma[0] > 0, 60)
        s.is_safe()


async def test_a_start_that_comes_during_an_emergency_stop_is_kept_blocked_and_stopped() -> None:
    async with scene(site(60, *C[:2])) as s:
        await s.until(lambda: s.house.views["C1"].value.connected, 30)
        await trio.sleep(10)
        await emergency(s, True)
        first = s.world.charger("C1")
        first.keys["StopTransactionOnInvalidId"].value = "false"  # it goes on all the same
        first.plug(hungry())
        first._begin(first.connector(1), "TAG1")
        await s.until(lambda: bool(s.told("C1", "RemoteStopTransaction")), 10)
        await s.until(lambda: first.connector(1).transaction is None, 15)
        await s.until(lambda: first.wire.pending("StopTransaction") == 0, 15)

        (kept,) = await s.store.recent("C1")
        assert kept.finished and kept.reason == "EmergencyStop"
        s.said("session refused", "charger=C1", "cause=emergency stop", "action=stopped")
        assert s.world.chargers_ma() == (0, 0, 0)
        s.is_safe()


# -- deleting, by hand, priority -------------------------------------------------------------------


async def test_deleting_an_offline_charger_frees_its_reserve() -> None:
    async with scene(site(60, *C[:3])) as s:
        await s.until(lambda: all(s.house.views[c.id].value.connected for c in C[:3]), 30)
        await charging(s, "C1", "C2")
        await s.offered(30, 30)
        s.world.charger("C3").power_cut(100_000)
        await s.offered(14, 14, within_s=90)
        assert s.house.plan.value.reserved_ma.l1 == 32_000
        near = s.watch("C1", "C2")
        assert (await s.ask(DeleteCharger(("C3",)))).ok
        await s.offered(30, 30, within_s=30)

        assert s.house.plan.value.reserved_ma.l1 == 0
        assert "charger_offline" not in s.faults()
        assert {o.charger for o in s.house.plan.value.offers} == {"C1", "C2"}
        s.said("asked", "DeleteCharger", "who=test", "answer=ok")
        await trio.sleep(30)
        s.went_on(near, 50)
        s.is_safe()


async def test_deleting_what_is_not_there_changes_nothing() -> None:
    async with scene(site(60, *C[:2])) as s:
        answer = await s.ask(DeleteCharger(("C1", "nobody")))

        assert answer.code == "unknown" and "nobody" in answer.text
        assert {c.id for c in s.store.settings.value.chargers} == {"C1", "C2"}


async def test_sessions_are_started_and_stopped_by_hand() -> None:
    async with scene(site(60, *C[:2])) as s:
        await charging(s, "C2")
        near = s.watch("C2")
        first = s.world.charger("C1")
        first.plug(hungry())
        await s.until(lambda: s.house.views["C1"].value.connected, 30)
        await trio.sleep(10)
        started = await s.ask(StartCharging("C1", 1))
        assert started.ok, started.text
        await s.until(lambda: first.connector(1).drawn_ma[0] > 0, 60)
        (kept,) = await s.store.recent("C1")
        assert kept.tag == "LINKRAY" and kept.authorised_by == "hand"
        again = await s.ask(StartCharging("C1", 1))
        assert again.code == "refused"
        stopped = await s.ask(StopCharging("C1", 1))
        assert stopped.ok, stopped.text
        await s.until(lambda: first.connector(1).transaction is None, 15)
        assert (await s.ask(StopCharging("C1", 1))).code == "refused"
        assert (await s.ask(StartCharging("nobody", 1))).code == "unknown"
        lines = await s.store.audit_lines()
        assert [line.what for line in lines][-5:].count("StartCharging") >= 2
        s.went_on(near, 10)
        s.is_safe()


async def test_priority_set_by_hand_is_served_first_and_taken_back() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C1", "C2", "C3")
        installer = Who("Installer", INSTALLER, "10.0.0.50")
        high: AnyAsk = SetPriority(("C1",), "high")
        locked = await s.house.desk.ask(high, installer)
        assert locked.code == "forbidden"  # the printed password is still in use (trust.md 4)
        await passwords(s)
        assert (await s.house.desk.ask(high, SOMEBODY)).code == "forbidden"
        assert (await s.house.desk.ask(high, installer)).ok
        await s.offered(32, 14, 14, within_s=60)
        assert (await s.ask(SetPriority(("C1",), "normal"))).ok
        await s.offered(20, 20, 20, within_s=60)

        s.went_on(near, 10)
        s.is_safe()


async def test_settings_changed_at_run_time_reach_offers_without_a_restart() -> None:
    async with scene(site(60, *C[:3])) as s:
        await charging(s, "C1", "C2", "C3")
        await s.offered(20, 20, 20)
        near = s.watch("C1", "C2", "C3")
        assert (await patch(s, {"site": {"limit_ma": [90_000] * 3}})).ok
        s.world.set_limit((90_000, 90_000, 90_000))
        await s.offered(30, 30, 30, within_s=60)
        assert (await patch(s, {"site": {"fifo": True}})).ok
        await s.until(lambda: sorted(s.offers_a("C1", "C2", "C3")) == [26, 32, 32], 60)
        await s.change(limit_ma=amps(30))
        s.world.set_limit((30_000, 30_000, 30_000))
        await s.until(lambda: sum(s.pilots_a("C1", "C2", "C3")) <= 30, 3)
        await s.change(limit_ma=amps(0))
        s.world.set_limit((0, 0, 0))
        await s.until(lambda: s.world.chargers_ma()[0] == 0, 5)

        s.went_on(near, 20)
        assert s.world.limit_exceeded_s == 0
        assert s.world.complaints == []


async def test_inv8_an_emergency_stop_outlives_the_database() -> None:
    async with scene(site(60, *C[:1])) as s:
        await emergency(s, True)
        s.end()
        await s.store.close()
        await trio.sleep(1)
        await s.start()
        s.charge("C1")
        await trio.sleep(30)

        assert s.house.emergency.value
        assert s.offers_a("C1") == [0]

"""The engineering ceiling through the whole firmware: sealed on site, above everything else."""

from __future__ import annotations

import json

import msgspec
import pytest
import trio
from tools.simulator.scene import HERE, Scene, amps, scene, single, site

from linkray.app import STAYS
from linkray.model.asks import (
    Answer,
    CheckCommissioning,
    ImportSettings,
    PatchSettings,
    ReadCeiling,
    SealCeiling,
    SetPassword,
    Who,
)
from linkray.model.settings import Settings
from linkray.model.units import Phases
from linkray.model.views import CeilingView, CommissioningCheck
from linkray.store.ceiling import FILE
from linkray.upkeep.reset import to_wipe

C = [single(f"C{n}") for n in (1, 2, 3)]
A_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
ON_SITE = Who("Assembler", 3, "192.168.1.20", on_site=True)
FAR_AWAY = Who("Assembler", 3, "203.0.113.9")


async def seal(s: Scene, *per_phase: float, who: Who = HERE) -> Answer:
    return await s.house.desk.ask(SealCeiling(amps(*per_phase)), who)


async def patch(s: Scene, change: object) -> Answer:
    return await s.ask(PatchSettings(msgspec.Raw(json.dumps(change).encode())))


async def take_over(s: Scene, settings: Settings) -> Answer:
    return await s.ask(ImportSettings(msgspec.Raw(msgspec.json.encode(settings))))


async def view(s: Scene) -> CeilingView:
    return msgspec.json.decode((await s.ask(ReadCeiling())).data, type=CeilingView)


async def passwords(s: Scene) -> None:
    for account in ("Assembler", "Installer", "EV"):
        assert (await s.ask(SetPassword(account, A_HASH))).ok


async def test_inv7_a_sealed_ceiling_holds_at_once_and_over_every_setting() -> None:
    async with scene(site(90, *C)) as s:
        s.charge("C1", "C2", "C3")
        await s.offered(30, 30, 30)
        assert (await seal(s, 48)).ok
        await s.until(lambda: sum(s.pilots_a("C1", "C2", "C3")) <= 48, 3)
        await s.offered(16, 16, 16)
        assert s.house.plan.value.limit_ma == Phases.each(48_000)
        assert s.store.settings.value.site.limit_ma == amps(90)  # as set; the lower one rules
        seen = await view(s)
        assert (seen.limit_ma, seen.site_limit_ma, seen.in_force_ma) == (
            Phases.each(48_000), Phases.each(90_000), Phases.each(48_000)
        )  # fmt: skip
        assert s.house.desk.look().site.ceiling_ma == Phases.each(48_000)
        await s.change(limit_ma=amps(200))  # by whatever way: past the desk even
        await trio.sleep(90)
        assert s.offers_a("C1", "C2", "C3") == [16, 16, 16]
        s.is_safe()


async def test_a_ceiling_above_the_site_limit_lifts_nothing() -> None:
    async with scene(site(45, *C)) as s:
        s.charge("C1", "C2", "C3")
        await s.offered(15, 15, 15)
        assert (await seal(s, 100)).ok
        await trio.sleep(90)

        assert s.offers_a("C1", "C2", "C3") == [15, 15, 15]
        assert (await patch(s, {"site": {"limit_ma": [60_000, 60_000, 60_000]}})).ok
        await s.offered(20, 20, 20)


async def test_w8_no_change_and_no_import_brings_a_limit_above_it() -> None:
    async with scene(site(45, *C)) as s:
        await seal(s, 63, 63, 50)
        old = s.store.settings.value
        high = msgspec.structs.replace(
            old, site=msgspec.structs.replace(old.site, limit_ma=amps(63, 63, 63))
        )
        for refused in (
            await patch(s, {"site": {"limit_ma": [63_000, 63_000, 63_000]}}),
            await take_over(s, high),
            await s.ask(ImportSettings(msgspec.Raw(msgspec.json.encode(high)), check_only=True)),
        ):
            assert (refused.code, refused.text) == (
                "invalid", "Expected at most the engineering ceiling of 50 A on L3, got 63 A"
            )  # fmt: skip
            assert bytes(refused.data) == b'{"path":"$.site.limit_ma[2]"}'
        assert s.store.settings.value == old
        assert (await patch(s, {"site": {"limit_ma": [63_000, 63_000, 50_000]}})).ok


@pytest.mark.parametrize("who", [
    FAR_AWAY, Who("Installer", 2, "192.168.1.20", on_site=True), Who("EV", 1, on_site=True),
    Who("key:bms", 2, "192.168.1.20", on_site=True), Who("key:root", 3, on_site=True),
])  # fmt: skip
async def test_inv7_nobody_far_away_no_key_and_no_lower_level_seals(who: Who) -> None:
    async with scene(site(45, *C[:1])) as s:
        await passwords(s)
        await seal(s, 40)
        refused = await seal(s, 100, who=who)

        assert refused.code == "forbidden"
        assert s.house.ceiling.limit.value == Phases.each(40_000)
        assert not any("100 A" in line.new for line in await s.store.audit_lines())


async def test_inv16_an_assembler_on_site_seals_and_the_audit_log_says_from_what_to_what() -> None:
    async with scene(site(45, *C[:1])) as s:
        await passwords(s)
        assert (await seal(s, 63, who=ON_SITE)).ok
        assert (await seal(s, 40, 40, 32.5, who=ON_SITE)).ok

        lines = [x for x in await s.store.audit_lines() if x.what == "engineering ceiling sealed"]
        assert [(x.who, x.source, x.old, x.new) for x in lines] == [
            ("Assembler", "192.168.1.20", "none", "63 A, 63 A, 63 A"),
            ("Assembler", "192.168.1.20", "63 A, 63 A, 63 A", "40 A, 40 A, 32.5 A"),
        ]
        assert (await view(s)).by == "Assembler (192.168.1.20)"


async def test_inv7_it_outlives_a_restart_and_the_database() -> None:
    async with scene(site(90, *C)) as s:
        s.charge("C1", "C2", "C3")
        await s.offered(30, 30, 30)
        await seal(s, 48)
        await s.offered(16, 16, 16)
        await s.restart()
        await s.offered(16, 16, 16, within_s=120)
        s.end()
        await s.store.close()
        await trio.sleep(1)
        await s.start()  # a new database, with the settings of the first day
        await s.until(lambda: all(s.house.views[c.id].value.connected for c in C), 60)
        for charger in C:
            s.world.charger(charger.id).unplug()
        s.charge("C1", "C2", "C3")
        await s.offered(16, 16, 16, within_s=120)

        assert s.house.ceiling.limit.value == Phases.each(48_000)
        assert s.house.plan.value.limit_ma == Phases.each(48_000)
        assert s.store.settings.value.site.limit_ma == amps(90)


async def test_inv7_a_balancer_that_begins_anew_knows_the_ceiling_before_it_plans() -> None:
    async with scene(site(90, *C), strict=False) as s:
        s.charge("C1", "C2", "C3")
        await seal(s, 48)
        await s.offered(16, 16, 16)
        s.house.tell_balance.send_nowait(object())  # a fact that no balancer knows
        for _ in range(120):
            await trio.sleep(0.5)
            assert sum(s.offers_a("C1", "C2", "C3")) <= 48
        assert s.house.plan.value.limit_ma == Phases.each(48_000)


async def test_inv5_a_ceiling_that_cannot_be_read_stops_charging_until_it_is_sealed_again() -> None:
    async with scene(site(60, *C[:1])) as s:
        await seal(s, 50)
        s.end()
        await s.store.close()
        (s.folder / FILE).write_bytes(b"torn")
        await trio.sleep(1)
        await s.start()  # neither the file nor the database knows it any more
        s.charge("C1")
        await s.until(lambda: "storage" in s.faults(), 10)
        await trio.sleep(60)
        assert s.offer("C1").session
        assert s.offers_a("C1") == [0]
        assert (await seal(s, 40)).ok
        await s.offered(32, within_s=90)
        await s.until(lambda: "storage" not in s.faults(), 10)


FALL = [single(f"C{n}", fallback_ma=10_000) for n in (1, 2, 3)]


async def test_b13_a_ceiling_below_the_fail_safe_currents_is_refused_by_name() -> None:
    async with scene(site(60, *FALL)) as s:
        refused = await seal(s, 29, 60, 60)

        assert refused.code == "invalid"
        assert "C1 10 A, C2 10 A, C3 10 A" in refused.text
        assert s.house.ceiling.limit.value is None
        assert (await seal(s, 30, 60, 60)).ok
        assert "fail_safe" not in s.faults()
        refused = await patch(s, {"site": {"base_load_ma": [1_000, 0, 0]}})
        assert (refused.code, bytes(refused.data)) == (
            "invalid", b'{"path":"$.site.base_load_ma[0]"}'
        )  # fmt: skip
        more = msgspec.to_builtins((*FALL, single("C4", fallback_ma=6_000)))
        assert (await patch(s, {"chargers": more})).code == "invalid"
        less = msgspec.to_builtins(tuple(
            msgspec.structs.replace(c, fallback_ma=6_000) for c in FALL
        ))  # fmt: skip
        assert (await patch(s, {"chargers": less, "site": {"base_load_ma": [9_000, 0, 0]}})).ok


async def test_b13_broken_by_what_nobody_was_asked_it_is_a_permanent_fault_until_mended() -> None:
    async with scene(site(60, *FALL)) as s:
        await seal(s, 30, 60, 60)
        await s.change(base_load_ma=amps(5))  # as a database of before the seal would bring it
        await s.until(lambda: "fail_safe" in s.faults(), 10)
        fault = next(f for f in s.house.faults.cell.value if f.code == "fail_safe")
        assert fault.bit == 16
        assert "C1 10 A" in fault.text and "5 A base load are more than 30 A" in fault.text
        await trio.sleep(3600)
        assert "fail_safe" in s.faults()
        assert (await seal(s, 28, 60, 60)).ok  # broken before: lower is safer
        assert "fail_safe" in s.faults()
        assert (await patch(s, {"site": {"base_load_ma": [0, 0, 0]}})).ok
        assert (await seal(s, 30, 60, 60)).ok
        await s.until(lambda: "fail_safe" not in s.faults(), 10)


async def test_the_commissioning_check_reckons_with_what_the_chargers_said_of_themselves() -> None:
    async with scene(site(60, *FALL), meter="SDM630") as s:
        await s.until(lambda: all(s.house.views[c.id].value.connected for c in FALL), 60)
        await s.until(lambda: s.house.plan.value.building_ma is not None, 60)
        s.world.building.step(1, 12_000, 60)
        await trio.sleep(30)
        await seal(s, 63)
        answer = await s.ask(CheckCommissioning())
        found = msgspec.json.decode(answer.data, type=CommissioningCheck)

        assert found.fail_safe_ma == Phases(30_000)
        assert found.maxima_ma == Phases(96_000)
        assert found.largest_step_ma is not None
        assert found.target_ma is not None
        assert 11_000 <= found.largest_step_ma.l1 <= 17_000  # and the noise around it
        assert found.target_ma.l1 == 63_000 - found.largest_step_ma.l1
        assert {f.name for f in found.findings} >= {"ceiling", "fail_safe_sum", "reaction"}
        assert all(f.state == "good" for f in found.findings if f.name == "fail_safe_sum")


def test_a_factory_reset_leaves_the_ceiling_and_wipes_what_else_there_is() -> None:
    assert to_wipe([FILE, "emergency-stop", "linkray.db", "lock"], STAYS) == [
        "emergency-stop", "linkray.db"
    ]  # fmt: skip

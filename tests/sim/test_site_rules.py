"""Rules of the whole box: emergency stop, VIP tags, deleted chargers, rooms that may rest."""

from __future__ import annotations

import itertools
from datetime import datetime

import msgspec
import pytest
import trio
from tools.simulator.scene import HERE, Scene, hungry, scene, single, site

from linkray.kit.keep import KeptDown
from linkray.model.asks import DeleteCharger, SetEmergencyStop, StartCharging
from linkray.model.settings import Access, Group, Settings
from linkray.upkeep.reset import to_wipe

C = [single(f"C{n}") for n in (1, 2, 3)]
NAMES = ("C1", "C2", "C3")


def vips(settings: Settings, *tags: str) -> Settings:
    return msgspec.structs.replace(settings, access=Access(vip=tags))


def zero_or_stop(s: Scene, name: str, since: float) -> float | None:
    """When it was first issued 0 or RemoteStop; None: not since then."""
    issued = [at for at, _ in s.told(name, "RemoteStopTransaction")] + [
        at for at, said in s.told(name, "SetChargingProfile")
        if limits_in(said) == [0.0] * len(limits_in(said))
    ]  # fmt: skip
    return min((at for at in issued if at >= since), default=None)


def limits_in(said: dict[str, object]) -> list[float]:
    schedule = said["csChargingProfiles"]["chargingSchedule"]  # type: ignore[index]
    return [float(period["limit"]) for period in schedule["chargingSchedulePeriod"]]


def is_silent(s: Scene, since: float) -> None:
    """INV-8: no value above 0 was told to anyone, and nobody was let in."""
    for name in NAMES:
        above = [(at, limits_in(said)) for at, said in s.told(name, "SetChargingProfile")
                 if at > since and any(limits_in(said))]  # fmt: skip
        assert not above, (name, above)
        assert not [at for at, _ in s.told(name, "RemoteStartTransaction") if at > since]


async def stop_all(s: Scene, on: bool = True) -> None:
    assert (await s.ask(SetEmergencyStop(on))).ok


# -- why, in the log -------------------------------------------------------------------------------


async def test_the_log_says_in_a_sentence_why_an_offer_is_what_it_is_a_line_a_minute() -> None:
    row = [msgspec.structs.replace(one, group="Row 2") for one in C]
    async with scene(site(90, *row, groups=(Group("Row 2", 20_000),))) as s:
        await s.until(lambda: all(s.house.views[n].value.connected for n in NAMES), 60)
        begun = s.wall.utc()
        s.charge("C1", "C2")
        await s.until(lambda: s.offers_a("C1", "C2") == [10, 10], 120)
        await trio.sleep(120)
        await stop_all(s)
        await trio.sleep(60)
    said = [line for line in s.lines("[BALANCE ] offer (charger=C1 ") if line > begun.isoformat()]
    group = next(line for line in said if "Row 2" in line)
    assert "connector=1 offered=10.0 A cause=shared cable Row 2, L1" in group
    assert "offered=0.0 A cause=all charging is stopped by test at " in said[-1]
    times = [datetime.fromisoformat(line.split("Z: ", 1)[0]) for line in said]
    assert min(b - a for a, b in itertools.pairwise(times)).total_seconds() >= 60


# -- INV-8 -----------------------------------------------------------------------------------------


async def test_inv8_a_charger_that_dials_in_during_the_stop_is_issued_0_in_two_seconds() -> None:
    async with scene(site(90, *C)) as s:
        await s.until(lambda: all(s.house.views[n].value.connected for n in NAMES), 60)
        s.charge("C1", "C2")
        await s.offered(32, 32)
        s.world.charger("C2").disconnect(40)  # it charges on, alone
        await trio.sleep(5)
        since = trio.current_time()
        await stop_all(s)
        await trio.sleep(2)
        assert (zero_or_stop(s, "C1", since) or 1e9) <= since + 2
        await s.until(lambda: s.house.views["C2"].value.connected, 90)
        back = trio.current_time()
        await s.until(lambda: zero_or_stop(s, "C2", since) is not None, 15)
        assert (zero_or_stop(s, "C2", since) or 1e9) <= back + 2
        await s.until(lambda: s.world.chargers_ma() == (0, 0, 0), 30)
        await trio.sleep(120)
        is_silent(s, since)
        s.is_safe()


async def test_inv8_it_holds_through_a_crash_of_the_process_and_of_the_balancer() -> None:
    async with scene(site(90, *C), strict=False) as s:
        s.charge(*NAMES)
        await s.offered(30, 30, 30)
        since = trio.current_time()
        await stop_all(s)
        s.house.tell_balance.send_nowait(object())  # a fact that no balancer knows
        await trio.sleep(0.5)
        await s.restart()
        await s.until(lambda: all(s.house.views[n].value.connected for n in NAMES), 90)
        s.house.tell_balance.send_nowait(object())
        for name in NAMES:
            s.world.charger(name).unplug()
        s.charge(*NAMES)
        await trio.sleep(300)

        assert s.lines("plan failed")
        assert s.house.emergency.value
        assert s.offers_a(*NAMES) == [0, 0, 0]
        assert s.world.chargers_ma() == (0, 0, 0)
        assert s.world.sessions_now() == 0
        is_silent(s, since + 2)
        started = await s.ask(StartCharging("C1", 1))
        assert not started.ok
        is_silent(s, since + 2)


@pytest.mark.parametrize("alone", [{}, {"fallback_ma": 10_000}, {"start_with_zero": False}])
async def test_inv8_a_balancer_that_begins_anew_makes_no_plan_without_the_stop(alone) -> None:
    chargers = [msgspec.structs.replace(c, **alone) for c in C]
    async with scene(site(90, *chargers), strict=False) as s:
        s.charge(*NAMES)
        await s.offered(30, 30, 30)
        await stop_all(s)
        await s.until(lambda: s.world.sessions_now() == 0, 30)
        highest: list[int] = []

        async def look() -> None:
            seq = s.house.plan.seq
            while True:
                seq, plan = await s.house.plan.wait_newer(seq)
                highest.append(max((o.offer_ma.highest() for o in plan.offers), default=0))

        s.nursery.start_soon(look)
        await trio.sleep(10)
        since, pet = trio.current_time(), s.house.board.watchdog.pet

        def bites() -> None:
            s.house.board.watchdog.pet = pet  # type: ignore[method-assign]
            raise OSError(5, "the watchdog's file is gone")

        s.house.board.watchdog.pet = bites  # type: ignore[method-assign]
        await trio.sleep(60)

        assert s.lines("task failed")  # the room itself ended, and began anew
        assert len(highest) > 30
        is_silent(s, since)
        if not alone:
            assert set(highest) == {0}


# -- VIP -------------------------------------------------------------------------------------------


async def test_a_vip_tag_is_served_first_whatever_its_case_and_after_a_restart_too() -> None:
    async with scene(vips(site(40, *C), "vip-Tag")) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        third = s.world.charger("C3")
        third.plug(hungry())
        third.present_tag("VIP-TAG")
        await s.until(lambda: s.offers_a("C3") == [32], 60, lambda: s.offers_a(*NAMES))
        assert s.offer("C3").high
        assert not s.offer("C1").high
        assert s.offer("C1").reason.code in {"lower_priority", "turn", "charger_min", "fair_share"}
        await s.restart()
        await s.until(lambda: s.offer("C3").high and s.offers_a("C3") == [32], 120,
                      lambda: s.offers_a(*NAMES))  # fmt: skip
        s.is_safe()


async def test_a_tag_that_is_no_vip_any_more_gets_nothing_special() -> None:
    async with scene(vips(site(40, *C), "OTHER")) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        assert not s.offer("C1").high


# -- deleted chargers ------------------------------------------------------------------------------


async def test_c25_a_charger_that_is_deleted_while_it_charges_is_stopped_first() -> None:
    async with scene(site(40, *C[:2], new_chargers="ask")) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        assert (await s.ask(DeleteCharger(("C2",)))).ok
        gone = s.world.charger("C2")

        assert gone.connector(1).transaction is None
        assert s.world.chargers_ma()[0] <= 20_500
        assert [t.charger for t in await s.store.running()] == ["C1"]
        await s.offered(32, within_s=120)
        await trio.sleep(60)
        gone.present_tag("TAG1")
        await trio.sleep(60)
        assert gone.connector(1).transaction is None  # it asks first now, and nobody has said yes
        s.is_safe()


async def test_c25_one_that_does_not_stop_counts_until_it_is_gone() -> None:
    async with scene(site(40, *C[:2], new_chargers="ask")) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        stubborn = s.world.charger("C2")
        stubborn.stop_answering()
        asked = trio.current_time()
        assert (await s.ask(DeleteCharger(("C2",)), 35.0)).ok
        assert 9 <= trio.current_time() - asked <= 13
        await trio.sleep(5)

        assert s.offers_a("C1")[0] <= 20  # what C2 draws is nobody's to give out
        s.is_safe()


# -- rooms that rest -------------------------------------------------------------------------------


@pytest.mark.parametrize("room", ["figures", "drawn"])
async def test_a_room_that_charging_does_not_need_rests_and_ends_nobody(room: str) -> None:
    async with scene(site(40, *C[:2]), strict=False) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        if room == "figures":
            s.house.store.energy_since = None  # type: ignore[method-assign,assignment]
        else:
            s.house.steps = None  # type: ignore[assignment]
        await trio.sleep(600)

        assert s.offers_a("C1", "C2") == [20, 20]
        rests = s.lines("task rests")
        assert len(rests) >= 3
        assert f"task={room}" in rests[0] and "seconds=60" in rests[0]
        s.is_safe()


async def test_a_room_that_charging_needs_still_ends_control() -> None:
    with pytest.raises(BaseExceptionGroup) as ended:
        async with scene(site(40, *C[:2]), strict=False) as s:
            s.house.desk.lock = None  # type: ignore[assignment]
            await s.store.change_settings(site(39, *C[:2]), HERE, "test")
            await trio.sleep(120)

    assert ended.group_contains(KeptDown)


def test_the_latch_goes_with_a_factory_reset() -> None:
    assert "emergency-stop" in to_wipe(["emergency-stop", "lock"], frozenset({"lock"}))

"""The site and the balancer under stress, on sites that chance draws (trust.md 2, B1 to B15)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import msgspec
import pytest
import trio
from tests.sim.cases import Case, a_case, busiest
from tools.simulator.scene import Scene, amps, hungry, scene, single, site, three
from tools.world import Make
from trio.testing import MockClock

from linkray.kit.keep import KeptDown
from linkray.model.asks import (
    Answer,
    CheckCommissioning,
    ImportSettings,
    PatchSettings,
    SealCeiling,
    SetEmergencyStop,
)
from linkray.model.facts import Drawn, SettingsChanged
from linkray.model.settings import Charger, Group, MeterSettings
from linkray.model.views import CommissioningCheck

FREE_S = 5.0  # physical: trust.md B1


async def under_the_limit(case: Case, within_s: float = FREE_S) -> None:
    """The wires are under the limit in time, and stay so."""
    await case.s.until(lambda: busiest(case) <= 0, within_s, lambda: busiest(case))
    for _ in range(40):
        await trio.sleep(0.5)
        assert busiest(case) <= 0


async def test_b1_a_building_that_doubles_is_made_room_for_in_time(seed: int) -> None:
    async with a_case(seed, meter=True) as case:
        s = case.s
        s.world.building.noise_ma = 0
        await case.some_time(65, 85)
        free = s.store.settings.value.site.limit_ma.l1 - s.world.building.ma[0]
        since, before = trio.current_time(), case.offers()
        for phase in (1, 2, 3):
            s.world.building.step(phase, free * case.chance.randint(50, 95) // 100)
        await s.until(lambda: case.offers() != before, 2.2, case.offers)
        wired_s = trio.current_time() - since
        await under_the_limit(case)

        assert wired_s <= 2.2  # a second of polling, a second to tell


async def test_b2_a_building_over_the_limit_alone_stops_all_without_swinging(seed: int) -> None:
    async with a_case(seed, meter=True, strict=False) as case:
        s = case.s
        limit_ma = s.store.settings.value.site.limit_ma.l1
        for phase in (1, 2, 3):
            s.world.building.step(phase, limit_ma + 5_000)
        await s.until(lambda: case.total_ma() == 0, 5, case.offers)
        await s.until(lambda: "site_overloaded" in s.faults(), 45)
        for _ in range(120):
            await trio.sleep(1)
            assert case.total_ma() == 0
        for phase in (1, 2, 3):
            s.world.building.step(phase, -limit_ma - 5_000)
        took_s = await s.until(lambda: case.total_ma() > 0, 90, case.offers)

        assert took_s >= 50  # a fall of the building counts after a minute
        await s.until(lambda: "site_overloaded" not in s.faults(), 10)


async def test_b3_a_load_that_swings_is_held_at_its_height(seed: int) -> None:
    async with a_case(seed, meter=True) as case:
        s, hz = case.s, case.chance.choice((0.1, 0.2, 0.5, 1.0, 2.0))
        swing = case.chance.randint(3, 8) * 1000

        async def square() -> None:
            while True:
                for ma in (swing, -swing):
                    s.world.building.step(1, ma)
                    await trio.sleep(0.5 / hz)

        s.nursery.start_soon(square)
        await trio.sleep(120)
        told = sum(len(s.told(name, "SetChargingProfile")) for name in case.all)
        before = case.offers()
        await case.never_raised(60)
        assert case.offers() == before
        renewals = 2 * len(case.all) * (60 // 60)
        assert sum(len(s.told(n, "SetChargingProfile")) for n in case.all) - told <= renewals


async def test_b4_a_limit_lowered_while_all_charge_is_kept_in_time(seed: int) -> None:
    async with a_case(seed) as case:
        await case.some_time()
        old = case.s.store.settings.value.site.limit_ma.l1
        new_a = max(9.0, old / 1000 * case.chance.uniform(0.4, 0.8))
        if case.metered:
            new_a = max(new_a, case.s.world.building.ma[0] / 1000 + 8)
        await case.s.change(limit_ma=amps(new_a))
        case.s.world.set_limit((round(new_a * 1000),) * 3)
        await under_the_limit(case)


async def test_b5_a_group_with_less_than_its_minimums_takes_turns(seed: int) -> None:
    names = [f"C{n}" for n in range(1, 5)]
    grouped = [single(name, group="Cable") for name in names]
    async with scene(site(100, *grouped, groups=(Group("Cable", 14_000),)), seed=seed) as s:
        s.charge(*names)
        await s.until(lambda: sorted(o > 0 for o in s.offers_a(*names)) == [False] * 2 + [True] * 2,
                      60, lambda: s.offers_a(*names))  # fmt: skip
        charged = dict.fromkeys(names, 0)
        for _ in range(4 * 31):
            await trio.sleep(30)
            offers = dict(zip(names, s.offers_a(*names), strict=True))
            assert all(o == 0 or o >= 6 for o in offers.values())
            assert sum(offers.values()) <= 14
            for name, offer in offers.items():
                charged[name] += offer > 0

        assert min(charged.values()) >= 30, charged  # a fair part of an hour
        s.is_safe()


async def test_b6_the_least_of_the_tree_holds_phase_by_phase(seed: int) -> None:
    names = [f"C{n}" for n in range(1, 6)]
    groups = (Group("Level", 50_000), Group("Row", 20_000, parent="Level"))
    kept = [three("C1", group="Row"), single("C2", group="Row"),
            single("C3", group="Level", connection="L2"), three("C4"), single("C5")]  # fmt: skip
    async with scene(site((30, 24, 18), *kept, groups=groups), seed=seed) as s:
        for place, name in enumerate(names):
            s.charge(name, car=lambda p=kept[place].phases: hungry(p))
        await trio.sleep(60)
        for _ in range(60):
            await trio.sleep(1)
            offers = {o.charger: o.offer_ma for o in s.house.plan.value.offers}
            for p, limit in enumerate((30_000, 24_000, 18_000)):
                assert sum(o[p] for o in offers.values()) <= limit
                assert offers["C1"][p] + offers["C2"][p] <= 20_000
        assert offers["C4"].lowest() == offers["C4"].highest() > 0
        s.is_safe()


async def test_b7_inside_a_band_nobody_starves(seed: int) -> None:
    names = [f"C{n}" for n in range(1, 6)]
    high = single("C1", priority="high", max_ma=16_000)
    kept = [high, *(single(name) for name in names[1:])]
    async with scene(site(30, *kept), seed=seed) as s:
        s.charge(*names)
        await trio.sleep(60)
        waits = dict.fromkeys(names, 0.0)
        longest = dict.fromkeys(names, 0.0)
        for _ in range(240):
            await trio.sleep(15)
            for name, offer in zip(names, s.offers_a(*names), strict=True):
                waits[name] = 0.0 if offer > 0 else waits[name] + 15
                longest[name] = max(longest[name], waits[name])

        assert longest["C1"] == 0  # high is never paused for normal
        # Two places for four of the band: nobody waits for longer than one turn and a minute.
        assert max(longest.values()) <= 15 * 60 + 60 + 15, longest
        s.is_safe()


NUMBERS = ("NaN", "-1", "1e999", "-Infinity", "9" * 30, "60000.5", '"60"', "[]", "true")
NOT_A_TREE = ("", "[]", "17", '{"site":', '{"site":NaN}', "\x00", '{"site":' * 2_000)


def a_nonsense(chance: random.Random) -> str:
    """What no site can be, as text of the settings' tree: drawn from every kind of the chapter."""
    number = chance.choice(NUMBERS)
    wrong = chance.choice(("twelve", 10**12, -6_000, [], {"a": 1}))
    least = chance.randint(17_000, 40_000)

    def charger(**kept: object) -> str:
        return json.dumps({"chargers": [{"id": "C1", **kept}]})

    kinds: tuple[Callable[[], str], ...] = (
        lambda: f'{{"site": {{"limit_ma": [{number}, 60000, 60000]}}}}',
        lambda: f'{{"site": {{"voltage_mv": {number}}}}}',
        lambda: f'{{"groups": [{{"name": "Row", "limit_ma": {number}}}]}}',
        lambda: f'{{"site": {{"measurand_interval_s": {number}}}}}',
        lambda: '{"site": {"limit_ma": [0, 0, 0]}}',
        lambda: json.dumps({"site": {"limit_ma": [60_000] * chance.choice((0, 1, 2, 4))}}),
        lambda: json.dumps({"site": {"voltage_mv": chance.choice((0, 89_999, 260_001))}}),
        lambda: json.dumps({"site": {"degraded": wrong}}),
        lambda: charger(max_ma=wrong),
        lambda: charger(max_ma=16_000, min_ma=least),
        lambda: charger(max_w=7_000, min_w=least, unit="W"),
        lambda: charger(connection=chance.choice(("L4", "L1-L2-L3", "L1-L2", "l1", ""))),
        lambda: charger(phases=chance.choice((0, 4, -1, 2))),
        lambda: charger(fallback_ma=chance.choice((1, 5_999, 33_000))),
        lambda: charger(group="Nowhere"),
        lambda: charger(id=chance.choice(("../C1", "", "C" * 300))),
        lambda: '{"chargers": [{"id": "C1"}, {"id": "C1"}]}',
        lambda: '{"groups": [{"name": "A", "limit_ma": 9000, "parent": "A"}]}',
        lambda: chance.choice(NOT_A_TREE),
    )
    return chance.choice(kinds)()


async def test_b8_nonsense_is_refused_at_the_edge_and_the_old_settings_stay(seed: int) -> None:
    async with a_case(seed) as case:
        s = case.s
        old, revision, before = s.store.settings.value, s.store.revision, case.offers()
        for _ in range(25):
            text = a_nonsense(case.chance)
            ways = (PatchSettings(msgspec.Raw(text.encode())),
                    ImportSettings(msgspec.Raw(text.encode())))  # fmt: skip
            for ask in ways:
                refused = await s.ask(ask)
                assert refused.code == "invalid", (text[:200], refused)
                assert refused.text, text[:200]
                assert msgspec.json.decode(refused.data)["path"].startswith("$")
            await case.some_time(0, 2)

        assert s.store.settings.value == old
        assert s.store.revision == revision
        await trio.sleep(30)
        if not case.metered:  # without a meter's noise nothing has moved at all
            assert case.offers() == before


def a_poison(chance: random.Random) -> object:
    """A fact that no balancer can take in."""
    return chance.choice((
        object(),
        None,
        Drawn("C1", 1, None, "phases", 0.0),  # type: ignore[arg-type]
        SettingsChanged(None),  # type: ignore[arg-type]
    ))


def poison(s: Scene, chance: random.Random) -> None:
    s.house.tell_balance.send_nowait(a_poison(chance))  # type: ignore[arg-type]


async def test_b9_a_cycle_that_fails_raises_nothing_and_the_third_in_a_row_ends_it(
    seed: int,
) -> None:
    chance = random.Random(seed * 6_151 + 17)
    fallback_ma = chance.choice((0, 6_000, 8_000))
    kept = [single(f"C{n + 1}", fallback_ma=fallback_ma) for n in range(chance.randint(2, 4))]
    names = [c.id for c in kept]
    limit_a = round(chance.uniform(10, 20) * len(names), 1)
    with pytest.raises(BaseExceptionGroup) as ended:
        async with scene(site(limit_a, *kept, probe_chargers=False), strict=False) as s:
            s.charge(*names)
            await s.until(lambda: all(o >= 9 for o in s.offers_a(*names)), 60)
            await trio.sleep(chance.uniform(20, 40))
            for nth in range(1, 6):  # … and one good cycle between: it goes on for ever
                if nth == 3:
                    s.world.charger(names[-1]).unplug()  # the others wait for its room
                    await trio.sleep(chance.uniform(0, 2))
                before, failed = s.house.plan.value, s.house.times.failed
                highest = {(o.charger, o.connector): o.offer_ma for o in before.offers}
                poison(s, chance)
                await s.until(lambda nth=nth: s.house.times.failed >= nth, 1)
                for offer in s.house.plan.value.offers:
                    was_ma = highest[offer.charger, offer.connector]
                    assert all(a <= b for a, b in zip(offer.offer_ma, was_ma, strict=True))
                assert s.house.times.failed == failed + 1 == nth
                await trio.sleep(chance.uniform(2, 10))
            s.said("plan failed", "failures=1")
            world, house = s.world, s.house
            for _ in range(20):
                poison(s, chance)
                await trio.sleep(0.02)
            await trio.sleep(2)

    assert ended.group_contains(KeptDown, match="the balancer failed 3 times in a row")
    assert all(o.offer_ma.highest() <= fallback_ma for o in house.plan.value.offers)
    for name in names[:-1]:
        assert world.charger(name).connector(1).pilot_ma <= fallback_ma
    assert world.limit_exceeded_s == 0


async def test_b10_a_loop_that_was_late_is_right_again_at_once(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        clock = trio.lowlevel.current_clock()
        assert isinstance(clock, MockClock)
        for late_s in (2.0, 5.0, case.chance.uniform(3, 30)):
            clock.jump(late_s)
            await trio.sleep(20)
            assert s.house.times.gap_s_max >= 2
        s.said("plan late")
        await case.settle()
        s.house.times.gap_s_max = 0.0


async def test_b11_a_hundred_connectors_that_all_change_are_told_within_a_second(
    seed: int,
) -> None:
    kept = [single(f"C{n}", connection=f"L{n % 3 + 1}") for n in range(100)]
    settings = site(400, *kept, meter=MeterSettings())
    async with scene(settings, seed=seed, licence=200, meter="SDM630") as s:
        s.world.building.hold((20_000, 20_000, 20_000))
        names = [c.id for c in kept]
        s.charge(*names)
        await s.until(lambda: all(o >= 6 for o in s.offers_a(*names)), 120)
        await trio.sleep(75)
        before = dict(zip(names, s.offers_a(*names), strict=True))
        since = trio.current_time()
        for phase in (1, 2, 3):
            s.world.building.step(phase, 120_000)
        await s.until(
            lambda: all(s.world.charger(n).connector(1).pilot_ma / 1000 < before[n] for n in names),
            4, lambda: s.pilots_a(*names)[:5],
        )  # fmt: skip
        told = [at for name in names for at, _ in s.told(name, "SetChargingProfile") if at > since]

        assert max(told) - min(told) <= 1.0
        assert s.house.times.gap_s_max <= 1.5
        s.is_safe()


async def test_b12_an_emergency_stop_survives_the_power_until_it_is_cleared(seed: int) -> None:
    async with a_case(seed, meter=False) as case:
        s = case.s
        await case.some_time()
        assert (await s.ask(SetEmergencyStop(True))).ok
        await s.until(lambda: case.total_ma() == 0, 2.0, case.offers)
        await case.some_time(0, 8)
        await s.restart()
        for _ in range(60):
            await trio.sleep(1)
            assert all(o.offer_ma.highest() == 0 for o in s.house.plan.value.offers)
        assert "emergency_stop" in s.faults()
        assert (await s.ask(SetEmergencyStop(False))).ok
        for name in case.all:
            if s.world.charger(name).connector(1).transaction is None:
                s.world.charger(name).present_tag("TAG1")
        await s.until(lambda: case.total_ma() > 0, 60, case.offers)


async def test_b13_fail_safe_currents_over_the_limit_are_refused_by_name_or_a_lasting_fault(
    seed: int,
) -> None:
    chance = random.Random(seed * 6_151 + 17)
    kept = [three(f"C{n + 1}", fallback_ma=chance.choice((0, 6_000, 10_000, 16_000)))
            for n in range(chance.randint(2, 5))]  # fmt: skip
    kept.append(three("C9", fallback_ma=7_000))
    alone = sum(c.fallback_ma or 0 for c in kept)
    base = chance.randint(0, 10_000)
    settings = site(120, *kept, base_load_ma=amps(base / 1000))

    async def seal(s: Scene, ma: int) -> Answer:
        return await s.ask(SealCeiling(amps(ma / 1000)))

    def told(s: Scene) -> str:
        return next(f.text for f in s.house.faults.cell.value if f.code == "fail_safe")

    async with scene(settings, seed=seed) as s:
        await trio.sleep(chance.uniform(0, 30))
        refused = await seal(s, alone + base - chance.randint(1, 3_000))
        assert refused.code == "invalid"
        assert "C9 7 A" in refused.text
        assert s.house.ceiling.limit.value is None
        assert (await seal(s, alone + base)).ok
        more = json.dumps({"site": {"base_load_ma": [0, base + 1, 0]}}).encode()
        assert (await s.ask(PatchSettings(msgspec.Raw(more)))).code == "invalid"
        assert "fail_safe" not in s.faults()

        await s.change(base_load_ma=amps(base / 1000 + 2))  # past the desk, as an old database
        await s.until(lambda: "fail_safe" in s.faults(), 10)
        assert "C9 7 A" in told(s)
        answer = await s.ask(CheckCommissioning())
        found = msgspec.json.decode(answer.data, type=CommissioningCheck).findings
        assert [f.state for f in found if f.name == "fail_safe_sum"] == ["bad"] * 3
        s.charge(*(c.id for c in kept))
        await trio.sleep(chance.uniform(600, 1_800))
        assert "fail_safe" in s.faults()
        await s.restart()
        await s.until(lambda: "fail_safe" in s.faults(), 30)
        await s.change(base_load_ma=amps(base / 1000))
        await s.until(lambda: "fail_safe" not in s.faults(), 10)
        s.is_safe()


async def test_b14_a_charger_across_two_legs_counts_on_both(seed: int) -> None:
    pairs = ("L1-L2", "L2-L3", "L3-L1")
    kept = [single(f"C{n + 1}", phases=2, connection=pairs[(n + seed) % 3]) for n in range(4)]
    async with scene(site(40, *kept, split_mode="208", voltage_mv=120_000), seed=seed) as s:
        names = [c.id for c in kept]
        s.charge(*names)
        await trio.sleep(60)
        for _ in range(60):
            await trio.sleep(1)
            offers = [o.offer_ma for o in s.house.plan.value.offers]
            for p in range(3):
                assert sum(o[p] for o in offers) <= 40_000
            assert all(min(o) == 0 and sorted(o)[1] == sorted(o)[2] for o in offers)
        assert all(o > 0 for o in s.offers_a(*names))
        s.is_safe()


ETA_UNKNOWN = 0.85  # decided.md: what is planned with until it is learned
V_MOST = 230.0 * 1.01  # no volts are reckoned with that the site has not


async def test_b15_a_dc_charger_that_reports_more_than_it_takes_is_planned_with_care(
    seed: int,
) -> None:
    chance = random.Random(seed)
    true_eta, said_eta = chance.uniform(0.87, 0.97), chance.uniform(1.02, 1.4)
    station = Make(phases=3, units="Power", efficiency=true_eta, max_ma=80_000)

    def in_watts(kept: Charger) -> Charger:
        return msgspec.structs.replace(kept, unit="W", max_w=40_000, min_w=4_200,
                                       max_ma=msgspec.UNSET, min_ma=msgspec.UNSET)  # fmt: skip

    async with a_case(seed, phases=3, make=station, kept=in_watts, charging=False) as case:
        s = case.s
        case.victim.lie(lambda true: tuple(round(ma * true_eta / said_eta) for ma in true))
        s.charge(*case.others, car=case.car)
        for _session in range(4):  # after three what was shown would be learned
            s.charge("C1", car=lambda: hungry(3, max_a=80, lag_s=0.5))
            await s.until(lambda: any(case.victim.true_current_ma()), 90)
            for _ in range(90):
                await trio.sleep(1)
                offer = s.offer("C1")
                assert offer.limit_w is not None
                promised_ma = offer.offer_ma.lowest()
                assert offer.limit_w <= 3 * promised_ma / 1000 * V_MOST * ETA_UNKNOWN
                if not case.metered:  # with one, its noise may pass the limit for a moment
                    assert busiest(case) <= 0
            assert max(case.victim.true_current_ma()) <= promised_ma
            case.victim.unplug()
            await trio.sleep(20)


def test_every_site_case_of_the_chapter_is_named() -> None:
    named = {name.split("_")[1] for name in globals() if name.startswith("test_b")}

    assert named == {f"b{n}" for n in range(1, 16)}



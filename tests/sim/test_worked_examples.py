"""The worked examples of balancing.md, through the whole firmware with simulated chargers.

Single-phase on L1, 32 A, minimum 6 A, no meter, unless said. The numbers are the table's rows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
import pytest
import trio
from tools.simulator.scene import Scene, amps, hungry, scene, single, site, three
from tools.world import Make

from linkray.model.settings import Group, MeterSettings

C = [single(f"C{n}") for n in range(1, 11)]
SMALL = 20.0  # a car that takes no more than this


async def row_1_equal_chargers_share_equally() -> None:
    async with scene(site(60, *C[:3])) as s:
        s.charge("C1")
        await s.offered(32)
        s.charge("C2")
        await s.offered(30, 30)
        s.charge("C3")
        await s.offered(20, 20, 20)

        assert s.world.limit_exceeded_s == 0


async def row_2_shares_are_equal_percentages_of_the_maximum() -> None:
    async with scene(site(60, *C[:2], single("C3", max_ma=16_000))) as s:
        s.charge("C1")
        await s.offered(32)
        s.charge("C2")
        await s.offered(30, 30)
        s.charge("C3")
        await s.offered(24, 24, 12)


async def confirm_dead_man(s: Scene, *names: str) -> None:
    """A first session at each, in which its dead-man is seen to work; then they lose their power.

    When it returns the dead-man has run out: only their fallback is reserved (balancing.md 1).
    """
    s.charge(*names)
    for name in names:
        await s.until(lambda name=name: s.house.lease_proven(name), 400, f"{name} is not confirmed")
        s.world.charger(name).unplug()
    await trio.sleep(90)
    for name in names:
        s.world.charger(name).power_cut(100_000)
    await s.until(lambda: s.house.plan.value.reserved_ma.l1 == 20_000, 400,
                  lambda: s.house.plan.value.reserved_ma)  # fmt: skip


async def row_3_lost_chargers_with_a_confirmed_dead_man_keep_their_fallback() -> None:
    lost = [single(f"C{n}", fallback_ma=10_000) for n in (4, 5)]
    async with scene(site(80, *C[:3], *lost)) as s:
        await confirm_dead_man(s, "C4", "C5")
        s.charge("C1")
        await s.offered(32)
        s.charge("C2")
        await s.offered(30, 30)
        s.charge("C3")
        await s.offered(20, 20, 20)


async def row_4_fifo_serves_in_the_order_of_starts() -> None:
    async with scene(site(60, *C[:3], fifo=True)) as s:
        s.charge("C1")
        await s.offered(32)
        s.charge("C2")
        await s.offered(32, 28)
        s.charge("C3")
        await s.offered(32, 28, 0)
        s.world.charger("C1").unplug()
        await s.offered(32, 28, names="C2 C3")


async def row_5_fifo_beside_lost_chargers_with_a_confirmed_dead_man() -> None:
    lost = [single(f"C{n}", fallback_ma=10_000) for n in (4, 5)]
    async with scene(site(100, *C[:3], *lost, fifo=True)) as s:
        await confirm_dead_man(s, "C4", "C5")
        s.charge("C1")
        await s.offered(32)
        s.charge("C2")
        await s.offered(32, 32)
        s.charge("C3")
        await s.offered(32, 32, 16)


async def row_6_fifo_gives_a_place_that_is_left_to_the_next() -> None:
    async with scene(site(64, *C[:3], fifo=True)) as s:
        for name in ("C1", "C2", "C3"):
            s.charge(name)
            await s.until(lambda name=name: s.offer(name).session, 20, name)
        await s.offered(32, 32, 0)
        s.world.charger("C1").unplug()
        await s.offered(32, 32, names="C2 C3")


async def row_7_a_lost_charger_keeps_its_maximum_where_no_meter_sees_it() -> None:
    async with scene(site(100, *C[:5])) as s:
        await s.until(lambda: all(s.house.views[c.id].value.connected for c in C[:5]), 30)
        await trio.sleep(15)  # it has answered a ping: silent from now on, it is lost after 30 s
        s.world.charger("C5").power_cut(100_000)
        s.charge("C1", "C2", "C3", "C4")
        await s.offered(17, 17, 17, 17, within_s=90)

        assert s.house.plan.value.reserved_ma.l1 == 32_000
        assert "charger_offline" in s.faults()


async def row_8_a_healthy_meter_sees_it_and_what_obeys_in_time_covers_it() -> None:
    async with scene(site(100, *C[:5]), meter="SDM3xx") as s:
        s.charge("C1", "C2", "C3", "C4")
        await s.offered(25, 25, 25, 25, within_s=90)
        for limit in (60, 100, 60, 100, 60, 100):  # cuts from which obey times are learnt
            await s.change(limit_ma=amps(limit))
            await s.offered(*[limit / 4] * 4, within_s=120)
        s.world.charger("C5").power_cut(100_000)
        await s.until(lambda: not s.house.views["C5"].value.connected, 60)

        await s.offered(25, 25, 25, 25, within_s=120)


async def row_9_the_building_is_taken_off_its_phase() -> None:
    async with scene(site(200, *C), meter="SDM3xx") as s:
        s.world.building.hold((80_000, 0, 0))
        s.charge(*(c.id for c in C))

        await s.offered(*[12.0] * 10, within_s=120)


async def row_10_what_a_car_has_shown_not_to_use_goes_to_the_others() -> None:
    async with scene(site(96, *C[:4])) as s:
        s.charge("C1", car=lambda: hungry(max_a=12.0))
        s.charge("C2", "C3", "C4")
        await s.offered(24, 24, 24, 24, within_s=40)
        took_s = await s.offered(14, 27.3, 27.3, 27.3, within_s=120)

        assert took_s >= 40  # it must have shown it for a minute
        assert s.offer("C1").reason.code == "car_draws_less"


def failing(**meter: object) -> object:
    """Rows 11 to 13: 100 A, a meter, building 10, two cars that take 20 each."""
    return site(100, *C[:2], meter=MeterSettings(**meter))


async def charging_40(s: object) -> None:
    s.world.building.hold((10_000, 10_000, 10_000))
    s.charge("C1", "C2", car=lambda: hungry(max_a=SMALL))
    await s.until(lambda: s.world.chargers_ma()[0] >= 39_900, 120, s.world.chargers_ma)


def total_a(s: object) -> float:
    return sum(s.offers_a("C1", "C2"))


async def row_11_a_meter_that_fails_halves_what_was_drawn() -> None:
    async with scene(failing(on_failure="half"), meter="SDM3xx") as s:
        await charging_40(s)
        s.world.meter.cut()
        took_s = await s.until(lambda: total_a(s) <= 20, 7, lambda: total_a(s))

        assert took_s <= 7  # trust.md M1
        await s.until(lambda: total_a(s) == 20, 10, lambda: total_a(s))
        assert "meter" in s.faults()


async def row_12_a_meter_that_fails_leaves_the_degraded_limits() -> None:
    thirty = msgspec.structs.replace(MeterSettings(), degraded_ma=amps(30))
    async with scene(site(100, *C[:2], meter=thirty), meter="SDM3xx") as s:
        await charging_40(s)
        s.world.meter.cut()

        await s.until(lambda: total_a(s) == 30, 15, lambda: total_a(s))


async def row_12_with_nothing_set_charging_stops() -> None:
    async with scene(failing(), meter="SDM3xx") as s:
        await charging_40(s)
        s.world.meter.cut()

        await s.until(lambda: total_a(s) == 0, 15, lambda: total_a(s))


async def row_13_a_restart_without_the_meter_starts_from_nothing() -> None:
    async with scene(failing(on_failure="half"), meter="SDM3xx") as s:
        await charging_40(s)
        s.world.meter.cut()
        await s.until(lambda: total_a(s) == 20, 15, lambda: total_a(s))
        await s.restart()
        await s.until(lambda: len(s.house.plan.value.offers) == 2, 30)
        await s.until(lambda: s.pilots_a("C1", "C2") == [0, 0], 60, lambda: s.pilots_a("C1", "C2"))

        assert total_a(s) == 0


async def row_14_a_group_holds_its_cable() -> None:
    grouped = [msgspec.structs.replace(c, group="Cable1") for c in C[:3]]
    settings = site(100, *grouped, three("C4"), groups=(Group("Cable1", 50_000),))
    async with scene(settings) as s:
        s.charge("C1", "C2", "C3")
        s.charge("C4", car=lambda: hungry(3))

        await s.offered(16.6, 16.6, 16.6, 32)
        assert s.offer("C1").reason.code == "group_limit"


async def row_15_two_sockets_share_their_supply() -> None:
    kept = three("C1", supply_limit_ma=32_000)
    async with scene(site(100, kept), makes={"C1": Make(connectors=2)}) as s:
        charger = s.world.charger("C1")
        await s.until(lambda: len(s.house.plan.value.offers) == 2, 30)
        for number in (1, 2):
            charger.plug(hungry(3), number)
            charger.present_tag(f"TAG{number}", number)

        await s.until(
            lambda: [s.offer("C1", n).offer_ma.highest() for n in (1, 2)] == [16_000, 16_000],
            60, lambda: [s.offer("C1", n).offer_ma for n in (1, 2)],
        )  # fmt: skip


async def row_16_a_building_that_jumps_is_made_room_for_at_once_and_forgotten_slowly() -> None:
    async with scene(site(63, *C[:2]), meter="SDM3xx") as s:
        s.world.building.hold((20_000, 0, 0))
        s.charge("C1", "C2")
        await s.offered(21.5, 21.5, within_s=150)
        await trio.sleep(75)  # steady
        s.world.building.step(1, 30_000)
        at_once_s = await s.offered(6.5, 6.5, within_s=5)
        await s.until(lambda: s.world.site_ma()[0] <= 63_000, 5)  # trust.md B1, INV-9
        s.world.building.step(1, -30_000)
        back_s = await s.offered(21.5, 21.5, within_s=90)

        assert at_once_s <= 3
        assert back_s >= 60


async def row_17_where_minimums_do_not_fit_one_is_paused_and_another_every_15_minutes() -> None:
    async with scene(site(20, *C[:4])) as s:
        names = [c.id for c in C[:4]]
        s.charge(*names)
        await s.until(lambda: sorted(s.offers_a(*names)) == [0, 6.6, 6.6, 6.6], 60,
                      lambda: s.offers_a(*names))  # fmt: skip
        paused = []
        for _turn in range(4):
            (name,) = [name for name in names if s.offers_a(name) == [0]]
            paused.append(name)
            assert s.offer(name).reason.code == "turn"
            await s.until(lambda name=name: s.offers_a(name) == [6.6], 960, lambda: paused)
            await trio.sleep(30)
            assert sorted(s.offers_a(*names)) == [0, 6.6, 6.6, 6.6]

        assert sorted(paused) == names  # each had its turn
        s.is_safe()


async def row_18_across_two_legs_the_current_is_on_both() -> None:
    pair = [single(f"C{n}", phases=2, connection="L1-L2") for n in (1, 2)]
    async with scene(site(60, *pair, split_mode="240", voltage_mv=120_000)) as s:
        s.charge("C1", "C2")
        await s.offered(30, 30)

        for name in ("C1", "C2"):
            assert list(s.offer(name).offer_ma) == [30_000, 30_000, 0]
            await s.until(
                lambda name=name: s.world.charger(name).true_current_ma() == (30_000, 30_000, 0),
                20, lambda name=name: s.world.charger(name).true_current_ma(),
            )  # fmt: skip
        s.is_safe()


async def row_19_a_phase_that_a_car_does_not_use_carries_nothing() -> None:
    async with scene(site(40, three("C1"), three("C2"))) as s:
        s.charge("C1")  # it rectifies one phase
        s.charge("C2", car=lambda: hungry(3))
        await s.offered(20, 20)
        await s.until(lambda: list(s.offer("C1").offer_ma) == [20_000, 0, 0], 60,
                      lambda: s.offer("C1").offer_ma)  # fmt: skip

        assert list(s.offer("C2").offer_ma) == [20_000] * 3
        reasons = [s.offer(c).reason for c in ("C1", "C2")]
        assert [(r.code, r.phase) for r in reasons] == [("site_limit", "L1")] * 2
        site_node = s.house.plan.value.nodes[0]
        free = [site_node.limit_ma[p] - site_node.promised_ma[p] for p in range(3)]
        assert free == [0, 20_000, 20_000]
        s.is_safe()


async def row_20_high_priority_is_served_first() -> None:
    first = single("C1", priority="high")
    async with scene(site(60, first, *C[1:3])) as s:
        s.charge("C1", "C2", "C3")

        await s.offered(32, 14, 14)
        assert s.offer("C2").reason.code == "lower_priority"


ROWS = (
    row_1_equal_chargers_share_equally,
    row_2_shares_are_equal_percentages_of_the_maximum,
    row_3_lost_chargers_with_a_confirmed_dead_man_keep_their_fallback,
    row_4_fifo_serves_in_the_order_of_starts,
    row_5_fifo_beside_lost_chargers_with_a_confirmed_dead_man,
    row_6_fifo_gives_a_place_that_is_left_to_the_next,
    row_7_a_lost_charger_keeps_its_maximum_where_no_meter_sees_it,
    row_8_a_healthy_meter_sees_it_and_what_obeys_in_time_covers_it,
    row_9_the_building_is_taken_off_its_phase,
    row_10_what_a_car_has_shown_not_to_use_goes_to_the_others,
    row_11_a_meter_that_fails_halves_what_was_drawn,
    row_12_a_meter_that_fails_leaves_the_degraded_limits,
    row_12_with_nothing_set_charging_stops,
    row_13_a_restart_without_the_meter_starts_from_nothing,
    row_14_a_group_holds_its_cable,
    row_15_two_sockets_share_their_supply,
    row_16_a_building_that_jumps_is_made_room_for_at_once_and_forgotten_slowly,
    row_17_where_minimums_do_not_fit_one_is_paused_and_another_every_15_minutes,
    row_18_across_two_legs_the_current_is_on_both,
    row_19_a_phase_that_a_car_does_not_use_carries_nothing,
    row_20_high_priority_is_served_first,
)


def test_the_table_has_every_row() -> None:
    numbers = {int(row.__name__.split("_")[1]) for row in ROWS}

    assert numbers == set(range(1, 21))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
async def test_worked_example(row: Callable[[], Awaitable[None]]) -> None:
    await row()

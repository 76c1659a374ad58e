"""Our own mistakes: what is restarted, what is given up, and what comes up again (kit/keep.py).

The mistake is planted as a fact of a type that the balancer does not know: it raises.
"""

from __future__ import annotations

import msgspec
import pytest
import trio
from tools.simulator.scene import Scene, scene, single, site
from tools.world import Make
from tools.world.csms import Csms

from linkray.app import FAILED
from linkray.kit.keep import KeptDown
from linkray.model.asks import PatchSettings, SetEmergencyStop
from linkray.model.settings import Csms as CsmsSettings

C = [single(f"C{n}") for n in (1, 2)]


def poison(s: Scene) -> None:
    s.house.tell_balance.send_nowait(object())


async def test_a_plan_that_fails_is_made_again_and_no_one_notices() -> None:
    async with scene(site(40, *C), strict=False) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        links = dict(s.house.chargers.links)
        poison(s)
        await trio.sleep(0.5)
        await s.offered(20, 20, within_s=30)
        await trio.sleep(30)

        assert s.offers_a("C1", "C2") == [20, 20]
        assert s.house.chargers.links == links
        assert s.world.limit_exceeded_s == 0
        assert s.lines("plan failed")
        assert s.offer("C1").session


def fail_once(of: object, name: str) -> None:
    """The next call of it is a mistake of ours."""
    true = getattr(of, name)

    def fail(*_given: object) -> None:
        setattr(of, name, true)
        raise RuntimeError(f"{name} fails once")

    setattr(of, name, fail)


async def test_inv12_a_lost_stranger_counts_though_the_balancer_fails_again_as_it_begins_anew(
) -> None:
    async with scene(site(60, *C, new_chargers="ask"), strict=False) as s:
        s.charge("C1", "C2")
        await s.offered(30, 30)
        stranger = s.world.add_charger("STRANGER", make=Make(phases=1), connection="L1")
        stranger.stop_answering()
        s.nursery.start_soon(stranger.link, s.dial("10.0.0.77"))
        await s.offered(14, 14, within_s=60)
        stranger.power_cut(for_s=3_600)
        await s.until(lambda: "STRANGER" not in s.house.chargers.links, 120)
        fail_once(s.house.chargers, "known")
        fail_once(s.board.watchdog, "pet")
        await trio.sleep(60)

        assert len(s.lines("task failed")) == 2
        assert s.house.plan.value.reserved_ma.l1 == 32_000
        assert s.offers_a("C1", "C2") == [14, 14]


async def test_b9_the_third_failure_in_a_row_ends_the_process() -> None:
    with pytest.raises(BaseExceptionGroup) as ended:
        async with scene(site(40, *C), strict=False) as s:
            await trio.sleep(30)  # nothing else comes to plan for
            for _ in range(3):
                poison(s)
                await trio.sleep(0.1)
            await trio.sleep(2)

    assert ended.group_contains(KeptDown, match="the balancer failed 3 times in a row")
    assert s.store.recall(FAILED), "for the next process"


@pytest.mark.parametrize(("gave_up", "first_s"), [(True, 60), (False, 0)])
async def test_inv17_after_a_process_that_gave_itself_up_the_csms_has_its_minute(
    gave_up: bool, first_s: float
) -> None:
    central = Csms(path="/ocpp")
    served = msgspec.structs.replace(site(40, *C), csms=CsmsSettings("ws://csms.example/ocpp"))
    async with scene(served, csms=central) as s:
        await s.until(lambda: len(central.book.knocks) == 2, 60)
        if gave_up:
            await s.store.remember(FAILED, s.wall.stamp())
        ended = trio.current_time()
        await s.restart()
        await s.until(lambda: len(central.book.knocks) == 4, 120)

        after_s = [knock.at - ended for knock in central.book.knocks[2:]]
        assert first_s <= min(after_s) <= max(after_s) < first_s + 20


async def test_inv5_a_disk_that_takes_no_writes_raises_nothing_and_ends_nobody() -> None:
    async with scene(site(40, *C), strict=False) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        near, disk = s.watch("C1", "C2"), s.store._disk._db
        disk.pragma("query_only", True)
        more = PatchSettings(msgspec.Raw(b'{"site": {"limit_ma": [60000, 60000, 60000]}}'))
        assert not (await s.ask(more)).ok
        for _ in range(150):
            await trio.sleep(1)
            assert s.offers_a("C1", "C2") == [20, 20]
        assert "storage" in s.faults()
        s.went_on(near, 100)
        assert (await s.ask(SetEmergencyStop(True))).code != "ok"  # not written down, and done
        await s.until(lambda: s.offers_a("C1", "C2") == [0, 0], 2)

        disk.pragma("query_only", False)
        assert (await s.ask(SetEmergencyStop(False))).ok
        await s.until(lambda: "storage" not in s.faults(), 60)
        s.is_safe()


async def test_starts_that_a_clock_set_back_has_left_in_the_future_are_no_crashes() -> None:
    async with scene(site(40, *C)) as s:
        later = " ".join(["2031-01-01T00:00:00.000Z"] * 3)
        await s.store.remember("starts", later)
        await s.restart()

        assert "safe_mode" not in s.faults()


async def test_b8_a_time_zone_on_disk_that_nobody_knows_ends_nothing() -> None:
    async with scene(site(40, *C, time_zone="Mars/Olympus")) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await trio.sleep(150)

        assert s.house.energy_today_wh > 0


async def test_after_three_crashes_within_five_minutes_every_offer_is_fail_safe() -> None:
    async with scene(site(40, *C)) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        for _ in range(3):
            await s.restart()
            await trio.sleep(5)
        await s.until(lambda: s.pilots_a("C1", "C2") == [0, 0], 60, lambda: s.offers_a("C1", "C2"))

        assert "safe_mode" in s.faults()
        assert s.offers_a("C1", "C2") == [0, 0]


async def test_p12_safe_mode_ends_after_five_minutes_without_a_failure() -> None:
    async with scene(site(40, *C)) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        for _ in range(3):
            await s.restart()
            await trio.sleep(5)
        await trio.sleep(280)
        assert "safe_mode" in s.faults()
        assert s.offers_a("C1", "C2") == [0, 0]

        await s.offered(20, 20, within_s=90)
        assert "safe_mode" not in s.faults()
        s.said("safe mode ends")
        s.is_safe()

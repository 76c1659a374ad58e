"""The charging schedule through the whole firmware: pauses, restarts, clocks that are set.

The scene begins on a Monday at 12:00 UTC (`NOON`); in Amsterdam it is 14:00.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import trio
from tools.simulator.scene import HERE, Scene, scene, single, site

from linkray.model.settings import Exclusion, Settings

C = [single(f"C{n}") for n in (1, 2)]
ZONE = "Europe/Amsterdam"
EVERY_DAY = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def paused(*spans: tuple[str, str], days: tuple[str, ...] = EVERY_DAY) -> Settings:
    schedule = tuple(Exclusion(days, start, end) for start, end in spans)
    return msgspec.structs.replace(site(40, *C, time_zone=ZONE), schedule=schedule)


async def reschedule(s: Scene, *spans: tuple[str, str]) -> None:
    new = msgspec.structs.replace(
        s.store.settings.value, schedule=paused(*spans).schedule
    )
    await s.store.change_settings(new, HERE, "test")


def rests(s: Scene) -> bool:
    """Everybody is offered 0 and draws nothing."""
    return s.offers_a("C1", "C2") == [0, 0] and s.world.chargers_ma() == (0, 0, 0)


def keep_their_clocks(s: Scene) -> None:
    """The chargers go by clocks of their own: this is about the box's."""
    for name in ("C1", "C2"):
        s.world.charger(name).wrong_clock(0)


def reasons(s: Scene) -> set[str]:
    return {s.offer(c).reason.code for c in ("C1", "C2")}


async def sessions(s: Scene) -> dict[str, int]:
    return {t.charger: t.id for t in await s.store.running()}


async def test_a_session_is_kept_with_its_current_its_pause_and_the_reason() -> None:
    async with scene(paused(("14:02", "14:20"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await s.until(lambda: rests(s), 200, s.offers_a)
        await trio.sleep(180)
        kept = await s.store.courses()
        assert len(kept) == 2
        for _number, course, pause in kept:
            assert pause is not None
            assert (pause.code, pause.ended) == ("schedule", None)
            assert "T12:02:0" in pause.began
            assert 110_000 <= course.paused_ms <= 190_000
            assert course.max_ma.highest() == 20_000


async def test_sessions_pause_at_the_excluded_time_and_resume_after_it() -> None:
    async with scene(paused(("14:10", "14:20"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        before = await sessions(s)
        await trio.sleep(600 - trio.current_time() % 600 - 1)
        assert s.offers_a("C1", "C2") == [20, 20]
        await s.until(lambda: rests(s), 15, s.offers_a)

        assert reasons(s) == {"schedule"}
        assert 0 < (s.house.plan.value.excluded_until_s or 0) <= 600
        await trio.sleep(570)
        assert rests(s)
        await s.offered(20, 20, within_s=90)
        assert s.house.plan.value.excluded_until_s is None
        assert await sessions(s) == before
        s.is_safe()


async def test_a_pause_begins_and_ends_within_two_seconds_of_its_minute() -> None:
    async with scene(paused(("14:05", "14:08"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        begins, ends = 300.0, 480.0
        wall = s.wall.utc()
        zero = trio.current_time() - (wall - datetime(2026, 6, 15, 12, tzinfo=UTC)).total_seconds()
        await s.until(lambda: s.house.plan.value.excluded_until_s is not None, 600)
        assert 0 <= trio.current_time() - zero - begins < 2
        await s.until(lambda: s.house.plan.value.excluded_until_s is None, 600)
        assert 0 <= trio.current_time() - zero - ends < 2


async def test_a_restart_in_a_pause_offers_nothing_at_any_moment() -> None:
    async with scene(paused(("14:02", "15:00"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await s.until(lambda: rests(s), 180, s.offers_a)
        zeros = {n: len(s.told(n, "SetChargingProfile")) for n in ("C1", "C2")}
        await s.restart()
        await trio.sleep(300)

        assert rests(s)
        for name, known in zeros.items():
            told = s.told(name, "SetChargingProfile")[known:]
            assert told, "it was told nothing after the restart"
            assert {
                period["limit"]
                for _, said in told
                for period in said["csChargingProfiles"]["chargingSchedule"][
                    "chargingSchedulePeriod"]
            } == {0}  # fmt: skip
        assert reasons(s) == {"schedule"}
        s.is_safe()


async def test_a_balancer_that_fails_in_a_pause_goes_on_with_it() -> None:
    async with scene(paused(("14:02", "15:00")), strict=False) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await s.until(lambda: rests(s), 180, s.offers_a)
        highest = 0.0
        s.house.tell_balance.send_nowait(object())  # a fact that no balancer knows
        for _ in range(120):
            await trio.sleep(0.5)
            highest = max(highest, *s.offers_a("C1", "C2"))

        assert s.lines("plan failed")
        assert highest == 0
        assert rests(s)


async def test_t2_a_clock_that_is_set_moves_the_pause_at_once_and_nothing_else() -> None:
    async with scene(paused(("20:00", "21:00"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        before = await sessions(s)
        keep_their_clocks(s)
        s.wall.ahead = timedelta(hours=6, minutes=10)  # 20:10 in Amsterdam
        await s.until(lambda: rests(s), 15, s.offers_a)
        s.said("clock set")
        s.wall.ahead = timedelta(days=-1)
        await s.offered(20, 20, within_s=90)
        s.wall.ahead = timedelta(days=365 * 30)
        await trio.sleep(120)

        assert s.offers_a("C1", "C2") == [20, 20]
        assert await sessions(s) == before
        s.is_safe()


async def test_t6_a_clock_that_is_lost_neither_ends_nor_begins_a_pause() -> None:
    async with scene(paused(("14:02", "15:00"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await s.until(lambda: rests(s), 180, s.offers_a)
        keep_their_clocks(s)
        s.wall.ahead = timedelta(days=-365 * 20)
        await trio.sleep(3 * 3600)

        assert rests(s)
        assert "clock" in s.faults()
        s.wall.ahead = timedelta(0)  # a time server answers: it is 17:00
        await s.offered(20, 20, within_s=90)


async def test_t6_a_box_that_starts_without_the_time_keeps_the_pause_it_was_in() -> None:
    async with scene(paused(("14:02", "15:00"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await s.until(lambda: rests(s), 180, s.offers_a)
        await trio.sleep(30)
        s.wall.ahead = timedelta(days=-365 * 20)
        await s.restart()
        await trio.sleep(300)

        assert rests(s)
        assert reasons(s) == {"schedule"}
        assert "clock" in s.faults()


async def test_b4_a_pause_set_now_holds_now_and_one_taken_away_ends_now() -> None:
    async with scene(paused()) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        await reschedule(s, ("14:00", "14:30"))
        await s.until(lambda: rests(s), 15, s.offers_a)
        await reschedule(s)
        await s.offered(20, 20, within_s=90)
        await s.change(time_zone="America/New_York")
        await reschedule(s, ("08:00", "09:00"))
        await s.until(lambda: rests(s), 15, s.offers_a)
        s.is_safe()


async def test_t5_a_night_across_midnight_is_one_pause_without_a_minute_between() -> None:
    async with scene(paused(("22:00", "23:59"), ("00:00", "06:00"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        s.wall.ahead = timedelta(hours=9, minutes=50)  # 23:50
        await s.until(lambda: rests(s), 15, s.offers_a)
        assert (s.house.plan.value.excluded_until_s or 0) > 6 * 3600
        highest = 0.0
        for _ in range(20 * 60):
            await trio.sleep(1)
            highest = max(highest, *s.offers_a("C1", "C2"))
        assert highest == 0


async def test_a_car_that_comes_in_a_pause_begins_a_session_and_waits() -> None:
    async with scene(paused(("14:00", "14:05"))) as s:
        await s.until(lambda: s.house.views["C1"].value.connected, 30)
        s.charge("C1")
        await s.until(lambda: s.offer("C1").session, 60)
        await trio.sleep(60)
        assert s.world.chargers_ma() == (0, 0, 0)
        assert s.offer("C1").reason.code == "schedule"
        await s.offered(32, within_s=300)
        s.is_safe()

"""The box's clock is set while cars charge: no limit moves (trust.md 1, INV-5; 2, T2).

A charger takes its time from its heartbeats' answers, and reckons its schedules on it: one that
was set back in a session would have no limit at all.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import trio
from tools.simulator.scene import Scene, scene, single, site
from tools.world import Make

EASEE = Make(vendor="Easee", model="Charge", phases=1)  # takes Absolute schedules


def ahead_s(s: Scene, charger: str) -> float:
    """How far a charger's clock is ahead of the box's."""
    own = datetime.fromtimestamp(s.world.charger(charger).clock(), UTC)
    return (own - s.wall.utc()) / timedelta(seconds=1)


@pytest.mark.parametrize(
    ("step_s", "make"), [(-3600.0, None), (9.46e8, None), (-3600.0, EASEE), (3600.0, EASEE)]
)
async def test_t2_a_step_of_the_clock_lifts_no_limit_and_stops_no_car(
    step_s: float, make: Make | None
) -> None:
    makes = {"C1": make, "C2": make} if make is not None else None
    async with scene(site(40, single("C1"), single("C2")), makes=makes) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)

        s.wall_off_s = step_s
        for _ in range(150):
            await trio.sleep(1)
            assert max(s.pilots_a("C1", "C2")) <= 20  # the passport's trials may be below it

        await s.offered(20, 20)
        s.is_safe()


async def test_t2_a_step_of_the_clock_before_a_restart_lifts_no_limit() -> None:
    async with scene(site(40, single("C1"), single("C2"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        s.wall_off_s = -3600.0
        await trio.sleep(90)

        await s.restart()
        await trio.sleep(300)

        assert ahead_s(s, "C1") == pytest.approx(3600, abs=2)
        await s.offered(20, 20)
        s.is_safe()


async def test_t2_a_charger_takes_the_new_time_when_its_session_is_over() -> None:
    async with scene(site(40, single("C1"), single("C2"))) as s:
        s.charge("C1", "C2")
        await s.offered(20, 20)
        s.wall_off_s = -3600.0
        await trio.sleep(90)
        assert ahead_s(s, "C1") == pytest.approx(3600, abs=2)

        s.world.charger("C1").unplug()
        await trio.sleep(90)

        assert ahead_s(s, "C1") == pytest.approx(0, abs=2)
        assert ahead_s(s, "C2") == pytest.approx(3600, abs=2)
        s.charge("C1")
        await s.offered(20, 20)
        s.is_safe()


async def test_t2_a_clock_set_back_as_a_session_begins_lifts_no_limit() -> None:
    async with scene(site(40, single("C1"), single("C2"))) as s:
        s.wall_off_s = 3600.0
        await trio.sleep(70)
        s.wall_off_s = 0.0
        s.charge("C1", "C2")
        for name in ("C1", "C2"):
            s.world.charger(name).tell_heartbeat()  # its answer crosses the start

        await s.offered(20, 20)
        assert ahead_s(s, "C1") == pytest.approx(3600, abs=2)
        s.is_safe()

"""Days on which others stumble: 29 February, week 53, 2038, a second too many (trust.md 2, T7)."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import trio
from tests.sim.csms_cases import behind
from tools.simulator.scene import HERE
from tools.world.operator import a_profile

from linkray.model.settings import Exclusion
from linkray.ocpp.lenient import moment

SEEDS_A_DAY = 1


def test_t7_a_leap_second_is_the_second_before() -> None:
    assert moment("2028-12-31T23:59:60Z") == moment("2028-12-31T23:59:59Z")
    assert moment("2028-02-29T12:00:00Z") is not None
    assert moment("2027-02-29T12:00:00Z") is None


EVERY_DAY = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
NIGHTS = ("2028-02-29T23:58:00Z", "2032-12-31T23:58:00Z", "2038-01-19T03:12:00Z")


async def test_t7_a_session_over_a_day_that_others_stumble_over_is_as_any(seed: int) -> None:
    at = datetime.fromisoformat(NIGHTS[seed % len(NIGHTS)])
    async with behind(seed, chargers=1) as case:
        case.s.wall_off_s = (at - case.s.wall.utc()) / timedelta(seconds=1)
        await trio.sleep(70)  # the charger hears the time
        end = at + timedelta(minutes=3)
        pause = Exclusion(EVERY_DAY, f"{end:%H:%M}", f"{end + timedelta(minutes=1):%H:%M}")
        new = msgspec.structs.replace(case.s.store.settings.value, schedule=(pause,))
        await case.s.store.change_settings(new, HERE, "test")
        await case.charging("C1")
        asked = await case.operator().set_profile(a_profile(
            kind="Recurring", recurs="Daily", starts=f"{at:%Y-%m-%dT%H:%M:%SZ}",
            periods=((0, 12.0),)), 1)  # fmt: skip
        assert asked.status == "Accepted"
        await case.s.offered(12.0)
        await case.s.until(lambda: case.s.pilots_a("C1") == [0.0], 200, case.s.wall.stamp)
        assert timedelta(0) <= case.s.wall.utc() - end < timedelta(seconds=30)
        await case.s.offered(12.0, within_s=240)
        await case.ended("C1")

        (kept,) = await case.s.store.recent("C1")
        assert kept.ended is not None
        taken = datetime.fromisoformat(kept.ended) - datetime.fromisoformat(kept.started)
        assert timedelta(minutes=2) < taken < timedelta(minutes=10)

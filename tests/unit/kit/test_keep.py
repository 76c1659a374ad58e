"""What is started again, what rests, and what ends the process (kit/keep.py)."""

from __future__ import annotations

import pytest
import trio

from linkray.kit.keep import REST_S, KeptDown, keep


class Fails:
    """A room that fails as often as it is told to, at once."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.runs: list[float] = []

    async def __call__(self) -> None:
        self.runs.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.left > 0:
            self.left -= 1
            raise ValueError("our mistake")


async def test_what_may_rest_is_left_alone_for_a_minute_and_tried_again():
    room, began = Fails(12), trio.current_time()

    await keep("figures", room, rests=True)

    gaps = [later - earlier for earlier, later in zip(room.runs, room.runs[1:], strict=False)]
    assert [n for n, gap in enumerate(gaps, 1) if gap == REST_S] == [5, 10]
    assert len(room.runs) == 13
    assert trio.current_time() - began < 200


@pytest.mark.parametrize(("vital", "runs"), [(True, 3), (False, 5)])
async def test_what_charging_needs_ends_the_process(vital, runs):
    room = Fails(100)

    with pytest.raises(KeptDown, match=f"balance failed {runs} times"):
        await keep("balance", room, vital=vital)
    assert len(room.runs) == runs


async def test_strict_lets_the_first_mistake_through():
    with pytest.raises(ValueError, match="our mistake"):
        await keep("figures", Fails(1), rests=True, strict=True)

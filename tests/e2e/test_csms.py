"""The simulated CSMS on a real socket, and chargers that no one here wrote on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import trio
from tests.e2e.box import HERE
from tools.world import Csms, Operator

pytestmark = pytest.mark.realtime

IDS = ("FOREIGN-A", "FOREIGN-B")


async def until(holds, what: str, within_s: float = 15.0) -> None:
    with trio.move_on_after(within_s):
        while not holds():  # noqa: ASYNC110  # whatever a scene waits for
            await trio.sleep(0.05)
        return
    raise AssertionError(f"not within {within_s} s: {what}")


async def test_foreign_chargers_find_in_it_a_csms_that_may_be_cut(tmp_path: Path) -> None:
    csms = Csms(path="site-7")
    async with trio.open_nursery() as nursery:
        port = await nursery.start(csms.listen)
        with (tmp_path / "said").open("wb") as said:
            chargers = await trio.lowlevel.open_process(
                [sys.executable, str(HERE / "foreign_chargers.py"), "--phases", "3",
                 *(word for name in IDS for word in ("--id", name)),
                 "--url", f"ws://127.0.0.1:{port}/site-7"],
                stdin=subprocess.PIPE, stdout=said, stderr=said,
            )  # fmt: skip
            try:
                await scene(csms)
            finally:
                chargers.kill()
                await chargers.wait()
        nursery.cancel_scope.cancel()
    assert csms.complaints == []
    for one in csms.book.transactions():
        assert [told.payload["reason"] for told in one.stops] == ["Remote"]
        assert one.start.payload["idTag"] == f"TAG-{one.charger[-1]}"


async def scene(csms: Csms) -> None:
    """Both start by remote, the line is cut and restored, both stop by their own ids."""
    await until(lambda: all(map(csms.is_linked, IDS)), "both are linked")
    for name in IDS:
        assert (await Operator(csms, name).remote_start(f"TAG-{name[-1]}")).status == "Accepted"
        assert (await Operator(csms, name).trigger("MeterValues")).status == "Accepted"
    await until(lambda: all(csms.book.of("MeterValues", name) for name in IDS), "both charge")
    csms.cut()
    await until(lambda: not csms.links, "the line is cut")
    csms.restore()
    await until(lambda: all(map(csms.is_linked, IDS)), "both are back")
    for one in csms.book.transactions():
        boots = csms.book.of("BootNotification", one.charger)
        await until(lambda b=boots: b, "it has booted")
        assert (await Operator(csms, one.charger).remote_stop(one.id)).status == "Accepted"
    await until(lambda: all(one.stops for one in csms.book.transactions()), "both have stopped")
    assert {told.link for told in csms.book.of("StopTransaction")} == {2}

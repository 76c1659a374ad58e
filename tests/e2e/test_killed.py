"""The real process under load is killed, cut off, stopped and left without room; nothing is lost.

The cases of trust.md 2 that are to hold against the real process (K1, P1, P4, P7): chargers and a
CSMS of `tools/world` on real sockets, and the two books held against each other in the end.
"""

from __future__ import annotations

import copy
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest
import trio
from tools.killing import (
    ROOT,
    Control,
    Outcome,
    Plan,
    a_world,
    judged,
    living,
    own_records,
    play,
    settled,
    told_in_the_end,
    visited,
)
from tools.world import World

pytestmark = pytest.mark.realtime

START_CPU_S_MAX = 2.0  # trust.md, P7: back within 2 s of a machine that does nothing else
ROOM = "48m"
SOCKETS = shutil.ignore_patterns("*.sock")


def whole(outcome: Outcome) -> None:
    assert outcome.violations == []
    assert outcome.complaints == []
    assert outcome.tracebacks == 0
    assert outcome.account.starts == outcome.sessions > 0


async def until(holds: Callable[[], object], within_s: float, what: str) -> None:
    with trio.move_on_after(within_s):
        while not holds():  # noqa: ASYNC110  # whatever a scene waits for
            await trio.sleep(0.1)
        return
    raise AssertionError(f"expected within {within_s:g} s that {what}")


async def test_p7_killed_under_load_it_is_back_and_nothing_is_lost(tmp_path: Path) -> None:
    outcome = await play(Plan(times=3, seed=1, chargers=8), tmp_path)

    whole(outcome)
    assert min(outcome.cpu_s) <= START_CPU_S_MAX


async def test_k1_what_32_connectors_report_without_a_line_is_told_in_order_after_a_crash(
    tmp_path: Path,
) -> None:
    plan = Plan(times=2, seed=3, chargers=16, life_s=5.0, early=0.0, is_cut=True)
    outcome = await play(plan, tmp_path)

    whole(outcome)
    assert outcome.sessions >= plan.chargers


async def test_p1_what_lies_on_the_disk_at_any_moment_is_a_whole_box(tmp_path: Path) -> None:
    world, outcome = a_world(Plan(seed=5, chargers=4)), Outcome()
    control = Control(tmp_path / "state", tmp_path / "control.log")
    control.state.mkdir()
    chance = world.own_chance()
    copies = []
    async with living(world, control), visited(world, Plan(), outcome):
        assert control.process is not None
        for number in range(8):
            await trio.sleep(chance.uniform(0.1, 0.8))
            taken = tmp_path / f"copy-{number}"
            os.kill(control.process.pid, signal.SIGSTOP)
            truth = copy.deepcopy(world.reported())
            shutil.copytree(control.state, taken, ignore=SOCKETS)
            os.kill(control.process.pid, signal.SIGCONT)
            copies.append((taken, truth))
    for taken, truth in copies:
        check = apsw.Connection(str(taken / "linkray.db"))
        assert list(check.execute("PRAGMA integrity_check")) == [("ok",)]
        check.close()
        assert await own_records(world, taken, truth) == []
    again = Control(copies[-1][0], tmp_path / "again.log")
    try:
        await again.start()
        await again.is_up()
    finally:
        await again.kill()


@contextmanager
def narrow(folder: Path) -> Iterator[tuple[Path, Path, tuple[str, ...]]]:
    """A small file system in a mount namespace of its own: its folder as it is named in there, the
    same as it is seen from here, and the command that starts a process in there.
    """
    folder.mkdir()
    held = subprocess.Popen(
        ["unshare", "--map-root-user", "--mount", "sh", "-c",
         f'mount -t tmpfs -o size={ROOM} none "$1" && echo ready && exec sleep 600', "sh", folder],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n", "no namespace of its own may be made here"
        enters = ("nsenter", "--target", str(held.pid), "--user", "--mount",
                  "--preserve-credentials", f"--wd={ROOT}")  # fmt: skip
        yield folder, Path(f"/proc/{held.pid}/root{folder}"), enters
    finally:
        held.kill()
        held.wait()
        if held.stdout is not None:
            held.stdout.close()


def fill(folder: Path) -> Path:
    """A file that takes all the room that is left."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as out:
        size = 1 << 20
        while size:
            try:
                out.write(b"\0" * size)
            except OSError:
                size //= 2
    return filler


async def test_p4_on_a_full_disk_sessions_begin_and_end_and_nothing_of_them_is_lost(
    tmp_path: Path,
) -> None:
    world, outcome = a_world(Plan(seed=4, chargers=4)), Outcome()
    with narrow(tmp_path / "state") as (state, seen, enters):
        control = Control(state, tmp_path / "control.log", before=enters)
        async with living(world, control):
            async with visited(world, Plan(is_cut=True), outcome):
                await until(lambda: world.sessions_now() > 1, 20, "cars charge")
                filler = fill(seen)
                before = sum(charger.sessions for charger in world.chargers.values())
                await until(lambda: "disk full" in control.noise.read_text(), 30, "it is noticed")
                await until(lambda: answered(world) > before + 4, 30, "sessions begin and end")
                await control.kill()
                await control.start()
                await control.is_up()
                await until(lambda: answered(world) > before + 8, 30, "and after a restart")
            filler.unlink()
            await settled(world, control, outcome)
            outcome.account = judged(world)
            await control.end()
            control.state = shutil.copytree(seen, tmp_path / "kept", ignore=SOCKETS)
            await told_in_the_end(world, control, outcome)
    whole(outcome)


def answered(world: World) -> int:
    """Stops that were answered to their chargers."""
    sessions = [one for truth in world.reported() for one in truth.sessions]
    return sum(one.stop is not None and bool(one.stop.answered) for one in sessions)

"""`tools/kill9`: the real control process dies by SIGKILL under load, and nothing is lost.

Chargers with sessions that come and go, the real process in the middle, a CSMS behind it whose line
is cut, which is slow, loses answers or breaks links. At a random moment, also while it still comes
up, the process is killed and started again at once, on the same state and ports. In the end what
the chargers truly had to report is held against the CSMS's book and against LinkRay's own records
(INV-13, INV-14). Processes and sockets are real: a seed names the chance, it repeats no run.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import trio

from linkray.kit.clock import WallClock
from linkray.store.db import FILE, Store
from linkray.store.runner import InThread
from tools.bench_parts.process import cpu_s
from tools.simulator.conservation import ORDERED, Account, conserve, recorded
from tools.simulator.events import Violation
from tools.simulator.report import commit as the_commit
from tools.simulator.report import ranked
from tools.world import Car, Charger, Csms, Make, World
from tools.world.links import socket_dial
from tools.world.reported import Reported

ROOT = Path(__file__).parents[1]
BOARD = ROOT / "board" / "sim" / "board.toml"
LEDGER = ROOT / "tests" / "e2e" / "LEDGER.md"
LOOPBACK = "127.0.0.1"
STEP_S = 0.1  # of the world: how finely its moments fall
REDIAL_S, REDIAL_MAX_S = 0.2, 0.8  # lively chargers: more happens between two kills
COMES_UP_S = 60.0  # what a busy machine may need
SETTLES_S = 180.0  # until all that was kept is said: the next attempt comes within 75 s
SHOWN = 5
TAGS = ("TAG-1", "TAG-2", "TAG-3", "TAG-4", "TAG-5")


@dataclass
class Plan:
    """What is to be played."""

    times: int = 100
    seed: int = 1
    chargers: int = 6
    life_s: float = 4.0  # a process lives so long after it is up, at most
    early: float = 0.15  # the share of kills that come before it is up
    is_cut: bool = False  # all the time, to the end: nothing else is wrong with the CSMS


@dataclass
class Control:
    """LinkRay's control process on a state folder: killed, and started again on its ports."""

    state: Path
    noise: Path
    ports: dict[str, int] = field(default_factory=dict)
    before: tuple[str, ...] = ()  # the command that starts it where it is to live
    starts: int = 0
    process: trio.Process | None = None

    async def start(self) -> None:
        words = [
            *self.before, sys.executable, "-m", "linkray", "run", "--board", str(BOARD), "--state",
            str(self.state), "--bind", LOOPBACK, "--ocpp-port", str(self.ports.get("ocpp", 0)),
            "--ocpps-port", str(self.ports.get("ocpps", 0)),
        ]  # fmt: skip
        with self.noise.open("ab") as noise:
            self.process = await trio.lowlevel.open_process(
                words, stdout=subprocess.PIPE, stderr=noise, cwd=ROOT, process_group=0
            )
        self.starts += 1

    async def is_up(self) -> None:
        """Until its ready line: the first plan is made, its doors are open."""
        process, line = self.process, b""
        assert process is not None
        assert process.stdout is not None
        with trio.move_on_after(COMES_UP_S):
            while not line.endswith(b"\n"):
                more = await process.stdout.receive_some()
                if not more:
                    break
                line += bytes(more)
        if not line.endswith(b"\n"):
            said = "\n".join(self.noise.read_text(errors="replace").splitlines()[-20:])
            raise RuntimeError(f"start {self.starts}: no ready line; it said last:\n{said}")
        self.ports = {name: port for name, port in json.loads(line).items() if name != "ready"}

    async def kill(self) -> None:
        """SIGKILL, and no process is left."""
        if self.process is not None:
            self.process.kill()
            await self._gone()

    async def end(self) -> int:
        """SIGTERM, as a service is stopped; its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self._gone()

    async def _gone(self) -> int:
        assert self.process is not None
        code = await self.process.wait()
        if self.process.stdout is not None:
            await self.process.stdout.aclose()
        return code


@dataclass
class Outcome:
    """What came of a run."""

    kills: int = 0
    early: int = 0  # of them before it was up
    violations: list[Violation] = field(default_factory=list)
    account: Account = field(default_factory=Account)
    sessions: int = 0
    messages: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    back_s: list[float] = field(default_factory=list)  # from SIGKILL to the ready line
    cpu_s: list[float] = field(default_factory=list)  # that the start cost
    complaints: list[str] = field(default_factory=list)
    tracebacks: int = 0
    seconds: float = 0.0

    def count(self, kind: str) -> int:
        return sum(kind_of(one) == kind for one in self.violations)

    @property
    def is_whole(self) -> bool:
        return not (self.violations or self.complaints or self.tracebacks)

    def row(self) -> dict[str, Any]:
        return {
            "kills": self.kills, "early": self.early, "sessions": self.sessions,
            "messages": self.messages, "starts": self.account.starts, "stops": self.account.stops,
            "repeats": self.account.repeats, "troubles": dict(sorted(self.troubles.items())),
            "lost": self.count("lost"), "out_of_order": self.count("out of order"),
            "wrong_ids": self.count("wrong id"), "otherwise_wrong": self.count("otherwise wrong"),
            "complaints": len(self.complaints), "tracebacks": self.tracebacks,
            "back_s_p50": _hundredths(ranked(self.back_s, 0.5)),
            "back_s_p99": _hundredths(ranked(self.back_s, 0.99)),
            "back_s_max": _hundredths(max(self.back_s, default=None)),
            "start_cpu_s_p50": _hundredths(ranked(self.cpu_s, 0.5)),
            "seconds": round(self.seconds),
        }  # fmt: skip


def kind_of(one: Violation) -> str:
    """In which of the ledger's columns a violation counts."""
    what = str(one.state.get("what", ""))
    if one.invariant == ORDERED:
        return "out of order"
    if "lost" in what or "not in its record" in what or what.startswith("0 records"):
        return "lost"
    return "wrong id" if " id" in what or "of another" in what else "otherwise wrong"


def _hundredths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)


# -- the site --------------------------------------------------------------------------------------


def makes(chance: random.Random) -> Make:
    """One of the ways in which chargers differ here."""
    return Make(
        boots_on_reconnect=chance.random() < 0.5, redial_s=REDIAL_S, redial_max_s=REDIAL_MAX_S,
        connectors=chance.choice((1, 1, 2)),
    )  # fmt: skip


def a_world(plan: Plan) -> World:
    """Chargers, whose books are kept, and a CSMS."""
    world = World(plan.seed, utc=datetime.now(UTC), step_s=STEP_S, limit_ma=(400_000,) * 3)
    chance = world.own_chance()
    for number in range(plan.chargers):
        world.add_charger(f"KILL-{number + 1}", make=makes(chance))
    world.keep_books()
    world.add_csms(path="site")
    return world


def settings_of(world: World, csms_port: int) -> dict[str, object]:
    return {
        "version": 1,
        "site": {"limit_ma": list(world.limit_ma), "measurand_interval_s": 5},
        "chargers": [
            {"id": name, "phases": 3, "connection": "L1-L2-L3"} for name in world.chargers
        ],
        "csms": {"url": f"ws://{LOOPBACK}:{csms_port}/site"},
    }


async def guests(charger: Charger, connector: int, chance: random.Random) -> None:
    """Cars come to a connector and go after some seconds; their people hold the tag to the reader
    until it charges, and some once more before they leave.
    """
    at = charger.connector(connector)
    while True:
        await trio.sleep(chance.uniform(0.1, 3.0))
        tag = chance.choice(TAGS)
        charger.plug(Car(), connector)
        leaves_at = trio.current_time() + chance.uniform(0.5, 12.0)
        while trio.current_time() < leaves_at:
            if at.transaction is None and charger.is_connected:
                charger.present_tag(tag, connector)
            await trio.sleep(chance.uniform(0.3, 1.0))
        if chance.random() < 0.3 and at.transaction is not None:
            charger.present_tag(at.transaction.tag, connector)
            await trio.sleep(chance.uniform(0.0, 1.0))
        charger.unplug(connector)


async def trouble(csms: Csms, chance: random.Random, played: Counter[str]) -> None:
    """The CSMS is well, and then something is wrong with it, again and again."""
    while True:
        await trio.sleep(chance.uniform(0.5, 6.0))
        what = chance.choice(("cut", "cut", "drop", "slow", "mute", "lose", "change", "error"))
        played[what] += 1
        if what == "cut":
            csms.cut()
            await trio.sleep(chance.uniform(0.5, 25.0))
            csms.restore()
        elif what == "drop":
            csms.drop()
        elif what == "slow":
            csms.answer_after(chance.uniform(0.1, 3.0))
        elif what == "mute":
            csms.stop_answering()
        elif what == "error":
            csms.answer_error("StopTransaction", times=1)
        else:  # its start is stored, its answer is lost; the next may bear another number
            csms.lose_answers("StartTransaction", times=chance.randint(1, 3))
        if what == "change":
            csms.change_ids()
        await trio.sleep(chance.uniform(0.5, 5.0))
        csms.obey()
        csms.answer_again()


async def killed(control: Control, plan: Plan, chance: random.Random, outcome: Outcome) -> None:
    """All the kills but the one that follows; after the last it is up again."""
    while outcome.kills < plan.times - 1:
        await trio.sleep(chance.uniform(0.0, plan.life_s))
        began = trio.current_time()
        await control.kill()
        outcome.kills += 1
        await control.start()
        while chance.random() < plan.early and outcome.kills < plan.times - 1:
            await trio.sleep(chance.uniform(0.0, 2.0))  # wherever in its start
            began = trio.current_time()
            await control.kill()
            outcome.kills += 1
            outcome.early += 1
            await control.start()
        await control.is_up()
        outcome.back_s.append(trio.current_time() - began)
        assert control.process is not None
        outcome.cpu_s.append(cpu_s(control.process.pid))


async def settled(world: World, control: Control, outcome: Outcome) -> None:
    """Everybody leaves, the CSMS is well, one more kill: then all that was kept is said."""
    csms = world.csms
    assert csms is not None
    csms.obey()
    csms.answer_again()
    if csms.is_cut:
        csms.restore()
    for charger in world.chargers.values():
        for at in charger.connectors:
            if at.car is not None:
                charger.unplug(at.number)
    await control.kill()
    outcome.kills += 1
    await control.start()
    await control.is_up()
    with trio.move_on_after(SETTLES_S):
        while not _is_told(world):  # noqa: ASYNC110  # two books and every charger
            await trio.sleep(0.5)
    await trio.sleep(1.0)  # what would come too often comes now


def _is_told(world: World) -> bool:
    return all(map(_is_silent, world.chargers.values())) and not judged(world).violations


def _is_silent(charger: Charger) -> bool:
    """It is booted, and all that it had to report is answered."""
    kept = ("StartTransaction", "MeterValues", "StopTransaction")
    return charger.is_booted and charger.is_connected and not any(map(charger.wire.pending, kept))


def judged(world: World) -> Account:
    assert world.csms is not None
    return conserve(world.reported(), world.csms.book, seed=world.seed, now=trio.current_time())


async def own_records(
    world: World, state: Path, reported: list[Reported] | None = None
) -> list[Violation]:
    """LinkRay's own records against the truth (of now, unless told), of a process that has ended or
    of a copy of what it kept.
    """
    store = await Store.open(state / FILE, InThread(), WallClock())
    try:
        kept = [one for name in world.chargers for one in await store.recent(name, 1_000_000)]
    finally:
        await store.close()
    # what its charger was told to call it is what is compared; an orphan is of connector 0
    named = [msgspec.structs.replace(one, id=one.at_charger or one.id) for one in kept]
    truth = world.reported() if reported is None else reported
    return recorded(truth, named, seed=world.seed, now=trio.current_time())


async def play(plan: Plan, folder: Path) -> Outcome:
    """One run, from an empty state folder to the last word of the CSMS's book."""
    began = time.monotonic()
    world, outcome = a_world(plan), Outcome()
    control = Control(folder / "state", folder / "control.log")
    control.state.mkdir()
    async with living(world, control):
        async with visited(world, plan, outcome):
            await killed(control, plan, world.own_chance(), outcome)
        await settled(world, control, outcome)
        outcome.account = judged(world)
        await control.end()
    await told_in_the_end(world, control, outcome)
    outcome.seconds = time.monotonic() - began
    return outcome


@asynccontextmanager
async def living(world: World, control: Control) -> AsyncIterator[None]:
    """The CSMS listens, control is set up and up, the chargers dial it; after it all have ended."""
    assert world.csms is not None
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(world.csms.listen)
        await _set_up(control, settings_of(world, port))
        try:
            await control.start()
            await control.is_up()
            dial = socket_dial(LOOPBACK, control.ports["ocpp"])
            nursery.start_soon(functools.partial(world.run, dial, spread_s=1.0))
            with trio.fail_after(COMES_UP_S):
                while not all(c.profiles_told for c in world.chargers.values()):  # noqa: ASYNC110
                    await trio.sleep(0.2)  # until they are known: how many connectors they have
            yield
        finally:
            with trio.CancelScope(shield=True), suppress(ProcessLookupError):
                await control.kill()
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def visited(world: World, plan: Plan, outcome: Outcome) -> AsyncIterator[None]:
    """Cars come and go, and the CSMS has its troubles."""
    assert world.csms is not None
    async with trio.open_nursery() as nursery:
        for charger in world.chargers.values():
            for at in charger.connectors:
                nursery.start_soon(guests, charger, at.number, world.own_chance())
        if plan.is_cut:
            world.csms.cut()
        else:
            nursery.start_soon(trouble, world.csms, world.own_chance(), outcome.troubles)
        yield
        nursery.cancel_scope.cancel()


async def told_in_the_end(world: World, control: Control, outcome: Outcome) -> None:
    """Both books, LinkRay's own records, and what was complained of."""
    assert world.csms is not None
    records = await own_records(world, control.state)
    outcome.violations = [*outcome.account.violations, *records]
    outcome.sessions = sum(charger.sessions for charger in world.chargers.values())
    outcome.messages = sum(map(len, world.csms.book.told.values()))
    outcome.complaints = world.complaints + world.csms.complaints
    outcome.tracebacks = control.noise.read_text(errors="replace").count("Traceback")


async def _set_up(control: Control, settings: dict[str, object]) -> None:
    await trio.run_process(
        [*control.before, sys.executable, "-m", "linkray", "settings", "import", "-", "--state",
         str(control.state)],
        stdin=json.dumps(settings).encode(), capture_stdout=True, cwd=ROOT,
    )  # fmt: skip


# -- the command -----------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """0: nothing was lost, made up, mixed up or out of order; 1: something was; 2: usage."""
    args = parser().parse_args(argv)
    plan = Plan(args.times, args.seed, args.chargers, args.life)
    if plan.times < 1 or plan.chargers < 1 or not 0 < plan.life_s < math.inf:
        print("tools/kill9: expected 1 kill or more, 1 charger or more and a life of more than "
              f"0 s, got {plan.times}, {plan.chargers} and {plan.life_s:g}",
              file=sys.stderr)  # fmt: skip
        return 2
    with tempfile.TemporaryDirectory(prefix="linkray-kill9-") as folder:
        outcome = trio.run(play, plan, Path(folder))
        if not outcome.is_whole and args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            said = (Path(folder) / "control.log").read_bytes()
            (args.keep / f"{plan.seed}.log").write_bytes(said)
    row = {"seed": plan.seed, "chargers": plan.chargers, **outcome.row()}
    shown = [{"at": round(one.time, 1), "invariant": one.invariant, **one.state}
             for one in outcome.violations[:SHOWN]]  # fmt: skip
    print(json.dumps({**row, "shown": shown, "said_wrongly": outcome.complaints[:SHOWN]},
                     default=str))  # fmt: skip
    if args.ledger:
        _enter(args.ledger, row, is_whole=outcome.is_whole)
    return 0 if outcome.is_whole else 1


def _enter(ledger: Path, row: dict[str, Any], *, is_whole: bool) -> None:
    """A row with the day's date and the commit; a run that is not in it was not run."""
    of_row = ("seed", "chargers", "kills", "early", "sessions", "messages", "repeats", "lost",
              "out_of_order", "wrong_ids", "otherwise_wrong", "back_s_p50", "back_s_p99",
              "back_s_max", "start_cpu_s_p50")  # fmt: skip
    told = (datetime.now(UTC).date(), the_commit(but=LEDGER) or "unknown",
            *(row[name] for name in of_row), "whole" if is_whole else "not whole")  # fmt: skip
    with ledger.open("a") as out:
        out.write(f"| {' | '.join(map(str, told))} |\n")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tools/kill9", description=__doc__)
    top.add_argument("--times", type=int, default=100, metavar="N", help="so many kills")
    top.add_argument("--seed", type=int, default=1, metavar="N", help="of its chance")
    top.add_argument("--chargers", type=int, default=6, metavar="N", help="with sessions")
    top.add_argument("--life", type=float, default=4.0, metavar="SECONDS",
                     help="how long it lives between two kills, at most")  # fmt: skip
    top.add_argument("--keep", type=Path, default=None, metavar="FOLDER",
                     help="the log of a run in which something was wrong")  # fmt: skip
    top.add_argument("--ledger", type=Path, default=None, nargs="?", const=LEDGER, metavar="FILE",
                     help="add a row to the ledger")  # fmt: skip
    return top


if __name__ == "__main__":
    sys.exit(main())

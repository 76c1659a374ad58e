"""`tools/powercut`: the power is cut at every step of a busy day, and the real store opens again.

A day (`tools/busy_day.py`) is written by the real store to a disk that keeps every step. For each
step and each loss the disk becomes what a cut before that step leaves; the store opens it. All that
was answered until then must be there, nothing that was never asked for, and no number comes twice.
Every so often the power goes again: while the store opens, or at what it writes next.
"""

from __future__ import annotations

import argparse
import functools
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import structlog
import trio

from linkray.kit.clock import WallClock
from linkray.model.records import TransactionBegan
from linkray.store.ceiling import Ceiling
from linkray.store.db import FILE, Store, StoreError
from linkray.store.runner import Inline
from tools.busy_day import BEGINS, FOLDER, MAKE, Answered, Day, Kept
from tools.simulator.report import commit as the_commit
from tools.world.disk import LOSSES, Disk, Loss, Platter, Step

LEDGER = Path(__file__).parents[1] / "tests" / "unit" / "store" / "LEDGER.md"
SECOND_CUT = 1 / 8  # how often the power goes again before the first cut is over
CHANGES = frozenset({"sync", "sync-folder", "lost"})  # the steps that change what is safe
WRONG_SHOWN = 20
PIECES = 8  # of a worker's share: so often it says how far it is


class Cuts(msgspec.Struct):
    """What came of some cuts. `opened`: databases; a cut that leaves the same as another is one."""

    points: int = 0
    cuts: int = 0
    opened: int = 0
    second_cuts: int = 0
    wrong: list[str] = []

    def add(self, other: Cuts) -> None:
        self.points += other.points
        self.cuts += other.cuts
        self.opened += other.opened
        self.second_cuts += other.second_cuts
        self.wrong += other.wrong


class Row(msgspec.Struct):
    """A transaction in the database."""

    id: int
    charger: str
    connector: int
    tag: str
    started: str
    given: str
    meter_start_wh: int
    meter_last_wh: int | None
    ended: str | None
    reason: str | None
    finished: int


def cut_everywhere(day: Day, seed: int, points: range | None = None) -> Cuts:
    """Cut before each of the day's steps, or of those in `points`, under every loss."""
    return trio.run(_cut_everywhere, day, seed, points)


async def _cut_everywhere(day: Day, seed: int, points: range | None) -> Cuts:
    steps, found = day.disk.steps, Cuts()
    wanted = range(len(steps) + 1) if points is None else points
    platter, answered, answers = Platter(Disk()), Answered(), iter(day.answers)
    at, answer = next(answers, (len(steps) + 1, None))
    for cut in range(max(wanted, default=-1) + 1):
        while at <= cut and answer is not None:
            answer(answered)
            at, answer = next(answers, (len(steps) + 1, None))
        if cut in wanted:
            found.points += 1
            for loss in LOSSES:
                found.cuts += 1
                if cut + 1 not in wanted or not is_same_next(platter, steps[cut:], loss):
                    chance = random.Random(f"{seed} {cut} {loss}")
                    found.add(await _cut(platter, loss, chance, answered, day, f"{cut} {loss}"))
        if cut < len(steps):
            platter.take(steps[cut])
    return found


def is_same_next(platter: Platter, steps: list[Step], loss: Loss) -> bool:
    """Whether a cut after the first of the steps leaves the same disk: it may be judged there."""
    if not steps:
        return False
    if loss == "unsynced lost":
        return steps[0][0] not in CHANGES
    return platter.is_calm if loss != "all kept" else steps[0][0] in {"sync", "sync-folder"}


async def _cut(
    platter: Platter, loss: Loss, chance: random.Random, answered: Answered, day: Day, where: str
) -> Cuts:
    """One cut, and perhaps one more after it."""
    disk = platter.after_cut(loss, chance)
    begins = Platter(disk) if chance.random() < SECOND_CUT else None
    with disk.plugged():
        wrong, began, at = await look(disk, answered, day.asked)
    found = Cuts(opened=1, wrong=[f"{where}: {words}" for words in wrong])
    if wrong or begins is None:
        return found
    cut = chance.randrange(len(disk.steps) + 1)
    for step in disk.steps[:cut]:
        begins.take(step)
    again = begins.after_cut(chance.choice(LOSSES), chance)
    if began is not None and at <= cut:
        answered.transactions[began.id] = Kept(began)
    asked = day.asked if began is None else {**day.asked, began.id: began}
    with again.plugged():
        wrong, _began, _at = await look(again, answered, asked)
    if began is not None:
        answered.transactions.pop(began.id, None)
    found.opened, found.second_cuts = 2, 1
    found.wrong = [f"{where}, again {cut}: {words}" for words in wrong]
    return found


async def look(
    disk: Disk, answered: Answered, asked: dict[int, TransactionBegan]
) -> tuple[list[str], TransactionBegan | None, int]:
    """What is wrong on a disk after a cut; a transaction begun on it, and at which step."""
    try:
        store = await Store.open(FOLDER / FILE, Inline(), WallClock(lambda: BEGINS), disk)
    except StoreError as error:
        return [f"does not open: {error}"], None, 0
    try:
        wrong = [*_unwhole(store), *await _missing(store, disk, answered, asked)]
        number = store.take_transaction_id()
        if number in answered.transactions:
            wrong.append(f"number {number} comes twice")
        began = TransactionBegan(number, "DBT9", 1, "NEXT", 0, "2026-11-22T00:00:00.000Z", "")
        await store.commit([began])
        return wrong, began, len(disk.steps)
    except StoreError as error:
        return [f"does not go on: {error}"], None, 0
    finally:
        store._disk.abandon()  # noqa: SLF001  # as a process that ends without a word


def _unwhole(store: Store) -> Iterator[str]:
    if store.trouble.value is not None:
        yield f"trouble: {store.trouble.value}"
    found = str(store._disk._one("PRAGMA integrity_check(1)")[0])  # noqa: SLF001
    if found != "ok":
        yield f"not whole: {found}"


async def _missing(
    store: Store, disk: Disk, answered: Answered, asked: dict[int, TransactionBegan]
) -> list[str]:
    """What was answered and is not there, and what is there that nobody asked for."""
    db = store._disk._db  # noqa: SLF001  # the rows themselves: not what the store makes of them
    columns = ", ".join(Row.__struct_fields__)
    whole = f"SELECT {columns} FROM transactions WHERE incomplete = 0"  # noqa: S608  # ours
    kept = {int(str(row[0])): Row(*row) for row in db.execute(whole)}
    orphans = {int(str(row[0])) for row in db.execute(
        "SELECT stop_of FROM transactions WHERE incomplete = 1")}  # fmt: skip
    wrong = [
        f"transaction {number} was never asked for as it is" for number, row in kept.items()
        if number not in asked or _as_it_began(row) != _as_it_began(asked[number])
    ]  # fmt: skip
    wrong += [
        f"transaction {number}: {words}" for number, one in answered.transactions.items()
        if (words := _lost_of(kept.get(number), one))
    ]  # fmt: skip
    wrong += [f"unknown stop {number} is lost" for number in answered.orphans - orphans]
    wrong += await _missing_else(store, disk, answered)
    return wrong


def _as_it_began(one: Row | TransactionBegan) -> tuple[object, ...]:
    return one.charger, one.connector, one.tag, one.started, one.given, one.meter_start_wh


def _lost_of(row: Row | None, one: Kept) -> str:
    """What is lost of a transaction; a newer register than the answered one is as good."""
    if row is None:
        return "its start is lost"
    if one.register_wh is not None and (row.meter_last_wh or 0) < one.register_wh:
        return f"its register {one.register_wh} is lost, got {row.meter_last_wh}"
    if one.ended is None:
        return ""
    if not row.finished or (row.ended, row.reason) != (one.ended.ended, one.ended.reason):
        return "its stop is lost"
    stops_with = one.ended.meter_stop_wh
    if stops_with is not None and row.meter_last_wh != stops_with:
        return f"it stopped with {stops_with}, got {row.meter_last_wh}"
    return ""


async def _missing_else(store: Store, disk: Disk, answered: Answered) -> list[str]:
    wrong: list[str] = []
    newest = max(answered.settings, default=0)
    if store.revision < newest:
        wrong.append(f"settings of revision {newest} are lost, got {store.revision}")
    elif newest and store.revision == newest and store.settings.value != answered.settings[newest]:
        wrong.append(f"settings of revision {newest} are not as they were")
    if await store.audit_broken_at() is not None:
        wrong.append("the audit log's chain is broken")
    lines = await store.audit_lines(10**6)
    if len(lines) < answered.audit_lines:
        wrong.append(f"{answered.audit_lines - len(lines)} audit lines are lost")
    wrong += [
        f"{name} {count} is lost" for name, count in answered.facts.items()
        if int(store.recall(name) or 0) < count
    ]  # fmt: skip
    seen = {one.charger: one.writes for one in await store.seen()}
    wrong += [f"{who} is lost" for who, n in answered.seen.items() if seen.get(who, 0) < n]
    found = {
        f.about: int(f.measured) for p in await store.passports() if p.make == MAKE
        for f in p.findings
    }  # fmt: skip
    wrong += [f"finding of {who} is lost" for who, n in answered.findings.items()
              if found.get(who, 0) < n]  # fmt: skip
    limit = Ceiling(store, FOLDER, Inline(), disk.write).limit.value
    if answered.seal_ma and (limit is None or limit.l1 < answered.seal_ma):
        wrong.append(f"the seal of {answered.seal_ma} mA is lost, got {limit}")
    return wrong


# -- the command -----------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 where nothing was lost, 1 where something was, 2 where nothing ran."""
    args = parser().parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if args.workers < 1 or not 0 < args.hours <= 24 or args.chargers < 1:
        print("tools/powercut: expected 1 worker or more, 1 charger or more, more than 0 and at "
              f"most 24 hours, got {args.workers}, {args.chargers} and {args.hours:g}",
              file=sys.stderr)  # fmt: skip
        return 2
    began = time.monotonic()
    steps = len(_day(args.seed, args.chargers, args.hours).disk.steps)
    points = range(max(0, args.first), min(steps, args.last or steps) + 1)
    found = Cuts()
    shares = _shares(points, args)
    with multiprocessing.get_context("spawn").Pool(args.workers) as pool:
        for done in pool.imap_unordered(_share, [(vars(args), share) for share in shares]):
            found.add(done)
            print(f"{found.points} of {len(points)} points, {len(found.wrong)} wrong",
                  file=sys.stderr)  # fmt: skip
    row = {
        "seed": args.seed, "hours": args.hours, "chargers": args.chargers, "steps": steps,
        "points": found.points, "losses": len(LOSSES), "cuts": found.cuts,
        "opened": found.opened, "second_cuts": found.second_cuts, "wrong": len(found.wrong),
        "seconds": round(time.monotonic() - began),
    }  # fmt: skip
    print(json.dumps({**row, "shown": found.wrong[:WRONG_SHOWN]}))
    if args.ledger:
        _enter(args.ledger, row)
    return 1 if found.wrong else 0


def _shares(points: range, args: argparse.Namespace) -> list[range]:
    """Neighbours stay together: what leaves the same disk is judged once."""
    size = -(-len(points) // (args.workers * PIECES))
    return [points[at : at + size] for at in range(0, len(points), size)]


@functools.cache
def _day(seed: int, chargers: int, hours: float) -> Day:
    return Day(seed, chargers).record(hours)


def _share(job: tuple[dict[str, object], range]) -> Cuts:
    words, points = job
    args = argparse.Namespace(**words)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    return cut_everywhere(_day(args.seed, args.chargers, args.hours), args.seed, points)


def _enter(ledger: Path, row: dict[str, object]) -> None:
    """A row with the day's date and the commit; a run that is not in it was not run."""
    commit = the_commit(but=LEDGER) or "unknown"
    result = "whole" if not row["wrong"] else f"{row['wrong']} wrong"
    of_row = ("seed", "hours", "chargers", "steps", "points", "cuts", "opened", "second_cuts")
    told = (datetime.now(UTC).date(), commit, *(row[name] for name in of_row), result)
    with ledger.open("a") as out:
        out.write(f"| {' | '.join(map(str, told))} |\n")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tools/powercut", description=__doc__)
    top.add_argument("--seed", type=int, default=1, metavar="N", help="all of its chance")
    top.add_argument("--hours", type=float, default=24.0, metavar="H", help="of the day")
    top.add_argument("--chargers", type=int, default=6, metavar="N", help="that charge that day")
    top.add_argument("--from", dest="first", type=int, default=0, metavar="STEP",
                     help="the first step to cut before")  # fmt: skip
    top.add_argument("--to", dest="last", type=int, default=None, metavar="STEP", help="the last")
    top.add_argument("--workers", type=int, default=1, metavar="N", help="processes at once")
    top.add_argument("--ledger", type=Path, default=None, nargs="?", const=LEDGER, metavar="FILE",
                     help="add a row to the ledger")  # fmt: skip
    return top


if __name__ == "__main__":
    sys.exit(main())

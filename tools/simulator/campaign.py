"""Fresh seeds over all sites for so many site-hours; the ledger has a row for each site.

A run is done when its report is there; what is done is in the ledger within a run's time, so that
a campaign may be stopped at any moment. The next one goes on with seeds that no row names.

The mix: a small site is played long and with many seeds, a large one short (`HOURS`) and with fewer
(`SHARE`), so that an hour of two cores goes as far as it can: most site-hours are those of `home`,
most of the time goes to the large ones. Of the sets of faults (`mix`) every second seed has all at
once, the others in turn none and each set by itself, so that after 18 seeds a site has met all of
them.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.simulator.faults import TROUBLES
from tools.simulator.report import LEDGER, Report, commit, told
from tools.simulator.run import simulate
from tools.world.site import SITES

HOURS = {  # of one run: small sites long, large ones short, and yet over several turns of 15 min
    "home": 24.0, "office8": 1.5, "us_split": 1.5, "us_208": 1.5, "flats63": 1.5, "depot": 1.5,
    "carpark32": 1.25, "dc50": 1.25, "nested200": 0.6,
}  # fmt: skip
SHARE = {"carpark32": 0.4, "dc50": 0.4, "nested200": 0.25}  # of the seeds that other sites have
MIX = "mix"
BY_TURNS = ("none", *sorted({trouble.set for trouble in TROUBLES}))
HOURS_ELSE = 1.0
NICE = 10
FIRST_SEED = 10_000  # below: those of the everyday tests
HEAD = """# Campaigns of the simulator

`tools/simulate --campaign HOURS` adds a row for each site: the real firmware on virtual time, with
the seeds and faults named. A row is repeated by `tools/simulate SITE --seed N --hours H --faults
SET` on its commit (+: the tree differed from it in more than this file); `mix`: each seed has the
set whose turn it is, and is repeated with `--faults mix`. Fuse: nearest that a virtual fuse came
to opening, in percent, with lawful devices; in brackets also while one did what none may (it may
pass 90 then, and must not open). Changes: offers changed per charger and hour of session.

| date | commit | site | faults | seeds | hours each | site-hours | violations | fuse % | \
reaction p99 s | energy | changes | result |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


@dataclass
class Row:
    """What is known of one site in this campaign."""

    site: str
    faults: str
    first: int
    each: float
    reports: list[Report]

    def line(self) -> str:
        """As the ledger has it."""
        done = self.reports
        bad = sum(len(r.violations) for r in done)
        again = [r for r in done if r.violations]
        late = [r.reaction_s_p99 for r in done if r.reaction_s_p99 is not None]
        best = sum(r.energy_best_wh for r in done)
        hours = sum(r.session_hours for r in done)
        cells = (
            datetime.now(UTC).date().isoformat(), done[0].commit or "?", self.site, self.faults,
            f"{self.first}–{max(r.seed for r in done)}", f"{self.each:g}",
            f"{sum(r.hours for r in done):g}", str(bad),
            _fuse(done), f"{max(late):g}" if late else "–",
            f"{sum(r.energy_wh for r in done) / best:.3f}" if best else "–",
            f"{sum(r.changes for r in done) / hours:.1f}" if hours else "–",
            "held" if bad == 0 else f"BROKEN: seeds {_seeds(done)}; `{_again(again[0])}`",
        )  # fmt: skip
        return f"| {' | '.join(cells)} |\n"


def _fuse(done: list[Report]) -> str:
    lawful, most = (max(r.fuse_percent_lawful for r in done), max(r.fuse_percent_max for r in done))
    return f"{lawful:g} ({most:g})"


def _seeds(done: list[Report]) -> str:
    broken = [str(r.seed) for r in done if r.violations]
    return ", ".join(broken[:10]) + (", …" if len(broken) > 10 else "")


def _again(report: Report) -> str:
    """What plays it once more."""
    return _words(report.site, report.seed, report.hours, report.faults)


def _words(site: str, seed: int, hours: float, faults: str) -> str:
    return f"tools/simulate {site} --seed {seed} --hours {hours:g} --faults {faults}"


def faults_of(seed: int, faults: str) -> str:
    """The set of a seed: the one told, or of `mix` the one whose turn it is."""
    if faults != MIX:
        return faults
    turn, is_odd = divmod(seed, 2)
    return BY_TURNS[turn % len(BY_TURNS)] if is_odd else "all"


def seeds_used(ledger: Path) -> int:
    """The highest seed that a row names; one less than the first that may be fresh."""
    text = ledger.read_text(encoding="utf-8") if ledger.exists() else ""
    named = [int(last) for last in re.findall(r"\| \d+–(\d+) \|", text)]
    return max(named, default=FIRST_SEED - 1)


def campaign(
    hours: float,
    *,
    faults: str = MIX,
    workers: int = 1,
    names: list[str] | None = None,
    first_seed: int | None = None,
    ledger: Path = LEDGER,
) -> int:
    """Play at least so many site-hours; 1 where something did not hold."""
    sites = sites_named(names)
    if hours <= 0 or workers < 1:
        raise ValueError(f"expected hours above 0 and 1 worker or more, got {hours:g}, {workers}")
    first = seeds_used(ledger) + 1 if first_seed is None else first_seed
    rows = {s.stem: Row(s.stem, faults, first, each_hours(s), []) for s in sites}
    before = ledger.read_text(encoding="utf-8") if ledger.exists() else HEAD
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for report in _played(sites, hours, first, faults, workers):
            rows[report.site].reports.append(report)
            _write(ledger, before, rows)
            _tell(report)
    except KeyboardInterrupt:
        print("stopped; what is done is in the ledger", file=sys.stderr)
    done = [r for row in rows.values() for r in row.reports]
    bad = sum(len(r.violations) for r in done)
    print(json.dumps({
        "site_hours": round(sum(r.hours for r in done), 2), "runs": len(done), "violations": bad,
        "fuse_percent_max": max((r.fuse_percent_max for r in done), default=0.0),
        "faults": faults, "first_seed": first, "commit": commit(),
    }))  # fmt: skip
    return 1 if bad or not done else 0


def sites_named(names: list[str] | None) -> list[Path]:
    """The site files, all or those named."""
    known = {path.stem: path for path in sorted(SITES.glob("*.toml"))}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise ValueError(f"expected sites of {', '.join(known)}, got {', '.join(sorted(unknown))}")
    return [path for name, path in known.items() if names is None or name in names]


def each_hours(site: Path) -> float:
    return HOURS.get(site.stem, HOURS_ELSE)


def _jobs(sites: list[Path], hours: float, first: int) -> Iterator[tuple[Path, int, float]]:
    """Every site in turn, one seed after another, until the hours are full.

    Each site gets its share of the runs: the one that is furthest behind is next.
    """
    runs = dict.fromkeys(sites, 0)
    given = 0.0
    while given < hours:
        site = min(sites, key=lambda one: (runs[one] / SHARE.get(one.stem, 1.0), one.stem))
        yield site, first + runs[site], each_hours(site)
        given += each_hours(site)
        runs[site] += 1


def _played(
    sites: list[Path], hours: float, first: int, faults: str, workers: int
) -> Iterator[Report]:
    jobs = _jobs(sites, hours, first)
    if workers == 1:
        for site, seed, each in jobs:
            yield simulate(site, seed, each, faults_of(seed, faults))
        return
    with ProcessPoolExecutor(workers, initializer=_begin_worker) as pool:
        running: dict[Future[Report], str] = {}
        try:
            for site, seed, each in jobs:
                what = site, seed, each, faults_of(seed, faults)
                running[pool.submit(simulate, *what)] = _words(site.stem, *what[1:])
                if len(running) > workers:
                    yield from _done(running)
            while running:
                yield from _done(running)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _done(running: dict[Future[Report], str]) -> Iterator[Report]:
    """Those that are through, out of `running`; one that broke off says which it was."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for one in done:
        again, error = running.pop(one), one.exception()
        if error is not None:
            error.add_note(f"again: {again}")
            raise error
        yield one.result()


def _begin_worker() -> None:
    """Gives way to whatever else is done here; Ctrl-C is the first process's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)


def _write(ledger: Path, before: str, rows: dict[str, Row]) -> None:
    """The ledger with what is done so far, in one stroke."""
    lines = "".join(row.line() for row in rows.values() if row.reports)
    new = ledger.with_suffix(".new")
    new.write_text(before + lines, encoding="utf-8")
    new.replace(ledger)


def _tell(report: Report) -> None:
    """A line for each run, and for each violation how to see it again."""
    print(f"{report.site} seed {report.seed}: {report.hours:g} h, {len(report.violations)} "
          f"violations, fuse {report.fuse_percent_max:g} %, {report.times_real:g} times real time",
          file=sys.stderr)  # fmt: skip
    for violation in report.violations[:3]:
        print(f"  {json.dumps(told(violation))}", file=sys.stderr)
    if report.violations:
        print(f"  again: {_again(report)}", file=sys.stderr)

"""`tools/simulate SITE --seed N --hours H --faults SET`, `--campaign`, `--cases`, `--uplink`."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from tools.simulator.campaign import MIX, campaign, faults_of
from tools.simulator.cases import cases
from tools.simulator.outages import LEDGER as UPLINK_LEDGER
from tools.simulator.outages import outages
from tools.simulator.report import LEDGER
from tools.simulator.run import simulate
from tools.world import BadSite, site_file


def main(argv: list[str] | None = None) -> int:
    """The exit code: 0 where every invariant held, 1 where one did not, 2 where nothing ran."""
    args = parser().parse_args(argv)
    try:
        _expect_one_thing(args)
        ledger = args.ledger or (LEDGER if args.uplink is None else UPLINK_LEDGER)
        if args.uplink is not None:
            return outages(
                args.uplink, first_seed=args.seed, workers=args.workers, ledger=ledger
            )
        if args.cases is not None:
            return cases(args.cases, workers=args.workers, ledger=ledger)
        if args.campaign is not None:
            sites = args.sites.split(",") if args.sites else None
            return campaign(
                args.campaign, faults=args.faults or MIX, workers=args.workers, names=sites,
                first_seed=args.seed, ledger=ledger,
            )  # fmt: skip
        seed = args.seed or 1
        faults = faults_of(seed, args.faults or "none")
        report = simulate(site_file(args.site), seed, args.hours, faults)
    except (BadSite, OSError, ValueError) as error:
        print(f"tools/simulate: {error}", file=sys.stderr)
        return 2
    print(report.line())
    return 1 if report.violations else 0


def _expect_one_thing(args: argparse.Namespace) -> None:
    """A site, a campaign or the cases, and numbers that can be played; raises `ValueError`."""
    modes = {"a site": args.site, "--campaign": args.campaign, "--cases": args.cases,
             "--uplink": args.uplink}  # fmt: skip
    given = [name for name, value in modes.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) or "none"
        raise ValueError(f"expected one of a site, --campaign, --cases and --uplink, got {got}")
    hours = args.hours if args.campaign is None else args.campaign
    if not 0 < hours < math.inf:
        raise ValueError(f"expected more than 0 hours, got {hours:g}")
    if args.workers < 1:
        raise ValueError(f"expected 1 worker or more, got {args.workers}")


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tools/simulate", description=__doc__)
    top.add_argument("site", nargs="?", help="a site file, or a name of tests/sim/sites/")
    top.add_argument("--seed", type=int, default=None, metavar="N",
                     help="all of its chance (default 1); "
                          "of a campaign: its first one")  # fmt: skip
    top.add_argument("--hours", type=float, default=1.0, metavar="H", help="of virtual time")
    top.add_argument("--faults", default=None, metavar="SET",
                     help="none, all, or some of links,chargers,cars,meter,building,clock,crash,"
                          "people, and csms, which is not in all: a CSMS behind the site, and "
                          "what goes wrong with it; mix: what a campaign gives this "
                          "seed")  # fmt: skip
    top.add_argument("--campaign", type=float, default=None, metavar="HOURS",
                     help="so many site-hours with fresh seeds over all sites, into the "
                          "ledger")  # fmt: skip
    top.add_argument("--cases", type=int, default=None, metavar="SEEDS",
                     help="every fault case of C, M and B with so many seeds, into the "
                          "ledger")  # fmt: skip
    top.add_argument("--uplink", type=int, default=None, metavar="N",
                     help="N scenarios of minutes of outages, flaps and restarts between chargers "
                          "and CSMS, into a ledger of their own; with --seed: looked into, no "
                          "row")  # fmt: skip
    top.add_argument("--sites", default=None, metavar="NAMES", help="only these, with commas")
    top.add_argument("--workers", type=int, default=1, metavar="N", help="processes at once")
    top.add_argument("--ledger", type=Path, default=None, metavar="FILE")
    return top


if __name__ == "__main__":
    sys.exit(main())

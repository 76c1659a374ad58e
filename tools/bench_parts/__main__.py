"""Runs the parts and prints one table: figure, measured, promised. No part named: all of them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

PARTS = {  # what each measures, and about how long that takes
    "plan": ("one plan for 32 chargers, and for 1,000 connectors", "10 s"),
    "reaction": ("from the meter's value over the limit to the lower offers sent", "5 min"),
    "central": ("messages a second and memory, against plain asyncio", "3 min"),
    "uplink": ("what LinkRay adds to a message, what it writes, how soon it is back", "5 min"),
    "storm": ("500 chargers that come back at once", "1 min"),
    "faces": ("what control notices while the pages' process is killed", "1 min"),
    "memory": ("both processes with 32 chargers, and their start", "30 s"),
    "pages": ("what the pages weigh", "1 s"),
    "tick": ("what a live tick costs a slow browser, with 32 connectors", "90 s"),
    "simulator": ("virtual seconds in a second of CPU", "2 min"),
    "calm": ("how often offers change under noise", "30 s"),
    "spikes": ("how fast 200 spikes of the building are followed", "2 min"),
    "outage": ("a week of 32 chargers without the CSMS, on disk and said", "2 min"),
    "energy": ("a car park's day, against the best possible and simpler ways", "15 min"),
}
PROMISED = {
    "plan_32_ms": ("<=", 1.0),
    "plan_1000_ms": ("<=", 20.0),
    "checkpoint_32_ms": ("<=", 5.0),
    "checkpoint_1000_ms": ("<=", 50.0),
    "reaction_ms_p50": ("<=", 15.0),
    "reaction_ms_p99": ("<=", 100.0),
    "reaction_100_ms_p99": ("<=", 150.0),
    "reaction_100_ms_max": ("<=", 1000.0),
    "throughput_ratio_50": (">=", 3.0),
    "throughput_ratio_500": (">=", 3.0),
    "memory_ratio_50": ("<=", 2.0),
    "memory_ratio_500": ("<=", 2.0),
    "uplink_up_ms_p50": ("<=", 1.0),
    "uplink_up_ms_p99": ("<=", 5.0),
    "uplink_down_ms_p50": ("<=", 1.0),
    "uplink_down_ms_p99": ("<=", 5.0),
    "written_mib_day_live": ("<=", 200.0),
    "written_mib_day_away": ("<=", 200.0),
    "kill9_back_s": ("<=", 2.0),
    "storm_profiled_s": ("<=", 10.0),
    "storm_plan_gap_s_max": ("<=", 1.5),
    "pages_first_visit_kb": ("<=", 120.0),
    "pages_scripts_kb": ("<=", 90.0),
    "pages_lazy_kb_max": ("<=", 25.0),
    "tick_tiles_6x_ms": ("<=", 100.0),
    "tick_table_6x_ms": ("<=", 100.0),
    "faces_links_lost": ("<=", 0.0),
    "faces_plan_gap_s_max": ("<=", 1.5),
    "control_mb_32": ("<=", 90.0),
    "faces_mb": ("<=", 90.0),
    "import_and_start_s": ("<=", 3.0),
    "simulator_carpark32_times_real": (">=", 100.0),
    "changes_per_charger_hour": ("<=", 10.0),
    "outage_lost": ("<=", 0.0),
    "outage_wrong": ("<=", 0.0),
    "spike_s_p99": ("<=", 4.0),
    "spike_s_max": ("<=", 5.0),
    "energy_ratio_of_ideal_share": (">=", 0.97),
}


def parts(argv: list[str]) -> list[str]:
    """The parts that are wanted."""
    rows = [f"  {part:<11} {what:<64} {lasts:>6}" for part, (what, lasts) in PARTS.items()]
    top = argparse.ArgumentParser(
        prog="tools/bench", description=__doc__,
        epilog="\n".join(["parts, with about how long they take on two cores:", *rows]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    top.add_argument("parts", nargs="*", metavar="PART", help="one of those below")
    wanted: list[str] = top.parse_args(argv).parts
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        top.error(f"expected parts out of {', '.join(PARTS)}, got {', '.join(unknown)}")
    return wanted or list(PARTS)


def main(argv: list[str]) -> int:
    """0 where every promise was kept, 1 where one was not, 2: usage."""
    figures: dict[str, float] = {}
    for part in parts(argv):
        figures |= importlib.import_module(f"tools.bench_parts.{part}").measure()
    broken = 0
    for name, value in figures.items():
        sign, bound = PROMISED.get(name, ("", 0.0))
        kept = not sign or (value <= bound if sign == "<=" else value >= bound)
        broken += not kept
        print(f"{name:<34} {value:>12.3f}   {sign} {bound if sign else ''}"
              f"{'' if kept else '   NOT KEPT'}".rstrip())  # fmt: skip
    print(json.dumps(figures))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs the parts and prints one table: figure, measured, promised."""

from __future__ import annotations

import importlib
import json
import sys

PARTS = ("plan", "reaction", "central", "storm", "faces", "memory", "pages",
         "simulator", "calm", "spikes", "energy")  # fmt: skip
PROMISED = {
    "plan_32_ms": ("<=", 1.0),
    "plan_1000_ms": ("<=", 20.0),
    "reaction_ms_p50": ("<=", 15.0),
    "reaction_ms_p99": ("<=", 100.0),
    "reaction_100_ms_p99": ("<=", 150.0),
    "reaction_100_ms_max": ("<=", 1000.0),
    "throughput_ratio_50": (">=", 3.0),
    "throughput_ratio_500": (">=", 3.0),
    "memory_ratio_50": ("<=", 2.0),
    "memory_ratio_500": ("<=", 2.0),
    "storm_profiled_s": ("<=", 10.0),
    "storm_plan_gap_s_max": ("<=", 1.5),
    "pages_first_visit_kb": ("<=", 120.0),
    "pages_scripts_kb": ("<=", 90.0),
    "pages_lazy_kb_max": ("<=", 25.0),
    "faces_links_lost": ("<=", 0.0),
    "faces_plan_gap_s_max": ("<=", 1.5),
    "control_mb_32": ("<=", 90.0),
    "faces_mb": ("<=", 90.0),
    "import_and_start_s": ("<=", 3.0),
    "simulator_carpark32_times_real": (">=", 100.0),
    "changes_per_charger_hour": ("<=", 10.0),
    "spike_s_p99": ("<=", 4.0),
    "spike_s_max": ("<=", 5.0),
    "energy_ratio_of_ideal_share": (">=", 0.97),
}


def main(wanted: list[str]) -> int:
    unknown = [part for part in wanted if part not in PARTS]
    if unknown:
        print(f"expected parts out of {', '.join(PARTS)}, got {', '.join(unknown)}",
              file=sys.stderr)  # fmt: skip
        return 2
    figures: dict[str, float] = {}
    for part in wanted or PARTS:
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

"""How fast the simulator plays: virtual seconds per second of CPU, on one core."""

from __future__ import annotations

from statistics import median

from tools.simulator.run import simulate
from tools.world.site import SITES

SITE_HOURS = {"carpark32": 0.5, "home": 4.0}
SEEDS = (1, 2, 3)


def measure() -> dict[str, float]:
    """Medians of a few seeds, without faults; the car park has 32 connectors."""
    return {
        f"simulator_{site}_times_real": median(
            simulate(SITES / f"{site}.toml", seed, hours).times_real for seed in SEEDS
        )
        for site, hours in SITE_HOURS.items()
    }

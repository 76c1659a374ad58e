"""What a run says in the end: one JSON line, its first names as decided.md has them."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tools.simulator.events import Violation

ROOT = Path(__file__).parents[2]
LEDGER = ROOT / "tests" / "sim" / "LEDGER.md"
STATE_CHARS_MAX = 2_000  # of one violation; the seed finds the rest again


@dataclass
class Report:
    """One run. `energy_ratio` and `reaction_s_p99` are None where nothing was to be measured."""

    site: str
    seed: int
    hours: float
    events: int = 0
    violations: list[Violation] = field(default_factory=list)
    fuse_percent_max: float = 0.0
    reaction_s_p99: float | None = None
    energy_ratio: float | None = None
    changes_per_charger_hour: float = 0.0
    trace_hash: str = ""
    faults: str = "none"
    commit: str = ""
    began_utc: str = ""
    reaction_s_p50: float | None = None
    reaction_s_max: float | None = None
    reactions: int = 0
    fuse_percent_lawful: float = 0.0  # while no device did what none may
    highest_ma: list[int] = field(default_factory=list)
    limit_ma: list[int] = field(default_factory=list)
    worst_load_percent: float = 0.0
    worst_load_node: str = ""
    limit_exceeded_s: float = 0.0
    excused_s: float = 0.0
    building_over_s: float = 0.0
    energy_wh: int = 0
    energy_best_wh: int = 0
    sessions: int = 0
    session_hours: float = 0.0
    changes: int = 0
    plan_gap_s_max: float = 0.0
    faults_played: dict[str, int] = field(default_factory=dict)
    cpu_s: float = 0.0  # of this machine: not part of what a seed repeats
    times_real: float = 0.0

    def line(self) -> str:
        """The report as one line of JSON."""
        return json.dumps({**asdict(self), "violations": [told(v) for v in self.violations]})

    def repeats(self) -> dict[str, Any]:
        """All that must be the same when the same seed runs again."""
        said: dict[str, Any] = json.loads(self.line())
        for name in ("cpu_s", "times_real", "commit"):
            del said[name]
        return said


def told(violation: Violation) -> dict[str, Any]:
    """A violation as JSON, cut where it is long."""
    state = json.dumps(violation.state, default=str)
    return {
        "seed": violation.seed,
        "time": round(violation.time, 3),
        "invariant": violation.invariant,
        "state": json.loads(state) if len(state) <= STATE_CHARS_MAX else state[:STATE_CHARS_MAX],
    }


def ranked(values: list[float], share: float) -> float | None:
    """The value that `share` of them do not pass; None where there are none."""
    if not values:
        return None
    inner = sorted(values)
    return round(inner[min(len(inner) - 1, math.ceil(share * len(inner)) - 1)], 2)


def commit(root: Path = ROOT, but: Path = LEDGER) -> str:
    """The commit that is run, with + where the tree differs from it; empty without git.

    What a campaign writes itself makes no difference.
    """
    try:
        head = _git(root, "rev-parse", "--short=12", "HEAD")
        own = but.relative_to(ROOT)  # git excludes by such paths alone
        differs = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{own}")
        return head + ("+" if differs else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(root: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=root, check=True, capture_output=True, text=True
    ).stdout.strip()

"""The fault cases of trust.md with many seeds each: their tests, once more, into the ledger.

`tools/simulate --cases 100` runs `tests/sim/test_case_*.py` with the seeds 1 to 100; a row of the
ledger for each family says how many cases there are and which seeds of which did not hold.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from tools.simulator.campaign import HEAD
from tools.simulator.report import ROOT, commit

FAMILIES = ("charger", "meter", "site", "csms", "abuse", "network", "time", "dates")
SEEDED = re.compile(r"test_([a-z]+\d+)_\w*\[(\d+)(?:-.*)?\]")


@dataclass
class Family:
    """What came of the cases of one file."""

    name: str
    cases: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def result(self) -> str:
        """In a word, and which did not hold."""
        if not self.cases:
            return "BROKEN: nothing ran"
        told = ", ".join(self.broken[:10]) + (", …" if len(self.broken) > 10 else "")
        return f"BROKEN: {told}" if self.broken else "held"

    def line(self, seeds: int, tested: str) -> str:
        cells = (
            datetime.now(UTC).date().isoformat(), tested or "?", f"cases of the {self.name}",
            f"{len(self.cases)} cases", f"1–{seeds}", "–", "–", str(len(self.broken)),
            "–", "–", "–", "–", self.result(),
        )  # fmt: skip
        return f"| {' | '.join(cells)} |\n"


def cases(seeds: int, *, workers: int, ledger: Path) -> int:
    """Run every case with so many seeds; 1 where one did not hold or nothing was run."""
    if seeds < 1:
        raise ValueError(f"expected 1 seed or more, got {seeds}")
    tested, families = commit(), []
    for name in FAMILIES:
        family = _run(name, seeds, workers)
        families.append(family)
        before = ledger.read_text(encoding="utf-8") if ledger.exists() else HEAD
        ledger.write_text(before + family.line(seeds, tested), encoding="utf-8")
    return 0 if all(f.cases and not f.broken for f in families) else 1


def _run(name: str, seeds: int, workers: int) -> Family:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.xml"
        words = [
            sys.executable, "-m", "pytest", f"tests/sim/test_case_{name}.py", "-q", "--tb=short",
            "-n", str(workers), f"--junit-xml={result}",
        ]  # fmt: skip
        subprocess.run(
            words, cwd=ROOT, check=False, stdout=sys.stderr,
            env={**os.environ, "LINKRAY_SEEDS": str(seeds)},
        )  # fmt: skip
        return read(name, result.read_text(encoding="utf-8"))


def read(name: str, result: str) -> Family:
    """The family in what pytest wrote (JUnit's form): its cases, and `C7[12]` for each broken."""
    family = Family(name)
    for test in ET.fromstring(result).iter("testcase"):  # noqa: S314 - our own file
        name = test.get("name", "")
        seeded = SEEDED.fullmatch(name)
        if seeded is not None:
            family.cases.add(seeded[1].upper())
        if any(test.find(word) is not None for word in ("failure", "error", "skipped")):
            told = name if seeded is None else f"{seeded[1].upper()}[{seeded[2]}]"
            family.broken.append(told)
    return family

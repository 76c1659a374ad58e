"""What LinkRay stands on is named, pinned and hashed (trust.md 3, A47)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = re.compile(
    r"(?m)^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==([^\s\\]+) \\\n((?:    --hash=.*\n)+)"
)


def locked() -> dict[str, str]:
    return {name.lower().replace("_", "-"): version for name, version, _ in PINNED.findall(LOCK)}


def test_a47_every_package_that_is_shipped_is_pinned_and_locked_with_its_hashes() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    kept = locked()
    for wanted in project["dependencies"]:
        name, version = re.fullmatch(r"([A-Za-z0-9_\-]+)(?:\[[^\]]*\])?==(.+)", wanted).groups()
        assert kept.get(name.lower().replace("_", "-")) == version, wanted


def test_a47_nothing_in_the_lock_is_without_a_hash() -> None:
    named = re.findall(r"(?m)^([A-Za-z0-9_.\-]+)(?:\[[^\]]*\])?==", LOCK)
    assert len(named) > 30
    assert len(PINNED.findall(LOCK)) == len(named)
    assert re.findall(r"--hash=(?!sha256:[0-9a-f]{64})", LOCK) == []


def test_a47_who_finds_a_weakness_is_told_where_to_say_it() -> None:
    told = (ROOT / "SECURITY.md").read_text()
    assert "Report a vulnerability" in told
    assert "within three working days" in told

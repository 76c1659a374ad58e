"""The form of the code and of what stands around it (house.md, The repository)."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest

from linkray.model import asks, faults, settings

ROOT = Path(__file__).parents[2]
LINES_MAX = 70
COLUMNS_MAX = 100
BAD_NAMES = re.compile(r"(manager|helper|utils|util)s?$", re.IGNORECASE)


def tracked(pattern: str) -> list[Path]:
    """Files of the repository; those not yet added count too, those ignored do not."""
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / name for name in out.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    return [p for p in tracked("*.py") if p.stat().st_size]


def test_functions_fit_a_screen(sources: list[Path]) -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1}"
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LINES_MAX
    ]

    assert not long, f"over {LINES_MAX} lines: {long}"


def test_lines_have_100_columns_at_most(sources: list[Path]) -> None:
    wide = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > COLUMNS_MAX
    ]

    assert not wide, wide


def test_names_say_what_a_thing_is(sources: list[Path]) -> None:
    bad = [p for p in sources if BAD_NAMES.search(p.stem)] + [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and BAD_NAMES.search(node.name)
    ]

    assert not bad, bad


def test_every_file_says_what_it_knows(sources: list[Path]) -> None:
    silent = [
        str(p.relative_to(ROOT)) for p in sources if not ast.get_docstring(ast.parse(p.read_text()))
    ]

    assert not silent, silent


def test_every_fault_has_a_bit_of_its_own_a_text_and_a_cure() -> None:
    kinds = [code.value for code in faults.Code]

    assert len({k.bit for k in kinds}) == len(kinds)
    assert all(k.text and k.cure and k.owner and k.page for k in kinds)


def test_every_setting_has_a_help_line_and_a_level() -> None:
    schemas = json.loads(settings.schema())["$defs"]
    mute = [
        f"{part}.{name}"
        for part in ("Site", "MeterSettings", "Group", "Charger", "Csms", "Exclusion", "Access")
        for name, field in schemas[part]["properties"].items()
        if "$ref" not in field and '"description"' not in json.dumps(field)
    ]

    assert not mute, mute
    assert set(settings.least_levels().values()) <= {1, 2, 3}


def test_every_ask_has_a_least_level() -> None:
    known = set(asks.AnyAsk.__args__)

    assert known == set(asks.LEAST_LEVEL)


def test_every_top_level_folder_has_a_readme() -> None:
    for folder in ("firmware", "board", "rootfs", "tests", "tools"):
        assert (ROOT / folder / "README.md").is_file(), folder


def test_the_changelog_keeps_its_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))

    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", h) for h in headings[1:])
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_every_dependency_is_pinned_and_earns_its_line() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    listed = text[text.index("dependencies = [") : text.index("[project.scripts]")]
    lines = [line for line in listed.splitlines() if line.strip().startswith('"')]

    assert lines
    assert all("==" in line and "# " in line for line in lines), lines


def test_the_lock_holds_every_pin_with_a_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r'^    "([a-zA-Z0-9-]+)==([^"]+)"', (ROOT / "pyproject.toml").read_text(),
                      re.MULTILINE)  # fmt: skip

    assert pins
    for name, version in pins:
        assert f"{name.lower()}=={version} \\" in lock, f"{name} {version} is not in the lock"


def test_nothing_is_left_open_in_the_code(sources: list[Path]) -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|NotImplemented" + r"Error)\b")
    left = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marks.search(line)
    ]

    assert not left, left


def test_no_test_is_skipped(sources: list[Path]) -> None:
    words = re.compile("pytest[.](mark[.])?(sk" + "ip|xf" + "ail|import" + "orskip)")
    skipped = [str(p.relative_to(ROOT)) for p in sources if words.search(p.read_text())]

    assert not skipped, skipped

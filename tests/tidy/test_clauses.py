"""Every clause names the tests that hold it, and every test that is named is there.

`tests/clauses/*.md` are tables of the chapters, one row for each clause: section, clause, tests.
A test is named as pytest knows it: `path::name`, `path::Class::name`, `path::name[id]`.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "tests" / "clauses").glob("*.md"))
HEAD = ["section", "clause", "tests"]
NAMED = re.compile(r"`([^`]+)`")
NODE = re.compile(
    r"(?P<path>tests/[\w/]+\.py)::(?P<name>[A-Za-z_]\w*(?:::\w+)?)(?:\[(?P<id>.+)\])?"
)


class Seen:
    """What a file of tests holds: names that pytest finds, and words its ids can be made of."""

    def __init__(self, source: str) -> None:
        tree = ast.parse(source)
        self.tests: set[str] = set()
        for node in tree.body:
            self.tests |= {f"{prefix}{name}" for prefix, name in _tests_of(node)}
        self.words = {n.name for n in ast.walk(tree)
                      if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}  # fmt: skip
        self.words |= {str(n.value) for n in ast.walk(tree) if isinstance(n, ast.Constant)}

    def knows(self, test_id: str) -> bool:
        """Whether an id of a parameter may be: as it stands, or each of its parts."""
        return test_id in self.words or all(part in self.words for part in test_id.split("-"))


def _tests_of(node: ast.stmt) -> list[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return [("", node.name)] if node.name.startswith("test_") else []
    if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
        inner = [(f"{node.name}::", name) for part in node.body for _, name in _tests_of(part)]
        return [("", node.name), *inner]
    if isinstance(node, ast.Assign):  # a state machine of hypothesis: `TestX = X.TestCase`
        names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        return [("", name) for name in names if name.startswith("Test")]
    return []


@cache
def seen(path: Path) -> Seen | None:
    """None: no such file, or none in which pytest looks."""
    return Seen(path.read_text()) if path.is_file() and path.name.startswith("test_") else None


def rows(text: str) -> list[tuple[int, list[str]]]:
    """The rows of every table of a page with their lines, without its heads."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells != HEAD and set("".join(cells)) != {"-"}:
            found.append((number, cells))
    return found


def broken(page: str, text: str, root: Path = ROOT) -> list[str]:
    """What is wrong with a page: the line, and why."""
    out = []
    for number, cells in rows(text):
        where = f"{page}:{number}"
        if len(cells) != len(HEAD) or not all(cells[:2]):
            out.append(f"{where}: expected section, clause, tests, got {len(cells)} cells")
            continue
        named = NAMED.findall(cells[2])
        if not named:
            out.append(f"{where}: no test holds it: {cells[1]}")
        out += [f"{where}: {why}" for name in named if (why := missing(name, root)) is not None]
    return out


def missing(named: str, root: Path = ROOT) -> str | None:
    """Why a test cannot be run by this name; None: it can."""
    match = NODE.fullmatch(named)
    if match is None:
        return f"expected path::name, got {named}"
    file = seen(root / match["path"])
    if file is None:
        return f"no tests are kept in {match['path']}"
    if match["name"] not in file.tests:
        return f"{match['path']} has no {match['name']}"
    if match["id"] is not None and not file.knows(match["id"]):
        return f"{match['path']} has nothing of the name {match['id']}"
    return None


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_every_clause_has_a_test_and_every_test_is_there(page: Path) -> None:
    text = page.read_text()

    assert not broken(page.name, text), "\n".join(broken(page.name, text))
    assert rows(text), "a page without a clause"


@pytest.mark.parametrize("page", CHAPTERS, ids=lambda page: page.stem)
def test_no_clause_stands_twice(page: Path) -> None:
    clauses = [f"{section}: {clause}" for _, (section, clause, *_) in rows(page.read_text())]

    assert sorted(set(clauses)) == sorted(clauses)


def test_there_are_clauses() -> None:
    held = {"balancing", "csms", "abuse", "web", "pages"}
    assert held <= {page.stem for page in CHAPTERS}


FILE = """
def test_it(): ...
async def test_that(): ...
def row_1_first(): ...
def helped(): ...
class TestKind:
    def test_inner(self): ...
class Kind:
    def test_hidden(self): ...
TestMachine = Machine.TestCase
IDS = ["grid", 7.5, "a-b"]
"""


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    folder = tmp_path / "tests" / "unit"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text(FILE)
    (folder / "world.py").write_text(FILE)
    return tmp_path


@pytest.mark.parametrize("name", [
    "test_it", "test_that", "TestKind", "TestKind::test_inner", "TestMachine",
    "test_it[row_1_first]", "test_it[grid]", "test_it[7.5-grid]", "test_it[a-b]",
])  # fmt: skip
def test_a_test_that_is_there_is_found(made_up: Path, name: str) -> None:
    assert missing(f"tests/unit/test_x.py::{name}", made_up) is None


@pytest.mark.parametrize(("cell", "word"), [
    ("", "no test holds it"), ("by eye", "no test holds it"),
    ("`tests/unit/test_x.py::test_gone`", "has no test_gone"),
    ("`tests/unit/test_x.py::helped`", "has no helped"),
    ("`tests/unit/test_x.py::Kind::test_hidden`", "has no Kind::test_hidden"),
    ("`tests/unit/test_x.py::test_inner`", "has no test_inner"),
    ("`tests/unit/test_x.py::test_it[row_2]`", "nothing of the name row_2"),
    ("`tests/unit/test_x.py::test_it[grid-9]`", "nothing of the name grid-9"),
    ("`tests/unit/test_y.py::test_it`", "no tests are kept in tests/unit/test_y.py"),
    ("`tests/unit/world.py::test_it`", "no tests are kept in tests/unit/world.py"),
    ("`tests/unit/test_x.py::test_it` `test_it`", "expected path::name, got test_it"),
    ("`tests/unit/test_x.py::test_it` | more", "got 4 cells"),
])  # fmt: skip
def test_a_planted_row_is_caught(made_up: Path, cell: str, word: str) -> None:
    good = "| 1 | rounded down | `tests/unit/test_x.py::test_it` |"
    text = f"# Page\n\n| section | clause | tests |\n|---|---|---|\n{good}\n| 2 | bad | {cell} |\n"

    caught = broken("page.md", text, made_up)

    assert len(caught) == 1
    assert caught[0].startswith("page.md:6: ")
    assert word in caught[0]

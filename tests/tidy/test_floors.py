"""The floors of the house: imports only downwards, never sideways; what is not a task is pure."""

from __future__ import annotations

import ast
from pathlib import Path

HOUSE = Path(__file__).parents[2] / "firmware" / "linkray"
FLOOR = {
    **dict.fromkeys(("model", "kit", "ocpp", "modbus"), 0),
    **dict.fromkeys(("hal", "store"), 1),
    **dict.fromkeys(
        ("charger", "csms", "meter", "balance", "panel", "route", "access", "records", "upkeep",
         "desk", "faces"),
        2,
    ),
    **dict.fromkeys(("app", "commands", "courier", "__main__"), 3),
}  # fmt: skip
IMPURE = {
    "trio", "socket", "ssl", "serial", "sqlite3", "apsw", "subprocess", "os", "time", "random",
    "threading", "secrets", "tempfile", "shutil", "select", "signal",
}  # fmt: skip
MAY_BE_IMPURE = {"kit", "hal", "store", "app", "commands", "courier", "__main__"}
NEVER = {"asyncio", "uvicorn", "aiohttp"}


def imports(path: Path, text: str | None = None) -> list[tuple[int, str]]:
    """Every module a file imports, absolute, with its line."""
    package = path.relative_to(HOUSE.parent).with_suffix("").parts[:-1]
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(text or path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.append((node.lineno, module))
            if module == "linkray":
                found += [(node.lineno, f"linkray.{alias.name}") for alias in node.names]
    return found


def room_of(path: Path) -> str:
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def broken_rules(path: Path, text: str | None = None) -> list[str]:
    room = room_of(path)
    floor = FLOOR.get(room, -1)
    out = []
    for line, module in imports(path, text):
        where = f"{path.relative_to(HOUSE)}:{line}"
        top = module.split(".")[0]
        if top in NEVER:
            out.append(f"{where}: {top} has no place in the firmware")
        impure_here = room in MAY_BE_IMPURE or path.name == "task.py" or room == "faces"
        if top in IMPURE and not impure_here:
            out.append(f"{where}: imports {top}, but what is not task.py is pure")
        if top == "linkray" and "." in module:
            other = module.split(".")[1]
            if other == room or other not in FLOOR:
                continue
            if FLOOR[other] >= floor and floor < 3:
                out.append(f"{where}: {room} (floor {floor}) imports {other} ({FLOOR[other]})")
    return out


def modules() -> list[Path]:
    return [p for p in sorted(HOUSE.rglob("*.py")) if "node_modules" not in p.parts]


def test_every_room_stands_on_a_floor() -> None:
    rooms = {room_of(p) for p in modules()} - {"__init__"}

    assert rooms <= set(FLOOR), f"no floor is given for {rooms - set(FLOOR)}"


def test_imports_go_down_and_what_is_not_a_task_is_pure() -> None:
    broken = [rule for path in modules() for rule in broken_rules(path)]

    assert not broken, "\n".join(broken)


def test_a_planted_import_is_caught() -> None:
    planted = "import trio\nfrom linkray.meter import x"

    caught = broken_rules(HOUSE / "balance" / "share.py", planted)

    assert len(caught) == 2
    assert "share.py:1" in caught[0]
    assert "share.py:2" in caught[1]


def test_a_broad_except_stands_in_keep_alone() -> None:
    broad = [
        f"{path.relative_to(HOUSE)}:{node.lineno}"
        for path in modules()
        if path != HOUSE / "kit" / "keep.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]

    assert not broad, broad

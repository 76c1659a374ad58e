"""What the pages weigh: the first visit and all scripts, as a browser gets them."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "firmware/linkray/faces/web/static"
HEADERS_BYTES = 900  # of one answer, with the security headers, before HTTP/2 shrinks repeats
NAMED = re.compile(r'(?:src|href)="/([^"/]+)"')


def sent_bytes(name: str) -> int:
    """A file's size on the line: its brotli copy, where there is one."""
    packed = STATIC / f"{name}.br"
    return (packed if packed.exists() else STATIC / name).stat().st_size


def first_visit() -> list[str]:
    """index.html and what it names: the application, its shared parts, the style, the icon."""
    page = STATIC / "index.html"
    if not page.exists():
        raise FileNotFoundError(f"Expected built pages in {STATIC}, found none: run tools/pages")
    return ["index.html", *NAMED.findall(page.read_text(encoding="utf-8"))]


def measure() -> dict[str, float]:
    """Kilobytes (1,000 bytes), files without the API's answers."""
    first = first_visit()
    scripts = [path.name for path in STATIC.glob("*.js")]
    lazy = [name for name in scripts if name not in first]
    return {
        "pages_first_visit_kb": sum(sent_bytes(n) + HEADERS_BYTES for n in first) / 1000,
        "pages_first_visit_files": float(len(first)),
        "pages_scripts_kb": sum(sent_bytes(name) for name in scripts) / 1000,
        "pages_lazy_kb_max": max((sent_bytes(name) for name in lazy), default=0) / 1000,
    }

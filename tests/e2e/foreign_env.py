"""Environments for packages that no one here wrote: each its own, pinned, no part of LinkRay."""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

from tests.e2e.box import ROOT


def python_of(lock: Path) -> str:
    """The Python of an environment that holds what `lock` pins; made when it is not there yet, in
    a place that git ignores.
    """
    stamp = f"{zlib.crc32(lock.read_bytes() + sys.version.encode()):08x}"
    folder = ROOT / ".state" / f"{lock.stem.replace('_', '-')}-{stamp}"
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        run = [[sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)],
               [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps",
                "--no-compile", "--disable-pip-version-check", "--require-hashes", "-r",
                str(lock)]]  # fmt: skip
        for words in run:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
            assert done.returncode == 0, done.stderr
        (folder / "whole").touch()
    return str(python)

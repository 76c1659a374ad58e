"""Small files that a power cut leaves whole: the old one or the new one, never half."""

from __future__ import annotations

import os
from pathlib import Path


def write_synced(file: Path, words: bytes) -> None:
    """Write a file and its folder's entry; on return both would survive a power cut."""
    part = file.with_name(f"{file.name}.part")
    with part.open("wb") as out:
        out.write(words)
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """What was made, renamed or deleted in the folder stays so."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

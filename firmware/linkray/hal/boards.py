"""Which board this is: the description file names the backend and its wiring (board.md)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from linkray.hal import sim
from linkray.hal.board import Board


class BadBoard(ValueError):
    """A description that cannot be used: what was expected, what came, and in which file."""


class Heading(msgspec.Struct, frozen=True):
    """What every description has; the rest is the backend's to read."""

    name: str
    backend: str


BACKENDS: dict[str, Callable[[bytes, Path], Board]] = {"sim": sim.make}


def load(board_toml: Path, state: Path) -> Board:
    """The board that the file describes; what it keeps is kept in the folder `state`.

    Raises `BadBoard`, or `OSError` where the file or the folder cannot be had.
    """
    text = board_toml.read_bytes()
    try:
        heading = msgspec.toml.decode(text, type=Heading)
        backend = BACKENDS.get(heading.backend)
        if backend is not None:
            return backend(text, state)
    except msgspec.DecodeError as error:
        raise BadBoard(f"{board_toml}: {error}") from error
    raise BadBoard(
        f"{board_toml}: expected a backend out of {', '.join(BACKENDS)}, got {heading.backend!r}"
    )

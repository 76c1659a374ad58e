"""What is published: the latest value of a thing; one writer, many readers, setting never waits."""

from __future__ import annotations

from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Cell(Generic[T]):
    """The latest value of something. Values are frozen; a reader may skip some."""

    def __init__(self, value: T) -> None:
        self._value = value
        self._seq = 0
        self._changed = trio.Event()

    @property
    def value(self) -> T:
        return self._value

    @property
    def seq(self) -> int:
        """How often the value has changed; pass it to `wait_newer`."""
        return self._seq

    def set(self, value: T) -> None:
        """Publish; wakes whoever waits. An equal value is no news."""
        if value == self._value:
            return
        self._value = value
        self._seq += 1
        self._changed.set()
        self._changed = trio.Event()

    async def wait_newer(self, seq: int) -> tuple[int, T]:
        """Wait until the value is newer than `seq`; returns the newest and its number."""
        while self._seq <= seq:
            await self._changed.wait()
        return self._seq, self._value


class Flags(Generic[T]):
    """A cell of a set whose members are raised and cleared one by one, by key."""

    def __init__(self) -> None:
        self.cell: Cell[tuple[T, ...]] = Cell(())
        self._raised: dict[str, T] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._raised

    def get(self, key: str) -> T | None:
        return self._raised.get(key)

    def raise_(self, key: str, flag: T) -> None:
        """Raise; raised already, the first one stands (its `since` is the truth)."""
        if key not in self._raised:
            self._raised[key] = flag
            self.cell.set(tuple(self._raised.values()))

    def clear(self, key: str) -> None:
        if self._raised.pop(key, None) is not None:
            self.cell.set(tuple(self._raised.values()))

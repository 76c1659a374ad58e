"""Learn mode: for half a minute the tags held to a reader are added or removed (access.md, RFID).

It decides nothing about who charges: a tag that is learnt is answered as the list stood before.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import msgspec

from linkray.model.asks import SetLearning, Who
from linkray.model.tags import TAG_CHARS_MAX, Tag, key_of
from linkray.model.tagsheet import tag_of
from linkray.model.views import LearningView, LearntTag

LEARN_S = 30.0
LEARNT_MAX = 200  # in one go: more no person holds to a reader
Came = Literal["added", "removed", "there", "unknown", "refused"]


class Change(msgspec.Struct, frozen=True):
    """What a tag that was presented changes in the list."""

    tag: Tag
    remove: bool
    who: Who  # whoever began to learn


class Learning:
    """What is learnt, for whom, and until when. `listed` gives a tag's row of the list."""

    def __init__(self, listed: Callable[[str], Tag | None]) -> None:
        self._listed = listed
        self._ask = SetLearning(on=False)
        self._who = Who("", 0)
        self._until = -math.inf
        self._learnt: dict[str, LearntTag] = {}

    def set(self, ask: SetLearning, who: Who, now: float) -> None:
        """Begin anew, or end; what was learnt stays on show until the next time."""
        if ask.on:
            self._ask, self._who, self._until = ask, who, now + LEARN_S
            self._learnt = {}
        else:
            self._until = min(self._until, now)

    def is_on(self, now: float) -> bool:
        return now < self._until

    def feed(self, charger: str, tag: str, at: str, now: float) -> Change | None:
        """A tag was presented at a charger; `at` is UTC. What it changes, if anything."""
        if not self.is_on(now) or self._ask.charger not in {"", charger}:
            return None
        key = key_of(tag)
        if key in self._learnt or len(self._learnt) >= LEARNT_MAX:
            return None
        row = self._listed(tag)
        change: Change | None = None
        came: Came
        if self._ask.remove:
            came = "unknown" if row is None else "removed"
            change = None if row is None else Change(row, True, self._who)
        elif row is not None:
            came = "there"
        else:
            try:
                came, change = "added", Change(tag_of(tag, ""), False, self._who)
            except ValueError:  # a reader says the strangest things
                came = "refused"
        self._learnt[key] = LearntTag(tag[:TAG_CHARS_MAX], charger, at, came)
        return change

    def failed(self, change: Change) -> None:
        """The list did not take it: it may be held to the reader again."""
        self._learnt.pop(key_of(change.tag.tag), None)

    def view(self, now: float) -> LearningView:
        """What the page shows; the newest first."""
        return LearningView(
            left_s=max(0, math.ceil(self._until - now)) if self.is_on(now) else 0,
            remove=self._ask.remove,
            charger=self._ask.charger,
            tags=tuple(reversed(self._learnt.values())),
        )

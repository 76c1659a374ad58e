"""What the pages need of this room, as the roof hands it to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, tzinfo

from linkray.model.sessions import Choices, FileKind, Measured, OfSite, Quarter, Range

from .cdr import Records
from .energy import quarters
from .nem12 import Nem12, nmis
from .sheet import Sheet
from .spans import BadTime, Span, moment_of, span_of

__all__ = ["BadTime", "Books"]


class Books:
    """Times, energies and files of sessions; holds nothing."""

    def span(self, name: Range, now: datetime, zone: tzinfo) -> Span:
        return span_of(name, now, zone)

    def moment(self, text: str, zone: tzinfo, *, is_end: bool) -> str:
        """Raises `BadTime`, a `ValueError`."""
        return moment_of(text, zone, is_end=is_end)

    def quarters(self, of: Measured) -> tuple[Quarter, ...]:
        return quarters(of)

    def writer(
        self, kind: FileKind, choices: Choices, site: OfSite, zone: tzinfo,
        now: datetime, chargers: Iterable[str],
    ) -> Sheet | Records | Nem12:  # fmt: skip
        """A writer of one file; `chargers`: all that may come up in it."""
        if kind == "nem12":
            return Nem12(choices, nmis(chargers, site.nmis), now)
        if kind == "cdr":
            return Records(choices, zone, site.phases)
        return Sheet(choices, zone)

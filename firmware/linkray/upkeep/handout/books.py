"""Who may fetch which file, or leave one, by which token and how long (chargers.md, Charger
firmware): the books of it, without disk and clock.

A token is for one charger's address and one file; it ends with the update, or after an hour. Only
its SHA-256 is kept: whoever reads a backup can fetch nothing by it (trust.md A17).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Literal

import msgspec

from linkray.model.views import DiagnosticsView, FirmwareFile, FirmwareUpdate, UpdateState

FILES_MAX = 5  # the manual's: "you can upload up to 5 firmware files at any one time"
TOKEN_FOR = timedelta(hours=1)
NAME_CHARS_MAX = 100
ENDS = {"Installed", "InstallationFailed", "refused", "left_out", "over"}
KEPT_MAX = 500  # updates of as many chargers, the newest
DIAGNOSTICS_MAX = 20
STATES: Mapping[str, UpdateState] = {
    "Downloading": "Downloading", "Downloaded": "Downloaded", "DownloadFailed": "DownloadFailed",
    "Installing": "Installing", "Installed": "Installed",
    "InstallationFailed": "InstallationFailed",
}  # fmt: skip


class Grant(msgspec.Struct):
    """One charger's right to one file; `stored` empty: to leave its diagnostics."""

    charger: str
    digest: str  # SHA-256 of the token, hex
    address: str
    until: datetime
    stored: str = ""


class Kept(msgspec.Struct):
    """A file that is held: its name on our disk, and what is shown of it."""

    stored: str
    file: FirmwareFile


class Left(msgspec.Struct):
    """A charger's diagnostics: where they lie, and what is shown of them."""

    view: DiagnosticsView
    stored: str = ""


class Books(msgspec.Struct):
    """All of it, as it outlives a restart."""

    files: list[Kept] = []
    grants: list[Grant] = []
    updates: dict[str, FirmwareUpdate] = {}
    left: dict[str, Left] = {}


def read_books(text: str | None) -> Books:
    """What was kept; what cannot be read is as if nothing were."""
    try:
        return msgspec.json.decode(text, type=Books) if text else Books()
    except msgspec.DecodeError:
        return Books()


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def name_trouble(name: str) -> str | None:
    """Why a file may not be called so: a charger sees the name, and some go by its end."""
    plain = name.isascii() and name.replace("-", "").replace("_", "").replace(".", "").isalnum()
    if plain and 1 <= len(name) <= NAME_CHARS_MAX and not name.startswith("."):
        return None
    return (f"Expected a name of 1 to {NAME_CHARS_MAX} letters, digits and - _ . (as in "
            "AC-1.8.21.bin), as chargers can fetch it")  # fmt: skip


def _alike(one: str, other: str) -> bool:
    """The same address, however it is written."""
    try:
        return ip_address(one.removeprefix("::ffff:")) == ip_address(other.removeprefix("::ffff:"))
    except ValueError:
        return bool(one) and one == other


class Handouts:
    """The books, and what may be done to them. `now` is UTC; `stamp` the same as text."""

    def __init__(self, books: Books) -> None:
        self.books = books

    # -- files -----------------------------------------------------------------------------------

    def find(self, name: str) -> Kept | None:
        return next((one for one in self.books.files if one.file.name == name), None)

    def takes(self, name: str) -> str | None:
        """Why no file of this name is taken now; None: it is."""
        trouble = name_trouble(name)
        if trouble is not None:
            return trouble
        if self.find(name) is not None:
            return f"{name} is held already: delete it first, or give the other another name"
        if len(self.books.files) >= FILES_MAX:
            return f"{FILES_MAX} files are held, and no more: delete one first"
        return None

    def keep(self, stored: str, file: FirmwareFile) -> None:
        self.books.files.append(Kept(stored, file))

    def in_use(self, name: str, now: datetime) -> str | None:
        """The charger that fetches this file now; None: nobody does."""
        kept = self.find(name)
        grants = (g for g in self.books.grants if g.until > now and kept is not None)
        return next((g.charger for g in grants if kept and g.stored == kept.stored), None)

    def drop(self, name: str) -> str:
        """Forget a file; where it lies."""
        kept = self.find(name)
        self.books.files = [one for one in self.books.files if one.file.name != name]
        return kept.stored if kept else ""

    # -- tokens ----------------------------------------------------------------------------------

    def grant(
        self, charger: str, token: str, address: str, now: datetime, stored: str = ""
    ) -> None:
        """A charger may fetch `stored` (empty: leave something) for an hour; whatever it might do
        before of the same kind is over.
        """
        self._end(charger, stored=bool(stored), now=now)
        self.books.grants.append(
            Grant(charger, digest_of(token), address, now + TOKEN_FOR, stored)
        )

    def open(self, token: str, source: str, here: str, now: datetime) -> Grant | None:
        """What this token opens for this address. `here`: where its charger is linked from now."""
        digest = digest_of(token)
        for grant in self.books.grants:
            if grant.digest == digest and grant.until > now:
                return grant if _alike(source, grant.address) or _alike(source, here) else None
        return None

    def charger_of(self, token: str) -> str:
        """Whose token this is; empty: nobody's."""
        digest = digest_of(token)
        return next((g.charger for g in self.books.grants if g.digest == digest), "")

    def _end(self, charger: str, *, stored: bool, now: datetime) -> None:
        self.books.grants = [
            g for g in self.books.grants
            if g.until > now and (g.charger != charger or bool(g.stored) is not stored)
        ]  # fmt: skip

    def end(self, charger: str, *, diagnostics: bool, now: datetime) -> None:
        """Its token holds no longer."""
        self._end(charger, stored=not diagnostics, now=now)

    # -- updates ---------------------------------------------------------------------------------

    def is_updating(self, charger: str, now: datetime) -> bool:
        """Whether an update of it is under way, as far as it has told."""
        return any(
            g.charger == charger and g.stored and g.until > now for g in self.books.grants
        )

    def note(
        self, charger: str, file: str, state: UpdateState, at: str, *, text: str = "",
        before: str = "",
    ) -> None:  # fmt: skip
        """A new update of a charger, or one that was not begun."""
        self.books.updates.pop(charger, None)  # the newest come last
        self.books.updates[charger] = FirmwareUpdate(charger, file, state, at, text, before)
        while len(self.books.updates) > KEPT_MAX:
            self.books.updates.pop(next(iter(self.books.updates)))

    def goes(self, charger: str, status: str, at: str, now: datetime) -> bool:
        """What a charger says of its update; False: none of ours is meant."""
        update = self.books.updates.get(charger)
        state: UpdateState | None = "fetched" if status == "fetched" else STATES.get(status)
        if update is None or state is None or update.state in ENDS:
            return False
        if state == "fetched" and update.state != "sent":
            return False  # it has said more itself
        self.books.updates[charger] = msgspec.structs.replace(update, state=state, at=at)
        if state in ENDS:
            self.end(charger, diagnostics=False, now=now)
        return True

    def shown(self, versions: Mapping[str, str], now: datetime) -> tuple[FirmwareUpdate, ...]:
        """All updates, the newest first, with the version that each charger has now."""
        return tuple(
            msgspec.structs.replace(
                one, now=versions.get(one.charger, ""),
                state=one.state if one.state in ENDS or self.is_updating(one.charger, now)
                else "over",
            )
            for one in reversed(self.books.updates.values())
        )  # fmt: skip

    # -- diagnostics -----------------------------------------------------------------------------

    def asked(self, charger: str, at: str) -> str:
        """A charger was asked for its diagnostics; where those lie that this replaces."""
        old = self.books.left.pop(charger, None)
        self.books.left[charger] = Left(DiagnosticsView(charger, "sent", at))
        stored = old.stored if old else ""
        if len(self.books.left) > DIAGNOSTICS_MAX and not stored:
            stored = self.books.left.pop(next(iter(self.books.left))).stored
        return stored

    def uploads(self, charger: str, status: str, at: str) -> bool:
        """What a charger says of its diagnostics; False: none of ours is meant."""
        left = self.books.left.get(charger)
        words: dict[str, Literal["Uploading", "Uploaded", "UploadFailed"]] = {
            "Uploading": "Uploading", "Uploaded": "Uploaded", "UploadFailed": "UploadFailed",
        }  # fmt: skip
        if left is None or left.stored or status not in words:
            return False
        left.view = msgspec.structs.replace(left.view, state=words[status], at=at)
        return True

    def came(self, charger: str, stored: str, size: int, name: str, at: str) -> str:
        """Something was left; where that lies which it replaces."""
        left = self.books.left.get(charger)
        old = left.stored if left else ""
        view = DiagnosticsView(charger, "kept", at, name, size)
        self.books.left[charger] = Left(view, stored)
        return old

    def diagnostics(self, now: datetime) -> tuple[DiagnosticsView, ...]:
        """All of them, the newest first; what was asked for and has not come in time is over."""
        waits = {g.charger for g in self.books.grants if not g.stored and g.until > now}
        return tuple(
            one.view if one.view.state == "kept" or one.view.charger in waits
            else msgspec.structs.replace(one.view, state="over")
            for one in reversed(self.books.left.values())
        )  # fmt: skip

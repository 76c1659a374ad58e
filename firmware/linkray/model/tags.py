"""What is said of a tag: the word between the room that knows tags and the room that asks."""

from __future__ import annotations

from typing import Literal

import msgspec


class Decision(msgspec.Struct, frozen=True):
    """Whether a tag may charge, why not, and by whose word it may."""

    status: Literal["Accepted", "Blocked", "Invalid"]
    authorised_by: str = ""  # open, whitelist, hand, csms, payment; empty: nobody
    text: str = ""  # why not, for the log
    vip: bool = False  # its session is high priority (access.md, RFID)

    @property
    def accepted(self) -> bool:
        return self.status == "Accepted"

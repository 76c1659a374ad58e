"""Every passport that is known, by vendor, model and firmware; one for all links of the house."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from linkray.model.facts import LeaseProven, ObeyTimeKnown
from linkray.model.passport import (
    OF_A_CHARGER,
    VERSION,
    Passport,
    PassportFile,
    PassportNow,
    is_of,
)
from linkray.model.records import ChargerSeen, PassportForgotten, PassportFound
from linkray.model.views import ChargerView

from .inquiry import Inquiry, make_of
from .quirks import Quirks

Make = tuple[str, str, str]
WAITS = "waits until it is connected"


class Shelf:
    """The passports in memory, as they are on disk."""

    def __init__(self) -> None:
        self._kept: dict[Make, Passport] = {}

    def load(self, passports: Iterable[Passport]) -> None:
        """What the disk has, at the start."""
        self._kept = {one.make: one for one in passports}

    def of(self, vendor: str, model: str, firmware: str) -> Passport:
        """What is known of this make; nothing yet is a passport without findings."""
        make = (vendor, model, firmware)
        return self._kept.get(make) or Passport(*make)

    def found(self, record: PassportFound | PassportForgotten) -> Passport:
        """What was written down counts for all of the make from now on."""
        passport = self.of(record.vendor, record.model, record.firmware)
        if isinstance(record, PassportFound):
            passport = passport.with_findings(record.findings)
        else:
            passport = passport.without(record.charger)
        self._kept[passport.make] = passport
        return passport

    def take(self, passports: Iterable[Passport]) -> list[Passport]:
        """Imported ones, laid over what is there."""
        return [
            self.found(PassportFound(*one.make, one.findings)) for one in passports
        ]

    def forget_charger(self, charger: str) -> None:
        """A charger was deleted: what was proved on it goes with it."""
        for make, passport in self._kept.items():
            kept = tuple(
                f for f in passport.findings
                if f.what not in OF_A_CHARGER or not is_of(f, charger)
            )  # fmt: skip
            if len(kept) < len(passport.findings):
                self._kept[make] = msgspec.structs.replace(passport, findings=kept)

    def file(self) -> PassportFile:
        """All that is known of anything, as exported."""
        known = [one for one in self._kept.values() if one.findings]
        return PassportFile(VERSION, tuple(sorted(known, key=lambda one: one.make)))

    def proofs(self, seen: ChargerSeen, now: float) -> list[LeaseProven | ObeyTimeKnown]:
        """What was proved on this very charger, for the balancer, before it is connected."""
        passport, charger = self.of(*make_of(seen)), seen.charger
        facts: list[LeaseProven | ObeyTimeKnown] = []
        lease, obey_s = passport.get("lease", charger), passport.get("obey", charger)
        if lease is not None:
            facts.append(LeaseProven(charger, now, lease == "honoured"))
        if obey_s is not None:
            facts.append(ObeyTimeKnown(charger, float(obey_s), now))
        return facts

    def now(self, seen: ChargerSeen, quirks: Quirks, view: ChargerView | None) -> PassportNow:
        """One charger's passport with the rules that follow from it."""
        inquiry = Inquiry(seen.charger, quirks, self.of(*make_of(seen)))
        connected = view is not None and view.connected
        return PassportNow(
            seen.charger, inquiry.passport, inquiry.entry.name or None, inquiry.why,
            inquiry.entry.seen, inquiry.rules,
            probing=view.probing if view is not None and connected else WAITS,
            profile_writes=0 if view is None else view.profile_writes,
            writes_a_day=inquiry.quirk.writes_a_day if view is None else view.writes_a_day,
        )  # fmt: skip


def of_make(seen: Mapping[str, ChargerSeen], make: Make) -> list[str]:
    """The chargers that say they are of this make."""
    return [charger for charger, one in seen.items() if make_of(one) == make]

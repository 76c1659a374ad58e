"""What a make does its own way, as data: parses quirk files, says which entry holds for a charger.

Reading the files from disk is `app.py`'s (house.md, The floors).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which chargers an entry is for: every key given must hold, upper and lower case alike.

    A text may end in `*` (begins with) or hold it (anything between). `firmware_from` and
    `firmware_to` are dotted numbers, both included.
    """

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    firmware_from: str = ""
    firmware_to: str = ""


class Quirk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry: what differs from the rule, why, and where it was seen.

    One key waits for its use: `unlock`.
    """

    name: str = ""  # the file's, shown on the charger's page; empty: the plain rule
    match: tuple[Match, ...] = ()
    why: str = ""
    seen: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()  # rows of quirks.md, and former names of this entry
    given: tuple[str, ...] = ()  # the keys that its file holds: those of a site beat the passport

    # the form of a profile
    rate_unit: Literal["A", "W"] | None = None  # forced
    kind: Literal["Relative", "Absolute"] | None = None  # forced
    tx_profile: bool = True  # False: TxDefaultProfile also during a transaction
    tx_profile_from: Literal["start", "Charging"] = "start"  # TxProfile not before this status
    charge_point_max: bool = True  # False: no ChargePointMaxProfile
    connector_zero: bool = False  # its one socket's profiles go to connector 0
    stack_level: Annotated[int, Meta(ge=0)] | None = None  # this level, and no pair
    stack_level_below_max: Annotated[int, Meta(ge=0)] = 0  # this many under the reported maximum
    relative_from_start: bool = True  # False: a Relative TxProfile counts from its arrival
    two_periods: bool = True  # False: a stacked pair
    number_phases: bool = True  # False: left out

    # amounts
    step_ma: Literal[100, 1000] = 100  # 1000: whole amps
    steps_ma: tuple[Annotated[int, Meta(ge=1)], ...] = ()  # the only values it knows
    min_ma: Annotated[int, Meta(ge=0)] | None = None  # least it charges with; below it is 0
    min_w: Annotated[int, Meta(ge=0)] | None = None
    # `stays`: 0 does not resume cleanly; `never`: must not be told 0, a stop brings it there
    zero: Literal["pauses", "stays", "never"] = "pauses"

    # the conversation
    twice_after_zero: bool = False  # the first limit after 0 is sent twice
    resend_on_connect: bool = False  # before anything else
    clear_first: bool = False  # ClearChargingProfile of everything before the first profile
    measurands: tuple[str, ...] = ()  # this list as it is, no trial; empty: the trial
    sampled_writable: bool = True  # False: MeterValuesSampledData is not written
    interval_s_min: Annotated[int, Meta(ge=0)] = 0  # MeterValueSampleInterval not below
    dead_man_s: Annotated[int, Meta(ge=0)] | None = None  # instead of the site's; 0: none
    writes_a_day: Annotated[int, Meta(ge=1)] | None = None  # profile writes it stands (writes.py)
    boot_grace_s: Annotated[int, Meta(ge=0)] = 10  # how long to wait for BootNotification
    # False: after a stop the car must be unplugged; where 0 A leaves it suspended, it is told 0 A
    # all the same and never stopped for that
    stop_to_pause: bool = True
    needs_remote_start: bool = False  # a car that is plugged in and let in begins by RemoteStart
    unlock: bool = True  # False: UnlockConnector is not offered
    change_availability: bool = True  # False: ChangeAvailability is not sent (INV-10's last step)
    key_delay_s: Annotated[int, Meta(ge=0)] = 0  # AuthorizationKey not before: it reboots on it
    hint: str = ""  # what the installer should set or know, shown on its page


PLAIN = Quirk()
MATCHED_MAX = 1_000  # makes whose entry is remembered


class BadQuirk(ValueError):
    """A quirk file that cannot be; names the file and the key."""


class Quirks:
    """All entries; a site's beat the shipped ones where both match equally well."""

    def __init__(self, shipped: tuple[Quirk, ...] = (), site: tuple[Quirk, ...] = ()) -> None:
        self.entries = (*site, *shipped)
        self._of_site = len(site)
        self._matched: dict[tuple[str, str, str], Quirk] = {}

    def match(self, vendor: str, model: str, firmware: str) -> Quirk:
        """The entry in force; `PLAIN` where none matches. Most specific wins."""
        make = vendor, model, firmware
        found = self._matched.get(make)
        if found is None:
            if len(self._matched) >= MATCHED_MAX:
                self._matched.clear()
            found = self._matched[make] = self._best(*make)
        return found

    def _best(self, vendor: str, model: str, firmware: str) -> Quirk:
        best, best_rank = PLAIN, NO_MATCH
        for entry in self.entries:
            entry_rank = rank(entry, vendor, model, firmware)
            if entry_rank > best_rank:
                best, best_rank = entry, entry_rank
        return best

    def is_sites(self, entry: Quirk) -> bool:
        """Whether an entry is one of the site's own files."""
        return any(entry is one for one in self.entries[: self._of_site])

    def why(self, vendor: str, model: str, firmware: str) -> str:
        """`abb-terra-ac: refuses the highest …`, for the page; empty without entry."""
        entry = self.match(vendor, model, firmware)
        return f"{entry.name}: {entry.why}" if entry.name else ""


def load(shipped: Mapping[str, str], site: Mapping[str, str] | None = None) -> Quirks:
    """Entries from file texts by file name; raises `BadQuirk`."""
    return Quirks(
        tuple(parse(name, text) for name, text in shipped.items()),
        tuple(parse(name, text) for name, text in (site or {}).items()),
    )


def parse(name: str, text: str) -> Quirk:
    """One file's entry, named after the file; raises `BadQuirk`."""
    try:
        told = tomllib.loads(text)
        entry = msgspec.convert(told, type=Quirk)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadQuirk(f"{name}: {error}") from None
    for key in ("name", "given"):
        if key in told:
            raise BadQuirk(f"{name}: expected no {key} in the file, got {told[key]!r} - at $.{key}")
    if not entry.match:
        raise BadQuirk(f"{name}: expected at least one [[match]], got none - at $.match")
    for place, one in enumerate(entry.match):
        if not (one.vendor.strip("* ") or one.model.strip("* ")):
            raise BadQuirk(f"{name}: expected a vendor or a model - at $.match[{place}]")
        for key, bound in (("from", one.firmware_from), ("to", one.firmware_to)):
            if bound and not _version(bound):
                raise BadQuirk(
                    f"{name}: expected dotted numbers, got {bound!r} - at "
                    f"$.match[{place}].firmware_{key}"
                )
    for key in ("why", "seen"):
        if not getattr(entry, key):
            raise BadQuirk(f"{name}: expected {key}, got nothing - at $.{key}")
    if entry.stack_level is not None and entry.stack_level_below_max:
        raise BadQuirk(f"{name}: stack_level and stack_level_below_max exclude each other")
    return msgspec.structs.replace(
        entry, name=name.removesuffix(".toml"), given=tuple(sorted(told))
    )


Rank = tuple[int, int, int]  # kinds of keys that hold, how exactly the firmware, letters
NO_MATCH: Rank = (0, 0, 0)


def rank(entry: Quirk, vendor: str, model: str, firmware: str) -> Rank:
    """How specifically an entry matches; `NO_MATCH` where it does not."""
    return max((_rank(one, vendor, model, firmware) for one in entry.match), default=NO_MATCH)


def _rank(match: Match, vendor: str, model: str, firmware: str) -> Rank:
    pairs = ((match.vendor, vendor), (match.model, model), (match.firmware, firmware))
    if not all(_fits(pattern, text) for pattern, text in pairs if pattern):
        return NO_MATCH
    if not _within(match.firmware_from, match.firmware_to, firmware):
        return NO_MATCH
    bounds = bool(match.firmware_from) + bool(match.firmware_to)
    exact = 3 if match.firmware or match.firmware_from == match.firmware_to else bounds
    exact = exact if match.firmware or bounds else 0
    kinds = bool(match.vendor) + bool(match.model) + (exact > 0)
    return kinds, exact, sum(len(pattern.replace("*", "")) for pattern, _ in pairs)


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is what the pattern says, case and outer spaces aside."""
    parts = (re.escape(part) for part in pattern.strip().casefold().split("*"))
    return re.fullmatch(".*".join(parts), text.strip().casefold(), re.DOTALL) is not None


def _within(lowest: str, highest: str, firmware: str) -> bool:
    """Whether a firmware lies between two versions, both included; without numbers it does not."""
    if not (lowest or highest):
        return True
    version = _version(firmware)
    if not version:
        return False
    if lowest and version < _version(lowest):
        return False
    return not highest or version[: len(_version(highest))] <= _version(highest)


def _version(text: str) -> tuple[int, ...]:
    """The numbers of a version, `V1.8.21-rc` → (1, 8, 21)."""
    found = re.search(r"[0-9]{1,9}(?:[._][0-9]{1,9})*", text)
    return tuple(int(part) for part in re.split(r"[._]", found[0])) if found else ()

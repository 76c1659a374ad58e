"""What LinkRay has found out of a charger by itself: findings with evidence (chargers.md).

A passport belongs to vendor, model and firmware. Findings whose `about` is a charger's identity
(`lease`, `obey`) or a connector of it (`own_limit`) hold for that charger alone; every other holds
for its whole make.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from linkray.model.plain import in_plain

VERSION = 1  # of the exported file; a higher one is refused by name
PASSPORTS_MAX = 1_000
FINDINGS_MAX = 200  # of one passport; the oldest of what is about chargers falls out first
What = Literal[
    "form", "refused", "level", "unit", "zero", "draws_at", "idle_at", "step", "measurands",
    "interval", "relative", "lease", "obey",
    "own_limit",
]  # fmt: skip
OF_A_CHARGER: frozenset[str] = frozenset({"lease", "obey", "own_limit"})
WORDS: dict[str, str] = {  # for the page
    "form": "form of profile",
    "refused": "form not usable",
    "level": "stack level",
    "unit": "unit of profiles",
    "zero": "at 0 A",
    "draws_at": "seen drawing at",
    "idle_at": "draws nothing at",
    "step": "rounds to",
    "measurands": "meter values",
    "interval": "interval of meter values",
    "relative": "Relative counts from",
    "lease": "steps down when its profile runs out",
    "obey": "obeys within",
    "own_limit": "draws no more than",
}
FOUND: dict[str, re.Pattern[str]] = {  # what `found` may be
    "form": re.compile(r"[A-Za-z]+/(Relative|Absolute)/[AW]/(2|pair|1)(/whole|/level0)*"),
    "refused": re.compile(r"(Rejected|NotSupported|not answered|not obeyed)"),
    "level": re.compile(r"[0-9]{1,3}"),
    "unit": re.compile(r"[AW]"),
    "zero": re.compile(r"(pauses|stays|stops|ignored)"),
    "draws_at": re.compile(r"[0-9]{1,7}"),
    "idle_at": re.compile(r"[0-9]{1,7}"),
    "step": re.compile(r"1000"),
    "measurands": re.compile(r"[A-Za-z.,]{1,400}"),
    "interval": re.compile(r"[0-9]{1,5}"),
    "relative": re.compile(r"(start|arrival)"),
    "lease": re.compile(r"(honoured|not honoured)"),
    "obey": re.compile(r"[0-9]{1,3}(\.[0-9])?"),
    "own_limit": re.compile(r"([0-9]{1,7}|none)"),
}

Text = Annotated[str, Meta(max_length=200)]


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing found, with its evidence: when, at which charger, what was offered and measured.

    `zero`: what 0 A does: `pauses` cleanly, `stays` suspended, `stops` the session, `ignored`.
    `draws_at`, `idle_at`, `step`, `own_limit` in mA (the last is `none` where it was taken back);
    `interval`, `obey` in seconds. `form`: about `session` or `default`; `refused`: about the
    form's key; `lease`, `obey`: about a charger's identity; `own_limit`: about its connector.
    """

    what: What
    found: Annotated[str, Meta(min_length=1, max_length=400)]
    about: Text = ""
    at: Text = ""  # UTC
    charger: Text = ""
    offered: Text = ""
    measured: Text = ""

    @property
    def key(self) -> tuple[str, str]:
        """What a newer finding of the same thing replaces."""
        return self.what, self.about


class Passport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of one vendor, model and firmware."""

    vendor: Text
    model: Text
    firmware: Text = ""
    findings: Annotated[tuple[Finding, ...], Meta(max_length=FINDINGS_MAX)] = ()

    @property
    def make(self) -> tuple[str, str, str]:
        return self.vendor, self.model, self.firmware

    def get(self, what: What, about: str = "") -> str | None:
        """What was found; None: nothing yet."""
        for f in self.findings:
            if f.what == what and f.about == about:
                return f.found
        return None

    def refused(self) -> frozenset[str]:
        """Forms that this make refused, did not answer or did not obey, and was not seen to since.

        One that it did not obey stands there also by its `base`.
        """
        good = {f.found for f in self.findings if f.key == ("form", "session")}
        keys = {f.about for f in self.findings if f.what == "refused"} - good
        ignored = {f.about for f in self.findings if f.found == "not obeyed"} & keys
        return frozenset(keys | {base(key) for key in ignored if base(key) not in map(base, good)})

    def with_findings(self, new: tuple[Finding, ...]) -> Passport:
        """The newer of each thing; what is new comes last, the oldest of too many falls out."""
        fresh = {f.key for f in new}
        kept = [*(f for f in self.findings if f.key not in fresh), *new]
        while len(kept) > FINDINGS_MAX:
            first = min(kept, key=lambda f: 0 if f.what == "own_limit" else
                        1 if f.what in OF_A_CHARGER else 2)  # fmt: skip  # no proof for a notice
            kept.remove(first)
        return msgspec.structs.replace(self, findings=tuple(kept))

    def without(self, charger: str) -> Passport:
        """What is left when this charger is to be probed again: nothing that probing finds."""
        kept = tuple(f for f in self.findings if not is_probed(f, charger))
        return msgspec.structs.replace(self, findings=kept)


def is_probed(finding: Finding, charger: str) -> bool:
    """Whether probing a charger anew finds this anew."""
    if finding.what in OF_A_CHARGER:
        return is_of(finding, charger)
    return finding.what in ("refused", "form", "zero", "relative")


def is_of(finding: Finding, charger: str) -> bool:
    """Whether it holds for this charger, of all findings of its make."""
    if finding.what == "own_limit":  # about a connector
        return finding.charger == charger
    return finding.what not in OF_A_CHARGER or finding.about == charger


def base(form: str) -> str:
    """A form without its periods: what is not obeyed is not obeyed in two periods or in one."""
    return "/".join(form.split("/")[:3])


class PassportFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Passports as exported and imported."""

    version: int
    passports: Annotated[tuple[Passport, ...], Meta(max_length=PASSPORTS_MAX)]


class BadPassports(ValueError):
    """A file that cannot be: the message names the path, what was expected and what came."""


def read_passports(raw: bytes | str) -> tuple[Passport, ...]:
    """A file's passports, checked whole, without what counts for single chargers only.

    What was proved on a charger of another site is no proof here (balancing.md, Dead-man). Raises
    `BadPassports`.
    """
    try:
        file = msgspec.json.decode(raw, type=PassportFile)
    except msgspec.ValidationError as error:
        raise BadPassports(in_plain(error)) from None
    except msgspec.DecodeError as error:
        raise BadPassports(f"Expected passports, got no JSON: {in_plain(error)}") from None
    except RecursionError:
        raise BadPassports("Expected passports, got lists or objects nested without end") from None
    if not 1 <= file.version <= VERSION:
        raise BadPassports(f"Expected passports of version {VERSION}, got {file.version} "
                           "- at $.version")  # fmt: skip
    seen: set[tuple[str, str, str]] = set()
    for place, passport in enumerate(file.passports):
        path = f"$.passports[{place}]"
        if not (passport.vendor or passport.model):
            raise BadPassports(f"Expected a vendor or a model - at {path}.vendor")
        if passport.make in seen:
            raise BadPassports(f"{' '.join(passport.make)} is given twice - at {path}")
        seen.add(passport.make)
        check_findings(passport.findings, path)
    return tuple(
        msgspec.structs.replace(
            one, findings=tuple(f for f in one.findings if f.what not in OF_A_CHARGER)
        )
        for one in file.passports
    )


def check_findings(findings: tuple[Finding, ...], path: str) -> None:
    """Whether each says something that can be found; raises `BadPassports`."""
    keys: set[tuple[str, str]] = set()
    for place, finding in enumerate(findings):
        where = f"{path}.findings[{place}]"
        if not FOUND[finding.what].fullmatch(finding.found):
            raise BadPassports(
                f"Expected {FOUND[finding.what].pattern} for {finding.what}, got "
                f"{finding.found[:40]!r} - at {where}.found"
            )
        needs_about = finding.what in ("form", "refused", *OF_A_CHARGER)
        if needs_about != bool(finding.about):
            told = "something" if needs_about else "nothing"
            raise BadPassports(f"Expected {told}, got {finding.about[:40]!r} - at {where}.about")
        if finding.key in keys:
            raise BadPassports(f"{finding.what} {finding.about} is given twice - at {where}")
        keys.add(finding.key)


class PassportNow(msgspec.Struct, frozen=True):
    """What `ReadPassport` answers: a charger's passport and the rules that follow from it."""

    charger: str
    passport: Passport
    quirk: str | None = None  # the entry of the quirk table in force
    why: str = ""  # what that entry says of itself
    seen: tuple[str, ...] = ()  # where that was seen (quirks.md)
    rules: tuple[str, ...] = ()  # what differs from the plain rule, each with where it is from
    probing: str = ""  # what is being tried, or why nothing is
    profile_writes: int = 0  # today
    writes_a_day: int | None = None  # the budget; None: none


assert set(FOUND) == set(WORDS) == set(get_args(What))

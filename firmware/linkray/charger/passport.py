"""Finds out what a charger does: what it was told, held against what it then drew (chargers.md).

`Watch` is the passport's core for one connector: told what was accepted and what was measured, it
gives findings with their evidence. `in_force` lays the passport over the quirk table: a site's own
entry beats the passport, the passport beats the shipped table where it has measured evidence.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from linkray.model.passport import WORDS, Finding, Passport, What, is_of
from linkray.model.views import PassportLine

from .quirks import PLAIN, Quirk

OBEY_S = 10.0  # trust.md 1: until learnt; a sample before it is over contradicts nothing
IGNORED_SAMPLES = 2  # quirks.md, Order of attempts 4: verified within two samples
NEAR_MA = 1_500  # a current so close under its limit is held by it
BOUND_MA = 2_000  # a limit so far under the maximum binds
DRAWS_MA = 3_000  # more than this is charging
IDLE_MA = 500
LEAST_MA = 6_000  # IEC 61851
IDLE_S = 30.0  # for so long nothing at a limit above 0, and the charger's own doing
SETTLED_S = 8.0  # a sample so long after the answer shows the limit at work
FINER_MA = 500  # a lower `draws_at` is worth a line from this on
EVENTS = 5  # cuts whose time is remembered
CUTS_MAX = 8  # of a connector that follow each other before any is seen at work
LOOSE_S = 6.0  # a cut seen no closer than this says only that it took no less
OBEY_S_MIN = 5.0  # trust.md 1: never below
OBEY_S_MAX = 120.0
WHOLE_MA = 1_000
OFF_MA = 120  # what a measurement may be off where amps are whole
GAPS = 4  # between values of the same kind, until their interval is said
MEASURANDS_AFTER = 3  # messages with the same ones


class Told(NamedTuple):
    """A profile that was accepted in a session: what it says and in which form."""

    form: str
    level: int
    limit_ma: int  # highest of its phases, at the site
    most_ma: int  # the charger's maximum
    at: float
    connector: int = 1


class Evidence(NamedTuple):
    """Where and when something is found."""

    charger: str
    utc: str

    def finding(
        self, what: What, found: str, about: str = "", offered: str = "", measured: str = ""
    ) -> Finding:
        return Finding(what, found, about, self.utc, self.charger, offered[:200], measured[:200])


class Watch:
    """What one connector's obedience shows. Each method gives what it has just shown."""

    __slots__ = ("_before_ma", "_cuts", "_gaps", "_idle", "_messages", "_names", "_over",
                 "_over_at", "_over_ma", "_periodic_at", "_since_ma", "_steps", "_told",
                 "_took")  # fmt: skip

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=EVENTS)
        self._names: tuple[str, ...] = ()
        self._messages = 0
        self._gaps: deque[float] = deque(maxlen=GAPS)
        self._periodic_at: float | None = None
        self._steps: set[int] = set()
        self.forget()

    def forget(self) -> None:
        """A session ended, or something else than an offer rules: nothing is held against it."""
        self._told: Told | None = None
        self._before_ma: int | None = None
        self._since_ma: int | None = None  # the newest sample since it was told
        self._cuts: list[tuple[int, float]] = []  # limits, and since when, not seen at work yet
        self._over = self._over_ma = 0
        self._over_at = 0.0
        self._idle = 0

    @property
    def stands(self) -> Told | None:
        """What the running session was told last, and since when."""
        return self._told

    @property
    def is_cut(self) -> bool:
        """Whether a lower limit was accepted that has not been seen at work yet."""
        return self._told is not None and self._fell_from() is not None

    def told(self, told: Told, drawn_ma: int | None) -> None:
        """A profile of the running session was accepted, while so much was drawn."""
        if self._told is not None and self._told[:3] == told[:3]:
            return  # a renewal
        if not self.is_cut or (self._told is not None and told.limit_ma >= self._told.limit_ma):
            self._cuts.clear()
        self._told = told
        self._before_ma, self._since_ma = drawn_ma, None
        self._over = self._idle = 0
        if self.is_cut and len(self._cuts) < CUTS_MAX:
            self._cuts.append((told.limit_ma, told.at))

    def sampled(
        self, drawn_ma: int, status: str | None, passport: Passport, seen: Evidence, now: float
    ) -> list[Finding]:
        """What the connector draws now, on its busiest phase."""
        told = self._told
        if told is None or now < told.at:
            return []
        found: list[Finding] = []
        after = f"{_amps(drawn_ma)} after {now - told.at:.0f} s"
        if drawn_ma > told.limit_ma + tolerance(told.limit_ma):
            found += self._too_much(told, drawn_ma, after, passport, seen, now)
        else:
            cut = self._fell_from()
            if cut is not None:
                found += self._obeyed_in(told, cut, drawn_ma, passport, seen, now)
                self._cuts.clear()
            if cut is not None or self._is_held(told, drawn_ma, now):
                found += _obeys(told, cut, after, passport, seen)
            found += self._nothing(told, drawn_ma, status, after, passport, seen, now)
            found += self._lowest(told, drawn_ma, status, after, passport, seen, now)
            found += self._rounds(told, drawn_ma, after, passport, seen, now)
            self._over = 0
        self._since_ma = drawn_ma
        return found

    def _fell_from(self) -> int | None:
        """What it drew before a lower limit, until that was seen at work."""
        told, before = self._told, self._before_ma
        if told is None or before is None or before <= told.limit_ma + tolerance(told.limit_ma):
            return None
        if self._since_ma is not None and self._since_ma <= told.limit_ma + tolerance(
            told.limit_ma
        ):
            return None
        return before

    def _too_much(
        self, told: Told, drawn_ma: int, after: str, passport: Passport, seen: Evidence,
        now: float,
    ) -> list[Finding]:  # fmt: skip
        self._over_at, self._over_ma = now, drawn_ma
        self._over += 1
        obeys_s = float(passport.get("obey", seen.charger) or OBEY_S)
        if self._over < IGNORED_SAMPLES or now < told.at + max(OBEY_S, obeys_s):
            return []
        if passport.get("refused", told.form) is not None:
            return []
        return [seen.finding("refused", "not obeyed", told.form,
                             f"{_amps(told.limit_ma)}, accepted", after)]  # fmt: skip

    def _nothing(
        self, told: Told, drawn_ma: int, status: str | None, after: str, passport: Passport,
        seen: Evidence, now: float,
    ) -> list[Finding]:  # fmt: skip
        """A raise that the charger itself holds back: no form of it has ever been obeyed."""
        holds = status == "SuspendedEVSE" and drawn_ma < IDLE_MA and told.limit_ma >= LEAST_MA
        self._idle = self._idle + 1 if holds else 0
        if (
            self._idle < IGNORED_SAMPLES
            or now < told.at + OBEY_S
            or passport.get("form", "session") is not None
            or passport.get("refused", told.form) is not None
        ):
            return []
        return [seen.finding("refused", "not obeyed", told.form,
                             f"{_amps(told.limit_ma)}, accepted", after)]  # fmt: skip

    def _is_held(self, told: Told, drawn_ma: int, now: float) -> bool:
        """Whether the limit, and not the car, is what holds the current."""
        return (
            now >= told.at + SETTLED_S
            and told.limit_ma <= told.most_ma - BOUND_MA
            and 0 < told.limit_ma - NEAR_MA <= drawn_ma
        )

    def _obeyed_in(
        self, told: Told, from_ma: int, drawn_ma: int, passport: Passport, seen: Evidence,
        now: float,
    ) -> list[Finding]:  # fmt: skip
        """How soon a cut was obeyed (balancing.md, Reserves): the slowest of the last few. Of cuts
        that followed each other the earliest that this current may have obeyed: a late charger gets
        no new clock by being cut again.
        """
        limit_ma, since = next(
            (cut for cut in self._cuts if cut[0] - tolerance(cut[0]) <= drawn_ma), self._cuts[0]
        ) if self._cuts else (told.limit_ma, told.at)  # fmt: skip
        took_s = now - since
        was_over = self._over and self._over_ma > limit_ma + tolerance(limit_ma)
        at_least_s = self._over_at - since if was_over else 0.0
        known = passport.get("obey", seen.charger)
        if took_s - at_least_s > LOOSE_S:  # seen too late to say more than that
            if known is None or at_least_s <= float(known):
                return []
            took_s = at_least_s
        self._took.append(took_s)
        slowest = round(min(OBEY_S_MAX, max(OBEY_S_MIN, *self._took)), 1)
        if known is not None and len(self._took) < EVENTS:
            slowest = max(slowest, float(known))  # of earlier sessions
        if known is not None and abs(slowest - float(known)) < 1.0:
            return []
        return [seen.finding("obey", f"{slowest:g}", seen.charger,
                             f"{_amps(limit_ma)} instead of {_amps(from_ma)}",
                             f"{_amps(drawn_ma)} after {took_s:.0f} s")]  # fmt: skip

    def _lowest(
        self, told: Told, drawn_ma: int, status: str | None, after: str, passport: Passport,
        seen: Evidence, now: float,
    ) -> list[Finding]:  # fmt: skip
        """With how little it charges, and with how much it does not."""
        limit = told.limit_ma
        if limit <= 0:
            return []
        if now >= told.at + SETTLED_S and drawn_ma >= max(DRAWS_MA, limit - NEAR_MA):
            known = passport.get("draws_at")
            if known is None or limit <= int(known) - FINER_MA:
                return [seen.finding("draws_at", str(limit), "", _amps(limit), after)]
        if now >= told.at + IDLE_S and drawn_ma < IDLE_MA and status == "SuspendedEVSE":
            known = passport.get("idle_at")
            if known is None or limit >= int(known) + FINER_MA:
                return [seen.finding("idle_at", str(limit), "", _amps(limit), after)]
        return []

    def _rounds(
        self, told: Told, drawn_ma: int, after: str, passport: Passport, seen: Evidence, now: float
    ) -> list[Finding]:
        """Whether it rounds a limit up to whole amps: then it must be told whole ones."""
        up_ma = math.ceil(told.limit_ma / WHOLE_MA) * WHOLE_MA
        if (
            passport.get("step") is not None
            or now < told.at + SETTLED_S
            or up_ma - told.limit_ma <= OFF_MA
            or abs(drawn_ma - up_ma) > OFF_MA
        ):
            return []
        self._steps.add(up_ma)
        if len(self._steps) < IGNORED_SAMPLES:
            return []
        return [seen.finding("step", str(WHOLE_MA), "", _amps(told.limit_ma), after)]

    def values(
        self, names: Iterable[str], *, periodic: bool, passport: Passport, seen: Evidence,
        now: float,
    ) -> list[Finding]:  # fmt: skip
        """A MeterValues came, with these measurands."""
        found: list[Finding] = []
        said = tuple(sorted(set(names)))
        self._messages = self._messages + 1 if said == self._names else 1
        self._names = said
        text = ",".join(said)
        if self._messages == MEASURANDS_AFTER and said and text != passport.get("measurands"):
            found.append(seen.finding("measurands", text[:400], measured=f"in {self._messages} "
                                      "messages running"))  # fmt: skip
        if not periodic:
            return found
        if self._periodic_at is not None:
            self._gaps.append(now - self._periodic_at)
        self._periodic_at = now
        if len(self._gaps) == GAPS and max(self._gaps) - min(self._gaps) <= 2.0:
            every_s = round(sum(self._gaps) / GAPS)
            if every_s >= 1 and str(every_s) != passport.get("interval"):
                found.append(seen.finding("interval", str(every_s),
                                          measured=f"{GAPS} values running"))  # fmt: skip
        return found


def _obeys(
    told: Told, cut_ma: int | None, after: str, passport: Passport, seen: Evidence
) -> list[Finding]:
    """The form that was accepted and obeyed, with its level and unit."""
    offered = _amps(told.limit_ma) + (f" instead of {_amps(cut_ma)}" if cut_ma is not None else "")
    unit = told.form.split("/")[2]
    rows: tuple[tuple[What, str, str], ...] = (("form", told.form, "session"), ("unit", unit, ""))
    if told.connector == 1:  # each further one stands a level lower (manual, 1.3.2)
        rows = (*rows, ("level", str(told.level), ""))
    return [
        seen.finding(what, found, about, offered, after)
        for what, found, about in rows
        if passport.get(what, about) != found
    ]


def tolerance(limit_ma: int) -> int:
    """How much above its limit still obeys (decided.md, Not obeying)."""
    return max(1_000, limit_ma // 20)


def _amps(ma: int) -> str:
    return f"{ma / 1000:.1f} A"


# -- what follows from it --------------------------------------------------------------------------


def in_force(entry: Quirk, passport: Passport, *, is_sites: bool = False) -> Quirk:
    """The rules for a charger: its entry in the quirk table with what was measured laid over it."""
    return msgspec.structs.replace(entry, **dict(_measured(entry, passport, is_sites=is_sites)))


def _measured(
    entry: Quirk, passport: Passport, *, is_sites: bool
) -> list[tuple[str, object]]:
    """Keys that the passport decides, and what they are then."""
    said = frozenset(entry.given) if is_sites else frozenset()
    keys: dict[str, object] = {}
    zero = passport.get("zero")
    if zero == "pauses":
        keys["zero"] = "pauses"
    elif zero == "ignored" or (zero == "stays" and entry.stop_to_pause):
        keys["zero"] = "never"  # only a stop brings it to 0
    elif zero in ("stays", "stops"):
        keys["zero"] = "stays"
    draws, idle = passport.get("draws_at"), passport.get("idle_at")
    if draws is not None and idle is not None and int(idle) < int(draws):
        keys["min_ma"] = max(int(draws), entry.min_ma or 0)
    if passport.get("step") is not None:
        keys["step_ma"] = WHOLE_MA
    relative = passport.get("relative")
    if relative is not None:
        keys["relative_from_start"] = relative == "start"
    return [
        (key, value) for key, value in keys.items()
        if key not in said and getattr(entry, key) != value
    ]  # fmt: skip


def rules(entry: Quirk, passport: Passport, *, is_sites: bool = False) -> tuple[str, ...]:
    """What differs from the plain rule, in words, with where it is from."""
    kept = dict(_measured(entry, passport, is_sites=is_sites))
    where = "site" if is_sites else "table"
    said = [
        f"{key} {_plain(getattr(entry, key))} ({where})"
        for key in Quirk.__struct_fields__
        if key not in ("name", "match", "why", "seen", "covers", "given", "hint")
        and key not in kept and getattr(entry, key) != getattr(PLAIN, key)
    ]  # fmt: skip
    return (*said, *(f"{key} {_plain(value)} (measured)" for key, value in kept.items()))


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


FOUND_WORDS = {
    "pauses": "pauses cleanly", "stays": "stays suspended", "stops": "the session ends",
    "ignored": "not obeyed", "start": "the session's start", "arrival": "its arrival",
    "honoured": "yes", "not honoured": "no",
}  # fmt: skip
SHOWN = ("form", "level", "unit", "zero", "draws_at", "step", "measurands", "interval", "relative",
         "lease", "obey", "own_limit", "refused")  # fmt: skip
SHOWN_MAX = 24
OWN = (", whatever it is offered: look for its own load management, its maximum setting, or cars "
       "that take no more (one that comes every night has the same ceiling every night)")


def lines(passport: Passport, charger: str) -> tuple[PassportLine, ...]:
    """The passport in short, for the charger's view."""
    shown = [
        f for what in SHOWN for f in passport.findings
        if f.what == what and is_of(f, charger)
        and (f.what, f.found) != ("own_limit", "none")
    ]  # fmt: skip
    return tuple(PassportLine(f.what, words(f), f.at, WORDS[f.what]) for f in shown[:SHOWN_MAX])


def words(finding: Finding) -> str:
    """What was found, for a person: with its unit, and what it is about."""
    what, found = finding.what, finding.found
    if what in ("draws_at", "idle_at", "step"):
        return _amps(int(found))
    if what == "own_limit":
        return f"{_amps(int(found))} on {finding.about.removeprefix(finding.charger).strip()}" + OWN
    if what in ("obey", "interval"):
        return f"{found} s"
    if what == "refused":
        return f"{finding.about}: {found}"
    if what == "form" and finding.about == "default":
        return f"{found} (between sessions)"
    return FOUND_WORDS.get(found, found)

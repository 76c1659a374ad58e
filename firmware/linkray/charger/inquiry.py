"""What is being found out of one charger: its passport, the watch over each connector, the trials.

Between the link, which knows frames and offers, and `passport.py` and `probe.py`, which judge.
"""

from __future__ import annotations

import math

from linkray.model.passport import Finding, Passport
from linkray.model.records import ChargerSeen
from linkray.model.views import PassportLine

from .own_limit import OwnLimit, Sample
from .passport import Evidence, Told, Watch, in_force, lines, rules
from .probe import Act, Look, Phase, Probe
from .quirks import Quirk, Quirks
from .told import Took

VALUES_S = (2.5, 4.7)  # after a cut was accepted, while it is not known how soon it obeys
PROBING = {
    "lease": "its lease: the offer runs out and is not renewed",
    "zero": "0 A",
    "back": "whether the car comes back after 0 A",
}


def make_of(seen: ChargerSeen) -> tuple[str, str, str]:
    """What a passport belongs to; no longer than a passport's file may say."""
    return seen.vendor[:200], seen.model[:200], seen.firmware[:200]


class Inquiry:
    """One charger's passport in the making."""

    __slots__ = ("_ask_at", "_charger", "_own_limits", "_quirks", "_watches", "entry", "passport",
                 "probe", "quirk", "refused", "taken")  # fmt: skip

    def __init__(
        self, charger: str, quirks: Quirks, passport: Passport,
        own_limits: dict[int, OwnLimit] | None = None,
    ) -> None:  # fmt: skip
        """`own_limits`: what was seen of its connectors on earlier links; goes on in this one."""
        self._own_limits = {} if own_limits is None else own_limits
        self._charger = charger
        self._quirks = quirks
        self._watches: dict[int, Watch] = {}
        self._ask_at: dict[int, list[float]] = {}
        self.probe = Probe()
        self.is_of(passport)

    def is_of(self, passport: Passport) -> None:
        """The charger is of this make, or more is known of it now."""
        self.passport = passport
        self.entry: Quirk = self._quirks.match(*passport.make)
        self.quirk = in_force(self.entry, passport, is_sites=self._quirks.is_sites(self.entry))
        self.refused = passport.refused()
        forms = {True: passport.get("form", "session"), False: passport.get("form", "default")}
        self.taken = {session: form for session, form in forms.items() if form is not None}

    def found(self, findings: tuple[Finding, ...]) -> None:
        """More has been found out."""
        self.is_of(self.passport.with_findings(findings))

    def again(self) -> None:
        """Everything is to be tried anew."""
        self.probe.again()
        self.forget()

    def forget(self) -> None:
        """What is being watched counts no more: another device, or all anew."""
        for watch in self._watches.values():
            watch.forget()
        for own_limit in self._own_limits.values():
            own_limit.forget()

    @property
    def rules(self) -> tuple[str, ...]:
        return rules(self.entry, self.passport, is_sites=self._quirks.is_sites(self.entry))

    @property
    def why(self) -> str:
        return f"{self.entry.name}: {self.entry.why}" if self.entry.name else ""

    @property
    def lines(self) -> tuple[PassportLine, ...]:
        return lines(self.passport, self._charger)

    @property
    def is_proven(self) -> bool | None:
        """Whether its lease is proven; None: nobody knows."""
        found = self.passport.get("lease", self._charger)
        return None if found is None else found == "honoured"

    @property
    def obey_s(self) -> float | None:
        found = self.passport.get("obey", self._charger)
        return None if found is None else float(found)

    @property
    def least(self) -> tuple[int, int]:
        """What its make charges with at least, in mA and W; 0: no more than is set."""
        return self.quirk.min_ma or 0, self.quirk.min_w or 0

    # -- what happens ----------------------------------------------------------------------------

    def watch(self, connector: int) -> Watch:
        return self._watches.setdefault(connector, Watch())

    def took(
        self, took: Took, most_ma: int, drawn_ma: int | None, seen: Evidence, now: float
    ) -> list[Finding]:
        """An offer has come through: in this form, after these."""
        found: list[Finding] = []
        form = took.form
        good = {self.passport.get("form", "session"), self.passport.get("form", "default")}
        for key, why in took.failures.items():
            if key not in good and ("refused", key) not in {f.key for f in self.passport.findings}:
                found.append(seen.finding("refused", why, key, measured=f"{form.key} was taken"))
        watch = self.watch(took.connector)
        if not took.session:
            if self.passport.get("form", "default") != form.key:
                found.append(seen.finding("form", form.key, "default",
                                          _amps(took.offer.offer_ma.highest()), "Accepted"))
            watch.forget()
        elif took.trial is not None:
            watch.forget()
            self.probe.accepted(now)
        else:
            limit_ma = took.offer.offer_ma.highest()
            told = Told(form.key, form.level, limit_ma, most_ma, now, took.connector)
            watch.told(told, drawn_ma)
            if watch.is_cut and self.obey_s is None:
                self._ask_at[took.connector] = [now + after_s for after_s in VALUES_S]
        return found

    def drew(
        self, connector: int, tx: int, age_s: float, drawn_ma: int, *, is_charging: bool,
        seen: Evidence, now: float,
    ) -> list[Finding]:  # fmt: skip
        """A session of this age drew so much: whether something else than its offer holds it."""
        told = self.watch(connector).stands
        if told is None:
            return []
        sample = Sample(tx, age_s, drawn_ma, told.limit_ma, told.at, is_charging, now)
        return self._own_limit(connector).drew(sample, self.passport, seen)

    def _own_limit(self, connector: int) -> OwnLimit:
        return self._own_limits.setdefault(connector, OwnLimit(connector))

    def ended(self, connector: int, reason: str | None, seen: Evidence, now: float
              ) -> list[Finding]:  # fmt: skip
        """The session of a connector is over."""
        self.watch(connector).forget()
        self._ask_at.pop(connector, None)
        found = self._own_limit(connector).ended(self.passport, seen)
        return found + self.probe.ended(connector, reason, seen, now)

    def due(self, now: float) -> float:
        """When it wants to look, if nothing happens before."""
        asks = [times[0] for times in self._ask_at.values()]
        return min((self.probe.due(now), *asks), default=math.inf)

    def asks(self, now: float) -> list[int]:
        """The connectors whose values should be asked for now, to see how soon a cut is obeyed."""
        due = [number for number, times in self._ask_at.items() if now >= times[0]]
        for number in due:
            times = [at for at in self._ask_at.pop(number) if at > now]
            if times and self.watch(number).is_cut:
                self._ask_at[number] = times
        return due

    def look(
        self, look: Look, seen: Evidence, now: float
    ) -> tuple[list[Act], list[Finding]]:
        """Go on with what is tried, on its connector."""
        return self.probe.step(look, self.passport, self.quirk.zero, seen, now)

    def fits(self, look: Look, now: float) -> bool:
        """Whether a trial is due here."""
        return self.probe.steady(look, now) and self._phase(look) is not None

    def begin(self, look: Look) -> list[Act]:
        """Begin the trial that is due here."""
        phase = self._phase(look)
        return [] if phase is None else self.probe.begin(phase, look)

    def _phase(self, look: Look) -> Phase | None:
        return self.probe.wants(look, self.passport, self.quirk.zero, self._charger)

    @property
    def has_to_try(self) -> bool:
        """Whether there is anything that only a trial shows."""
        return self.passport.get("lease", self._charger) is None or (
            self.passport.get("zero") is None and self.quirk.zero != "never"
        )

    def probing(self, *, wanted: bool) -> str:
        """What is tried, or why nothing is, for the page."""
        if self.probe.phase != "idle":
            return f"connector {self.probe.connector}: {PROBING[self.probe.phase]}"
        if not self.has_to_try:
            return ""
        if not wanted:
            return "not tried: switched off in the settings"
        return "waits for a session with a steady current of 5 A or more"


def _amps(ma: int) -> str:
    return f"{ma / 1000:.1f} A"

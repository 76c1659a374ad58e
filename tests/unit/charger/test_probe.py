"""The trials of a charger (`Probe`): when they begin, what ends them, what they show."""

from __future__ import annotations

from linkray.charger.passport import Evidence
from linkray.charger.probe import LEASE_S, PAUSE_S, STEADY_S, Act, Look, Probe
from linkray.model.passport import Finding, Passport

SEEN = Evidence("CP1", "now")
NOTHING = Passport("Acme", "One", "1")


class Tried:
    """A probe and the one connector it looks at; `acts` and `found` are of the last step."""

    def __init__(self, passport: Passport = NOTHING, **look: object) -> None:
        self.probe, self.passport, self.zero = Probe(), passport, "pauses"
        self.now = 1000.0
        self.look = Look(1, 7, 16_000, 0, "TxProfile/Relative/A/2", True, False, True, 100.0,
                         16_000, 1000.0, 10, True, "Charging")._replace(**look)  # fmt: skip
        self.acts: list[str] = []
        self.found: list[tuple[str, str]] = []

    def step(self, after_s: float = 0.0, drawn_a: float | None = None, **look: object) -> Tried:
        self.now += after_s
        self.look = self.look._replace(age_s=self.look.age_s + after_s, **look)
        if drawn_a is not None:
            self.look = self.look._replace(drawn_ma=round(drawn_a * 1000), drawn_at=self.now)
        acts, found = self.probe.step(self.look, self.passport, self.zero, SEEN, self.now)
        return self._took(acts, found)

    def _took(self, acts: list[Act], found: list[Finding]) -> Tried:
        self.passport = self.passport.with_findings(tuple(found))
        self.acts, self.found = [a.do for a in acts], [(f.what, f.found) for f in found]
        if "end" in self.acts:
            self.look = self.look._replace(on_trial=False)
        return self

    def begins(self) -> str | None:
        """Whether a trial begins once the connector has been steady; it is accepted at once."""
        self.probe.steady(self.look, self.now)
        self.now += STEADY_S
        if not self.probe.steady(self.look, self.now):
            return None
        phase = self.probe.wants(self.look, self.passport, self.zero, "CP1")
        if phase is not None:
            self._took(self.probe.begin(phase, self.look), [])
            self.look = self.look._replace(on_trial=True)
            self.probe.accepted(self.now)
        return phase


def test_a_lease_to_0_a_shows_both_the_lease_and_what_0_a_does() -> None:
    t = Tried()
    assert t.begins() == "lease"
    assert t.acts == ["lease"]
    assert t.step(10, 16).found == []
    assert t.step(LEASE_S - 7, 0).found == [], "it stays at 0 for a while"

    assert t.step(11, 0).found == [("lease", "honoured"), ("relative", "start")]
    assert (t.acts, t.probe.phase) == (["end"], "back")
    assert t.step(6, 15).found == [("zero", "pauses")]
    assert t.probe.phase == "idle"


def test_with_a_fallback_the_lease_ends_there_and_0_a_is_tried_afterwards() -> None:
    t = Tried(fallback_ma=6_000)
    t.begins()
    t.step(LEASE_S + 3, 6)

    assert t.found == [("lease", "honoured"), ("relative", "start")]
    assert (t.acts, t.probe.phase) == (["end"], "idle")
    t.look = t.look._replace(drawn_ma=16_000, drawn_at=t.now)
    t.now += STEADY_S
    assert t.begins() == "zero"


def test_values_are_asked_for_when_the_lease_should_have_ended() -> None:
    t = Tried()
    t.begins()
    assert t.step(LEASE_S + 2, 16).acts == []
    assert t.step(1).acts == ["values"]
    assert t.step(2).acts == ["values"]


def test_a_current_that_never_falls_is_no_lease_and_then_0_a_is_told() -> None:
    t = Tried(form="TxProfile/Absolute/A/2")
    t.begins()
    t.step(LEASE_S + 14, 16)
    assert t.step(2, 16).found == [("lease", "not honoured")]
    assert (t.acts, t.probe.phase) == (["zero"], "zero")

    t.probe.accepted(t.now)
    assert t.step(3, 16).acts == ["values"]
    assert t.step(2, 16).acts == ["values"]
    assert t.step(4.9, 16).found == []
    assert t.step(0.5).acts == ["values"]
    assert t.step(0.1, 16).acts == ["end"]  # as its obey time is over (P 3, INV-10)


def at_0_a_first() -> Tried:
    """Its lease is known not to be honoured: what is tried is 0 A."""
    t = Tried(fallback_ma=6_000)
    t.passport = t.passport.with_findings((SEEN.finding("lease", "not honoured", "CP1"),))
    assert t.begins() == "zero"
    return t


def test_0_a_is_ignored_by_a_make_once_it_was_ignored_twice() -> None:
    """office8, seed 859: one charger's bad minute took 0 A from all eight of its site."""
    t = at_0_a_first()
    assert t.step(10, 16).found == []
    assert (t.acts, t.probe.phase) == (["end"], "idle")

    t.step(PAUSE_S, 16)
    assert t.begins() == "zero"
    assert t.step(10, 16).found == [("zero", "ignored")]
    assert t.acts == ["end"]


def test_what_was_ignored_once_counts_no_more_when_a_person_has_it_tried_anew() -> None:
    t = at_0_a_first()
    t.step(10, 16)

    t.probe.again()
    assert t.begins() == "zero"
    assert t.step(10, 16).found == []


def test_a_fall_that_comes_by_the_session_s_age_later_counts_from_the_arrival() -> None:
    t = Tried()
    t.begins()
    began_age_s = t.look.age_s
    t.step(LEASE_S + 20, 16)
    assert t.probe.phase == "lease", "it is waited for"
    t.step(began_age_s - 20, 16)

    assert t.step(2, 0).found == [("relative", "arrival")]
    assert t.passport.get("lease", "CP1") is None


def test_a_fall_before_its_time_is_the_car_s_and_shows_nothing() -> None:
    t = Tried()
    t.begins()

    assert t.step(12, 0).found == []
    assert (t.acts, t.probe.phase) == (["end"], "idle")


def test_whatever_changes_ends_a_trial_at_once() -> None:
    for change in ({"limit_ma": 10_000}, {"limit_ma": 20_000}, {"on_trial": False}, {"tx": 8},
                   {"tx": None}):  # fmt: skip
        t = Tried()
        t.begins()
        t.step(5, 16)
        assert t.step(1, **change).acts == ["end"], change
        assert t.found == []
        assert t.begins() is None, "and it is left in peace for a while"


def test_a_car_that_sleeps_after_0_a_says_nothing_of_the_charger() -> None:
    for status, found in (("SuspendedEV", []), ("SuspendedEVSE", [("zero", "stays")])):
        t = Tried()
        t.begins()
        t.step(LEASE_S + 3, 0)
        t.step(11, 0)
        assert t.step(31, 0).acts == ["resend"], "told once more"
        assert t.step(30, 0, status=status).found == found


def test_a_session_that_ends_at_0_a_without_a_person_is_a_finding() -> None:
    for reason, found in (("Other", ["stops"]), (None, ["stops"]), ("Local", []),
                          ("EVDisconnected", []), ("Remote", [])):  # fmt: skip
        t = Tried()
        t.begins()
        t.step(LEASE_S + 3, 0)
        ended = t.probe.ended(1, reason, SEEN, t.now + 2)
        assert [f.found for f in ended] == found
    early = Tried()
    early.begins()
    assert early.probe.ended(1, "Other", SEEN, early.now + 10) == [], "it was not at 0 yet"


def test_nothing_begins_that_is_known_or_cannot_show() -> None:
    known = NOTHING.with_findings((Finding("lease", "honoured", "CP1"), Finding("zero", "pauses")))
    assert Tried(known).begins() is None
    assert Tried(drawn_ma=4_000).begins() is None, "too little flows"
    assert Tried(free=False).begins() is None
    assert Tried(interval_s=300, can_ask=False).begins() is None, "its values come too rarely"
    assert Tried(leased=False).begins() == "zero"
    assert Tried(fallback_ma=15_000).begins() == "zero", "the lease's fall would not show"


def test_a_make_that_must_not_be_told_0_is_not() -> None:
    t = Tried()
    t.zero = "never"
    assert t.begins() is None
    t = Tried(fallback_ma=6_000)
    t.zero = "never"
    assert t.begins() == "lease"
    t.step(LEASE_S + 3, 6)
    assert t.probe.phase == "idle", "no 0 A after it"


def test_after_three_tries_that_came_to_nothing_it_is_left_until_a_person_asks() -> None:
    t = Tried()
    for _ in range(3):
        assert t.begins() == "lease"
        t.step(5, 16, on_trial=False)
        t.now += 400
        t.look = t.look._replace(age_s=100.0, drawn_at=t.now)
    assert t.begins() is None

    t.probe.again()
    assert t.begins() == "lease"

"""What is read out of offers and values (`Watch`), and what follows from it (`in_force`)."""

from __future__ import annotations

import pytest

from linkray.charger.passport import Evidence, Told, Watch, in_force, lines, rules
from linkray.charger.quirks import PLAIN, Quirks, parse
from linkray.model.passport import Finding, Passport

SEEN = Evidence("CP1", "2026-06-15T12:00:00Z")
FORM = "TxProfile/Relative/A/2"
PLAIN_MAKE = Passport("Acme", "One", "1")


class Watched:
    """A connector that is watched; what was found is kept as the link does."""

    def __init__(self, passport: Passport = PLAIN_MAKE) -> None:
        self.watch = Watch()
        self.passport = passport

    def told(self, limit_a: float, at: float, drawn_a: float | None = None, form: str = FORM):
        drawn_ma = None if drawn_a is None else round(drawn_a * 1000)
        self.watch.told(Told(form, 8, round(limit_a * 1000), 32_000, at), drawn_ma)

    def draws(self, amps: float, at: float, status: str = "Charging") -> dict[str, str]:
        found = self.watch.sampled(round(amps * 1000), status, self.passport, SEEN, at)
        self.passport = self.passport.with_findings(tuple(found))
        return {f.what: f.found for f in found}


def test_a_cut_that_is_followed_shows_form_level_unit_and_how_soon() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)

    found = w.draws(10, 104.7)

    assert found == {"obey": "5", "form": FORM, "level": "8", "unit": "A"}
    evidence = next(f for f in w.passport.findings if f.what == "form")
    assert (evidence.offered, evidence.measured) == ("10.0 A instead of 20.0 A", "10.0 A after 5 s")
    assert (evidence.charger, evidence.at) == ("CP1", SEEN.utc)


def test_connectors_on_levels_of_their_own_do_not_contradict_each_other() -> None:
    first, second = Watched(), Watched()
    first.told(10, 100, drawn_a=20)
    assert first.draws(10, 104)["level"] == "8"

    second.passport = first.passport
    second.watch.told(Told(FORM, 7, 10_000, 32_000, 100, connector=2), 20_000)

    assert "level" not in second.draws(10, 104)


def test_a_cut_seen_late_does_not_say_how_soon_it_was_obeyed() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)

    assert "obey" not in w.draws(10, 130)


def test_c5_a_charger_that_was_still_over_late_is_known_to_be_slow() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)
    w.draws(20, 112)

    assert w.draws(10, 117)["obey"] == "17"


def test_c5_a_second_cut_gives_a_late_charger_no_new_clock() -> None:
    w = Watched()
    w.told(13.4, 100, drawn_a=18)
    w.told(12.8, 101.6, drawn_a=18)

    assert w.draws(13.4, 106.5).get("obey") != "5", "6.5 s after the first"


def test_c5_a_cut_that_was_obeyed_is_told_from_the_one_before_by_its_current() -> None:
    w = Watched()
    w.told(20, 100, drawn_a=30)
    w.told(12, 103, drawn_a=30)

    assert w.draws(12, 107)["obey"] == "5", "4 s after the second, which alone explains 12 A"


def test_c5_what_draws_less_than_any_cut_allows_is_timed_from_the_first() -> None:
    w = Watched()
    w.told(20, 100, drawn_a=30)
    w.told(16, 104, drawn_a=30)
    w.draws(25, 107)

    assert w.draws(6, 108)["obey"] == "8"


def test_a_raise_between_two_cuts_begins_the_clock_anew() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)
    w.told(12, 130, drawn_a=20)

    assert w.draws(12, 134)["obey"] == "5"


def test_the_slowest_of_the_newest_cuts_counts() -> None:
    w = Watched()
    for n, took in enumerate((4, 15, 4)):
        w.told(10 + n, 100 * n, drawn_a=20)
        w.draws(20, 100 * n + took - 2)
        w.draws(10, 100 * n + took)

    assert w.passport.get("obey", "CP1") == "15"


def test_two_samples_over_an_accepted_limit_show_that_its_form_is_not_obeyed() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)

    assert w.draws(20, 105) == {}
    assert w.draws(20, 111) == {"refused": "not obeyed"}
    assert w.draws(20, 121) == {}, "once"
    assert FORM in w.passport.refused()


def test_a_slow_charger_is_given_its_own_time_before_a_form_is_called_ignored() -> None:
    w = Watched(PLAIN_MAKE.with_findings((Finding("obey", "40", "CP1"),)))
    w.told(10, 100, drawn_a=20)

    assert w.draws(20, 120) == w.draws(20, 139) == {}
    assert w.draws(20, 141) == {"refused": "not obeyed"}


def test_a_current_just_over_its_limit_still_obeys() -> None:
    w = Watched()
    w.told(10, 100, drawn_a=20)

    assert w.draws(10.9, 105)["form"] == FORM


def test_a_current_that_the_limit_does_not_hold_shows_nothing_of_the_form() -> None:
    w = Watched()
    w.told(32, 100)

    assert "form" not in w.draws(31.5, 120)  # its own maximum
    w.told(20, 200)
    assert "form" not in w.draws(9, 220)  # the car's


def test_with_how_little_it_charges_and_with_how_much_it_does_not() -> None:
    w = Watched(PLAIN_MAKE.with_findings((Finding("form", FORM, "session"),)))
    w.told(7, 100)
    assert w.draws(0, 131, "SuspendedEV") == {}, "the car's own doing"
    assert w.draws(0, 140, "SuspendedEVSE") == {"idle_at": "7000"}
    w.told(10, 200)
    assert w.draws(9.8, 210)["draws_at"] == "10000"

    assert in_force(PLAIN, w.passport).min_ma == 10_000
    assert "min_ma 10000 (measured)" in rules(PLAIN, w.passport)


def test_a_first_form_under_which_the_charger_stays_at_0_is_not_obeyed() -> None:
    w = Watched()
    w.told(16, 100)

    assert w.draws(0, 110, "SuspendedEVSE") == {}
    assert w.draws(0, 120, "SuspendedEVSE") == {"refused": "not obeyed"}


def test_a_charger_that_rounds_up_is_told_whole_amps() -> None:
    w = Watched()
    w.told(9.7, 100)
    assert "step" not in w.draws(10, 110)
    w.told(12.4, 200)

    assert w.draws(13, 210)["step"] == "1000"
    assert in_force(PLAIN, w.passport).step_ma == 1000


def test_which_values_it_sends_and_how_often() -> None:
    watch, found = Watch(), []
    for n in range(6):
        found += watch.values(["Voltage", "Current.Import"], periodic=True, passport=PLAIN_MAKE,
                              seen=SEEN, now=100 + 30.2 * n)  # fmt: skip

    assert [(f.what, f.found) for f in found][:2] == [
        ("measurands", "Current.Import,Voltage"), ("interval", "30")
    ]  # fmt: skip


ZERO = {
    "pauses": ("pauses", True), "stays": ("never", True), "ignored": ("never", True),
    "stops": ("stays", True),
}  # fmt: skip


@pytest.mark.parametrize("found", ZERO)
def test_what_0_a_does_decides_how_it_is_paused(found: str) -> None:
    passport = PLAIN_MAKE.with_findings((Finding("zero", found),))

    assert in_force(PLAIN, passport).zero == ZERO[found][0]


def test_a_make_that_must_not_be_stopped_to_pause_is_told_0_though_it_stays_there() -> None:
    passport = PLAIN_MAKE.with_findings((Finding("zero", "stays"),))
    beny = parse("beny.toml", 'why="x"\nseen=["y"]\nstop_to_pause=false\n[[match]]\nvendor="Acme"')

    assert in_force(beny, passport).zero == "stays"


def test_the_passport_beats_the_shipped_table_and_a_site_s_entry_beats_the_passport() -> None:
    text = 'why="x"\nseen=["y"]\nzero="stays"\n[[match]]\nvendor="Acme"'
    entry = parse("acme.toml", text)
    passport = PLAIN_MAKE.with_findings((Finding("zero", "pauses"),))
    shipped, sites = Quirks(shipped=(entry,)), Quirks(site=(entry,))

    assert not shipped.is_sites(shipped.match("Acme", "One", "1"))
    assert sites.is_sites(sites.match("Acme", "One", "1"))
    assert in_force(entry, passport).zero == "pauses"
    assert in_force(entry, passport, is_sites=True).zero == "stays"
    assert rules(entry, passport) == ("zero pauses (measured)",)
    assert rules(entry, passport, is_sites=True) == ("zero stays (site)",)


def test_a_site_s_entry_leaves_to_the_passport_what_it_does_not_name() -> None:
    entry = parse("acme.toml", 'why="x"\nseen=["y"]\nstep_ma=1000\n[[match]]\nvendor="Acme"')
    passport = PLAIN_MAKE.with_findings((Finding("relative", "arrival"),))

    assert not in_force(entry, passport, is_sites=True).relative_from_start


def test_the_page_shows_what_holds_for_this_charger_in_words() -> None:
    passport = PLAIN_MAKE.with_findings((
        Finding("lease", "honoured", "CP1", "now"), Finding("lease", "not honoured", "CP2", "now"),
        Finding("obey", "5", "CP1", "now"), Finding("zero", "stays", at="now"),
    ))  # fmt: skip

    shown = {line.what: (line.label, line.found) for line in lines(passport, "CP1")}

    assert shown == {
        "lease": ("steps down when its profile runs out", "yes"), "obey": ("obeys within", "5 s"),
        "zero": ("at 0 A", "stays suspended"),
    }  # fmt: skip


def test_a_form_that_was_obeyed_since_is_no_longer_refused() -> None:
    passport = PLAIN_MAKE.with_findings((
        Finding("refused", "not obeyed", FORM), Finding("form", FORM, "session"),
    ))  # fmt: skip

    assert passport.refused() == frozenset()

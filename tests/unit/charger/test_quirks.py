"""Quirk files: what is refused, which entry holds, and that a site's own beats ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from linkray.app import shipped_quirks
from linkray.charger.quirks import PLAIN, BadQuirk, load

HEAD = 'why = "w"\nseen = ["s"]\n'


def entry(keys: str = "", **match: str) -> str:
    lines = "\n".join(f'{key} = "{value}"' for key, value in match.items())
    return f"{HEAD}{keys}\n[[match]]\n{lines}\n"


def test_without_a_match_the_plain_rule_holds() -> None:
    quirks = load({"a.toml": entry(vendor="ACME")})
    assert quirks.match("Other", "x", "1") == PLAIN
    assert quirks.why("Other", "x", "1") == ""
    assert load({}).match("", "", "") == PLAIN


def test_an_entry_is_named_after_its_file_and_says_why() -> None:
    quirks = load({"acme-x.toml": entry("zero = 'never'", vendor="ACME")})
    assert quirks.match("ACME", "", "").name == "acme-x"
    assert quirks.match("ACME", "", "").zero == "never"
    assert quirks.why("ACME", "", "") == "acme-x: w"


@pytest.mark.parametrize(
    ("pattern", "vendor", "fits"),
    [
        ("ACME", "ACME", True), ("ACME", "acme ", True), ("ACME", "ACME Ltd", False),
        ("ACME*", "ACME Ltd", True), ("*ACME", "The Acme", True), ("*ACME*", "The ACME Ltd", True),
        ("A*E", "ACME", True), ("A.ME", "ACME", False), ("ACME", "", False), ("[A]", "A", False),
    ],
)  # fmt: skip
def test_a_vendor_matches_by_letters_and_stars(pattern: str, vendor: str, fits: bool) -> None:
    assert (load({"a": entry(vendor=pattern)}).match(vendor, "m", "f").name == "a") is fits


@pytest.mark.parametrize(
    ("firmware", "name"),
    [
        ("1.7.9", "old"), ("1.8.0", "exact"), ("V1.8.0-rc2", "exact"), ("1.8.21", "old"),
        ("1.8.21.5", "old"), ("1.8.22", "acme"), ("2", "new"), ("2.0.0", "new"), ("10.1", "new"),
        ("", "acme"), ("none", "acme"),
    ],
)  # fmt: skip
def test_the_most_specific_firmware_wins(firmware: str, name: str) -> None:
    quirks = load({
        "acme": entry(vendor="ACME"),
        "old": entry(vendor="ACME", firmware_to="1.8.21"),
        "exact": entry(vendor="ACME", firmware_from="1.8.0", firmware_to="1.8.0"),
        "new": entry(vendor="ACME", firmware_from="2"),
    })  # fmt: skip
    assert quirks.match("ACME", "m", firmware).name == name


def test_a_model_is_more_specific_than_a_vendor_and_a_longer_pattern_than_a_shorter() -> None:
    quirks = load({
        "vendor": entry(vendor="ACME*"),
        "model": entry(vendor="ACME*", model="X*"),
        "longer": entry(vendor="ACME*", model="X1*"),
    })  # fmt: skip
    assert quirks.match("ACME", "Y", "").name == "vendor"
    assert quirks.match("ACME", "X2", "").name == "model"
    assert quirks.match("ACME", "X12", "").name == "longer"


def test_a_sites_entry_beats_ours_where_both_match_equally_and_only_there() -> None:
    quirks = load(
        {"ours": entry(vendor="ACME"), "special": entry(vendor="ACME", model="X")},
        {"theirs": entry("rate_unit = 'W'", vendor="ACME")},
    )
    assert quirks.match("ACME", "Y", "").name == "theirs"
    assert quirks.match("ACME", "X", "").name == "special"


def test_one_entry_may_match_several_makes() -> None:
    quirks = load({"a": entry(vendor="ACME") + '[[match]]\nvendor = "Bolt"\n'})
    assert quirks.match("ACME", "", "").name == quirks.match("Bolt", "", "").name == "a"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("why = ", "Invalid"), ("", "match"), (HEAD, "match"), (HEAD + "[[match]]\n", "vendor"),
        (entry(vendor="*"), "vendor"), (entry(firmware="1"), "vendor"),
        (entry("colour = 1", vendor="A"), "colour"), (entry(vendor="A", serial="1"), "serial"),
        (entry("zero = 'maybe'", vendor="A"), "zero"),
        (entry("step_ma = 7", vendor="A"), "step_ma"),
        (entry("steps_ma = [0]", vendor="A"), "steps_ma"),
        (entry("name = 'x'", vendor="A"), "name"),
        (entry("stack_level = -1", vendor="A"), "stack_level"),
        (entry("stack_level = 1\nstack_level_below_max = 1", vendor="A"), "exclude"),
        (entry(vendor="A", firmware_from="x"), "firmware_from"),
        ("[[match]]\nvendor='A'\n", "why"), ("why='w'\n[[match]]\nvendor='A'\n", "seen"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_is_refused_by_name_and_key(text: str, word: str) -> None:
    with pytest.raises(BadQuirk, match=word) as caught:
        load({}, {"site.toml": text})
    assert str(caught.value).startswith("site.toml: ")


def test_a_site_adds_entries_in_a_folder_of_its_own_and_one_that_cannot_be_harms_no_other(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "quirks"
    folder.mkdir()
    (folder / "ours.toml").write_text(entry("rate_unit = 'W'", vendor="go-e*"))
    (folder / "bad.toml").write_text("why = ")
    (folder / "no-text.toml").write_bytes(b"\xff\xfe")
    found, shipped = shipped_quirks(tmp_path), shipped_quirks()

    assert shipped.match("go-e", "Gemini", "055.7").rate_unit == "A"
    theirs = found.match("go-e", "Gemini", "055.7")
    assert (theirs.name, theirs.rate_unit, found.is_sites(theirs)) == ("ours", "W", True)
    assert len(found.entries) == len(shipped.entries) + 1

"""Every shipped quirk entry: readable, needed, alone in its place, and what it is there for."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import linkray.charger
from linkray.charger.measured import RULES
from linkray.charger.quirks import NO_MATCH, PLAIN, Match, Quirk, load, parse, rank

FOLDER = Path(linkray.charger.__file__).parent / "quirks"
FILES = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.glob("*.toml"))}
ENTRIES = {name: parse(name, text) for name, text in FILES.items()}
QUIRKS = load(FILES)
SAYS_NOTHING = {"name", "match", "why", "seen", "covers", "given"}


def as_seen(match: Match) -> list[tuple[str, str, str]]:
    """Chargers that a match is for: what it names, the stars filled with nothing and something."""
    firmwares = [match.firmware_from, match.firmware_to, match.firmware]
    fillings = ("", "x")
    return [
        (match.vendor.replace("*", one), match.model.replace("*", two), firmware)
        for one, two in product(fillings, fillings)
        for firmware in ([f for f in firmwares if f] or ["7.7.7", "0.1", ""])
    ]


CHARGERS = sorted({
    charger for entry in ENTRIES.values() for match in entry.match for charger in as_seen(match)
})  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_an_entry_says_why_where_seen_what_it_covers_and_something_that_differs(name: str) -> None:
    entry = ENTRIES[name]
    assert entry.why
    assert all(entry.seen)
    assert entry.covers
    differs = {
        field for field in Quirk.__struct_fields__ if getattr(entry, field) != getattr(PLAIN, field)
    }
    assert differs - SAYS_NOTHING


@pytest.mark.parametrize("name", FILES)
def test_an_entry_is_in_force_for_the_chargers_it_names(name: str) -> None:
    entry = ENTRIES[name]
    for match in entry.match:
        for charger in as_seen(match):
            held = QUIRKS.match(*charger)
            assert held == entry or rank(held, *charger) > rank(entry, *charger), charger
        assert any(QUIRKS.match(*charger) == entry for charger in as_seen(match)), match


@pytest.mark.parametrize("charger", CHARGERS, ids=str)
def test_no_two_entries_match_a_charger_equally(charger: tuple[str, str, str]) -> None:
    ranks = [rank(entry, *charger) for entry in ENTRIES.values()]
    best = max(ranks)
    assert best > NO_MATCH
    assert ranks.count(best) == 1


@pytest.mark.parametrize("name", FILES)
def test_measurands_are_ones_that_the_ladder_can_use_and_never_without_the_first_two(
    name: str,
) -> None:
    entry = ENTRIES[name]
    if entry.measurands:
        assert {"Current.Import", "Energy.Active.Import.Register"} <= set(entry.measurands)
        assert set(entry.measurands) <= set(RULES)


@pytest.mark.parametrize("name", FILES)
def test_a_more_specific_entry_keeps_what_the_general_one_knows(name: str) -> None:
    """An entry holds alone, so what it covers of another's rows it must say again."""
    entry = ENTRIES[name]
    for other in ENTRIES.values():
        if other is not entry and set(other.covers) < set(entry.covers):
            for field in set(Quirk.__struct_fields__) - SAYS_NOTHING - {"hint"}:
                if getattr(other, field) != getattr(PLAIN, field):
                    assert getattr(entry, field) == getattr(other, field), field


# The rows of the first table about chargers, each with a charger of the kind and what must hold.
ROWS: list[tuple[str, tuple[str, str, str], dict[str, object]]] = [
    ("ABB Terra AC", ("ABB", "TAC-W22-T-0", "1.8.32"), {"stack_level_below_max": 1}),
    ("ABB Terra AC 1.8.0", ("ABB", "Terra AC W22", "1.8.0"),
     {"clear_first": True, "kind": "Relative", "stack_level_below_max": 1}),
    ("ABB Terra AC ≤ 1.8.21", ("ABB", "TAC-W22-T-0", "1.6.6"),
     {"measurands": ("Current.Import", "Energy.Active.Import.Register", "Power.Active.Import",
                     "Voltage"), "stack_level_below_max": 1}),
    ("ABB", ("ABB", "Terra 54", "4.1"), {"key_delay_s": 60}),
    ("Wallbox Pulsar/Copper", ("Wall Box Chargers", "Pulsar Plus", "4.2.1"), {"kind": "Relative"}),
    ("Wallbox Pulsar/Copper", ("Wallbox", "Copper SB", "5.17.50"),
     {"stack_level": 0, "needs_remote_start": True}),
    ("Wallbox", ("Wallbox", "Pulsar", "6.1"), {"stop_to_pause": False}),
    ("Huawei SCharger", ("Huawei", "SCharger-22KT-S0", "FusionCharge V100"),
     {"rate_unit": "W", "zero": "never"}),
    ("Autel", ("Autel", "MaxiCharger AC", "1.40"), {"charge_point_max": False}),
    ("Easee", ("Easee", "Home", "328"),
     {"kind": "Absolute", "tx_profile": False, "writes_a_day": 25, "interval_s_min": 30}),
    ("EVBox Elvi", ("EV-BOX", "Elvi", "1"), {"charge_point_max": False, "sampled_writable": False}),
    ("go-e amps", ("go-e", "Gemini", "055.7"), {"rate_unit": "A"}),
    ("go-e first limit after 0", ("go-e", "HOMEfix", "055.7"), {"twice_after_zero": True}),
    ("go-e TxProfile", ("go-eCharger", "V3", "055.7"), {"tx_profile": False}),
    ("go-e fw 56.2", ("go-e", "Gemini", "056.2"), {"resend_on_connect": True, "rate_unit": "A"}),
    ("Grizzl-E 03.09.0", ("United Chargers", "Grizzl-E", "03.09.0"), {"charge_point_max": False}),
    ("Zaptec cloud", ("Zaptec", "Pro", "1"), {"unlock": False, "interval_s_min": 120}),
    ("Zaptec Go2", ("Zaptec", "Go 2", "1"), {"needs_remote_start": True}),
    ("Mennekes 4You/4Business", ("MENNEKES", "4You", "2"), {"boot_grace_s": 120}),
    ("Mennekes ACU", ("MENNEKES", "ACU", "2"), {"interval_s_min": 60}),
    ("EN+", ("EN+", "AC011K", "1"), {"change_availability": False}),
    ("NEcharge", ("NEcharge", "x", "1"), {"steps_ma": (6000, 8000, 10_000, 13_000, 16_000)}),
    ("ZJ Beny", ("ZJ BENY", "BCP", "1"), {"stop_to_pause": False}),
    ("Timxon", ("Timxon", "x", "1"),
     {"kind": "Relative", "tx_profile": False, "charge_point_max": False}),
    ("Blink", ("Blink", "IQ200", "1"), {"min_ma": 6000}),
    ("Alpitronic", ("alpitronic GmbH", "HYC400", "1"), {"min_w": 25_000, "zero": "never"}),
]  # fmt: skip


@pytest.mark.parametrize(("row", "charger", "keys"), ROWS, ids=str)
def test_a_row_of_the_table_is_covered_and_holds(
    row: str, charger: tuple[str, str, str], keys: dict[str, object]
) -> None:
    entry = QUIRKS.match(*charger)
    assert row in entry.covers
    assert {key: getattr(entry, key) for key in keys} == keys


@pytest.mark.parametrize(
    ("charger", "word"),
    [
        (("Schneider Electric", "MONOBLOCK", "3.3"), "external control"),
        (("Autel", "MaxiCharger", "1"), "1.51"),
        (("Etrel", "INCH", "1"), "central"),
        (("EVBox", "Elvi", "1"), "rotation"),
        (("hypercharger", "HYC_150", "1"), "25 kW"),
        (("Alfen BV", "NG910", "6"), "own id"),
        (("Garo", "GLB", "1"), "load balancing"),
    ],
)
def test_what_only_a_person_can_set_is_a_hint_on_the_page(
    charger: tuple[str, str, str], word: str
) -> None:
    assert word in QUIRKS.match(*charger).hint


TABLE = (  # every row of the first table of quirks.md that is about a charger
    "ABB Terra AC", "ABB Terra AC 1.8.0", "ABB Terra AC ≤ 1.8.21", "ABB", "Wallbox Pulsar/Copper",
    "Wallbox", "Huawei SCharger", "Autel", "Easee cloud OCPP", "Easee", "EVBox Elvi",
    "Schneider EVlink", "go-e", "go-e fw 56.2", "Grizzl-E", "Grizzl-E 03.09.0", "Zaptec cloud",
    "Zaptec Go2", "Mennekes 4You/4Business", "Mennekes ACU", "EN+", "NEcharge", "Charge Amps",
    "Alfen", "ZJ Beny", "Etrel Inch", "Ocular / BS", "Teison, FoxESS", "Timxon", "Injet",
    "OpenEVSE", "MG / StarCharge", "Garo", "Blink", "Alpitronic",
)  # fmt: skip  # the other three are cars: none tells its model, all are treated alike


@pytest.mark.parametrize("row", TABLE)
def test_every_row_about_a_charger_is_shipped_with_reason_and_source(row: str) -> None:
    entries = [entry for entry in ENTRIES.values() if row in entry.covers]
    assert entries
    assert all(entry.why and entry.seen for entry in entries)


def test_an_entry_covers_rows_of_the_table_or_parts_of_them() -> None:
    named = {row for entry in ENTRIES.values() for row in entry.covers}
    assert not [one for one in named if not any(one.startswith(row) for row in TABLE)]


def test_a_make_that_no_table_knows_is_plain() -> None:
    assert QUIRKS.match("Nobody", "Nothing", "0") == PLAIN

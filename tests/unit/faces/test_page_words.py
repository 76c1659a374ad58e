"""The catalogue of the pages: whatever the box tells as a code has its words there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from linkray.charger.passport import rules
from linkray.charger.quirks import PLAIN, Quirk, parse
from linkray.model.passport import WORDS, Passport
from linkray.model.plan import Code

FIRMWARE = Path(__file__).parents[3] / "firmware" / "linkray"
EN: dict[str, str] = json.loads((FIRMWARE / "faces/web/ui/src/lang/en.json").read_text())
QUIRKS = sorted((FIRMWARE / "charger" / "quirks").glob("*.toml"))
RULE = re.compile(r"(\w+) (.*) \((site|table|measured)\)")  # as parts/passport.tsx reads it
OF_THE_ENTRY = {"name", "match", "why", "seen", "covers", "given", "hint"}
KEYS = [key for key in Quirk.__struct_fields__ if key not in OF_THE_ENTRY]


def words(rule: str) -> str | None:
    """What the page says for a rule; None: it has no words for it."""
    found = RULE.fullmatch(rule)
    if found is None or f"rule.from_{found[3]}" not in EN:
        return None
    return EN.get(f"rule.{found[1]}.{found[2]}", EN.get(f"rule.{found[1]}"))


@pytest.mark.parametrize("path", QUIRKS, ids=lambda path: path.stem)
def test_every_rule_of_the_quirk_table_has_words_on_the_page(path: Path) -> None:
    entry = parse(path.name, path.read_text())
    told = rules(entry, Passport("Acme", "One"))
    assert [rule for rule in told if words(rule) is None] == []


@pytest.mark.parametrize("key", KEYS)
def test_every_key_that_a_quirk_file_may_hold_has_words_for_all_that_it_may_be(key: str) -> None:
    plain: Any = getattr(PLAIN, key)
    hint = get_type_hints(Quirk)[key]
    choices: list[Any] = [one for one in _choices(hint) if one != plain]
    if isinstance(plain, bool):
        choices = [not plain]
    told = {True: "yes", False: "no"}
    for one in choices or [7]:
        assert words(f"{key} {told.get(one, one) if isinstance(one, bool) else one} (table)"), one


def _choices(hint: Any) -> list[Any]:
    if get_origin(hint) is Literal:
        return list(get_args(hint))
    return [value for part in get_args(hint) if get_origin(part) is Literal
            for value in get_args(part)]  # fmt: skip


def test_the_lowest_current_seen_is_not_told_as_a_least_one() -> None:
    assert EN["found.what.draws_at"].lower() == WORDS["draws_at"] == "seen drawing at"


@pytest.mark.parametrize(("reader", "words"), [
    ("async function checked(file: File)", "it is not a settings file"),
    ("function ImportPassports()",
     "it is not a passport file; the JSON that “Download passports” gives is expected"),
])  # fmt: skip
def test_a_file_that_is_no_json_is_said_in_the_words_of_the_page(reader: str, words: str) -> None:
    page = (FIRMWARE / "faces/web/ui/src/pages/configuration.tsx").read_text()
    chosen = page[page.index(reader) :].partition("\n}\n")[0]
    key = re.search(r'problem instanceof SyntaxError \? t\("([a-z_.]+)"\)', chosen)

    assert key is not None
    assert EN["files.bad"].format(name="b.zip", why=EN[key[1]]) == (
        f"b.zip cannot be imported: {words}"
    )


@pytest.mark.parametrize("code", get_args(Code))
def test_every_cause_has_its_sentence_and_what_would_raise_it(code: str) -> None:
    for kind in ("why", "raise"):
        text = EN[f"{kind}.{code}"]
        assert text.strip()
        for name in re.findall(r"\{(\w+)\}", text):
            optional = re.search(r"\[[^\]]*\{" + name + r"\}[^\]]*\]", text)
            assert optional, f"{kind}.{code}: {name} may be missing"


def test_what_a_passport_may_find_has_words() -> None:
    assert [what for what in WORDS if f"found.what.{what}" not in EN] == []
    for part in ("A", "W", "2", "1", "pair", "whole", "level0"):
        assert f"found.part.{part}" in EN

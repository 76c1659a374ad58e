"""The languages of the pages: whole, alike in what they fill in, and nothing that no one says."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from linkray.access import tags
from linkray.charger.inquiry import PROBING
from linkray.charger.quirks import parse
from linkray.charger.shelf import WAITS
from linkray.csms.task import CERTIFICATE
from linkray.faces.web.problem import TITLES
from linkray.kit.outward import NO_LINE, NOT_TRUSTED
from linkray.meter.health import DOUBT_HINT, RTU_HINTS, TCP_HINTS
from linkray.meter.meterfile import notes
from linkray.modbus.wire import EXCEPTIONS
from linkray.model.settings import Settings
from linkray.model.tags import Decision

FIRMWARE = Path(__file__).parents[3] / "firmware" / "linkray"
SOURCES = FIRMWARE / "faces/web/ui/src"
PARAMETER = re.compile(r"\{(\w+)\}")
OPTIONAL = re.compile(r"\[[^\]{]*\{[^\]]*\]")
SENTENCES = re.compile(r"(?<=[.?!]) (?=[A-Z])")
FORMS = {"zero", "one", "two", "few", "many", "other"}
COUNTED_ALIKE = {"en": {"one", "two", "few", "other"}, "de": {"other"}}  # of ordinals, by CLDR
PUT_TOGETHER = {  # of words that stand apart in the source, or by the library that reads JSON
    "answer.at_least", "answer.at_most", "answer.field", "answer.missing", "csms.all_no_password",
    "csms.all_password", "csms.expired", "csms.gone", "csms.issuer",
    "csms.let_in_other_tls", "csms.one_gone", "csms.one_no_password", "csms.other_address",
    "csms.other_name", "csms.own_issuer", "csms.too_early", "meter.all", "meter.l1_l2",
    "meter.l1_l3", "meter.l2_l3",
}  # fmt: skip


def read(path: Path) -> dict[str, str]:
    """A file of texts; a key that stands in it twice is an error."""

    def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
        keys = [key for key, _text in pairs]
        assert len(set(keys)) == len(keys), sorted({key for key in keys if keys.count(key) > 1})
        return dict(pairs)

    return dict(json.loads(path.read_text(), object_pairs_hook=once))


EN = read(SOURCES / "lang/en.json")
SAID = read(SOURCES / "said.json")  # what the box says as a sentence, in its own words
REPORT = read(SOURCES / "report.json")  # what it prints; test_handover.py holds it to the templates
LANGUAGES = sorted(path.stem for path in (SOURCES / "lang").glob("*.json") if path.stem != "en")


def described() -> Iterator[str]:
    """Where the settings have a help text, as the pages name it: `help.site.limit_ma`."""
    _schemas, definitions = msgspec.json.schema_components([Settings])
    yield from _described(definitions, {"$ref": "Settings"}, "help")


def _described(definitions: dict[str, Any], part: dict[str, Any], path: str) -> Iterator[str]:
    choices = part.get("anyOf", [part])
    if any("description" in one for one in (part, *choices)):
        yield path
    for choice in choices:
        items = choice.get("items")
        inner = items if isinstance(items, dict) else choice
        name = str(inner.get("$ref", "")).rpartition("/")[2]
        for field, its in definitions.get(name, {}).get("properties", {}).items():
            yield from _described(definitions, its, f"{path}.{field}")


def expected(language: str) -> dict[str, str]:
    """Every key that a language has to have, with its English text where it has one."""
    ordinals = COUNTED_ALIKE.get(language, {"other"})
    texts = {
        key: text for key, text in EN.items()
        if not key.startswith("nth.") or key.rpartition(".")[2] in ordinals
    }  # fmt: skip
    return texts | SAID | REPORT | dict.fromkeys(described(), "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_u22_a_language_has_every_text_and_none_that_nobody_shows(language: str) -> None:
    texts, wanted = read(SOURCES / f"lang/{language}.json"), expected(language)
    missing = {key: text for key, text in wanted.items() if key not in texts}
    assert not missing, f"{language}.json lacks:\n" + json.dumps(missing, indent=2)
    assert sorted(texts.keys() - wanted.keys()) == [], f"{language}.json: nobody shows these"
    assert f"lang.{language}" in EN, "its name, for the choice"


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_u22_no_text_is_empty(language: str) -> None:
    texts = read(SOURCES / f"lang/{language}.json")
    assert [key for key, text in texts.items() if text.strip() != text or not text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_u22_a_translation_fills_in_what_the_english_text_fills_in(language: str) -> None:
    texts, wanted = read(SOURCES / f"lang/{language}.json"), expected(language)
    for key in texts.keys() & wanted.keys():
        if key.startswith("help."):
            continue
        one, other = wanted[key], texts[key]
        assert set(PARAMETER.findall(one)) == set(PARAMETER.findall(other)), key
        assert one.count("**") == other.count("**"), key
        assert may_be_missing(one) == may_be_missing(other), f"{key}: what may be missing"


def may_be_missing(text: str) -> set[str]:
    """The parameters that stand in brackets alone."""
    inside = {name for part in OPTIONAL.findall(text) for name in PARAMETER.findall(part)}
    return inside - set(PARAMETER.findall(OPTIONAL.sub("", text)))


# -- the texts and the source ----------------------------------------------------------------------


@cache
def source() -> str:
    paths = sorted([*SOURCES.rglob("*.ts"), *SOURCES.rglob("*.tsx")])
    return "\n".join(path.read_text() for path in paths)


def without_form(key: str) -> str:
    stem, _, form = key.rpartition(".")
    return stem if form in FORMS else key


def test_u22_every_text_is_used_and_every_text_asked_for_is_there() -> None:
    literal = set(re.findall(r'"([a-z]\w*(?:\.[\w ]+)+)"', source()))
    made = re.findall(r"`([a-z]\w*[._][^`\s/:]*\$\{[^`]+)`", source())
    shapes = [re.compile(".+?".join(map(re.escape, re.split(r"\$\{[^}]*\}", one)))) for one in made]

    def is_used(key: str) -> bool:
        stem = without_form(key)
        return key in literal or stem in literal or any(
            one.fullmatch(key) or one.fullmatch(stem) for one in shapes
        )  # fmt: skip

    assert [key for key in EN if not is_used(key)] == []
    asked = re.findall(r'\b(?:t|say|rich)\(\s*"([a-z][\w.]*)"', source())
    stems = {without_form(key) for key in EN}
    assert sorted(key for key in set(asked) if key not in EN and key not in stems) == []


def test_a_text_with_numbers_has_its_forms_and_no_other_text_beside_them() -> None:
    for stem in (key.removesuffix(".one") for key in EN if key.endswith(".one")):
        assert f"{stem}.other" in EN
        assert stem not in EN


# -- sentences of the box --------------------------------------------------------------------------


def shape(template: str) -> re.Pattern[str]:
    """As i18n.ts reads it."""
    parts = re.split(r"\{\w+\}", template)
    return re.compile("(.+?)".join(map(re.escape, parts)) + r"\Z", re.IGNORECASE | re.DOTALL)


SHAPES = [shape(text) for text in SAID.values()]


def has_words(sentence: str) -> bool:
    if any(one.match(sentence) for one in SHAPES):
        return True
    parts = SENTENCES.split(sentence)
    return len(parts) > 1 and all(map(has_words, parts))


def sentences() -> Iterator[str]:
    """What stands in tables of the box and reaches a page."""
    yield from (*RTU_HINTS.values(), *TCP_HINTS.values(), DOUBT_HINT, *EXCEPTIONS.values())
    yield from (*NO_LINE.values(), *CERTIFICATE.values(), *TITLES.values(), WAITS)
    yield from NOT_TRUSTED.values()
    yield from (f"connector 2: {what}" for what in PROBING.values())
    yield from (one.text for one in vars(tags).values() if isinstance(one, Decision))
    for path in (FIRMWARE / "charger/quirks").glob("*.toml"):
        entry = parse(path.name, path.read_text())
        yield from (entry.why, entry.hint)


@pytest.mark.parametrize("sentence", sorted({one for one in sentences() if one}))
def test_u22_a_sentence_of_the_box_can_be_translated(sentence: str) -> None:
    assert has_words(sentence)


@cache
def spoken() -> str:
    """Every string in the box's source and every word of its data, each run of blanks as one."""
    found: list[str] = []
    for path in sorted(FIRMWARE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            if isinstance(node, ast.JoinedStr):
                found.append("".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{}"
                    for part in node.values
                ))  # fmt: skip
    found += [path.read_text() for path in sorted((FIRMWARE / "charger/quirks").glob("*.toml"))]
    found += [notes(path.read_text()) for path in sorted((FIRMWARE / "meter/files").iterdir())]
    return re.sub(r"\s+", " ", "\n".join(found)).lower()


@pytest.mark.parametrize("key", sorted(SAID.keys() - {f"said.{one}" for one in PUT_TOGETHER}))
def test_a_sentence_that_is_translated_is_one_that_the_box_says(key: str) -> None:
    parts = [part.strip() for part in re.split(r"\{\w+\}|[:;,]", SAID[key].lower())]
    unsaid = [part for part in parts if len(part) > 3 and part not in spoken()]
    assert unsaid == [], f"{key}: {SAID[key]}"


def test_a_sentence_is_translated_in_one_way_alone() -> None:
    texts = list(SAID.values())
    assert len({PARAMETER.sub("{}", text).lower() for text in texts}) == len(texts)

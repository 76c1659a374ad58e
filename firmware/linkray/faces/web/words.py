"""Texts of what is made on the server, in the language of whoever asks (web.md, Decided).

A language is the file that the pages have of it (`ui/src/lang/<code>.json`), as the build leaves it
among the static files: texts by the pages' keys, sentences of the box by their own words (`= …`),
and those of printed reports by theirs (`# …`). Where nothing is found the English words stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

STATIC = Path(__file__).parent / "static"
SENTENCE_MAX = 1_000  # characters; what is longer is no sentence of the box
LANGUAGE = re.compile(r"[a-z]{2}")
#: Parameters that people or chargers have named: they stay as they are.
NAMED = frozenset({
    "charger", "key", "name", "url", "near", "field", "value", "form", "protocol", "tls", "version",
})  # fmt: skip
COMMA = frozenset({"de", "fr", "nl", "es", "it"})  # where decimals are behind one

_PARAMETER = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\]{]*\{[^\]]*)\]")
_NEXT = re.compile(r"(?<=[.?!]) (?=[A-Z])")
_AMOUNT = re.compile(r"-?\d+\.\d+( [a-zA-Z]{1,3})?")


class Words:
    """One language, `texts` as its catalogue has them; none: English."""

    def __init__(self, language: str = "en", texts: Mapping[str, str] | None = None) -> None:
        self.language = language
        self._texts = texts or {}
        self._shapes = sorted(_shapes(self._texts), key=lambda one: -one[0])

    def __call__(self, english: str, **params: object) -> str:
        """A text of a report, by its English words."""
        return filled(self._texts.get(f"# {english}", english), params)

    def of(self, key: str, otherwise: str, **params: object) -> str:
        """A text of the pages; `otherwise` where the language has none of that key."""
        text = self._texts.get(key)
        return self.said(otherwise) if text is None else filled(text, params)

    def said(self, sentence: str) -> str:
        """A sentence of the box."""
        if not self._shapes or len(sentence) > SENTENCE_MAX:
            return sentence
        if _AMOUNT.fullmatch(sentence):
            return self.figure(sentence)
        for _literal, shape, names, text in self._shapes:
            found = shape.match(sentence)
            if found is None:
                continue
            values = zip(names, found.groups(), strict=True)
            said = filled(text, {n: v if n in NAMED else self.said(v) for n, v in values})
            return said[:1].upper() + said[1:] if sentence[:1].isupper() else said
        parts = _NEXT.split(sentence)
        return " ".join(map(self.said, parts)) if len(parts) > 1 else sentence

    def figure(self, number: str) -> str:
        """`16.6 A` → `16,6 A` where the language writes it so."""
        return number.replace(".", ",") if self.language in COMMA else number


def _shapes(texts: Mapping[str, str]) -> Iterator[tuple[int, re.Pattern[str], list[str], str]]:
    """What each sentence looks like; the more of it is no parameter, the earlier it is tried."""
    for key, text in texts.items():
        if key.startswith("= "):
            parts = _PARAMETER.split(key[2:])
            literal = sum(map(len, parts[::2]))
            shape = "(.+?)".join(map(re.escape, parts[::2]))
            yield literal, re.compile(rf"{shape}\Z", re.IGNORECASE | re.DOTALL), parts[1::2], text


def filled(text: str, params: Mapping[str, object]) -> str:
    """A text with its parameters, in the catalogue's syntax (`model/causes.py`)."""

    def kept(part: re.Match[str]) -> str:
        names = _PARAMETER.findall(part[1])
        return part[1] if all(params.get(name) not in (None, "") for name in names) else ""

    def value(name: re.Match[str]) -> str:
        said = params.get(name[1])
        return "" if said is None else str(said)

    return _PARAMETER.sub(value, _OPTIONAL.sub(kept, text.replace("**", "")))


ENGLISH = Words()


def wanted(asked: str, accepted: str) -> str:
    """The language that `?lang=` names, else the first that the browser would take."""
    for tag in (asked, *accepted.split(",")):
        code = tag.strip()[:2].lower()
        if LANGUAGE.fullmatch(code) and (code == "en" or words_of(code) is not ENGLISH):
            return code
    return "en"


@cache
def words_of(language: str, folder: Path = STATIC) -> Words:
    """A language; English where there is none of this code. Blocking: it reads files."""
    if not LANGUAGE.fullmatch(language) or language == "en":
        return ENGLISH
    texts: dict[str, str] = {}
    for kind in ("lang", "report"):
        for path in folder.glob(f"{kind}-{language}-*.json"):
            texts |= msgspec.json.decode(path.read_bytes(), type=dict[str, str])
    return Words(language, texts) if texts else ENGLISH

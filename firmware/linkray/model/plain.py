"""What is wrong with a JSON text, for people who know no types of a programming language."""

from __future__ import annotations

import re

NAMES = {
    "int": "a whole number", "float": "a number", "str": "text", "bool": "true or false",
    "array": "a list", "object": "an object", "null": "null",
}  # fmt: skip
_TYPES = re.compile(r"((?:Expected|got) )`(\w+(?: \| \w+)*)`")
_PATH = re.compile(r" - at `?(\$[^`]*)`?$")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def in_plain(error: Exception) -> str:
    """What a decoder says, with its names of types in words; its path stays as it is."""
    text = str(error).removeprefix("JSON is malformed: ")
    return _TYPES.sub(lambda found: found[1] + _named(found[2]), text)


def path_of(text: str) -> tuple[str, str]:
    """`… - at $.site.voltage_mv` as text and path; an unknown field's own name is added."""
    match = _PATH.search(text)
    words, path = (text[: match.start()], match[1]) if match else (text, "$")
    unknown = _UNKNOWN.search(words)
    return words, f"{path}.{unknown[1]}" if unknown else path


def _named(types: str) -> str:
    return " or ".join(NAMES.get(name, name) for name in types.split(" | "))

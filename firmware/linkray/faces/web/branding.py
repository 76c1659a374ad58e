"""Branding files: what is read of them, what is refused, and the style sheet they come to.

Pure. A `branding.json` alone or in a zip (manual, 27 Custom UI Branding; web.md, Branding); only
what is known is taken, and nothing of it is pasted into the sheet: colours are read and written
anew, so that no text of a file can be CSS (trust.md A13, A16).
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, cast, get_args

import msgspec

from linkray.model.branding import Branding, Colour, Place, Property

from .colour import CONTRAST_MIN, contrast, legible, parse

ARCHIVE_BYTES_MAX = 2 * 1024 * 1024  # trust.md A16, this and the three below
TOTAL_BYTES_MAX = 8 * 1024 * 1024
MEMBERS_MAX = 50
RATIO_MAX = 100
RATIO_FROM_BYTES = 64 * 1024  # what is smaller may be as regular as it likes
JSON_BYTES_MAX = 64 * 1024
JSON_NAME = "branding.json"
HEAD_CHARS_MAX, FOOT_CHARS_MAX = 60, 200
IMAGE_NAME = re.compile(r"^[A-Za-z0-9_][A-Za-z0-9._ -]{0,60}\.(png|jpe?g|gif)$", re.IGNORECASE)
HEIGHT_MIN, HEIGHT_MAX, OFFSET_MAX = 8, 400, 200

PLACES: dict[str, Place] = {
    "HeadStyle": "head", "MenuStyle": "menu", "MenuActiveStyle": "menu_active",
    "MenuFocusHoverStyle": "menu_hover", "FootStyle": "foot",
}  # fmt: skip
SECTIONS: dict[str, tuple[str, ...]] = {
    "Navigation": (
        "HeadText", "HeadImg", "HeadImgHeight", "HeadImgLeftOffset", "HeadImgRightOffset",
        "HeadImgBottomOffset", "HeadOrderReverse", "HeadStyle", "MenuStyle", "MenuActiveStyle",
        "MenuFocusHoverStyle",
    ),
    "Content": (
        "FootText", "FootStyle", "SectionBack", "CardBack", "CardLabel", "CardLabelBack", "Button",
        "ButtonBack", "ToggleOn", "ToggleOnBack", "ToggleOff", "ToggleOffBack",
    ),
    "Colors": ("Primary", "PrimaryBack", "Secondary", "SecondaryBack"),
}  # fmt: skip
PAIRS = ("Primary", "Secondary", "CardLabel", "Button", "ToggleOn", "ToggleOff")
WORDS: dict[str, frozenset[str]] = {
    "font-weight": frozenset({"normal", "bold", *(str(n) for n in range(100, 1000, 100))}),
    "font-style": frozenset({"normal", "italic"}),
    "text-transform": frozenset({"none", "uppercase", "lowercase", "capitalize"}),
    "text-decoration": frozenset({"none", "underline"}),
    "text-align": frozenset({"left", "center", "right", "start", "end"}),
}
LENGTHS = {  # property: its units, each with least and most
    "font-size": {"%": (75, 200), "px": (12, 40), "em": (0.75, 2.5), "rem": (0.75, 2.5)},
    "letter-spacing": {"px": (-1, 5), "em": (-0.05, 0.3)},
}
_LENGTH = re.compile(r"^(-?\d{1,3}(?:\.\d{1,2})?)(%|px|em|rem)$")
# text that never ends is taken to the end: trying again at each of its quotes would be quadratic
_STRING = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_TOKENS = re.compile(rf"{_STRING}|;", re.DOTALL)
_TRAILING = re.compile(rf"{_STRING}|,(?=\s*+[}}\]])", re.DOTALL)

# what our own text is drawn with where a brand gives the surface (ui/src/style/tokens.css, light)
OURS = {"text": "#16202a", "second text": "#4a5763"}


class BadBranding(ValueError):
    """A branding file that is not taken; `path` is where in its JSON, if anywhere."""

    def __init__(self, text: str, path: str = "$") -> None:
        super().__init__(text)
        self.path = path


class Read(msgspec.Struct, frozen=True):
    """A file that was read: the brand without its picture, and the picture as it came."""

    branding: Branding
    image: bytes = b""


def read(content: bytes) -> Read:
    """A `branding.json`, alone or in a zip, checked whole. Raises `BadBranding`."""
    if len(content) > ARCHIVE_BYTES_MAX:
        raise BadBranding(f"expected at most {ARCHIVE_BYTES_MAX} bytes, got {len(content)}")
    if not content.startswith(b"PK"):
        branding, image = read_json(content)
        if image:
            raise BadBranding(f"it names the picture {image!r}: put both into one zip",
                              "$.Navigation.HeadImg")  # fmt: skip
        return Read(branding)
    with _opened(content) as archive:
        listed = _members(archive)
        if JSON_NAME not in listed:
            raise BadBranding(f"expected {JSON_NAME} at the top of the zip")
        branding, image = read_json(_bytes_of(archive, listed[JSON_NAME], JSON_BYTES_MAX))
        if not image:
            return Read(branding)
        if image not in listed:
            raise BadBranding(f"the zip has no {image!r}", "$.Navigation.HeadImg")
        return Read(branding, _bytes_of(archive, listed[image], ARCHIVE_BYTES_MAX))


# -- the zip ---------------------------------------------------------------------------------------


def _opened(content: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, RuntimeError, OverflowError) as error:
        raise BadBranding(f"the zip cannot be read: {error}") from None


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """What is in it by name, where nothing of it is a trap; names are never used as paths."""
    listed = archive.infolist()
    if len(listed) > MEMBERS_MAX:
        raise BadBranding(f"expected at most {MEMBERS_MAX} files in the zip, got {len(listed)}")
    total = sum(one.file_size for one in listed)
    if total > TOTAL_BYTES_MAX:
        raise BadBranding(f"expected at most {TOTAL_BYTES_MAX} bytes unpacked, got {total}")
    found: dict[str, zipfile.ZipInfo] = {}
    for one in listed:
        large = one.file_size > RATIO_FROM_BYTES
        if large and one.file_size > RATIO_MAX * max(one.compress_size, 1):
            raise BadBranding(f"{one.filename[:60]!r} unpacks to over {RATIO_MAX} times its size")
        if one.filename in found:
            raise BadBranding(f"{one.filename[:60]!r} is in the zip twice")
        found[one.filename] = one
    return found


def _bytes_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """A member's content, whatever its header says of its size."""
    name = member.filename
    if stat.S_ISLNK(member.external_attr >> 16):
        raise BadBranding(f"{name!r} is a link, not a file")
    if member.flag_bits & 0x1:
        raise BadBranding(f"{name!r} has a password")
    if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise BadBranding(f"{name!r} is packed in a way that is not read here; expected deflate")
    try:
        with archive.open(member) as file:
            content = file.read(most + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError,
            OSError, RuntimeError) as error:  # fmt: skip
        raise BadBranding(f"{name!r} cannot be read: {error}") from None
    if len(content) > most:
        raise BadBranding(f"{name!r} has over {most} bytes")
    return content


# -- the JSON --------------------------------------------------------------------------------------


def read_json(content: bytes) -> tuple[Branding, str]:
    """A `branding.json`: the brand, and the name of its picture. Raises `BadBranding`.

    The manual's own example has `;` for a comma, and one before a bracket.
    """
    if len(content) > JSON_BYTES_MAX:
        raise BadBranding(f"expected at most {JSON_BYTES_MAX} bytes of {JSON_NAME}, "
                          f"got {len(content)}")  # fmt: skip
    try:
        text = content.decode("utf-8-sig")
        text = _TOKENS.sub(lambda found: "," if found[0] == ";" else found[0], text)
        text = _TRAILING.sub(lambda found: "" if found[0] == "," else found[0], text)
        tree = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadBranding(f"expected JSON: {str(error)[:120]}") from None
    if not isinstance(tree, dict):
        raise BadBranding("expected an object")
    given = dict(_given(tree))
    image = _image_of(given)
    branding = Branding(
        head_text=_text(given, "HeadText", HEAD_CHARS_MAX),
        foot_text=_text(given, "FootText", FOOT_CHARS_MAX),
        image_height=_number(given, "HeadImgHeight", HEIGHT_MIN, HEIGHT_MAX),
        offset_left=_number(given, "HeadImgLeftOffset", 0, OFFSET_MAX),
        offset_right=_number(given, "HeadImgRightOffset", 0, OFFSET_MAX),
        offset_bottom=_number(given, "HeadImgBottomOffset", 0, OFFSET_MAX),
        reverse=bool(_number(given, "HeadOrderReverse", 0, 1)),
        colours=_colours(given),
        styles={place: _style(given, name) for name, place in PLACES.items() if given.get(name)},
    )
    weak = list(weaknesses(branding))
    if weak:
        raise BadBranding(f"expected a contrast of at least {CONTRAST_MIN} : 1: {'; '.join(weak)}")
    return branding, image


def _given(tree: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every value by its key; what is not known is refused with its place."""
    for section, values in tree.items():
        known = SECTIONS.get(section)
        if known is None:
            raise BadBranding(f"expected {', '.join(SECTIONS)}, got {section[:60]!r}")
        if not isinstance(values, dict):
            raise BadBranding("expected an object", f"$.{section}")
        for name, value in values.items():
            if name not in known:
                raise BadBranding(f"there is no {name[:60]!r} in {section}", f"$.{section}")
            yield name, value


def _path(name: str) -> str:
    section = next(section for section, names in SECTIONS.items() if name in names)
    return f"$.{section}.{name}"


def _text(given: dict[str, Any], name: str, most: int) -> str:
    value = given.get(name, "")
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise BadBranding(f"expected a line of at most {most} characters", _path(name))
    return value


def _number(given: dict[str, Any], name: str, least: int, most: int) -> int:
    value = given.get(name, 0)
    if value == 0:
        return 0
    if not isinstance(value, int) or not least <= value <= most:
        raise BadBranding(f"expected a whole number from {least} to {most}", _path(name))
    return int(value)


def _image_of(given: dict[str, Any]) -> str:
    value = given.get("HeadImg", "")
    if value and (not isinstance(value, str) or IMAGE_NAME.match(value) is None):
        raise BadBranding("expected the plain name of a PNG, JPEG or GIF in the zip",
                          _path("HeadImg"))  # fmt: skip
    return str(value)


def _colours(given: dict[str, Any]) -> dict[Colour, str]:
    found: dict[Colour, str] = {}
    for name in get_args(Colour):
        value = given.get(name, "")
        if value == "":
            continue
        colour = parse(value) if isinstance(value, str) else None
        if colour is None:
            raise BadBranding("expected a colour such as #3E6DBE or rgb(62, 109, 190)", _path(name))
        found[name] = colour
    for name in PAIRS:
        back = cast("Colour", f"{name}Back")
        if (name in found) is not (back in found):
            there = name if name in found else back
            raise BadBranding(f"{name} and {back} are a pair: expected both or none", _path(there))
    return found


def _style(given: dict[str, Any], name: str) -> dict[Property, str]:
    """A style's declarations, each a known property with a value of its kind."""
    text = given[name]
    if not isinstance(text, str) or len(text) > 500:
        raise BadBranding("expected CSS declarations, at most 500 characters", _path(name))
    found: dict[Property, str] = {}
    for part in text.split(";"):
        if not part.strip():
            continue
        prop, _, value = part.partition(":")
        prop, value = prop.strip().lower(), value.strip().lower()
        prop = "background" if prop == "background-color" else prop
        kept = value_of(prop, value)
        if kept is None:
            raise BadBranding(f"{part.strip()[:60]!r} is not taken; known are "
                              f"{', '.join(get_args(Property))}, each with a plain value",
                              _path(name))  # fmt: skip
        found[cast("Property", prop)] = kept
    return found


def value_of(prop: str, value: str) -> str | None:
    """A property's value as it is kept; None for one that is not taken."""
    if prop in {"color", "background"}:
        return parse(value)
    if prop in WORDS:
        return value if value in WORDS[prop] else None
    length = _LENGTH.match(value)
    if length is None or length[2] not in LENGTHS.get(prop, {}):
        return None
    least, most = LENGTHS[prop][length[2]]
    return value if least <= float(length[1]) <= most else None


# -- contrast --------------------------------------------------------------------------------------


def weaknesses(branding: Branding) -> Iterator[str]:
    """Each pair of colours that is hard to read, with its number and a colour that would do."""
    colours = cast("dict[str, str]", branding.colours)
    for what, text, back in _pairs(branding):
        found = contrast(text, back)
        if found < CONTRAST_MIN:
            would = legible(text, (back,))
            yield f"{what} ({text} on {back}) has {found:.1f} : 1, {would} would do"
    for name in ("SectionBack", "CardBack"):
        back = colours.get(name, "")
        for what, text in OURS.items() if back else ():
            if contrast(text, back) < CONTRAST_MIN:
                yield f"our {what} on {name} {back} has {contrast(text, back):.1f} : 1"


def _pairs(branding: Branding) -> Iterator[tuple[str, str, str]]:
    """What, its text, and what that stands on, in the light look."""
    colours, styles = cast("dict[str, str]", branding.colours), branding.styles
    for name in PAIRS:
        if name in colours:
            yield f"{name} on {name}Back", colours[name], colours[f"{name}Back"]
    surface = colours.get("CardBack", "#ffffff")
    menu = styles.get("menu", {})
    menu_back = menu.get("background") or colours.get("SecondaryBack") or surface
    menu_text = menu.get("color") or colours.get("Secondary") or OURS["text"]
    under: dict[Place, tuple[str, str]] = {
        "head": (colours.get("Primary", OURS["text"]), colours.get("PrimaryBack", menu_back)),
        "menu": (menu_text, menu_back),
        "menu_active": (menu_text, menu_back),
        "menu_hover": (menu_text, menu_back),
        "foot": (OURS["second text"], colours.get("SectionBack", "#f4f6f8")),
    }
    names = {place: name for name, place in PLACES.items()}
    for place, style in styles.items():
        if "color" in style or "background" in style:
            text, back = under[place]
            yield names[place], style.get("color", text), style.get("background", back)

"""Colours: read, mixed, and how well one is read on another (WCAG 2.2, contrast ratio)."""

from __future__ import annotations

import re
from collections.abc import Collection

CONTRAST_MIN = 4.5  # web.md, Branding; WCAG 2.2, 1.4.3
STEPS = 40  # of the search for a colour that is read: the last is black or white
NAMES = {
    "black": "#000000", "silver": "#c0c0c0", "gray": "#808080", "grey": "#808080",
    "white": "#ffffff", "maroon": "#800000", "red": "#ff0000", "purple": "#800080",
    "fuchsia": "#ff00ff", "green": "#008000", "lime": "#00ff00", "olive": "#808000",
    "yellow": "#ffff00", "navy": "#000080", "blue": "#0000ff", "teal": "#008080",
    "aqua": "#00ffff", "orange": "#ffa500",
}  # fmt: skip  # CSS 2.1's
_HEX = re.compile(r"^#([0-9a-f]{3}|[0-9a-f]{6})$")
_RGB = re.compile(r"^rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)$")


def parse(text: str) -> str | None:
    """A colour as `#rrggbb`; None where it is none that is taken."""
    text = text.strip().lower()
    if text in NAMES:
        return NAMES[text]
    found = _HEX.match(text)
    if found is not None:
        digits = found[1] if len(found[1]) == 6 else "".join(2 * d for d in found[1])
        return f"#{digits}"
    found = _RGB.match(text)
    if found is not None and all(int(part) <= 255 for part in found.groups()):
        return _hex(tuple(int(part) for part in found.groups()))
    return None


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mix(one: str, other: str, share: float) -> str:
    """So much (0 to 1) of the other in the one."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return _hex(tuple(round(a + (b - a) * share) for a, b in pairs))


def legible(colour: str, backs: Collection[str], least: float = CONTRAST_MIN) -> str:
    """The nearest shade of a colour that is read on all of these; black or white at the worst."""
    towards = max("#000000", "#ffffff", key=lambda end: min(contrast(end, b) for b in backs))
    for step in range(STEPS):
        shade = mix(colour, towards, step / STEPS)
        if all(contrast(shade, back) >= least for back in backs):
            return shade
    return towards


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def _hex(channels: tuple[int, ...]) -> str:
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

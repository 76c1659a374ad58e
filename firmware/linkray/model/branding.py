"""A brand as it is kept: checked words, colours and styles, and one picture (web.md, Branding)."""

from __future__ import annotations

from typing import Literal

import msgspec

Place = Literal["head", "menu", "menu_active", "menu_hover", "foot"]
Property = Literal[
    "color", "background", "font-size", "font-weight", "font-style", "text-transform",
    "letter-spacing", "text-decoration", "text-align",
]  # fmt: skip
Colour = Literal[
    "SectionBack", "CardBack", "CardLabel", "CardLabelBack", "Button", "ButtonBack", "ToggleOn",
    "ToggleOnBack", "ToggleOff", "ToggleOffBack", "Primary", "PrimaryBack", "Secondary",
    "SecondaryBack",
]  # fmt: skip


class Branding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a `branding.json` came to. Colours are `#rrggbb`, lengths pixels.

    Empty: no brand but LinkRay's own.
    """

    head_text: str = ""
    foot_text: str = ""
    image: bytes = b""  # PNG, drawn anew from the pixels of what was uploaded
    image_px: tuple[int, int] = (0, 0)  # its width and height
    image_height: int = 0  # as which it is to be shown; 0: whatever fits
    offset_left: int = 0
    offset_right: int = 0
    offset_bottom: int = 0
    reverse: bool = False  # the text before the picture
    colours: dict[Colour, str] = msgspec.field(default_factory=dict)
    styles: dict[Place, dict[Property, str]] = msgspec.field(default_factory=dict)


class BrandView(msgspec.Struct, frozen=True):
    """What the pages draw of a brand; its colours come as a style sheet."""

    head_text: str = ""
    foot_text: str = ""
    image: str | None = None  # where its picture is
    image_px: tuple[int, int] = (0, 0)
    reverse: bool = False

"""The brand as the browser gets it: a style sheet of tokens, one picture, and two lines of text.

Every value is judged once more as it is written: what stands in a file on the disk may have been
changed by something else than an upload, and is no CSS before it has been read as a colour.
Pairs that bring their own background hold in both looks; surfaces and what stands on them hold in
the light one, for a white card in the dark look would dazzle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import structlog

from linkray.model.branding import Branding, BrandView, Place, Property

from .branding import value_of, weaknesses
from .colour import CONTRAST_MIN, contrast, legible, mix, parse
from .static import File, file_of

FILE = "branding"  # in the state folder; control writes it
SHEET = "/brand.css"  # named by index.html
SURFACES = {  # ui/src/style/tokens.css: what text stands on
    "light": {"surface": "#ffffff", "back": "#f4f6f8", "sunk": "#eef1f4"},
    "dark": {"surface": "#161e26", "back": "#0e141a", "sunk": "#1d2731"},
}
TONES = {  # the same: what tells a state, and its own tint
    "ok": ("#18794e", "#e4f4ec"), "limited": ("#8a5300", "#fbf0dc"),
    "fault": ("#b42318", "#fdeceb"), "idle": ("#55616d", "#ecf0f3"),
}  # fmt: skip
TINT = 0.12  # how much of the accent is in what is ticked or open
OPEN = 0.14  # how much of the menu's text is in its open item
ONES = {  # pairs that bring their own background
    "Primary": "plate", "CardLabel": "label", "Button": "button", "ToggleOn": "toggle-on",
    "ToggleOff": "toggle-off",
}  # fmt: skip
SELECTORS: dict[Place, str] = {
    "head": ".brand-name",
    "menu": ".side nav a",
    "menu_hover": ".side nav a:hover,.side nav a:focus-visible",
    "menu_active": '.side nav a[aria-current="page"]',
    "foot": ".brand-foot",
}
LIGHT = ':root:not([data-theme="dark"])'
DARK = ':root[data-theme="dark"]'
NONE = Branding()

log = structlog.get_logger(source="WEB")


def sheet(brand: Branding) -> str:
    """The style sheet: rules beside the layers of the pages' own, so that they hold before them."""
    return "".join(f"{where}{{{what}}}\n" for where, what in _rules(brand) if what)


def _rules(brand: Branding) -> Iterator[tuple[str, str]]:
    colours = cast("dict[str, str]", brand.colours)
    yield ":root", _tokens({
        **{f"{token}-text": colours.get(name) for name, token in ONES.items()},
        **{f"{token}-back": colours.get(f"{name}Back") for name, token in ONES.items()},
        "plate-pad": "8px 12px" if "Primary" in colours else None,
        "plate-pad-small": "4px 6px" if "Primary" in colours else None,
        "label-pad": "2px 10px" if "CardLabel" in colours else None,
        "brand-height": f"{brand.image_height}px" if brand.image_height else None,
        "brand-left": f"{brand.offset_left}px" if brand.offset_left else None,
        "brand-right": f"{brand.offset_right}px" if brand.offset_right else None,
        "brand-bottom": f"{brand.offset_bottom}px" if brand.offset_bottom else None,
    })  # fmt: skip
    light = dict(SURFACES["light"])
    light |= {token: colours[name] for token, name in (("surface", "CardBack"),
              ("back", "SectionBack")) if name in colours}  # fmt: skip
    given = {token: light[token] for token, name in (("surface", "CardBack"),
             ("back", "SectionBack")) if name in colours}  # fmt: skip
    accent = colours.get("ButtonBack", "#0b6bcb" if given else None)
    tones = {
        name: legible(tone, (*light.values(), tint), CONTRAST_MIN)
        for name, (tone, tint) in (TONES.items() if given else ())
    }
    yield LIGHT, _tokens({**given, **tones, **_accent(accent, light)})
    yield DARK, _tokens(_accent(colours.get("ButtonBack"), SURFACES["dark"]))
    yield from _menu(colours)
    for place, selector in SELECTORS.items():
        yield from _styled(brand, place, selector)


def _accent(colour: str | None, on: dict[str, str]) -> dict[str, str | None]:
    """The brand's colour in a shade that is read on every surface of the look, and its tint."""
    if colour is None:
        return {}
    shade = colour
    for _ in range(3):  # the tint has the shade in it: three times are enough to settle
        tint = mix(on["surface"], shade, TINT)
        shade = legible(colour, (*on.values(), tint), CONTRAST_MIN + 0.1)
    tint = mix(on["surface"], shade, TINT)
    ink = max("#ffffff", "#0b1620", key=lambda one: contrast(one, shade))
    return {"accent": shade, "accent-tint": tint, "on-accent": ink}


def _menu(colours: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The menu's own surface, in the light look, and what stands on it without a style."""
    text, back = colours.get("Secondary"), colours.get("SecondaryBack")
    if text is None or back is None:
        return
    opened = next(
        shade for share in (OPEN, OPEN / 2, 0.0)
        if contrast(text, shade := mix(back, text, share)) >= CONTRAST_MIN or not share
    )  # fmt: skip
    yield f"{LIGHT} .side", f"background:{back};color:{text}"
    inside = ".side nav a", ".side .side-title", ".side .language"
    yield ",".join(f"{LIGHT} {one}" for one in inside), f"color:{text}"
    yield f"{LIGHT} .side nav a:hover", f"background:{opened}"
    yield f'{LIGHT} .side nav a[aria-current="page"]', (
        f"background:{opened};color:{text};box-shadow:inset 3px 0 0 {text}"
    )


def _styled(brand: Branding, place: Place, selector: str) -> Iterator[tuple[str, str]]:
    """A style: its form in both looks, its colours where they are read."""
    style = brand.styles.get(place, {})
    painted: tuple[Property, ...] = ("color", "background")
    form = {name: value for name, value in style.items() if name not in painted}
    yield selector, ";".join(f"{name}:{value}" for name, value in form.items())
    colours = ";".join(f"{name}:{style[name]}" for name in painted if name in style)
    whole = "color" in style and "background" in style
    looks = (LIGHT, DARK) if whole or _reads_in_the_dark(brand, place) else (LIGHT,)
    parts = [f"{look} {one}" for look in looks for one in selector.split(",")]
    yield ",".join(parts), colours


def _reads_in_the_dark(brand: Branding, place: Place) -> bool:
    """Whether a colour without a background of its own is read on our dark surfaces too."""
    style = brand.styles.get(place, {})
    if place == "head" and "Primary" in brand.colours:
        return True  # it stands on the plate, which is the same
    if "color" not in style:
        return False
    return all(contrast(style["color"], back) >= CONTRAST_MIN for back in SURFACES["dark"].values())


def _tokens(values: dict[str, str | None]) -> str:
    return ";".join(f"--{name}:{value}" for name, value in values.items() if value is not None)


# -- on disk ---------------------------------------------------------------------------------------


class Kept:
    """The brand that control has kept, read again where its file has changed."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._seen: object = ()
        self._brand = NONE
        self._files: dict[str, File] = {}

    @property
    def view(self) -> BrandView:
        self._look()
        brand = self._brand
        return BrandView(brand.head_text, brand.foot_text, _image_path(brand), brand.image_px,
                         brand.reverse)  # fmt: skip

    def file(self, path: str) -> File | None:
        """The style sheet or the picture, under the paths that the pages name."""
        self._look()
        return self._files.get(path)

    def _look(self) -> None:
        try:
            found = self._file.stat()
            seen: object = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            seen = None
        if seen == self._seen:
            return
        self._seen = seen
        self._brand = NONE if seen is None else self._read()
        self._files = dict(_files(self._brand))

    def _read(self) -> Branding:
        try:
            brand = msgspec.json.decode(self._file.read_bytes(), type=Branding)
            _judge(brand)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
            log.warning("branding not read", cause=str(error), action="LinkRay's own shown")
            return NONE
        return brand


def _judge(brand: Branding) -> None:
    """Raises ValueError for a brand that no upload could have left."""
    for colour in brand.colours.values():
        if parse(colour) != colour:
            raise ValueError(f"expected a colour, got {colour[:20]!r}")
    for style in brand.styles.values():
        for name, value in style.items():
            if value_of(name, value) != value:
                raise ValueError(f"expected a value of {name}, got {value[:20]!r}")
    if any(weaknesses(brand)):
        raise ValueError("a pair of its colours is hard to read")


def _image_path(brand: Branding) -> str | None:
    if not brand.image:
        return None
    return f"/brand-{hashlib.sha256(brand.image).hexdigest()[:10]}.png"


def _files(brand: Branding) -> Iterator[tuple[str, File]]:
    css = file_of(SHEET, sheet(brand).encode(), {})
    assert css is not None
    yield SHEET, css
    path = _image_path(brand)
    png = file_of(path, brand.image, {}) if path else None
    if path and png:
        yield path, png


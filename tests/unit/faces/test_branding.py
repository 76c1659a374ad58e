"""Branding files: the manual's own, and every kind that somebody could mean harm by."""

from __future__ import annotations

import io
import json
import random
import re
import signal
import stat
import zipfile
from typing import Any

import pytest

from linkray.faces.web.brand import Kept, sheet
from linkray.faces.web.branding import BadBranding, read, read_json
from linkray.faces.web.colour import contrast, legible, mix, parse
from linkray.model.branding import Branding

MANUAL = """{
  "Navigation" : {
    "HeadText": "",
    "HeadImg": "logo.png",
    "HeadImgHeight": 150,
    "HeadImgLeftOffset": 4,
    "HeadImgRightOffset": 0,
    "HeadImgBottomOffset": 12,
    "HeadOrderReverse": 0,
    "HeadStyle": "font-size: 100%;";
    "MenuStyle": "color: #241f59;";
    "MenuActiveStyle": "color: white; background: #333333;";
    "MenuFocusHoverStyle": "color: white; background: #aaaaaa;";
  },
  "Content" : {
    "FootText": "© 2024 My Company - All rights reserved",
    "FootStyle": "color: #000000",
    "SectionBack": "#CECECD",
    "CardBack": "#F3F2F2",
    "CardLabel": "#FFFFFF",
    "CardLabelBack": "#EF3340",
    "Button": "#FFFFFF",
    "ButtonBack": "#3E6DBE",
    "ToggleOn": "#FFFFFF",
    "ToggleOnBack": "#3E6DBE",
    "ToggleOff": "#FFFFFF",
    "ToggleOffBack": "#CECECD"
  },
  "Colors": {
    "Primary" : "#FFFFFF",
    "PrimaryBack" : "#404040",
    "Secondary" : "#FFFFFF",
    "SecondaryBack" : "#FFFFFF"
  }
}"""  # manual, 27 Custom UI Branding, with its semicolons
LEGIBLE = (
    MANUAL.replace("#EF3340", "#C8202D").replace("background: #aaaaaa", "background: #666666")
    .replace('"ToggleOff": "#FFFFFF"', '"ToggleOff": "#333333"')
    .replace('"Secondary" : "#FFFFFF"', '"Secondary" : "#241F59"')
)  # fmt: skip
PNG = b"any picture: it is drawn anew elsewhere"


def packed(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", how) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def branded(**sections: dict[str, Any]) -> bytes:
    return json.dumps(sections).encode()


def refused(content: bytes) -> BadBranding:
    with pytest.raises(BadBranding) as told:
        read(content)
    return told.value


def test_the_manuals_example_is_read_and_refused_for_what_nobody_could_read() -> None:
    said = str(refused(packed(("branding.json", MANUAL.encode()), ("logo.png", PNG))))

    found = dict(re.findall(r"(\w+)(?: on \w+)? \(#\w+ on #\w+\) has ([\d.]+) : 1", said))
    assert found == {
        "CardLabel": "4.0", "ToggleOff": "1.6", "Secondary": "1.0", "MenuFocusHoverStyle": "2.3"
    }  # fmt: skip
    assert "would do" in said


def test_with_those_four_mended_it_is_taken_whole() -> None:
    found = read(packed(("branding.json", LEGIBLE.encode()), ("logo.png", PNG)))

    brand = found.branding
    assert found.image == PNG
    assert brand.foot_text == "© 2024 My Company - All rights reserved"
    assert (brand.image_height, brand.offset_left, brand.offset_bottom) == (150, 4, 12)
    assert brand.colours["ButtonBack"] == "#3e6dbe"
    assert brand.styles["menu_active"] == {"color": "#ffffff", "background": "#333333"}
    assert brand.styles["head"] == {"font-size": "100%"}


@pytest.mark.parametrize("bad", ['\\"', '"\\"', "\\", '"', '[;\\"', ",\n ", ', "'])
def test_64_kib_of_what_is_no_json_are_refused_at_once(bad: str) -> None:
    """Work by the square of the length would be a minute of standing pages."""
    text = (bad * 65_536)[:65_530]

    def hang(_signal: int, _frame: object) -> None:
        raise AssertionError("still at it")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(10)
    try:
        for start in ("", '{"a": ', '{"a": "'):
            assert "expected JSON" in str(refused((start + text)[:65_536].encode()))
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_what_stands_in_quotes_stays_as_it_is() -> None:
    tricky = r'"FootText": "a;b ,] \\\" ;, } \\";'
    brand, _image = read_json(f'{{"Content": {{{tricky} }};}}'.encode())

    assert brand.foot_text == 'a;b ,] \\" ;, } \\'


@pytest.mark.parametrize("content", [b"{}", b"{\n}", b"\xef\xbb\xbf{ }"])
def test_nothing_but_brackets_clears_it_alone_and_in_a_zip(content: bytes) -> None:
    assert read(content).branding == Branding()
    assert read(packed(("branding.json", content))).branding == Branding()


@pytest.mark.parametrize(
    ("sections", "path", "words"),
    [
        ({"Magic": {}}, "$", "expected Navigation, Content, Colors"),
        ({"Content": []}, "$.Content", "an object"),
        ({"Content": {"Script": "x"}}, "$.Content", "there is no 'Script'"),
        ({"Navigation": {"HeadText": "x" * 61}}, "$.Navigation.HeadText", "at most 60"),
        ({"Navigation": {"HeadText": "a\nb"}}, "$.Navigation.HeadText", "a line"),
        ({"Navigation": {"HeadText": 7}}, "$.Navigation.HeadText", "a line"),
        ({"Navigation": {"HeadImgHeight": 9999}}, "$.Navigation.HeadImgHeight", "from 8 to 400"),
        ({"Navigation": {"HeadImgHeight": "1px"}}, "$.Navigation.HeadImgHeight", "whole number"),
        ({"Navigation": {"HeadImg": "../logo.png"}}, "$.Navigation.HeadImg", "plain name"),
        ({"Navigation": {"HeadImg": "logo.svg"}}, "$.Navigation.HeadImg", "PNG, JPEG or GIF"),
        ({"Navigation": {"HeadImg": "logo.png"}}, "$.Navigation.HeadImg", "one zip"),
        ({"Colors": {"Primary": "#fff"}}, "$.Colors.Primary", "are a pair"),
        ({"Content": {"CardBack": "url(//evil.example)"}}, "$.Content.CardBack", "a colour"),
        ({"Content": {"CardBack": "#12345"}}, "$.Content.CardBack", "a colour"),
        ({"Content": {"CardBack": "rgb(1,2,999)"}}, "$.Content.CardBack", "a colour"),
        ({"Content": {"CardBack": "#333333"}}, "$", "our text on CardBack #333333 has"),
        ({"Content": {"SectionBack": "#888888"}}, "$", "our second text on SectionBack"),
    ],
)  # fmt: skip
def test_what_is_not_known_or_cannot_be_is_refused_with_its_place(
    sections: dict[str, Any], path: str, words: str
) -> None:
    told = refused(branded(**sections))
    assert (told.path, words in str(told)) == (path, True), str(told)


@pytest.mark.parametrize(
    "style",
    [
        "background: url(//evil.example/x.png)", "color: red; position: fixed",
        "color: expression(1)",
        "color: red} body{display:none", "behavior: url(x)", "-moz-binding: url(x)", "color",
        "color: var(--x)", "font-size: 9999px", "font-size: 1e9px", "color: \\72 ed",
        "--accent: red",
        "color: red !important", "@import 'x'", "/* x */ color: red", "color: red /*",
        "content: 'x'",
        "font-size: calc(1px)", "letter-spacing: 99px", "color: #fff\x00", "font-family: x",
        "color: </style><script>alert(1)</script>", "color: red" + " " * 600, "width: 1px",
    ],
)  # fmt: skip
def test_a13_a_style_that_is_not_known_is_refused(style: str) -> None:
    told = refused(branded(Navigation={"MenuActiveStyle": style}))
    assert told.path == "$.Navigation.MenuActiveStyle"


HOSTILE = [
    "</style><script>alert(1)</script>", "';alert(1)//", '"}body{display:none}', "\\",
    "javascript:alert(1)", "{{7*7}}", "=1+1", "<img src=x onerror=alert(1)>", "*/ } {",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_a13_no_text_of_a_file_is_ever_css(text: str) -> None:
    found = read(branded(Navigation={"HeadText": text}, Content={"FootText": text})).branding
    assert found.head_text == text
    assert sheet(found) == ""


def test_everything_in_the_sheet_is_of_a_form_that_is_known() -> None:
    lines = sheet(read_json(LEGIBLE.encode())[0]).splitlines()
    value = r"(#[0-9a-f]{6}|\d+px|\d+px \d+px|\d+%|inset 3px 0 0 #[0-9a-f]{6})"
    rule = re.compile(rf'[-.:\[\]="\w ,()]+\{{(?:[\w-]+:{value};?)+\}}')
    assert lines
    assert [line for line in lines if rule.fullmatch(line) is None] == []


@pytest.mark.parametrize(
    "text",
    ["[" * 60_000, "{" * 60_000, '{"Content": ' * 5_000, "nul", "\ud7ff{", '{"a": 1e999}',
     '{"Content": {"FootText": "\\ud800"}}'],
)  # fmt: skip
def test_json_that_is_none_is_refused(text: str) -> None:
    refused(text.encode("utf-8", "surrogatepass"))


def test_a_semicolon_inside_a_text_stays_one() -> None:
    text = '{"Content": {"FootText": "a; b, }";};}'
    assert read(text.encode()).branding.foot_text == "a; b, }"


# -- archives --------------------------------------------------------------------------------------


def test_a16_archives_that_are_traps_are_refused() -> None:
    good = ("branding.json", b"{}")
    many = packed(good, *((f"f{n}", b"") for n in range(50)))
    bomb = packed(good, ("zeros.png", b"\0" * 5_000_000))
    large = packed(good, ("a", random.Random(1).randbytes(100)), how=zipfile.ZIP_STORED)
    assert "at most 50 files" in str(refused(many))
    assert "100 times its size" in str(refused(bomb))
    assert "at the top of the zip" in str(refused(packed(("x/branding.json", b"{}"))))
    assert "cannot be read" in str(refused(large[:-30]))
    assert "at most 2097152 bytes" in str(refused(b"PK" + b"\0" * 2_100_000))
    total = packed(good, *((f"f{n}", b"ab" * 600_000) for n in range(8)))
    assert "bytes unpacked" in str(refused(total))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a16_a_name_twice_a_link_and_a_password_are_refused() -> None:
    assert "twice" in str(refused(packed(("branding.json", b"{}"), ("branding.json", b"{}"))))
    link = zipfile.ZipInfo("branding.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert "a link" in str(refused(out.getvalue()))
    locked = bytearray(packed(("branding.json", b"{}")))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        place = locked.index(mark) + (6 if mark == b"PK\x03\x04" else 8)
        locked[place] |= 1
    assert "a password" in str(refused(bytes(locked)))
    rare = packed(("branding.json", b"{}"), how=zipfile.ZIP_BZIP2)
    assert "expected deflate" in str(refused(rare))


def test_a16_a_header_that_lies_of_a_size_gains_nothing() -> None:
    content = packed(("branding.json", b" " * 300_000 + b"{}"))
    lying = content.replace((300_002).to_bytes(4, "little"), (12).to_bytes(4, "little"))
    assert refused(lying)


def test_a16_paths_that_climb_are_only_names() -> None:
    good = ("branding.json", b"{}")
    assert read(packed(good, ("../../etc/passwd", b"x"), ("/abs", b"x"))).branding == Branding()


def test_a16_bytes_at_random_change_nothing_but_the_reason(seed: int = 7) -> None:
    """A thousand mutations of a good archive: read as good, or refused; nothing else happens."""
    chance = random.Random(seed)
    whole = packed(("branding.json", LEGIBLE.encode()), ("logo.png", PNG))
    taken = 0
    for _ in range(1000):
        mutant = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        cut = mutant[: chance.randint(1, len(mutant))] if chance.random() < 0.3 else mutant
        try:
            read(bytes(cut))
            taken += 1
        except BadBranding:
            pass
    assert taken < 1000


# -- colours and the sheet -------------------------------------------------------------------------


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0b6bcb", "#ffffff") == pytest.approx(5.3, abs=0.05)
    assert [parse(one) for one in ("White", " #ABC ", "rgb(1, 2, 3)", "redd")] == [
        "#ffffff", "#aabbcc", "#010203", None
    ]  # fmt: skip


def test_a_legible_shade_is_always_found_and_is_the_colour_where_it_is_read() -> None:
    chance = random.Random(3)
    for _ in range(300):
        colour, back = (f"#{chance.randrange(2**24):06x}" for _ in range(2))
        shade = legible(colour, (back,))
        assert contrast(shade, back) >= 4.5
        if contrast(colour, back) >= 4.5:
            assert shade == colour


def test_the_accent_of_any_button_is_read_in_both_looks() -> None:
    chance = random.Random(5)
    for _ in range(100):
        back = f"#{chance.randrange(2**24):06x}"
        ink = max("#000000", "#ffffff", key=lambda one: contrast(one, back))
        brand = read(branded(Content={"Button": ink, "ButtonBack": back})).branding
        for look, surfaces in zip(
            re.findall(r"--accent:(#\w+);--accent-tint:(#\w+);--on-accent:(#\w+)", sheet(brand)),
            (("#ffffff", "#f4f6f8"), ("#161e26", "#0e141a")), strict=True,
        ):  # fmt: skip
            accent, tint, on = look
            assert all(contrast(accent, one) >= 4.5 for one in (*surfaces, tint))
            assert contrast(on, accent) >= 4.4
    assert mix("#000000", "#ffffff", 0.5) == "#808080"


def test_what_somebody_wrote_into_the_kept_file_is_no_css(tmp_path) -> None:
    file = tmp_path / "branding"
    kept = Kept(tmp_path)
    assert kept.view.head_text == ""
    for content in (
        '{"head_text": "Acme", "colours": {"CardBack": "red;} body{display:none"}}',
        '{"head_text": "Acme", "styles": {"menu": {"color": "url(x)"}}}',
        '{"head_text": "Acme", "styles": {"menu": {"position": "fixed"}}}',
        '{"head_text": "Acme", "colours": {"CardBack": "#333333"}}',
        "{", "[]", '{"more": 1}',
    ):  # fmt: skip
        file.write_text(content)
        assert (kept.view.head_text, kept.file("/brand.css").encodings) == ("", {"identity": b""})
    file.write_text('{"head_text": "Acme", "image": "UE5H", "image_px": [3, 2]}')
    view = kept.view
    assert view.head_text == "Acme"
    assert kept.file(view.image).encodings["identity"] == b"PNG"
    file.unlink()
    assert kept.view.image is None

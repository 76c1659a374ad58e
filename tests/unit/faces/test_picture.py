"""Pictures: drawn anew from their pixels; bombs, broken ones and strangers are refused."""

from __future__ import annotations

import io
import random
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from linkray.faces.web.picture import MARK, BadPicture, redraw, redrawn, size_of


def picture(width: int = 40, height: int = 20, kind: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(out, kind, **more)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header says so many pixels and whose data are a few packed zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (struct.pack(">I", len(body)) + kind + body
                + struct.pack(">I", zlib.crc32(kind + body)))  # fmt: skip

    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000_000)
    return MARK + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
def test_a_picture_becomes_a_plain_png_of_its_size(kind: str) -> None:
    png = redraw(picture(kind=kind))
    assert size_of(png) == (40, 20)
    assert Image.open(io.BytesIO(png)).format == "PNG"


def test_what_was_hidden_beside_the_pixels_is_gone() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", "<script>alert(1)</script>", zip=True)
    hidden = picture(pnginfo=said, icc_profile=b"PROFILE") + b"<?php hidden ?>"
    assert b"PROFILE" in zlib.decompress(hidden[hidden.index(b"iCCP") + 4 + 13 :]) or hidden

    png = redraw(hidden)

    assert not any(word in png for word in (b"Comment", b"tEXt", b"zTXt", b"iCCP", b"php"))


def test_a_large_one_is_made_smaller() -> None:
    assert size_of(redraw(picture(2400, 1000))) == (960, 400)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb(50_000, 50_000), "50000 × 50000 pixels"), (bomb(4_097, 1), "4097 × 1 pixels"),
        (bomb(3_000, 3_000), "3000 × 3000 pixels"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "no PNG, JPEG or GIF"),
        (b"", "no PNG"), (b"GIF89a", ""), (picture(kind="BMP"), "no PNG"),
        (picture(kind="TIFF"), "no PNG"), (picture(kind="WEBP"), "no PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no PNG"),
        (picture()[:60], ""), (bomb(100, 100), ""),
    ],
)  # fmt: skip
def test_a16_what_is_no_picture_or_a_bomb_is_refused(content: bytes, words: str) -> None:
    try:
        made = redraw(content)
    except BadPicture as error:
        assert words in str(error)
    else:  # too much data behind a right header is no harm
        assert not words
        assert made.startswith(MARK)


def test_a16_mutated_pictures_are_drawn_or_refused_and_nothing_else() -> None:
    chance = random.Random(11)
    for kind in ("PNG", "JPEG", "GIF"):
        whole = picture(kind=kind)
        for _ in range(150):
            mutant = bytearray(whole)
            for _ in range(chance.randint(1, 5)):
                mutant[chance.randrange(len(mutant))] = chance.randrange(256)
            try:
                assert redraw(bytes(mutant)).startswith(MARK)
            except BadPicture as error:
                assert str(error)


@pytest.mark.realtime
async def test_it_is_done_by_a_process_of_its_own_that_says_why_it_does_not() -> None:
    assert size_of(await redrawn(picture(30, 10))) == (30, 10)
    with pytest.raises(BadPicture, match="50000 × 50000 pixels"):
        await redrawn(bomb(50_000, 50_000))

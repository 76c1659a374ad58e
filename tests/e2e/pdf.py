"""The text of a PDF as Chromium writes it: glyphs, which each font's own table makes letters."""

from __future__ import annotations

import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\b(.*?)endobj", re.DOTALL)
_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_WORDS = re.compile(rb"/(\w+) [\d.]+ Tf|<([0-9A-Fa-f]+)> ?Tj|\[((?:[^\]\\]|\\.)*)\] ?TJ")
_HEX = re.compile(rb"<([0-9A-Fa-f]+)>")
_CHAR = re.compile(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>\n")
_RANGE = re.compile(rb"<([0-9A-Fa-f]{4})> <([0-9A-Fa-f]{4})> <([0-9A-Fa-f]+)>")

Letters = dict[int, str]


def text_of(pdf: bytes) -> str:
    """All that is written on its pages, in the order in which it is drawn."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    tables = {n: _letters(_unpacked(body)) for n, body in objects.items()
              if b"begincmap" in _unpacked(body)}  # fmt: skip
    fonts: dict[bytes, Letters] = {}
    for name, number in re.findall(rb"/(F\d+) (\d+) 0 R", b"".join(objects.values())):
        found = re.search(rb"/ToUnicode (\d+) 0 R", objects.get(int(number), b""))
        if found:
            fonts[name] = tables[int(found[1])]
    return " ".join(_said(_unpacked(body), fonts) for body in objects.values()
                    if b" Tf" in _unpacked(body))  # fmt: skip


def _unpacked(body: bytes) -> bytes:
    found = _STREAM.search(body)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"/FlateDecode" in body else found[1]


def _letters(table: bytes) -> Letters:
    letters: Letters = {}
    for part in re.findall(rb"beginbfchar\n(.*?)endbfchar", table, re.DOTALL):
        letters |= {int(glyph, 16): _utf16(code) for glyph, code in _CHAR.findall(part)}
    for part in re.findall(rb"beginbfrange\n(.*?)endbfrange", table, re.DOTALL):
        for first, last, code in _RANGE.findall(part):
            start, base = int(first, 16), int(code, 16)
            letters |= {n: chr(base + n - start) for n in range(start, int(last, 16) + 1)}
    return letters


def _utf16(code: bytes) -> str:
    return bytes.fromhex(code.decode()).decode("utf-16-be")


def _said(drawn: bytes, fonts: dict[bytes, Letters]) -> str:
    letters: Letters = {}
    words = []
    for font, one, many in _WORDS.findall(drawn):
        if font:
            letters = fonts.get(font, {})
            continue
        glyphs = one or b"".join(_HEX.findall(many))
        words.append("".join(letters.get(int(glyphs[at : at + 4], 16), "?")
                             for at in range(0, len(glyphs), 4)))  # fmt: skip
    return " ".join(words)

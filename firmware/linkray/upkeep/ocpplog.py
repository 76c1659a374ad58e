"""The OCPP log: every frame to and from chargers and CSMS, the newest five files of 1 MiB.

In memory (records.md, Logs): 32 busy chargers say more in a day than the disk may take. What of it
outlives the process is written packed, in parts that know nothing of each other.
What a frame says of passwords, keys and tags is taken out before it is kept: a tag's last four
characters stay, everything else of the frame is as it was on the line.
"""

from __future__ import annotations

import json
import lzma
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from linkray.kit.clock import stamp
from linkray.kit.log import plain
from linkray.kit.secret import NAMED, NAMES
from linkray.model.handed import PATH, without_tokens
from linkray.model.tags import last_four
from linkray.model.views import Frame, FramesRead, Way

FILES = 5
FILE_BYTES_MAX = 1024 * 1024
READ_BYTES_MAX = 1024 * 1024  # of one answer
UNPACKED_BYTES_MAX = 4 * FILE_BYTES_MAX  # of a file of ours: JSON, with every sign escaped
UNPACKING_BYTES_MAX = 32 * 2**20  # of memory
NUMBERS_APART = 1_000_000  # a process begins above all that the one before can have given
COMING_MAX = 32  # frames that wait to be looked into: half a millisecond of the loop
LONG = 4096  # one that does not wait, so that it stays at that
SCANNED_MAX = 20_000  # frames that one question looks at: 10 ms of the loop at the most
HIDDEN = "***"
WITHHELD = "(not shown: it is no JSON, and may name a secret)"
_SUSPECT = (*NAMES, "idtag", "@", "\\u")  # a frame with none of these is kept as it is
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")
_LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*')
_MARKS: dict[Way, str] = {  # as the manual has it (26): R is what came, at either end
    "in": "[OCPP    ] R", "out": "[OCPP    ]", "down": "[CSMS    ] R", "up": "[CSMS    ]",
}  # fmt: skip


class _Object(list[tuple[str, object]]):
    """A JSON object as it was written: a name may stand in it twice."""


def _secrets(node: object, found: dict[str, str], *, hide: bool = False) -> None:
    """Each string or number of a frame that is not kept as it is, and what is kept instead."""
    if isinstance(node, str):
        shown = HIDDEN if hide else masked(_USERINFO.sub(f"{HIDDEN}@", node), of_json=False)
        if node and shown != node:
            found[node] = shown
    elif isinstance(node, _Object):
        named = any(k.lower() == "key" and isinstance(v, str) and NAMED.search(v)
                    for k, v in node)  # fmt: skip
        for name, value in node:
            if name.lower().endswith("idtag") and isinstance(value, str):
                found[value] = last_four(value)
            else:
                is_value = named and name.lower() == "value"
                _secrets(value, found, hide=hide or is_value or bool(NAMED.search(name)))
    elif isinstance(node, list):
        for one in node:
            _secrets(one, found, hide=hide)


def masked(text: str, *, of_json: bool = True) -> str:
    """A frame without its secrets. `of_json`: what is none and might name one is not kept."""
    low = text.lower()
    if not any(word in low for word in _SUSPECT):
        return text
    if not of_json and not text.lstrip().startswith(("{", "[")):
        return text
    try:
        tree = json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str)
        found: dict[str, str] = {}
        _secrets(tree, found)
    except (ValueError, RecursionError):
        return WITHHELD if of_json else text

    def put(literal: re.Match[str]) -> str:
        said = json.loads(literal[0]) if literal[0].startswith('"') else literal[0]
        return json.dumps(found[said], ensure_ascii=False) if said in found else literal[0]

    return _LITERAL.sub(put, text) if found else text


class FrameLog:
    """The newest frames, numbered from 1."""

    def __init__(self, utc: Callable[[], datetime]) -> None:
        self._utc = utc
        self._coming: list[tuple[datetime, str, Way, str]] = []  # not looked into yet
        self._files: deque[list[Frame]] = deque([[]], maxlen=FILES)  # the newest first
        self._sizes: deque[int] = deque([0], maxlen=FILES)
        self._last = 0
        self._saved = 0  # the newest that is on disk

    def add(self, charger: str, way: Way, text: str) -> None:
        """A frame, as it goes over the line: what is to be done with it does not hold it up."""
        self._coming.append((self._utc(), charger, way, text))
        if len(self._coming) >= COMING_MAX or len(text) >= LONG:
            self._take_in()

    def _take_in(self) -> None:
        """What has come, without its secrets: nobody sees any of it before."""
        coming, self._coming = self._coming, []
        for at, charger, way, text in coming:
            kept = masked(without_tokens(text) if PATH in text else text)
            if not kept.isprintable():  # neither a second line nor a letter that turns round
                kept = "".join(
                    c if c.isprintable() else c.encode("unicode_escape").decode() for c in kept
                )
            self._last += 1
            frame = Frame(self._last, stamp(at), charger, way, kept)
            size = len(line(frame).encode())
            if self._sizes[0] and self._sizes[0] + size > FILE_BYTES_MAX:
                self._files.appendleft([])
                self._sizes.appendleft(0)
            self._files[0].append(frame)
            self._sizes[0] += size

    def load(self, files: Iterable[Sequence[Frame]]) -> None:
        """What a process before this one has kept, oldest first; nothing was added yet."""
        held = [list(file) for file in files if file][-FILES:]
        if held:
            sizes = [sum(len(line(frame).encode()) for frame in file) for file in held]
            self._files = deque(reversed(held), maxlen=FILES)
            self._sizes = deque(reversed(sizes), maxlen=FILES)
            self._saved = held[-1][-1].number
            self._last = (self._saved // NUMBERS_APART + 1) * NUMBERS_APART

    def unsaved(self) -> list[tuple[int, tuple[Frame, ...]]]:
        """What is not on disk, oldest first, by its file: the number of that one's first frame."""
        self._take_in()
        found = [
            (file[0].number, tuple(frame for frame in file if frame.number > self._saved))
            for file in reversed(self._files) if file
        ]  # fmt: skip
        return [(first, frames) for first, frames in found if frames]

    def saved(self, last: int) -> None:
        """All up to this number is on disk, or will never be."""
        self._saved = last

    @property
    def firsts(self) -> frozenset[int]:
        """The files that there are, by their first frame's number."""
        self._take_in()
        return frozenset(file[0].number for file in self._files if file)

    def files(self) -> list[tuple[str, tuple[Frame, ...]]]:
        """`OCPP`, the newest, `OCPP.1` … and what is in each, oldest first: to be written out."""
        self._take_in()
        return [(name_of(n), tuple(file)) for n, file in enumerate(self._files)]

    def file(self, number: int) -> tuple[str, tuple[Frame, ...]] | None:
        """One of them; None: there is none yet."""
        self._take_in()
        if not 0 <= number < len(self._files):
            return None
        return name_of(number), tuple(self._files[number])

    def read(
        self, after: int, limit: int, charger: str = "", ways: Collection[Way] = ()
    ) -> FramesRead:
        """The newest after a number, oldest first; what there was no room for is counted."""
        self._take_in()
        found: list[Frame] = []
        left_out = scanned = size = 0
        for frame in self._back():
            scanned += 1
            if frame.number <= after or scanned > SCANNED_MAX:
                break
            if (charger and frame.charger != charger) or (ways and frame.way not in ways):
                continue
            size += len(frame.text)
            if len(found) < limit and size <= READ_BYTES_MAX:
                found.append(frame)
            else:
                left_out += 1
        return FramesRead(
            tuple(reversed(found)), self._last, left_out if after else 0, tuple(self._sizes)
        )

    def _back(self) -> Iterator[Frame]:
        for file in self._files:
            yield from reversed(file)


def name_of(number: int) -> str:
    return f"OCPP.{number}" if number else "OCPP"


def line(frame: Frame) -> str:
    """`2024-07-30T14:02:46.005Z: [OCPP    ] R TACW2243320T0723 [3, "07dc…", {}]` (manual, 26)."""
    return f"{frame.at}: {_MARKS[frame.way]} {plain(frame.charger)} {frame.text}\n"


def content(frames: Iterable[Frame]) -> bytes:
    """A file of them."""
    return "".join(map(line, frames)).encode()


def packed(frames: Iterable[Frame]) -> bytes:
    """A part of a file as it is on disk: an xz stream of its own, one JSON object a line. The least
    effort: a fifth more than the most, for a tenth of the time.
    """
    lines = b"".join(msgspec.json.encode(frame) + b"\n" for frame in frames)
    return lzma.compress(lines, preset=1)


def unpacked(words: bytes) -> tuple[list[Frame], bool]:
    """The frames of a file on disk, and whether it is whole: a power cut may have torn its end."""
    lines, rest, is_whole = b"", words, True
    while rest and is_whole:
        part = lzma.LZMADecompressor(lzma.FORMAT_XZ, UNPACKING_BYTES_MAX)
        try:
            lines += part.decompress(rest, UNPACKED_BYTES_MAX)
        except lzma.LZMAError:
            break
        is_whole = part.eof and len(lines) <= UNPACKED_BYTES_MAX
        rest = part.unused_data
    *whole, torn = lines.split(b"\n")
    frames: list[Frame] = []
    for one in whole:
        try:
            frames.append(_frame.decode(one))
        except msgspec.DecodeError:
            return frames, False
    return frames, is_whole and not (rest or torn)


_frame = msgspec.json.Decoder(Frame)

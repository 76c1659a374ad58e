"""A picture drawn anew: pixels in, a plain PNG out, in a process of its own (trust.md A16).

What somebody uploads is read by a decoder in C. It is done by a process that has little memory,
little time and nothing else to lose; what comes back holds pixels and nothing that was hidden
beside them. Run as `python -m linkray.faces.web.picture`: the picture on standard input, the PNG on
standard output, or exit 3 and the reason on standard error.
"""

from __future__ import annotations

import io
import os
import resource
import struct
import sys

import trio

FORMATS = ("PNG", "JPEG", "GIF")
PIXELS_MAX = 4_000_000  # 16 MB in memory
SIDE_MAX = 4_096
SHOWN_PX = (1_200, 400)  # what a page has room for; larger ones are made smaller
MEMORY_BYTES = 400 * 1024 * 1024  # of addresses: the interpreter and its libraries take half
CPU_S = 10
WITHIN_S = 30.0  # on a busy board
PNG_BYTES_MAX = 1024 * 1024
REFUSED = 3  # the exit code: the reason is a sentence on standard error
MARK = b"\x89PNG\r\n\x1a\n"


BROKEN = (  # what decoders raise for what they cannot read
    OSError, ValueError, SyntaxError, EOFError, struct.error, MemoryError, KeyError, IndexError,
    TypeError, AttributeError, OverflowError, ZeroDivisionError,
)  # fmt: skip


class BadPicture(Exception):
    """A picture that is not taken: says why."""


def redraw(content: bytes) -> bytes:
    """The picture as a PNG of its pixels alone. Raises `BadPicture`."""
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # judged below, without a warning that nobody reads
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            _check_size(*image.size)  # its header alone is read by now
            drawn = image.convert("RGBA")  # the first one, where it moves
    except UnidentifiedImageError:
        raise BadPicture("it is no PNG, JPEG or GIF") from None
    except BROKEN as error:
        raise BadPicture(f"it cannot be read: {str(error)[:100]}") from None
    drawn.thumbnail(SHOWN_PX)
    plain = Image.frombytes("RGBA", drawn.size, drawn.tobytes())  # nothing but its pixels
    out = io.BytesIO()
    plain.save(out, "PNG", optimize=True)
    if out.tell() > PNG_BYTES_MAX:
        raise BadPicture(f"it is too rich: {out.tell()} bytes, expected {PNG_BYTES_MAX} at most")
    return out.getvalue()


def _check_size(width: int, height: int) -> None:
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise BadPicture(f"it has {width} × {height} pixels; expected at most {SIDE_MAX} a side "
                         f"and {PIXELS_MAX} in all")  # fmt: skip
    if width * height == 0:
        raise BadPicture("it has no pixels")


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height of a PNG that `redraw` made."""
    width, height = struct.unpack(">II", png[16:24])
    return width, height


async def redrawn(content: bytes) -> bytes:
    """The same in a process of its own. Raises `BadPicture`."""
    words = [sys.executable, "-P", "-m", "linkray.faces.web.picture"]
    done = None
    with trio.move_on_after(WITHIN_S):
        done = await trio.run_process(
            words, stdin=content, capture_stdout=True, capture_stderr=True, check=False
        )
    if done is None:
        raise BadPicture("it takes too long to read")
    if done.returncode == 0 and done.stdout.startswith(MARK):
        return bytes(done.stdout)
    if done.returncode == REFUSED:
        lines = done.stderr.decode(errors="replace").splitlines()
        raise BadPicture(lines[-1][:300] if lines else "it cannot be read")
    raise BadPicture("it takes too much time or memory to read")


def main() -> int:
    """One picture from standard input to standard output."""
    from PIL import Image

    Image.preinit()  # before the memory is counted
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        png = redraw(sys.stdin.buffer.read())
    except BadPicture as error:
        print(error, file=sys.stderr)  # noqa: T201
        return REFUSED
    sys.stdout.buffer.write(png)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())

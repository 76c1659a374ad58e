"""What chargers fetch from and leave with LinkRay over HTTP, by a token of their own (chargers.md,
Charger firmware): the names that control and faces share.
"""

from __future__ import annotations

import re

PATH = "/charger-files/"
FOLDER = "charger-files"  # in the state folder
FILE_BYTES_MAX = 64 * 1024 * 1024
LEFT_BYTES_MAX = 16 * 1024 * 1024  # of a charger's diagnostics
PART = re.compile(r"^incoming-[0-9a-f]{16}$")  # what faces has written and control not yet kept

_TOKEN = re.compile(f"({PATH})[A-Za-z0-9_-]+")


def without_tokens(text: str) -> str:
    """The same for a log: whoever reads it can fetch nothing by it."""
    return _TOKEN.sub(r"\1…", text)

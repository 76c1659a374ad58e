"""Every frame of a peer built on the package `ocpp`, as a line of JSON on stdout.

{"at": seconds, "charger": id, "link": n, "way": "in" | "out", "text": frame}; "at" is the machine's
monotonic clock, the same for all processes. The package logs each text just as it has come, and
just before it goes: that is where this listens, so that nothing stands between.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from typing import Any

CAME, GOES = "%s: receive message %s", "%s: send %s"


def say(told: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


class Ear(logging.Handler):
    """Hears one of the package's loggers."""

    def __init__(self, logger: str) -> None:
        super().__init__()
        self.links: Counter[str] = Counter()  # a charger's newest link; whoever opens one counts
        heard = logging.getLogger(logger)
        heard.setLevel(logging.DEBUG)
        heard.propagate = False
        heard.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.msg not in (CAME, GOES) or not isinstance(record.args, tuple):
            return
        charger, text = record.args
        say({
            "at": time.monotonic(), "charger": charger, "link": self.links[str(charger)],
            "way": "in" if record.msg == CAME else "out", "text": text,
        })  # fmt: skip

"""One seed, one order of tasks: Trio shuffles its run queue, and here it does so by our dice.

The only place that touches Trio's private switch for this (it is there for hypothesis's sake).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio._core._run as trio_run  # the switch has no public name


@contextmanager
def same_order(seed: int) -> Iterator[None]:
    """Inside, a `trio.run` with the same seed runs its tasks in the same order."""
    switch: Any = trio_run
    before = switch._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    state = switch._r.getstate()  # noqa: SLF001
    switch._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    switch._r.seed(random.Random(seed).getrandbits(64))  # noqa: SLF001
    try:
        yield
    finally:
        switch._ALLOW_DETERMINISTIC_SCHEDULING = before  # noqa: SLF001
        switch._r.setstate(state)  # noqa: SLF001

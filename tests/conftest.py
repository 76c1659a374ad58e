"""How async tests run: on Trio, in virtual time, unless a test is marked `realtime`."""

from __future__ import annotations

import functools
import inspect
import os

import hypothesis
import pytest
import structlog
import trio
from trio.testing import MockClock

# The everyday run is the same everywhere; `--hypothesis-profile=search` looks for what is new.
hypothesis.settings.register_profile("everyday", derandomize=True, deadline=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2_000)
hypothesis.settings.load_profile("everyday")


SEEDS_A_DAY = 1
SEEDS = int(os.environ.get("LINKRAY_SEEDS", "0"))  # a campaign takes so many


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A fault case that takes `seed` runs once with each (trust.md 2)."""
    if "seed" in metafunc.fixturenames and metafunc.module.__name__.rpartition(".")[2].startswith(
        "test_case_"
    ):
        a_day = getattr(metafunc.module, "SEEDS_A_DAY", SEEDS_A_DAY)
        metafunc.parametrize("seed", range(1, 1 + (SEEDS or a_day)))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "realtime: runs on the real clock (processes, sockets)")


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function):
    test = pyfuncitem.obj
    if inspect.iscoroutinefunction(test):
        real = pyfuncitem.get_closest_marker("realtime") is not None

        @functools.wraps(test)
        def on_trio(**fixtures):
            clock = None if real else MockClock(autojump_threshold=0)
            return trio.run(functools.partial(test, **fixtures), clock=clock)

        pyfuncitem.obj = on_trio
    log = structlog.get_config()
    yield
    structlog.configure(**log)  # a test that sets up a log of its own sets up nobody else's

"""The browser of the end-to-end tests, and visitors of the `site` that a file of them has.

A file whose site is not the crowded one has a `site` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser
from tests.e2e.box import Box, Client
from tests.e2e.crowded import crowded
from tests.e2e.screen import Visit, open_browser, visitors


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    with crowded(tmp_path_factory.mktemp("site")) as box:
        yield box


@pytest.fixture(scope="module")
def api(site: Box) -> Client:
    return site.client(site.writer)


@pytest.fixture
def visit(site: Box, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """A new visitor; errors that a test provokes on purpose are named by `forgiven`."""
    with visitors(site, browser) as begin:
        yield begin

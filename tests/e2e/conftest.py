"""The browser of the end-to-end tests, and visitors of the `site` that a file of them has."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser
from tests.e2e.box import Box
from tests.e2e.screen import Visit, open_browser, visitors


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def visit(site: Box, browser: Browser) -> Iterator[Callable[..., Visit]]:
    """A new visitor; errors that a test provokes on purpose are named by `forgiven`."""
    with visitors(site, browser) as begin:
        yield begin

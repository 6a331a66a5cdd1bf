"""One browser for all of these tests, and one product for those that leave it as others need it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.product import Product, running_product
from tests.browser.visitor import browser

if TYPE_CHECKING:  # only `make e2e` installs it; the other runs collect this file too
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def product(tmp_path_factory) -> Iterator[Product]:
    """Starting it takes most of a module's time. A module whose story begins with a fresh one makes its own."""
    with running_product(tmp_path_factory.mktemp("product")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started

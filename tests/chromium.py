"""A real Chromium without a window, for tests of what pages do."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

_PATH = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
_START_TIMEOUT_MS = 180_000
_FLAGS = (
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

needs_chromium = pytest.mark.skipif(
    _PATH is None and "CI" not in os.environ,
    reason="no Chromium here: install the package chromium",
)
"""Where everything must be tested, as CI says of itself, a missing Chromium is a failure."""


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """Run a Chromium; it is gone afterwards."""
    assert _PATH is not None, "no Chromium here"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=_PATH, args=[*_FLAGS, *flags], timeout=_START_TIMEOUT_MS
        )
        try:
            yield browser
        finally:
            await browser.close()

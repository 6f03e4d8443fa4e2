"""A browser talks with the agent through a session from the API."""

import functools
import http.server
import shutil
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import async_playwright

from stack.demo_agent import AGENT
from stack.supervisor import Stack
from telephony.speech.espeak import CALLER_VOICE, CALLER_WORDS_PER_MINUTE, synthesize
from tests.e2e.conftest import Office
from tests.e2e.waiting import said, until

pytestmark = pytest.mark.e2e

PAGES = Path(__file__).parent / "browser"
CHROMIUM = next(
    (
        found
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (found := shutil.which(name))
    ),
    None,
)
HOURS = AGENT["script"]["steps"][0]["reply"]
FLAGS = [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
QUIET_S = 5.0
"""Silence before the question: the greeting is heard first. Then the file starts over."""


@pytest.fixture
def page_url() -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(PAGES))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/talk.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def microphone(tmp_path: Path) -> Path:
    """A caller who waits, asks for the opening hours and is silent again."""
    speech = synthesize(
        "what are your opening hours", voice=CALLER_VOICE, words_per_minute=CALLER_WORDS_PER_MINUTE
    )
    quiet = np.zeros(int(QUIET_S * speech.sample_rate_hz), np.int16)
    path = tmp_path / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speech.sample_rate_hz)
        file.writeframes(np.concatenate([quiet, speech.pcm, quiet, quiet]).tobytes())
    return path


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: install the package chromium")
async def test_a_browser_talks_with_the_agent(
    stack: Stack, office: Office, page_url: str, microphone: Path, tmp_path: Path
) -> None:
    agent = await office.agent()
    opened = await office.api.post("/v1/voice/sessions", {"agentId": agent["id"]})
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"],
        )
        page = await browser.new_page()
        await page.goto(page_url)
        await page.evaluate(
            "([url, token]) => connect(url, token)", [opened["serverUrl"], opened["token"]]
        )

        async def reply_seen() -> bool | None:
            return True if HOURS in (await page.text_content("#words") or "") else None

        await until(reply_seen, timeout_s=25)
        await page.wait_for_function("talk.audibleMs > 2500", timeout=10_000)
        await page.screenshot(path=str(tmp_path / "talk.png"))
        loudest = await page.evaluate("talk.loudest")
        lines = await page.locator("#words div").all_text_contents()
        await page.evaluate("talk.room.disconnect()")
        await browser.close()
    assert loudest > 0.02
    assert lines == [AGENT["greeting"], "what are your opening hours", HOURS]

    async def ended() -> dict[str, Any] | None:
        calls = (await office.api.get("/v1/calls", agentId=agent["id"], state="ended"))["data"]
        return await office.api.get(f"/v1/calls/{calls[0]['id']}") if calls else None

    record = await until(ended, timeout_s=30)
    assert record["kind"] == "web"
    assert record["endedBy"] == "caller"
    assert ("caller", "what are your opening hours") in said(record)
    assert ("agent", HOURS) in said(record)
    assert record["costMicrocredits"] > 0

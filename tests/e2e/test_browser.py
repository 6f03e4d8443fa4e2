"""A browser talks with the agent through a session from each product's API."""

import asyncio
import functools
import http.server
import threading
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Page

from stack.demo_agent import AGENT
from stack.supervisor import Stack
from telephony.speech.espeak import CALLER_VOICE, CALLER_WORDS_PER_MINUTE, synthesize
from tests.chromium import chromium, needs_chromium
from tests.e2e.conftest import Office
from tests.e2e.talking import is_part
from tests.e2e.waiting import PATIENCE_S, said, until

pytestmark = [pytest.mark.e2e, needs_chromium]

PATIENCE_MS = 1_000 * PATIENCE_S
PAGES = Path(__file__).parent / "browser"
CONNECT = "([url, token, talksAtOnce]) => connect(url, token, talksAtOnce)"
HOURS = AGENT["script"]["steps"][0]["reply"]
BEFORE_S, AFTER_S = 1.0, 25.0
"""Silence around the question. The file begins with the microphone, and starts over at its end: who
is not understood asks again."""


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
    """A caller who asks for the opening hours and is silent again."""
    speech = synthesize(
        "what are your opening hours", voice=CALLER_VOICE, words_per_minute=CALLER_WORDS_PER_MINUTE
    )
    before, after = (
        np.zeros(round(seconds * speech.sample_rate_hz), np.int16)
        for seconds in (BEFORE_S, AFTER_S)
    )
    path = tmp_path / "microphone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(speech.sample_rate_hz)
        file.writeframes(np.concatenate([before, speech.pcm, after]).tobytes())
    return path


async def test_a_browser_talks_with_the_agent(
    stack: Stack, office: Office, page_url: str, microphone: Path, tmp_path: Path
) -> None:
    agent = await office.agent()
    opened = await office.api.post("/v1/voice/sessions", {"agentId": agent["id"]})
    async with chromium(f"--use-file-for-fake-audio-capture={microphone}") as browser:
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(page_url)
        await page.evaluate(CONNECT, [opened["serverUrl"], opened["token"], False])
        await heard_out(page, AGENT["greeting"])
        await page.evaluate("turnMicrophoneOn()")
        await heard_out(page, HOURS)
        await page.screenshot(path=str(tmp_path / "talk.png"))
        assert await page.evaluate("talk.audibleMs") > 1_000
        loudest = await page.evaluate("talk.loudest")
        lines = await page.locator("#words div").all_text_contents()
        await page.evaluate("talk.room.disconnect()")
    assert loudest > 0.02
    assert is_part([AGENT["greeting"], "what are your opening hours", HOURS], lines)
    (record,) = await records(office, agent["id"], expected=1)
    assert record["kind"] == "web"
    assert record["endedBy"] == "caller"
    assert ("caller", "what are your opening hours") in said(record)
    assert ("agent", HOURS) in said(record)
    assert record["costMicrocredits"] > 0


async def test_talkifais_and_voxais_clients_open_the_same_agent(
    stack: Stack, office: Office, page_url: str, tmp_path: Path
) -> None:
    agent = await office.agent()
    talkifai = await office.api.post("/v1/chat/voice-sessions", {"agent_id": agent["id"]})
    wanted = {"identity": "user-1", "room": "my-room", "agent_config_id": agent["configId"]}
    voxai = await office.api.post("/api/v1/token", wanted)
    assert voxai["agents_dispatched"] == [agent["configId"]]
    ways_in = {
        "talkifai": [talkifai["livekit_url"], talkifai["token"]],
        "voxai": [voxai["wsUrl"], voxai["token"]],
    }
    async with chromium() as browser:
        pages = {name: await browser.new_page() for name in ways_in}
        for name, page in pages.items():
            page.set_default_timeout(PATIENCE_MS)
            await page.goto(page_url)
            await page.evaluate(CONNECT, [*ways_in[name], True])
        for name, page in pages.items():
            await page.bring_to_front()
            await page.wait_for_function("talk.audibleMs > 500")
            await heard_out(page, AGENT["greeting"])
            await page.screenshot(path=str(tmp_path / f"{name}.png"))
        for page in pages.values():
            await page.evaluate("talk.room.disconnect()")
    ended = await records(office, agent["id"], expected=2)
    assert [record["kind"] for record in ended] == ["web", "web"]
    assert [said(record)[0] for record in ended] == [("agent", AGENT["greeting"])] * 2
    assert all(record["costMicrocredits"] > 0 for record in ended)


async def heard_out(page: Page, sentence: str) -> None:
    """Wait until a sentence was shown and no sound follows."""
    await page.get_by_text(sentence).first.wait_for()

    async def is_over() -> bool | None:
        before_ms = await page.evaluate("talk.audibleMs")
        await asyncio.sleep(1)
        return True if await page.evaluate("talk.audibleMs") == before_ms else None

    await until(is_over)


async def records(office: Office, agent_id: str, *, expected: int) -> list[dict[str, Any]]:
    """Wait until as many calls of the agent have ended, and return their records."""

    async def ended() -> list[dict[str, Any]] | None:
        calls = (await office.api.get("/v1/calls", agentId=agent_id, state="ended"))["data"]
        if len(calls) < expected:
            return None
        return [await office.api.get(f"/v1/calls/{call['id']}") for call in calls]

    return await until(ended)

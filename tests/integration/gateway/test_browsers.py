"""Pages in a real browser: those of sites, with the keys they hold, and our own reference pages."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.async_api import Browser, Page, Route

from tests.chromium import chromium, needs_chromium
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway

pytestmark = [pytest.mark.integration, needs_chromium]

SHOP, OTHER = "shop.example.com", "other.example.net"
PATIENCE_MS = 120_000

SCRIPT = {"steps": [{"phrases": ["what services do you offer"], "reply": "Printers."}]}

# What the page of docs.talkifai.dev/guides/chat-api does. A site with a widget's key opens the
# session in the page itself, another one asks its own server, which has the key.
OPEN_HERE = r"""
async ([base, key, agentId]) => {
  const opened = await fetch(`${base}/v1/chat/sessions`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": "application/json" },
    body: JSON.stringify({ agent_id: agentId }),
  });
  if (!(Number(opened.headers.get("X-RateLimit-Limit")) > 0)) throw new Error("no limit told");
  return opened.json();
}
"""
REFUSED = """
async ([base, key, agentId]) => {
  const refused = await fetch(`${base}/v1/chat/sessions`, {
    method: "POST",
    headers: { "X-API-Key": key, "Content-Type": "application/json" },
    body: JSON.stringify({ agent_id: agentId }),
  });
  return { status: refused.status, ...(await refused.json()) };
}
"""
OPEN_AT_SERVER = """
async () => (await fetch("/api/chat/start", { method: "POST" })).json()
"""
CHAT = r"""
async ([base, { session_token, conversation_id, greeting }]) => {
  const headers = {
    "Authorization": `Bearer ${session_token}`,
    "Content-Type": "application/json",
  };
  const at = `${base}/v1/chat/sessions/${conversation_id}`;
  const response = await fetch(`${at}/messages`, {
    method: "POST", headers, body: JSON.stringify({ message: "What services do you offer?" }),
  });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let streamed = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    streamed += decoder.decode(value, { stream: true });
  }
  const deltas = [...streamed.matchAll(/^event: chunk\ndata: (.*)$/gm)];
  const reply = deltas.map((found) => JSON.parse(found[1]).delta).join("");
  const { success } = await (await fetch(`${at}/end`, { method: "POST", headers })).json();
  return { greeting, reply, success };
}
"""
CHATTED = {"greeting": "Hello.", "reply": "Printers.", "success": True}


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser that knows two sites, both on this machine, and nothing else of the internet."""
    rules = ", ".join(f"MAP {host} 127.0.0.1" for host in (SHOP, OTHER))
    async with chromium(f"--host-resolver-rules={rules}, EXCLUDE 127.0.0.1, MAP * ~NOTFOUND") as it:
        yield it


@pytest.fixture
async def page(browser: Browser) -> Page:
    """An empty page, which waits for as long as a busy machine may take."""
    page = await browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


class Site:
    """A site of one empty page, whose server opens chats with a key of its own."""

    def __init__(self) -> None:
        self.app = FastAPI()
        self.app.get("/", response_class=HTMLResponse)(lambda: "<!doctype html><title>Shop</title>")
        self.app.post("/api/chat/start")(self._start)
        self.port = 0
        self.opens: Callable[[], Awaitable[httpx.Response]] | None = None

    async def _start(self) -> Any:
        assert self.opens is not None
        return (await self.opens()).json()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    async with listening(site.app) as address:
        site.port = urlsplit(address).port or 0
        yield site


async def widget(gateway: Gateway) -> tuple[str, str]:
    """Return a key for the shop's pages, and its text agent."""
    owner = await gateway.tenant(credits_microcredits=5_000_000)
    agent = await owner.agent(script=SCRIPT, greeting="Hello.", voiceEnabled=False)
    at = f"/admin/v1/projects/{owner.project_id}/keys"
    body = {"name": "page", "kind": "widget", "prefix": "tk", "allowedOrigins": [SHOP]}
    return (await gateway.admin.post(at, json=body)).json()["key"], agent["id"]


async def test_a_shops_page_chats_with_its_widget_key(gateway: Gateway, page: Page, site: Site):
    key, agent_id = await widget(gateway)
    async with listening(gateway.app) as address:
        await page.goto(f"http://{SHOP}:{site.port}/")
        opened = await page.evaluate(OPEN_HERE, [address, key, agent_id])
        assert await page.evaluate(CHAT, [address, opened]) == CHATTED


async def test_a_page_chats_in_a_session_its_server_has_opened(
    gateway: Gateway, page: Page, site: Site
):
    owner = await gateway.tenant(credits_microcredits=5_000_000, prefix="tk")
    agent = await owner.agent(script=SCRIPT, greeting="Hello.", voiceEnabled=False)
    body = {"agent_id": agent["id"]}
    site.opens = lambda: owner.http.post("/v1/chat/sessions", json=body)
    async with listening(gateway.app) as address:
        await page.goto(f"http://{OTHER}:{site.port}/")
        opened = await page.evaluate(OPEN_AT_SERVER)
        assert await page.evaluate(CHAT, [address, opened]) == CHATTED


async def test_another_sites_page_is_told_why_it_is_refused_and_nothing_else(
    gateway: Gateway, page: Page, site: Site
):
    key, agent_id = await widget(gateway)
    async with listening(gateway.app) as address:
        await page.goto(f"http://{OTHER}:{site.port}/")
        refused = await page.evaluate(REFUSED, [address, key, agent_id])
        assert refused == {"status": 403, "detail": "This key may not be used from this page."}
        # A server's key without domains shows no page anything.
        server = await gateway.tenant()
        asked = f"{address}/v1/agents"
        failed = await page.evaluate(
            "([at, key]) => fetch(at, { headers: { 'x-api-key': key } }).catch((no) => no.name)",
            [asked, server.key],
        )
        assert failed == "TypeError"


async def test_the_reference_page_sends_requests_with_one_key_for_all(gateway: Gateway, page: Page):
    tenant = await gateway.tenant()
    agent = await tenant.agent()
    elsewhere: list[str] = []

    async def keep_here(route: Route) -> None:
        here = urlsplit(route.request.url).hostname == "127.0.0.1"
        if not here:
            elsewhere.append(route.request.url)
        await (route.continue_() if here else route.abort())

    await page.route("**/*", keep_here)
    async with listening(gateway.app) as address:
        await page.goto(f"{address}/docs/api")
        await enter_key(page, tenant.key)
        asked = page.locator(".opblock-get", has_text="/api/v1/agents").first
        await asked.locator(".opblock-summary-control").click()
        await asked.get_by_role("button", name="Execute").click()
        shown = asked.locator(".live-responses-table .response").first
        await shown.wait_for()
        text = await shown.inner_text()
    assert text.startswith("200")
    assert f'"name": "{agent["name"]}"' in text
    assert elsewhere == []


async def enter_key(page: Page, key: str) -> None:
    """Put a key into the page's one box."""
    await page.locator(".auth-wrapper .authorize").first.click()
    dialog = page.locator(".dialog-ux")
    await dialog.locator("input").first.fill(key)
    await dialog.get_by_role("button", name="Apply credentials").first.click()
    await dialog.locator(".btn-done").first.click()

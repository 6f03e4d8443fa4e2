"""A gateway that listens, for one tenant who has one of everything."""

import asyncio
import json
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from redis import Redis

from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import connect_redis
from tests.builders.installation_keys import KEYS_TEXT
from tests.integration.conftest import empty_postgres, postgres_url, redis_url
from tests.integration.gateway.everything import (
    DOCUMENT,
    TOOL,
    Everything,
    names_numbers_id,
    one_of_everything,
)
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, serving

__all__ = ["empty_postgres", "postgres_url", "redis_url"]

CREDITS = 1_000_000_000_000
NUMBER = "+12015550100"
PATIENCE_S = 60
"""An answer takes milliseconds, and longer where the machine stands still for a while."""


@dataclass
class Target:
    """Where requests go, and what they may name."""

    url: str
    things: Everything
    http: httpx.Client
    """Sends the tenant's key."""
    admin: httpx.Client
    _chats_key: str = ""
    _numbers: Iterator[int] = field(default_factory=lambda: iter(range(150, 10_000)))

    @property
    def tenant_key(self) -> str:
        """The key of the tenant who has everything."""
        return self.things.tenant.key

    def names(self, method: str, path: str) -> dict[str, str]:
        """Return ids that exist, by the name of a path's parameter."""
        return self.things.in_path(method, path)

    def chat(self) -> tuple[str, str]:
        """Return a session of TalkifAI's API and its token."""
        body = {"agent_id": self.things.writer_id}
        opened = self._open_chat(body)
        if opened.status_code == 429:
            # A key opens a hundred chats a minute.
            keys = f"/admin/v1/projects/{self.things.project_id}/keys"
            self._chats_key = self._made(self.admin, keys, {"name": "More chats"})["key"]
            opened = self._open_chat(body)
        assert opened.status_code == 200, opened.text
        made = opened.json()
        return made["conversation_id"], made["session_token"]

    def _open_chat(self, body: dict[str, str]) -> httpx.Response:
        key = self._chats_key or self.tenant_key
        return self.http.post("/v1/chat/sessions", json=body, headers={"x-api-key": key})

    def to_be_lost(self, method: str, path: str, parameter: str) -> str | None:
        """Return the id of a new thing that may be changed and deleted, or None: no need."""
        at = f"/admin/v1/organizations/{self.things.organization_id}"
        keys = f"/admin/v1/projects/{self.things.project_id}/keys"
        sip = {"provider": "twilio", "allowedAddresses": ["192.0.2.0/24"]}
        tool = TOOL | {"name": f"tool_{uuid.uuid4().hex[:20]}"}
        chat = {"agentId": self.things.writer_id}
        base = {"name": "Lost", "embedding": None}
        made: dict[str, Callable[[], Any]] = {
            "agent_id": lambda: self._made(self.http, "/v1/agents", {"name": "Lost"})["id"],
            "carrier_connection_id": lambda: self._made(
                self.http, "/v1/carrier-connections", {"name": "Lost", **sip}
            )["id"],
            "tool_id": lambda: self._made(self.http, "/v1/tools", tool)["id"],
            "knowledge_base_id": lambda: self._made(self.http, "/v1/knowledge-bases", base)["id"],
            "key_id": lambda: self._made(self.admin, keys, {"name": "Lost"})["id"],
            "member_id": lambda: self._made(
                self.admin, f"{at}/members", {"subject": uuid.uuid4().hex, "role": "viewer"}
            )["id"],
            "organization_id": lambda: self._made(
                self.admin, "/admin/v1/organizations", {"name": "Lost"}
            )["id"],
            "phone_number": lambda: self._number()[
                "id" if names_numbers_id(method, path) else "number"
            ],
            "session_id": lambda: self._made(self.http, "/v1/chat/chat/sessions", chat)["id"],
            "document_id": self._document,
        }
        return str(made[parameter]()) if parameter in made else None

    def _number(self) -> dict[str, Any]:
        number = f"+1201555{next(self._numbers):04}"
        connection = self.things.carrier_connection_id
        body = {"provider": "twilio", "number": number, "connectionId": connection}
        return self._made(self.http, "/v1/chat/phone-numbers", body)

    def _document(self) -> str:
        path = f"/v1/knowledge-bases/{self.things.knowledge_base_id}/documents"
        name, _, kind = DOCUMENT["file"]
        text = uuid.uuid4().hex.encode()
        answer = self.http.post(path, files={"file": (name, text, kind)})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def _made(self, http: httpx.Client, path: str, body: Any) -> dict[str, Any]:
        answer = http.post(path, content=json.dumps(body))
        assert answer.status_code in (200, 201), (path, answer.text)
        made: dict[str, Any] = answer.json()
        return made


@pytest.fixture(scope="module")
def target(
    postgres_url: str, redis_url: str, empty_postgres: Callable[[], None]
) -> Iterator[Target]:
    """A gateway in a thread of its own, for clients that know no event loop.

    It is there for as long as other tests, which empty its Postgres, do not come between.
    """
    settings = DispatchSettings(
        database_url=postgres_url,
        redis_url=redis_url,
        dialplane_key_pepper="pepper-of-the-tests",
        dialplane_secrets_keys=KEYS_TEXT,
    )
    empty_postgres()
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
    ready = threading.Event()
    found: list[tuple[str, Everything]] = []
    failures: list[BaseException] = []
    leave: list[Callable[[], object]] = []

    async def serve() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        leave.append(lambda: loop.call_soon_threadsafe(over.set))
        async with _served(settings, redis_url) as served:
            found.append(served)
            ready.set()
            await over.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as exc:  # noqa: BLE001 - told to the test
            failures.append(exc)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    if found:
        [(url, things)] = found
        with _client(url, things.tenant.key) as http, _client(url, ADMIN_KEY) as admin:
            yield Target(url, things, http, admin)
        leave[0]()
    thread.join()
    if failures:
        raise failures[0]


def _client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=PATIENCE_S)


@asynccontextmanager
async def _served(
    settings: DispatchSettings,
    redis_url: str,
) -> AsyncIterator[tuple[str, Everything]]:
    database = Database(settings.database_url.get_secret_value(), application_name="fuzz")
    redis = connect_redis(redis_url)
    try:
        async with serving(database, redis, settings) as gateway:
            things = await _everything(gateway, database)
            async with listening(gateway.app) as url:
                yield url, things
    finally:
        await redis.aclose()
        await database.aclose()


async def _everything(gateway: Gateway, database: Database) -> Everything:
    tenant = await gateway.tenant(credits_microcredits=CREDITS)
    organization = f"/admin/v1/organizations/{tenant.organization_id}"
    await gateway.admin.patch(organization, json={"plan": "enterprise"})
    faces = ("native", "agntix", "talkifai", "voxai")
    limits = {"limits": dict.fromkeys(faces, 1_000_000)}
    raised = await gateway.admin.put(f"/admin/v1/keys/{tenant.key_id}/limits", json=limits)
    assert raised.status_code == 200, raised.text
    return await one_of_everything(gateway, database, tenant, NUMBER)

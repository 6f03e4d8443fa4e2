"""The gateway through ASGI, over real Postgres and Redis and a LiveKit in memory."""

import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI

from dispatch.access.settings import AccessSettings
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.model_servers import model_server_client
from gateway.app import create_app
from gateway.bootstrap import Clients, build_services
from gateway.services import Services
from gateway.settings import GatewaySettings
from telephony.adapters.livekit_events import LiveKitRoomEvents
from tests.fakes.livekit_rooms import API_KEY, API_SECRET, FakeRooms
from tests.fakes.livekit_sip import FakeTrunks

ADMIN_KEY = "admin-key-of-the-tests"
LIVEKIT_URL = "wss://livekit.example.com"


@dataclass
class Tenant:
    """A project of an organisation of its own, and its key."""

    organization_id: str
    project_id: str
    key_id: str
    key: str
    http: httpx.AsyncClient
    """Sends the key with each request."""

    async def key_with(self, admin: httpx.AsyncClient, *scopes: str) -> dict[str, str]:
        """Make another key that may do only this, and return the header that sends it."""
        body = {"name": "narrow", "scopes": scopes}
        made = await _created(admin, f"/admin/v1/projects/{self.project_id}/keys", body)
        return {"x-api-key": made["key"]}

    async def agent(self, **fields: Any) -> dict[str, Any]:
        """Create an agent."""
        return await _created(self.http, "/v1/agents", {"name": "Reception", **fields})

    async def connection(self, **fields: Any) -> dict[str, Any]:
        """Create a carrier connection of Twilio's."""
        body = {"name": "Trunk", "provider": "twilio", "allowedAddresses": ["192.0.2.0/24"]}
        return await _created(self.http, "/v1/carrier-connections", body | fields)

    async def number(self, number: str = "+12015550100", **fields: Any) -> dict[str, Any]:
        """Create a number on a connection of its own provider."""
        body = {"provider": "twilio", "number": number, **fields}
        return await _created(self.http, "/v1/chat/phone-numbers", body)


@dataclass
class Gateway:
    """A running gateway and what stands behind it."""

    http: httpx.AsyncClient
    """Sends no key."""
    admin: httpx.AsyncClient
    rooms: FakeRooms
    trunks: FakeTrunks
    services: Services
    app: FastAPI
    _clients: AsyncExitStack
    _new_client: Any
    _names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def tenant(
        self,
        *,
        credits_microcredits: int = 0,
        prefix: str = "pk",
        organization_id: str = "",
        **key_fields: Any,
    ) -> Tenant:
        """Create a project with a key, in a new organisation unless one is given."""
        number = next(self._names)
        if not organization_id:
            body = {"name": f"Organisation {number}"}
            organization_id = (await _created(self.admin, "/admin/v1/organizations", body))["id"]
        at = f"/admin/v1/organizations/{organization_id}"
        project = await _created(self.admin, f"{at}/projects", {"name": f"Project {number}"})
        if credits_microcredits:
            await _created(
                self.admin, f"{at}/credits", {"amountMicrocredits": credits_microcredits}
            )
        key = await _created(
            self.admin,
            f"/admin/v1/projects/{project['id']}/keys",
            {"name": "tests", "prefix": prefix, **key_fields},
        )
        client = self._new_client({"x-api-key": key["key"]})
        http = await self._clients.enter_async_context(client)
        return Tenant(organization_id, project["id"], key["id"], key["key"], http)


async def _created(http: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@asynccontextmanager
async def serving(
    database: Database,
    redis: RedisClient,
    settings: DispatchSettings,
    access: AccessSettings | None = None,
) -> AsyncIterator[Gateway]:
    """Serve the gateway over these stores."""
    rooms = FakeRooms()
    trunks = FakeTrunks()
    models = model_server_client(AllowedHosts(settings.dialplane_tool_allowed_hosts))
    gateway_settings = GatewaySettings(
        dialplane_admin_key=ADMIN_KEY, access=access or AccessSettings()
    )
    services = build_services(
        gateway_settings,
        settings,
        Clients(
            database=database,
            redis=redis,
            rooms=rooms,
            trunks=trunks,
            room_events=LiveKitRoomEvents(API_KEY, API_SECRET),
            models=models,
        ),
        livekit_url=LIVEKIT_URL,
    )

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        yield services

    app = create_app(open_services)
    app.openapi = _description  # type: ignore[method-assign]

    def new_client(headers: dict[str, str]) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app)
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    async with app.router.lifespan_context(app), AsyncExitStack() as clients:
        await clients.enter_async_context(models)
        http = await clients.enter_async_context(new_client({}))
        admin = await clients.enter_async_context(new_client({"x-api-key": ADMIN_KEY}))
        yield Gateway(http, admin, rooms, trunks, services, app, clients, new_client)
        await services.chat_turns.aclose(patience_s=1)


@cache
def _description() -> dict[str, Any]:
    """Describe the API, which is the same for every gateway and takes a second."""

    def never_opened() -> Any:
        raise AssertionError("describing the API opens nothing")

    return create_app(never_opened).openapi()


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and message of a native error, after checking the body's shape."""
    body = answer.json()
    assert body.keys() == {"error", "meta"}
    assert body["meta"].keys() == {"requestId", "timestamp"}
    assert body["meta"]["requestId"] == answer.headers["x-request-id"]
    assert body["error"]["status"] == answer.status_code
    return answer.status_code, body["error"]["code"], body["error"]["message"]

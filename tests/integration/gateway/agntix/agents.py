"""Agntix's agents, for the tests about them."""

import uuid
from typing import Any

from dispatch.accounts import SYSTEM
from dispatch.models.catalogue import ModelKind, catalogue
from tests.integration.gateway.serving import Gateway, Tenant

AGENTS = "/v2/chat/agents"
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
BODY = {
    "fullName": "Reception",
    "description": "Answers the main number.",
    "role": "You are the receptionist of a small bakery.",
}


async def made(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.post(AGENTS, json={**BODY, **fields})
    assert answer.status_code == 201, answer.text
    agent: dict[str, Any] = answer.json()
    return agent


async def patched(tenant: Tenant, agent: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.patch(f"{AGENTS}/{agent['id']}", json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def native(tenant: Tenant, agent: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await tenant.http.get(f"/v1/agents/{agent['id']}")).json()
    return found


async def keep_key(gateway: Gateway, tenant: Tenant, provider: str) -> None:
    project_id = uuid.UUID(tenant.project_id)
    await gateway.services.secrets.put(SYSTEM, project_id, provider, {"api_key": "key-1234"})


def model_id(kind: ModelKind, provider: str, name: str | None = None) -> str:
    model = (
        catalogue().default_model(kind, provider)
        if name is None
        else catalogue().find_model(kind, provider, name)
    )
    assert model is not None
    return str(model.id)

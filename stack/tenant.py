"""The demo's tenant, made through the public API as any customer's would be, and found again."""

import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stack.api_client import ApiClient, api_client
from stack.demo_agent import AGENT, NUMBER, ORGANIZATION, PROJECT
from stack.errors import ApiRefused

CREDIT = 1_000_000
"""Micro-credits in a credit."""

ENOUGH_MICROCREDITS = 5 * CREDIT
TOP_UP_MICROCREDITS = 10 * CREDIT
UNAUTHORIZED = 401


@dataclass(frozen=True)
class Tenant:
    """A customer of the installation.

    Attributes:
        api_key: Key of its one project; the API shows it only once, so it is kept here.
    """

    organization_id: str
    project_id: str
    api_key: str


async def ensure_tenant(var: Path, base_url: str, admin_key: str) -> Tenant:
    """Return the tenant kept in a directory, with credit to call; made when there is none.

    Raises:
        ApiRefused: The API did not take a step.
    """
    kept = var / "tenant.json"
    async with api_client(base_url, admin_key) as admin:
        tenant = Tenant(**json.loads(kept.read_text())) if kept.exists() else None
        if tenant is None or not await is_known(base_url, tenant):
            tenant = await create_tenant(admin, ORGANIZATION, PROJECT)
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(asdict(tenant)))
        await ensure_credit(admin, tenant)
    return tenant


async def create_tenant(admin: ApiClient, organization: str, project: str) -> Tenant:
    """Create an organisation with one project and one key."""
    made = await admin.post("/admin/v1/organizations", {"name": organization})
    in_it = await admin.post(f"/admin/v1/organizations/{made['id']}/projects", {"name": project})
    key = await admin.post(f"/admin/v1/projects/{in_it['id']}/keys", {"name": project})
    return Tenant(organization_id=made["id"], project_id=in_it["id"], api_key=key["key"])


async def is_known(base_url: str, tenant: Tenant) -> bool:
    """Whether the installation still accepts the tenant's key; a fresh database does not."""
    try:
        async with api_client(base_url, tenant.api_key) as client:
            await client.get("/v1/credits")
    except ApiRefused as exc:
        if exc.status != UNAUTHORIZED:
            raise
        return False
    return True


async def ensure_credit(admin: ApiClient, tenant: Tenant) -> None:
    """Top the balance up when it would not last for a few calls."""
    path = f"/admin/v1/organizations/{tenant.organization_id}"
    if (await admin.get(path))["balanceMicrocredits"] < ENOUGH_MICROCREDITS:
        await top_up(admin, tenant, TOP_UP_MICROCREDITS)


async def top_up(admin: ApiClient, tenant: Tenant, amount_microcredits: int) -> None:
    """Add credit to a tenant's organisation."""
    await admin.post(
        f"/admin/v1/organizations/{tenant.organization_id}/credits",
        {
            "amountMicrocredits": amount_microcredits,
            "reason": "Demo credit",
            "operationId": f"demo-{secrets.token_hex(8)}",
        },
    )


async def ensure_agent(client: ApiClient) -> dict[str, Any]:
    """Return the demo's agent as it is described here, created or brought up to date."""
    for agent in (await client.get("/v1/agents", limit=100))["data"]:
        if agent["name"] == AGENT["name"]:
            return await client.patch(f"/v1/agents/{agent['id']}", AGENT)
    return await client.post("/v1/agents", AGENT)


async def ensure_number(client: ApiClient, number: str = NUMBER) -> dict[str, Any]:
    """Return the demo's number, created without an agent when it is not there."""
    found = (await client.get("/v1/chat/phone-numbers", number=number))["data"]
    if found:
        existing: dict[str, Any] = found[0]
        return existing
    return await client.post("/v1/chat/phone-numbers", {"provider": "sip", "number": number})


async def assign(client: ApiClient, number_id: str, agent_id: str) -> dict[str, Any]:
    """Let an agent answer a number."""
    path = f"/v1/chat/phone-numbers/{number_id}"
    return await client.patch(path, {"inBoundAgentId": agent_id})

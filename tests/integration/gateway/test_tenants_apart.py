"""What the matrix of operations does not ask: names deep inside a body, and members' own lists."""

import re
import uuid
from typing import Any

import httpx
import pytest

from tests.builders.identity_provider import token
from tests.integration.gateway.access.conftest import GatewayWith, gateway_with
from tests.integration.gateway.everything import TOOL
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

__all__ = ["gateway_with"]

V1 = {"name": "Copied"}
V2 = {"fullName": "Copied", "description": "", "role": ""}


def inside(path: str, tool_id: str, base_id: str) -> list[dict[str, Any]]:
    """Return what a body can say of tools and knowledge bases inside its objects."""
    found: list[dict[str, Any]] = [{"tools": [{"toolId": tool_id}]}]
    if path.startswith("/v1/"):
        found += [{"config": {"toolIds": [tool_id]}}, {"config": {"knowledgeStoreId": base_id}}]
    return found


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/agents", V1), ("/v2/chat/agents", V2)])
async def test_no_agent_is_given_what_another_project_has(
    gateway: Gateway, path: str, body: dict[str, str]
):
    theirs = await gateway.tenant()
    mine = await gateway.tenant()
    tool_id = (await theirs.http.post("/v1/tools", json=TOOL)).json()["id"]
    base = {"name": "Shop", "embedding": None}
    base_id = (await theirs.http.post("/v1/knowledge-bases", json=base)).json()["id"]
    agent_id = (await mine.agent())["id"]
    nobodys = (str(uuid.uuid4()), str(uuid.uuid4()))
    for known, unknown in zip(inside(path, tool_id, base_id), inside(path, *nobodys), strict=True):
        told = [
            error_of(answer)
            for said in (known, unknown)
            for answer in (
                await mine.http.post(path, json=body | said),
                await mine.http.patch(f"{path}/{agent_id}", json=said),
            )
        ]
        statuses = {status for status, _, _ in told}
        assert statuses == {400}, (known, told)
        without_ids = {
            message.replace(tool_id, "…").replace(base_id, "…").replace(nobodys[0], "…")
            for _, _, message in told
        }
        assert len({each.replace(nobodys[1], "…") for each in without_ids}) == 1, (known, told)
    # The same words find what is one's own.
    own_tool = (await mine.http.post("/v1/tools", json=TOOL)).json()["id"]
    own_base = (await mine.http.post("/v1/knowledge-bases", json=base)).json()["id"]
    for said in inside(path, own_tool, own_base):
        answer = await mine.http.post(path, json=body | said)
        assert answer.status_code == 201, answer.text


async def member_of(gateway: Gateway, name: str) -> tuple[Tenant, dict[str, str]]:
    """Return a tenant, and what an owner of its organisation sends."""
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    at = f"/admin/v1/organizations/{tenant.organization_id}"
    assert (await gateway.admin.patch(at, json={"externalId": name})).status_code == 200
    member = {"subject": f"owner of {name}", "role": "owner"}
    assert (await gateway.admin.post(f"{at}/members", json=member)).status_code == 201
    await tenant.agent()
    return tenant, {"authorization": f"Bearer {token(sub=f'owner of {name}', org_id=name)}"}


async def test_what_a_member_lists_and_counts_is_their_organisations_alone(
    gateway_with: GatewayWith,
):
    async with gateway_with() as gateway:
        theirs, _ = await member_of(gateway, "org_a")
        mine, signed = await member_of(gateway, "org_b")
        for path in ("/admin/v1/organizations", "/admin/v1/audit-log"):
            listed = await gateway.http.get(path, headers=signed, params={"limit": 100})
            assert listed.status_code == 200, listed.text
            assert mine.organization_id in listed.text
            assert theirs.organization_id not in listed.text
            assert theirs.project_id not in listed.text
            assert listed.json()["pagination"]["total"] == len(listed.json()["data"])
        # A filter that names somebody else's things finds what one for nobody's finds.
        for field, value in (
            ("organizationId", theirs.organization_id),
            ("projectId", theirs.project_id),
        ):
            narrowed = [
                await gateway.http.get("/admin/v1/audit-log", headers=signed, params={field: each})
                for each in (value, str(uuid.uuid4()))
            ]
            assert narrowed[0].status_code == narrowed[1].status_code
            told = [_without_request(each) for each in narrowed]
            assert told[0] == told[1]


def _without_request(answer: httpx.Response) -> str:
    known = answer.text.replace(answer.headers["x-request-id"], "…")
    return re.sub(r'"timestamp":"[^"]*"', "…", known)

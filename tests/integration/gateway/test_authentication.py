"""Who is let in, and what those are told who are not."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from dispatch.store.engine import Database
from dispatch.store.tables import ApiKeyRow
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, error_of

pytestmark = pytest.mark.integration

REFUSED = (401, "UNAUTHORIZED", "Authentication required.")


async def test_a_key_is_accepted_in_x_api_key(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await gateway.http.get("/v1/agents", headers={"x-api-key": tenant.key})
    assert answer.status_code == 200


async def test_a_key_is_accepted_as_bearer_token(gateway: Gateway):
    tenant = await gateway.tenant()
    headers = {"authorization": f"Bearer {tenant.key}"}
    assert (await gateway.http.get("/v1/agents", headers=headers)).status_code == 200


async def test_both_prefixes_are_accepted(gateway: Gateway):
    tenant = await gateway.tenant(prefix="tk")
    assert tenant.key.startswith("tk_live_")
    assert (await tenant.http.get("/v1/agents")).status_code == 200


async def test_no_key_is_refused(gateway: Gateway):
    assert error_of(await gateway.http.get("/v1/agents")) == REFUSED


@pytest.mark.parametrize("key", ["", "x", "pk_live_", "pk_live_" + "A" * 43, "pk\u00e9", ADMIN_KEY])
async def test_a_malformed_or_unknown_key_is_refused(gateway: Gateway, key: str):
    headers = {"x-api-key": key.encode("latin-1")}
    assert error_of(await gateway.http.get("/v1/agents", headers=headers)) == REFUSED


async def test_a_revoked_key_is_refused_at_once(gateway: Gateway):
    tenant = await gateway.tenant()
    assert (await tenant.http.get("/v1/agents")).status_code == 200
    assert (await gateway.admin.post(f"/admin/v1/keys/{tenant.key_id}/revoke")).status_code == 200
    assert error_of(await tenant.http.get("/v1/agents")) == REFUSED


async def test_an_expired_key_is_refused(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    now = datetime.now(UTC)
    made = await gateway.admin.post(
        f"/admin/v1/projects/{tenant.project_id}/keys",
        json={"name": "short", "expiresAt": (now + timedelta(hours=1)).isoformat()},
    )
    async with database.transaction() as db:
        short = update(ApiKeyRow).where(ApiKeyRow.id == uuid.UUID(made.json()["id"]))
        await db.execute(short.values(expires_at=now - timedelta(seconds=1)))
    headers = {"x-api-key": made.json()["key"]}
    assert error_of(await gateway.http.get("/v1/agents", headers=headers)) == REFUSED


async def test_the_body_of_a_stranger_is_not_looked_at(gateway: Gateway):
    answer = await gateway.http.post("/v1/agents", content=b"{not json")
    assert error_of(answer) == REFUSED


@pytest.mark.parametrize("key", ["", "wrong", ADMIN_KEY + "x", "\u00e9"])
async def test_a_wrong_admin_key_is_refused(gateway: Gateway, key: str):
    headers = {"x-api-key": key.encode("latin-1")}
    answer = await gateway.http.get("/admin/v1/organizations", headers=headers)
    assert error_of(answer) == REFUSED


async def test_a_tenant_key_does_not_administer(gateway: Gateway):
    tenant = await gateway.tenant()
    assert error_of(await tenant.http.get("/admin/v1/organizations")) == REFUSED


async def test_the_admin_key_is_accepted_as_bearer_token(gateway: Gateway):
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    answer = await gateway.http.get("/admin/v1/organizations", headers=headers)
    assert answer.status_code == 200


async def test_a_cached_key_works_while_postgres_is_down(
    gateway: Gateway, gateway_without_postgres: Gateway
):
    tenant = await gateway.tenant(credits_microcredits=1_000_000)
    await tenant.http.get("/v1/credits")
    headers = {"x-api-key": tenant.key}
    answer = await gateway_without_postgres.http.get("/v1/credits", headers=headers)
    assert answer.json() == {"balanceMicrocredits": 1_000_000}


async def test_an_unknown_key_with_postgres_down_is_not_called_wrong(
    gateway: Gateway, gateway_without_postgres: Gateway
):
    tenant = await gateway.tenant()
    answer = await gateway_without_postgres.http.get(
        "/v1/agents", headers={"x-api-key": tenant.key}
    )
    assert error_of(answer)[:2] == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "2"

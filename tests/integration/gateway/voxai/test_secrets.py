"""VoxAI's secrets in clear text."""

import uuid

import pytest

from dispatch.accounts import SYSTEM
from tests.integration.gateway.serving import Gateway

pytestmark = pytest.mark.integration


async def test_shows_secrets_to_a_key_that_was_given_that_scope(gateway: Gateway):
    tenant = await gateway.tenant(scopes=["secrets:read"])
    project_id = uuid.UUID(tenant.project_id)
    await gateway.services.secrets.put(SYSTEM, project_id, "openai", {"api_key": "sk-1234"})
    answer = await tenant.http.get(f"/api/v1/projects/{project_id}/secrets/openai")
    assert answer.json() == {"provider": "openai", "secrets": {"api_key": "sk-1234"}}
    assert answer.headers["cache-control"] == "no-store"


async def test_hides_secrets_from_every_other_key(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/api/v1/projects/{tenant.project_id}/secrets/openai")
    assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")


async def test_refuses_another_project_whether_it_exists_or_not(gateway: Gateway):
    tenant = await gateway.tenant(scopes=["secrets:read"])
    other = await gateway.tenant()
    answers = [
        await tenant.http.get(f"/api/v1/projects/{project}/secrets/openai")
        for project in (other.project_id, str(uuid.uuid4()), "7")
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert len({answer.text for answer in answers}) == 1


async def test_says_when_nothing_is_kept_for_a_provider(gateway: Gateway):
    tenant = await gateway.tenant(scopes=["secrets:read"])
    answer = await tenant.http.get(f"/api/v1/projects/{tenant.project_id}/secrets/deepgram")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")

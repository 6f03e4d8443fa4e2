"""VoxAI's `GET /api/v1/agents`."""

import pytest

from tests.integration.gateway.serving import Gateway

pytestmark = pytest.mark.integration


async def test_lists_the_projects_agents_by_their_small_numbers(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    first = await tenant.agent(name="Reception")
    second = await tenant.agent(name="Writer", voiceEnabled=False, isActive=False)
    await other.agent()
    answer = await tenant.http.get("/api/v1/agents")
    assert answer.json() == {
        "agents": [
            {
                "id": first["configId"],
                "name": "Reception",
                "agent_type": "voice",
                "llm_provider": "builtin",
                "llm_model": "script",
                "is_active": True,
            },
            {
                "id": second["configId"],
                "name": "Writer",
                "agent_type": "text",
                "llm_provider": "builtin",
                "llm_model": "script",
                "is_active": False,
            },
        ]
    }

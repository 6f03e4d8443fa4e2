"""Agntix's lists of agents."""

import pytest

from tests.integration.gateway.agntix.agents import AGENTS, made
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant()


@pytest.mark.parametrize("path", [AGENTS, "/v1/chat/agents"])
async def test_agents_are_found_by_name_and_state(tenant: Tenant, path: str):
    await made(tenant, fullName="Front desk")
    await made(tenant, fullName="Back 100% office", isActive=False)
    for query, names in (
        ({}, ["Back 100% office", "Front desk"]),
        ({"search": "FRONT"}, ["Front desk"]),
        ({"search": "0%"}, ["Back 100% office"]),
        ({"search": "%desk"}, []),
        ({"isActive": "true"}, ["Front desk"]),
        ({"isActive": "false"}, ["Back 100% office"]),
        ({"sort": "fullName:desc"}, ["Front desk", "Back 100% office"]),
        ({"sort": "createdAt:asc"}, ["Front desk", "Back 100% office"]),
    ):
        found = (await tenant.http.get(path, params=query)).json()
        assert [agent["fullName"] for agent in found["data"]] == names, query
        assert found["pagination"]["total"] == len(names)


async def test_a_page_is_brought_within_its_bounds(tenant: Tenant):
    found = (await tenant.http.get(AGENTS, params={"page": 0, "limit": 1_000})).json()
    assert found == {
        "data": [],
        "pagination": {"page": 1, "limit": 100, "total": 0, "totalPages": 0},
    }


async def test_an_order_that_there_is_not_is_refused(tenant: Tenant):
    answer = await tenant.http.get(AGENTS, params={"sort": "role:asc"})
    status, code, message = error_of(answer)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert message.startswith("sort: ")

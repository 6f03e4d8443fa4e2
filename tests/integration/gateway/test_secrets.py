"""Secrets over HTTP: they go in, and only their ends come out."""

import uuid
from typing import Any

import httpx
import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

VALUE = "sk-0123456789abcdef-abcd"


async def both_ways(gateway: Gateway) -> list[tuple[httpx.AsyncClient, str]]:
    tenant = await gateway.tenant()
    return [
        (tenant.http, "/v1/secrets"),
        (gateway.admin, f"/admin/v1/projects/{tenant.project_id}/secrets"),
    ]


@pytest.mark.parametrize("way", [0, 1], ids=["project", "administrator"])
async def test_a_secret_is_kept_listed_without_being_told_and_forgotten(
    gateway: Gateway, way: int
) -> None:
    http, path = (await both_ways(gateway))[way]
    answer = await http.put(f"{path}/openai", json={"values": {"api_key": VALUE}})
    assert answer.status_code == 200, answer.text
    kept = answer.json()
    assert kept == {
        "provider": "openai",
        "values": {"api_key": "sk-…abcd"},
        "createdAt": kept["createdAt"],
        "updatedAt": kept["updatedAt"],
    }
    assert (await http.get(path)).json() == {"data": [kept]}

    assert (await http.delete(f"{path}/openai")).status_code == 204
    assert error_of(await http.delete(f"{path}/openai"))[:2] == (404, "NOT_FOUND")
    assert (await http.get(path)).json() == {"data": []}


@pytest.mark.parametrize(
    ("provider", "body", "field"),
    [
        ("Open%20AI", {"values": {"api_key": VALUE}}, "provider"),
        ("openai", {"values": {}}, "values"),
        ("openai", {"values": {"API-KEY": VALUE}}, "values"),
        ("openai", {"values": {"api_key": ""}}, "values.api_key"),
        ("openai", {"values": {"api_key": 5}}, "values.api_key"),
        ("openai", {}, "values"),
        ("openai", {"values": {"api_key": VALUE}, "more": VALUE}, "more"),
    ],
)
async def test_a_wrong_secret_is_refused_and_not_repeated(
    gateway: Gateway, provider: str, body: dict[str, Any], field: str
) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.put(f"/v1/secrets/{provider}", json=body)

    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR"), answer.text
    assert answer.json()["error"]["details"][0]["field"] == field
    assert VALUE not in answer.text


@pytest.mark.parametrize("provider", ["%00", "a%00b", "unknown", "%2e%2e", "x" * 300])
async def test_what_was_never_kept_cannot_be_forgotten(gateway: Gateway, provider: str) -> None:
    tenant = await gateway.tenant()

    answer = await tenant.http.delete(f"/v1/secrets/{provider}")

    assert answer.status_code in {400, 404}


async def test_another_projects_secrets_are_not_there(gateway: Gateway) -> None:
    owner, stranger = await gateway.tenant(), await gateway.tenant()
    await owner.http.put("/v1/secrets/openai", json={"values": {"api_key": VALUE}})

    assert (await stranger.http.get("/v1/secrets")).json() == {"data": []}
    assert (await stranger.http.delete("/v1/secrets/openai")).status_code == 404
    assert (await owner.http.get("/v1/secrets")).json()["data"] != []


async def test_an_unknown_project_keeps_nothing(gateway: Gateway) -> None:
    path = f"/admin/v1/projects/{uuid.uuid4()}/secrets"

    assert error_of(await gateway.admin.get(path))[:2] == (404, "NOT_FOUND")
    answer = await gateway.admin.put(f"{path}/openai", json={"values": {"api_key": VALUE}})
    assert error_of(answer)[:2] == (404, "NOT_FOUND")

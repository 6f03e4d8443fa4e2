"""Requests with an `Idempotency-Key`."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration


async def post(tenant: Tenant, key: str, body: Any, path: str = "/v1/agents") -> httpx.Response:
    return await tenant.http.post(path, json=body, headers={"idempotency-key": key})


async def agents_of(tenant: Tenant) -> list[str]:
    return [each["id"] for each in (await tenant.http.get("/v1/agents")).json()["data"]]


async def test_a_repetition_gets_the_first_answer_and_makes_nothing(gateway: Gateway):
    tenant = await gateway.tenant()
    first = await post(tenant, "one", {"name": "Reception"})
    again = await post(tenant, "one", {"name": "Reception"})
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["content-type"] == again.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert await agents_of(tenant) == [first.json()["id"]]


async def test_another_body_or_path_is_refused(gateway: Gateway):
    tenant = await gateway.tenant()
    await post(tenant, "one", {"name": "Reception"})
    words = "This Idempotency-Key was used for another request."
    for answer in (
        await post(tenant, "one", {"name": "Sales"}),
        await post(tenant, "one", {"name": "Reception"}, "/v1/carrier-connections"),
    ):
        assert error_of(answer) == (409, "CONFLICT", words)


async def test_each_tenant_has_keys_of_their_own(gateway: Gateway):
    tenants = [await gateway.tenant() for _ in range(2)]
    made = [await post(tenant, "one", {"name": "Reception"}) for tenant in tenants]
    assert [answer.status_code for answer in made] == [201, 201]
    assert made[0].json()["id"] != made[1].json()["id"]


async def test_what_failed_is_tried_again(gateway: Gateway):
    tenant = await gateway.tenant()
    for _ in range(2):
        answer = await post(tenant, "one", {"name": ""})
        assert answer.status_code == 400
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "with blank", "\u00e9"])
async def test_a_key_that_is_none_is_refused(gateway: Gateway, key: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.post(
        "/v1/agents", json={"name": "R"}, headers={"idempotency-key": key.encode("latin-1")}
    )
    words = "Idempotency-Key: must have 1 to 255 visible ASCII characters."
    assert error_of(answer) == (400, "VALIDATION_ERROR", words)


async def test_of_many_at_once_one_is_carried_out(gateway: Gateway):
    tenant = await gateway.tenant()
    answers = await asyncio.gather(*(post(tenant, "one", {"name": "R"}) for _ in range(8)))
    ids = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    busy = [answer for answer in answers if answer.status_code == 409]
    assert len(ids) == 1
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in busy)
    assert await agents_of(tenant) == list(ids)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/agents", {"name": "R"}),
        (
            "/v1/carrier-connections",
            {"name": "T", "provider": "twilio", "allowedAddresses": ["192.0.2.0/24"]},
        ),
    ],
)
async def test_a_crash_between_the_write_and_the_answer_makes_nothing_twice(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
):
    tenant = await gateway.tenant()

    await _crash(gateway, monkeypatch, tenant, path, body)
    answer = await _answered(tenant, path, body)
    listed = (await tenant.http.get(path)).json()["data"]
    assert [each["id"] for each in listed] == [answer.json()["id"]]
    assert (await post(tenant, "one", body, path)).content == answer.content


async def test_a_number_is_put_on_record_once_whatever_dies(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    tenant = await gateway.tenant()
    await tenant.connection()
    path, body = "/v1/chat/phone-numbers", {"provider": "twilio", "number": "+12015550100"}
    await _crash(gateway, monkeypatch, tenant, path, body)
    answer = await _answered(tenant, path, body)
    numbers = (await tenant.http.get(path)).json()["data"]
    assert [each["id"] for each in numbers] == [answer.json()["id"]]


async def test_a_voice_session_is_opened_once_whatever_dies(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    path, body = "/v1/voice/sessions", {"agentId": (await tenant.agent())["id"]}
    await _crash(gateway, monkeypatch, tenant, path, body)
    rooms = dict(gateway.rooms.rooms)
    answer = await _answered(tenant, path, body)
    assert gateway.rooms.rooms.keys() == rooms.keys()
    assert len(rooms) == 1
    assert (await post(tenant, "one", body, path)).json() == answer.json()


async def _crash(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tenant: Tenant, path: str, body: Any
) -> None:
    """Die after the write: the answer is neither kept nor sent, the claim not given up."""

    async def die(*_: Any) -> None:
        raise KeyboardInterrupt

    idempotency = gateway.services.idempotency
    monkeypatch.setattr(idempotency, "_lease", timedelta(milliseconds=20))
    with monkeypatch.context() as dying:
        dying.setattr(idempotency, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            await post(tenant, "one", body, path)


async def _answered(tenant: Tenant, path: str, body: Any) -> httpx.Response:
    """Send the request again until it is answered."""
    async with asyncio.timeout(30):
        while (answer := await post(tenant, "one", body, path)).status_code == 409:
            await asyncio.sleep(0.01)
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_new_key_can_be_shown_again_to_who_asked_for_it(gateway: Gateway):
    tenant = await gateway.tenant()
    at = f"/admin/v1/projects/{tenant.project_id}/keys"
    headers = {"idempotency-key": "one"}
    made = [
        (await gateway.admin.post(at, json={"name": "second"}, headers=headers)).json()
        for _ in range(2)
    ]
    assert made[0] == made[1]
    used = await gateway.http.get("/v1/agents", headers={"x-api-key": made[1]["key"]})
    assert used.status_code == 200


async def test_credits_are_added_once(gateway: Gateway):
    tenant = await gateway.tenant()
    at = f"/admin/v1/organizations/{tenant.organization_id}/credits"
    for _ in range(3):
        answer = await gateway.admin.post(
            at, json={"amountMicrocredits": 100}, headers={"idempotency-key": "one"}
        )
        assert answer.status_code == 201
    assert (await tenant.http.get("/v1/credits")).json() == {"balanceMicrocredits": 100}


async def test_without_redis_nothing_is_carried_out_that_must_happen_once(
    gateway: Gateway, gateway_without_redis: Gateway
):
    tenant = await gateway.tenant()
    answer = await gateway_without_redis.http.post(
        "/v1/agents",
        json={"name": "R"},
        headers={"x-api-key": tenant.key, "idempotency-key": "one"},
    )
    assert error_of(answer)[:2] == (503, "UNAVAILABLE")
    assert await agents_of(tenant) == []


REQUESTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["Reception", "Sales"])),
    min_size=1,
    max_size=12,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(requests=REQUESTS)
async def test_any_mixture_of_requests_and_repetitions_makes_one_thing_a_key(
    gateway: Gateway, requests: list[tuple[str, str]]
):
    tenant = await gateway.tenant()
    first: dict[str, str] = {}
    for key, name in requests:
        answer = await post(tenant, key, {"name": name})
        expected = 201 if first.setdefault(key, name) == name else 409
        assert answer.status_code == expected
        assert answer.status_code == 409 or answer.json()["name"] == name
    assert len(await agents_of(tenant)) == len(first)

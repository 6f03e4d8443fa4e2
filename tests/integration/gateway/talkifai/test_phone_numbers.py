"""TalkifAI's phone numbers, in both of its spellings."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.store.tables import CarrierConnectionRow
from tests.integration.gateway.serving import Gateway, Tenant, serving

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
NUMBERS = "/v1/phone-numbers"
BYOC = "/v1/byoc/phone-numbers"
ACCOUNT = {
    "terminationUri": "myaccount.pstn.twilio.com",
    "sipUsername": "myaccount",
    "sipPassword": "secure_password_here",
}


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    tenant = await gateway.tenant(prefix="tk")
    await tenant.connection(provider="twilio")
    return tenant


async def register(tenant: Tenant, number: str = "+12015550100", **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.post(NUMBERS, json={"number": number, **ACCOUNT, **fields})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["success"] is True
    registered: dict[str, Any] = body["data"]
    return registered


async def connections(database: Database) -> list[CarrierConnectionRow]:
    async with database.reading() as db:
        query = select(CarrierConnectionRow).order_by(CarrierConnectionRow.created_at)
        return list(await db.scalars(query))


def detail_of(answer: httpx.Response) -> tuple[int, Any]:
    body = answer.json()
    assert answer.content == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert list(body) == ["detail"]
    return answer.status_code, body["detail"]


class TestRegistering:
    async def test_answers_in_the_published_envelope(self, tenant: Tenant):
        registered = await register(tenant)
        assert registered["number"] == "+12015550100"
        assert registered["terminationUri"] == "myaccount.pstn.twilio.com"
        assert (registered["inboundAgent"], registered["outboundAgent"]) == (None, None)
        assert registered["createdAt"].endswith("Z")

    async def test_the_password_is_kept_sealed_and_never_shown(
        self, tenant: Tenant, database: Database
    ):
        registered = await register(tenant)
        [connection] = await connections(database)
        assert connection.termination_username == "myaccount"
        assert connection.termination_password_sealed is not None
        assert b"secure_password_here" not in connection.termination_password_sealed
        listed = await tenant.http.get(NUMBERS)
        assert "secure_password_here" not in listed.text + json.dumps(registered)

    async def test_calls_of_the_carrier_need_no_password_of_ours(
        self, tenant: Tenant, database: Database
    ):
        await register(tenant)
        [connection] = await connections(database)
        assert (connection.auth_username, connection.auth_password_sealed) == (None, None)

    async def test_numbers_of_one_account_share_a_connection(
        self, tenant: Tenant, database: Database
    ):
        for last in range(3):
            await register(tenant, f"+1201555010{last}")
        assert len(await connections(database)) == 1

    async def test_where_no_carrier_is_known_none_is_let_in(self, gateway: Gateway):
        stranger = await gateway.tenant(prefix="tk")
        answer = await stranger.http.post(NUMBERS, json={"number": "+12015550100", **ACCOUNT})
        assert detail_of(answer) == (
            400,
            (
                "From where twilio may call in is not known here; create a carrier connection "
                "with its addresses first."
            ),
        )

    async def test_400_names_what_is_wrong(self, tenant: Tenant):
        wrong: tuple[tuple[dict[str, Any], str], ...] = (
            ({"number": None}, "number: Input should be a valid string."),
            ({"terminationUri": None}, "terminationUri: Input should be a valid string."),
            (
                {"terminationUri": "http://x"},
                "terminationUri must be the carrier's host, such as myaccount.pstn.twilio.com.",
            ),
            ({"sipUsername": None}, "A password goes with a user name."),
            ({"agentId": NOWHERE}, "agentId is not a known field."),
        )
        for fields, detail in wrong:
            body = {"number": "+12015550100", **ACCOUNT} | fields
            assert detail_of(await tenant.http.post(NUMBERS, json=body)) == (400, detail)

    async def test_401_a_wrong_key(self, gateway: Gateway):
        answer = await gateway.http.get(NUMBERS, headers={"Authorization": "Bearer tk_live_x"})
        assert detail_of(answer) == (401, "Invalid API key")

    async def test_409_a_number_that_is_on_record(self, tenant: Tenant):
        await register(tenant)
        answer = await tenant.http.post(NUMBERS, json={"number": "+12015550100", **ACCOUNT})
        assert detail_of(answer) == (409, "This number is on record already.")


class TestListing:
    async def test_lists_numbers_with_their_agents(self, tenant: Tenant):
        agent = await tenant.agent(name="Customer Support")
        registered = await register(tenant)
        await tenant.http.patch(
            f"{NUMBERS}/{registered['id']}", json={"inboundAgentId": agent["id"]}
        )
        body = (await tenant.http.get(NUMBERS)).json()
        assert body["success"] is True
        [listed] = body["data"]
        assert listed["inboundAgent"] == {
            "id": agent["id"],
            "name": "Customer Support",
            "mode": "public",
        }

    async def test_nobody_sees_anothers_numbers(self, gateway: Gateway, tenant: Tenant):
        await register(tenant)
        stranger = await gateway.tenant()
        assert (await stranger.http.get(NUMBERS)).json() == {"success": True, "data": []}


class TestAssigning:
    async def test_null_unassigns_and_absence_leaves(self, tenant: Tenant):
        agent = await tenant.agent()
        at = f"{NUMBERS}/{(await register(tenant))['id']}"
        both = {"inboundAgentId": agent["id"], "outboundAgentId": agent["id"]}
        await tenant.http.patch(at, json=both)
        changed = (await tenant.http.patch(at, json={"inboundAgentId": None})).json()["data"]
        assert changed["inboundAgent"] is None
        assert changed["outboundAgent"]["id"] == agent["id"]

    async def test_400_a_text_agent(self, tenant: Tenant):
        agent = await tenant.agent(voiceEnabled=False)
        at = f"{NUMBERS}/{(await register(tenant))['id']}"
        answer = await tenant.http.patch(at, json={"inboundAgentId": agent["id"]})
        assert detail_of(answer) == (
            400,
            "Only Pipeline and Realtime agents can be assigned to phone numbers",
        )

    async def test_404_an_unknown_agent(self, tenant: Tenant):
        at = f"{NUMBERS}/{(await register(tenant))['id']}"
        answer = await tenant.http.patch(at, json={"inboundAgentId": NOWHERE})
        assert detail_of(answer) == (404, "Agent not found.")

    async def test_404_an_unknown_number(self, tenant: Tenant):
        for number_id in (NOWHERE, "pn_1"):
            for method in ("PUT", "PATCH", "DELETE"):
                answer = await tenant.http.request(method, f"{NUMBERS}/{number_id}", json={})
                assert detail_of(answer) == (404, "Phone number not found."), method


class TestChangingTheAccount:
    async def test_the_only_number_takes_its_connection_along(
        self, tenant: Tenant, database: Database
    ):
        registered = await register(tenant)
        answer = await tenant.http.put(
            f"{NUMBERS}/{registered['id']}",
            json={"terminationUri": "newaccount.pstn.twilio.com", "sipUsername": "newusername"},
        )
        assert answer.json()["data"]["terminationUri"] == "newaccount.pstn.twilio.com"
        [connection] = await connections(database)
        assert connection.termination_username == "newusername"

    async def test_a_new_password_alone_replaces_the_old_one(
        self, tenant: Tenant, database: Database
    ):
        registered = await register(tenant)
        [before] = await connections(database)
        at = f"{NUMBERS}/{registered['id']}"
        assert (await tenant.http.put(at, json={"sipPassword": "new"})).status_code == 200
        [after] = await connections(database)
        assert after.termination_password_sealed != before.termination_password_sealed
        assert after.termination_uri == before.termination_uri


class TestDeleting:
    async def test_deletes_by_id(self, tenant: Tenant):
        registered = await register(tenant)
        answer = await tenant.http.delete(f"{NUMBERS}/{registered['id']}")
        assert (answer.status_code, answer.content) == (200, b'{"success":true}')
        assert (await tenant.http.get(NUMBERS)).json()["data"] == []


class TestByoc:
    async def test_registers_changes_and_deletes_by_the_number_itself(self, tenant: Tenant):
        agent = await tenant.agent()
        answer = await tenant.http.post(
            BYOC,
            json={
                "phoneNumber": "+12015550100",
                "inboundAgentId": agent["id"],
                "outboundAgentId": agent["id"],
                "friendlyName": "Main Support Line",
                **ACCOUNT,
            },
        )
        assert answer.status_code == 201, answer.text
        registered = answer.json()["data"]
        assert registered["inboundAgent"]["id"] == registered["outboundAgent"]["id"] == agent["id"]
        changed = await tenant.http.put(
            f"{BYOC}/+12015550100", json={"inboundAgentId": None, "sipPassword": "updated_password"}
        )
        assert changed.json()["data"]["inboundAgent"] is None
        deleted = await tenant.http.delete(f"{BYOC}/+12015550100")
        assert deleted.content == b'{"success":true}'

    async def test_trunks_can_be_refreshed(self, tenant: Tenant):
        await register(tenant)
        one = await tenant.http.post(
            "/v1/byoc/trunks/refresh", json={"phoneNumber": "+12015550100"}
        )
        assert one.json()["data"]["number"] == "+12015550100"
        every = await tenant.http.post("/v1/byoc/trunks/refresh-all")
        assert (every.status_code, every.content) == (200, b'{"success":true}')

    async def test_404_a_number_that_is_not_the_projects(self, tenant: Tenant):
        for method in ("PUT", "DELETE"):
            answer = await tenant.http.request(method, f"{BYOC}/+12015550199", json={})
            assert detail_of(answer) == (404, "Phone number not found."), method


@pytest.fixture
async def open_house(
    database: Database,
    redis: RedisClient,
    redis_url: str,
    dispatch_settings: DispatchSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Gateway]:
    """A gateway whose operator says from where carriers may call."""
    monkeypatch.setenv("DIALPLANE_DEFAULT_ALLOWED_ADDRESSES", '["192.0.2.0/24"]')
    connected = connect_redis(redis_url)
    async with serving(database, connected, dispatch_settings) as gateway:
        yield gateway
    await connected.aclose()


class TestSeveralAccounts:
    async def test_each_account_has_a_connection_and_a_number_moves_to_its_new_one(
        self, open_house: Gateway, database: Database
    ):
        tenant = await open_house.tenant()
        moving = await register(tenant, "+12015550100")
        await register(tenant, "+12015550101")
        await register(tenant, "+12015550102", terminationUri="sip.telnyx.com", sipUsername="other")
        assert [each.provider for each in await connections(database)] == ["twilio", "telnyx"]
        moved = await tenant.http.put(
            f"{NUMBERS}/{moving['id']}",
            json={"terminationUri": "sip.telnyx.com", "sipUsername": "other"},
        )
        assert moved.json()["data"]["terminationUri"] == "sip.telnyx.com"
        assert len(await connections(database)) == 2
        native = (await tenant.http.get("/v1/chat/phone-numbers")).json()["data"]
        assert {each["number"]: each["provider"] for each in native} == {
            "+12015550100": "telnyx",
            "+12015550101": "twilio",
            "+12015550102": "telnyx",
        }


async def test_the_native_explanation_of_a_number_stays_at_its_place(tenant: Tenant):
    await register(tenant)
    answer = await tenant.http.get(f"{NUMBERS}/+12015550100/explain")
    assert answer.status_code == 200
    assert answer.json()["wouldBeAnswered"] is False


async def test_a_number_registered_twice_with_one_idempotency_key_is_one(tenant: Tenant):
    body = {"number": "+12015550100", **ACCOUNT}
    answers = [
        await tenant.http.post(NUMBERS, json=body, headers={"Idempotency-Key": "n-1"})
        for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_the_audit_log_tells_of_the_account_but_not_its_password(
    gateway: Gateway, tenant: Tenant
):
    await register(tenant)
    log = await gateway.admin.get("/admin/v1/audit-log")
    assert "carrier_connection.account_changed" in log.text
    assert "myaccount.pstn.twilio.com" in log.text
    assert "secure_password_here" not in log.text

"""Agntix's chat: sessions, messages as a stream and in one piece, and what is refused."""

import json
import uuid
from typing import Any

import httpx
import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

SESSIONS = "/v1/chat/chat/sessions"
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
SCRIPT = {
    "steps": [{"phrases": ["what are your opening hours"], "reply": "From nine to five."}],
    "fallback": "Sorry?",
}
QUESTION = "What are your opening hours?"


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


@pytest.fixture
async def session(tenant: Tenant) -> dict[str, Any]:
    agent = await tenant.agent(voiceEnabled=False, script=SCRIPT, greeting="Hello {{name}}.")
    return await opened(tenant, agent, metadata={"name": "Ada"})


async def opened(tenant: Tenant, agent: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.post(SESSIONS, json={"agentId": agent["id"], **fields})
    assert answer.status_code == 201, answer.text
    session: dict[str, Any] = answer.json()
    return session


async def sent(
    tenant: Tenant, session: dict[str, Any], content: object = QUESTION, **more: Any
) -> httpx.Response:
    headers = more.pop("headers", {})
    path = f"{SESSIONS}/{session['id']}/messages"
    return await tenant.http.post(path, json={"content": content, **more}, headers=headers)


async def messages(tenant: Tenant, session: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (
        await tenant.http.get(f"{SESSIONS}/{session['id']}/messages")
    ).json()["data"]
    return listed


class TestSessions:
    async def test_a_session_is_answered_as_it_is_kept(self, tenant: Tenant):
        agent = await tenant.agent()
        contact = {"externalId": "customer-17", "tags": ["vip"]}
        session = await opened(
            tenant, agent, platform="WEB", metadata={"page": "pricing"}, contact=contact
        )
        assert session["agentId"] == agent["id"]
        assert session["orgId"] == tenant.organization_id
        assert (session["platform"], session["state"]) == ("WEB", "OPEN")
        assert (session["metadata"], session["contact"]) == ({"page": "pricing"}, contact)
        assert session.keys() == {
            *("id", "agentId", "platform", "state", "metadata", "contact"),
            *("orgId", "createdAt", "updatedAt"),
        }
        assert (await tenant.http.get(f"{SESSIONS}/{session['id']}")).json() == session

    async def test_the_platform_is_the_sdk_when_none_is_named(self, session: dict[str, Any]):
        assert session["platform"] == "SDK"

    async def test_the_same_idempotency_key_opens_one_session(self, tenant: Tenant):
        agent = await tenant.agent()
        send = {"json": {"agentId": agent["id"]}, "headers": {"Idempotency-Key": "chat-1"}}
        first = await tenant.http.post(SESSIONS, **send)
        second = await tenant.http.post(SESSIONS, **send)
        assert first.json() == second.json()

    async def test_sessions_are_found_by_agent_state_and_platform(self, tenant: Tenant):
        agent = await tenant.agent()
        web = await opened(tenant, agent, platform="WEB")
        sdk = await opened(tenant, await tenant.agent())
        await tenant.http.patch(f"{SESSIONS}/{sdk['id']}/close", json={"reason": "resolved"})
        for query, expected in (
            ({}, [sdk, web]),
            ({"sort": "createdAt:asc"}, [web, sdk]),
            ({"agentId": agent["id"]}, [web]),
            ({"state": "OPEN"}, [web]),
            ({"state": "CLOSED"}, [sdk]),
            ({"platform": "SDK"}, [sdk]),
            ({"platform": "VOICE"}, []),
        ):
            found = (await tenant.http.get(SESSIONS, params=query)).json()
            assert [each["id"] for each in found["data"]] == [each["id"] for each in expected]
            assert found["pagination"]["total"] == len(expected)

    async def test_closing_twice_is_closing_once(self, tenant: Tenant, session: dict[str, Any]):
        path = f"{SESSIONS}/{session['id']}/close"
        first = await tenant.http.patch(path, json={"reason": "resolved"})
        second = await tenant.http.patch(path)
        assert first.json()["state"] == "CLOSED"
        assert first.json() == second.json()


class TestMessages:
    async def test_an_answer_streams_as_the_published_lines(
        self, tenant: Tenant, session: dict[str, Any]
    ):
        answer = await sent(tenant, session, stream=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        *frames, last, rest = answer.text.split("\n\n")
        assert (last, rest) == ("data: [DONE]", "")
        deltas = [json.loads(frame.removeprefix("data: ")) for frame in frames]
        assert all(delta.keys() == {"id", "delta"} for delta in deltas)
        assert "".join(delta["delta"] for delta in deltas) == "From nine to five."
        assert {delta["id"] for delta in deltas} == {(await messages(tenant, session))[-1]["id"]}

    async def test_an_answer_in_one_piece_is_the_message_on_record(
        self, tenant: Tenant, session: dict[str, Any]
    ):
        answer = await sent(tenant, session, stream=False)
        assert answer.status_code == 200
        body = answer.json()
        assert body.keys() == {"id", "content", "role", "createdAt"}
        assert (body["content"], body["role"]) == ("From nine to five.", "ASSISTANT")
        assert (await messages(tenant, session))[-1]["id"] == body["id"]

    async def test_who_does_not_say_is_told_in_what_they_accept(
        self, tenant: Tenant, session: dict[str, Any]
    ):
        assert (await sent(tenant, session)).json()["content"] == "From nine to five."
        streamed = await sent(tenant, session, headers={"Accept": "text/event-stream"})
        assert streamed.text.endswith("data: [DONE]\n\n")

    async def test_messages_are_listed_oldest_first_and_paged(
        self, tenant: Tenant, session: dict[str, Any]
    ):
        await sent(tenant, session)
        said = [(each["role"], each["content"]) for each in await messages(tenant, session)]
        assert said == [
            ("ASSISTANT", "Hello Ada."),
            ("USER", QUESTION),
            ("ASSISTANT", "From nine to five."),
        ]
        path = f"{SESSIONS}/{session['id']}/messages"
        page = (await tenant.http.get(path, params={"page": 2, "limit": 2})).json()
        assert [each["content"] for each in page["data"]] == ["From nine to five."]
        assert page["pagination"] == {"page": 2, "limit": 2, "total": 3, "totalPages": 2}
        whole = (await tenant.http.get(path)).json()
        assert whole["pagination"]["limit"] == 50

    async def test_a_repeated_message_is_answered_once(
        self, tenant: Tenant, session: dict[str, Any]
    ):
        headers = {"Idempotency-Key": "message-1"}
        first = await sent(tenant, session, headers=headers, stream=True)
        second = await sent(tenant, session, headers=headers, stream=True)
        assert first.text.endswith("data: [DONE]\n\n")
        assert second.text.endswith("data: [DONE]\n\n")
        assert len(await messages(tenant, session)) == 3


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({}, "agentId is required."),
            ({"agentId": "agnt_1"}, "agentId must be a UUID."),
            (
                {"agentId": NOWHERE, "platform": "FAX"},
                "platform: Input should be 'SDK', 'WEB', 'WHATSAPP' or 'VOICE'.",
            ),
            (
                {"agentId": NOWHERE, "metadata": {"note": "x" * 4_096}},
                "metadata: at most 4096 characters of JSON.",
            ),
        ],
    )
    async def test_a_session_names_the_field_that_is_wrong(
        self, tenant: Tenant, fields: dict[str, Any], message: str
    ):
        answer = await tenant.http.post(SESSIONS, json=fields)
        assert error_of(answer) == (400, "VALIDATION_ERROR", message)

    async def test_an_agent_nobody_knows_is_not_there(self, tenant: Tenant):
        answer = await tenant.http.post(SESSIONS, json={"agentId": NOWHERE})
        assert error_of(answer) == (404, "NOT_FOUND", "Agent not found.")

    async def test_an_inactive_agent_does_not_chat(self, tenant: Tenant):
        agent = await tenant.agent(isActive=False)
        answer = await tenant.http.post(SESSIONS, json={"agentId": agent["id"]})
        assert error_of(answer) == (400, "VALIDATION_ERROR", "The agent is inactive.")

    async def test_without_credit_no_session_opens(self, gateway: Gateway):
        poor = await gateway.tenant()
        agent = await poor.agent()
        answer = await poor.http.post(SESSIONS, json={"agentId": agent["id"]})
        assert error_of(answer) == (402, "INSUFFICIENT_CREDITS", "Insufficient credits.")

    @pytest.mark.parametrize(
        ("method", "suffix", "body"),
        [
            ("GET", "", None),
            ("PATCH", "/close", {}),
            ("GET", "/messages", None),
            ("POST", "/messages", {"content": QUESTION}),
        ],
    )
    async def test_a_session_of_another_project_is_not_there(
        self, gateway: Gateway, session: dict[str, Any], method: str, suffix: str, body: Any
    ):
        stranger = await gateway.tenant(credits_microcredits=5_000_000)
        for session_id in (session["id"], NOWHERE):
            path = f"{SESSIONS}/{session_id}{suffix}"
            answer = await stranger.http.request(method, path, json=body)
            assert error_of(answer) == (404, "SESSION_NOT_FOUND", "Session not found.")

    async def test_a_closed_session_takes_no_message(self, tenant: Tenant, session: dict[str, Any]):
        await tenant.http.patch(f"{SESSIONS}/{session['id']}/close")
        answer = await sent(tenant, session)
        assert error_of(answer) == (409, "SESSION_EXPIRED", "The session is closed.")

    @pytest.mark.parametrize("content", ["", "  ", "x" * 10_001, None, 5])
    async def test_a_message_must_have_words(
        self, tenant: Tenant, session: dict[str, Any], content: object
    ):
        answer = await sent(tenant, session, content)
        status, code, message = error_of(answer)
        assert (status, code) == (400, "VALIDATION_ERROR")
        assert message.startswith("content: ")

    async def test_a_key_without_the_scope_may_not_chat(self, gateway: Gateway, tenant: Tenant):
        made = await gateway.admin.post(
            f"/admin/v1/projects/{tenant.project_id}/keys",
            json={"name": "reader", "scopes": ["chat:read"]},
        )
        answer = await gateway.http.post(
            SESSIONS,
            json={"agentId": str(uuid.uuid4())},
            headers={"x-api-key": made.json()["key"]},
        )
        assert error_of(answer) == (403, "FORBIDDEN", "This key lacks the scope chat:write.")

"""TalkifAI's chat: sessions, messages as a stream, history, end, and every published error."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
CREDITS = 5_000_000
SESSIONS = "/v1/chat/sessions"

SCRIPT = {
    "steps": [
        {"phrases": ["what are your opening hours"], "reply": "From nine to five."},
        {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}},
    ],
    "fallback": "Sorry?",
}


class Chat:
    """A chat as a client sees it that has nothing but what opening it returned."""

    def __init__(self, http: httpx.AsyncClient, opened: dict[str, Any]) -> None:
        self.http = http
        self.opened = opened
        self.path = f"{SESSIONS}/{opened['conversation_id']}"
        self.headers = {"Authorization": f"Bearer {opened['session_token']}"}

    async def send(self, message: object, **headers: str) -> httpx.Response:
        return await self.http.post(
            f"{self.path}/messages", json={"message": message}, headers=self.headers | headers
        )

    async def history(self, **query: int) -> httpx.Response:
        return await self.http.get(f"{self.path}/messages", params=query, headers=self.headers)

    async def said(self) -> list[tuple[str, str]]:
        messages = (await self.history()).json()["messages"]
        return [(message["role"], message["content"]) for message in messages]

    async def end(self) -> httpx.Response:
        return await self.http.post(f"{self.path}/end", headers=self.headers)


def events_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    """Return the events of a stream, read as TalkifAI's own examples read them."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    *blocks, rest = answer.text.split("\n\n")
    assert rest == ""
    events = []
    for block in blocks:
        event, data = block.split("\n")
        assert event.startswith("event: ")
        assert data.startswith("data: ")
        events.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return events


def detail_of(answer: httpx.Response) -> tuple[int, bytes]:
    return answer.status_code, answer.content


async def text_agent(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    body = {"name": "Support Agent", "voiceEnabled": False, "script": SCRIPT, **fields}
    return await tenant.agent(**body)


async def open_chat(gateway: Gateway, tenant: Tenant, agent_id: str, **fields: Any) -> Chat:
    answer = await tenant.http.post(SESSIONS, json={"agent_id": agent_id, **fields})
    assert answer.status_code == 200, answer.text
    return Chat(gateway.http, answer.json())


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=CREDITS, prefix="tk")


@pytest.fixture
async def chat(gateway: Gateway, tenant: Tenant) -> AsyncIterator[Chat]:
    return await open_chat(gateway, tenant, (await text_agent(tenant))["id"])


class TestOpening:
    async def test_answers_with_everything_a_page_needs(self, tenant: Tenant):
        agent = await text_agent(tenant, greeting="Hello! How can I help you today?")
        before_ms = datetime.now(UTC).timestamp() * 1_000
        answer = await tenant.http.post(
            SESSIONS,
            json={
                "agent_id": agent["id"],
                "metadata": {"source": "website_chat"},
                "user_identifier": "customer@example.com",
            },
        )
        assert answer.status_code == 200
        body = answer.json()
        assert list(body) == [
            "conversation_id",
            "session_token",
            "agent_name",
            "greeting",
            "agent_model",
        ]
        name = re.fullmatch(r"chat_([0-9a-f]{8})_([0-9a-f]{16})_(\d{13})", body["conversation_id"])
        assert name
        assert name[1] == agent["id"][:8]
        assert before_ms - 1 <= int(name[3]) <= before_ms + 60_000
        assert (body["agent_name"], body["greeting"], body["agent_model"]) == (
            "Support Agent",
            "Hello! How can I help you today?",
            "script",
        )

    async def test_the_token_is_for_one_conversation_and_24_hours(self, tenant: Tenant, chat: Chat):
        claims = jwt.decode(chat.opened["session_token"], options={"verify_signature": False})
        assert claims["conversation_id"] == chat.opened["conversation_id"]
        assert claims["organization_id"] == tenant.organization_id
        assert claims["exp"] - claims["iat"] == timedelta(hours=24).total_seconds()

    async def test_an_agent_that_waits_has_no_greeting(self, gateway: Gateway, tenant: Tenant):
        chat = await open_chat(gateway, tenant, (await text_agent(tenant, greeting=""))["id"])
        assert chat.opened["greeting"] is None
        assert await chat.said() == []

    async def test_metadata_fills_the_greeting(self, gateway: Gateway, tenant: Tenant):
        agent = await text_agent(tenant, greeting="Hello {{name}}, about {{order}}?")
        chat = await open_chat(gateway, tenant, agent["id"], metadata={"name": "Ada"})
        assert chat.opened["greeting"] == "Hello Ada, about {{order}}?"

    async def test_metadata_fills_the_replies_of_a_script(self, gateway: Gateway, tenant: Tenant):
        script = {"fallback": "Pardon, {{name}}? Today is {{system.date}}."}
        agent = await text_agent(tenant, script=script)
        chat = await open_chat(gateway, tenant, agent["id"], metadata={"name": "Ada"})
        await chat.send("bananas")
        *_, reply = await chat.said()
        assert re.fullmatch(r"Pardon, Ada\? Today is \d{4}-\d\d-\d\d\.", reply[1])

    async def test_400_agent_id_is_required(self, tenant: Tenant):
        for body in ({}, {"agent_id": ""}, {"agent_id": None}, [], "text"):
            answer = await tenant.http.post(SESSIONS, json=body)
            assert detail_of(answer) == (400, b'{"detail":"Agent ID is required"}'), body

    async def test_400_an_agent_for_voice(self, tenant: Tenant):
        answer = await tenant.http.post(SESSIONS, json={"agent_id": (await tenant.agent())["id"]})
        assert detail_of(answer) == (
            400,
            b'{"detail":"Agent must be Text architecture for chat sessions"}',
        )

    async def test_401_no_credential(self, gateway: Gateway):
        answer = await gateway.http.post(SESSIONS, content=b"{")
        assert detail_of(answer) == (
            401,
            b'{"detail":"Authentication required: provide X-API-Key or X-Studio-Token"}',
        )

    async def test_401_a_studio_token(self, gateway: Gateway):
        answer = await gateway.http.post(SESSIONS, headers={"X-Studio-Token": "better_auth"})
        assert detail_of(answer) == (401, b'{"detail":"Invalid or expired studio session"}')

    async def test_401_a_wrong_key(self, gateway: Gateway):
        answer = await gateway.http.post(SESSIONS, headers={"X-API-Key": "tk_live_wrong"})
        assert detail_of(answer) == (401, b'{"detail":"Invalid API key"}')

    @pytest.mark.parametrize("credits_microcredits", [0, 1])
    async def test_402_no_credits(self, gateway: Gateway, credits_microcredits: int):
        poor = await gateway.tenant(credits_microcredits=credits_microcredits)
        agent = await text_agent(poor)
        answer = await poor.http.post(SESSIONS, json={"agent_id": agent["id"]})
        assert detail_of(answer) == (
            402,
            b'{"detail":"Insufficient credits. Please add credits to continue."}',
        )

    async def test_404_no_such_agent(self, tenant: Tenant):
        for agent_id in (NOWHERE, "no-uuid"):
            answer = await tenant.http.post(SESSIONS, json={"agent_id": agent_id})
            detail = f"Agent {agent_id} not found or does not belong to your organization"
            assert detail_of(answer) == (404, b'{"detail":"%s"}' % detail.encode())

    async def test_404_another_projects_agent(self, gateway: Gateway, tenant: Tenant):
        stranger = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await text_agent(stranger)
        answer = await tenant.http.post(SESSIONS, json={"agent_id": agent["id"]})
        assert answer.status_code == 404

    async def test_503_the_balance_cannot_be_known(
        self, gateway_without_redis: Gateway, tenant: Tenant
    ):
        agent = await text_agent(tenant)
        answer = await gateway_without_redis.http.post(
            SESSIONS, json={"agent_id": agent["id"]}, headers={"X-API-Key": tenant.key}
        )
        assert detail_of(answer) == (
            503,
            b'{"detail":"Billing service unavailable: connection timeout"}',
        )


class TestSending:
    async def test_the_answer_streams_word_by_word(self, chat: Chat):
        events = events_of(await chat.send("What are your opening hours?"))
        assert events == [
            ("stream_start", {"agent_name": "Support Agent"}),
            ("chunk", {"delta": "From "}),
            ("chunk", {"delta": "nine "}),
            ("chunk", {"delta": "to "}),
            ("chunk", {"delta": "five."}),
            (
                "stream_end",
                {"usage": {"input_tokens": 5, "output_tokens": 4}, "end_session": False},
            ),
        ]

    async def test_a_goodbye_says_that_the_session_shall_end(self, chat: Chat):
        events = events_of(await chat.send("goodbye"))
        assert [name for name, _ in events] == [
            "stream_start",
            "chunk",
            "tool_call",
            "tool_result",
            "stream_end",
        ]
        assert events[2][1] == {"name": "end_call", "status": "executing"}
        assert events[3][1] == {"name": "end_call", "status": "completed"}
        assert events[4][1]["end_session"] is True

    async def test_the_agent_stays_as_it_was_when_the_chat_began(
        self, tenant: Tenant, gateway: Gateway
    ):
        agent = await text_agent(tenant)
        chat = await open_chat(gateway, tenant, agent["id"])
        await tenant.http.patch(f"/v1/agents/{agent['id']}", json={"script": {"fallback": "New."}})
        events = events_of(await chat.send("what are your opening hours"))
        assert ("chunk", {"delta": "From "}) in events

    async def test_a_repeated_message_is_answered_alike_and_said_once(self, chat: Chat):
        sent = [await chat.send("opening hours", **{"Idempotency-Key": "m-1"}) for _ in range(2)]
        first, second = [events_of(answer) for answer in sent]
        assert "".join(data["delta"] for name, data in first if name == "chunk") == "".join(
            data["delta"] for name, data in second if name == "chunk"
        )
        assert first[-1] == second[-1]
        assert len(await chat.said()) == 3

    async def test_409_a_key_that_came_with_another_message(self, chat: Chat):
        await chat.send("opening hours", **{"Idempotency-Key": "m-1"})
        answer = await chat.send("goodbye", **{"Idempotency-Key": "m-1"})
        assert detail_of(answer) == (
            409,
            b'{"detail":"This Idempotency-Key was used for another request."}',
        )

    async def test_400_too_long(self, chat: Chat):
        answer = await chat.send("x" * 10_001)
        assert detail_of(answer) == (
            400,
            b'{"detail":"Message too long (max 10000 characters)"}',
        )
        assert len(await chat.said()) == 1

    async def test_the_longest_message_is_taken(self, chat: Chat):
        assert (await chat.send("x" * 10_000)).status_code == 200

    async def test_400_no_message(self, chat: Chat):
        for body, detail in (
            ({}, "message is required."),
            ({"message": ""}, "message must not be empty."),
            ({"message": " "}, "message must not be empty."),
            ({"message": None}, "message: Input should be a valid string."),
            ([], "The body must be a JSON object, sent as application/json."),
        ):
            answer = await chat.http.post(f"{chat.path}/messages", json=body, headers=chat.headers)
            assert detail_of(answer) == (400, b'{"detail":"%s"}' % detail.encode())

    async def test_402_credit_ran_out(self, tenant: Tenant, chat: Chat, redis: RedisClient):
        await redis.set(redis_keys.balance(tenant.organization_id), 0)
        answer = await chat.send("goodbye")
        assert detail_of(answer) == (
            402,
            b'{"detail":"Insufficient credits. Please add credits to continue."}',
        )

    async def test_404_after_the_end(self, chat: Chat):
        await chat.end()
        answer = await chat.send("hello")
        assert detail_of(answer) == (404, b'{"detail":"Session not found or expired"}')


class TestTokens:
    METHODS = (("POST", "/messages"), ("GET", "/messages"), ("POST", "/end"))

    async def test_401_no_good_token(self, chat: Chat):
        for token in ("", "Bearer ", "Bearer x.y.z", "Basic abc", "Bearer none"):
            headers = {"Authorization": token} if token else {}
            for method, path in self.METHODS:
                answer = await chat.http.request(
                    method, chat.path + path, headers=headers, json={"message": "x"}
                )
                assert detail_of(answer) == (401, b'{"detail":"Invalid token"}'), (method, token)

    async def test_401_a_projects_key_is_no_token(self, tenant: Tenant, chat: Chat):
        answer = await tenant.http.get(f"{chat.path}/messages")
        assert detail_of(answer) == (401, b'{"detail":"Invalid token"}')

    async def test_403_another_conversations_token(
        self, gateway: Gateway, tenant: Tenant, chat: Chat
    ):
        other = await open_chat(gateway, tenant, (await text_agent(tenant))["id"])
        for method, path in self.METHODS:
            answer = await chat.http.request(
                method, chat.path + path, headers=other.headers, json={"message": "x"}
            )
            assert detail_of(answer) == (
                403,
                b'{"detail":"Conversation ID does not match session token"}',
            ), method


class TestHistory:
    async def test_tells_what_was_said(self, chat: Chat):
        await chat.send("What are your opening hours?")
        body = (await chat.history()).json()
        assert list(body) == ["messages", "count"]
        assert body["count"] == 3
        assert [
            (each["role"], each["content"], each["token_count"]) for each in body["messages"]
        ] == [
            ("assistant", "Hello. How can I help you?", None),
            ("user", "What are your opening hours?", None),
            ("assistant", "From nine to five.", 4),
        ]
        for message in body["messages"]:
            assert list(message) == ["role", "content", "timestamp", "token_count"]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", message["timestamp"])

    async def test_goes_through_pages(self, chat: Chat):
        await chat.send("goodbye")
        first = (await chat.history(limit=2)).json()
        second = (await chat.history(limit=2, offset=2)).json()
        assert (first["count"], second["count"]) == (2, 1)
        assert (await chat.history(limit=2, offset=4)).json() == {"messages": [], "count": 0}

    async def test_the_published_offset_for_the_end_returns_the_end(self, chat: Chat):
        await chat.send("goodbye")
        last = (await chat.history(limit=2, offset=9_999)).json()["messages"]
        assert [message["content"] for message in last] == ["goodbye", "Goodbye."]

    async def test_a_limit_beyond_the_bounds_is_brought_within(self, chat: Chat):
        for limit in (0, -1, 101, 1_000):
            assert (await chat.history(limit=limit)).status_code == 200

    async def test_404_after_the_end(self, chat: Chat):
        await chat.end()
        answer = await chat.history()
        assert detail_of(answer) == (404, b'{"detail":"Session not found or expired"}')


class TestEnding:
    async def test_ends_as_often_as_asked(self, chat: Chat):
        for _ in range(2):
            answer = await chat.end()
            assert detail_of(answer) == (
                200,
                b'{"success":true,"message":"Session ended successfully"}',
            )

    async def test_500_the_record_cannot_be_reached(
        self, chat: Chat, gateway_without_postgres: Gateway
    ):
        chat.http = gateway_without_postgres.http
        assert detail_of(await chat.end()) == (500, b'{"detail":"Failed to end session"}')

    async def test_two_messages_at_once_are_answered_one_after_the_other(
        self, gateway: Gateway, chat: Chat, monkeypatch: pytest.MonkeyPatch
    ):
        # A busy machine may take longer to answer two of them than the third would wait.
        monkeypatch.setattr(gateway.services.chat_turns, "_patience_s", 60.0)
        answers = await asyncio.gather(*(chat.send(f"message {n}") for n in range(3)))
        assert [answer.status_code for answer in answers] == [200] * 3
        roles = [role for role, _ in await chat.said()]
        assert roles == ["assistant", *["user", "assistant"] * 3]

"""Voice sessions in Agntix's and in TalkifAI's form, and every published error of them."""

import re
import time
from typing import Any

import httpx
import jwt
import pytest
from livekit import api

from tests.fakes.livekit_rooms import API_KEY, API_SECRET
from tests.integration.gateway.serving import LIVEKIT_URL, Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
CREDITS = 5_000_000


def claims_of(token: str) -> api.access_token.Claims:
    return api.TokenVerifier(API_KEY, API_SECRET).verify(token)


async def open_native(tenant: Tenant, agent_id: str, **fields: Any) -> httpx.Response:
    return await tenant.http.post("/v1/voice/sessions", json={"agentId": agent_id, **fields})


async def open_talkifai(tenant: Tenant, agent_id: str) -> httpx.Response:
    return await tenant.http.post("/v1/chat/voice-sessions", json={"agent_id": agent_id})


class TestAgntix:
    async def test_opens_a_session(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        answer = await open_native(tenant, agent["id"], metadata={"callerId": "17"})
        assert answer.status_code == 201
        body = answer.json()
        assert body.keys() == {"id", "agentId", "token", "serverUrl", "createdAt"}
        assert re.fullmatch(r"vs_[0-9a-f]{32}", body["id"])
        assert (body["agentId"], body["serverUrl"]) == (agent["id"], LIVEKIT_URL)
        assert body["createdAt"].endswith("Z")

    async def test_the_room_is_made_with_its_agent_in_one_request(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        opened = (await open_native(tenant, agent["id"])).json()
        room_name = claims_of(opened["token"]).video.room
        assert gateway.rooms.calls == ["create_room"]
        assert gateway.rooms.specs[room_name].worker_name == "dialplane"

    async def test_the_token_joins_its_room_and_no_other(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        opened = (await open_native(tenant, agent["id"])).json()
        claims = claims_of(opened["token"])
        assert claims.video.room_join
        assert claims.video.room in gateway.rooms.rooms
        assert (claims.video.can_publish, claims.video.can_subscribe) == (True, True)
        assert not claims.video.room_admin
        assert not claims.video.room_create

    async def test_two_sessions_share_neither_room_nor_identity(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        first, second = [
            claims_of((await open_native(tenant, agent["id"])).json()["token"]) for _ in range(2)
        ]
        assert first.video.room != second.video.room
        assert first.identity != second.identity

    @pytest.mark.parametrize(
        ("body", "field", "message"),
        [
            ({}, "agentId", "agentId is required."),
            ({"agentId": None}, "agentId", "agentId must be a UUID."),
            ({"agentId": "agnt_1"}, "agentId", "agentId must be a UUID."),
            ({"agentId": NOWHERE, "agent_id": "x"}, "agent_id", "agent_id is not a known field."),
            (
                {"agentId": NOWHERE, "metadata": {"a": ["\0"]}},
                "metadata.a.0",
                "metadata.a.0 may not hold a NUL character.",
            ),
            (
                {"agentId": NOWHERE, "metadata": {"a": "x" * 16_384}},
                "metadata",
                "metadata: at most 16384 bytes of JSON.",
            ),
        ],
    )
    async def test_refuses_a_bad_request(
        self, gateway: Gateway, body: object, field: str, message: str
    ):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        answer = await tenant.http.post("/v1/voice/sessions", json=body)
        assert error_of(answer) == (400, "VALIDATION_ERROR", message)
        assert answer.json()["error"]["details"] == [{"field": field, "message": message}]
        assert gateway.rooms.calls == []

    async def test_refuses_without_a_key(self, gateway: Gateway):
        answer = await gateway.http.post("/v1/voice/sessions", json={"agentId": NOWHERE})
        assert error_of(answer) == (401, "UNAUTHORIZED", "Authentication required.")

    async def test_refuses_without_credits(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=1)
        agent = await tenant.agent()
        answer = await open_native(tenant, agent["id"])
        assert error_of(answer) == (402, "INSUFFICIENT_CREDITS", "Insufficient credits.")
        assert gateway.rooms.calls == []

    async def test_refuses_while_the_balance_is_unknown(self, gateway: Gateway):
        tenant = await gateway.tenant()
        agent = await tenant.agent()
        answer = await open_native(tenant, agent["id"])
        assert error_of(answer) == (402, "INSUFFICIENT_CREDITS", "Insufficient credits.")

    async def test_an_unknown_agent_is_not_found(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        assert error_of(await open_native(tenant, NOWHERE)) == (
            404,
            "NOT_FOUND",
            "Agent not found.",
        )

    async def test_the_agent_of_another_project_is_not_found(self, gateway: Gateway):
        owner = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await owner.agent()
        neighbour = await gateway.tenant(organization_id=owner.organization_id)
        assert error_of(await open_native(neighbour, agent["id"])) == (
            404,
            "NOT_FOUND",
            "Agent not found.",
        )

    @pytest.mark.parametrize(
        "fields", [{"voiceEnabled": False, "voicePipelineMode": None}, {"isActive": False}]
    )
    async def test_refuses_an_agent_that_cannot_speak(
        self, gateway: Gateway, fields: dict[str, Any]
    ):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent(**fields)
        answer = await open_native(tenant, agent["id"])
        assert error_of(answer) == (
            400,
            "VALIDATION_ERROR",
            "The agent is inactive or not enabled for voice.",
        )
        assert answer.json()["error"]["details"][0]["field"] == "agentId"

    async def test_says_when_livekit_is_down(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        gateway.rooms.unreachable = True
        assert error_of(await open_native(tenant, agent["id"])) == (
            502,
            "BAD_GATEWAY",
            "LiveKit did not create the room.",
        )

    async def test_refuses_while_redis_is_down(
        self, gateway: Gateway, gateway_without_redis: Gateway
    ):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        answer = await gateway_without_redis.http.post(
            "/v1/voice/sessions",
            json={"agentId": agent["id"]},
            headers={"x-api-key": tenant.key},
        )
        assert error_of(answer)[:2] == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "2"
        assert gateway_without_redis.rooms.calls == []

    async def test_opens_while_postgres_is_down(
        self, gateway: Gateway, gateway_without_postgres: Gateway
    ):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        answer = await gateway_without_postgres.http.post(
            "/v1/voice/sessions",
            json={"agentId": agent["id"]},
            headers={"x-api-key": tenant.key},
        )
        assert answer.status_code == 201


class TestTalkifai:
    async def test_opens_a_session(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS, prefix="tk")
        agent = await tenant.agent(name="Support Agent")
        before_ms = time.time_ns() // 1_000_000
        answer = await open_talkifai(tenant, agent["id"])
        after_ms = time.time_ns() // 1_000_000
        assert answer.status_code == 200
        body = answer.json()
        assert body.keys() == {"room_name", "token", "livekit_url", "agent_name"}
        assert (body["livekit_url"], body["agent_name"]) == (LIVEKIT_URL, "Support Agent")
        prefix, agent_part, user_id, made_ms = body["room_name"].split("_")
        assert (prefix, agent_part) == ("agent", agent["id"][:8])
        assert before_ms <= int(made_ms) <= after_ms
        assert claims_of(body["token"]).identity == user_id
        assert user_id.startswith(tenant.key_id[:8])

    async def test_the_token_has_the_published_grants_for_an_hour(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        before_s = int(time.time())
        body = (await open_talkifai(tenant, agent["id"])).json()
        claims = claims_of(body["token"])
        assert claims.video.room == body["room_name"]
        assert claims.video.room_join is True
        assert claims.video.can_publish is True
        assert claims.video.can_subscribe is True
        assert claims.video.can_publish_data is False
        expires_s = jwt.decode(body["token"], options={"verify_signature": False})["exp"]
        assert 3_600 <= expires_s - before_s <= 3_600 + (time.time() - before_s)

    async def test_the_room_is_made_and_the_worker_called_at_once(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        body = (await open_talkifai(tenant, agent["id"])).json()
        assert gateway.rooms.calls == ["create_room"]
        assert gateway.rooms.specs[body["room_name"]].worker_name == "dialplane"

    async def test_visitors_of_one_moment_have_rooms_of_their_own(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        rooms = {(await open_talkifai(tenant, agent["id"])).json()["room_name"] for _ in range(20)}
        assert len(rooms) == 20

    @pytest.mark.parametrize("body", [{}, {"agent_id": ""}, {"agent_id": " "}, {"agent_id": None}])
    async def test_400_agent_id_is_required(self, gateway: Gateway, body: object):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        answer = await tenant.http.post("/v1/chat/voice-sessions", json=body)
        assert (answer.status_code, answer.json()) == (400, {"detail": "Agent ID is required"})

    async def test_400_an_agents_id_with_a_nul_is_no_missing_one(self, gateway: Gateway):
        tenant = await gateway.tenant()
        answer = await tenant.http.post("/v1/chat/voice-sessions", json={"agent_id": "a\0"})
        words = "agent_id may not hold a NUL character."
        assert (answer.status_code, answer.json()) == (400, {"detail": words})

    async def test_400_without_a_body(self, gateway: Gateway):
        tenant = await gateway.tenant()
        answer = await tenant.http.post("/v1/chat/voice-sessions")
        assert (answer.status_code, answer.json()) == (400, {"detail": "Agent ID is required"})

    async def test_400_text_agent(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent(voiceEnabled=False, voicePipelineMode=None)
        answer = await open_talkifai(tenant, agent["id"])
        assert (answer.status_code, answer.json()) == (
            400,
            {"detail": "Agent must be Pipeline or Realtime architecture for voice sessions"},
        )

    async def test_400_unknown_field(self, gateway: Gateway):
        tenant = await gateway.tenant()
        answer = await tenant.http.post(
            "/v1/chat/voice-sessions", json={"agent_id": NOWHERE, "agentId": NOWHERE}
        )
        assert (answer.status_code, answer.json()) == (
            400,
            {"detail": "agentId is not a known field."},
        )

    async def test_400_malformed_json(self, gateway: Gateway):
        tenant = await gateway.tenant()
        answer = await tenant.http.post("/v1/chat/voice-sessions", content=b"{")
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("The body is not valid JSON: ")

    @pytest.mark.parametrize("headers", [{}, {"x-api-key": "tk_live_wrong"}])
    async def test_401_comes_before_everything_else(
        self, gateway: Gateway, headers: dict[str, str]
    ):
        answer = await gateway.http.post("/v1/chat/voice-sessions", content=b"{", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid API key"})

    async def test_402_insufficient_credits(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=1)
        agent = await tenant.agent()
        answer = await open_talkifai(tenant, agent["id"])
        assert (answer.status_code, answer.json()) == (402, {"detail": "Insufficient credits"})
        assert gateway.rooms.calls == []

    async def test_the_agent_is_judged_before_the_credits(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=1)
        assert (await open_talkifai(tenant, NOWHERE)).status_code == 404

    @pytest.mark.parametrize("agent_id", [NOWHERE, "no-uuid", "../../x"])
    async def test_404_agent_not_found(self, gateway: Gateway, agent_id: str):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        answer = await open_talkifai(tenant, agent_id)
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "Agent not found or does not belong to your organization"},
        )

    async def test_404_the_agent_of_another_project(self, gateway: Gateway):
        owner = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await owner.agent()
        stranger = await gateway.tenant(credits_microcredits=CREDITS)
        answer = await open_talkifai(stranger, agent["id"])
        assert (answer.status_code, answer.json()) == (
            404,
            {"detail": "Agent not found or does not belong to your organization"},
        )

    async def test_500_livekit_is_down(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        gateway.rooms.unreachable = True
        answer = await open_talkifai(tenant, agent["id"])
        assert (answer.status_code, answer.json()) == (
            500,
            {"detail": "Failed to create voice session: LiveKit connection failed"},
        )

    async def test_503_redis_is_down(self, gateway: Gateway, gateway_without_redis: Gateway):
        tenant = await gateway.tenant(credits_microcredits=CREDITS)
        agent = await tenant.agent()
        answer = await gateway_without_redis.http.post(
            "/v1/chat/voice-sessions",
            json={"agent_id": agent["id"]},
            headers={"x-api-key": tenant.key},
        )
        assert (answer.status_code, answer.json()) == (
            503,
            {"detail": "A store is unavailable; nothing was changed. Try again shortly."},
        )
        assert answer.headers["retry-after"] == "2"

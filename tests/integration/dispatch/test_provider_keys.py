"""An agent whose models need a key that the project does not keep is not put on a call."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.accounts import Principal
from dispatch.calls import Admitted, RefusalReason, Refused
from dispatch.errors import AgentNotVoiceReady
from dispatch.routes import Routes
from dispatch.sealed import ProjectSecrets, SealedSecret
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.values import purpose_of, to_bytes
from dispatch.store.redis_client import RedisClient
from dispatch.voice_sessions import VoiceSessions
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import Tenant, events_of, live_calls, settings
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration

CLOUD = {"stt": {"provider": "deepgram"}, "llm": {"provider": "openai"}}
OWN_SERVER = {"provider": "openai", "model": "qwen3", "base_url": "http://127.0.0.1:8000/v1"}


@pytest.fixture
async def tenant(redis: RedisClient) -> Tenant:
    tenant = Tenant()
    await tenant.publish(redis, balance=10_000_000)
    return tenant


async def keep(redis: RedisClient, project_id: uuid.UUID, *providers: str) -> None:
    data_key, wrapped = KEYS.new_data_key(project_id)
    now = datetime.now(UTC)
    secrets = tuple(
        SealedSecret(
            provider,
            wrapped.id,
            data_key.seal(purpose_of(provider), to_bytes({"api_key": "sk-test"})),
            now,
            now,
        )
        for provider in providers
    )
    await CallSecrets(redis, KEYS).publish(project_id, ProjectSecrets(wrapped, secrets))


@pytest.mark.parametrize("held", [(), ("openai",), ("deepgram",)])
async def test_a_call_is_refused_before_the_answer_and_the_record_says_why(
    redis: RedisClient, tenant: Tenant, held: tuple[str, ...]
) -> None:
    await Routes(redis).publish_agent(tenant.agent(models=CLOUD))
    await keep(redis, tenant.project_id, *held)
    arrival = tenant.arrival()
    answer = await live_calls(redis).admit(arrival)
    assert answer == Refused(arrival.call_id, RefusalReason.PROVIDER_NOT_CONFIGURED)
    refused = (await events_of(redis, arrival.call_id))[-1]
    assert refused["reason"] == "provider_not_configured"


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"models": CLOUD}, ("deepgram", "openai")),
        ({"models": {"llm": OWN_SERVER}}, ()),
        ({"models": {"llm": {"provider": "openai", "secret": "openai-eu"}}}, ("openai-eu",)),
        ({"models": {"realtime": {}} | CLOUD, "voice_pipeline_mode": "sts"}, ("openai",)),
    ],
)
async def test_a_call_needs_the_keys_of_the_models_it_uses_and_no_others(
    redis: RedisClient, tenant: Tenant, changes: dict[str, Any], held: tuple[str, ...]
) -> None:
    await Routes(redis).publish_agent(tenant.agent(**changes))
    await keep(redis, tenant.project_id, *held)
    assert isinstance(await live_calls(redis).admit(tenant.arrival()), Admitted)


async def test_the_keys_of_another_project_are_of_no_use(
    redis: RedisClient, tenant: Tenant
) -> None:
    await Routes(redis).publish_agent(tenant.agent(models=CLOUD))
    await keep(redis, uuid.uuid4(), "deepgram", "openai")
    assert isinstance(await live_calls(redis).admit(tenant.arrival()), Refused)


async def test_a_web_session_is_not_opened_and_no_room_made(
    redis: RedisClient, tenant: Tenant
) -> None:
    await Routes(redis).publish_agent(tenant.agent(models=CLOUD))
    rooms = FakeRooms()
    owner = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")
    with pytest.raises(AgentNotVoiceReady, match="API key"):
        await VoiceSessions(redis, rooms, settings()).open(owner, tenant.agent_id, "web_1", "user")
    assert rooms.calls == []

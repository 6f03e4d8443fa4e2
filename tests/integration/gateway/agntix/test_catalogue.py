"""Agntix's lists of voices, models and providers."""

import uuid

import pytest

from dispatch.accounts import SYSTEM
from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration


async def test_lists_voices(gateway: Gateway):
    tenant = await gateway.tenant()
    voices = (await tenant.http.get("/v1/voice/voices")).json()["data"]
    assert {voice["provider"] for voice in voices} == {"builtin", "deepgram", "openai"}
    shape = {"id", "name", "provider", "language", "gender", "previewUrl"}
    assert all(voice.keys() == shape for voice in voices)


async def test_filters_voices_by_provider_and_language(gateway: Gateway):
    tenant = await gateway.tenant()
    query = {"provider": "deepgram", "language": "en"}
    voices = (await tenant.http.get("/v1/voice/voices", params=query)).json()["data"]
    assert voices
    assert all(voice["provider"] == "deepgram" for voice in voices)
    assert all(voice["language"].startswith("en") for voice in voices)


async def test_lists_models_that_hear_and_speak_and_no_others(gateway: Gateway):
    tenant = await gateway.tenant()
    models = (await tenant.http.get("/v1/voice/models")).json()["data"]
    assert {model["type"] for model in models} == {"STT", "TTS", "STS"}
    ids = [uuid.UUID(model["id"]) for model in models]
    assert len(set(ids)) == len(ids)


async def test_filters_models_by_type(gateway: Gateway):
    tenant = await gateway.tenant()
    models = (await tenant.http.get("/v1/voice/models", params={"type": "STS"})).json()["data"]
    assert {model["type"] for model in models} == {"STS"}


async def test_refuses_a_type_there_is_not(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/v1/voice/models", params={"type": "LLM"})
    status, code, message = error_of(answer)
    assert (status, code) == (400, "VALIDATION_ERROR")
    assert message.startswith("type: ")


async def test_a_provider_is_active_once_the_project_has_its_key(gateway: Gateway):
    tenant = await gateway.tenant()
    project_id = uuid.UUID(tenant.project_id)
    await gateway.services.secrets.put(SYSTEM, project_id, "deepgram", {"api_key": "dg-1234"})
    providers = (await tenant.http.get("/v1/voice/providers")).json()["data"]
    assert {each["slug"]: each["isActive"] for each in providers} == {
        "builtin": True,
        "deepgram": True,
        "openai": False,
    }

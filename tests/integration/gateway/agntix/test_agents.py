"""Agntix's agents: their fields onto the core's and back, lists, and what is refused."""

from typing import Any

import pytest

from dispatch.models.catalogue import ModelKind
from tests.integration.gateway.agntix.agents import (
    AGENTS,
    BODY,
    NOWHERE,
    keep_key,
    made,
    model_id,
    native,
    patched,
)
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant()


class TestCreating:
    async def test_an_agent_of_the_required_fields_writes_and_does_not_speak(self, tenant: Tenant):
        agent = await made(tenant)
        assert agent["voiceEnabled"] is False
        assert agent["voicePipelineMode"] is None
        assert agent["isActive"] is True
        assert agent["tools"] == agent["subAgents"] == []
        assert agent["orgId"] == tenant.organization_id
        assert agent == (await tenant.http.get(f"{AGENTS}/{agent['id']}")).json()

    async def test_what_the_core_knows_becomes_the_cores(self, tenant: Tenant):
        agent = await made(
            tenant,
            language="en-GB",
            systemPrompt="Answer briefly.",
            specialInstructions="Never sing.",
            voiceEnabled=True,
            voicePipelineMode="pipeline",
            welcomeAllowInterruptions=False,
            voiceParams={
                "welcomeText": "Good morning.",
                "maxDurationInSeconds": 600,
                "idleTimeoutInSeconds": 30,
                "allowInterruptions": False,
                "interruptSpeechDuration": 0.5,
                "interruptMinWords": 2,
                "minEndpointingDelay": 3,
            },
        )
        core = await native(tenant, agent)
        assert (core["name"], core["description"], core["role"]) == tuple(BODY.values())
        assert core["language"] == "en-GB"
        assert core["systemPrompt"] == "Answer briefly."
        assert core["specialInstructions"] == "Never sing."
        assert core["voicePipelineMode"] == "pipeline"
        assert (core["greeting"], core["greetingMode"]) == ("Good morning.", "say")
        assert (core["maxDurationS"], core["silenceTimeoutS"]) == (600, 30)
        assert core["turnTaking"] == {
            "bargeIn": False,
            "bargeInGreeting": False,
            "bargeInMinSpeechS": 0.5,
            "bargeInMinWords": 2,
            "endpointingMinDelayS": 3,
            "endpointingMaxDelayS": 3,
        }
        assert core["extensions"] == {}

    async def test_what_the_core_does_not_know_is_kept_word_for_word(self, tenant: Tenant):
        kept = {
            "isPublic": True,
            "subAgents": [{"agentId": NOWHERE}],
            "intelligence": {"sentimentAnalysis": True, "customIntents": ["refund"]},
            "welcomePipeline": "tts",
        }
        voice_params = {
            "endOfTurnDetection": "smart_turn",
            "vadConfigs": {"activationThreshold": 0.6, "sampleRate": 16000},
            "functionToolsConfig": {"endCallConfig": {"enabled": True, "customMessage": "Bye."}},
        }
        agent = await made(tenant, **kept, voiceParams=voice_params)
        assert {name: agent[name] for name in kept} == kept
        assert agent["voiceParams"].items() >= voice_params.items()
        extension = (await native(tenant, agent))["extensions"]["agntix"]
        assert extension == {**kept, "voiceParams": voice_params}

    async def test_a_webhooks_secret_is_not_kept(self, tenant: Tenant):
        webhook = {"url": "https://example.com/hook", "events": ["call.ended"]}
        agent = await made(tenant, webhook={**webhook, "secret": "whsec_1"})
        assert agent["webhook"] == webhook
        assert "whsec_1" not in str(await native(tenant, agent))

    async def test_models_are_chosen_by_their_ids(self, tenant: Tenant):
        agent = await made(
            tenant,
            modelId=model_id(ModelKind.LLM, "openai"),
            sttModelId=model_id(ModelKind.STT, "deepgram"),
            ttsModelId=model_id(ModelKind.TTS, "deepgram"),
            sttModelParams={"punctuate": False, "keyTerms": ["croissant"], "interimResults": True},
            ttsModelParams={"voice": "aura-2-thalia-en", "speed": 1.2, "emotion": "calm"},
            voiceEnabled=True,
            voicePipelineMode="pipeline",
        )
        models = (await native(tenant, agent))["models"]
        assert models["stt"]["params"] == {"punctuate": False, "keyterm": ["croissant"]}
        assert (models["tts"]["voice"], models["tts"]["params"]) == (
            "aura-2-thalia-en",
            {"speed": 1.2},
        )
        assert agent["modelId"] == model_id(ModelKind.LLM, "openai")
        assert agent["sttModelParams"] == {
            "punctuate": False,
            "keyTerms": ["croissant"],
            "interimResults": True,
        }
        assert agent["ttsModelParams"] == {
            "voice": "aura-2-thalia-en",
            "speed": 1.2,
            "emotion": "calm",
        }

    async def test_models_that_are_not_named_are_those_the_project_has_keys_for(
        self, gateway: Gateway, tenant: Tenant
    ):
        await keep_key(gateway, tenant, "openai")
        agent = await made(tenant, voiceEnabled=True, voicePipelineMode="sts")
        models = (await native(tenant, agent))["models"]
        assert {models[kind]["provider"] for kind in ("stt", "llm", "tts", "realtime")} == {
            "openai"
        }
        assert agent["stsModelId"] == model_id(ModelKind.STS, "openai")

    async def test_the_same_idempotency_key_creates_one_agent(self, tenant: Tenant):
        headers = {"Idempotency-Key": "agent-1"}
        first = await tenant.http.post(AGENTS, json=BODY, headers=headers)
        second = await tenant.http.post(AGENTS, json=BODY, headers=headers)
        assert first.json()["id"] == second.json()["id"]

    async def test_the_agent_to_be_called_by_a_browser_must_be_for_voice(self, gateway: Gateway):
        tenant = await gateway.tenant(credits_microcredits=100_000_000)
        agent = await made(tenant)
        answer = await tenant.http.post("/v1/voice/sessions", json={"agentId": agent["id"]})
        status, code, message = error_of(answer)
        assert (status, code) == (400, "VALIDATION_ERROR")
        assert message == "The agent is inactive or not enabled for voice."
        await patched(tenant, agent, voiceEnabled=True, voicePipelineMode="pipeline")
        answer = await tenant.http.post("/v1/voice/sessions", json={"agentId": agent["id"]})
        assert answer.status_code == 201
        assert answer.json()["id"].startswith("vs_")


class TestTheFirstVersion:
    async def test_a_name_and_a_models_name_are_enough(self, tenant: Tenant):
        answer = await tenant.http.post(
            "/v1/chat/agents",
            json={
                "name": "Order Status Bot",
                "modelId": "gpt-4o-mini",
                "systemPrompt": "You help customers track their orders.",
                "config": {"temperature": 0.3, "maxOutputTokens": 200},
            },
        )
        assert answer.status_code == 201, answer.text
        agent = answer.json()
        assert agent["fullName"] == "Order Status Bot"
        assert agent["model"] == {
            "id": model_id(ModelKind.LLM, "openai", "gpt-4o-mini"),
            "name": "gpt-4o-mini",
            "provider": "openai",
        }
        params = (await native(tenant, agent))["models"]["llm"]["params"]
        assert params == {"temperature": 0.3, "max_completion_tokens": 200}

    async def test_its_config_says_which_tools_and_knowledge(self, tenant: Tenant):
        tool = {
            "name": "order_status",
            "http": {"url": "https://crm.example.com/orders"},
        }
        tool_id = (await tenant.http.post("/v1/tools", json=tool)).json()["id"]
        base = {"name": "Help Center"}
        base_id = (await tenant.http.post("/v1/knowledge-bases", json=base)).json()["id"]
        agent = await made(tenant)
        path = f"/v1/chat/agents/{agent['id']}"
        config: dict[str, Any] = {"toolsEnabled": True, "toolIds": [tool_id]}
        config |= {"ragEnabled": True, "knowledgeStoreId": base_id}
        changed = (await tenant.http.patch(path, json={"config": config})).json()
        assert changed["agentTools"] == [
            {"tool": {"id": tool_id, "name": "order_status", "description": ""}}
        ]
        assert changed["agentKnowledgeStore"] == {"knowledgeStoreId": base_id}
        off = {"toolsEnabled": False, "ragEnabled": False}
        changed = (await tenant.http.patch(path, json={"config": off})).json()
        assert changed["agentTools"] == []
        assert changed["agentKnowledgeStore"] is None

    async def test_it_reads_and_deletes_the_same_agents(self, tenant: Tenant):
        agent = await made(tenant)
        path = f"/v1/chat/agents/{agent['id']}"
        assert (await tenant.http.get(path)).json() == agent
        assert (await tenant.http.delete(path)).status_code == 204
        assert (await tenant.http.get(f"{AGENTS}/{agent['id']}")).status_code == 404


class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "field", "message"),
        [
            ({"fullName": None}, "fullName", "fullName: Input should be a valid string."),
            (
                {"voiceEnabled": True},
                "voicePipelineMode",
                "voicePipelineMode is needed when voiceEnabled is true.",
            ),
            (
                {"voiceEnabled": True, "voicePipelineMode": "sts"},
                "stsModelId",
                "stsModelId is needed in the modes sts and hybrid.",
            ),
            (
                {"modelId": NOWHERE},
                "modelId",
                "modelId: no LLM model has this id or name; see GET /v1/chat/models.",
            ),
            (
                {"sttModelId": "gpt-4o-mini"},
                "sttModelId",
                "sttModelId: no STT model has this id or name; see GET /v1/voice/models.",
            ),
            (
                {"tools": [{"toolId": NOWHERE}]},
                "tools",
                f"tools: The project has no tool {NOWHERE}.",
            ),
            (
                {"knowledgeStoreId": NOWHERE},
                "knowledgeStoreId",
                f"knowledgeStoreId: The project has no knowledge base {NOWHERE}.",
            ),
            (
                {"voiceParams": {"maxDurationInSeconds": 5}},
                "voiceParams.maxDurationInSeconds",
                "voiceParams.maxDurationInSeconds: Input should be greater than or equal to 10.",
            ),
            (
                {"voiceParams": {"welcomeMode": "aiInitiatesDynamic"}},
                "voiceParams.welcomePrompt",
                "voiceParams.welcomePrompt is needed when welcomeMode is aiInitiatesDynamic.",
            ),
            ({"welcomeTxt": "Hi"}, "welcomeTxt", "welcomeTxt is not a known field."),
            (
                {"subAgents": ["x" * 17_000]},
                "",
                "extensions may take 16384 bytes of JSON at most.",
            ),
        ],
    )
    async def test_the_field_is_named_as_the_client_knows_it(
        self, tenant: Tenant, fields: dict[str, Any], field: str, message: str
    ):
        answer = await tenant.http.post(AGENTS, json={**BODY, **fields})
        assert error_of(answer) == (400, "VALIDATION_ERROR", message)
        assert answer.json()["error"]["details"] == [{"field": field, "message": message}]

    @pytest.mark.parametrize("field", ["fullName", "description", "role"])
    async def test_an_agent_needs_a_name_a_description_and_a_role(self, tenant: Tenant, field: str):
        body = {name: value for name, value in BODY.items() if name != field}
        answer = await tenant.http.post(AGENTS, json=body)
        assert error_of(answer) == (400, "VALIDATION_ERROR", f"{field} is required.")

    async def test_a_voice_that_the_model_does_not_have_is_named(self, tenant: Tenant):
        answer = await tenant.http.post(
            AGENTS,
            json={
                **BODY,
                "ttsModelId": model_id(ModelKind.TTS, "openai"),
                "ttsModelParams": {"voice": "rachel"},
            },
        )
        status, _, message = error_of(answer)
        assert status == 400
        assert message.startswith("ttsModelParams.voice: ")
        assert "'rachel'" in message

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    async def test_an_agent_of_another_project_is_not_there(
        self, gateway: Gateway, tenant: Tenant, method: str
    ):
        agent = await made(await gateway.tenant())
        body = {"json": {"role": "Mine"}} if method == "PATCH" else {}
        answer = await tenant.http.request(method, f"{AGENTS}/{agent['id']}", **body)
        assert error_of(answer) == (404, "NOT_FOUND", "Agent not found.")

    async def test_without_a_key_nothing_is_told(self, gateway: Gateway):
        answer = await gateway.http.get(AGENTS)
        assert error_of(answer) == (401, "UNAUTHORIZED", "Authentication required.")


class TestChanging:
    async def test_a_patch_leaves_alone_what_it_does_not_name(self, tenant: Tenant):
        agent = await made(
            tenant,
            subAgents=[NOWHERE],
            voiceParams={"welcomeText": "Hi.", "maxActiveSessions": 3, "idleTimeoutInSeconds": 20},
        )
        changed = await patched(tenant, agent, voiceParams={"idleTimeoutInSeconds": 40})
        assert changed["voiceParams"] == agent["voiceParams"] | {"idleTimeoutInSeconds": 40}
        assert changed["subAgents"] == [NOWHERE]
        assert changed["version"] == agent["version"] + 1

    async def test_a_patch_of_nothing_makes_no_version(self, tenant: Tenant):
        agent = await made(tenant, voiceParams={"welcomeText": "Hi."})
        assert await patched(tenant, agent) == agent

    async def test_an_empty_list_of_sub_agents_clears_it(self, tenant: Tenant):
        agent = await made(tenant, subAgents=[NOWHERE])
        assert (await patched(tenant, agent, subAgents=[]))["subAgents"] == []

    async def test_the_welcome_text_comes_back_with_its_mode(self, tenant: Tenant):
        agent = await made(tenant, voiceParams={"welcomeText": "Hi."})
        params = {"welcomeMode": "aiInitiatesDynamic", "welcomePrompt": "Greet by name."}
        dynamic = await patched(tenant, agent, voiceParams=params)
        assert dynamic["voiceParams"].items() >= {"welcomeText": "Hi.", **params}.items()
        core = await native(tenant, agent)
        assert (core["greetingMode"], core["greeting"]) == ("generate", "Greet by name.")
        await patched(tenant, agent, voiceParams={"welcomeMode": "aiInitiatesStatic"})
        core = await native(tenant, agent)
        assert (core["greetingMode"], core["greeting"]) == ("say", "Hi.")

    async def test_another_vendors_model_takes_its_own_voice(self, tenant: Tenant):
        agent = await made(
            tenant,
            ttsModelId=model_id(ModelKind.TTS, "deepgram"),
            ttsModelParams={"voice": "aura-2-thalia-en", "speed": 1.1},
        )
        changed = await patched(tenant, agent, ttsModelId=model_id(ModelKind.TTS, "openai"))
        assert changed["ttsModelParams"]["voice"] != "aura-2-thalia-en"
        assert changed["ttsModelParams"]["speed"] == 1.1

    async def test_a_voice_may_be_named_by_itself(self, tenant: Tenant):
        agent = await made(
            tenant,
            ttsModelId="aura-2",
            ttsVoiceId="aura-2-thalia-en",
            ttsModelParams={"speed": 1.1},
        )
        assert agent["ttsModelParams"] == {"voice": "aura-2-thalia-en", "speed": 1.1}
        changed = await patched(tenant, agent, ttsVoiceId="aura-2-apollo-en")
        assert changed["ttsVoiceId"] == "aura-2-apollo-en"
        assert changed["ttsModelParams"] == {"voice": "aura-2-apollo-en", "speed": 1.1}

    async def test_null_takes_the_speech_to_speech_model_away(self, tenant: Tenant):
        agent = await made(tenant, stsModelId=model_id(ModelKind.STS, "openai"))
        assert agent["stsModelId"]
        assert (await patched(tenant, agent, stsModelId=None))["stsModelId"] is None

    async def test_deleting_detaches_its_numbers(self, tenant: Tenant):
        agent = await made(tenant, voiceEnabled=True, voicePipelineMode="pipeline")
        await tenant.connection()
        number = await tenant.number(agentId=agent["id"])
        answer = await tenant.http.delete(f"{AGENTS}/{agent['id']}")
        assert (answer.status_code, answer.content) == (204, b"")
        found = await tenant.http.get(f"/v1/chat/phone-numbers/{number['id']}")
        assert found.json()["inBoundAgentId"] is None

    async def test_a_clone_is_the_same_agent_under_another_name(self, tenant: Tenant):
        agent = await made(tenant, subAgents=[NOWHERE], voiceParams={"welcomeText": "Hi."})
        answer = await tenant.http.post(f"/v1/chat/agents/{agent['id']}/clone")
        assert answer.status_code == 201
        own = {"id", "fullName", "createdAt", "updatedAt"}
        clone = answer.json()
        assert clone["fullName"] == "Copy of Reception"
        assert {name: clone[name] for name in clone if name not in own} == {
            name: agent[name] for name in agent if name not in own
        }

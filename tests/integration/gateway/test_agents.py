"""Agents over HTTP."""

import uuid

import pytest

from dispatch.models.choices import TtsChoice
from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration


async def test_creates_an_agent_with_defaults(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/agents", json={"name": "Reception"})
    assert answer.status_code == 201
    made = answer.json()
    assert made.keys() == {
        "id",
        "configId",
        "version",
        "createdAt",
        "updatedAt",
        "name",
        "description",
        "isActive",
        "voiceEnabled",
        "voicePipelineMode",
        "language",
        "role",
        "systemPrompt",
        "specialInstructions",
        "greeting",
        "greetingMode",
        "goodbye",
        "models",
        "script",
        "toolIds",
        "knowledgeBaseIds",
        "handoffAgentIds",
        "variables",
        "extensions",
        "toolsAllowed",
        "transfer",
        "holdMusic",
        "turnTaking",
        "maxDurationS",
        "silenceTimeoutS",
    }
    assert (made["configId"], made["version"]) == (1, 1)
    assert made["models"]["tts"]["voice"] == TtsChoice.model_validate({}).voice
    assert made["models"]["stt"]["baseUrl"] is None
    assert made["turnTaking"]["bargeIn"] is True
    assert made["script"]["errorReply"]


async def test_what_is_answered_can_be_sent_again(gateway: Gateway):
    tenant = await gateway.tenant()
    script = {
        "steps": [{"phrases": ["hello"], "keys": ["1"], "reply": "Hi.", "goto": "more"}],
        "menus": {"more": {"steps": [{"keys": ["2"], "action": {"end_call": {}}}]}},
    }
    made = await tenant.agent(script=script, models={"tts": {"params": {"words_per_minute": 120}}})
    server_side = {"id", "configId", "version", "createdAt", "updatedAt"}
    fields = {name: value for name, value in made.items() if name not in server_side}
    again = await tenant.agent(**fields)
    assert {name: again[name] for name in fields} == fields


async def test_gets_and_lists_agents(gateway: Gateway):
    tenant = await gateway.tenant()
    first, second = await tenant.agent(name="A"), await tenant.agent(name="B")
    assert (await tenant.http.get(f"/v1/agents/{first['id']}")).json() == first
    listed = (await tenant.http.get("/v1/agents")).json()
    assert listed["data"] == [second, first]
    assert listed["pagination"] == {"page": 1, "limit": 20, "total": 2, "totalPages": 1}


async def test_patches_only_what_is_sent(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.agent(greeting="Hello.", maxDurationS=60)
    answer = await tenant.http.patch(f"/v1/agents/{made['id']}", json={"greeting": "Good morning."})
    assert answer.status_code == 200
    changed = answer.json()
    assert (changed["greeting"], changed["maxDurationS"]) == ("Good morning.", 60)
    assert changed["version"] == 2


async def test_shows_what_an_agent_was_and_who_changed_it(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.agent(greeting="Hello.")
    changed = (
        await tenant.http.patch(f"/v1/agents/{made['id']}", json={"greeting": "Good morning."})
    ).json()
    listed = (await tenant.http.get(f"/v1/agents/{made['id']}/versions")).json()
    assert [version.pop("changedBy")["kind"] for version in listed["data"]] == ["key", "key"]
    assert listed["data"] == [changed, made]
    first = (await tenant.http.get(f"/v1/agents/{made['id']}/versions/1")).json()
    assert (first["version"], first["greeting"]) == (1, "Hello.")
    gone = await tenant.http.get(f"/v1/agents/{made['id']}/versions/3")
    assert error_of(gone) == (404, "NOT_FOUND", "Version not found.")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": None}, "name"),
        ({"max_duration_s": 60}, "max_duration_s"),
        ({"maxDurationS": 5}, "maxDurationS"),
        ({"script": {"steps": [{"keys": ["1"], "reply": 5}]}}, "script.steps.0.reply"),
        ({"voicePipelineMode": None}, "voicePipelineMode"),
        ({"id": str(uuid.uuid4())}, "id"),
        (
            {"transfer": {"targets": ["+12015550177", "sip:desk@pbx..example"]}},
            "transfer.targets.1",
        ),
        ({"transfer": {"allow": ["sip:*@pbx.example:70000"]}}, "transfer.allow.0"),
        ({"transfer": {"fromNumber": "+12015550188"}}, "transfer.fromNumber"),
    ],
)
async def test_refuses_a_bad_patch_and_changes_nothing(gateway: Gateway, body: object, field: str):
    tenant = await gateway.tenant()
    made = await tenant.agent()
    answer = await tenant.http.patch(f"/v1/agents/{made['id']}", json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field
    assert (await tenant.http.get(f"/v1/agents/{made['id']}")).json() == made


async def test_says_what_a_sip_address_looks_like(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post(
        "/v1/agents", json={"name": "Desk", "transfer": {"targets": ["sip:desk@pbx..example"]}}
    )
    [detail] = answer.json()["error"]["details"]
    assert detail["message"] == (
        "transfer.targets.0: The target is not a SIP address such as sip:desk@pbx.example.com:5060."
    )


async def test_speaks_of_broken_rules_in_camel_case(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.agent()
    answer = await tenant.http.patch(f"/v1/agents/{made['id']}", json={"voicePipelineMode": None})
    assert error_of(answer)[2] == "voicePipelineMode is needed when voiceEnabled is true."


async def test_deletes_an_agent(gateway: Gateway):
    tenant = await gateway.tenant()
    made = await tenant.agent()
    answer = await tenant.http.delete(f"/v1/agents/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    gone = await tenant.http.get(f"/v1/agents/{made['id']}")
    assert error_of(gone) == (404, "NOT_FOUND", "Agent not found.")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_the_agent_of_another_project_is_not_found(gateway: Gateway, method: str):
    owner = await gateway.tenant()
    made = await owner.agent()
    neighbour = await gateway.tenant(organization_id=owner.organization_id)
    body = {"name": "Mine"} if method == "PATCH" else None
    answer = await neighbour.http.request(method, f"/v1/agents/{made['id']}", json=body)
    assert error_of(answer) == (404, "NOT_FOUND", "Agent not found.")
    assert (await owner.http.get(f"/v1/agents/{made['id']}")).json() == made
    assert (await neighbour.http.get("/v1/agents")).json()["data"] == []


@pytest.mark.parametrize("given", ["1", "not-a-uuid", "5b710eca-4a0e-4b52-9c53"])
async def test_an_id_that_cannot_be_is_not_found(gateway: Gateway, given: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/v1/agents/{given}")
    assert error_of(answer) == (404, "NOT_FOUND", "Agent not found.")


async def test_an_agent_is_kept_while_redis_is_down(
    gateway: Gateway, gateway_without_redis: Gateway
):
    tenant = await gateway.tenant()
    headers = {"x-api-key": tenant.key}
    answer = await gateway_without_redis.http.post(
        "/v1/agents", json={"name": "Kept"}, headers=headers
    )
    assert answer.status_code == 201
    assert (await tenant.http.get("/v1/agents")).json()["data"] == [answer.json()]


async def test_who_may_not_handle_secrets_sends_no_key_to_a_server_of_their_own(gateway: Gateway):
    tenant = await gateway.tenant()
    header = await tenant.key_with(gateway.admin, "agents:read", "agents:write")
    elsewhere = {"provider": "openai", "model": "m", "baseUrl": "https://evil.example/v1"}
    models = {"llm": elsewhere}
    refusal = (
        403,
        "FORBIDDEN",
        "A model at a base URL is sent the project's key, so it needs the scope secrets:write.",
    )
    body = {"name": "Leak", "voiceEnabled": False, "models": models}
    refused = await tenant.http.post("/v1/agents", json=body, headers=header)
    assert error_of(refused) == refusal
    agent = await tenant.agent(voiceEnabled=False)
    at = f"/v1/agents/{agent['id']}"
    refused = await tenant.http.patch(at, json={"models": models}, headers=header)
    assert error_of(refused) == refusal
    # What somebody set who may stays, and is copied; the key goes nowhere else.
    assert (await tenant.http.patch(at, json={"models": models})).status_code == 200
    renamed = await tenant.http.patch(at, json={"name": "Renamed"}, headers=header)
    assert renamed.status_code == 200
    copied = await tenant.http.post(f"/v1/chat/agents/{agent['id']}/clone", headers=header)
    assert copied.status_code == 201
    other = {"llm": elsewhere | {"secret": "another"}}
    refused = await tenant.http.patch(at, json={"models": other}, headers=header)
    assert error_of(refused) == refusal


async def test_a_script_cannot_say_the_keys_of_a_sensitive_entry(gateway: Gateway):
    tenant = await gateway.tenant()
    step = {"keys": ["1"], "action": {"gather_keys": {"sensitive": True}}, "then": "{result.keys}!"}
    answer = await tenant.http.post(
        "/v1/agents", json={"name": "Cashier", "script": {"steps": [step]}}
    )
    [detail] = answer.json()["error"]["details"]
    assert (answer.status_code, detail["field"]) == (400, "script.steps.0.then")
    assert detail["message"].startswith("steps.0.then says the keys of a sensitive entry")


async def test_a_script_cannot_use_a_tool_the_agent_is_not_allowed(gateway: Gateway):
    tenant = await gateway.tenant()
    step = {"keys": ["1"], "action": {"press_keys": {"keys": "1"}}}
    body = {"name": "Walker", "script": {"steps": [step]}}
    refused = await tenant.http.post("/v1/agents", json=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["details"] == [
        {
            "field": "toolsAllowed",
            "message": "The script uses press_keys, which is not allowed here.",
        }
    ]
    allowed = await tenant.http.post("/v1/agents", json=body | {"toolsAllowed": ["press_keys"]})
    assert allowed.status_code == 201

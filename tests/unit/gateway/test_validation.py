"""Wrong requests are told in the client's own spelling."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.faces.agntix.schemas.phone_numbers import PhoneNumberBody
from gateway.faces.agntix.schemas.voice_sessions import VoiceSessionBody
from gateway.faces.native.schemas.agents import AgentBody, AgentPatch
from gateway.validation import FieldError, field_errors_of, missing_thing_of, of_invalid_field

pytestmark = pytest.mark.unit


def errors_of(model: type, body: Any) -> list[FieldError]:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(model).validate_python(body)
    located = [{**error, "loc": ("body", *error["loc"])} for error in caught.value.errors()]
    return list(field_errors_of(located))


def test_names_a_missing_field_in_camel_case():
    assert errors_of(VoiceSessionBody, {}) == [FieldError("agentId", "agentId is required.")]


def test_names_an_unknown_field_as_the_client_spelled_it():
    body = {"agentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11", "Agent_ID": 1}
    assert errors_of(VoiceSessionBody, body) == [
        FieldError("Agent_ID", "Agent_ID is not a known field.")
    ]


def test_refuses_snake_case_on_the_native_face():
    names = [error.field for error in errors_of(VoiceSessionBody, {"agent_id": "x"})]
    assert names == ["agentId", "agent_id"]


def test_says_that_an_id_must_be_a_uuid():
    assert errors_of(VoiceSessionBody, {"agentId": "42"}) == [
        FieldError("agentId", "agentId must be a UUID.")
    ]


def test_says_what_is_wrong_with_a_phone_number():
    [error] = errors_of(PhoneNumberBody, {"provider": "twilio", "number": "2015550100"})
    assert error == FieldError(
        "number", "number: A phone number must start with + and its country code."
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "A", "maxDurationS": 1}, "maxDurationS"),
        ({"name": "A", "models": {"stt": {"baseUrl": "x"}}}, "models.stt.baseUrl"),
        ({"name": "A", "turnTaking": {"bargeInMinSpeechS": 99}}, "turnTaking.bargeInMinSpeechS"),
        ({"name": "A", "turnTaking": {"barge_in": True}}, "turnTaking.barge_in"),
        ({"name": "A", "script": {"steps": [{"keys": ["1"], "reply": 5}]}}, "script.steps.0.reply"),
        ({"name": "A", "script": {"errorReply": 5}}, "script.errorReply"),
        (
            {"name": "A", "script": {"steps": [{"keys": ["1"], "goto": "nowhere"}]}},
            "script.steps.0.goto",
        ),
        ({"name": "A", "voicePipelineMode": None}, "voicePipelineMode"),
    ],
)
def test_names_a_wrong_field_of_an_agent_by_its_dotted_path(body: dict[str, Any], field: str):
    [error] = errors_of(AgentBody, body)
    assert error.field == field


def test_a_patch_holds_only_what_was_sent():
    patch = AgentPatch.model_validate({"greeting": "Hi.", "turnTaking": {"bargeIn": False}})
    assert patch.changes().keys() == {"greeting", "turn_taking"}


def test_a_patch_may_take_the_voice_away_in_one_field():
    patch = AgentPatch.model_validate({"voicePipelineMode": None})
    assert patch.changes() == {"voice_pipeline_mode": None}


def test_an_agent_becomes_a_draft_with_all_its_parts():
    body = {
        "name": " A ",
        "isActive": False,
        "models": {"stt": {"provider": "openai", "baseUrl": "http://127.0.0.1/v1"}},
        "script": {"steps": [{"phrases": ["hello"], "reply": "Hi."}], "errorReply": "No."},
        "turnTaking": {"endpointingMaxDelayS": 1.5},
    }
    draft = AgentBody.model_validate(body).to_draft()
    assert (draft.name, draft.is_active) == ("A", False)
    assert draft.models.stt.base_url == "http://127.0.0.1/v1"
    assert draft.script.error_reply == "No."
    assert draft.turn_taking.endpointing_max_delay_s == 1.5


def test_spells_the_errors_of_dispatch_in_camel_case():
    error = of_invalid_field("turn_taking.barge_in", "barge_in is odd")
    assert error.field == "turnTaking.bargeIn"
    error = of_invalid_field("models.llm.params.top_p", "wrong")
    assert error.field == "models.llm.params.top_p"


def test_tells_a_broken_rule_of_the_whole_agent_in_camel_case():
    message = "voice_pipeline_mode is needed when voice_enabled is true"
    assert of_invalid_field("voice_pipeline_mode", message) == FieldError(
        "voicePipelineMode", "voicePipelineMode is needed when voiceEnabled is true."
    )


def test_tells_a_rule_of_an_agents_models_in_a_sentence_that_names_the_field():
    error = of_invalid_field("models.llm.params.top_p", "Input should be less than or equal to 1")
    assert error.message == "models.llm.params.top_p: Input should be less than or equal to 1."


def test_leaves_the_words_of_other_rules_alone_for_some_are_published():
    message = "Message too long (max 10000 characters)"
    assert of_invalid_field("message", message) == FieldError("message", message)


def test_an_impossible_id_in_a_path_names_a_thing_that_is_not_there():
    assert missing_thing_of([{"loc": ("path", "phone_number_id")}]) == "phone number"
    assert missing_thing_of([{"loc": ("query", "page")}]) is None


def test_a_body_that_is_no_object_is_told_so():
    [error] = field_errors_of(
        [{"loc": ("body",), "type": "model_attributes_type", "msg": "Input should be …"}]
    )
    assert error == FieldError("", "The body must be a JSON object, sent as application/json.")

"""What a field of an agent takes, as JSON spells it."""

from typing import Any

import pytest
from pydantic import ValidationError

from gateway.faces.native.schemas.agents import AgentBody, AgentPatch
from gateway.validation import field_errors_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("body", [AgentBody, AgentPatch])
@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("maxDurationS", {"maxDurationS": "600"}),
        ("silenceTimeoutS", {"silenceTimeoutS": 60.5}),
        ("isActive", {"isActive": "yes"}),
        ("voiceEnabled", {"voiceEnabled": 1}),
        ("greeting", {"greeting": 5}),
        ("turnTaking.bargeIn", {"turnTaking": {"bargeIn": 1}}),
        ("turnTaking.endpointingMinDelayS", {"turnTaking": {"endpointingMinDelayS": "0.3"}}),
    ],
)
def test_a_value_of_another_type_is_named_and_not_converted(
    body: type[AgentBody], field: str, fields: dict[str, Any]
):
    with pytest.raises(ValidationError) as refused:
        body.model_validate({"name": "Reception"} | fields)
    assert [error.field for error in field_errors_of(with_place(refused.value))] == [field]


def test_a_whole_number_of_seconds_is_a_number_of_seconds():
    body = AgentBody.model_validate({"name": "A", "turnTaking": {"endpointingMinDelayS": 1}})
    assert body.turn_taking.endpointing_min_delay_s == 1


def with_place(error: ValidationError) -> list[dict[str, Any]]:
    """The errors as FastAPI reports them for a body."""
    return [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]

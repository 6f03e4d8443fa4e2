"""What an agent's profile may say about transfers and hold music."""

from typing import Any

import pytest
from pydantic import ValidationError

from dispatch.agent_profile import AgentDraft
from dispatch.transfer_policy import TransferMode, TransferPolicy

pytestmark = pytest.mark.unit


def test_an_agent_that_says_nothing_passes_no_call_to_anybody() -> None:
    agent = AgentDraft(name="Reception")

    assert agent.transfer.patterns == ()
    assert agent.hold_music == "builtin"


def test_targets_are_kept_in_order_and_in_one_spelling() -> None:
    policy = TransferPolicy(targets=("tel:+1 201 555 0155", "sip:desk@pbx.example"))

    assert policy.targets == ("+12015550155", "sip:desk@pbx.example")
    assert policy.mode is TransferMode.WARM


@pytest.mark.parametrize(
    "wrong",
    [
        {"targets": ["desk"]},
        {"targets": ["12015550155"]},
        {"targets": ["sip:desk"]},
        {"targets": ["+12015550155"] * 11},
        {"allow": ["*"]},
        {"allow": ["sip:*"]},
        {"mode": "lukewarm"},
        {"ring_timeout_s": 4},
        {"ring_timeout_s": 76},
        {"ring_timeout_s": "25"},
        {"accept_timeout_s": 61},
        {"carrier_transfers": "yes"},
        {"targets": ["+12015550155"], "everybody": True},
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TransferPolicy.model_validate(wrong)


@pytest.mark.parametrize("name", ["../secret.wav", "music.mp3", ".wav", "a/b.wav", ""])
def test_hold_music_is_the_name_of_a_file_and_no_way_to_another(name: str) -> None:
    with pytest.raises(ValidationError):
        AgentDraft(name="Reception", hold_music=name)


def test_a_refused_target_is_named_with_its_reason() -> None:
    with pytest.raises(ValidationError, match="country code"):
        TransferPolicy(targets=("12015550155",))


def test_the_mode_of_a_transfer_is_warm_unless_the_agent_says_otherwise() -> None:
    assert TransferPolicy().mode is TransferMode.WARM
    assert TransferPolicy().patterns == ()

"""Turn taking in the framework's words."""

import pytest

from dispatch.agent_profile import TurnTaking
from worker.turn_taking import turn_handling

pytestmark = pytest.mark.unit


def test_translates_every_preset():
    options = turn_handling(
        TurnTaking(
            barge_in_min_speech_s=0.6, endpointing_min_delay_s=0.2, endpointing_max_delay_s=1.5
        ),
        "vad",
    )

    assert options["turn_detection"] == "vad"
    assert options["interruption"]["enabled"]
    assert options["interruption"]["min_duration"] == 0.6
    assert (options["endpointing"]["min_delay"], options["endpointing"]["max_delay"]) == (0.2, 1.5)


def test_never_judges_interruptions_in_a_cloud():
    assert turn_handling(TurnTaking(), "vad")["interruption"]["mode"] == "vad"


def test_an_agent_without_barge_in_cannot_be_interrupted():
    assert not turn_handling(TurnTaking(barge_in=False), "vad")["interruption"]["enabled"]


def test_the_longest_delay_is_never_shorter_than_the_shortest():
    options = turn_handling(
        TurnTaking(endpointing_min_delay_s=3.0, endpointing_max_delay_s=1.0), "vad"
    )

    assert options["endpointing"]["max_delay"] == 3.0

"""An agent's turn taking in LiveKit's words. The only place where the two vocabularies meet."""

from typing import Final

from livekit.agents.voice.turn import TurnDetectionMode, TurnHandlingOptions

from dispatch.agent_profile import TurnTaking

_FALSE_BARGE_IN_S: Final = 1.0
"""After a barge-in without words (a cough, a door) the agent speaks on after this silence."""


def turn_handling(turn_taking: TurnTaking, detection: TurnDetectionMode) -> TurnHandlingOptions:
    """Return how the conversation takes turns.

    Interruptions are judged by voice activity: the adaptive mode calls a cloud service.

    Args:
        turn_taking: The agent's presets.
        detection: How the end of the caller's turn is found.
    """
    return {
        "turn_detection": detection,
        "endpointing": {
            "mode": "fixed",
            "min_delay": turn_taking.endpointing_min_delay_s,
            "max_delay": max(
                turn_taking.endpointing_max_delay_s, turn_taking.endpointing_min_delay_s
            ),
        },
        "interruption": {
            "enabled": turn_taking.barge_in,
            "mode": "vad",
            "min_duration": turn_taking.barge_in_min_speech_s,
            "resume_false_interruption": True,
            "false_interruption_timeout": _FALSE_BARGE_IN_S,
        },
        "preemptive_generation": {"enabled": True, "preemptive_tts": True},
    }

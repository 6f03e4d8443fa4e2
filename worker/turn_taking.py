"""An agent's turn taking in LiveKit's words. The only place where the two vocabularies meet."""

from typing import Final

from livekit.agents.voice.turn import TurnDetectionMode, TurnHandlingOptions

from dispatch.agent_profile import TurnTaking

_FALSE_BARGE_IN_S: Final = 1.0
"""After a barge-in without words (a cough, a door) the agent speaks on after this silence."""


def turn_handling(
    turn_taking: TurnTaking, detection: TurnDetectionMode, *, speaks_ahead: bool = True
) -> TurnHandlingOptions:
    """Return how the conversation takes turns.

    Interruptions are judged by voice activity: the adaptive mode calls a cloud service.

    Args:
        turn_taking: The agent's presets.
        detection: How the end of the caller's turn is found.
        speaks_ahead: Whether an answer is spoken into memory before the turn is surely over;
            worth it where speech costs nothing.
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
            "min_words": turn_taking.barge_in_min_words,
            "resume_false_interruption": True,
            "false_interruption_timeout": _FALSE_BARGE_IN_S,
        },
        "preemptive_generation": {"enabled": True, "preemptive_tts": speaks_ahead},
    }


def realtime_turn_handling(turn_taking: TurnTaking) -> TurnHandlingOptions:
    """Return how a conversation with a realtime model takes turns.

    The model itself hears where the caller's turn ends, and that the caller talks over it. Only an
    agent that must not be interrupted has its turns found here.
    """
    if turn_taking.barge_in:
        return {"turn_detection": "realtime_llm", "interruption": {"enabled": True}}
    return turn_handling(turn_taking, "vad")

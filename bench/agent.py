"""The one agent that both sides of the benchmark run."""

from typing import Any

from dispatch.agent_profile import TurnTaking
from dispatch.models.choices import AgentModels
from dispatch.script import Script
from worker.turn_taking import turn_handling

MINIMAL_NAME = "bench-minimal"
"""Agent name under which the minimal worker registers."""

OURS_NUMBER = "+12015550170"
MINIMAL_NUMBER = "+12015550180"

GREETING = "Harbour Books. How can I help you?"
QUESTION = "what are your opening hours"
REPLY = "We are open from nine to five."

SPEECH = AgentModels().tts
STEPS: list[dict[str, Any]] = [{"phrases": [QUESTION], "reply": REPLY}]
SCRIPT = Script.model_validate({"steps": STEPS})
TURN_TAKING = turn_handling(TurnTaking(), "vad")

DRAFT: dict[str, Any] = {"name": "Benchmark", "greeting": GREETING, "script": {"steps": STEPS}}
"""The same agent as the API takes it; speech and turn taking are the defaults on both sides."""

"""The one agent that both sides of the benchmark run."""

from typing import Any

from dispatch.agent_profile import Speech, TurnTaking
from dispatch.script import Script
from worker.turn_taking import turn_handling

MINIMAL_NAME = "bench-minimal"
"""Agent name under which the minimal worker registers."""

OURS_NUMBER = "+12015550170"
MINIMAL_NUMBER = "+12015550180"

GREETING = "Harbour Books. How can I help you?"
QUESTION = "what are your opening hours"
REPLY = "We are open from nine to five."

SPEECH = Speech()
SCRIPT = Script.model_validate({"steps": [{"phrases": [QUESTION], "reply": REPLY}]})
TURN_TAKING = turn_handling(TurnTaking(), "vad")

DRAFT: dict[str, Any] = {
    "name": "Benchmark",
    "greeting": GREETING,
    "speech": SPEECH.model_dump(mode="json", by_alias=True)
    | {"wordsPerMinute": SPEECH.words_per_minute},
    "script": SCRIPT.model_dump(mode="json", exclude_none=True),
}
"""The same agent as the API takes it."""
DRAFT["speech"].pop("words_per_minute", None)

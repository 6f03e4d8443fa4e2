"""The agent, the number and the caller of the demo: a small shop that tells its hours."""

from typing import Any

NUMBER = "+12015550100"
CALLER = "+12015550123"
ORGANIZATION = "Demo"
PROJECT = "Front desk"

VOICE = "en-us+f2"
"""Of espeak-ng's voices the one PocketSphinx understands best, at every speed."""

AGENT: dict[str, Any] = {
    "name": "Harbour Books",
    "greeting": "Harbour Books. How can I help you?",
    "goodbye": "Goodbye.",
    "models": {"tts": {"voice": VOICE, "params": {"words_per_minute": 170}}},
    "turnTaking": {"endpointingMinDelayS": 0.3},
    "script": {
        "steps": [
            {
                "phrases": ["what are your opening hours", "opening hours"],
                "keys": ["1"],
                "reply": "We are open from nine to five.",
            },
            {
                "phrases": ["where can I find you"],
                "keys": ["2"],
                "reply": "We are at twelve Harbour Street.",
            },
            {
                "phrases": ["goodbye", "no thank you goodbye"],
                "keys": ["9"],
                "reply": "Thank you for calling. Goodbye.",
                "action": {"end_call": {}},
            },
        ],
        "fallback": "Sorry, I did not catch that.",
    },
}


def puzzled(agent: dict[str, Any]) -> str | None:
    """Return what an agent of provider `builtin` says to what it did not understand."""
    said: str | None = (agent.get("script") or {}).get("fallback")
    return said


def sentences_of(agent: dict[str, Any]) -> list[str]:
    """Return everything an agent of provider `builtin` may say, as the API describes it."""
    script = agent.get("script") or {}
    menus = [script, *(script.get("menus") or {}).values()]
    replies = [step.get("reply") for menu in menus for step in menu.get("steps") or ()]
    fallbacks = [menu.get("fallback") for menu in menus]
    spoken = [agent.get("greeting"), agent.get("goodbye"), *replies, *fallbacks]
    return list(dict.fromkeys(text for text in spoken if text))
